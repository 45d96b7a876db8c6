//! The options of `gatelet train`.

use std::path::Path;
use std::time::Duration;

use super::super::qat;
use super::super::recipe::{self, Recipe};
use super::super::stream::{Folder, Input, Reads};
use super::series_options;
use crate::data::corpus::{Encoding, IN_MEMORY, Level, Normalise, Outline, Text};
use crate::error::{Error, Result};
use crate::shell::quoted;
use crate::train::config::Config;
use crate::train::layers::Cell;
use crate::train::recipe::{Given, LEAST_BYTES, follow};
use crate::train::run::{Mode, RunFolder};

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
pub(in crate::cli) struct Args {
    /// Text to learn
    pub(in crate::cli) text: Input,
    /// Run folder to create
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Folder,
    #[command(flatten)]
    pub(in crate::cli) recipe: Recipe,
    #[command(flatten)]
    pub(super) qat: qat::Options,
    #[command(flatten)]
    pub(in crate::cli) series: series_options::Options,
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
    pub(super) lines: bool,
    /// Learn the text as one, also where it looks like a list
    #[arg(long)]
    pub(super) no_lines: bool,
    #[command(flatten)]
    reads: Reads,
    /// Texts above N MiB are not held in memory: their tokens go to a temporary file in --out [default: 64]
    #[arg(long, value_name = "N")]
    stream_above: Option<u64>,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(super) threads: Option<usize>,
    /// Replace the run files of an existing folder; other files in it stay
    #[arg(long, conflicts_with = "resume")]
    pub(super) force: bool,
    /// Go on with the run in --out, with its own options and the same text, given again; options that only steer what is to come may change:
    /// --epochs, --characters, --lr, --schedule, --warmup, --clip, --weight-decay, --patience, --eval-every, --minutes
    #[arg(long)]
    pub(super) resume: bool,
    /// Seconds between checkpoints within an epoch; 0 means after every window [default: 30]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    save_every: Option<f64>,
    /// Where to make a folder for the run if it cannot be written into --out when it ends or is
    /// stopped, as on a full disk [default: after ten minutes or on Ctrl-C, the system's folder for temporary files]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    fallback_dir: Option<Folder>,
    /// Show neither bar nor lines
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl Args {
    /// The options given, over `base`.
    pub(super) fn config(&self, base: Config) -> Config {
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
    pub(super) fn open(&self, mode: Mode, save_every: Duration) -> Result<RunFolder> {
        let folder = RunFolder::open(&self.out, mode)?.saving_every(save_every);
        folder.check_apart(&self.inputs())?;
        match &self.fallback_dir {
            None => Ok(folder),
            Some(elsewhere) => folder.falling_back_to(elsewhere),
        }
    }

    /// Time between checkpoints.
    pub(super) fn save_every(&self) -> Result<Duration> {
        let seconds = self.save_every.unwrap_or(30.0);
        let wrong = |_| Error::Option {
            option: "save-every",
            found: seconds.to_string(),
            rule: "it has to be a number of seconds, at least 0",
        };
        Duration::try_from_secs_f64(seconds).map_err(wrong)
    }

    /// Bytes of a text that is held in memory, at most.
    pub(super) fn in_memory(&self) -> u64 {
        let mib = self.stream_above;
        mib.map_or(IN_MEMORY, |mib| mib.saturating_mul(1 << 20))
    }

    /// What is given of the numbers that otherwise follow the text.
    pub(in crate::cli) fn given(&self) -> Given {
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
    pub(in crate::cli) fn follow(
        &self,
        config: &Config,
        text: &Text,
        outline: &Outline,
    ) -> Result<Config> {
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
    pub(in crate::cli) fn command(&self, c: &Config) -> String {
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
        words.extend(c.series.iter().flat_map(series_options::words));
        words.extend(qat::Options::words(c));
        words.join(" ")
    }

    /// Checks that a preset given with --resume has the run's net; `run::change` checks the options.
    pub(super) fn check_preset(&self, stored: &Config) -> Result<()> {
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
pub(super) const OPTIONS: &[&str] = &[
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

/// A command line of `train`, without the program's name.
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// What a job of a sweep with these words after `train` would be told, checked as `train` checks it.
pub(in crate::cli) fn job_of(words: &[String]) -> Result<(Args, Config)> {
    let line = <Line as clap::Parser>::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let what = first.trim_start_matches("error: ");
        Error::Some(format!("in the options of the jobs, after --: {what}"))
    })?;
    let base = match line.args.series.task() {
        Some(_) => Config::of_sequences(),
        None => line.args.recipe.base(),
    };
    let config = line.args.config(base);
    config.validate()?;
    line.args.recipe.check(&config)?;
    line.args.save_every()?;
    Ok((line.args, config))
}
