//! The kernels of every board on models of many shapes, compared with the specification there and with this machine.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::bench::random;
use crate::board::{BOARDS, Board};
use crate::command::work_folder;
use crate::emulator;
use crate::firmware::program;
use crate::selftest::json_line;

/// Hidden sizes around the edges of every tile: rows by 4, units by 8, columns by 4, 16 and (two layers) 64.
const HIDDEN: [usize; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33];
/// Wide ones, as RNN only, for the smallest board's flash: 128 and 144 columns.
const WIDE: [usize; 2] = [64, 70];

/// What the board's program prints.
#[derive(Debug, Deserialize)]
struct Compared {
    kernel: String,
    models: usize,
    steps: u64,
}

/// Makes the models and runs them on every board.
pub(crate) fn run() -> Result<()> {
    let mut exports: Vec<_> = BOARDS.iter().map(|board| board.export).collect();
    exports.sort_unstable();
    exports.dedup();
    for export in exports {
        let (bundle, models) = bundle(export)?;
        let path = work_folder()?.join(format!("shapes-{export}.bin"));
        std::fs::write(&path, bundle)
            .with_context(|| format!("cannot write {}", path.display()))?;
        for board in BOARDS.iter().filter(|board| board.export == export) {
            let compared = run_on(board, &path)?;
            println!(
                "{board}, kernel {}: {} models, {} steps",
                compared.kernel, compared.models, compared.steps
            );
            ensure!(compared.models == models, "{board}: {models} were made");
        }
    }
    Ok(())
}

fn run_on(board: &'static Board, path: &std::path::Path) -> Result<Compared> {
    let elf = program("shapes", &["log-rtt"])
        .board(board)
        .variable("GATELET_SHAPES", path.display())
        .build()?
        .elf;
    json_line(&emulator::run_to_end(&elf, board)?)
}

/// All images in the layout for a target, each behind 16 bytes that begin with its length; and how many.
fn bundle(export: &str) -> Result<(Vec<u8>, usize)> {
    let mut bundle = Vec::new();
    let shapes = shapes();
    for (index, (cell, layers, hidden)) in shapes.iter().enumerate() {
        // 2 to 10 tokens: rows of the head around a block of four.
        let (layers, hidden) = (layers.to_string(), hidden.to_string());
        let (vocab, seed) = ((2 + index % 9).to_string(), (1 + index).to_string());
        let shape = [
            "--cell", cell, "--layers", &layers, "--hidden", &hidden, "--vocab", &vocab, "--seed",
            &seed, "--bits", "8", "--target", export,
        ];
        let image = std::fs::read(random(&shape, "shape.gatelet")?)?;
        let length = u32::try_from(image.len())?;
        bundle.extend(length.to_le_bytes());
        bundle.extend([0; 12]);
        bundle.extend(image);
        ensure!(bundle.len() % 16 == 0, "an image is no multiple of 16");
    }
    Ok((bundle, shapes.len()))
}

fn shapes() -> Vec<(&'static str, usize, usize)> {
    let mut shapes = Vec::new();
    for cell in ["rnn", "lstm"] {
        for layers in [1, 2] {
            shapes.extend(HIDDEN.map(|hidden| (cell, layers, hidden)));
        }
    }
    shapes.extend(WIDE.map(|hidden| ("rnn", 2, hidden)));
    shapes
}
