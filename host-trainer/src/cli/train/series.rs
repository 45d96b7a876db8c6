//! `gatelet train DATA --task ..`: runs on sequences of numbers.

use std::path::Path;
use std::time::Duration;

use gatelet_series::Set;

use super::args::Args;
use super::begin::{go_on, out_of, train, write_config};
use super::series_options::words;
use super::summary;
use crate::analysis::answers::Answers;
use crate::cli::out::{note, say};
use crate::cli::qat;
use crate::cli::stream::Input;
use crate::cli::terminal::tell;
use crate::error::{Error, Result};
use crate::isa::isa;
use crate::quantize::export::own_image;
use crate::train::Trainer;
use crate::train::checkpoint::Checkpoint;
use crate::train::config::Config;
use crate::train::run::{Found, Mode, RunFolder};
use crate::train::series::options::{SeriesOptions, Task};
use crate::train::series::{Given, Series};
use crate::units::grouped;

/// Updates that a run is to have, about.
const UPDATES: usize = 3000;
/// The fewest and the most epochs of a run.
const EPOCHS: (usize, usize) = (20, 200);
/// Steps of a window of long sequences that are asked at every step.
const WINDOW: usize = 256;
/// The longest window there is.
const LONGEST: usize = 4096;

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

/// The data of a new run, and its options with what follows the data.
pub(in crate::cli) fn prepared(
    args: &Args,
    start: Option<&qat::Start>,
) -> Result<(Series, Config)> {
    let own = start.map(qat::Start::base);
    let from = own.as_ref().and_then(|config| config.series.as_ref());
    let mut series = args.series.over(from)?;
    let mut config = args.config(own.clone().unwrap_or_else(Config::of_sequences));
    series.split_seed = series.split_seed.or(Some(config.seed));
    config.series = Some(series.clone());
    config.validate()?;
    args.recipe.check(&config)?;
    if let Some(start) = start {
        start.check(&config)?;
    }
    let (set, valid) = opened(args, &mut series)?;
    config.series = Some(series.clone());
    let given = start.map(|start| Given {
        net: *start.checkpoint.params.net(),
        interface: start.checkpoint.meta.interface.clone(),
        for_integers: true,
    });
    let data = Series::new(args.text.to_string(), set, valid, (&series, &config), given)?;
    config = follow(args, config, &data);
    config.qat = start.map(|start| start.plan_of(&data)).transpose()?;
    config.validate()?;
    Ok((data, config))
}

/// A new run.
pub(super) fn run(
    args: &Args,
    start: Option<&qat::Start>,
    (mode, save_every): (Mode, Duration),
) -> Result<()> {
    let (data, config) = prepared(args, start)?;
    let folder = args.open(mode, save_every)?;
    let command = args.command(&config);
    let trainer = match start {
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
    go_on(args, folder, (trainer, found, changes))?;
    tested(folder, &data)
}

/// Says what is learnt from, and what is held out.
fn say_data(args: &Args, data: &Series) {
    if !args.quiet {
        tell(&summary::data(data));
    }
}
