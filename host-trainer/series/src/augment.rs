//! Training data that is never twice the same.

use crate::random::{between, hash, normal};

/// How inputs are changed while training. Every number is drawn from the seed, the epoch, the
/// sequence and the step alone, so that threads and the sizes of batches change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Augment {
    /// Deviation of what is added to every number, in the units of the inputs.
    pub noise: f32,
    /// A sequence is multiplied by a number within `1 - gain..1 + gain`.
    pub gain: f32,
    /// A sequence begins up to so many steps earlier or later: see [`crate::Set::read_shifted`].
    pub shift: usize,
    /// What the numbers are drawn from.
    pub seed: u64,
}

/// What a number is drawn for.
const GAIN: u64 = 1;
const SHIFT: u64 = 2;
const NOISE: u64 = 3;

impl Augment {
    /// How many steps later a sequence begins in an epoch; earlier, where it is negative.
    pub fn shift(&self, epoch: u64, k: usize) -> i64 {
        let choices = 2 * self.shift as u64 + 1;
        let bits = hash(&[self.seed, SHIFT, epoch, k as u64]);
        let chosen = (u128::from(bits) * u128::from(choices)) >> 64;
        chosen as i64 - self.shift as i64
    }

    /// Changes the inputs `[steps, width]` of a sequence from step `steps_from` on: first the gain,
    /// then the noise. The shift is for reading.
    pub fn apply(&self, epoch: u64, k: usize, steps_from: usize, inputs: &mut [f32], width: usize) {
        if self.gain != 0.0 {
            let bits = hash(&[self.seed, GAIN, epoch, k as u64]);
            let gain = 1.0 + self.gain * between(bits);
            inputs.iter_mut().for_each(|x| *x *= gain);
        }
        if self.noise != 0.0 {
            let key = hash(&[self.seed, NOISE, epoch, k as u64]);
            let first = steps_from as u64 * width as u64;
            for (at, x) in (first..).zip(inputs) {
                *x += self.noise * normal(hash(&[key, at]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUGMENT: Augment = Augment {
        noise: 0.5,
        gain: 0.1,
        shift: 3,
        seed: 7,
    };

    #[test]
    fn pieces_are_changed_as_the_whole_is() {
        let mut whole = [1.0; 12];
        AUGMENT.apply(2, 5, 0, &mut whole, 3);
        let mut pieces = [1.0; 12];
        let (first, rest) = pieces.split_at_mut(3);
        AUGMENT.apply(2, 5, 1, rest, 3);
        AUGMENT.apply(2, 5, 0, first, 3);
        assert_eq!(whole, pieces);
        let mut other = [1.0; 12];
        AUGMENT.apply(3, 5, 0, &mut other, 3);
        assert!(whole.iter().zip(&other).all(|(a, b)| a != b));
    }

    #[test]
    fn shifts_are_within_what_was_asked_for() {
        let mut counts = [0; 7];
        for k in 0..700 {
            counts[(AUGMENT.shift(0, k) + 3) as usize] += 1;
        }
        assert!(counts.iter().all(|&n| n > 50), "{counts:?}");
        assert_eq!(Augment::default().shift(1, 2), 0);
        let mut same = [0.5, 2.0];
        Augment::default().apply(0, 0, 0, &mut same, 1);
        assert_eq!(same, [0.5, 2.0]);
    }
}
