//! A stream at another rate, block by block.
//!
//! ```text
//! g = gcd(from, to)         from / g samples are to / g of the other rate: a unit
//! room | block | room       of units each: what `resampled` makes of all three is right in the block
//! ```
//! So the result is that of the whole stream at once, later by the room behind a block.

use gatelet_sound::synth::rate::{REACH, resampled};

/// Blocks a second, about.
const BLOCKS: u32 = 50;

/// A stream that is resampled.
#[derive(Debug)]
pub(super) struct Resampler {
    from: u32,
    to: u32,
    /// Samples that go in and come out, of a block and of the room on either side of it.
    block: [usize; 2],
    room: [usize; 2],
    /// Samples from the room before the next block on.
    kept: Vec<f32>,
}

fn gcd(a: u32, b: u32) -> u32 {
    match b {
        0 => a,
        b => gcd(b, a % b),
    }
}

impl Resampler {
    /// From one rate to another, in Hz, after silence.
    pub(super) fn new(from: u32, to: u32) -> Self {
        let unit = gcd(from, to).max(1);
        let unit = [from / unit, to / unit].map(|samples| samples as usize);
        let reach = (REACH * (f64::from(from) / f64::from(to)).max(1.0)).ceil() as usize + 1;
        let of = |units: usize| unit.map(|samples| units * samples);
        let room = of(reach.div_ceil(unit[0]));
        Self {
            from,
            to,
            block: of(((from / BLOCKS) as usize / unit[0]).max(1)),
            room,
            kept: vec![0.0; room[0]],
        }
    }

    /// Takes samples in, and gives those that are known now.
    pub(super) fn push(&mut self, samples: &[f32]) -> Vec<f32> {
        self.kept.extend_from_slice(samples);
        let mut out = Vec::new();
        while let Some(all) = self.kept.get(..self.block[0] + 2 * self.room[0]) {
            let all = resampled(all, self.from, self.to);
            out.extend_from_slice(&all[self.room[1]..][..self.block[1]]);
            self.kept.drain(..self.block[0]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_the_whole_stream() {
        let sound: Vec<f32> = (0..30_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.5)
            .collect();
        for (from, to) in [
            (48_000, 16_000),
            (44_100, 16_000),
            (11_025, 16_000),
            (8_000, 16_000),
            (44_100, 48_000),
            (16_001, 16_000),
        ] {
            let whole = resampled(&sound, from, to);
            for piece in [1_000, 441, 7] {
                let mut resampler = Resampler::new(from, to);
                let pushed = sound.chunks(piece).map(|piece| resampler.push(piece));
                let found = pushed.collect::<Vec<_>>().concat();
                // All but the last block and the room behind it.
                let late = resampler.block[1] + resampler.room[1];
                assert!(found.len() + late >= whole.len(), "{from} {to}");
                let off = found.iter().zip(&whole).map(|(a, b)| (a - b).abs());
                let off = off.fold(0.0, f32::max);
                assert!(off < 1e-6, "{from} {to} {piece}: {off}");
            }
        }
    }
}
