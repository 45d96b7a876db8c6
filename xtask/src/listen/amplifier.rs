//! The guitar amplifier: blocks of f32 there and back.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use gatelet::{Scalar, Session};
use gatelet_sound::synth::guitar;
use serde::Deserialize;

use super::model::Image;
use super::start::start;
use super::wav::Sound;
use crate::command::json_line;
use crate::serial::Serial;
use crate::units::grouped;

/// Samples a second of what the net was trained on.
pub(super) const RATE: u32 = guitar::RATE;
/// The board: a Cortex-M7 with an FPU.
const MACHINE: &str = "mps2-an500";
/// Samples of a block, as `firmware/src/stream.rs` has room for.
const BLOCK: usize = 128;
/// The most that a sample of the board's may be off from the specification's: a fifth of the last
/// bit of 16.
const BOUND: f32 = 6e-6;
/// Seed of the sound that is made up; the net was trained on others. Its samples.
const MADE_UP: (u64, usize) = (2_000_003, 96_000);

/// What the board says at the end.
#[derive(Debug, Deserialize)]
struct Ended {
    samples: u64,
    instructions: u64,
    most: u64,
}

pub(super) fn made_up() -> Vec<f32> {
    let (seed, samples) = MADE_UP;
    guitar::play(seed, samples)
}

/// Sends a sound through the board; what comes out, which is near what the session here makes of
/// it.
pub(super) fn run(path: &Path, sound: &Sound) -> Result<Sound> {
    let asked = here(path, &sound.samples)?;
    let mut serial = start("amplifier", MACHINE, path)?;
    let started = Instant::now();
    let found = there(&mut serial, &sound.samples)?;
    serial.send(&[])?;
    let ended: Ended = json_line(&serial.line()?)?;
    ensure!(
        ended.samples == found.len() as u64,
        "the board has counted {} samples, not {}",
        ended.samples,
        found.len()
    );
    println!(
        "{} samples through it in {:.1} s",
        grouped(ended.samples),
        started.elapsed().as_secs_f32()
    );
    println!(
        "instructions a sample: {} (at most {}); at {} Hz {:.0} million a second",
        grouped(ended.instructions),
        grouped(ended.most),
        grouped(u64::from(RATE)),
        ended.instructions as f64 * f64::from(RATE) / 1e6
    );
    let off = largest(&found, &asked);
    println!(
        "off from the specification on this machine by at most {off:.1e}; allowed {BOUND:.0e}"
    );
    ensure!(
        off <= BOUND,
        "the board's sound is not that of this machine"
    );
    Ok(Sound {
        samples: found,
        rate: RATE,
    })
}

/// The largest difference; of one that is no number the largest is none either.
fn largest(found: &[f32], asked: &[f32]) -> f32 {
    let offs = found.iter().zip(asked).map(|(a, b)| (a - b).abs());
    offs.fold(0.0, |most: f32, off| {
        if most.is_nan() || off <= most {
            most
        } else {
            off
        }
    })
}

/// What the specification makes of a sound.
fn here(path: &Path, sound: &[f32]) -> Result<Vec<f32>> {
    let image = Image::read(path)?;
    let model = image.model()?;
    let mut storage = vec![0; model.net().state_words()];
    let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    let mut session = Session::new(&model, Scalar, &mut storage).map_err(|e| failed(&e))?;
    let mut amplified = Vec::with_capacity(sound.len());
    for &x in sound {
        session.step(&[x]).map_err(|e| failed(&e))?;
        amplified.push(session.values(0).next().context("the net gives nothing")?);
    }
    Ok(amplified)
}

/// What the board makes of it.
fn there(serial: &mut Serial, sound: &[f32]) -> Result<Vec<f32>> {
    let mut amplified = Vec::with_capacity(sound.len());
    for samples in sound.chunks(BLOCK) {
        let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        serial.send(&bytes)?;
        let block = serial.block()?;
        let (numbers, rest) = block.as_chunks();
        ensure!(
            numbers.len() == samples.len() && rest.is_empty(),
            "the board answers {} samples with {} bytes",
            samples.len(),
            block.len()
        );
        amplified.extend(numbers.iter().map(|&x| f32::from_le_bytes(x)));
    }
    Ok(amplified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_no_number_is_no_small_one() {
        assert_eq!(largest(&[1.0, 2.0], &[1.0, 2.5]), 0.5);
        assert!(largest(&[f32::NAN, 2.0], &[1.0, 2.0]).is_nan());
    }
}
