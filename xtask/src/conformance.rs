//! `cargo xtask conformance`: one suite (models, tokens, the hash of the states after every step)
//! on every kernel of this machine, on those of other processors in an emulator, and on every board
//! in QEMU.
//!
//! ```text
//! suite     RNN, LSTM and GRU, 1 and 2 layers, weights of 8 and of 4 bits, random, by `gatelet suite`: its hashes are the scalar kernel's
//! hosts     tests/same-bits --suite, suite on stdin: natively, under qemu-aarch64 as two processors, under node
//! boards    firmware/src/bin/conformance.rs, in as many loads as a board's flash needs
//! ```
//! A row says at which step a kernel computed other states for the first time; there should be
//! none.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::bench::random;
use crate::board::{Board, in_qemu};
use crate::command::{cargo, gatelet, output, work_folder};
use crate::firmware::program;
use crate::processors::{self, Emulated};
use crate::{emulator, setup};

/// Units a layer: past two vectors of sixteen, and a row alone.
const HIDDEN: usize = 33;
/// Flash kept free for the board's program.
const CODE: usize = 168 << 10;

/// What `same-bits` and the board's program print.
#[derive(Debug, Deserialize)]
struct Found {
    kernel: String,
    cell: String,
    layers: usize,
    hidden: usize,
    vocab: usize,
    bits: String,
    steps: u64,
    first_difference: Option<u64>,
}

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row {
    target: String,
    kernel: String,
    cell: String,
    layers: usize,
    hidden: usize,
    vocab: usize,
    bits: String,
    steps: u64,
    first_difference: Option<u64>,
}

/// Runs the suite everywhere and prints a row for each target, kernel and model; an error when one
/// differs.
pub(crate) fn run(steps: usize, json: bool) -> Result<()> {
    setup::qemu()?;
    setup::targets()?;
    let models = models()?;
    if !json {
        println!(
            "{:28} {:9} {:4} {:>6} {:>6} {:>5} {:>5} {:>7}  states",
            "target", "kernel", "cell", "layers", "hidden", "vocab", "bits", "steps"
        );
    }
    let (mut rows, mut wrong) = (0, 0);
    let mut take = |target: &str, text: &str| -> Result<()> {
        for found in found(text)? {
            rows += 1;
            wrong += usize::from(found.first_difference.is_some());
            show(target, found, json)?;
        }
        Ok(())
    };
    let suite = suite(&models, steps, "any")?;
    take(std::env::consts::ARCH, &native(&suite)?)?;
    for emulated in processors::emulated()? {
        take(&emulated.name, &elsewhere(&emulated, &suite)?)?;
    }
    for board in in_qemu() {
        for load in loads(board, &models, steps)? {
            take(
                &format!("{board} ({})", board.processor.name()),
                &on_board(board, &load)?,
            )?;
        }
    }
    ensure!(rows > 0, "nothing was run");
    if wrong > 0 {
        bail!("{wrong} of {rows} rows have other states than the specification");
    }
    if !json {
        println!("{rows} rows, every state after every step the specification's");
    }
    Ok(())
}

/// Lines of JSON.
fn found(text: &str) -> Result<Vec<Found>> {
    let line =
        |line| serde_json::from_str(line).with_context(|| format!("expected JSON, found {line:?}"));
    let rows: Vec<Found> = text.trim().lines().map(line).collect::<Result<_>>()?;
    ensure!(!rows.is_empty(), "no case was run");
    Ok(rows)
}

fn show(target: &str, found: Found, json: bool) -> Result<()> {
    let row = Row {
        target: target.to_owned(),
        kernel: found.kernel,
        cell: found.cell,
        layers: found.layers,
        hidden: found.hidden,
        vocab: found.vocab,
        bits: found.bits,
        steps: found.steps,
        first_difference: found.first_difference,
    };
    if json {
        println!("{}", serde_json::to_string(&row)?);
        return Ok(());
    }
    let states = match row.first_difference {
        None => "equal".to_owned(),
        Some(step) => format!("DIFFER from step {step} on"),
    };
    println!(
        "{:28} {:9} {:4} {:>6} {:>6} {:>5} {:>5} {:>7}  {states}",
        row.target, row.kernel, row.cell, row.layers, row.hidden, row.vocab, row.bits, row.steps
    );
    Ok(())
}

/// Images of random weights.
fn models() -> Result<Vec<PathBuf>> {
    let mut models = Vec::new();
    for (bits, cell) in ["8", "4"]
        .into_iter()
        .flat_map(|bits| ["rnn", "lstm", "gru"].map(|cell| (bits, cell)))
    {
        for layers in [1, 2] {
            let (layers, hidden) = (layers.to_string(), HIDDEN.to_string());
            let shape = [
                "--cell", cell, "--layers", &layers, "--hidden", &hidden, "--vocab", "40",
                "--seed", "3", "--bits", bits,
            ];
            models.push(random(
                &shape,
                &format!("conformance-{cell}-{layers}-{bits}.gatelet"),
            )?);
        }
    }
    Ok(models)
}

/// Writes a suite.
fn suite(models: &[PathBuf], steps: usize, target: &str) -> Result<PathBuf> {
    let path = work_folder()?.join(format!("conformance-{target}.suite"));
    let mut command = gatelet()?;
    command.arg("suite").args(models).args(["--target", target]);
    command.args(["--steps", &steps.to_string(), "--force", "--out"]);
    output(command.arg(&path))?;
    Ok(path)
}

/// `same-bits` here.
fn native(suite: &PathBuf) -> Result<String> {
    let mut same_bits = cargo();
    same_bits.args(["run", "-q", "--bin", "gatelet-same-bits", "--", "--suite"]);
    output(same_bits.stdin(File::open(suite)?))
}

/// `same-bits` for another processor.
fn elsewhere(emulated: &Emulated, suite: &PathBuf) -> Result<String> {
    let mut same_bits = emulated.same_bits();
    output(same_bits.args(["--", "--suite"]).stdin(File::open(suite)?))
}

/// Suites of as many models as fit a board's flash.
fn loads(board: &'static Board, models: &[PathBuf], steps: usize) -> Result<Vec<Vec<u8>>> {
    let room = board.flash_bytes - CODE;
    let mut loads: Vec<Vec<u8>> = Vec::new();
    for model in models {
        let case = fs::read(suite(
            std::slice::from_ref(model),
            steps,
            board.processor.export(),
        )?)?;
        ensure!(
            case.len() <= room,
            "{steps} steps are too many for the flash of the {board}: a case has {} bytes, its room {room}",
            case.len()
        );
        match loads.last_mut() {
            Some(load) if load.len() + case.len() <= room => load.extend(case),
            _ => loads.push(case),
        }
    }
    Ok(loads)
}

/// The board's program with one load.
fn on_board(board: &'static Board, load: &[u8]) -> Result<String> {
    let path = work_folder()?.join(format!("conformance-{board}.suite"));
    gatelet_files::replace(&path, load)?;
    let elf = program("conformance", &["log-rtt"])
        .board(board)
        .variable("GATELET_SUITE", path.display())
        .quiet()
        .build()?
        .elf;
    emulator::run_to_end(&elf, board)
}
