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

use crate::cell::lstm::{lstm_f32, lstm_int8};
use crate::cell::rnn::rnn_int8;
use crate::fixed::activation::tanh_f32;
use crate::fixed::{preactivation, requantize};
use crate::weights::layer::{Fused, LayerF32, LayerInt8, ProductInt8};
use crate::weights::matrix::{MatrixF32, MatrixInt8, RowInt8};

/// One step of a layer in f32: the arguments are those of [`Kernel`](super::Kernel)'s method.
pub(crate) fn layer_f32(
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

/// One step of a layer in int8.
pub(crate) fn layer_int8(
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

/// Adds products in f32.
pub(crate) fn add_products_f32(matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
    for (row, sum) in sums.iter_mut().enumerate() {
        *sum += dot_f32(matrix.row(row), x);
    }
}

/// Adds requantized products.
pub(crate) fn add_products_int8(product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
    // The slots of such a matrix are its rows, in every layout.
    for (row, (sum, &m)) in sums.iter_mut().zip(product.multipliers).enumerate() {
        *sum += requantize(dot_int8(&product.weights, row, x), m, product.shift);
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
