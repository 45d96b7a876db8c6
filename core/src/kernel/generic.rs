//! The algorithm on rows, once, over the vector trait.
//!
//! ```text
//! for every block of R rows (the gates of a unit; four tokens of the head):
//!     sums = 0
//!     for every vector of x:  load x once, multiply-add it into the R sums
//!     reduce, add the tail, requantize, and update the cell at once: pre-activations never reach memory
//! ```
//!
//! R rows share each load of x, and give R independent chains of additions.

use super::{Kernel, Scalar, sealed};
use crate::cell::lstm::{lstm_f32, lstm_int8};
use crate::cell::rnn::rnn_int8;
use crate::fixed::activation::tanh_f32;
use crate::fixed::preactivation;
use crate::fixed::requantize;
use crate::kernel::wide::{Vector, Wide};
use crate::weights::layer::{Fused, LayerF32, LayerInt8, ProductInt8};
use crate::weights::matrix::{MatrixF32, MatrixInt8};
use crate::weights::order::RowOrder;

/// The kernel on rows, on `wide` vectors: the portable path, for every target. It reads rows; an image in another layout
/// goes to the scalar kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl sealed::Sealed for Portable {}

impl Kernel for Portable {
    const NAME: &'static str = "portable";

    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        match layer.weights.order {
            RowOrder::PLAIN => layer_f32(Wide, layer, addend, x, c, next),
            _ => Scalar.layer_f32(layer, addend, x, c, next),
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
        match layer.weights {
            MatrixInt8::Rows { weights, .. } => {
                layer_int8(Wide, layer, weights, addend, x, c, next);
            }
            _ => Scalar.layer_int8(layer, addend, x, c, next),
        }
    }

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        match matrix.order {
            RowOrder::PLAIN => add_products_f32(Wide, matrix, x, sums),
            _ => Scalar.add_products_f32(matrix, x, sums),
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        match product.weights {
            MatrixInt8::Rows { weights, columns } => {
                add_products_int8(Wide, product, (weights, columns), x, sums);
            }
            _ => Scalar.add_products_int8(product, x, sums),
        }
    }
}

/// The rows of a block of `R * columns` weights; rows past the block's end are empty, and their products zero.
#[inline(always)]
fn rows_of<T, const R: usize>(block: &[T], columns: usize) -> [&[T]; R] {
    let mut rows = block.chunks(columns.max(1));
    core::array::from_fn(|_| rows.next().unwrap_or_default())
}

/// `R` dot products with the same operand, int8.
#[inline(always)]
fn dots_int8<V: Vector, const R: usize>(v: V, block: &[i8], x: &[i8]) -> [i32; R] {
    let rows: [&[i8]; R] = rows_of(block, x.len());
    let mut sums = [v.zero_int8(); R];
    let mut row_chunks = rows.map(|row| row.chunks_exact(V::INT8_LANES));
    let x_chunks = x.chunks_exact(V::INT8_LANES);
    let x_tail = x_chunks.remainder();
    for lanes in x_chunks {
        let x = v.load_int8(lanes);
        for (sum, chunks) in sums.iter_mut().zip(&mut row_chunks) {
            if let Some(w) = chunks.next() {
                *sum = v.madd_int8(*sum, v.load_int8(w), x);
            }
        }
    }
    let mut totals = [0; R];
    for ((total, sum), chunks) in totals.iter_mut().zip(sums).zip(&row_chunks) {
        let tail = chunks.remainder().iter().zip(x_tail);
        *total = v.reduce_int8(sum)
            + tail
                .map(|(&w, &x)| i32::from(w) * i32::from(x))
                .sum::<i32>();
    }
    totals
}

/// `R` dot products with the same operand, f32.
#[inline(always)]
fn dots_f32<V: Vector, const R: usize>(v: V, block: &[f32], x: &[f32]) -> [f32; R] {
    let rows: [&[f32]; R] = rows_of(block, x.len());
    let mut sums = [v.zero_f32(); R];
    let mut row_chunks = rows.map(|row| row.chunks_exact(V::F32_LANES));
    let x_chunks = x.chunks_exact(V::F32_LANES);
    let x_tail = x_chunks.remainder();
    for lanes in x_chunks {
        let x = v.load_f32(lanes);
        for (sum, chunks) in sums.iter_mut().zip(&mut row_chunks) {
            if let Some(w) = chunks.next() {
                *sum = v.madd_f32(*sum, v.load_f32(w), x);
            }
        }
    }
    let mut totals = [0.0; R];
    for ((total, sum), chunks) in totals.iter_mut().zip(sums).zip(&row_chunks) {
        let tail = chunks.remainder().iter().zip(x_tail);
        *total = v.reduce_f32(sum) + tail.map(|(w, x)| w * x).sum::<f32>();
    }
    totals
}

/// The pre-activations of a unit's gates.
#[inline(always)]
fn preactivations(a: &[i16; 4], acc: [i32; 4], m: &[i32; 4], shift: u32) -> [i16; 4] {
    let ([a0, a1, a2, a3], [m0, m1, m2, m3], [s0, s1, s2, s3]) = (*a, *m, acc);
    [
        preactivation(a0, s0, m0, shift),
        preactivation(a1, s1, m1, shift),
        preactivation(a2, s2, m2, shift),
        preactivation(a3, s3, m3, shift),
    ]
}

/// Sum of two vectors of gates.
#[inline(always)]
fn add(a: &[f32; 4], b: [f32; 4]) -> [f32; 4] {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, b);
    [a0 + b0, a1 + b1, a2 + b2, a3 + b3]
}

fn layer_int8<V: Vector>(
    v: V,
    layer: &LayerInt8<'_>,
    weights: &[i8],
    addend: &[i16],
    x: &[i8],
    c: &mut [i16],
    next: &mut [i8],
) {
    let (columns, shift) = (layer.columns.max(1), layer.shift);
    match layer.cell {
        Fused::Rnn => {
            let scales = addend.iter().zip(layer.multipliers);
            let blocks = weights.chunks_exact(columns).zip(scales);
            for (h, (row, (&a, &m))) in next.iter_mut().zip(blocks) {
                let [acc] = dots_int8(v, row, x);
                *h = rnn_int8(preactivation(a, acc, m, shift));
            }
        }
        Fused::Lstm => {
            let (addends, _) = addend.as_chunks::<4>();
            let (multipliers, _) = layer.multipliers.as_chunks::<4>();
            let blocks = weights.chunks_exact((4 * columns).max(1));
            let blocks = blocks.zip(addends.iter().zip(multipliers));
            for ((h, c), (block, (a, m))) in next.iter_mut().zip(c).zip(blocks) {
                let acc: [i32; 4] = dots_int8(v, block, x);
                let z = preactivations(a, acc, m, shift);
                *h = lstm_int8(z, c, layer.cell_bits);
            }
        }
    }
}

fn layer_f32<V: Vector>(
    v: V,
    layer: &LayerF32<'_>,
    addend: &[f32],
    x: &[f32],
    c: &mut [f32],
    next: &mut [f32],
) {
    let columns = layer.columns.max(1);
    match layer.cell {
        Fused::Rnn => {
            let blocks = layer.weights.weights.chunks_exact(columns).zip(addend);
            for (h, (row, a)) in next.iter_mut().zip(blocks) {
                let [product] = dots_f32(v, row, x);
                *h = tanh_f32(a + product);
            }
        }
        Fused::Lstm => {
            let (addends, _) = addend.as_chunks::<4>();
            let blocks = layer
                .weights
                .weights
                .chunks_exact((4 * columns).max(1))
                .zip(addends);
            for ((h, c), (block, a)) in next.iter_mut().zip(c).zip(blocks) {
                let products: [f32; 4] = dots_f32(v, block, x);
                *h = lstm_f32(add(a, products), c);
            }
        }
    }
}

fn add_products_int8<V: Vector>(
    v: V,
    product: &ProductInt8<'_>,
    (weights, columns): (&[i8], usize),
    x: &[i8],
    sums: &mut [i32],
) {
    let x = x.get(..columns).unwrap_or_default();
    let blocks = weights.chunks((4 * columns).max(1));
    let blocks = blocks.zip(product.multipliers.chunks(4));
    for (sums, (block, m)) in sums.chunks_mut(4).zip(blocks) {
        let acc: [i32; 4] = dots_int8(v, block, x);
        for ((sum, m), acc) in sums.iter_mut().zip(m).zip(acc) {
            *sum += requantize(acc, *m, product.shift);
        }
    }
}

fn add_products_f32<V: Vector>(v: V, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
    let x = x.get(..matrix.columns).unwrap_or_default();
    let blocks = matrix.weights.chunks((4 * matrix.columns).max(1));
    for (sums, block) in sums.chunks_mut(4).zip(blocks) {
        let products: [f32; 4] = dots_f32(v, block, x);
        for (sum, product) in sums.iter_mut().zip(products) {
            *sum += product;
        }
    }
}
