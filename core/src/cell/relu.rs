//! The relu RNN.
//!
//! ```text
//! f32    h' = min( max( a + W [x ; h], 0 ), 2^14 )
//! int8   h' = sat8( round( max( a + round(acc m >> s), 0 ) >> 5 + e ) )      scale 2^e / 128
//! ```
//! Nothing bounds a relu, so its h has a scale of its own, and in f32 a limit: numbers of kernels stay
//! finite, whatever the weights are.

use crate::cell::step::{Products, StepF32, StepInt8};
use crate::fixed::{H_BITS, Z_BITS};
use crate::fixed::{rounding_shift, sat8};
use crate::weights::layer::{RELU_LIMIT, RecurrentF32, RecurrentInt8};

/// The new h of a unit in int8, from its sum with 12 fraction bits.
#[inline(always)]
pub fn relu_int8(sum: i32, state_bits: u32) -> i8 {
    sat8(rounding_shift(
        sum.max(0),
        (Z_BITS - H_BITS + state_bits) & 31,
    ))
}

/// One step in int8.
#[inline(never)]
pub(crate) fn step_int8<K: Products>(kernel: K, rnn: &RecurrentInt8<'_>, step: StepInt8<'_>) {
    let [product, ..] = &rnn.matrices;
    let sums = step.sums.get_mut(..step.addend.len()).unwrap_or_default();
    sums.iter_mut()
        .zip(step.addend)
        .for_each(|(to, &a)| *to = a.into());
    kernel.add_products_int8(product, step.x, sums);
    for (h, &mut sum) in step.next.iter_mut().zip(sums) {
        *h = relu_int8(sum, rnn.state_bits);
    }
}

/// One step in f32; the sums are where the new h will be.
#[inline(never)]
pub(crate) fn step_f32<K: Products>(kernel: K, rnn: &RecurrentF32<'_>, step: StepF32<'_>) {
    let [matrix, ..] = &rnn.matrices;
    let next = step.next.get_mut(..step.addend.len()).unwrap_or_default();
    next.iter_mut()
        .zip(step.addend)
        .for_each(|(to, &a)| *to = a);
    kernel.add_products_f32(matrix, step.x, next);
    for h in next {
        *h = h.clamp(0.0, RELU_LIMIT);
    }
}
