//! `gatelet sweep`.
//!
//! ```text
//! text or data -> shapes within the budget -> jobs, each with its folder in --out     [`learnt`]
//! --print-jobs: the commands of those not done, one a line, for any scheduler;  --front: only look
//! else: one after the other, each an ordinary `gatelet train` of its own process
//! of sequences: the int8 image of each, and its answers to what is held out
//! table, front.json, front.png
//! ```

mod args;
pub(super) mod learnt;

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use self::args::Args;
use self::learnt::Learnt;
use super::front::{NUMBERS, Sweep, check, show};
use super::out::{note, say};
use crate::analysis::sweep::{Budget, Common, Job, Known, Source, Space, State, candidates};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::shell::quoted;
use crate::train::series::Series;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    args.check()?;
    let options = args.common()?;
    let name = args.text.to_string();
    let learnt = Learnt::read(&args.text, &options)?;
    let space = Space {
        cells: args.cell.clone(),
        layers: args.layers.clone(),
        hidden: args.hidden.clone(),
        embeddings: args.embedding.clone(),
        projections: args.projection.clone(),
        tied: args.tied.clone(),
        vocab: learnt.vocab(),
    };
    let source = Source {
        name: &name,
        step: learnt.step(),
        words: learnt.words(),
        front_end: learnt.front_end(),
        job: &|shape| learnt.job(shape),
    };
    let budget = Budget {
        processor: args.board,
        flash: args.max_flash,
        instructions: args.max_instructions,
    };
    let random = args.random.map(|count| (count, args.seed));
    let (found, outside) = candidates(&space, random, &budget, &source)?;
    let fed = learnt.fed(&args.text);
    if fed.is_some() && args.print_jobs {
        return Err(Error::Usage(
            "--print-jobs with a text from standard input: each of the jobs would read its own; save \
             the text to a file and name that"
                .to_owned(),
        ));
    }
    let common = Common {
        sha256: hex(&learnt.sha256()),
        options: options.join(" "),
    };
    check(&args.out, args.text.path())?;
    common.check(&args.out, learnt.hashed())?;
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
    let mut jobs = find();
    if let Some(data) = learnt.series() {
        measure(&mut jobs, data, args);
    }
    let sweep = Sweep {
        data: &name,
        learnt: &learnt,
        options: &options,
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

/// Asks the int8 image of every job that has ended what is held out. One that cannot be made is
/// said, and is not on the front.
fn measure(jobs: &mut [Job], data: &Series, args: &Args) {
    let known = Known::read(&args.out.join(NUMBERS));
    for job in jobs.iter_mut().filter(|job| job.state == State::Done) {
        match known.of(&job.best(), data, args.board) {
            Ok(int8) => job.int8 = int8,
            Err(error) => note(format_args!(
                "warning: {} has no int8 image: {error}",
                job.candidate.name
            )),
        }
    }
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
