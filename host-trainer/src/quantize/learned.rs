//! Ranges of rows that are learnt with the weights (LSQ, Esser et al. 2020): what makes 4 bits enough.
//!
//! ```text
//! s = r / 7   u = w / s   q = round(u), within +-7   the device's weight is s q
//! d(s q)/dr = sign(u)          where |u| >= 7        a weight that is cut off is the range
//!           = (q - u) / 7      elsewhere             straight through the rounding
//! d(s q)/dw = 1                                      cut off or not
//! r <- r exp(-rate mean / (sqrt(square) + 1e-12))    Adam, on log r: a range stays above 0
//! ```
//! A range starts where the row's squared error is least ([`row_range`]). A weight that is cut off keeps its whole
//! gradient, and can move further out: zeroing it, as LSQ does, or holding the weight at the range, cost 0.04 nats on nets of 64
//! units. Rows of matrices with 8 bits have no range of their own here.

use pulp::Arch;
use rayon::prelude::*;

use crate::quantize::float_net::{Block, FloatMatrix, FloatNet};
use crate::quantize::row_range::{self, WeightBits, largest};
use crate::quantize::{GATE_UNIT, HEAD_UNIT, most_range};
use crate::shape::Shape;

/// The ranges' learning rate, as a multiple of the weights'.
const RATE: f64 = 10.0;
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
/// A range is at least its row's largest weight by this, and at most that weight. Rows that hardly matter (a token that is
/// hardly ever there) have tiny gradients, of which Adam makes whole steps: without bounds such a range runs away. Nor does it
/// pass what an image can hold ([`most_range`]).
const NARROWEST: f32 = 16.0;
/// Range of a row that begins without any weights.
const LEAST: f32 = 1e-3;

/// A range for every row of the matrices with 4 bits: layers from the first up, rows as in an image, then the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// What the largest integer of a row stands for.
    pub ranges: Vec<f32>,
    /// Adam's means of the gradient and of its square; empty in a net that is not trained further.
    pub mean: Vec<f32>,
    /// See `mean`.
    pub square: Vec<f32>,
}

/// The matrices with 4 bits and the units of their results, from an image's net.
fn matrices<'a>(
    net: &'a FloatNet,
    bits: &'a WeightBits,
    projection: f64,
) -> impl Iterator<Item = (&'a FloatMatrix, f64)> {
    let layers = net.layers.iter().enumerate();
    let layers = layers
        .filter(|&(index, _)| bits.layers[index] == 4)
        .flat_map(|(_, layer)| &layer.matrices)
        .map(|matrix| (matrix, GATE_UNIT));
    let head = (bits.head == 4).then_some((&net.head.matrix, HEAD_UNIT * projection));
    layers.chain(head)
}

impl Learned {
    /// Ranges that hold the weights of `net`.
    pub fn of(net: &FloatNet, bits: &WeightBits) -> Self {
        let arch = Arch::new();
        let largest = |row: &[f32]| (row_range::step(arch, row, 4) * largest(4)).max(LEAST);
        let ranges: Vec<f32> = matrices(net, bits, 1.0)
            .flat_map(|(matrix, _)| matrix.weights.chunks_exact(matrix.columns).map(largest))
            .collect();
        Self {
            mean: vec![0.0; ranges.len()],
            square: vec![0.0; ranges.len()],
            ranges,
        }
    }

    /// How many ranges a net of this shape has.
    pub fn count(shape: Shape, bits: &WeightBits) -> usize {
        let layers = (0..shape.layers).filter(|&layer| bits.layers[layer] == 4);
        let rows = layers.flat_map(|layer| Block::of(shape, layer).map(|block| block.rows()));
        rows.sum::<usize>() + if bits.head == 4 { shape.vocab } else { 0 }
    }

    /// One step down the loss: `gradient` is that of the device's weights, `projection` the range of what the head reads
    /// (1 if that is h), `steps` counts from 1.
    pub fn update(
        &mut self,
        (net, gradient): (&FloatNet, &FloatNet),
        bits: &WeightBits,
        projection: f64,
        steps: u64,
        rate: f64,
    ) {
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let corrections = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
        let rate = (RATE * rate) as f32;
        let mut start = 0;
        let both = matrices(net, bits, projection).zip(matrices(gradient, bits, projection));
        for ((matrix, unit), (gradient, _)) in both {
            let (weights, columns) = (&matrix.weights, matrix.columns);
            let cap = most_range(columns, unit);
            let rows = start..start + weights.len() / columns;
            start = rows.end;
            let numbers = (self.ranges[rows.clone()].par_iter_mut())
                .zip(&mut self.mean[rows.clone()])
                .zip(&mut self.square[rows]);
            let rows = weights
                .par_chunks_exact(columns)
                .zip(gradient.weights.par_chunks_exact(columns));
            numbers
                .zip(rows)
                .for_each(|(((range, mean), square), (w, g))| {
                    let g = *range * of_range(*range, w, g);
                    *mean += (1.0 - BETA1) * (g - *mean);
                    *square += (1.0 - BETA2) * (g * g - *square);
                    let scale = (*square / corrections.1).sqrt() + 1e-12;
                    let most = w.iter().fold(LEAST, |most, w| most.max(w.abs()));
                    let stepped = *range * (-rate * (*mean / corrections.0) / scale).exp();
                    *range = stepped.clamp(most / NARROWEST, most).min(cap);
                });
        }
    }
}

/// The gradient of a row's range, from that of its weights on the device.
fn of_range(range: f32, weights: &[f32], gradient: &[f32]) -> f32 {
    let most = largest(4);
    let inverse = most / range;
    let part = |(&w, &g): (&f32, &f32)| {
        let u = w * inverse;
        g * match u.abs() >= most {
            true => u.signum(),
            false => (u.round() - u) / most,
        }
    };
    weights.iter().zip(gradient).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing jumps, the loss of a row is a smooth function of its range: cut-off weights are the range, and the
    /// rest is s q with q fixed. The straight-through part -u/7 belongs to the weights' own rounding.
    #[test]
    fn a_range_grows_where_cut_off_weights_want_to() {
        // Weights 2 and -2 are cut off at 1; a gradient that wants them larger wants a larger range.
        let (weights, gradient) = ([2.0, -2.0, 0.0], [-1.0, 1.0, 0.0]);
        assert_eq!(of_range(1.0, &weights, &gradient), -2.0);
        // 0.5 is u = 3.5, rounded up to 4: half a step above, which a smaller range mends.
        assert!((of_range(1.0, &[0.5], &[1.0]) - 0.5 / 7.0).abs() < 1e-6);
        // On the grid there is nothing to mend.
        assert!(of_range(1.0, &[3.0 / 7.0], &[1.0]).abs() < 1e-6);
    }
}
