//! `gatelet sweep`.
//!
//! ```text
//! text -> vocabulary -> shapes within the budget -> jobs, each with its folder in --out
//! --print-jobs: the commands of those not done, one a line, for any scheduler;  --front: only look
//! else: one after the other, each an ordinary `gatelet train` of its own process
//! table, front.json, front.png
//! ```

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::front::{Price, Sweep, check, show};
use super::out::{note, say};
use super::stream::{Folder, Input};
use super::train::{arranged, job_of};
use crate::analysis::device::Processor;
use crate::analysis::sweep::{
    Budget, Common, Job, Source, Space, State, bytes, candidates, instructions,
};
use crate::data::corpus::{IN_MEMORY, Level, Outline};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::shell::quoted;
use crate::train::layers::Cell;

/// Train many shapes within a budget, and find those worth their size.
///
/// Takes the grid of --hidden, --layers, --cell, --embedding, --projection and --tied, or --random
/// shapes between them, leaves out what costs too much flash or too many instructions, and trains
/// the rest, each with an ordinary `gatelet train` into a folder of its own. What is done is not
/// done again, and what was interrupted goes on: the same command can be repeated at any time.
/// Options after -- go to every job.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64,128 --layers 1,2 \
        --max-flash 128KiB --epochs 5\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 16,256 --random 12 \
        --minutes 5 --print-jobs | parallel -j 2\n  \
        gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64 --front -- --lr 0.003\n  \
        gatelet sweep corpora/chat.txt --out runs/words --level word --hidden 64,128 \
        --embedding 32,64 --projection 32,64 --tied --max-flash 512KiB --epochs 5 \
        -- --lower-case --max-vocab 5000")]
pub(super) struct Args {
    /// Text to learn
    text: Input,
    /// Folder for the run folders, sweep.json, front.json and front.png
    #[arg(long, value_name = "DIR")]
    out: Folder,
    /// Hidden units a layer, 1 to 1024
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [32, 64, 128])]
    hidden: Vec<usize>,
    /// Recurrent layers, 1 to 4
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1])]
    layers: Vec<usize>,
    /// Kinds of cell
    #[arg(long, value_name = "CELL,...", value_delimiter = ',', default_values_t = [Cell::Lstm])]
    cell: Vec<Cell>,
    /// What a token is: a character, a word, or a byte of whatever file
    #[arg(long, default_value_t = Level::Char)]
    level: Level,
    /// Numbers of a token's embedding, 4 to 1024; 0 gives the first layer a row for each token
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [0])]
    embedding: Vec<usize>,
    /// Numbers between the top layer and the head, 4 to 1024; 0 for none
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [0])]
    projection: Vec<usize>,
    /// Whether the embedding is also the head's weights: --tied, or --tied=false,true for both. Of
    /// the nets that should be tied those are taken whose --embedding is as large as --projection,
    /// or --hidden without one
    #[arg(
        long, value_name = "BOOL,...", value_delimiter = ',', num_args = 0..=1,
        require_equals = true, default_missing_value = "true", default_values_t = [false]
    )]
    tied: Vec<bool>,
    /// So many shapes by chance, hidden units between the least and the most of --hidden
    #[arg(long, value_name = "N")]
    random: Option<usize>,
    /// Seed of --random
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    seed: u64,
    /// Bytes of the int8 model at most, for example 128KiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_flash: Option<usize>,
    /// Estimated instructions a token at most, for example 100k
    #[arg(long, value_name = "N", value_parser = instructions)]
    max_instructions: Option<u64>,
    /// Processor that sizes and instructions are for
    #[arg(long, default_value = "cortex-m4")]
    board: Processor,
    /// Passes over the text, of every job
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    epochs: Option<usize>,
    /// Minutes of every job
    #[arg(long, value_name = "X")]
    minutes: Option<f64>,
    /// What the front sets against the loss
    #[arg(long, default_value = "flash")]
    by: Price,
    /// Train nothing: print the commands of the jobs not done yet, one a line
    #[arg(long, visible_alias = "dry-run")]
    print_jobs: bool,
    /// Train nothing: show what is there
    #[arg(long, conflicts_with = "print_jobs")]
    front: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long, conflicts_with = "print_jobs")]
    json: bool,
    /// Options of every job, as of `gatelet train`
    #[arg(last = true, value_name = "OPTIONS")]
    options: Vec<String>,
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
    fn common(&self) -> Result<Vec<String>> {
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

    fn check(&self) -> Result<()> {
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
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    args.check()?;
    let options = args.common()?;
    let name = args.text.to_string();
    // Wrong options are wrong for every job, so they are found before any; and some of them change the vocabulary.
    let line = [name.clone(), "--out".to_owned(), "job".to_owned()];
    let (job, mut config) = job_of(&[&line[..], &options[..]].concat())?;
    let text = args.text.text(IN_MEMORY, config.encoding()?)?;
    let arranged = arranged(&job, text.clone(), &mut config, false)?;
    let outline = Outline::of(&arranged, &config.corpus_options())?;
    job.follow(&config, &text, &outline)?;
    let space = Space {
        cells: args.cell.clone(),
        layers: args.layers.clone(),
        hidden: args.hidden.clone(),
        embeddings: args.embedding.clone(),
        projections: args.projection.clone(),
        tied: args.tied.clone(),
        vocab: outline.vocab().len(),
    };
    let command = |shape| {
        let config = job.follow(&config.shaped(shape), &text, &outline)?;
        Ok(job.command(&config))
    };
    let source = Source {
        text: &name,
        level: args.level,
        words: outline.vocab().words(),
        command: &command,
    };
    let budget = Budget {
        processor: args.board,
        flash: args.max_flash,
        instructions: args.max_instructions,
    };
    let random = args.random.map(|count| (count, args.seed));
    let (found, outside) = candidates(&space, random, &budget, &source)?;
    let fed = matches!(args.text, Input::Stdin).then(|| text.held().unwrap_or_default());
    if fed.is_some() && args.print_jobs {
        return Err(Error::Usage(
            "--print-jobs with a text from standard input: each of the jobs would read its own; save \
             the text to a file and name that"
                .to_owned(),
        ));
    }
    let common = Common {
        text_sha256: hex(outline.sha256()),
        options: options.join(" "),
    };
    check(&args.out, args.text.path())?;
    common.check(&args.out)?;
    let find = || -> Vec<Job> {
        let jobs = found.iter().cloned();
        jobs.map(|candidate| Job::find(candidate, &args.out))
            .collect()
    };
    if args.print_jobs {
        return print_jobs(&find(), &name, &options);
    }
    if outside > 0 {
        note(format_args!(
            "{outside} shape{} outside the budget left out",
            if outside == 1 { "" } else { "s" }
        ));
    }
    let failed = if args.front {
        Vec::new()
    } else {
        common.write(&args.out)?;
        train_all(&find(), &name, fed, &options)?
    };
    let jobs = find();
    let sweep = Sweep {
        text: &name,
        level: args.level,
        out: &args.out,
        budget,
        by: args.by,
    };
    let result = show(&sweep, &jobs)?;
    if args.json {
        say(result)?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Some(format!(
        "{} of {} jobs failed: {}; the same command tries them again",
        failed.len(),
        jobs.len(),
        failed.join(", ")
    )))
}

/// How this program is called: as it was now.
fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "gatelet".to_owned())
}

fn print_jobs(jobs: &[Job], text: &str, options: &[String]) -> Result<()> {
    for job in jobs.iter().filter(|job| job.state != State::Done) {
        let words: Vec<String> = std::iter::once(program())
            .chain(job.arguments(text, options))
            .map(|word| quoted(&word))
            .collect();
        say(words.join(" "))?;
    }
    Ok(())
}

/// Trains what is not done, with the text `fed` to each where it came from standard input; gives the names of the jobs that failed. Ctrl-C ends the job that is running, which leaves its
/// checkpoint, and then the sweep.
fn train_all(
    jobs: &[Job],
    text: &str,
    fed: Option<&[u8]>,
    options: &[String],
) -> Result<Vec<String>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))
        .map_err(|error| Error::Start(error.to_string()))?;
    let start = |error: io::Error| Error::Start(format!("a job: {error}"));
    let program = std::env::current_exe().map_err(start)?;
    let open: Vec<&Job> = jobs.iter().filter(|job| job.state != State::Done).collect();
    let mut failed = Vec::new();
    for (index, job) in open.iter().enumerate() {
        let words = job.arguments(text, options);
        let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        note(format_args!(
            "[{}/{}] gatelet {}",
            index + 1,
            open.len(),
            line.join(" ")
        ));
        let mut child = Command::new(&program)
            .args(&words)
            .stdin(fed.map_or(Stdio::null(), |_| Stdio::piped()))
            .stdout(Stdio::null())
            .spawn()
            .map_err(start)?;
        if let (Some(bytes), Some(mut stdin)) = (fed, child.stdin.take()) {
            // A job that does not want its text says why itself.
            let _ = stdin.write_all(bytes);
        }
        let status = child.wait().map_err(start)?;
        if stop.load(Ordering::Relaxed) {
            note("interrupted; the same command goes on from here");
            break;
        }
        if !status.success() {
            failed.push(job.candidate.name.clone());
        }
    }
    Ok(failed)
}
