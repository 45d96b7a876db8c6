//! `cargo xtask fuzz`: a fuzz target for as many new inputs as wanted. `cargo xtask test` runs a
//! few thousand of each.
//!
//! The inputs are those of bolero's random engine, so this needs no nightly toolchain. Whoever has
//! `cargo-bolero` can give the same targets to libFuzzer: `cargo bolero test -p gatelet-fuzz
//! image`.

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run as run_command, shown, work_folder};

/// Inputs between two counts.
const EVERY: u64 = 1 << 12;

/// A target: its name is its test's.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Target {
    /// Model images, changed and sealed again; those accepted run on every kernel
    Image,
    /// Checkpoints, changed and sealed again
    Checkpoint,
    /// Models of ONNX, changed in names, kinds of nodes and numbers
    Onnx,
    /// The rules for texts and the tokenizer, on any Unicode
    Text,
    /// The console's bytes
    Console,
    /// Bursts of bytes through the queue of the board's serial line
    Serial,
    /// Files of Keras, changed in configuration, HDF5 and zip
    Keras,
    /// Data to train on: tables, arrays, archives and recordings
    Series,
    /// Files of PyTorch, JSON and TFLite, changed in pickles, texts, tables and numbers
    Weights,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Image => "image",
            Target::Checkpoint => "checkpoint",
            Target::Onnx => "onnx",
            Target::Text => "text",
            Target::Console => "console",
            Target::Serial => "serial",
            Target::Keras => "keras",
            Target::Series => "series",
            Target::Weights => "weights",
        }
    }
}

/// Runs it, and prints how many inputs there were and how many of them were accepted. `seed` is
/// that of a finding: it alone is run again.
pub(crate) fn run(target: Target, runs: u64, seed: Option<&str>) -> Result<()> {
    let name = target.name();
    let counts = work_folder()?.join(format!("fuzz-{name}.json"));
    let runs = runs.next_multiple_of(EVERY);
    let mut test = cargo();
    test.args(["test", "-p", "gatelet-fuzz", "--test", name])
        .env("GATELET_FUZZ_COUNTS", &counts);
    match seed {
        Some(seed) => test
            .env("BOLERO_RANDOM_SEED", seed)
            .env("BOLERO_RANDOM_ITERATIONS", "0"),
        None => test.env("BOLERO_RANDOM_ITERATIONS", runs.to_string()),
    };
    println!("$ {} ({runs} inputs)", shown(&test));
    if run_command(&mut test).is_err() {
        bail!("{name}: a finding; `cargo xtask fuzz {name} --seed N` runs it again, N as above");
    }
    if seed.is_none() {
        print!(
            "{}",
            std::fs::read_to_string(&counts).context("the counts of the run")?
        );
    }
    Ok(())
}
