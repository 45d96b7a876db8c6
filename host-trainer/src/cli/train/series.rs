//! `gatelet train DATA --task ..`: runs on sequences of numbers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatelet_series::Set;

use super::args::Args;
use super::{out_of, summary, train, write_config};
use crate::analysis::answers::Answers;
use crate::cli::out::{note, say};
use crate::cli::qat;
use crate::cli::stream::Input;
use crate::cli::terminal::tell;
use crate::error::{Error, Result};
use crate::isa::isa;
use crate::net::FrontEnd;
use crate::quantize::export::own_image;
use crate::shell::quoted;
use crate::train::Trainer;
use crate::train::checkpoint::Checkpoint;
use crate::train::config::Config;
use crate::train::run::{Found, Mode, RunFolder};
use crate::train::series::options::{Filling, LossName, SeriesOptions, Task};
use crate::train::series::{Given, Series};
use crate::units::grouped;

/// Options of data that is no text.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// The data are sequences of numbers, and this is asked of them: a CSV, a folder of CSVs or WAVs, .npy, .npz, .ts, or
    /// two WAVs, IN.wav,OUT.wav
    #[arg(long, help_heading = HEADING)]
    task: Option<Task>,
    /// Columns that go in, by name [default: all that are nothing else]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = HEADING)]
    features: Vec<String>,
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

/// Part of the sequences that is held out when nothing is said.
const HELD_OUT: f64 = 0.2;
/// Updates that a run is to have, about.
const UPDATES: usize = 3000;
/// The fewest and the most epochs of a run.
const EPOCHS: (usize, usize) = (20, 200);
/// Steps of a window of long sequences that are asked at every step.
const WINDOW: usize = 256;
/// The longest window there is.
const LONGEST: usize = 4096;

impl Options {
    /// Whether any of them is given that needs `--task`.
    pub(super) fn task(&self) -> Option<Task> {
        self.task
    }

    /// The options of a new run, over those of the run that it goes on from.
    fn over(&self, base: Option<&SeriesOptions>) -> Result<SeriesOptions> {
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

/// The options of a run as words of a command.
pub(super) fn words(series: &SeriesOptions) -> Vec<String> {
    let mut words = vec![format!("--task {}", series.task)];
    let mut option = |given: bool, name: &str, value: String| {
        if given {
            words.push(format!("--{name} {value}"));
        }
    };
    let names = |all: &[String]| quoted(&all.join(","));
    let one = |of: &Option<String>| quoted(of.as_deref().unwrap_or_default());
    let number = |of: Option<usize>| of.unwrap_or(0).to_string();
    let d = SeriesOptions::of(series.task);
    option(series.ahead > 0, "ahead", series.ahead.to_string());
    option(
        !series.features.is_empty(),
        "features",
        names(&series.features),
    );
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

/// The pieces of one long sequence that nobody asked for pieces of, and how far they are apart.
fn pieces(set: &Set, series: &SeriesOptions) -> Option<(usize, usize)> {
    let is_alone = set.len() == 1 && series.segment.is_none() && series.valid.is_none();
    if !is_alone || series.task == Task::Classify {
        return None;
    }
    let segment = (set.steps(0) / 20).clamp(8, 2 * WINDOW);
    Some((segment, (segment / 2).max(1)))
}

/// Opens the data, and says what there is to know of it. One long sequence is cut into pieces.
fn opened(args: &Args, series: &mut SeriesOptions) -> Result<(Set, Option<Set>)> {
    let path = match &args.text {
        Input::Stdin => {
            return Err(Error::Usage(
                "sequences are read from files, more than once: name a file or a folder".to_owned(),
            ));
        }
        Input::File(path) => path,
    };
    let mut set = Set::open(path, &series.reading(&[]))?;
    if let Some((segment, hop)) = pieces(&set, series) {
        (series.segment, series.hop) = (Some(segment), Some(hop));
        set = Set::open(path, &series.reading(&[]))?;
        if !args.quiet {
            note(format_args!(
                "one sequence: cut into pieces, --segment {segment} --hop {hop}, the last of which are held out"
            ));
        }
    }
    let valid = match &series.valid {
        None => None,
        Some(valid) => Some(Set::open(Path::new(valid), &series.reading(set.classes()))?),
    };
    for line in set.notes().iter().chain(valid.iter().flat_map(Set::notes)) {
        if !args.quiet {
            note(line);
        }
    }
    Ok((set, valid))
}

/// `config` with what follows the data, where it is not given.
fn follow(args: &Args, config: Config, data: &Series) -> Config {
    let given = args.given();
    let sequences = data.train().picked().len();
    let longest = data.train().longest().max(1);
    let task = data.options().task;
    let window = given.window.unwrap_or(match task {
        Task::Classify => longest.min(LONGEST),
        _ if longest > 2 * WINDOW => WINDOW,
        _ => longest,
    });
    let few = 1 << (sequences / 8).max(1).ilog2();
    let batch = given.batch.unwrap_or(few.clamp(1, 32));
    let windows = (sequences.div_ceil(batch) * longest.div_ceil(window)).max(1);
    let epochs = given
        .epochs
        .unwrap_or((UPDATES / windows).clamp(EPOCHS.0, EPOCHS.1));
    let steps = (windows * epochs) as u64;
    Config {
        window,
        batch,
        epochs,
        warmup: given.warmup.unwrap_or((steps / 50).clamp(1, 100)),
        eval_every: given.eval_every.unwrap_or(0),
        patience: given.patience.unwrap_or((epochs / 4).clamp(5, 30)),
        dropout: given.dropout.unwrap_or(0.0),
        recurrent_dropout: given.recurrent_dropout.unwrap_or(0.0),
        ..config
    }
}

/// What options of a run on sequences are given over.
pub(in crate::cli) fn base() -> Config {
    Config {
        hidden: 32,
        valid_fraction: HELD_OUT,
        ..Config::default()
    }
}

/// A new run.
pub(super) fn run(args: &Args, mode: Mode, save_every: Duration) -> Result<()> {
    let start = args.qat.start()?;
    let own = start.as_ref().map(qat::Start::base);
    let from = own.as_ref().and_then(|config| config.series.as_ref());
    let mut series = args.series.over(from)?;
    let mut config = args.config(own.clone().unwrap_or_else(|| args.recipe.config(base())));
    series.split_seed = series.split_seed.or(Some(config.seed));
    config.series = Some(series.clone());
    config.validate()?;
    args.recipe.check(&config)?;
    if let Some(start) = &start {
        start.check(&config)?;
    }
    let (set, valid) = opened(args, &mut series)?;
    config.series = Some(series.clone());
    let given = start.as_ref().map(|start| Given {
        net: *start.checkpoint.params.net(),
        interface: start.checkpoint.meta.interface.clone(),
        for_integers: true,
    });
    let data = Series::new(args.text.to_string(), set, valid, (&series, &config), given)?;
    config = follow(args, config, &data);
    config.qat = start
        .as_ref()
        .map(|start| start.plan_of(&data))
        .transpose()?;
    config.validate()?;
    let folder = args.open(mode, save_every)?;
    let command = args.command(&config);
    let trainer = match &start {
        None => Trainer::new(&data, config, command)?,
        Some(start) => Trainer::qat(&data, &start.checkpoint, config, command)?,
    };
    folder.clear()?;
    // First of all a checkpoint, so that from here on --resume works whenever a kill comes.
    let start = trainer.checkpoint(true);
    folder.write_last(&start.to_bytes()?)?;
    write_config(&folder, &start.meta)?;
    say_data(args, &data);
    train(args, &folder, trainer)?;
    tested(&folder, &data)
}

/// Says how good the best net is on the part that nothing was chosen by, where there is one.
fn tested(folder: &RunFolder, data: &Series) -> Result<()> {
    let best = folder.best();
    if data.test().picked().is_empty() || !best.is_file() {
        return Ok(());
    }
    let bytes = crate::any_model::model_bytes(&best)?;
    let checkpoint = Checkpoint::from_bytes(&bytes, &best)?;
    let isa = isa()?;
    let image = own_image(&checkpoint)?.for_isa(isa)?;
    let answers = Answers::of(&checkpoint, data, &image, isa)?;
    let tested = answers.changes.iter().find(|change| change.part == "test");
    tested.map_or(Ok(()), |tested| {
        say(format!(
            "on the test part, {} sequences that nothing was chosen by: {} {:.4}",
            grouped(tested.sequences),
            tested.name,
            tested.image
        ))
    })
}

/// The data of a run that is gone on with.
pub(super) fn resume(
    args: &Args,
    folder: &RunFolder,
    (checkpoint, found, changes): (Checkpoint, &Found, &[String]),
) -> Result<()> {
    let config = checkpoint.config()?.clone();
    let Some(series) = &config.series else {
        return Err(Error::Usage("this run is of a text".to_owned()));
    };
    let asked = args.series.over(Some(series))?;
    if asked != *series {
        let stored = words(series).join(" ");
        let what = format!("--resume: the run reads its data so: {stored}; that cannot change");
        return Err(Error::Usage(what));
    }
    let given = Given {
        net: checkpoint.meta.net,
        interface: checkpoint.meta.interface.clone(),
        for_integers: config.qat.is_some(),
    };
    let (set, valid) = opened(args, &mut series.clone())?;
    let data = Series::new(
        args.text.to_string(),
        set,
        valid,
        (series, &config),
        Some(given),
    )?;
    let trainer = Trainer::resume(&data, checkpoint).map_err(|error| out_of(error, found))?;
    say_data(args, &data);
    super::go_on(args, folder, (trainer, found, changes))?;
    tested(folder, &data)
}

/// Says what is learnt from, and what is held out.
fn say_data(args: &Args, data: &Series) {
    if !args.quiet {
        tell(&summary::data(data));
    }
}
