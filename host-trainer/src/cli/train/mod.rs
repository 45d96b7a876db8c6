//! `gatelet train`.

mod args;
mod begin;
mod series;
mod series_options;
mod summary;

use std::path::Path;
use std::time::Duration;

use self::args::OPTIONS;
pub(super) use self::args::{Args, job_of};
use self::begin::{go_on, out_of, train, write_config};
pub(super) use self::series::prepared;
pub(super) use self::series_options::{Options as SeriesArgs, arguments as series_arguments};
use self::summary::recognised;
use super::out::note;
use super::qat;
use super::recipe;
use super::terminal::tell;
use crate::data::corpus::{Corpus, Level, Outline, Text, looks};
use crate::error::{Error, Result};
use crate::train::Trainer;
use crate::train::config::Config;
use crate::train::run::{Mode, change};
use crate::units::bytes;

/// Part of a text that may be unknown without a warning. Of novels in 10,000 words 3 % are.
const MUCH_UNKNOWN: f64 = 0.1;

/// The text as it is learnt: recognised as a list, unless that is `known` or was said, and then in its order. Says
/// what it is.
pub(super) fn arranged(args: &Args, text: Text, config: &mut Config, known: bool) -> Result<Text> {
    let asked = known || args.lines;
    let mut sorted = false;
    if !asked {
        let looks = looks(&text, &config.corpus_options())?;
        config.lines = looks.list && !args.no_lines;
        sorted = looks.sorted;
    }
    // --out need not be there yet.
    let out = args.out.ancestors().find(|path| path.is_dir());
    let folder = out.unwrap_or(Path::new("."));
    let text = config.arranged(text, (args.in_memory(), folder))?;
    if args.quiet {
        return Ok(text);
    }
    if let Some(list) = text.list() {
        tell(&recognised(&text.name, list, asked));
    } else if sorted {
        tell(&format!(
            "{} is sorted: its end, which is held out, is not like the rest (--lines learns every line by \
             itself and holds out some by a shuffle)",
            text.name
        ));
    }
    Ok(text)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let mode = match (args.force, args.resume) {
        (true, _) => Mode::Force,
        (_, true) => Mode::Resume,
        _ => Mode::New,
    };
    if let Some(threads) = args.threads {
        let good = (1..=1024).contains(&threads);
        let rule = "it has to be from 1 to 1024";
        good.then_some(()).ok_or(Error::Option {
            option: "threads",
            found: threads.to_string(),
            rule,
        })?;
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Error::Start(error.to_string()))?;
    }
    let save_every = args.save_every()?;
    if mode == Mode::Resume {
        return resume(args, save_every);
    }
    let start = args.qat.start()?;
    let is_of_series = start.as_ref().is_some_and(qat::Start::is_of_series);
    if args.series.task().is_some() || is_of_series {
        return series::run(args, start.as_ref(), (mode, save_every));
    }
    args.series.refuse()?;
    if let Some(start) = &start {
        start.checkpoint.vocabulary()?;
    }
    let text = text_of(args)?;
    let base = start.as_ref().map(qat::Start::base);
    let mut config = args.config(base.unwrap_or_else(|| args.recipe.base()));
    config.validate()?;
    args.recipe.check(&config)?;
    if let Some(start) = &start {
        start.check(&config)?;
    }
    let text = text.encoded(config.encoding()?);
    let text = arranged(args, text, &mut config, start.is_some())?;
    let outline = outlined(args, &text, &config)?;
    if let Some(start) = &start {
        Trainer::check_vocabulary(outline.vocab(), &start.checkpoint)?;
    }
    match &start {
        None => config = args.follow(&config, &text, &outline)?,
        Some(_) => outline.check_length(config.batch, config.window)?,
    }
    let folder = args.open(mode, save_every)?;
    let corpus = outline.corpus(&text, folder.path())?;
    say_unknown(args, &corpus)?;
    config.qat = start
        .as_ref()
        .map(|start| start.plan(&corpus))
        .transpose()?;
    let command = args.command(&config);
    let trainer = match &start {
        None => Trainer::new(&corpus, config, command)?,
        Some(start) => Trainer::qat(&corpus, &start.checkpoint, config, command)?,
    };
    folder.clear()?;
    // First of all a checkpoint, so that from here on --resume works whenever a kill comes.
    let start = trainer.checkpoint(true);
    folder.write_last(&start.to_bytes()?)?;
    write_config(&folder, &start.meta)?;
    train(args, &folder, trainer)
}

/// The text that is named.
fn text_of(args: &Args) -> Result<Text> {
    let text = args.text.text(args.in_memory(), None)?;
    if text.is_streamed() && !args.quiet {
        let (name, size) = (&text.name, bytes(text.bytes() as usize));
        tell(&format!("reading {name} twice, {size} each time"));
    }
    Ok(text)
}

/// Reads a text once, and says what it is where that is not usual.
fn outlined(args: &Args, text: &Text, config: &Config) -> Result<Outline> {
    let outline = Outline::of(text, &config.corpus_options())?;
    let seen = outline.seen();
    if !args.quiet && !seen.is_usual() {
        note(format!("{}: {seen}", text.name));
    }
    Ok(outline)
}

/// Says how much of a text is unknown to its own vocabulary, and what to do if that is much.
fn say_unknown(args: &Args, corpus: &Corpus) -> Result<()> {
    let Some([training, held_out]) = corpus.unknown()? else {
        return Ok(());
    };
    let unit = corpus.vocab.level().unit();
    let line = format!(
        "{:.1} % of the training {unit}s and {:.1} % of the held-out ones are the unknown token",
        100.0 * training,
        100.0 * held_out
    );
    let much = training.max(held_out) > MUCH_UNKNOWN;
    let more = match (much, corpus.vocab.level()) {
        (false, _) => "",
        (true, Level::Word) => {
            ": a script without spaces wants --level char; for others, a larger --max-vocab keeps more \
             words"
        }
        (true, _) => ": a larger --max-vocab keeps more",
    };
    if much || !args.quiet {
        let mark = if much { "warning: " } else { "" };
        note(format!("{mark}{}: {line}{more}", corpus.name));
    }
    Ok(())
}

/// Goes on with a run, with the options changed that were given and may change.
///
/// Everything is checked before anything is written: a damaged checkpoint gets its other name only when the run can
/// really go on from the one before, and a change is on the disk before the first step with it.
fn resume(args: &Args, save_every: Duration) -> Result<()> {
    let folder = args.open(Mode::Resume, save_every)?;
    let (mut checkpoint, found) = folder.load()?;
    let meta = &mut checkpoint.meta;
    let own = meta.config()?.clone();
    args.check_preset(&own)?;
    let options = [OPTIONS, recipe::OPTIONS].concat();
    let changes = change(meta, args.config(own), &options)?;
    if let (false, Some(nats), Some(position)) =
        (changes.is_empty(), folder.best_nats(), &mut meta.position)
        && position.best_nats.is_none_or(|best| nats < best)
    {
        // With other options the way there is not gone again: only what is better may replace the file.
        (position.best_nats, meta.provenance.nats) = (Some(nats), Some(nats));
    }
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    if meta.config()?.series.is_some() {
        return series::resume(args, &folder, (checkpoint, &found, &changes));
    }
    let mut config = meta.config()?.clone();
    let text = text_of(args)?;
    let text = text.encoded(config.encoding()?);
    let text = arranged(args, text, &mut config, true)?;
    let outline = outlined(args, &text, &config)?;
    meta.config = Some(config);
    outline.check_hash(&meta.provenance.corpus_sha256)?;
    let corpus = outline.corpus(&text, folder.path())?;
    say_unknown(args, &corpus)?;
    let trainer = Trainer::resume(&corpus, checkpoint).map_err(|error| out_of(error, &found))?;
    go_on(args, &folder, (trainer, &found, &changes))
}
