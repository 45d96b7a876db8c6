//! The options of `gatelet sweep`.

use super::super::front::Price;
use super::super::stream::{Folder, Input};
use super::super::train::{SeriesArgs, series_arguments};
use crate::analysis::device::Processor;
use crate::analysis::sweep::{bytes, instructions};
use crate::data::corpus::Level;
use crate::error::{Error, Result};
use crate::train::layers::Cell;

/// Train many shapes within a budget, and find those worth their size.
///
/// Takes the grid of --hidden, --layers, --cell, --embedding, --projection and --tied, or --random
/// shapes between them, leaves out what costs too much flash or too many instructions, and trains
/// the rest, each with an ordinary `gatelet train` into a folder of its own. What is done is not
/// done again, and what was interrupted goes on: the same command can be repeated at any time.
/// Options after -- go to every job. With --task the data are sequences, and nets are told apart by
/// the answers of their int8 images to what is held out.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64,128 --layers 1,2 \
        --max-flash 128KiB --epochs 5\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 16,256 --random 12 \
        --minutes 5 --print-jobs | parallel -j 2\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64 --front -- --lr 0.003\n  \
        gatelet sweep corpora/chat.txt --out runs/words --level word --hidden 64,128 \
        --embedding 32,64 --projection 32,64 --tied --max-flash 512KiB --epochs 5 \
        -- --lower-case --max-vocab 5000\n  \
        gatelet sweep moves.csv --task classify --target move --group recording --out runs/moves \
        --cell gru,lstm --hidden 8,16,32 --max-flash 32KiB --max-instructions 10k")]
pub(in crate::cli) struct Args {
    /// Text to learn, or with --task sequences of numbers
    pub(super) text: Input,
    /// Folder for the run folders, sweep.json, front.json and front.png
    #[arg(long, value_name = "DIR")]
    pub(super) out: Folder,
    #[command(flatten)]
    pub(super) series: SeriesArgs,
    /// Hidden units a layer, 1 to 1024
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [32, 64, 128])]
    pub(super) hidden: Vec<usize>,
    /// Recurrent layers, 1 to 4
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1])]
    pub(super) layers: Vec<usize>,
    /// Kinds of cell
    #[arg(long, value_name = "CELL,...", value_delimiter = ',', default_values_t = [Cell::Lstm])]
    pub(super) cell: Vec<Cell>,
    /// What a token is: a character, a word, or a byte of whatever file
    #[arg(long, default_value_t = Level::Char)]
    pub(super) level: Level,
    /// Numbers of a token's embedding, 4 to 1024; 0 gives the first layer a row for each token
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [0])]
    pub(super) embedding: Vec<usize>,
    /// Numbers between the top layer and the head, 4 to 1024; 0 for none
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [0])]
    pub(super) projection: Vec<usize>,
    /// Whether the embedding is also the head's weights: --tied, or --tied=false,true for both. Of
    /// the nets that should be tied those are taken whose --embedding is as large as --projection,
    /// or --hidden without one
    #[arg(
        long, value_name = "BOOL,...", value_delimiter = ',', num_args = 0..=1,
        require_equals = true, default_missing_value = "true", default_values_t = [false]
    )]
    pub(super) tied: Vec<bool>,
    /// So many shapes by chance, hidden units between the least and the most of --hidden
    #[arg(long, value_name = "N")]
    pub(super) random: Option<usize>,
    /// Seed of --random
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    pub(super) seed: u64,
    /// Bytes of the int8 model at most, for example 128KiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(super) max_flash: Option<usize>,
    /// Estimated instructions a step at most, for example 100k; with --front-end its frame is among
    /// them
    #[arg(long, value_name = "N", value_parser = instructions)]
    pub(super) max_instructions: Option<u64>,
    /// Processor that sizes and instructions are for
    #[arg(long, default_value = "cortex-m4")]
    pub(super) board: Processor,
    /// Passes over the text or the data, of every job
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    pub(super) epochs: Option<usize>,
    /// Minutes of every job
    #[arg(long, value_name = "X")]
    pub(super) minutes: Option<f64>,
    /// What the front sets against the loss, or against how good answers are
    #[arg(long, default_value = "flash")]
    pub(super) by: Price,
    /// Train nothing: print the commands of the jobs not done yet, one a line
    #[arg(long, visible_alias = "dry-run")]
    pub(super) print_jobs: bool,
    /// Train nothing: show what is there
    #[arg(long, conflicts_with = "print_jobs")]
    pub(super) front: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long, conflicts_with = "print_jobs")]
    pub(super) json: bool,
    /// Options of every job, as of `gatelet train`
    #[arg(last = true, value_name = "OPTIONS")]
    pub(super) options: Vec<String>,
}

/// Options of `train` that a sweep sets itself, or that would undo it.
const OURS: [&str; 14] = [
    "--out",
    "--level",
    "--cell",
    "--hidden",
    "--layers",
    "--embedding",
    "--projection",
    "--tied",
    "--resume",
    "--force",
    "--epochs",
    "--minutes",
    "--help",
    "-h",
];

impl Args {
    /// Options of every job.
    pub(super) fn common(&self) -> Result<Vec<String>> {
        let ours = |word: &String| {
            let name = word.split('=').next().unwrap_or_default();
            OURS.iter().find(|ours| **ours == name)
        };
        if let Some(name) = self.options.iter().find_map(ours) {
            return Err(Error::Option {
                option: name.trim_start_matches('-'),
                found: "among the options of the jobs, after --".to_owned(),
                rule: "the sweep sets it itself",
            });
        }
        let mut words = Vec::new();
        if self.series.task().is_some() {
            words.extend(series_arguments(&self.series.over(None)?));
        }
        if self.level != Level::Char {
            words.extend(["--level".to_owned(), self.level.to_string()]);
        }
        if let Some(epochs) = self.epochs {
            words.extend(["--epochs".to_owned(), epochs.to_string()]);
        }
        if let Some(minutes) = self.minutes {
            words.extend(["--minutes".to_owned(), minutes.to_string()]);
        }
        words.extend_from_slice(&self.options);
        Ok(words)
    }

    /// Checks every range.
    pub(super) fn check(&self) -> Result<()> {
        let bad = |option, found: &dyn ToString, rule| {
            Err(Error::Option {
                option,
                found: found.to_string(),
                rule,
            })
        };
        if let Some(hidden) = self.hidden.iter().find(|n| !(1..=1024).contains(*n)) {
            return bad("hidden", hidden, "each has to be from 1 to 1024");
        }
        if let Some(layers) = self.layers.iter().find(|n| !(1..=4).contains(*n)) {
            return bad("layers", layers, "each has to be from 1 to 4");
        }
        for (option, widths) in [
            ("embedding", &self.embedding),
            ("projection", &self.projection),
        ] {
            let good = |n: &usize| *n == 0 || (4..=1024).contains(n);
            if let Some(width) = widths.iter().find(|n| !good(n)) {
                return bad(option, width, "each has to be 0 or from 4 to 1024");
            }
        }
        match self.series.task() {
            Some(_) => self.check_of_sequences()?,
            None => self.series.refuse()?,
        }
        match (self.random, self.epochs, self.minutes) {
            (Some(n), ..) if !(1..=10_000).contains(&n) => {
                bad("random", &n, "it has to be from 1 to 10000")
            }
            (_, Some(n), _) if !(1..=1_000_000).contains(&n) => {
                bad("epochs", &n, "it has to be from 1 to 1000000")
            }
            (.., Some(x)) if !(x > 0.0 && x.is_finite()) => {
                bad("minutes", &x, "it has to be a number above 0")
            }
            _ => Ok(()),
        }
    }

    /// Checks that nothing is asked for that only nets of tokens have.
    fn check_of_sequences(&self) -> Result<()> {
        let embedding = self.embedding.iter().find(|n| **n > 0);
        let tied = self.tied.contains(&true).then(|| "true".to_owned());
        let level = (self.level != Level::Char).then(|| self.level.to_string());
        for (option, found) in [
            ("level", level),
            ("embedding", embedding.map(ToString::to_string)),
            ("tied", tied),
        ] {
            if let Some(found) = found {
                let rule = "it is for texts, and --task for sequences of numbers";
                return Err(Error::Option {
                    option,
                    found,
                    rule,
                });
            }
        }
        Ok(())
    }
}
