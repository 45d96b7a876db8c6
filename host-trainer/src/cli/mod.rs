//! The command line: what each command accepts, and how its result is shown.

mod compare;
mod eval;
mod explain;
mod export;
mod front;
mod generate;
mod import;
mod inspect;
mod listen;
mod out;
mod predict;
mod progress;
mod qat;
mod random;
mod recipe;
mod report;
mod run;
mod sequences;
mod stream;
mod suite;
mod sweep;
mod table;
mod target;
mod terminal;
mod trace;
mod train;
mod verify;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// Trains small recurrent nets on a text and puts them into images for microcontrollers.
#[derive(Debug, Parser)]
#[command(name = "gatelet", version, arg_required_else_help = true)]
#[command(
    after_help = "A MODEL is a checkpoint (best.safetensors of a run folder) or a .gatelet image.\n\
- in place of a file is standard input or standard output.\n\
Exit code: 0 done, 1 failed (one line on stderr says why), 2 wrong usage (unknown options, or values out of range)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Args>),
    Eval(eval::Args),
    Predict(predict::Args),
    Generate(generate::Args),
    Explain(explain::Args),
    Import(import::Args),
    Run(run::Args),
    Listen(listen::Args),
    Export(export::Args),
    Inspect(inspect::Args),
    Trace(trace::Args),
    Verify(verify::Args),
    Random(random::Args),
    Suite(suite::Args),
    Report(report::Args),
    Compare(compare::Args),
    Sweep(Box<sweep::Args>),
}

/// Parses the arguments of this process, runs the command, and gives the exit code.
pub fn main() -> ExitCode {
    let result = match out::parse::<Cli>().command {
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Listen(args) => listen::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Trace(args) => trace::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Random(args) => random::run(&args),
        Command::Suite(args) => suite::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Sweep(args) => sweep::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has seen enough (`gatelet ... | head`).
        Err(Error::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            out::fail(&error);
            ExitCode::from(if matches!(error, Error::Option { .. } | Error::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}
