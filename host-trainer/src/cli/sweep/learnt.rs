//! What the jobs of a sweep learn: a text, or sequences of numbers.

use gatelet::front::FrontEnd;

use super::super::stream::Input;
use super::super::train::{self, arranged, job_of, prepared};
use crate::data::corpus::{IN_MEMORY, Level, Outline, Text};
use crate::error::Result;
use crate::net::Net;
use crate::train::config::Config;
use crate::train::dataset::Dataset;
use crate::train::layers::Layers;
use crate::train::series::Series;
use crate::train::series::options::Task;

/// What is learnt, and how every job learns it.
pub(in crate::cli) struct Learnt {
    job: train::Args,
    /// The options of a job but for its shape.
    config: Config,
    of: Of,
}

enum Of {
    Text(Box<(Text, Outline)>),
    Sequences(Box<Series>),
}

impl Learnt {
    /// Reads it, with these options of every job. Wrong options are wrong for every job, so they
    /// are found before any; and some of them change the vocabulary, or what a sequence is.
    pub(super) fn read(input: &Input, options: &[String]) -> Result<Self> {
        let line = [input.to_string(), "--out".to_owned(), "job".to_owned()];
        let (job, mut config) = job_of(&[&line[..], options].concat())?;
        if job.series.task().is_some() {
            let (data, config) = prepared(&job, None)?;
            data.check(&config)?;
            let of = Of::Sequences(Box::new(data));
            return Ok(Self { job, config, of });
        }
        let text = input.text(IN_MEMORY, config.encoding()?)?;
        let arranged = arranged(&job, text.clone(), &mut config, false)?;
        let outline = Outline::of(&arranged, &config.corpus_options())?;
        job.follow(&config, &text, &outline)?;
        let of = Of::Text(Box::new((text, outline)));
        Ok(Self { job, config, of })
    }

    /// The net of a shape, and the command that makes it.
    pub(super) fn job(&self, shape: Layers) -> Result<(Net, String)> {
        let shaped = self.config.shaped(shape);
        let (net, config) = match &self.of {
            Of::Text(of) => (shape.net(), self.job.follow(&shaped, &of.0, &of.1)?),
            Of::Sequences(data) => (data.net(&shaped)?, shaped),
        };
        Ok((net, self.job.command(&config)))
    }

    /// SHA-256 of all that is read.
    pub(super) fn sha256(&self) -> [u8; 32] {
        match &self.of {
            Of::Text(of) => *of.1.sha256(),
            Of::Sequences(data) => data.sha256(),
        }
    }

    /// What has that hash, in words.
    pub(super) fn hashed(&self) -> &'static str {
        match self.of {
            Of::Text(_) => "text, by its sha256",
            Of::Sequences(_) => "set of data, by its sha256",
        }
    }

    /// Tokens of a text, or none.
    pub(super) fn vocab(&self) -> usize {
        match &self.of {
            Of::Text(of) => of.1.vocab().len(),
            Of::Sequences(_) => 0,
        }
    }

    /// The words, at the level of words.
    pub(super) fn words(&self) -> &[String] {
        match &self.of {
            Of::Text(of) => of.1.vocab().words(),
            Of::Sequences(_) => &[],
        }
    }

    /// What makes features of sound.
    pub(super) fn front_end(&self) -> Option<FrontEnd> {
        self.series()?.options().front_end.map(|front| front.0)
    }

    /// What a step is called.
    pub(in crate::cli) fn step(&self) -> &'static str {
        match &self.of {
            Of::Text(of) => of.1.vocab().level().unit(),
            Of::Sequences(data) if data.options().front_end.is_some() => "frame",
            Of::Sequences(_) => "step",
        }
    }

    /// A text that was read from standard input, for the jobs.
    pub(super) fn fed(&self, input: &Input) -> Option<&[u8]> {
        match (&self.of, input) {
            (Of::Text(of), Input::Stdin) => Some(of.0.held().unwrap_or_default()),
            _ => None,
        }
    }

    /// The sequences.
    pub(super) fn series(&self) -> Option<&Series> {
        match &self.of {
            Of::Text(_) => None,
            Of::Sequences(data) => Some(data),
        }
    }

    /// What is asked of sequences.
    pub(in crate::cli) fn task(&self) -> Option<Task> {
        self.series().map(|data| data.options().task)
    }

    /// What a token of a text is.
    pub(in crate::cli) fn level(&self) -> Option<Level> {
        match &self.of {
            Of::Text(of) => Some(of.1.vocab().level()),
            Of::Sequences(_) => None,
        }
    }
}
