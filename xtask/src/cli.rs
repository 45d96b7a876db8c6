//! The command line, and which function does what.

use std::path::PathBuf;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::image::Format;
use crate::listen::keyword;
use crate::{
    architecture, bench, board, circles, conformance, demo, deny, firmware, flash, fuzz, handover,
    host_bench, image, listen, miri, qemu_tests, selftest, sequences, setup, size, steps, tables,
    zoo,
};

/// Try, check, build and flash Gatelet from a clone.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, arg_required_else_help = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the firmware, boot it in QEMU, type a prefix and show what it predicts; then the
    /// console is yours
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --prompt \"Mr. Knight\"\n  cargo xtask demo keyword"
    )]
    Demo(DemoArgs),
    /// Send a sound to a board in QEMU that amplifies it, or says what it hears: voice or noise; the
    /// same as on this machine?
    #[command(
        after_help = "Examples:\n  cargo xtask listen voice\n  cargo xtask listen amplifier guitar.wav --out loud.wav\n\nWithout a file it makes a sound up. docs/streaming.md has the rest."
    )]
    Listen(listen::Options),
    /// Every check there is: format, lints, tests, docs, firmware, QEMU
    #[command(alias = "ci")]
    Test {
        /// Only the steps whose name contains this
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
        /// The one step of this name, with nothing around it
        #[arg(long, hide = true)]
        alone: bool,
    },
    /// Get what is missing on this machine: the thumb targets and QEMU
    Setup,
    /// Time a step of every kernel on this machine against the machine's limit, in one run
    #[command(
        after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --isa portable --quick\n  cargo xtask bench --json | tail -n 1\n\nThe board's instruction counts: cargo xtask firmware bench"
    )]
    Bench(host_bench::Options),
    /// Draw the pictures of docs/architecture.md from the code
    Architecture {
        /// Fail when one is not what the code gives, and write nothing
        #[arg(long)]
        check: bool,
    },
    /// Write the tables and pictures of docs/ from benches/results
    Tables {
        /// Fail when one is not what the files give, and write nothing
        #[arg(long)]
        check: bool,
    },
    /// Print the files of each crate that import each other
    Circles,
    /// Check licences, sources and duplicates of all dependencies with cargo-deny, by deny.toml;
    /// needs no network
    Deny,
    /// Give a fuzz target many new inputs; `cargo xtask test` gives each a few thousand
    #[command(
        after_help = "Examples:\n  cargo xtask fuzz image --runs 5000000\n  cargo xtask fuzz console --seed 171320690439587473500566562531363483890"
    )]
    Fuzz {
        /// Which
        #[arg(value_enum)]
        target: fuzz::Target,
        /// New inputs
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        runs: u64,
        /// Only the input of this seed: BOLERO_RANDOM_SEED of a finding
        #[arg(long, value_name = "N", conflicts_with = "runs")]
        seed: Option<String>,
    },
    /// Run the kernels under Miri, which checks every access to memory; needs a nightly toolchain
    Miri,
    /// Run one suite on every kernel here, in NEON's and WebAssembly's emulators and on every board
    /// in QEMU: the same states?
    #[command(
        after_help = "Examples:\n  cargo xtask conformance\n  cargo xtask conformance --steps 500 --json"
    )]
    Conformance {
        /// Steps of each model
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        steps: usize,
        /// One JSON object a row
        #[arg(long)]
        json: bool,
    },
    /// Import nets that packages hold, and compare them with what they compute elsewhere; fetches
    /// the packages
    #[command(
        after_help = "Examples:\n  cargo xtask zoo\n  cargo xtask zoo --only gru\n\nWhat is compared, and how: docs/import.md"
    )]
    Zoo(zoo::Options),
    /// Train nets for published series, which it fetches, and for an amplifier that is made up, with
    /// three seeds, and export them
    #[command(
        after_help = "Examples:\n  cargo xtask sequences\n  cargo xtask sequences --only Vowels\n  cargo xtask sequences --only Amplifier --record\n\nWhat is measured: docs/sequences.md"
    )]
    Sequences(sequences::Options),
    /// The image for the microcontroller
    #[command(subcommand)]
    Firmware(Firmware),
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// What to type into the board's serial port
    #[arg(long, value_name = "TEXT", default_value = demo::PROMPT)]
    prompt: String,
    #[command(subcommand)]
    other: Option<Demo>,
}

#[derive(Debug, Subcommand)]
enum Demo {
    /// Make a spoken set, train a net that spots ten words, and let a board in QEMU listen
    #[command(
        after_help = "Examples:\n  cargo xtask demo keyword\n  cargo xtask demo keyword --measure\n\nWhat is measured: docs/sequences.md"
    )]
    Keyword(keyword::Options),
}

#[derive(Debug, Subcommand)]
enum Firmware {
    /// Build the console
    Build {
        #[command(flatten)]
        model: ModelArgs,
        /// Where the log goes: RTT for a board with a probe, semihosting for QEMU
        #[arg(long, value_enum, default_value = "rtt")]
        log: firmware::Log,
    },
    /// Run the console in QEMU, on this terminal
    Run {
        #[command(flatten)]
        model: ModelArgs,
    },
    /// Count the instructions of a step in QEMU, for a fixed shape and for the default model
    #[command(
        after_help = "Examples:\n  cargo xtask firmware bench\n  cargo xtask firmware bench --model MODEL.gatelet --board microbit"
    )]
    Bench {
        #[command(flatten)]
        board: BoardArgs,
        /// These models instead
        #[arg(long = "model", value_name = "FILE")]
        models: Vec<PathBuf>,
        /// Models in rows, which every kernel runs, instead of the layout of the board's kernel
        #[arg(long)]
        rows: bool,
        /// One JSON object a line: first the fixed shape, then the default model
        #[arg(long)]
        json: bool,
        /// Write the counts of the fixed shape into benches/results/boards.tsv
        #[arg(long, conflicts_with_all = ["rows", "models"])]
        record: bool,
    },
    /// Flip every bit of the model's preamble in the built console, and see QEMU refuse each: 256
    /// starts
    Damage,
    /// Run held-out text in QEMU and on this machine, and compare a hash of every state
    Selftest {
        #[command(flatten)]
        model: ModelArgs,
        #[command(flatten)]
        board: BoardArgs,
        /// One JSON object a board
        #[arg(long)]
        json: bool,
    },
    /// Flash and RAM of the console, against what the part has, and the engine's share
    Size {
        #[command(flatten)]
        model: ModelArgs,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write a checked image of the console
    Image {
        #[command(flatten)]
        model: ModelArgs,
        /// What kind of file
        #[arg(long, value_enum, default_value = "elf")]
        format: Format,
        /// Where to [default: firmware/ in cargo's target folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Replace --out if it is there
        #[arg(long)]
        force: bool,
    },
    /// Program a board through probe-rs
    Flash {
        #[command(flatten)]
        model: ModelArgs,
        /// The part on the board
        #[arg(long, value_parser = PossibleValuesParser::new(board::default().chips), default_value = board::default().chips[0])]
        chip: String,
        /// Which probe, when there are several: VID:PID or VID:PID:Serial, as `probe-rs list` shows
        /// them
        #[arg(long, value_name = "VID:PID[:SERIAL]")]
        probe: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ModelArgs {
    /// The model to embed [default: $GATELET_MODEL, or firmware/models/default.gatelet]
    #[arg(long = "model", value_name = "FILE")]
    path: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct BoardArgs {
    /// QEMU's machine, or `all` of them
    #[arg(long = "board", value_name = "NAME", value_parser = board::parse, default_value = board::default().id())]
    boards: board::Choice,
}

impl Options {
    pub(crate) fn run(self) -> Result<()> {
        match self.task {
            Task::Demo(args) => match &args.other {
                None => demo::run(&args.prompt),
                Some(Demo::Keyword(options)) => keyword::run(options),
            },
            Task::Test { only, alone: true } => steps::alone(&only),
            Task::Test { only, alone: false } => steps::run(&only),
            Task::Listen(options) => listen::run(&options),
            Task::Setup => setup::everything(),
            Task::Architecture { check } => architecture::run(check),
            Task::Tables { check } => tables::run(check),
            Task::Circles => circles::run(),
            Task::Deny => deny::run(),
            Task::Fuzz { target, runs, seed } => fuzz::run(target, runs, seed.as_deref()),
            Task::Miri => miri::run(),
            Task::Conformance { steps, json } => conformance::run(steps, json),
            Task::Bench(options) => host_bench::run(&options),
            Task::Zoo(options) => zoo::run(&options),
            Task::Sequences(options) => sequences::run(&options),
            Task::Firmware(task) => task.run(),
        }
    }
}

impl Firmware {
    fn run(self) -> Result<()> {
        setup::targets()?;
        match self {
            Firmware::Build { model, log } => {
                let program = firmware::console(log).model(model.path).build()?;
                println!("{}", program.elf.display());
                Ok(())
            }
            Firmware::Run { model } => handover::run(model.path),
            Firmware::Damage => qemu_tests::preamble(1),
            Firmware::Bench {
                board,
                models,
                rows,
                json,
                record,
            } => bench::run(board.boards, models, rows, json, record),
            Firmware::Selftest { model, board, json } => {
                selftest::run(model.path, board.boards, json)
            }
            Firmware::Size { model, json } => size::run(model.path, json),
            Firmware::Image {
                model,
                format,
                out,
                force,
            } => image::run(model.path, format, out, force),
            Firmware::Flash { model, chip, probe } => {
                flash::run(model.path, &chip, probe.as_deref())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn ci_is_test() {
        let options = Options::try_parse_from(["xtask", "ci"]).unwrap();
        assert!(matches!(options.task, Task::Test { .. }));
    }
}
