//! What a step may take at most on each kind of processor, and the engine of flash. Instructions in
//! QEMU and bytes are exact, so whatever passes a limit was changed by someone.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::bench::{Measured, measure, random, random_model};
use crate::board::{Board, default as default_board, in_qemu};
use crate::size::engine_bytes;

/// The LSTM of 128 units and 64 characters, whose products take 73,728 multiply-accumulates: board,
/// weight bits, most instructions.
const STEPS: [(&str, &str, u64); 8] = [
    ("netduinoplus2", "8", 63_000),
    ("netduinoplus2", "4", 92_000),
    ("mps3-an547", "8", 16_000),
    ("mps3-an547", "4", 20_000),
    ("mps2-an385", "8", 191_692), // 2.6 a multiply-accumulate
    ("mps2-an385", "4", 147_456), // 2
    ("microbit", "8", 442_368),   // 6
    ("microbit", "4", 294_912),   // 4
];
/// Other nets with weights of 8 bits on the default board, and the most instructions of their
/// steps: the GRU of that size, at 0.84 of the LSTM's, and cells of 64 units that read six numbers
/// and give six.
const NETS: [(&str, u64); 3] = [
    ("--cell gru --hidden 128 --vocab 64", 52_800),
    ("--cell gru --hidden 64 --features 6 --outputs 6", 20_000),
    ("--cell lstm --hidden 64 --features 6 --outputs 6", 24_000),
];
/// Flash of the engine's steps on the default board.
const ENGINE: usize = 12 << 10;
/// RAM of a session.
const SESSION: u64 = 1536;

/// Measures a model on a board: a step takes so many instructions at most.
fn step(board: &'static Board, model: PathBuf, what: &str, most: u64) -> Result<Measured> {
    let found = measure(board, what, Some(model), board.processor.export())?;
    let steps = found.instructions_per_step;
    println!("{what}: {steps} instructions a step, at most {most}");
    ensure!(
        steps <= most,
        "{what}: {steps} instructions a step, more than {most}"
    );
    Ok(found)
}

/// Measures them.
pub(crate) fn check() -> Result<()> {
    for (machine, bits, most) in STEPS {
        let mut boards = in_qemu().iter();
        let board = boards.find(|board| board.id() == machine);
        let board = board.context("no such board")?;
        let what = format!("{board}, {bits} bits");
        let found = step(board, random_model(bits)?, &what, most)?;
        let ram = found.ram_bytes;
        ensure!(
            ram <= SESSION,
            "{board}: a session takes {ram} bytes, more than {SESSION}"
        );
    }
    for (index, (shape, most)) in NETS.into_iter().enumerate() {
        let words: Vec<&str> = shape.split(' ').collect();
        let model = random(&words, &format!("costs-{index}.gatelet"))?;
        step(default_board(), model, shape, most)?;
    }
    let (steps, _) = engine_bytes(None)?;
    println!("the engine's steps: {steps} bytes of flash, at most {ENGINE}");
    ensure!(
        steps <= ENGINE,
        "the engine's steps take {steps} bytes of flash, more than {ENGINE}"
    );
    Ok(())
}
