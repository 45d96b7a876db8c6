//! A sentence of words, with other speech and noise between, streamed to the board.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use gatelet::Scalar;
use gatelet_sound::Spotter;
use gatelet_sound::bands::RATE;
use gatelet_sound::spotter::{CLASSES, OTHER, THRESHOLD, is_spotter};

use super::set::Set;
use crate::board;
use crate::listen::model::Image;
use crate::listen::start::start;
use crate::units::grouped;

/// Samples of a block.
const BLOCK: usize = 256;
/// Seconds of words, and of talk between.
const WORDS: usize = 8;
const TALK: usize = 6;

/// The lines that this machine says.
fn said_here(path: &Path, samples: &[i16]) -> Result<Vec<String>> {
    let image = Image::read(path)?;
    let model = image.model()?;
    ensure!(
        is_spotter(&model),
        "{}: it is no spotter of these words",
        path.display()
    );
    let failed = |error: &dyn Display| anyhow!("{}: {error}", path.display());
    let mut storage = vec![0; model.session_words()];
    let spotter = Spotter::new(&model, Scalar, &mut storage, THRESHOLD);
    let mut spotter = spotter.map_err(|error| failed(&error))?;
    let mut lines = Vec::new();
    let pushed = spotter.push(samples, |heard| lines.push(heard.to_string()));
    pushed.map_err(|error| failed(&error))?;
    lines.push(format!("states {:016x}", spotter.states()));
    Ok(lines)
}

/// Lets the board listen, and prints what it hears as it comes; the same lines and states as here.
pub(super) fn run(path: &Path, set: &Set) -> Result<()> {
    let (words, talk) = (set.stream("test-words")?, set.stream("test-talk")?);
    let rate = RATE as usize;
    let part = |of: &[i16], from: usize, seconds: usize| {
        let of = of.get(from * rate..(from + seconds) * rate);
        of.unwrap_or_default().to_vec()
    };
    let mut samples = part(&words.samples, 0, WORDS);
    samples.extend(part(&talk.samples, 0, TALK));
    samples.extend(part(&words.samples, WORDS, WORDS));
    println!("what is said, by voices it never heard, 10 dB over noise:");
    for span in words.said.iter().filter(|of| of.class != OTHER) {
        let late = if span.end > WORDS as f64 { TALK } else { 0 };
        if span.end < 2.0 * WORDS as f64 {
            let word = CLASSES.get(span.class).copied().unwrap_or_default();
            println!("    {:7.2} s  {word}", span.end + late as f64);
        }
    }
    let asked = said_here(path, &samples)?;
    let mut serial = start("keyword", board::default().id(), path)?;
    println!("  | {}", serial.line()?);
    let (started, mut said) = (Instant::now(), Vec::new());
    for block in samples.chunks(BLOCK).chain([&[][..]]) {
        let bytes: Vec<u8> = block.iter().flat_map(|x| x.to_le_bytes()).collect();
        serial.send(&bytes)?;
        for line in serial.acknowledged()? {
            println!("  | {line}");
            said.push(line);
        }
    }
    println!(
        "{} samples in {:.1} s",
        grouped(samples.len() as u64),
        started.elapsed().as_secs_f32()
    );
    ensure!(
        said == asked,
        "this machine hears something else: {asked:?}"
    );
    println!("the same words, scores and states on this machine");
    Ok(())
}
