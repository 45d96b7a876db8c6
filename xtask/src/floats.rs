//! f32 on the boards with an FPU: its kernel against the specification, and what it takes.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::board::{Board, in_qemu};
use crate::command::{json_line, work_folder};
use crate::emulator;
use crate::firmware::program;
use crate::shapes::made;
use crate::units::grouped;

/// A Cortex-M4F, an M7 and an M33.
const MACHINES: [&str; 3] = ["mps2-an386", "mps2-an500", "mps2-an505"];

/// Hidden sizes around groups of four and tiles of eight.
const HIDDEN: [usize; 18] = [
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24, 31, 32, 33, 40,
];

/// Embeddings, projections, tied heads, and sizes whose cost is followed. The first stands for an
/// LSTM with one number as its input, which takes four columns.
const MODELS: [&str; 6] = [
    "--cell lstm --hidden 20 --vocab 2 --embedding 4",
    "--cell lstm --hidden 17 --vocab 70 --embedding 17 --tied",
    "--cell rnn --hidden 33 --vocab 41 --embedding 32 --projection 32 --tied --layers 2",
    "--cell lstm --hidden 12 --vocab 30 --projection 13",
    "--cell lstm --hidden 7 --vocab 31 --embedding 6 --projection 31 --layers 3",
    "--cell lstm --hidden 64 --vocab 64",
];

/// What core's test finds for the same sweep on the host (`core/src/fixed/activation/exp2.rs`).
const ACTIVATIONS: &str = "f0b5db46d96b2423";

/// What something may take at most: instructions, or a hundredth of an instruction for each
/// multiply-accumulate.
const MOST: [(&str, Most); 4] = [
    ("products 16", Most::Hundredths(160)),
    ("products 40", Most::Hundredths(140)),
    ("gru 24", Most::Instructions(6_500)),
    (
        "tokens 2 | embedding 4 | lstm 20 | dense 2",
        Most::Instructions(6_600),
    ),
];

enum Most {
    Instructions(u64),
    Hundredths(u64),
}

/// A line of the board's program.
#[derive(Debug, Deserialize)]
struct Counted {
    name: String,
    macs: u64,
    instructions: u64,
    /// Of the same by the specification.
    scalar: u64,
    worst: f64,
}

/// Its last line.
#[derive(Debug, Deserialize)]
struct Ended {
    kernel: String,
    models: usize,
    activations: String,
}

/// Makes the models, runs them on every board, and compares; prints what is counted as a table.
pub(crate) fn run() -> Result<()> {
    let shapes = shapes();
    let models = shapes.iter().map(|shape| made(shape, "any"));
    let models = models.collect::<Result<Vec<_>>>()?;
    let path = work_folder()?.join("floats.bin");
    gatelet_files::replace(&path, &models.concat())?;
    for machine in MACHINES {
        let board = in_qemu().iter().find(|board| board.id() == machine);
        let board = board.context("no such board")?;
        let elf = program("floats", &["log-rtt"])
            .board(board)
            .variable("GATELET_SHAPES", path.display())
            .build()?
            .elf;
        check(board, models.len(), &emulator::run_to_end(&elf, board)?)?;
    }
    Ok(())
}

fn shapes() -> Vec<String> {
    let mut shapes: Vec<String> = MODELS.map(|shape| format!("{shape} --bits f32")).into();
    for (index, hidden) in HIDDEN.into_iter().enumerate() {
        for (cell, layers) in [("rnn", 1 + index % 3), ("lstm", 1 + (index + 1) % 3)] {
            let vocab = 2 + index % 9;
            shapes.push(format!(
                "--cell {cell} --hidden {hidden} --layers {layers} --vocab {vocab} --bits f32"
            ));
        }
    }
    shapes
}

/// What a board's program has said.
fn check(board: &Board, models: usize, said: &str) -> Result<()> {
    let ended: Ended = json_line(said)?;
    ensure!(
        ended.models == models && ended.kernel == "fpu",
        "{board}: {} of {models} models were run, with {}",
        ended.models,
        ended.kernel
    );
    ensure!(
        ended.activations == ACTIVATIONS,
        "{board}: sigmoid and tanh are other numbers than the host's: {}",
        ended.activations
    );
    let lines = said.trim().lines();
    let counted = lines.clone().take(lines.count() - 1).map(json_line);
    let counted: Vec<Counted> = counted.collect::<Result<_>>()?;
    print!("{}", table(board, &counted));
    for (name, most) in MOST {
        let found = counted
            .iter()
            .find(|counted| counted.name.starts_with(name));
        let found = found.with_context(|| format!("{board}: {name} was not counted"))?;
        let most = match most {
            Most::Instructions(n) => n,
            Most::Hundredths(n) => n * found.macs / 100,
        };
        let (name, instructions) = (&found.name, found.instructions);
        ensure!(
            instructions <= most,
            "{board}, {name}: {instructions} instructions, more than {most}"
        );
    }
    Ok(())
}

/// As in docs/benchmarks.md.
fn table(board: &Board, counted: &[Counted]) -> String {
    let mut table = format!(
        "{board}, {}\n| | multiply-accumulates | instructions | a multiply-accumulate | scalar | off by |\n|---|---|---|---|---|---|\n",
        board.processor.name()
    );
    for Counted {
        name,
        macs,
        instructions,
        scalar,
        worst,
    } in counted
    {
        let each = *instructions as f64 / *macs as f64;
        // A bar would begin a column.
        let name = name.replace(" | ", ", ");
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {each:.2} | {} | {worst:.1e} |",
            grouped(*macs),
            grouped(*instructions),
            grouped(*scalar),
        );
    }
    table
}
