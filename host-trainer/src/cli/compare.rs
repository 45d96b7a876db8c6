//! `gatelet compare`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::out::{note, say, say_json};
use super::stream::Folder;
use super::table::{Align, Table};
use super::terminal::output_width;
use crate::analysis::device::{Processor, int8_bytes};
use crate::error::{Error, Result};
use crate::train::layers::Layers;
use crate::train::runs::Run;
use crate::train::verdict::Verdict;
use crate::units::{duration, epochs, grouped};

/// Order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// As given.
    #[default]
    Given,
    /// The lowest loss first.
    Nats,
    /// The smallest int8 image first.
    Bytes,
}

/// Compare runs in a table.
///
/// The lowest held-out loss is marked with a star. Bytes are those of the int8 image for a Cortex-M4. A folder that is no
/// run is named on standard error; the others are shown all the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatelet compare runs/* --sort nats")]
pub(super) struct Args {
    /// Run folders
    #[arg(required = true)]
    runs: Vec<Folder>,
    /// Order of the rows
    #[arg(long, default_value = "given")]
    sort: Order,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// A run in one line.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    path: PathBuf,
    #[serde(flatten)]
    shape: Layers,
    parameters: usize,
    int8_bytes: Option<usize>,
    corpus_sha256: String,
    nats: Option<f64>,
    bpc: Option<f64>,
    epochs: f64,
    characters: u64,
    characters_per_second: Option<f64>,
    seconds: f64,
    ended: Option<String>,
    verdict: Option<Verdict>,
    best: bool,
}

impl Row {
    /// Of a run on a text.
    fn new(run: &Run) -> Result<Self> {
        let shape = run.shape.ok_or_else(|| {
            let what = "it is on sequences, or its layers are not alike: see `gatelet report`";
            Error::Some(format!(
                "{}: no line for this run: {what}",
                run.path.display()
            ))
        })?;
        let (last, best) = (run.metrics.last(), run.best());
        Ok(Self {
            name: run.name.clone(),
            path: run.path.clone(),
            shape,
            parameters: shape.parameters(),
            // The words of a net of words are in its checkpoint, and this reads none.
            int8_bytes: (run.config["level"] != "word")
                .then(|| {
                    int8_bytes(
                        &shape.net(),
                        &[],
                        Processor::CortexM4,
                        &run.corpus,
                        &run.command,
                    )
                })
                .and_then(Result::ok),
            corpus_sha256: run.corpus_sha256.clone(),
            nats: best.map(|m| m.valid_nats),
            bpc: best.map(|m| m.valid_nats / std::f64::consts::LN_2),
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

    fn cells(&self) -> Vec<String> {
        let dash = || "-".to_owned();
        vec![
            self.name.clone(),
            self.shape.cell.to_string(),
            format!("{} x {}", self.shape.layers, self.shape.hidden),
            grouped(self.parameters),
            self.int8_bytes.map_or_else(dash, grouped),
            self.nats.map_or_else(dash, |x| format!("{x:.4}")),
            self.bpc.map_or_else(dash, |x| format!("{x:.4}")),
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

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for path in &args.runs {
        match Run::read(path).and_then(|run| Row::new(&run)) {
            Ok(row) => rows.push(row),
            Err(error) => bad.push((path.display().to_string(), error.to_string())),
        }
    }
    if rows.is_empty() {
        let errors: Vec<String> = bad.into_iter().map(|bad| bad.1).collect();
        return Err(Error::Some(errors.join("; ")));
    }
    for (_, error) in &bad {
        note(format_args!("note: {error}"));
    }
    let nats = |row: &Row| row.nats.unwrap_or(f64::INFINITY);
    match args.sort {
        Order::Given => {}
        Order::Nats => rows.sort_by(|a, b| nats(a).total_cmp(&nats(b))),
        Order::Bytes => rows.sort_by_key(|row| row.int8_bytes),
    }
    // On different texts a lower loss says nothing: then none is the best.
    let one_text = rows
        .iter()
        .all(|row| row.corpus_sha256 == rows[0].corpus_sha256);
    let lowest = rows.iter().map(nats).fold(f64::INFINITY, f64::min);
    for row in &mut rows {
        row.best = one_text && row.nats == Some(lowest);
    }
    let left = Align::Left;
    let right = Align::Right;
    let mut table = Table::new(&[
        ("run", left),
        ("cell", left),
        ("shape", left),
        ("parameters", right),
        ("int8 bytes", right),
        ("nats", right),
        ("bits/char", right),
        ("epochs", right),
        ("characters", right),
        ("chars/s", right),
        ("time", right),
        ("ended", left),
        ("verdict", left),
        ("", left),
    ]);
    rows.iter().for_each(|row| table.row(row.cells()));
    let spare = [
        "chars/s",
        "parameters",
        "characters",
        "bits/char",
        "ended",
        "time",
        "epochs",
        "cell",
    ];
    let left_out = table.fit(&spare, output_width());
    say(table)?;
    if left_out {
        say("(a wider terminal shows more columns, --json shows all)")?;
    }
    if !one_text {
        say("note: these runs are on different texts, so their losses are not comparable")?;
    }
    if args.json {
        let bad: Vec<Value> = bad
            .into_iter()
            .map(|(path, error)| json!({ "path": path, "error": error }))
            .collect();
        say_json(json!({ "runs": rows, "not_runs": bad }))?;
    }
    Ok(())
}
