//! The executable specification of one step. Read this file to understand LSTM inference.
//!
//! For every unit, with W's rows of its gates side by side and x the operand ([h], or [h below ; h] in upper layers):
//!
//! ```text
//! RNN    z = W x + a                      h' = tanh(z)
//! LSTM   z = W x + a   in four gates      i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
//!        c' = f c + i g                   h' = o tanh(c')
//! head   logits = V h + b                 with a projection: p = P h + q, logits = V p + b
//! ```
//!
//! `a` is the row of the token in the first layer, the bias above. In a model with an embedding E it is the bias
//! there too, and x is [E[token] ; h]: see `look_up` in `layer.rs`. In int8, with round(p >> s) meaning "add half, then
//! shift right arithmetically":
//!
//! ```text
//! acc   = sum_k W[k] x[k]                                     int32, exact
//! z     = sat16( a + round(acc * multiplier >> shift) )       Q3.12
//! i,f,o = sigmoid(z), Q2.13       g = tanh(z), Q4.11          activation.rs
//! c'    = sat16( round( f c + align(i g) >> 13 ) )            Qe.(15-e), e = cell_bits
//! h'    = sat8( round( o tanh(c') >> 17 ) )                   scale 1/128
//! logit = b + round(acc * multiplier >> shift)                Q15.16
//! x     = sat8( round(E[token] * multiplier >> shift) )       scale 1/128
//! p     = sat8( round(q + round(acc * multiplier >> shift) >> 9) )      scale 1/128
//! ```
//!
//! This file is not optimised, on purpose. It computes in the order written, one operation after the other.

use super::{Kernel, sealed};
use crate::fixed::activation::{SIGMOID, TANH, piecewise, sigmoid_f32, tanh_f32};
use crate::weights::layer::{
    Fused, H_BITS, LayerF32, LayerInt8, MIN_CELL_BITS, ProductInt8, SIGMOID_BITS, TANH_BITS,
};
use crate::weights::matrix::{MatrixF32, MatrixInt8, RowInt8};

/// The specification as a kernel. Runs everywhere; f32 results are the same bits on every machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

impl sealed::Sealed for Scalar {}

impl Kernel for Scalar {
    const NAME: &'static str = "scalar";
    const F32_IS_SCALAR: bool = true;

    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        let weights = layer.weights;
        let mut rows = 0..;
        let mut z = || {
            let row = rows.next().unwrap_or(usize::MAX);
            let a = addend.get(weights.order.slot(row)).copied();
            a.unwrap_or_default() + dot_f32(weights.row(row), x)
        };
        match layer.cell {
            Fused::Rnn => {
                for h in next.iter_mut().take(layer.hidden) {
                    *h = tanh_f32(z());
                }
            }
            Fused::Lstm => {
                for (h, c) in next.iter_mut().zip(c).take(layer.hidden) {
                    *h = lstm_f32([z(), z(), z(), z()], c);
                }
            }
        }
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        let order = layer.weights.order();
        let mut rows = 0..;
        let mut z = || {
            let row = rows.next().unwrap_or(usize::MAX);
            let slot = order.slot(row);
            match (addend.get(slot), layer.multipliers.get(slot)) {
                (Some(&a), Some(&m)) => {
                    let acc = dot_int8(&layer.weights, row, x);
                    preactivation(a, acc, m, layer.shift)
                }
                _ => 0,
            }
        };
        match layer.cell {
            Fused::Rnn => {
                for h in next.iter_mut().take(layer.hidden) {
                    *h = rnn_int8(z());
                }
            }
            Fused::Lstm => {
                for (h, c) in next.iter_mut().zip(c).take(layer.hidden) {
                    *h = lstm_int8([z(), z(), z(), z()], c, layer.cell_bits);
                }
            }
        }
    }

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum += dot_f32(matrix.row(row), x);
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        // The slots of such a matrix are its rows, in every layout.
        for (row, (sum, &m)) in sums.iter_mut().zip(product.multipliers).enumerate() {
            *sum += requantize(dot_int8(&product.weights, row, x), m, product.shift);
        }
    }
}

/// `sum_k row[k] x[k]`, from the first to the last.
fn dot_f32(row: impl Iterator<Item = f32>, x: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (w, x) in row.zip(x) {
        sum += w * x;
    }
    sum
}

/// `sum_k W[row, k] x[k]`, exact. A row reads the same in every layout.
fn dot_int8(matrix: &MatrixInt8<'_>, row: usize, x: &[i8]) -> i32 {
    match matrix.row(row) {
        // The same again, but the layout is asked for once and not at every weight.
        RowInt8::Rows(row) => sum_of_products(row.copied(), x),
        row => sum_of_products(row, x),
    }
}

#[inline(always)]
fn sum_of_products(row: impl Iterator<Item = i8>, x: &[i8]) -> i32 {
    let mut sum = 0;
    for (w, &x) in row.zip(x) {
        sum += i32::from(w) * i32::from(x);
    }
    sum
}

/// The gates of an LSTM unit, from its pre-activations in the order i, f, g, o: updates c, returns h'.
pub(crate) fn lstm_f32(z: [f32; 4], c: &mut f32) -> f32 {
    let [i, f, g, o] = [
        sigmoid_f32(z[0]),
        sigmoid_f32(z[1]),
        tanh_f32(z[2]),
        sigmoid_f32(z[3]),
    ];
    *c = f * *c + i * g;
    o * tanh_f32(*c)
}

/// `round(acc * multiplier >> shift)`. That it fits an int32 with room to spare was checked when the model was loaded.
#[inline(always)]
pub fn requantize(acc: i32, multiplier: i32, shift: u32) -> i32 {
    let product = i64::from(acc) * i64::from(multiplier);
    // `& 63` says what loading has checked, shift < 64, in words the compiler understands: no panic path is left.
    ((product + (1 << ((shift - 1) & 63))) >> (shift & 63)) as i32
}

/// The pre-activation of a gate, Q3.12.
#[inline(always)]
pub fn preactivation(addend: i16, acc: i32, multiplier: i32, shift: u32) -> i16 {
    sat16(i32::from(addend) + requantize(acc, multiplier, shift))
}

/// The new hidden state of an RNN unit: tanh rounded to scale 1/128.
#[inline(always)]
pub fn rnn_int8(z: i16) -> i8 {
    sat8(rounding_shift(
        piecewise(&TANH, z).into(),
        TANH_BITS - H_BITS,
    ))
}

/// What an LSTM unit computes in integers, besides its new c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmUnit {
    /// Input gate, Q2.13.
    pub i: i16,
    /// Forget gate, Q2.13.
    pub f: i16,
    /// Candidate, Q4.11.
    pub g: i16,
    /// Output gate, Q2.13.
    pub o: i16,
    /// tanh of the new c, Q4.11.
    pub t: i16,
    /// The new h, scale 1/128.
    pub h: i8,
}

/// The gates of an LSTM unit, from its pre-activations (Q3.12) in the order i, f, g, o: updates c.
#[inline(always)]
pub fn lstm_unit(z: [i16; 4], c: &mut i16, cell_bits: u32) -> LstmUnit {
    let i = piecewise(&SIGMOID, z[0]); // Q2.13
    let f = piecewise(&SIGMOID, z[1]); // Q2.13
    let g = piecewise(&TANH, z[2]); // Q4.11
    let o = piecewise(&SIGMOID, z[3]); // Q2.13

    // f c has 13 + 15 - e fraction bits, i g has 24: one bit too few at e = 3, as many at 4, too many above.
    let extra = cell_bits - MIN_CELL_BITS;
    let ig = ((i32::from(i) * i32::from(g)) << 1) >> extra;
    *c = sat16(rounding_shift(
        i32::from(f) * i32::from(*c) + ig,
        SIGMOID_BITS,
    ));

    // tanh takes Q3.12; more integer bits than that saturate, as tanh itself does.
    let t = piecewise(&TANH, sat16(i32::from(*c) << extra));
    let h = sat8(rounding_shift(
        i32::from(o) * i32::from(t),
        SIGMOID_BITS + TANH_BITS - H_BITS,
    ));
    LstmUnit { i, f, g, o, t, h }
}

/// [`lstm_unit`]'s h alone.
#[inline(always)]
pub(crate) fn lstm_int8(z: [i16; 4], c: &mut i16, cell_bits: u32) -> i8 {
    lstm_unit(z, c, cell_bits).h
}

/// Adds half a unit of the result, then shifts right arithmetically: ties go up.
#[inline(always)]
pub(crate) fn rounding_shift(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

#[inline(always)]
pub(crate) fn sat16(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[inline(always)]
pub(crate) fn sat8(value: i32) -> i8 {
    value.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantization_rounds_halves_up() {
        // 1 * 2^7 >> 8 is one half; the scale of a multiplier of 2^8 is one.
        assert_eq!(requantize(1, 128, 8), 1);
        assert_eq!(requantize(-1, 128, 8), 0);
        assert_eq!(requantize(-3, 128, 8), -1);
        assert_eq!(requantize(-7, 256, 8), -7);
    }

    /// A cell that keeps everything (f = 1, i = 0) keeps c to within sigmoid(8)'s distance from one.
    #[test]
    fn the_forget_gate_holds() {
        for bits in MIN_CELL_BITS..=7 {
            let mut c = 12_345_i16;
            lstm_int8([i16::MIN, i16::MAX, 0, 0], &mut c, bits);
            assert!((c - 12_345).abs() <= 12_345 / 2048, "{bits}: {c}");
        }
    }

    /// All integer cells agree with the real-valued cell, at every width of c.
    #[test]
    fn integer_cell_follows_the_f32_cell() {
        for bits in MIN_CELL_BITS..=7 {
            let (mut c8, mut c) = (0_i16, 0_f32);
            for step in 0..200_i32 {
                let z =
                    [0, 1, 2, 3].map(|g| (((step * 7919 + g * 104_729) % 24_000) - 9_000) as i16);
                let h8 = lstm_int8(z, &mut c8, bits);
                let h = lstm_f32(z.map(|z| f32::from(z) / 4096.0), &mut c);
                let scale = (1_u32 << (15 - bits)) as f32;
                let c_error = (f32::from(c8) / scale - c).abs();
                let h_error = (f32::from(h8) / 128.0 - h).abs();
                assert!(
                    c_error < 0.01 + 8.0 / scale,
                    "{bits} {step}: c off by {c_error}"
                );
                assert!(
                    h_error < 0.012 + 8.0 / scale,
                    "{bits} {step}: h off by {h_error}"
                );
            }
        }
    }

    #[test]
    fn saturation_is_symmetric_in_nothing_but_name() {
        let mut c = i16::MAX;
        lstm_int8([i16::MAX; 4], &mut c, 3);
        assert_eq!(c, i16::MAX);
        let mut c = i16::MIN;
        lstm_int8([i16::MAX, i16::MAX, i16::MIN, i16::MAX], &mut c, 3);
        assert_eq!(c, i16::MIN);
        assert_eq!((rnn_int8(i16::MAX), rnn_int8(i16::MIN)), (127, -128));
    }
}
