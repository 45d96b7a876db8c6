//! `gatelet sweep`.
//!
//! ```text
//! text -> vocabulary -> shapes within the budget -> jobs, each with its folder in --out
//! --print-jobs: the commands of those not done, one a line, for any scheduler;  --front: only look
//! else: one after the other, each an ordinary `gatelet train` of its own process
//! table, front.json, front.png
//! ```

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::say;
use super::table::{Align, Table};
use super::train::quoted;
use crate::corpus::{Text, Vocabulary, hex};
use crate::device::Processor;
use crate::error::{Error, Result};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Series};
use crate::figure::raster;
use crate::files;
use crate::params::Cell;
use crate::pareto::front;
use crate::runs::{duration, grouped};
use crate::sweep::{Budget, Common, Job, Space, State, bytes, candidates, instructions};

/// What the front is drawn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Price {
    /// Bytes of the int8 image.
    #[default]
    Flash,
    /// Estimated instructions a character.
    Instructions,
}

/// Train many shapes within a budget, and find those worth their size.
///
/// Takes the grid of --hidden, --layers and --cell, or --random shapes between them, leaves out what costs too much flash
/// or too many instructions, and trains the rest, each with an ordinary `gatelet train` into a folder of its own. What is
/// done is not done again, and what was interrupted goes on: the same command can be repeated at any time. Options after
/// -- go to every job.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64,128 --layers 1,2 --max-flash 128KiB --epochs 5\n  gatelet sweep corpora/novels.txt --out runs/sweep --hidden 16,256 --random 12 --minutes 5 --print-jobs | parallel -j 2\n  gatelet sweep corpora/novels.txt --out runs/sweep --hidden 32,64 --front -- --lr 0.003"
)]
pub(super) struct Args {
    /// UTF-8 text to learn
    text: PathBuf,
    /// Folder for the run folders, sweep.json, front.json and front.png
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Hidden units a layer, 1 to 1024
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [32, 64, 128])]
    hidden: Vec<usize>,
    /// Recurrent layers, 1 to 4
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1])]
    layers: Vec<usize>,
    /// Kinds of cell
    #[arg(long, value_name = "CELL,...", value_delimiter = ',', default_values_t = [Cell::Lstm])]
    cell: Vec<Cell>,
    /// So many shapes by chance, hidden units between the least and the most of --hidden
    #[arg(long, value_name = "N")]
    random: Option<usize>,
    /// Seed of --random
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    seed: u64,
    /// Bytes of the int8 model at most, for example 128KiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_flash: Option<usize>,
    /// Estimated instructions a character at most, for example 100k
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
const OURS: [&str; 10] = [
    "--out",
    "--cell",
    "--hidden",
    "--layers",
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
    let text = Text::read(&args.text)?;
    let name = args.text.display().to_string();
    let vocab = Vocabulary::of(&text.content).len();
    if vocab < 2 {
        return Err(Error::EmptyCorpus { name });
    }
    let space = Space {
        cells: args.cell.clone(),
        layers: args.layers.clone(),
        hidden: args.hidden.clone(),
        vocab,
    };
    let budget = Budget {
        processor: args.board,
        flash: args.max_flash,
        instructions: args.max_instructions,
    };
    let random = args.random.map(|count| (count, args.seed));
    let (found, outside) = candidates(&space, random, &budget, &name)?;
    let common = Common {
        text_sha256: hex(&text.sha256),
        options: options.join(" "),
    };
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
        let _ = writeln!(
            io::stderr(),
            "{outside} shape{} outside the budget left out",
            if outside == 1 { "" } else { "s" }
        );
    }
    let failed = if args.front {
        Vec::new()
    } else {
        common.write(&args.out)?;
        train_all(&find(), &name, &options)?
    };
    let jobs = find();
    let result = show(args, &jobs)?;
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

/// Trains what is not done; gives the names of the jobs that failed. Ctrl-C ends the job that is running, which leaves its
/// checkpoint, and then the sweep.
fn train_all(jobs: &[Job], text: &str, options: &[String]) -> Result<Vec<String>> {
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
        let _ = writeln!(
            io::stderr(),
            "[{}/{}] gatelet {}",
            index + 1,
            open.len(),
            line.join(" ")
        );
        let status = Command::new(&program)
            .args(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(start)?;
        if stop.load(Ordering::Relaxed) {
            let _ = writeln!(
                io::stderr(),
                "interrupted; the same command goes on from here"
            );
            break;
        }
        if status.code() == Some(2) {
            // Wrong options are wrong for every job; the job has said which.
            return Err(Error::Some(
                "the options of the jobs are wrong, so none was trained further".to_owned(),
            ));
        }
        if !status.success() {
            failed.push(job.candidate.name.clone());
        }
    }
    Ok(failed)
}

/// Prints the table and writes front.json and front.png.
fn show(args: &Args, jobs: &[Job]) -> Result<Value> {
    let price = |job: &Job| match args.by {
        Price::Flash => job.candidate.flash as f64,
        Price::Instructions => job.candidate.instructions as f64,
    };
    // A net that is still being trained is not on the front: it would be compared too early.
    let points: Vec<(f64, f64)> = jobs
        .iter()
        .map(|job| {
            let done = job.state == State::Done;
            let nats = job.nats.filter(|_| done).unwrap_or(f64::NAN);
            (price(job), nats)
        })
        .collect();
    let on = front(&points);
    say(table(jobs, &on))?;
    let done = jobs.iter().filter(|job| job.state == State::Done).count();
    let by = match args.by {
        Price::Flash => "flash",
        Price::Instructions => "instructions",
    };
    let names: Vec<&str> = jobs
        .iter()
        .zip(&on)
        .filter(|(_, on)| **on)
        .map(|(job, _)| &*job.candidate.name)
        .collect();
    if names.is_empty() {
        say(format!("{done} of {} jobs done; no front yet", jobs.len()))?;
    } else {
        say(format!(
            "{done} of {} jobs done; * on the front of {by} and loss, for a {}: {}",
            jobs.len(),
            args.board.name(),
            names.join(", ")
        ))?;
    }
    let result = json!({
        "text": args.text.display().to_string(),
        "board": args.board,
        "by": by,
        "max_flash": args.max_flash,
        "max_instructions": args.max_instructions,
        "jobs": jobs,
        "front": names,
    });
    if !args.out.is_dir() {
        return Ok(result);
    }
    let path = args.out.join("front.json");
    let text = serde_json::to_string_pretty(&result).map_err(|error| Error::Write {
        path: path.clone(),
        source: error.into(),
    })?;
    files::write(&path, (text + "\n").as_bytes())?;
    if !names.is_empty() {
        draw(&args.out.join("front.png"), args, jobs, &points, &on)?;
    }
    Ok(result)
}

fn table(jobs: &[Job], on: &[bool]) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("", left),
        ("net", left),
        ("int8 bytes", right),
        ("~instructions", right),
        ("nats", right),
        ("bits/char", right),
        ("epochs", right),
        ("time", right),
        ("state", left),
    ]);
    for (job, &on) in jobs.iter().zip(on) {
        let dash = || "-".to_owned();
        table.row(vec![
            if on { "*" } else { "" }.to_owned(),
            job.candidate.name.clone(),
            grouped(job.candidate.flash as u64),
            grouped(job.candidate.instructions),
            job.nats.map_or_else(dash, |x| format!("{x:.4}")),
            job.nats
                .map_or_else(dash, |x| format!("{:.4}", x / std::f64::consts::LN_2)),
            format!("{:.1}", job.epochs),
            duration(job.seconds),
            match job.state {
                State::New => "to do",
                State::Begun => "begun",
                State::Done => "done",
            }
            .to_owned(),
        ]);
    }
    table
}

/// The nets as dots, those on the front joined by a line.
fn draw(path: &Path, args: &Args, jobs: &[Job], points: &[(f64, f64)], on: &[bool]) -> Result<()> {
    let (scale, x) = match args.by {
        Price::Flash => (1024.0, "flash of the int8 model, KiB"),
        Price::Instructions => (1e3, "estimated thousand instructions a character"),
    };
    let scaled = |&(cost, nats): &(f64, f64)| (cost / scale, nats);
    let mut line: Vec<(f64, f64)> = points
        .iter()
        .zip(on)
        .filter(|(_, on)| **on)
        .map(|(point, _)| scaled(point))
        .collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    let labels = jobs
        .iter()
        .zip(points.iter().zip(on))
        .filter(|(_, (_, on))| **on)
        .map(|(job, (point, _))| {
            let (shape, (x, y)) = (job.candidate.shape, scaled(point));
            (x, y, format!("{} x {}", shape.layers, shape.hidden))
        })
        .collect();
    let mut series = vec![Series {
        label: "the front".to_owned(),
        points: line,
        color: 2,
        dashed: true,
        dots: false,
    }];
    for (cell, color) in [(Cell::Lstm, 0), (Cell::Rnn, 1)] {
        let dots: Vec<(f64, f64)> = jobs
            .iter()
            .zip(points)
            .filter(|(job, point)| job.candidate.shape.cell == cell && point.1.is_finite())
            .map(|(_, point)| scaled(point))
            .collect();
        if !dots.is_empty() {
            series.push(Series {
                label: cell.to_string(),
                points: dots,
                color,
                dashed: false,
                dots: true,
            });
        }
    }
    let figure = Chart {
        name: "front",
        title: "Loss against size",
        alt: "Held-out loss of the nets of a sweep against what they cost.",
        size: (760.0, 440.0),
        x,
        y: "nats a character, held out",
        scale: Scale::Linear,
        second: Some(("bits a character", std::f64::consts::LN_2)),
        series,
        labels,
    }
    .draw();
    let bytes = raster::draw(&figure).map_err(|what| Error::Plot {
        path: path.to_owned(),
        what,
    })?;
    files::write(path, &bytes)
}
