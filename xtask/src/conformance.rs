//! `cargo xtask conformance`: one suite (models, tokens, the hash of the states after every step)
//! on every kernel of this machine, on those of other processors in an emulator, and on every board
//! in QEMU.
//!
//! ```text
//! suite     RNN, LSTM and GRU, 1 and 2 layers, weights of 8 and of 4 bits; and nets of features and tokens
//!           that mix the operations at sizes from 1 to 129; a GRU of sound, front end included; random, by
//!           `gatelet suite`: its hashes are the scalar kernel's
//! hosts     tests/same-bits --suite, suite on stdin: natively, under qemu-aarch64 as two processors, under node
//! boards    firmware/src/bin/conformance.rs, in as many loads as a board's flash needs; without the mixed nets
//!           that are too large for one
//! ```
//! A row says at which step a kernel computed other states for the first time; there should be
//! none.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bench::random;
use crate::board::{Board, in_qemu};
use crate::command::{cargo, gatelet, output, work_folder};
use crate::firmware::program;
use crate::processors::{self, Emulated};
use crate::{emulator, setup};

/// Units a layer: past two vectors of sixteen, and a row alone.
const HIDDEN: usize = 33;
/// Nets that mix the operations, by their seeds.
const MIXED: u64 = 16;
/// Of the steps, so many are done by those: one in ten, since they are larger.
const MIXED_SHARE: usize = 10;
/// A net of samples: its front end is part of every step.
const SOUND: [&str; 8] = [
    "--front-end",
    "logmel:20,frame=256,hop=128",
    "--cell",
    "gru",
    "--hidden",
    "33",
    "--outputs",
    "7",
];
/// Flash kept free for the board's program.
const CODE: usize = 168 << 10;
/// Bytes of a session that the board's program has room for.
const SESSION: usize = 4096;

/// What `same-bits` and the board's program print.
#[derive(Debug, Deserialize)]
struct Found {
    kernel: String,
    net: String,
    steps: u64,
    first_difference: Option<u64>,
}

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row {
    target: String,
    kernel: String,
    net: String,
    steps: u64,
    first_difference: Option<u64>,
}

/// A model of the suite.
struct Case {
    path: PathBuf,
    /// Its share of the steps.
    share: usize,
    /// Bytes of a session.
    session: usize,
}

/// Runs the suite everywhere and prints a row for each target, kernel and model; an error when one
/// differs.
pub(crate) fn run(steps: usize, json: bool) -> Result<()> {
    setup::qemu()?;
    setup::targets()?;
    let cases = cases()?;
    if !json {
        println!(
            "{:28} {:9} {:>6} {:9} net",
            "target", "kernel", "steps", "states"
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
    let path = work_folder()?.join("conformance.suite");
    let all: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| suite(case, steps, "any"))
        .collect::<Result<_>>()?;
    gatelet_files::replace(&path, &all.concat())?;
    take(std::env::consts::ARCH, &native(&path)?)?;
    for emulated in processors::emulated()? {
        take(&emulated.name, &elsewhere(&emulated, &path)?)?;
    }
    for board in in_qemu() {
        for load in loads(board, &cases, steps)? {
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
        net: found.net,
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
        "{:28} {:9} {:>6} {states:9} {}",
        row.target, row.kernel, row.steps, row.net
    );
    Ok(())
}

/// Images of random weights.
fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
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
            let name = format!("conformance-{cell}-{layers}-{bits}.gatelet");
            cases.push(case(random(&shape, &name)?, 1)?);
        }
    }
    for seed in 0..MIXED {
        let options = ["--mixed", "--seed", &seed.to_string()];
        let path = random(&options, &format!("conformance-mixed-{seed}.gatelet"))?;
        cases.push(case(path, MIXED_SHARE)?);
    }
    let path = random(&SOUND, "conformance-sound.gatelet")?;
    cases.push(case(path, MIXED_SHARE)?);
    Ok(cases)
}

/// A case of a model.
fn case(path: PathBuf, share: usize) -> Result<Case> {
    let text = output(gatelet()?.arg("inspect").arg(&path).arg("--json"))?;
    let found: Value = serde_json::from_str(text.trim())?;
    let session = found["ram_bytes"].as_u64().context("no ram_bytes")? as usize;
    Ok(Case {
        path,
        share,
        session,
    })
}

/// A suite of one case.
fn suite(case: &Case, steps: usize, target: &str) -> Result<Vec<u8>> {
    let path = work_folder()?.join("conformance-case.suite");
    let steps = steps.div_ceil(case.share).to_string();
    let mut command = gatelet()?;
    command.arg("suite").arg(&case.path);
    command.args(["--target", target, "--steps", &steps, "--force", "--out"]);
    output(command.arg(&path))?;
    Ok(fs::read(&path)?)
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

/// Suites of as many models as fit a board's flash. A mixed net that is too large for the board is
/// left out.
fn loads(board: &'static Board, cases: &[Case], steps: usize) -> Result<Vec<Vec<u8>>> {
    let room = board.flash_bytes - CODE;
    let mut loads: Vec<Vec<u8>> = Vec::new();
    for case in cases {
        let bytes = suite(case, steps, board.processor.export())?;
        if bytes.len() > room || case.session > SESSION {
            ensure!(
                case.share > 1,
                "{steps} steps are too many for the flash of the {board}: a case has {} bytes, its room {room}",
                bytes.len()
            );
            continue;
        }
        match loads.last_mut() {
            Some(load) if load.len() + bytes.len() <= room => load.extend(bytes),
            _ => loads.push(bytes),
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
