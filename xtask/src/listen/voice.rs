//! Voice or noise: frames of 16-bit samples there, lines back.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use gatelet::Scalar;
use gatelet_sound::Listener;
use gatelet_sound::bands::{self, FRAME};
use gatelet_sound::synth::scene::scene;

use super::model::Image;
use super::start::start;
use super::wav::Sound;
use crate::board;
use crate::units::grouped;

/// Samples a second of what the net was trained on.
pub(super) const RATE: u32 = bands::RATE;
/// Seed of the scene that is made up; the net was trained on others. Its frames.
const MADE_UP: (u64, usize) = ((1 << 41) + 3, 625);

pub(super) fn made_up() -> Vec<f32> {
    let (seed, frames) = MADE_UP;
    let samples = scene(seed, frames).samples;
    samples.iter().map(|&x| f32::from(x) / 32_768.0).collect()
}

/// Lets the board listen to a sound, and prints what it hears as it comes; the same lines and
/// states as here.
pub(super) fn run(path: &Path, sound: &Sound) -> Result<()> {
    let samples = sound.integers();
    let (frames, rest) = samples.as_chunks::<FRAME>();
    ensure!(
        !frames.is_empty(),
        "the sound is shorter than a frame of {FRAME} samples"
    );
    let asked = here(path, frames)?;
    let mut serial = start("voice", board::default().id(), path)?;
    println!("  | {}", serial.line()?);
    let started = Instant::now();
    let mut said = Vec::new();
    for frame in frames.iter().map(Some).chain([None]) {
        let frame = frame.map_or(&[][..], |frame| frame);
        let bytes: Vec<u8> = frame.iter().flat_map(|x| x.to_le_bytes()).collect();
        serial.send(&bytes)?;
        for line in serial.acknowledged()? {
            println!("  | {line}");
            said.push(line);
        }
    }
    println!(
        "{} frames in {:.1} s; {} samples at the end are no whole frame",
        grouped(frames.len() as u64),
        started.elapsed().as_secs_f32(),
        rest.len()
    );
    ensure!(
        said == asked,
        "this machine hears something else: {asked:?}"
    );
    println!("the same lines, scores and states on this machine");
    Ok(())
}

/// What the specification hears.
fn here(path: &Path, frames: &[[i16; FRAME]]) -> Result<Vec<String>> {
    let image = Image::read(path)?;
    let model = image.model()?;
    let mut storage = vec![0; model.net().state_words()];
    let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
    let mut listener = Listener::new(&model, Scalar, &mut storage).map_err(|e| failed(&e))?;
    let mut said = Vec::new();
    for frame in frames {
        let change = listener.frame(frame).map_err(|e| failed(&e))?;
        said.extend(change.map(|change| change.to_string()));
    }
    said.push(listener.hearing().to_string());
    said.push(format!("states {:016x}", listener.states()));
    Ok(said)
}
