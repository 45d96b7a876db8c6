//! The range of a row of weights: what its largest integer stands for.
//!
//! ```text
//! 8 bits   range = max |w|                                            q = round(127 w / range)
//! 4 bits   range = the part of max |w| with the least sum of (w - q range / 7)^2        q = round(7 w / range), cut to +-7
//! ```
//! With 255 steps nothing is gained by cutting a row's largest weight off; with 15 a finer step for all others is worth
//! it. The parts that are tried are fixed, so that a row's range depends on the row alone.

use pulp::{Arch, NullaryFnOnce};

/// The largest integer of so many bits; the range is symmetric.
pub const fn largest(bits: u8) -> f32 {
    ((1_u32 << (bits - 1)) - 1) as f32
}

/// Parts of the largest magnitude that are tried, in steps of 1/32.
const PARTS: std::ops::RangeInclusive<u8> = 10..=32;
/// Numbers that are looked at side by side, and sums that are kept.
const LANES: usize = 16;

/// What one step of a row's integers stands for; 0 for a row of zeros.
pub fn step(arch: Arch, row: &[f32], bits: u8) -> f32 {
    let most = row.iter().fold(0.0_f32, |max, w| max.max(w.abs()));
    if bits == 8 || most == 0.0 || !most.is_finite() {
        return most / largest(bits);
    }
    let mut best = (f32::INFINITY, most);
    for part in PARTS.rev() {
        let range = most * f32::from(part) / 32.0;
        let error = arch.dispatch(Error {
            row,
            step: range / largest(bits),
            largest: largest(bits),
        });
        if error < best.0 {
            best = (error, range);
        }
    }
    best.1 / largest(bits)
}

/// Rounds rows of `columns` weights to what so many bits can hold.
pub fn rounded(weights: &mut [f32], columns: usize, bits: u8) {
    let (arch, most) = (Arch::new(), largest(bits));
    for row in weights.chunks_exact_mut(columns) {
        let step = step(arch, row, bits);
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        for w in row {
            *w = (*w * inverse).round().clamp(-most, most) * step;
        }
    }
}

/// The sum of the squares of what rounding to multiples of a step costs.
struct Error<'a> {
    row: &'a [f32],
    step: f32,
    largest: f32,
}

impl NullaryFnOnce for Error<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        /// Adding it leaves no bits for fractions: the sum is rounded to an integer.
        const ROUND: f32 = 12_582_912.0;
        let Self { row, step, largest } = self;
        let inverse = 1.0 / step;
        let square = |w: f32| {
            let q = (w * inverse).clamp(-largest, largest);
            let off = w - ((q + ROUND) - ROUND) * step;
            off * off
        };
        let mut sums = [0.0_f32; LANES];
        let lanes = row.chunks_exact(LANES);
        let rest = lanes.remainder();
        for lane in lanes {
            for (sum, &w) in sums.iter_mut().zip(lane) {
                *sum += square(w);
            }
        }
        for (sum, &w) in sums.iter_mut().zip(rest) {
            *sum += square(w);
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition, in f64 and one candidate after the other.
    #[test]
    fn the_range_of_four_bits_has_the_least_error() {
        let mut seed = 1_u32;
        let mut number = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(seed >> 8) / f64::from(1 << 24) - 0.5
        };
        for length in [1, 7, 16, 33, 128] {
            let row: Vec<f32> = (0..length)
                .map(|_| (number() + number() + number()).powi(3) as f32)
                .collect();
            let cost = |step: f64| -> f64 {
                let off = row.iter().map(|&w| {
                    let w = f64::from(w);
                    w - (w / step).round().clamp(-7.0, 7.0) * step
                });
                off.map(|x| x * x).sum()
            };
            let most = row.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
            let found = step(Arch::new(), &row, 4);
            let best = PARTS
                .map(|part| cost(f64::from(most * f32::from(part) / 32.0 / 7.0)))
                .fold(f64::INFINITY, f64::min);
            assert!(
                cost(f64::from(found)) <= best * 1.0001,
                "{length}: {} {best}",
                cost(f64::from(found))
            );
            assert!(length < 33 || found < most / 7.0, "the tail is cut off");
        }
    }

    #[test]
    fn eight_bits_hold_the_largest_weight() {
        assert_eq!(step(Arch::new(), &[0.5, -2.54, 1.0], 8), 0.02);
        assert_eq!(step(Arch::new(), &[0.0; 8], 4), 0.0);
        assert_eq!(step(Arch::new(), &[0.0; 8], 8), 0.0);
    }
}
