//! A run as a row of the table.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::analysis::device::{Processor, int8_bytes};
use crate::analysis::footprint::Contents;
use crate::analysis::names::{cells, sizes};
use crate::error::{Error, Result};
use crate::net::tensors;
use crate::train::layers::Layers;
use crate::train::runs::Run;
use crate::train::series::options::{SeriesOptions, Task};
use crate::train::verdict::Verdict;
use crate::units::{duration, epochs, grouped};

/// A run in one line.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Of a net whose layers are alike, between tokens and scores.
    #[serde(flatten)]
    shape: Option<Layers>,
    /// `features 2 | gru 8 | dense 2`
    net: String,
    #[serde(skip)]
    names: [String; 2],
    /// Of a run on sequences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<Task>,
    parameters: usize,
    pub(super) int8_bytes: Option<usize>,
    pub(super) corpus_sha256: String,
    nats: Option<f64>,
    /// Of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    bpc: Option<f64>,
    /// Of sequences: accuracy, or error to signal, of the net with that loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    figure: Option<f64>,
    /// What decides which sequences are learnt from and which are held out.
    #[serde(skip)]
    pub(super) reading: Value,
    epochs: f64,
    characters: u64,
    characters_per_second: Option<f64>,
    seconds: f64,
    ended: Option<String>,
    verdict: Option<Verdict>,
    pub(super) best: bool,
}

/// The options of a run on sequences that say what is read and held out.
fn reading(series: &SeriesOptions, config: &Value) -> Value {
    // What else there is says how it is learnt from.
    let read = SeriesOptions {
        class_weights: false,
        loss: Default::default(),
        noise: 0.0,
        gain: 0.0,
        shift: 0,
        ..series.clone()
    };
    json!([read, config["valid_fraction"]])
}

impl Row {
    pub(super) fn new(run: &Run) -> Result<Self> {
        let net = run.net.or(run.shape.map(|shape| shape.net()));
        let net = net.ok_or_else(|| {
            let what = "it has no last.safetensors to say what its net is";
            Error::Some(format!(
                "{}: no line for this run: {what}",
                run.path.display()
            ))
        })?;
        let series: Option<SeriesOptions> =
            serde_json::from_value(run.config["series"].clone()).ok();
        let (last, best) = (run.metrics.last(), run.best());
        let contents = Contents {
            front_end: run.front_end,
            ..Contents::of_text(&run.words, &run.corpus, &run.command)
        };
        let nats = best.map(|m| m.valid_nats);
        // Without the checkpoint the words of a net of words are not known.
        let sized = run.config["level"] != "word" || !run.words.is_empty();
        Ok(Self {
            name: run.name.clone(),
            path: run.path.clone(),
            shape: run.shape,
            net: net.to_string(),
            names: [cells(&net), sizes(&net)],
            parameters: tensors(&net).last().map_or(0, |last| last.range.end),
            int8_bytes: sized
                .then(|| int8_bytes(&net, Processor::CortexM4, contents))
                .and_then(Result::ok),
            corpus_sha256: run.corpus_sha256.clone(),
            nats,
            bpc: nats
                .filter(|_| series.is_none())
                .map(|nats| nats / std::f64::consts::LN_2),
            figure: best.and_then(|m| m.figure),
            reading: series
                .as_ref()
                .map_or(Value::Null, |series| reading(series, &run.config)),
            task: series.map(|series| series.task),
            epochs: last.map_or(0.0, |m| m.epoch),
            characters: last.map_or(0, |m| m.characters),
            characters_per_second: last
                .filter(|m| m.seconds > 0.0)
                .map(|m| m.characters as f64 / m.seconds),
            seconds: last.map_or(0.0, |m| m.seconds),
            ended: run.ended.clone(),
            verdict: run.judge().map(|judgement| judgement.verdict),
            best: false,
        })
    }

    /// The lowest held-out loss.
    pub(super) fn loss(&self) -> f64 {
        self.nats.unwrap_or(f64::INFINITY)
    }

    /// What the best has least of: loss, wrong answers, or error.
    pub(super) fn rank(&self) -> f64 {
        match (self.task, self.figure) {
            (Some(task), Some(figure)) => task.error(figure),
            (Some(_), None) => f64::INFINITY,
            (None, _) => self.loss(),
        }
    }

    /// What was trained on, in the plural.
    pub(super) fn counted(&self) -> String {
        let unit = self.task.map_or("character", |task| task.terms().unit);
        format!("{unit}s")
    }

    /// Names of the two columns that say how good it is.
    pub(super) fn measures(&self) -> [&'static str; 2] {
        match self.task.and_then(|task| task.terms().figure) {
            None => ["nats", "bits/char"],
            Some(figure) => [figure, "loss"],
        }
    }

    pub(super) fn cells(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        let number = |x: Option<f64>| x.map_or_else(dash, |x| format!("{x:.4}"));
        let measures = match self.task {
            None => [self.nats, self.bpc],
            Some(_) => [self.figure, self.nats],
        };
        let ([cell, shape], [first, second]) = (self.names.clone(), measures.map(number));
        vec![
            self.name.clone(),
            cell,
            shape,
            grouped(self.parameters),
            self.int8_bytes.map_or_else(dash, grouped),
            first,
            second,
            epochs(self.epochs),
            grouped(self.characters),
            self.characters_per_second
                .map_or_else(dash, |x| grouped(x.round() as u64)),
            duration(self.seconds),
            self.ended.clone().unwrap_or_else(|| "open".to_owned()),
            self.verdict
                .map_or_else(dash, |verdict| verdict.to_string()),
            if self.best { "*" } else { "" }.to_owned(),
        ]
    }
}
