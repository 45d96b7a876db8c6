//! Instructions of a step, counted in QEMU: for a fixed shape with random weights, and for the default model.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::command::{gatelet, output, work_folder};
use crate::elf::FlashImage;
use crate::firmware::program;
use crate::selftest::json_line;
use crate::{emulator, setup};

/// The shape whose cost is followed over time: weights from a fixed seed, so that nothing but the code changes it.
const SHAPE: [&str; 14] = [
    "--cell",
    "lstm",
    "--hidden",
    "128",
    "--vocab",
    "64",
    "--layers",
    "1",
    "--seed",
    "1",
    "--bits",
    "8",
    "--target",
    "cortex-m4",
];

/// What the board's program prints.
#[derive(Debug, Deserialize)]
struct Counted {
    board: String,
    cell: String,
    hidden: u64,
    vocab: u64,
    macs_per_step: u64,
    instructions_per_step: u64,
    model_bytes: u64,
    ram_bytes: u64,
}

/// What this command prints.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Measured {
    board: String,
    cell: String,
    hidden: u64,
    vocab: u64,
    macs_per_step: u64,
    pub(crate) instructions_per_step: u64,
    /// Flash of code and constants of the measuring program, without the model.
    text_bytes: u64,
    model_bytes: u64,
    /// State, scratch and logits.
    ram_bytes: u64,
    /// For the table; the lines of JSON hold what their readers were promised, in a fixed order.
    #[serde(skip)]
    model: String,
}

/// Measures both models and prints a line for each.
pub(crate) fn run(json: bool) -> Result<()> {
    setup::qemu()?;
    let measured = [
        measure("random", Some(random_model()?))?,
        measure("default", None)?,
    ];
    if !json {
        println!(
            "{:8} {:>4} {:>6} {:>5} {:>8} {:>12} {:>9} {:>9} {:>9} {:>7}",
            "model",
            "cell",
            "hidden",
            "vocab",
            "MACs",
            "instructions",
            "instr/MAC",
            "text",
            "image",
            "RAM"
        );
    }
    for m in &measured {
        if json {
            println!("{}", serde_json::to_string(m)?);
        } else {
            println!(
                "{:8} {:>4} {:>6} {:>5} {:>8} {:>12} {:>9.3} {:>9} {:>9} {:>7}",
                m.model,
                m.cell,
                m.hidden,
                m.vocab,
                m.macs_per_step,
                m.instructions_per_step,
                m.instructions_per_step as f64 / m.macs_per_step as f64,
                m.text_bytes,
                m.model_bytes,
                m.ram_bytes
            );
        }
    }
    Ok(())
}

/// Measures one model.
pub(crate) fn measure(name: &str, model: Option<PathBuf>) -> Result<Measured> {
    let elf = program("bench", &["log-rtt"]).model(model).build()?.elf;
    let counted: Counted = json_line(&emulator::run_to_end(&elf)?)?;
    let flash = FlashImage::read(&elf)?.bytes.len() as u64;
    Ok(Measured {
        board: counted.board,
        cell: counted.cell,
        hidden: counted.hidden,
        vocab: counted.vocab,
        macs_per_step: counted.macs_per_step,
        instructions_per_step: counted.instructions_per_step,
        text_bytes: flash - counted.model_bytes,
        model_bytes: counted.model_bytes,
        ram_bytes: counted.ram_bytes,
        model: name.to_owned(),
    })
}

/// A model of [`SHAPE`] with random weights, made by the trainer's program.
fn random_model() -> Result<PathBuf> {
    random(&SHAPE, "random-lstm-h128-v64.gatelet")
}

/// A random model of any shape, in this program's folder.
pub(crate) fn random(shape: &[&str], name: &str) -> Result<PathBuf> {
    let path = work_folder()?.join(name);
    let mut command = gatelet();
    command
        .arg("random")
        .args(shape)
        .arg("--force")
        .arg("--out")
        .arg(&path);
    output(&mut command)?;
    Ok(path)
}
