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

use gatelet::net::Net;
use pulp::Arch;
use rayon::prelude::*;

use super::order::{Floats, Order};
use super::row_range::{self, largest};
use super::scheme::{Scheme, WeightBits};
use super::units::most_range;

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

/// A range for every row of the matrices with 4 bits: operations in order, rows as in an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// What the largest integer of a row stands for.
    pub ranges: Vec<f32>,
    /// Adam's means of the gradient and of its square; empty in a net that is not trained further.
    pub mean: Vec<f32>,
    /// See `mean`.
    pub square: Vec<f32>,
}

/// A matrix with 4 bits: its numbers, their columns, and the unit of its results.
type FourBits<'a> = (&'a [f32], usize, f64);

/// The matrices with 4 bits, in the order of their operations.
fn matrices<'a>(
    orders: &'a [Order],
    floats: &'a [Floats],
    bits: WeightBits,
) -> impl Iterator<Item = FourBits<'a>> {
    let all = orders.iter().zip(floats).enumerate();
    all.filter(move |&(index, _)| bits.of(index) == 4)
        .flat_map(|(_, (order, floats))| {
            let matrices = order.matrices();
            matrices.map(|(at, of)| (&floats.matrices[at][..], of.columns, of.unit))
        })
}

impl Learned {
    /// Ranges that hold the weights of a net.
    pub(crate) fn of(orders: &[Order], floats: &[Floats], bits: WeightBits) -> Self {
        let arch = Arch::new();
        let largest = |row: &[f32]| (row_range::step(arch, row, 4) * largest(4)).max(LEAST);
        let ranges: Vec<f32> = matrices(orders, floats, bits)
            .flat_map(|(weights, columns, _)| weights.chunks_exact(columns).map(largest))
            .collect();
        Self {
            mean: vec![0.0; ranges.len()],
            square: vec![0.0; ranges.len()],
            ranges,
        }
    }

    /// How many ranges a net has.
    pub(crate) fn count_of(net: &Net, scheme: &Scheme) -> usize {
        let orders = Order::all(net, scheme);
        let four = orders.iter().enumerate();
        let four = four.filter(|&(index, _)| scheme.bits.of(index) == 4);
        four.flat_map(|(_, order)| order.matrices())
            .map(|(_, matrix)| matrix.rows)
            .sum()
    }

    /// One step down the loss: `gradient` is that of the device's weights `floats`, `steps` counts
    /// from 1.
    pub(crate) fn update(
        &mut self,
        orders: &[Order],
        (floats, gradient): (&[Floats], &[Floats]),
        bits: WeightBits,
        steps: u64,
        rate: f64,
    ) {
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let corrections = (1.0 - BETA1.powi(steps), 1.0 - BETA2.powi(steps));
        let rate = (RATE * rate) as f32;
        let mut start = 0;
        let both = matrices(orders, floats, bits).zip(matrices(orders, gradient, bits));
        for ((weights, columns, unit), (gradient, ..)) in both {
            let cap = most_range(columns, unit);
            let rows = start..start + weights.len() / columns;
            start = rows.end;
            let numbers = (self.ranges[rows.clone()].par_iter_mut())
                .zip(&mut self.mean[rows.clone()])
                .zip(&mut self.square[rows]);
            let rows = weights
                .par_chunks_exact(columns)
                .zip(gradient.par_chunks_exact(columns));
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
