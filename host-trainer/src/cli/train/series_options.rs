//! The options of `gatelet train DATA --task ..`, and the same as words of a command.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::net::FrontEnd;
use crate::shell::quoted;
use crate::train::series::options::{Filling, LossName, SeriesOptions, Task};

/// Options of data that is no text.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(in crate::cli) struct Options {
    /// The data are sequences of numbers, and this is asked of them: a CSV, a folder of CSVs or WAVs, .npy, .npz, .ts, or
    /// two WAVs, IN.wav,OUT.wav
    #[arg(long, help_heading = HEADING)]
    task: Option<Task>,
    /// Columns that go in, by name [default: all that are nothing else]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = HEADING)]
    features: Vec<String>,
    /// The one column that goes in is a token: a whole number below N
    #[arg(long, value_name = "N", help_heading = HEADING)]
    tokens: Option<usize>,
    /// Columns that are asked for, by name; or a file of them beside a .npy
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = HEADING)]
    target: Vec<String>,
    /// The column that says which rows belong together: no split goes through them. Of recordings, `name`: what follows
    /// the class in a file's name
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    group: Option<String>,
    /// The column that tells the sequences of a group apart
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    sequence: Option<String>,
    /// The column of times, which have to rise
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    time: Option<String>,
    /// What is put where a number is missing [default: that is refused]
    #[arg(long, help_heading = HEADING)]
    fill: Option<Filling>,
    /// Steps that are forecast
    #[arg(long, value_name = "N", help_heading = HEADING)]
    ahead: Option<usize>,
    /// Cut sequences into pieces of so many steps, each learnt by itself
    #[arg(long, value_name = "STEPS", help_heading = HEADING)]
    segment: Option<usize>,
    /// Steps from the start of a piece to that of the next [default: --segment]
    #[arg(long, value_name = "STEPS", help_heading = HEADING)]
    hop: Option<usize>,
    /// The channel of recordings, from 0 [default: the mean of all]
    #[arg(long, value_name = "N", help_heading = HEADING)]
    channel: Option<u16>,
    /// What makes features of recordings, each step a frame: logmel:BANDS or mfcc:COEFFICIENTS, then
    /// ,rate=HZ ,frame=32ms ,hop=16ms ,low=HZ ,high=HZ; the device has the same
    #[arg(long, value_name = "RECIPE", help_heading = HEADING)]
    front_end: Option<FrontEnd>,
    /// Other data that is held out [default: a part of this, see --valid-fraction]
    #[arg(long, value_name = "DATA", help_heading = HEADING)]
    valid: Option<PathBuf>,
    /// Rare classes count as much as others
    #[arg(long, help_heading = HEADING)]
    class_weights: bool,
    /// What is made small, of values [default: squared]
    #[arg(long, help_heading = HEADING)]
    loss: Option<LossName>,
    /// Add noise of so many deviations to every feature, other noise every epoch [default: 0]
    #[arg(long, value_name = "X", help_heading = HEADING)]
    noise: Option<f32>,
    /// Make each sequence louder or softer by at most this part [default: 0]
    #[arg(long, value_name = "X", help_heading = HEADING)]
    gain: Option<f32>,
    /// Move each sequence in time by at most so many steps [default: 0]
    #[arg(long, value_name = "STEPS", help_heading = HEADING)]
    shift: Option<usize>,
}

const HEADING: &str = "Sequences of numbers";

impl Options {
    /// Whether any of them is given that needs `--task`.
    pub(in crate::cli) fn task(&self) -> Option<Task> {
        self.task
    }

    /// Refuses options that say how sequences are read of a run on a text.
    pub(in crate::cli) fn refuse(&self) -> Result<()> {
        let given = [
            ("features", !self.features.is_empty()),
            ("target", !self.target.is_empty()),
            ("group", self.group.is_some()),
            ("sequence", self.sequence.is_some()),
            ("time", self.time.is_some()),
            ("fill", self.fill.is_some()),
            ("ahead", self.ahead.is_some()),
            ("segment", self.segment.is_some()),
            ("hop", self.hop.is_some()),
            ("channel", self.channel.is_some()),
            ("front-end", self.front_end.is_some()),
            ("valid", self.valid.is_some()),
            ("class-weights", self.class_weights),
            ("loss", self.loss.is_some()),
            ("noise", self.noise.is_some()),
            ("gain", self.gain.is_some()),
            ("shift", self.shift.is_some()),
        ];
        match given.iter().find(|of| of.1) {
            None => Ok(()),
            Some((option, _)) => Err(Error::Usage(format!(
                "--{option} is for sequences of numbers, and without --task this is a text: \
                 add --task classify, label, forecast or regress"
            ))),
        }
    }

    /// The options of a new run, over those of the run that it goes on from.
    pub(in crate::cli) fn over(&self, base: Option<&SeriesOptions>) -> Result<SeriesOptions> {
        let task = self.task.or(base.map(|base| base.task));
        let task = task.ok_or_else(|| Error::Usage("--task is missing".to_owned()))?;
        let base = base.cloned().unwrap_or_else(|| SeriesOptions::of(task));
        let or = |given: &Vec<String>, base: Vec<String>| match given.is_empty() {
            true => base,
            false => given.clone(),
        };
        let valid = self.valid.as_ref().map(|path| path.display().to_string());
        let ahead = match task {
            Task::Forecast => self.ahead.unwrap_or(base.ahead.max(1)),
            _ => self.ahead.unwrap_or(0),
        };
        Ok(SeriesOptions {
            task,
            ahead,
            features: or(&self.features, base.features),
            tokens: self.tokens.unwrap_or(base.tokens),
            target: or(&self.target, base.target),
            group: self.group.clone().or(base.group),
            sequence: self.sequence.clone().or(base.sequence),
            time: self.time.clone().or(base.time),
            fill: self.fill.or(base.fill),
            segment: self.segment.or(base.segment),
            hop: self.hop.or(base.hop),
            channel: self.channel.or(base.channel),
            front_end: self.front_end.or(base.front_end),
            valid: valid.or(base.valid),
            class_weights: self.class_weights || base.class_weights,
            loss: self.loss.unwrap_or(base.loss),
            noise: self.noise.unwrap_or(base.noise),
            gain: self.gain.unwrap_or(base.gain),
            shift: self.shift.unwrap_or(base.shift),
            split_seed: base.split_seed,
        })
    }
}

/// The options of a run as words of a command for a shell.
pub(super) fn words(series: &SeriesOptions) -> Vec<String> {
    let words = arguments(series);
    words.iter().map(|word| quoted(word)).collect()
}

/// The options of a run as a program is given them.
pub(in crate::cli) fn arguments(series: &SeriesOptions) -> Vec<String> {
    let mut words = vec!["--task".to_owned(), series.task.to_string()];
    let mut option = |given: bool, name: &str, value: String| {
        if given {
            words.extend([format!("--{name}"), value]);
        }
    };
    let names = |all: &[String]| all.join(",");
    let one = |of: &Option<String>| of.clone().unwrap_or_default();
    let number = |of: Option<usize>| of.unwrap_or(0).to_string();
    let d = SeriesOptions::of(series.task);
    option(series.ahead > 0, "ahead", series.ahead.to_string());
    option(
        !series.features.is_empty(),
        "features",
        names(&series.features),
    );
    option(series.tokens > 0, "tokens", series.tokens.to_string());
    option(!series.target.is_empty(), "target", names(&series.target));
    option(series.group.is_some(), "group", one(&series.group));
    option(series.sequence.is_some(), "sequence", one(&series.sequence));
    option(series.time.is_some(), "time", one(&series.time));
    let fill = series.fill.map_or_else(String::new, |fill| value(&fill));
    option(series.fill.is_some(), "fill", fill);
    option(series.segment.is_some(), "segment", number(series.segment));
    option(series.hop.is_some(), "hop", number(series.hop));
    let channel = series.channel.unwrap_or(0).to_string();
    option(series.channel.is_some(), "channel", channel);
    let front = series
        .front_end
        .map_or_else(String::new, |of| of.to_string());
    option(series.front_end.is_some(), "front-end", front);
    option(series.valid.is_some(), "valid", one(&series.valid));
    option(series.loss != d.loss, "loss", value(&series.loss));
    option(series.noise > 0.0, "noise", series.noise.to_string());
    option(series.gain > 0.0, "gain", series.gain.to_string());
    option(series.shift > 0, "shift", series.shift.to_string());
    words.extend(series.class_weights.then(|| "--class-weights".to_owned()));
    words
}

/// A value as it is typed.
fn value(of: &impl clap::ValueEnum) -> String {
    let shown = of.to_possible_value();
    shown.map_or_else(String::new, |value| value.get_name().to_owned())
}
