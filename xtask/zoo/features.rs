//! The front end of RNNoise, as the crate nnnoiseless has it: 42 features of each 10 ms of sound.
//!
//! Standard input: f32, little-endian, 48 kHz, within +-32768. Standard output: [frames, 42] f32.
//! `cargo xtask zoo` builds this in a folder of its own, with the crate as its only dependency.

use std::io::{self, Read, Write};

use nnnoiseless::{DenoiseFeatures, FRAME_SIZE};

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let numbers = bytes.chunks_exact(4);
    let samples: Vec<f32> = numbers
        .map(|of| f32::from_le_bytes([of[0], of[1], of[2], of[3]]))
        .collect();
    let (mut features, mut all) = (DenoiseFeatures::new(), Vec::new());
    for frame in samples.chunks_exact(FRAME_SIZE) {
        features.shift_and_filter_input(frame);
        if features.compute_frame_features() {
            // The crate leaves its net out of such a frame.
            return Err(io::Error::other("a frame is silent"));
        }
        all.extend(features.features().iter().flat_map(|x| x.to_le_bytes()));
    }
    io::stdout().write_all(&all)
}
