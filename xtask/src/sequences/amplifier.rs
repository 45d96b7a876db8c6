//! An amplifier that is made up, and how near a net comes to it.
//!
//! ```text
//! learn/input_0.wav, target_0.wav, ..    takes of a second, each from silence on
//! chosen/                                others, by which the best net of a run is chosen
//! test_in.wav, test_out.wav              ten seconds that nothing was learnt or chosen by
//! ESR = sum (y - y')^2 / sum y^2         y' what `gatelet run` makes of test_in.wav with an image
//! ```
//! Strings and circuit are those of `gatelet_sound::synth`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use gatelet_sound::synth::circuit::Circuit;
use gatelet_sound::synth::guitar::{RATE, play};

use crate::command::{gatelet, output};
use crate::listen::wav::Sound;

/// Takes to learn from, and to choose by; seconds of the test; the first seed of each.
const PARTS: [(&str, u64, u64); 2] = [("learn", 64, 100_000), ("chosen", 8, 500_000)];
const TEST: (usize, u64) = (10, 1_000_003);

/// Strings, and what the circuit makes of them.
fn take(seed: u64, samples: usize, paths: [PathBuf; 2]) -> Result<()> {
    let dry = play(seed, samples);
    let mut circuit = Circuit::new();
    let wet = dry.iter().map(|&x| circuit.next(x)).collect();
    for (path, samples) in paths.iter().zip([dry, wet]) {
        let sound = Sound {
            samples,
            rate: RATE,
        };
        fs::write(path, sound.to_bytes()?)?;
    }
    Ok(())
}

/// Makes the sounds in a folder.
pub(super) fn made(folder: &Path) -> Result<()> {
    for (part, takes, seed) in PARTS {
        let part = folder.join(part);
        fs::create_dir_all(&part)?;
        for index in 0..takes {
            let paths = ["input", "target"].map(|side| part.join(format!("{side}_{index}.wav")));
            take(seed + index, RATE as usize, paths)?;
        }
    }
    let (seconds, seed) = TEST;
    let paths = ["test_in.wav", "test_out.wav"].map(|name| folder.join(name));
    take(seed, seconds * RATE as usize, paths)
}

/// Error to signal of an image on the test.
pub(super) fn error(image: &Path, folder: &Path) -> Result<f64> {
    let found = image.with_extension("wav");
    let mut run = gatelet()?;
    run.arg("run").arg(image).arg("--input");
    run.arg(folder.join("test_in.wav"))
        .arg("--output")
        .arg(&found);
    output(run.arg("--force"))?;
    let [asked, found] = [&folder.join("test_out.wav"), &found].map(|path| Sound::read(path));
    let (asked, found) = (asked?.samples, found?.samples);
    ensure!(
        asked.len() == found.len(),
        "{} samples, not {}",
        found.len(),
        asked.len()
    );
    let squares = |all: &mut dyn Iterator<Item = f32>| all.map(|x| f64::from(x * x)).sum::<f64>();
    let noise = squares(&mut found.iter().zip(&asked).map(|(a, b)| a - b));
    Ok(noise / squares(&mut asked.iter().copied()))
}
