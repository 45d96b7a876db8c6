//! What is asked of sequences, and how they are read and learnt from: the part of a run's options
//! that a text has no use for.

use gatelet_series::Fill;
use serde::{Deserialize, Serialize};

use crate::data::corpus::MAX_VOCAB;
use crate::error::{Error, Result};
use crate::net::{FrontEnd, Loss};
use crate::train::terms::Terms;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A class of every sequence, when it has ended
    Classify,
    /// A class of every step
    Label,
    /// Columns, some steps later
    Forecast,
    /// Numbers of every step, or of a sequence when it has ended
    Regress,
}

impl Task {
    /// Whether it asks for classes.
    pub const fn is_of_classes(self) -> bool {
        matches!(self, Self::Classify | Self::Label)
    }

    /// What is to be small: the part of answers that are wrong, or the error to signal.
    pub fn error(self, figure: f64) -> f64 {
        match self.is_of_classes() {
            true => 1.0 - figure,
            false => figure,
        }
    }

    /// The figure with such an [`error`](Self::error).
    pub fn figure(self, error: f64) -> f64 {
        self.error(error)
    }

    /// What the numbers of a run are called.
    pub const fn terms(self) -> Terms {
        let (loss, figure) = match self.is_of_classes() {
            true => ("nats", "accuracy"),
            false => ("", "error to signal"),
        };
        Terms {
            unit: match self {
                Self::Classify => "sequence",
                _ => "step",
            },
            loss,
            figure: Some(figure),
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classify => "classify",
            Self::Label => "label",
            Self::Forecast => "forecast",
            Self::Regress => "regress",
        })
    }
}

/// What is made small, of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LossName {
    /// Mean squared error
    #[default]
    Squared,
    /// Mean absolute error
    Absolute,
    /// Squared where it is small, absolute beyond a deviation
    Huber,
}

impl LossName {
    /// The loss, in the units that a net is trained in.
    pub const fn loss(self) -> Loss {
        match self {
            Self::Squared => Loss::MeanSquared,
            Self::Absolute => Loss::MeanAbsolute,
            Self::Huber => Loss::Huber { delta: 1.0 },
        }
    }
}

/// What is put for a number that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Filling {
    /// The one before
    Previous,
    /// What lies between the one before and the one after
    Linear,
    /// Zero
    Zero,
    /// Nothing: the step is left out
    Drop,
}

fn is_false(x: &bool) -> bool {
    !x
}

fn is_zero<T: PartialEq + Default>(x: &T) -> bool {
    *x == T::default()
}

/// How sequences are read and learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesOptions {
    /// What is asked.
    pub task: Task,
    /// Steps that are forecast.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ahead: usize,
    /// Columns that go in; empty for all that are not something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The tokens that there are, where the one column that goes in is a token's number; or 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tokens: usize,
    /// Columns that are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// The column that says which rows are one sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The column that tells sequences of a group apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// The channel of recordings, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u16>,
    /// What makes features of recordings: then a step is a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_end: Option<FrontEnd>,
    /// The column of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What is put for missing numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Filling>,
    /// Steps of the pieces that long recordings are cut into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<usize>,
    /// Steps from the start of a piece to that of the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop: Option<usize>,
    /// Other data that is held out; without it a part of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<String>,
    /// Whether rare classes count as much as others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub class_weights: bool,
    /// What is made small, of values.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loss: LossName,
    /// Deviation of the noise that is added, in deviations of each feature.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub noise: f32,
    /// Largest part by which a sequence is made louder or softer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gain: f32,
    /// Most steps that a sequence is moved by.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shift: usize,
    /// The seed of what is held out: that of the first run, also of one that goes on from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}

impl From<Filling> for Fill {
    fn from(from: Filling) -> Self {
        match from {
            Filling::Previous => Self::Previous,
            Filling::Linear => Self::Linear,
            Filling::Zero => Self::Zero,
            Filling::Drop => Self::Drop,
        }
    }
}

impl SeriesOptions {
    /// How data is read; `classes` are those of other data that this belongs to.
    pub fn reading(&self, classes: &[String]) -> gatelet_series::Options {
        let task = match self.task {
            Task::Classify => gatelet_series::Task::Classify,
            Task::Label => gatelet_series::Task::Label,
            Task::Forecast => gatelet_series::Task::Forecast { steps: self.ahead },
            Task::Regress => gatelet_series::Task::Regress,
        };
        gatelet_series::Options {
            features: self.features.clone(),
            target: self.target.clone(),
            group: self.group.clone(),
            sequence: self.sequence.clone(),
            time: self.time.clone(),
            fill: self.fill.map(Fill::from),
            window: self.segment,
            hop: self.hop,
            channel: self.channel,
            front: self.front_end.map(|front| front.0),
            classes: classes.to_vec(),
            ..gatelet_series::Options::new(task)
        }
    }

    /// Nothing but the task.
    pub fn of(task: Task) -> Self {
        Self {
            task,
            ahead: 0,
            features: Vec::new(),
            tokens: 0,
            target: Vec::new(),
            group: None,
            sequence: None,
            channel: None,
            front_end: None,
            time: None,
            fill: None,
            segment: None,
            hop: None,
            valid: None,
            class_weights: false,
            loss: LossName::default(),
            noise: 0.0,
            gain: 0.0,
            shift: 0,
            split_seed: None,
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Option`] for the first option outside its range, or without use for the task.
    pub fn validate(&self) -> Result<()> {
        let check = |good: bool, option, found: String, rule| match good {
            true => Ok(()),
            false => Err(Error::Option {
                option,
                found,
                rule,
            }),
        };
        let forecast = self.task == Task::Forecast;
        let ahead = match forecast {
            true => (1..=1024).contains(&self.ahead),
            false => self.ahead == 0,
        };
        let rule = "it has to be from 1 to 1024, with --task forecast alone";
        check(ahead, "ahead", self.ahead.to_string(), rule)?;
        for (option, found) in [("segment", self.segment), ("hop", self.hop)] {
            let good = found.is_none_or(|n| n > 0);
            let found = found.unwrap_or(0).to_string();
            check(good, option, found, "it has to be at least 1")?;
        }
        let hop = self.hop.is_none() || self.segment.is_some();
        let found = self.hop.unwrap_or(0).to_string();
        check(hop, "hop", found, "it has to go with --segment")?;
        for (option, found, most) in [("noise", self.noise, 100.0), ("gain", self.gain, 0.99)] {
            let good = (0.0..=most).contains(&found);
            let rule = "it has to be at least 0; --noise at most 100, --gain below 1";
            check(good, option, found.to_string(), rule)?;
        }
        let tokens = self.tokens == 0 || (2..=MAX_VOCAB).contains(&self.tokens);
        let found = self.tokens.to_string();
        check(
            tokens,
            "tokens",
            found.clone(),
            "it has to be from 2 to 16384",
        )?;
        let numbers = self.noise > 0.0 || self.gain > 0.0 || self.front_end.is_some();
        let rule = "a token is no number: --noise, --gain and --front-end have no use for it";
        check(self.tokens == 0 || !numbers, "tokens", found, rule)?;
        let front = self.front_end.filter(|_| !self.task.is_of_classes());
        let found = front.map_or_else(String::new, |front| front.to_string());
        let rule = "it has to go with --task classify or label";
        check(front.is_none(), "front-end", found, rule)?;
        let weights = self.class_weights && !self.task.is_of_classes();
        check(!weights, "class-weights", "given".to_owned(), rule)?;
        let loss = self.loss != LossName::default() && self.task.is_of_classes();
        let rule = "it has to go with --task forecast or regress";
        check(
            !loss,
            "loss",
            format!("{:?}", self.loss).to_lowercase(),
            rule,
        )
    }
}
