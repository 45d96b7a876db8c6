//! The kernel of processors without vector or DSP instructions: Cortex-M0 (Armv6-M) and M3 (Armv7-M); it also runs on
//! any Cortex-M with more.
//!
//! ```text
//! for every four rows (the gates of a unit; four units of an RNN; four tokens of the head):
//!     four sums of products, one load of each x for all four
//!     requantize; update the cell
//! ```
//!
//! On the two targets the sums are those of `arch/arm/armv6m.S` and `armv7m.S`: from Rust the compiler makes 4.9 and
//! 2.9 instructions a multiply-accumulate of the same loop, because it runs out of registers (docs/adr). Everything
//! else is Rust, and runs everywhere, so the host's tests cover it.

use super::{Kernel, Scalar, sealed};
use crate::cell::lstm::lstm_int8;
use crate::cell::rnn::rnn_int8;
use crate::fixed::{requantize, sat16};
use crate::weights::layer::{Fused, LayerInt8, ProductInt8};
use crate::weights::matrix::MatrixInt8;

/// The kernel for an Armv6-M or an Armv7-M without DSP. It reads rows; f32, other layouts and
/// other shifts than 24 go to the scalar kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thumb;

impl sealed::Sealed for Thumb {}

impl Kernel for Thumb {
    const NAME: &'static str = "thumb";
    const F32_IS_SCALAR: bool = true;

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        match (layer.weights, layer.shift, layer.cell) {
            (MatrixInt8::Rows { weights, .. }, SHIFT, Fused::Lstm) => {
                lstm(layer, weights, addend, x, c, next);
            }
            (MatrixInt8::Rows { weights, .. }, SHIFT, Fused::Rnn) => {
                rnn(layer, weights, addend, x, next);
            }
            _ => Scalar.layer_int8(layer, addend, x, c, next),
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        match (product.weights, product.shift) {
            (MatrixInt8::Rows { weights, columns }, SHIFT) => {
                add_products(product, weights, x.get(..columns).unwrap_or_default(), sums);
            }
            _ => Scalar.add_products_int8(product, x, sums),
        }
    }
}

/// Rows of a block.
const ROWS: usize = 4;
/// The usual right shift of a requantization; the scalar kernel takes the others. No exporter writes one unless its
/// weights are far out of the usual range.
const SHIFT: u32 = 24;

#[inline(never)]
fn rnn(layer: &LayerInt8<'_>, weights: &[i8], addend: &[i16], x: &[i8], next: &mut [i8]) {
    let blocks = weights.chunks((ROWS * layer.columns).max(1));
    let scales = addend.chunks(ROWS).zip(layer.multipliers.chunks(ROWS));
    for ((next, block), (a, m)) in next.chunks_mut(ROWS).zip(blocks).zip(scales) {
        let of_rows = dots(block, x).into_iter().zip(a.iter().zip(m));
        for (h, (acc, (&a, &m))) in next.iter_mut().zip(of_rows) {
            *h = rnn_int8(preactivation(a, acc, m));
        }
    }
}

#[inline(never)]
fn lstm(
    layer: &LayerInt8<'_>,
    weights: &[i8],
    addend: &[i16],
    x: &[i8],
    c: &mut [i16],
    next: &mut [i8],
) {
    let blocks = weights.chunks_exact((ROWS * layer.columns).max(1));
    let (addends, _) = addend.as_chunks::<ROWS>();
    let (multipliers, _) = layer.multipliers.as_chunks::<ROWS>();
    let mut scales = addends.iter().zip(multipliers);
    let mut units = next.iter_mut().zip(c);
    for block in blocks {
        let (Some((a, m)), Some((h, c))) = (scales.next(), units.next()) else {
            return;
        };
        let ([s0, s1, s2, s3], [a0, a1, a2, a3], [m0, m1, m2, m3]) = (dots(block, x), *a, *m);
        let z = [
            preactivation(a0, s0, m0),
            preactivation(a1, s1, m1),
            preactivation(a2, s2, m2),
            preactivation(a3, s3, m3),
        ];
        *h = lstm_int8(z, c, layer.cell_bits);
    }
}

#[inline(never)]
fn add_products(product: &ProductInt8<'_>, weights: &[i8], x: &[i8], sums: &mut [i32]) {
    let blocks = weights.chunks((ROWS * x.len()).max(1));
    let blocks = blocks.zip(product.multipliers.chunks(ROWS));
    for (sums, (block, m)) in sums.chunks_mut(ROWS).zip(blocks) {
        for (sum, (acc, &m)) in sums.iter_mut().zip(dots(block, x).into_iter().zip(m)) {
            *sum += requantized(acc, m);
        }
    }
}

/// The dot products of up to four rows with x. `block: [rows, x.len()]`; a missing row gives 0.
#[inline(always)]
fn dots(block: &[i8], x: &[i8]) -> [i32; ROWS] {
    let mut sums = [0; ROWS];
    #[cfg(any(armv6m, armv7m))]
    if crate::arch::arm::dots(block, x, &mut sums) {
        return sums;
    }
    dots_portable(block, x, &mut sums);
    sums
}

/// The same in Rust: on the host, and on the board for the last rows of a matrix.
#[inline(never)]
fn dots_portable(block: &[i8], x: &[i8], sums: &mut [i32; ROWS]) {
    for (sum, row) in sums.iter_mut().zip(block.chunks_exact(x.len().max(1))) {
        for (&w, &x) in row.iter().zip(x) {
            *sum += i32::from(w) * i32::from(x);
        }
    }
}

/// The pre-activation of a gate, Q3.12.
#[inline(always)]
fn preactivation(addend: i16, acc: i32, multiplier: i32) -> i16 {
    sat16(i32::from(addend) + requantized(acc, multiplier))
}

/// `requantize(acc, multiplier, 24)`.
#[inline(always)]
fn requantized(acc: i32, multiplier: i32) -> i32 {
    if cfg!(armv6m) {
        requantize_by_halves(acc, multiplier)
    } else {
        requantize(acc, multiplier, SHIFT)
    }
}

/// `requantize(acc, multiplier, 24)` for a processor that multiplies 32 by 32 bits to 32.
///
/// With acc = 2^16 a + b and multiplier = 2^16 m + n, where b and n are not negative:
///
/// ```text
/// acc multiplier = 2^32 a m + 2^16 (a n + b m) + b n
/// round(acc multiplier >> 24) = 2^8 a m + (a n + b m + (b n >> 16) + 2^7) >> 8
/// ```
/// The low half of b n stays below a unit of the bracket, and is dropped. The bracket can take 33 bits, so b m, its
/// largest term, gives its upper 24 bits separately. All is exact modulo 2^32, and the result fits an i32.
#[inline(always)]
pub(super) fn requantize_by_halves(acc: i32, multiplier: i32) -> i32 {
    let (a, b) = (acc >> 16, acc & 0xffff);
    let (m, n) = (multiplier >> 16, multiplier & 0xffff);
    let bm = b.wrapping_mul(m); // below 2^31
    let bn = (b as u32).wrapping_mul(n as u32); // below 2^32
    let low = a.wrapping_mul(n) + (bm & 0xff) + (bn >> 16) as i32 + (1 << 7);
    (a.wrapping_mul(m) << 8)
        .wrapping_add(bm >> 8)
        .wrapping_add(low >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_give_the_specified_rounding() {
        for acc in [0, 1, -1, 127, -128, 65_535, 65_536, -65_536, 8_323_072] {
            for m in [0, 1, 255, 65_535, 65_536, 1 << 23, (1 << 24) - 1] {
                let expected = requantize(acc, m, SHIFT);
                assert_eq!(requantize_by_halves(acc, m), expected, "{acc} {m}");
                assert_eq!(requantize_by_halves(-acc, m), requantize(-acc, m, SHIFT));
            }
        }
    }

    proptest! {
        /// Accumulators of up to 2048 columns, with every multiplier that loading accepts for them.
        #[test]
        fn halves_are_exact(acc in -33_292_288_i32..=33_292_288, m in 0..=i32::MAX) {
            let largest = (1_i64 << 54) / i64::from(acc.unsigned_abs().max(1));
            let m = i64::from(m).min(largest) as i32;
            prop_assert_eq!(requantize_by_halves(acc, m), requantize(acc, m, SHIFT));
        }
    }
}
