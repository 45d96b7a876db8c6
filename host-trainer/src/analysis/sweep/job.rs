//! A job of a sweep: a shape and its run folder.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::candidates::{Budget, Candidate};
use super::int8::Int8;
use crate::train::layers::Layers;
use crate::train::runs::{Run, started};
use crate::train::verdict::Verdict;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not begun.
    New,
    /// Begun, and to be resumed.
    Begun,
    /// Ended.
    Done,
}

/// A shape and its run folder.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// The shape with its price.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Its run folder.
    pub folder: PathBuf,
    /// How far it is.
    pub state: State,
    /// Lowest held-out loss so far: nats a token, a sequence or a step, or without a unit.
    pub nats: Option<f64>,
    /// Of sequences: how good the net with that loss is at its task, in f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<f64>,
    /// Of sequences: its int8 image, of a job that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub int8: Option<Int8>,
    /// Epochs trained.
    pub epochs: f64,
    /// Seconds trained.
    pub seconds: f64,
    /// What its curve says.
    pub verdict: Option<Verdict>,
}

impl Job {
    /// The job of a candidate as it is in `out` now, without its image.
    pub fn find(candidate: Candidate, out: &Path) -> Self {
        let folder = out.join(&candidate.name);
        // A run that was killed before its first checkpoint is started again; one killed before
        // its config.json goes on.
        let run = Run::read(&folder).ok();
        let last = run.as_ref().and_then(|run| run.metrics.last());
        let best = run.as_ref().and_then(Run::best);
        Self {
            state: match &run {
                Some(run) if run.done() => State::Done,
                _ if started(&folder) => State::Begun,
                _ => State::New,
            },
            nats: best.map(|metrics| metrics.valid_nats),
            figure: best.and_then(|metrics| metrics.figure),
            int8: None,
            epochs: last.map_or(0.0, |m| m.epoch),
            seconds: last.map_or(0.0, |m| m.seconds),
            verdict: run
                .as_ref()
                .and_then(Run::judge)
                .map(|judgement| judgement.verdict),
            candidate,
            folder,
        }
    }

    /// Bytes of flash and of RAM, and instructions a step: of the image if there is one, else as
    /// they were told before.
    pub fn cost(&self) -> (usize, usize, u64) {
        match &self.int8 {
            Some(of) => (of.flash, of.ram, of.instructions),
            None => {
                let of = &self.candidate;
                (of.flash, of.ram, of.instructions)
            }
        }
    }

    /// Whether it is within the budget, as far as is known.
    pub fn within(&self, budget: &Budget) -> bool {
        let (flash, _, instructions) = self.cost();
        budget.flash.is_none_or(|most| flash <= most)
            && budget.instructions.is_none_or(|most| instructions <= most)
    }

    /// Its checkpoint with the lowest held-out loss.
    pub fn best(&self) -> PathBuf {
        self.folder.join("best.safetensors")
    }

    /// The words of its command after the program's name, with `options`, those of every job: to
    /// go on with it if it has begun, else to make it.
    pub fn arguments(&self, data: &str, options: &[String]) -> Vec<String> {
        match self.state {
            // Its own options are in the run.
            State::Begun => {
                let mut words = self.head(data);
                words.push("--resume".to_owned());
                words
            }
            State::New | State::Done => self.making(data, options),
        }
    }

    fn head(&self, data: &str) -> Vec<String> {
        let folder = self.folder.display().to_string();
        ["train", data, "--out", &folder].map(str::to_owned).into()
    }

    /// The words that make it.
    fn making(&self, data: &str, options: &[String]) -> Vec<String> {
        let Layers {
            cell,
            hidden,
            layers,
            embedding,
            projection,
            tied,
            ..
        } = self.candidate.shape;
        let mut words = self.head(data);
        let shape = [
            ("--cell", cell.to_string()),
            ("--hidden", hidden.to_string()),
            ("--layers", layers.to_string()),
        ];
        words.extend(
            shape
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value]),
        );
        for (name, width) in [("--embedding", embedding), ("--projection", projection)] {
            if width > 0 {
                words.extend([name.to_owned(), width.to_string()]);
            }
        }
        words.extend(tied.then(|| "--tied".to_owned()));
        // A folder that is there is taken if it holds only what a kill before the first
        // checkpoint leaves. Any other is somebody's.
        words.extend_from_slice(options);
        words
    }
}
