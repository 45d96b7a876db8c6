//! `gatelet train`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::out::note;
use super::progress::Progress;
use super::qat;
use super::recipe::{self, Recipe};
use super::stream::{Folder, Input, Reads};
use super::terminal::tell;
use super::told::{introduction, recognised, report, with_command};
use crate::checkpoint::Meta;
use crate::config::Config;
use crate::corpus::{Corpus, Encoding, IN_MEMORY, Level, Normalise, Outline, Text, looks};
use crate::error::{Error, Result};
use crate::recipe::{Given, LEAST_BYTES, follow};
use crate::run::{Mode, RunFolder, change};
use crate::shape::Cell;
use crate::shell::quoted;
use crate::train::Trainer;
use crate::units::bytes;

/// Train a net on a text.
///
/// The run folder gets best.safetensors, last.safetensors, previous.safetensors, metrics.jsonl, samples.jsonl,
/// config.json and loss.png. Ctrl-C stops after the current window and leaves a checkpoint that --resume goes on from.
///
/// Memory: a text above --stream-above takes 16 MiB at most, whatever its size, and one byte a character of disk space
/// in --out while the program runs (two for more than 256 different tokens), and --level word adds its distinct words. A
/// smaller one takes three times its size. What the net itself takes depends on its shape and not on the text.
#[derive(Debug, clap::Args)]
#[command(after_help = format!(
    "{}\nExample:\n  gatelet train corpora/novels.txt --out runs/novels --preset small\n  \
     gatelet train corpora/novels.txt --out runs/quick --hidden 64 --epochs 5",
    recipe::presets()
))]
pub(super) struct Args {
    /// Text to learn
    pub(super) text: Input,
    /// Run folder to create
    #[arg(long, value_name = "DIR")]
    pub(super) out: Folder,
    #[command(flatten)]
    pub(super) recipe: Recipe,
    #[command(flatten)]
    qat: qat::Options,
    /// Kind of cell [default: lstm]
    #[arg(long, help_heading = "Net")]
    cell: Option<Cell>,
    /// Hidden units a layer, 1 to 1024 [default: 128]
    #[arg(long, value_name = "N", help_heading = "Net")]
    hidden: Option<usize>,
    /// Recurrent layers, 1 to 4 [default: 1]
    #[arg(long, value_name = "N", help_heading = "Net")]
    layers: Option<usize>,
    /// What a token is: a character, a word, or a byte of whatever file [default: char]
    #[arg(long, help_heading = "Net")]
    level: Option<Level>,
    /// Numbers of a token's embedding, 4 to 1024; 0 gives the first layer a row for each token [default: 0]
    #[arg(long, value_name = "N", help_heading = "Net")]
    embedding: Option<usize>,
    /// Numbers between the top layer and the head, 4 to 1024; 0 for none [default: 0]
    #[arg(long, value_name = "N", help_heading = "Net")]
    projection: Option<usize>,
    /// The embedding is also the head's weights; --projection has to be as large, or --hidden without one
    #[arg(long, help_heading = "Net")]
    tied: bool,
    /// Passes over the text [default: by the text, 20 to 40 up to five million characters, then fewer]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    epochs: Option<usize>,
    /// Stop after so many characters or words, if that is before the last epoch [default: 100 million in a longer text]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    characters: Option<u64>,
    /// Seed: the same seed and options give the same net [default: 1]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    seed: Option<u64>,
    /// Streams trained side by side [default: by the text, 4 to 32]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    batch: Option<usize>,
    /// Steps that gradients travel back [default: by the text, 32 or 64]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    window: Option<usize>,
    /// Last fraction of the text, held out for evaluation [default: 0.1]
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Run"
    )]
    valid_fraction: Option<f64>,
    /// After so many evaluations without a better one go back to the best net, cool down and stop; 0 never does [default: a
    /// quarter of the evaluations, 5 to 30]
    #[arg(long, value_name = "N", help_heading = "Run")]
    patience: Option<usize>,
    /// Evaluate every so many steps; 0 means once an epoch [default: 0, or a twentieth of a run of few long epochs]
    #[arg(long, value_name = "STEPS", help_heading = "Run")]
    eval_every: Option<u64>,
    /// Stop after so many minutes; the learning rate falls in time for it
    #[arg(
        long,
        value_name = "X",
        allow_negative_numbers = true,
        help_heading = "Run"
    )]
    minutes: Option<f64>,
    /// Keep the N-1 most frequent characters or words; all others become an unknown token, which is never written [default: all]
    #[arg(long, value_name = "N")]
    max_vocab: Option<usize>,
    /// Make letters small; recorded, and done to whatever the model is given
    #[arg(long)]
    lower_case: bool,
    /// Normalise the text (Unicode NFC or NFKC); recorded, as above [default: none]
    #[arg(long)]
    normalise: Option<Normalise>,
    /// Make a run of white space one space, or one line feed; recorded, as above
    #[arg(long)]
    fold_space: bool,
    /// Keep CR as a character, and no line end; recorded, as above
    #[arg(long)]
    keep_cr: bool,
    /// Learn every line by itself, as names and words want it; recorded, as above [default: where the text looks like a list]
    #[arg(long, conflicts_with = "no_lines")]
    lines: bool,
    /// Learn the text as one, also where it looks like a list
    #[arg(long)]
    no_lines: bool,
    #[command(flatten)]
    reads: Reads,
    /// Texts above N MiB are not held in memory: their tokens go to a temporary file in --out [default: 64]
    #[arg(long, value_name = "N")]
    stream_above: Option<u64>,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Run")]
    threads: Option<usize>,
    /// Replace the run files of an existing folder; other files in it stay
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Go on with the run in --out, with its own options and the same text, given again; options that only steer what is to come may change:
    /// --epochs, --characters, --lr, --schedule, --warmup, --clip, --weight-decay, --patience, --eval-every, --minutes
    #[arg(long)]
    resume: bool,
    /// Seconds between checkpoints within an epoch; 0 means after every window [default: 30]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    save_every: Option<f64>,
    /// Where to make a folder for the run if it cannot be written into --out when it ends or is
    /// stopped, as on a full disk [default: after ten minutes or on Ctrl-C, the system's folder for temporary files]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    fallback_dir: Option<Folder>,
    /// Show neither bar nor lines
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    pub(super) json: bool,
}

impl Args {
    /// The options given, over `base`.
    fn config(&self, base: Config) -> Config {
        let base = self.recipe.config(base);
        Config {
            cell: self.cell.unwrap_or(base.cell),
            hidden: self.hidden.unwrap_or(base.hidden),
            layers: self.layers.unwrap_or(base.layers),
            epochs: self.epochs.unwrap_or(base.epochs),
            characters: self.characters.or(base.characters),
            seed: self.seed.unwrap_or(base.seed),
            batch: self.batch.unwrap_or(base.batch),
            window: self.window.unwrap_or(base.window),
            valid_fraction: self.valid_fraction.unwrap_or(base.valid_fraction),
            patience: self.patience.unwrap_or(base.patience),
            eval_every: self.eval_every.unwrap_or(base.eval_every),
            minutes: self.minutes.or(base.minutes),
            level: self.level.unwrap_or(base.level),
            embedding: self.embedding.unwrap_or(base.embedding),
            projection: self.projection.unwrap_or(base.projection),
            tied: self.tied || base.tied,
            max_vocab: self.max_vocab.or(base.max_vocab),
            lower_case: self.lower_case || base.lower_case,
            normalise: self.normalise.unwrap_or(base.normalise),
            fold_space: self.fold_space || base.fold_space,
            lines: self.lines || base.lines && !self.no_lines,
            keep_cr: self.keep_cr || base.keep_cr,
            encoding: self.reads.encoding.map(Encoding::name).or(base.encoding),
            ..base
        }
    }

    /// Files that are read.
    fn inputs(&self) -> Vec<&Path> {
        let from = self.qat.from();
        std::iter::once(self.text.path()).chain(from).collect()
    }

    /// Opens the run folder.
    fn open(&self, mode: Mode, save_every: Duration) -> Result<RunFolder> {
        let folder = RunFolder::open(&self.out, mode)?.saving_every(save_every);
        folder.check_apart(&self.inputs())?;
        match &self.fallback_dir {
            None => Ok(folder),
            Some(elsewhere) => folder.falling_back_to(elsewhere),
        }
    }

    /// Time between checkpoints.
    fn save_every(&self) -> Result<Duration> {
        let seconds = self.save_every.unwrap_or(30.0);
        let wrong = |_| Error::Option {
            option: "save-every",
            found: seconds.to_string(),
            rule: "it has to be a number of seconds, at least 0",
        };
        Duration::try_from_secs_f64(seconds).map_err(wrong)
    }

    /// Bytes of a text that is held in memory, at most.
    fn in_memory(&self) -> u64 {
        let mib = self.stream_above;
        mib.map_or(IN_MEMORY, |mib| mib.saturating_mul(1 << 20))
    }

    /// The text as it is learnt: recognised as a list, unless that is `known` or was said, and then in its order. Says
    /// what it is.
    pub(super) fn arranged(&self, text: Text, config: &mut Config, known: bool) -> Result<Text> {
        let asked = known || self.lines;
        let mut sorted = false;
        if !asked {
            let looks = looks(&text, &config.corpus_options())?;
            config.lines = looks.list && !self.no_lines;
            sorted = looks.sorted;
        }
        // --out need not be there yet.
        let out = self.out.ancestors().find(|path| path.is_dir());
        let folder = out.unwrap_or(Path::new("."));
        let text = config.arranged(text, (self.in_memory(), folder))?;
        if self.quiet {
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

    /// What is given of the numbers that otherwise follow the text.
    pub(super) fn given(&self) -> Given {
        self.recipe.given(Given {
            epochs: self.epochs,
            characters: self.characters,
            batch: self.batch,
            window: self.window,
            patience: self.patience,
            eval_every: self.eval_every,
            ..Given::default()
        })
    }

    /// `config` with what follows the text, which has to be long enough.
    pub(super) fn follow(&self, config: &Config, text: &Text, outline: &Outline) -> Result<Config> {
        let given = self.given();
        if text.bytes() < LEAST_BYTES && (given.batch.is_none() || given.window.is_none()) {
            return Err(Error::Scant {
                name: text.name.clone(),
                bytes: text.bytes(),
                least: LEAST_BYTES,
            });
        }
        let preset = self.recipe.preset().map(|(preset, _)| preset);
        let (vocab, tokens) = (outline.vocab().len(), outline.train_len());
        let config = follow(config, preset, &given, vocab, tokens);
        config.validate()?;
        outline.check_length(config.batch, config.window)?;
        Ok(config)
    }

    /// The command that makes the same net again: `c` as options, without --out and what does not change the result.
    fn command(&self, c: &Config) -> String {
        let d = Config::default();
        let mut words = vec!["gatelet train".to_owned(), quoted(&self.text.to_string())];
        let mut option = |given: bool, name: &str, value: &dyn std::fmt::Display| {
            if given {
                words.push(format!("--{name} {value}"));
            }
        };
        option(true, "cell", &c.cell);
        option(true, "hidden", &c.hidden);
        option(true, "layers", &c.layers);
        option(c.level != d.level, "level", &c.level);
        option(c.embedding != d.embedding, "embedding", &c.embedding);
        option(c.projection != d.projection, "projection", &c.projection);
        option(true, "epochs", &c.epochs);
        let characters = c.characters.unwrap_or_default();
        option(c.characters.is_some(), "characters", &characters);
        option(true, "seed", &c.seed);
        option(true, "batch", &c.batch);
        option(true, "window", &c.window);
        option(
            c.valid_fraction != d.valid_fraction,
            "valid-fraction",
            &c.valid_fraction,
        );
        option(true, "patience", &c.patience);
        option(true, "eval-every", &c.eval_every);
        option(
            c.minutes.is_some(),
            "minutes",
            &c.minutes.unwrap_or_default(),
        );
        let normalise = c.normalise != d.normalise;
        option(normalise, "normalise", &c.normalise);
        let max_vocab = c.max_vocab.unwrap_or_default();
        option(c.max_vocab.is_some(), "max-vocab", &max_vocab);
        let encoding = c.encoding.as_deref().unwrap_or_default();
        option(c.encoding.is_some(), "encoding", &encoding);
        let mut flag = |given: bool, name: &str| words.extend(given.then(|| format!("--{name}")));
        flag(c.tied, "tied");
        flag(c.lower_case, "lower-case");
        flag(c.fold_space, "fold-space");
        flag(c.lines, "lines");
        flag(self.no_lines, "no-lines");
        flag(c.keep_cr, "keep-cr");
        words.extend(recipe::words(c));
        words.extend(qat::Options::words(c));
        words.join(" ")
    }

    /// Checks that a preset given with --resume has the run's net; `run::change` checks the options.
    fn check_preset(&self, stored: &Config) -> Result<()> {
        let net = |c: &Config| format!("{}, {} of {}", c.cell, c.layers, c.hidden);
        if let Some((preset, config)) = self.recipe.preset() {
            let (given, stored) = (net(&self.config(config)), net(stored));
            if given != stored {
                return Err(Error::ResumeMismatch {
                    option: "preset",
                    given: format!("{preset} ({given})"),
                    stored,
                });
            }
        }
        Ok(())
    }
}

/// Options of a run; `run::change` says which may change.
const OPTIONS: &[&str] = &[
    "cell",
    "hidden",
    "layers",
    "level",
    "embedding",
    "projection",
    "tied",
    "epochs",
    "characters",
    "seed",
    "batch",
    "window",
    "valid-fraction",
    "patience",
    "eval-every",
    "minutes",
    "max-vocab",
    "lower-case",
    "normalise",
    "fold-space",
    "lines",
    "keep-cr",
    "encoding",
];

/// Part of a text that may be unknown without a warning. Of novels in 10,000 words 3 % are.
const MUCH_UNKNOWN: f64 = 0.1;

/// A command line of `train`, without the program's name.
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// What a job of a sweep with these words after `train` would be told, checked as `train` checks it.
pub(super) fn job_of(words: &[String]) -> Result<(Args, Config)> {
    let line = <Line as clap::Parser>::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let what = first.trim_start_matches("error: ");
        Error::Some(format!("in the options of the jobs, after --: {what}"))
    })?;
    let config = line.args.config(line.args.recipe.base());
    config.validate()?;
    line.args.recipe.check(&config)?;
    line.args.save_every()?;
    Ok((line.args, config))
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let text = args.text.text(args.in_memory(), None)?;
    if text.is_streamed() && !args.quiet {
        let (name, size) = (&text.name, bytes(text.bytes() as usize));
        tell(&format!("reading {name} twice, {size} each time"));
    }
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
        return resume(args, text, save_every);
    }
    let start = args.qat.start()?;
    let base = start.as_ref().map(qat::Start::base);
    let mut config = args.config(base.unwrap_or_else(|| args.recipe.base()));
    config.validate()?;
    args.recipe.check(&config)?;
    if let Some(start) = &start {
        start.check(&config)?;
    }
    let text = text.encoded(config.encoding()?);
    let text = args.arranged(text, &mut config, start.is_some())?;
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

/// Writes `config.json`: the options and the origin in `meta`.
fn write_config(folder: &RunFolder, meta: &Meta) -> Result<()> {
    folder.write_config(
        &json!({ "config": meta.config, "shape": meta.config.shape(meta.net.vocab()), "provenance": meta.provenance }),
    )
}

/// Goes on with a run, with the options changed that were given and may change.
///
/// Everything is checked before anything is written: a damaged checkpoint gets its other name only when the run can
/// really go on from the one before, and a change is on the disk before the first step with it.
fn resume(args: &Args, text: Text, save_every: Duration) -> Result<()> {
    let folder = args.open(Mode::Resume, save_every)?;
    let (mut checkpoint, found) = folder.load()?;
    let meta = &mut checkpoint.meta;
    args.check_preset(&meta.config)?;
    let options = [OPTIONS, recipe::OPTIONS].concat();
    let changes = change(meta, args.config(meta.config.clone()), &options)?;
    if let (false, Some(nats), Some(position)) =
        (changes.is_empty(), folder.best_nats(), &mut meta.position)
        && position.best_nats.is_none_or(|best| nats < best)
    {
        // With other options the way there is not gone again: only what is better may replace the file.
        (position.best_nats, meta.provenance.nats) = (Some(nats), Some(nats));
    }
    let text = text.encoded(meta.config.encoding()?);
    let text = args.arranged(text, &mut meta.config, true)?;
    let outline = outlined(args, &text, &meta.config)?;
    outline.check_hash(&meta.provenance.corpus_sha256)?;
    let corpus = outline.corpus(&text, folder.path())?;
    say_unknown(args, &corpus)?;
    let trainer = Trainer::resume(&corpus, checkpoint).map_err(|error| match error {
        Error::Checkpoint { what, .. } => Error::Checkpoint {
            path: found.path.clone(),
            what,
        },
        other => other,
    })?;
    for line in folder.set_aside(&found)? {
        note(format_args!("warning: {line}"));
    }
    if trainer.position().ended.is_some() {
        // Nothing more is trained, so nothing has changed either.
        return train(args, &folder, trainer);
    }
    if !changes.is_empty() {
        folder.rewind_metrics(trainer.position().step)?;
        folder.write_last(&trainer.checkpoint(true).to_bytes()?)?;
        for change in changes.iter().filter(|_| !args.quiet) {
            note(change);
        }
    }
    write_config(&folder, &trainer.checkpoint(false).meta)?;
    train(args, &folder, trainer)
}

/// Trains with Ctrl-C handled, and reports.
fn train(args: &Args, folder: &RunFolder, mut trainer: Trainer<'_>) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // A second Ctrl-C does not wait for the window; the checkpoint on disk is whole all the same.
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| Error::Start(error.to_string()))?;
    if !args.quiet {
        tell(&introduction(args, &trainer)?);
    }
    if let Some(end) = trainer.position().ended {
        return report(args, folder, &trainer, end, true);
    }
    let mut progress = Progress::new(args.quiet, trainer.position());
    let result = trainer.run(folder, &stop, &mut progress);
    progress.finish();
    let lr = trainer.checkpoint(false).meta.config.lr;
    let end = result.map_err(|error| with_command(error, args, lr))?;
    report(args, folder, &trainer, end, false)
}
