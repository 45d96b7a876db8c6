//! The kernels of every board on models of many shapes, scales and layouts, compared with the
//! specification there and with this machine: those that a kernel is made for, and those on which
//! it falls back to another.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::bench::random;
use gatelet_boards::Processor;

use crate::board::{Board, in_qemu};
use crate::command::{cargo, json_line, output, work_folder};
use crate::elf::Embedded;
use crate::emulator;
use crate::firmware::program;

/// Hidden sizes around the edges of every tile: rows by 4, units by 8, columns by 4, 16 and (two
/// layers) 64.
const HIDDEN: [usize; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33];
/// Wide ones, as RNN only, for the smallest board's flash: 128 and 144 columns.
const WIDE: [usize; 2] = [64, 70];

/// Models of words: tied and not, with one of embedding and projection and with both, widths around
/// groups of columns and blocks of rows.
const WORDS: [&str; 10] = [
    "--cell rnn --hidden 5 --vocab 9 --embedding 4 --projection 4 --tied",
    "--cell lstm --hidden 8 --vocab 33 --embedding 7 --projection 7 --tied",
    "--cell lstm --hidden 17 --vocab 70 --embedding 17 --tied",
    "--cell lstm --hidden 32 --vocab 40 --embedding 24 --projection 24 --tied --layers 2",
    "--cell rnn --hidden 33 --vocab 41 --embedding 32 --projection 32 --tied --layers 2",
    "--cell lstm --hidden 16 --vocab 42 --embedding 9",
    "--cell rnn --hidden 9 --vocab 7 --embedding 16 --projection 5",
    "--cell lstm --hidden 12 --vocab 30 --projection 13",
    "--cell lstm --hidden 7 --vocab 31 --embedding 6 --projection 31 --layers 2",
    "--cell rnn --hidden 4 --vocab 50",
];

/// Models with 4-bit weights: around words of eight columns and blocks of four rows, and past the
/// turns that are unrolled.
const FOUR_BITS: [&str; 17] = [
    "--cell rnn --hidden 1 --vocab 2 --bits 4",
    "--cell lstm --hidden 3 --vocab 5 --bits 4",
    "--cell lstm --hidden 4 --vocab 8 --bits 4",
    "--cell rnn --hidden 7 --vocab 9 --bits 4 --layers 2",
    "--cell lstm --hidden 8 --vocab 3 --bits 4 --layers 2",
    "--cell rnn --hidden 12 --vocab 6 --bits 4",
    "--cell lstm --hidden 17 --vocab 10 --bits 4",
    "--cell lstm --hidden 31 --vocab 7 --bits 4 --layers 2",
    "--cell lstm --hidden 32 --vocab 13 --bits 4",
    "--cell lstm --hidden 33 --vocab 9 --bits 4",
    "--cell lstm --hidden 37 --vocab 8 --bits 4 --layers 2",
    "--cell rnn --hidden 33 --vocab 11 --bits 4 --layers 2",
    "--cell rnn --hidden 64 --vocab 12 --bits 4",
    "--cell rnn --hidden 70 --vocab 4 --bits 4 --layers 2",
    "--cell lstm --hidden 20 --vocab 30 --bits w4 --layers 2",
    "--cell lstm --hidden 16 --vocab 33 --bits w4 --embedding 12 --projection 12 --tied --words",
    "--cell rnn --hidden 24 --vocab 20 --bits 4 --embedding 8",
];

/// Flash kept free for the board's program. The M55's, with three kernels built for speed, is the
/// largest.
fn code(board: &Board) -> usize {
    match board.processor {
        Processor::CortexM55 => 192 << 10,
        _ => 168 << 10,
    }
}

/// What stands behind the models: a length of zero.
const END: [u8; 16] = [0; 16];

/// What the board's program prints.
#[derive(Debug, Deserialize)]
struct Compared {
    kernels: Vec<String>,
    models: usize,
    steps: u64,
}

/// Makes the models and runs them on every board, in as many loads as its flash needs.
pub(crate) fn run() -> Result<()> {
    let mut models = fallbacks()?;
    for export in ["any", "cortex-m4"] {
        models.extend(usual(export)?);
    }
    for board in in_qemu() {
        run_on(board, &models)?;
    }
    Ok(())
}

fn run_on(board: &'static Board, models: &[Vec<u8>]) -> Result<()> {
    let room = board.flash_bytes - code(board) - END.len();
    let loads: Vec<Vec<u8>> = loads(models, room)
        .iter()
        .map(|load| load.concat())
        .collect();
    let largest = loads.iter().max_by_key(|load| load.len());
    let largest = [largest.context("no model fits")?, &END[..]].concat();

    // Linked once: the other loads take the place of the first.
    let path = work_folder()?.join(format!("shapes-{board}.bin"));
    gatelet_files::replace(&path, &largest)?;
    let elf = program("shapes", &["log-rtt"])
        .board(board)
        .variable("GATELET_SHAPES", path.display())
        .build()?
        .elf;
    let linked = Embedded::find(std::fs::read(&elf)?, &largest)?;
    let (mut kernels, mut compared, mut steps) = (Vec::new(), 0, 0);
    let loaded = work_folder()?.join(format!("shapes-{board}.elf"));
    for load in &loads {
        gatelet_files::replace(&loaded, &linked.replaced(load)?)?;
        let found: Compared = json_line(&emulator::run_to_end(&loaded, board)?)?;
        (kernels, compared, steps) = (found.kernels, compared + found.models, steps + found.steps);
    }
    let fitting = models.iter().filter(|model| model.len() <= room).count();
    ensure!(
        compared == fitting,
        "{board}: {compared} of {fitting} models were run"
    );
    println!(
        "{board}, {}: {compared} models, {steps} steps; {} models are too large for its flash",
        kernels.join(" and "),
        models.len() - compared,
    );
    Ok(())
}

/// Divides models into loads of at most `room` bytes: each goes into the first that has room. What
/// is larger is left out.
fn loads(models: &[Vec<u8>], room: usize) -> Vec<Vec<&[u8]>> {
    let mut loads: Vec<(usize, Vec<&[u8]>)> = Vec::new();
    for model in models.iter().filter(|model| model.len() <= room) {
        let place = loads
            .iter_mut()
            .find(|(bytes, _)| bytes + model.len() <= room);
        match place {
            Some((bytes, load)) => {
                *bytes += model.len();
                load.push(model);
            }
            None => loads.push((model.len(), vec![model])),
        }
    }
    loads.into_iter().map(|(_, load)| load).collect()
}

/// An image behind 16 bytes that begin with its length.
fn with_length(image: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        image.len().is_multiple_of(16),
        "an image is no multiple of 16"
    );
    let mut model = u32::try_from(image.len())?.to_le_bytes().to_vec();
    model.extend([0; 12]);
    model.extend(image);
    Ok(model)
}

/// Models on which kernels fall back: `tests/same-bits/src/boards.rs`.
fn fallbacks() -> Result<Vec<Vec<u8>>> {
    let path = work_folder()?.join("shapes-fallbacks.bin");
    let mut writer = cargo();
    writer.args(["run", "-q", "--bin", "gatelet-same-bits", "--", "--write"]);
    output(writer.arg(&path))?;
    let file = std::fs::read(&path)?;
    let (mut models, mut rest) = (Vec::new(), file.as_slice());
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let end = 16 + u32::from_le_bytes(*length) as usize;
        let (model, behind) = rest.split_at_checked(end).context("a model is cut off")?;
        models.push(with_length(&model[16..])?);
        rest = behind;
    }
    Ok(models)
}

/// Models as the trainer makes them, in the layout for a target.
fn usual(export: &str) -> Result<Vec<Vec<u8>>> {
    let make = |(index, (cell, layers, hidden)): (usize, (&str, usize, usize))| {
        // 2 to 10 tokens: rows of the head around a block of four.
        let (layers, hidden) = (layers.to_string(), hidden.to_string());
        let (vocab, seed) = ((2 + index % 9).to_string(), (1 + index).to_string());
        let shape = [
            "--cell", cell, "--layers", &layers, "--hidden", &hidden, "--vocab", &vocab, "--seed",
            &seed, "--bits", "8", "--target", export,
        ];
        with_length(&std::fs::read(random(&shape, "shape.gatelet")?)?)
    };
    let plain = shapes().into_iter().enumerate().map(make);
    plain
        .chain(
            WORDS
                .iter()
                .map(|shape| made(&format!("{shape} --words"), export)),
        )
        .chain(FOUR_BITS.iter().map(|shape| made(shape, export)))
        .collect()
}

/// A model of random weights, in the layout for a target.
pub(crate) fn made(shape: &str, export: &str) -> Result<Vec<u8>> {
    let options = shape.split(' ').chain(["--target", export]);
    let options: Vec<&str> = options.collect();
    with_length(&std::fs::read(random(&options, "shape.gatelet")?)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_fits_and_a_model_too_large_is_left_out() {
        let models = [5, 9, 3, 11, 2, 10].map(|bytes| vec![0; bytes]);
        let lengths: Vec<Vec<usize>> = loads(&models, 10)
            .iter()
            .map(|load| load.iter().map(|model| model.len()).collect())
            .collect();
        assert_eq!(lengths, [vec![5, 3, 2], vec![9], vec![10]]);
    }
}
