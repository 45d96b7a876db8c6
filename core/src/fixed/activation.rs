//! Sigmoid and tanh, in fixed point and in f32.
//!
//! # Fixed point: a piecewise linear function whose table word is its own accumulator
//!
//! The pre-activation z (int16, Q3.12) selects one of 256 segments by its high byte. A segment is one 32-bit word
//! `T = intercept * 2^16 + slope` with `slope` in its low half, and the function is
//!
//! ```text
//! y = (z * slope + T) >> 16            slope = T mod 2^16, as int16
//! ```
//!
//! T serves as slope *and* as addend: that its low half holds the slope is a constant of less than one unit of the
//! result, known when the table is made and absorbed by the intercept. So an activation is a load and one
//! multiply-accumulate (`SMLABB r, z, T, T` on an Armv7E-M), with the error of interpolation, not of lookup, from
//! 1 KiB a function. Rounding is part of the intercept too. Largest errors over all 65,536 inputs, asserted by the
//! tests below: sigmoid 0.00011 (Q2.13), tanh 0.00053 (Q4.11); half a unit of h (int8) is 0.0039.
//!
//! # f32
//!
//! `exp` and `tanh` are those of [`gatelet_simd::functions`], with ends of their own; near zero tanh
//! is an odd polynomial, elsewhere made of `exp`. Only additions, multiplications and divisions of
//! binary32 in a fixed order, so the result is the same on every machine. Errors are stated at the
//! functions.

use gatelet_simd::ROUND;
use gatelet_simd::functions::{exp_parts, tanh_near};

use crate::fixed::{SIGMOID_BITS, TANH_BITS, Z_BITS};

#[cfg(any(fpu, test))]
pub(crate) mod exp2;

/// Segments of a table.
const SEGMENTS: usize = 256;
/// Width of a segment in units of z.
const WIDTH: i32 = 256;

/// Segments of the sigmoid, in Q2.13; indexed by the high byte of z as an unsigned number.
pub static SIGMOID: [u32; SEGMENTS] = table(Function::Sigmoid, SIGMOID_BITS);
/// Segments of tanh, in Q4.11; indexed by the high byte of z as an unsigned number.
pub static TANH: [u32; SEGMENTS] = table(Function::Tanh, TANH_BITS);

/// Evaluates a segment table at `z` (Q3.12). The result has the table's fraction bits.
#[inline(always)]
#[expect(
    clippy::indexing_slicing,
    reason = "a u8 is always an index of 256 segments: the compiler drops the check"
)]
pub fn piecewise(table: &[u32; SEGMENTS], z: i16) -> i16 {
    let segment = table[usize::from((z >> 8) as u8)];
    let slope = i32::from(segment as i16);
    ((i32::from(z) * slope + segment as i32) >> 16) as i16
}

/// The function a table is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Function {
    Sigmoid,
    Tanh,
}

impl Function {
    /// Its table.
    #[allow(dead_code, reason = "only tile kernels ask")]
    #[inline(always)]
    pub(crate) fn table(self) -> &'static [u32; SEGMENTS] {
        match self {
            Function::Sigmoid => &SIGMOID,
            Function::Tanh => &TANH,
        }
    }

    /// Its exact value.
    const fn at(self, x: f64) -> f64 {
        match self {
            Function::Sigmoid => 1.0 / (1.0 + exp_f64(-x)),
            Function::Tanh => 1.0 - 2.0 / (1.0 + exp_f64(2.0 * x)),
        }
    }
}

/// e^x to about 1e-15 for |x| <= 16, by the series of e^(x/1024) and ten squarings. For tables, at compile time.
pub(crate) const fn exp_f64(x: f64) -> f64 {
    let x = x / 1024.0;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 14.0 {
        term *= x / n;
        sum += term;
        n += 1.0;
    }
    let mut squarings = 0;
    while squarings < 10 {
        sum *= sum;
        squarings += 1;
    }
    sum
}

/// Rounds to the nearest integer.
const fn round(x: f64) -> i64 {
    if x < 0.0 {
        (x - 0.5) as i64
    } else {
        (x + 0.5) as i64
    }
}

/// The table of a function with `bits` fraction bits in the result.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn table(function: Function, bits: u32) -> [u32; SEGMENTS] {
    let mut words = [0; SEGMENTS];
    let mut segment = 0;
    while segment < SEGMENTS {
        words[segment] = segment_word(function, bits, (segment as u8 as i8) as i32 * WIDTH);
        segment += 1;
    }
    words
}

/// The word of the segment that starts at `start` (Q3.12): of the slopes next to the chord's, each with its best
/// intercept, the one with the smallest error at both ends and in the middle.
const fn segment_word(function: Function, bits: u32, start: i32) -> u32 {
    let unit = (1_i64 << Z_BITS) as f64;
    let full = (1_i64 << (bits + 16)) as f64; // one, in units of the accumulator
    let half = 32_768.0; // rounding of the final shift
    let (z0, z1) = (start as f64, (start + WIDTH) as f64);
    let zm = (z0 + z1) / 2.0;
    let (y0, y1) = (function.at(z0 / unit) * full, function.at(z1 / unit) * full);
    let ym = function.at(zm / unit) * full;

    let chord = round((y1 - y0) / WIDTH as f64);
    let (mut best, mut best_error) = (0, f64::MAX);
    let mut slope = if chord < 8 { 0 } else { chord - 8 };
    while slope <= chord + 8 && slope <= 32_767 {
        // Errors of the line through the origin; the intercept moves all three.
        let (e0, e1) = (y0 - slope as f64 * z0, y1 - slope as f64 * z1);
        let em = ym - slope as f64 * zm;
        let (low, high) = (min3(e0, em, e1), -min3(-e0, -em, -e1));
        let ideal = (low + high) / 2.0 + half;
        let word = round((ideal - slope as f64) / 65_536.0) * 65_536 + slope;
        let off = word as f64 - ideal;
        let error = (high - low) / 2.0 + if off < 0.0 { -off } else { off };
        if error < best_error {
            best_error = error;
            best = word;
        }
        slope += 1;
    }
    best as u32
}

const fn min3(a: f64, b: f64, c: f64) -> f64 {
    let ab = if a < b { a } else { b };
    if ab < c { ab } else { c }
}

/// e^x in f32 for any x that is not NaN: at most 2 ULP where the result is a normal number, 0 below, infinity above.
#[inline]
pub fn exp_f32(x: f32) -> f32 {
    if x > 88.72 {
        return f32::INFINITY;
    }
    if x < -87.3 {
        return 0.0;
    }
    let (p, shifted) = exp_parts(x);
    // n is -126..=128; two factors because 2^128 is no f32.
    let n = (shifted - ROUND) as i32;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let first = n / 2;
    p * power(first) * power(n - first)
}

/// 1 / (1 + e^-x) in f32; at most 4 ULP, and 0 below -87.3.
#[inline]
pub fn sigmoid_f32(x: f32) -> f32 {
    1.0 / (1.0 + exp_f32(-x))
}

/// tanh x in f32; at most 3 ULP. Odd: `tanh_f32(-x) == -tanh_f32(x)`, bit for bit.
#[inline]
pub fn tanh_f32(x: f32) -> f32 {
    let magnitude = x.abs();
    if magnitude < 0.625 {
        return tanh_near(magnitude).copysign(x);
    }
    let y = 1.0 - 2.0 / (exp_f32(2.0 * magnitude) + 1.0);
    y.copysign(x)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn largest_error(words: &[u32; SEGMENTS], bits: u32, exact: impl Fn(f64) -> f64) -> f64 {
        (i16::MIN..=i16::MAX)
            .map(|z| {
                let y = f64::from(piecewise(words, z)) / f64::from(1 << bits);
                (y - exact(f64::from(z) / f64::from(1 << Z_BITS))).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn fixed_point_errors_over_all_inputs() {
        let sigmoid = largest_error(&SIGMOID, SIGMOID_BITS, |x| 1.0 / (1.0 + (-x).exp()));
        let tanh = largest_error(&TANH, TANH_BITS, f64::tanh);
        assert!(sigmoid <= 0.000_11, "sigmoid: {sigmoid}");
        assert!(tanh <= 0.000_53, "tanh: {tanh}");
    }

    #[test]
    fn fixed_point_stays_in_range_and_centred() {
        for z in i16::MIN..=i16::MAX {
            assert!(
                (0..=1 << SIGMOID_BITS).contains(&piecewise(&SIGMOID, z)),
                "{z}"
            );
            assert!(
                (-1 << TANH_BITS..=1 << TANH_BITS).contains(&piecewise(&TANH, z)),
                "{z}"
            );
        }
        assert_eq!(piecewise(&TANH, 0), 0);
        assert_eq!(piecewise(&SIGMOID, 0), 1 << (SIGMOID_BITS - 1));
    }

    /// The tables are part of the integer specification: docs/numerics.md quotes these numbers.
    #[test]
    fn the_tables_are_the_documented_ones() {
        let hash = |words: &[u32]| {
            let mut hash = crate::StateHash::new();
            words.iter().for_each(|w| hash.update(&w.to_le_bytes()));
            hash.finish()
        };
        assert_eq!(
            (hash(&SIGMOID), hash(&TANH)),
            (0x2056_a948_f960_e381, 0x0784_83cf_36ce_93b2),
            "{:#018x} {:#018x}",
            hash(&SIGMOID),
            hash(&TANH)
        );
    }

    /// Distance in units of the last place of the exact result.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        let ulp = f64::from(f32::from_bits(rounded.abs().to_bits() + 1)) - f64::from(rounded.abs());
        (f64::from(found) - exact).abs() / ulp
    }

    fn sweep(step: usize) -> [f64; 3] {
        let mut worst = [0.0_f64; 3];
        for bits in (0..=u32::MAX).step_by(step) {
            let x = f32::from_bits(bits);
            if !x.is_finite() {
                continue;
            }
            let e = f64::from(x);
            if (-87.0..88.7).contains(&x) {
                worst[0] = worst[0].max(ulps(exp_f32(x), e.exp()));
            }
            if x > -87.0 {
                worst[1] = worst[1].max(ulps(sigmoid_f32(x), 1.0 / (1.0 + (-e).exp())));
            }
            worst[2] = worst[2].max(ulps(tanh_f32(x), e.tanh()));
            assert_eq!(tanh_f32(-x).to_bits(), (-tanh_f32(x)).to_bits());
        }
        worst
    }

    #[test]
    fn f32_errors_on_a_coarse_sweep() {
        let [exp, sigmoid, tanh] = sweep(9_973);
        assert!(
            exp <= 2.0 && sigmoid <= 4.0 && tanh <= 3.0,
            "{exp} {sigmoid} {tanh}"
        );
    }

    #[test]
    #[ignore = "exhaustive: all 2^32 values of f32, minutes; run with `cargo test --release -- --ignored exhaustive`"]
    fn f32_errors_exhaustive() {
        let [exp, sigmoid, tanh] = sweep(1);
        std::println!("largest errors in ULP: exp {exp:.3}, sigmoid {sigmoid:.3}, tanh {tanh:.3}");
        assert!(exp <= 2.0 && sigmoid <= 4.0 && tanh <= 3.0);
    }

    #[test]
    fn f32_limits() {
        assert_eq!(sigmoid_f32(-1e30), 0.0);
        assert_eq!(sigmoid_f32(1e30), 1.0);
        assert_eq!(tanh_f32(1e30), 1.0);
        assert_eq!(tanh_f32(-1e30), -1.0);
        assert_eq!(exp_f32(89.0), f32::INFINITY);
    }
}
