//! What a step may take at most on each kind of processor, and the engine of flash. Instructions in QEMU and bytes are exact, so
//! whatever passes a limit was changed by someone.

use anyhow::{Context, Result, ensure};

use crate::bench::{measure, random_model};
use crate::board::BOARDS;
use crate::size::engine_bytes;

/// The model of 128 units and 64 characters, whose products take 73,728 multiply-accumulates: board, weight bits, most instructions.
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
/// Flash of the engine's steps on the default board.
const ENGINE: usize = 12 << 10;
/// RAM of a session.
const SESSION: u64 = 1536;

/// Measures them.
pub(crate) fn check() -> Result<()> {
    for (machine, bits, most) in STEPS {
        let mut boards = BOARDS.iter();
        let board = boards.find(|board| board.machine == machine);
        let board = board.context("no such board")?;
        let found = measure(board, bits, Some(random_model(bits)?), board.export)?;
        let (steps, ram) = (found.instructions_per_step, found.ram_bytes);
        println!("{board}, {bits} bits: {steps} instructions a step, at most {most}");
        ensure!(
            steps <= most,
            "{board}, {bits} bits: {steps} instructions a step, more than {most}"
        );
        ensure!(
            ram <= SESSION,
            "{board}: a session takes {ram} bytes, more than {SESSION}"
        );
    }
    let (steps, _) = engine_bytes(None)?;
    println!("the engine's steps: {steps} bytes of flash, at most {ENGINE}");
    ensure!(
        steps <= ENGINE,
        "the engine's steps take {steps} bytes of flash, more than {ENGINE}"
    );
    Ok(())
}
