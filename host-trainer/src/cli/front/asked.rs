//! What a sweep was asked for.

use std::path::Path;

use super::super::sweep::learnt::Learnt;
use crate::analysis::sweep::{Budget, Job, State};
use crate::data::corpus::Level;
use crate::shell::quoted;

/// What the front is drawn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Price {
    /// Bytes of the int8 image.
    #[default]
    Flash,
    /// Estimated instructions a step.
    Instructions,
}

/// What a sweep was asked for.
pub(in crate::cli) struct Sweep<'a> {
    /// The name of its text or data.
    pub(in crate::cli) data: &'a str,
    /// What is learnt.
    pub(in crate::cli) learnt: &'a Learnt,
    /// Options of every job.
    pub(in crate::cli) options: &'a [String],
    /// Its folder.
    pub(in crate::cli) out: &'a Path,
    /// What shapes may cost.
    pub(in crate::cli) budget: Budget,
    /// What the front sets against the loss or the answers.
    pub(in crate::cli) by: Price,
}

impl Sweep<'_> {
    /// What bits a token are called.
    pub(super) fn bits(&self) -> Option<&'static str> {
        self.learnt.level().map(|level| match level {
            Level::Char => "bits/char",
            Level::Word => "bits/token",
            Level::Byte => "bits/byte",
        })
    }

    /// What a job is set against its cost by: the lower, the better; NaN where that is not known
    /// or it is past the budget.
    pub(super) fn loss(&self, job: &Job) -> f64 {
        // A net that is still being trained is not on the front: it would be compared too early.
        if job.state != State::Done || !job.within(&self.budget) {
            return f64::NAN;
        }
        let loss = match (self.learnt.task(), &job.int8) {
            (None, _) => job.nats,
            (Some(task), int8) => int8.as_ref().map(|of| task.error(of.figure)),
        };
        loss.unwrap_or(f64::NAN)
    }

    /// The command that makes the net of a job again, and the one that makes its image.
    pub(super) fn commands(&self, job: &Job) -> [String; 2] {
        let job = Job {
            state: State::New,
            ..job.clone()
        };
        let made = job.arguments(self.data, self.options);
        let (best, image) = (
            job.best().display().to_string(),
            format!("{}.gatelet", job.candidate.name),
        );
        let exported = ["export", &best, "--out", &image].map(str::to_owned);
        [made, exported.into()].map(|words| {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("gatelet {}", words.join(" "))
        })
    }
}
