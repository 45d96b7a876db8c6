//! f32 parameters to the integers of the specification (docs/numerics.md).
//!
//! ```text
//! row scale   s_r as in `row_range`                  q[r,k] = round(W[r,k] / s_r), within +-127 or +-7
//! multiplier  m_r = round(s_r / 128 * unit * 2^shift)      unit = 2^12 for gates (Q3.12), 2^16 for the head (Q15.16)
//! input row   round(4096 (W_x[id] + b)), saturated to int16
//!
//! embedding   T' = T / e,  W_x' = e W_x,  m_r = round(128 s_r 2^shift)                        operands are within +-1
//! projection  P' = P / p,  b' = b / p,  as a head; and p times the head's multipliers
//! tied head   weights of T', m_r = round(s_r e p / 128 * 2^16 * 2^shift)
//! ```
//! A row of a layer with a dense input covers both halves of its operand, `[W_x | W_h]`, with one scale.
//! `shift` is 24, or less where a multiplier would not fit 31 bits. `e` and `p` are chosen by `export`.

mod units;

use std::fmt::Arguments;

use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::float_net::{FloatLayer, FloatMatrix, FloatNet, by_input};
use crate::learned::Learned;
use crate::row_range::{self, WeightBits};
use units::REQUANTIZED;
pub(crate) use units::{EMBEDDING_UNIT, GATE_UNIT, HEAD_UNIT, most_range};

/// Shift of the requantization, unless a row is too large for it.
pub(crate) const SHIFT: u8 = 24;
/// Smallest shift an image may have.
const MIN_SHIFT: u8 = 8;

/// What embedding and projection are divided by, so that their numbers fit +-1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranges {
    /// Of the embedding; 1 without one.
    pub embedding: f32,
    /// Of the projection; 1 without one.
    pub projection: f32,
}

impl Default for Ranges {
    fn default() -> Self {
        Self {
            embedding: 1.0,
            projection: 1.0,
        }
    }
}

/// A weight matrix in integers, one scale a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntMatrix {
    /// `[rows, columns]`, -127..=127 or -7..=7.
    pub weights: Vec<i8>,
    /// `[rows]`.
    pub multipliers: Vec<i32>,
    /// Right shift that belongs to the multipliers.
    pub shift: u8,
    /// `[rows]`, from which the multipliers are rounded; kept so that the next weights allocate nothing.
    scales: Vec<f32>,
}

/// A layer in int8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntLayer {
    /// As [`FloatLayer::input`](crate::float_net::FloatLayer::input), Q3.12.
    pub input: Vec<i16>,
    /// As [`FloatLayer::matrices`](crate::float_net::FloatLayer::matrices).
    pub matrices: Vec<IntMatrix>,
    /// As [`FloatLayer::recurrent_bias`](crate::float_net::FloatLayer::recurrent_bias), Q19.12.
    pub recurrent_bias: Vec<i32>,
    /// Input numbers that did not fit Q3.12.
    pub saturated: usize,
}

/// A head, or a projection, in int8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntHead {
    /// Weights; of a tied head the multipliers alone.
    pub matrix: IntMatrix,
    /// `[outputs]`, Q15.16.
    pub bias: Vec<i32>,
}

/// A net in int8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntNet {
    /// The table, if there is one.
    pub embedding: Option<IntMatrix>,
    /// From the input to the head.
    pub layers: Vec<IntLayer>,
    /// The projection, if there is one.
    pub projection: Option<IntHead>,
    /// The head.
    pub head: IntHead,
}

impl IntMatrix {
    /// What one step of a row's weights stands for, by the multiplier that the device has; `unit` as in [`Floats`].
    pub(crate) fn scale(&self, row: usize, unit: f64) -> f64 {
        f64::from(self.multipliers[row]) * 128.0 / unit / f64::from(self.shift).exp2()
    }

    /// The weights as the device has them.
    fn reals(&self, columns: usize, unit: f64) -> Vec<f32> {
        let rows = self.weights.chunks_exact(columns).enumerate();
        rows.flat_map(|(row, weights)| {
            let scale = self.scale(row, unit);
            weights.iter().map(move |&q| (f64::from(q) * scale) as f32)
        })
        .collect()
    }
}

impl IntNet {
    /// `net` with the weights that these integers stand for, which were made with `ranges`.
    pub fn on_device(&self, net: &FloatNet, ranges: Ranges) -> FloatNet {
        let mut net = net.clone();
        for (to, from) in net.layers.iter_mut().zip(&self.layers) {
            for (to, from) in to.matrices.iter_mut().zip(&from.matrices) {
                to.weights = from.reals(to.columns, GATE_UNIT);
            }
        }
        by_input(&mut net.layers, 1.0 / ranges.embedding);
        if let (Some(to), Some(table)) = (&mut net.embedding, &self.embedding) {
            to.weights = table.reals(to.columns, EMBEDDING_UNIT);
            by(&mut to.weights, ranges.embedding);
        }
        if let (Some(to), Some(from)) = (&mut net.projection, &self.projection) {
            let to = &mut to.matrix;
            to.weights = from.matrix.reals(to.columns, HEAD_UNIT);
            by(&mut to.weights, ranges.projection);
        }
        // Of a tied head there are none.
        let unit = HEAD_UNIT * f64::from(ranges.projection);
        let to = &mut net.head.matrix;
        to.weights = self.head.matrix.reals(to.columns, unit);
        net
    }
}

/// The limit of a multiplier and, times the largest accumulator of weights of so many bits, of the requantized product
/// (`core` checks both).
fn fits(multiplier: f64, (columns, bits): (usize, u8), shift: u8) -> bool {
    let weight = f64::from(row_range::largest(bits));
    let requantized = multiplier * (weight * 128.0 * columns as f64) / f64::from(shift).exp2();
    multiplier <= f64::from(i32::MAX) && requantized + 0.5 < REQUANTIZED
}

/// Weights of so many bits, and the ranges of their rows if those were learnt.
#[derive(Clone, Copy)]
struct Rows<'a> {
    bits: u8,
    ranges: Option<&'a [f32]>,
}

impl Rows<'_> {
    const EIGHT: Self = Self {
        bits: 8,
        ranges: None,
    };

    /// Scales of rows of `columns` numbers.
    fn scales(&self, values: &[f32], columns: usize, scales: &mut Vec<f32>) {
        if let Some(ranges) = self.ranges {
            let largest = row_range::largest(self.bits);
            scales.clear();
            scales.extend(ranges.iter().map(|range| range / largest));
            return;
        }
        let (arch, bits) = (Arch::new(), self.bits);
        let rows = values.par_chunks_exact(columns);
        let step = |row| row_range::step(arch, row, bits);
        rows.map(step).collect_into_vec(scales);
    }
}

/// A matrix of f32 numbers on its way to integers.
#[derive(Clone, Copy)]
struct Floats<'a> {
    /// `[rows, columns]`
    values: &'a [f32],
    columns: usize,
    rows: Rows<'a>,
    /// 2^fraction bits of the result by what an operand of 128 stands for.
    unit: f64,
    /// For the error.
    name: Arguments<'a>,
}

impl<'a> Floats<'a> {
    fn of(matrix: &'a FloatMatrix, rows: Rows<'a>, unit: f64, name: Arguments<'a>) -> Self {
        Self {
            values: &matrix.weights,
            columns: matrix.columns,
            rows,
            unit,
            name,
        }
    }

    /// Multipliers of the rows and their shift.
    fn multipliers(&self, to: &mut IntMatrix) -> Result<()> {
        let (columns, bits, unit) = (self.columns, self.rows.bits, self.unit);
        let exact =
            |scale: f32, shift: u8| f64::from(scale) / 128.0 * unit * f64::from(shift).exp2();
        self.rows.scales(self.values, columns, &mut to.scales);
        let largest = to.scales.iter().fold(0.0_f32, |max, &s| max.max(s));
        let shift = (MIN_SHIFT..=SHIFT)
            .rev()
            .find(|&shift| fits(exact(largest, shift).round(), (columns, bits), shift));
        to.shift = shift.ok_or_else(|| Error::Quantize {
            name: self.name.to_string(),
            largest: largest * row_range::largest(bits),
        })?;
        to.multipliers.clear();
        let rows = to.scales.iter();
        to.multipliers
            .extend(rows.map(|&scale| exact(scale, to.shift).round() as i32));
        Ok(())
    }

    /// Multipliers, shift and weights.
    fn quantize(&self, to: &mut IntMatrix) -> Result<()> {
        self.multipliers(to)?;
        let most = row_range::largest(self.rows.bits);
        to.weights.resize(self.values.len(), 0);
        let rows = (to.weights.par_chunks_exact_mut(self.columns))
            .zip(self.values.par_chunks_exact(self.columns))
            .zip(&to.scales);
        rows.for_each(|((to, row), &scale)| {
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            for (q, w) in to.iter_mut().zip(row) {
                *q = (w * inverse).round().clamp(-most, most) as i8;
            }
        });
        Ok(())
    }
}

/// The integers of a matrix, `[rows, columns]`, of so many bits; `unit` as in [`Floats`].
pub(crate) fn matrix(
    (values, columns): (&[f32], usize),
    bits: u8,
    unit: f64,
    name: &str,
) -> Result<IntMatrix> {
    let rows = Rows { bits, ranges: None };
    let mut to = IntMatrix::default();
    let name = format_args!("{name}");
    let floats = Floats {
        values,
        columns,
        rows,
        unit,
        name,
    };
    floats.quantize(&mut to)?;
    Ok(to)
}

/// The multipliers alone of a matrix of 8 bits whose integers stand elsewhere.
pub(crate) fn multipliers(
    (values, columns): (&[f32], usize),
    unit: f64,
    name: &str,
) -> Result<IntMatrix> {
    let mut to = IntMatrix::default();
    let name = format_args!("{name}");
    let floats = Floats {
        values,
        columns,
        rows: Rows::EIGHT,
        unit,
        name,
    };
    floats.multipliers(&mut to)?;
    Ok(to)
}

/// A bias in steps of 1/`unit`.
pub(crate) fn bias(
    values: &[f32],
    unit: f64,
    name: Arguments<'_>,
    to: &mut Vec<i32>,
) -> Result<()> {
    let limit = f64::from(1 << 30);
    to.clear();
    for &b in values {
        let q = (f64::from(b) * unit).round();
        if q.is_nan() || q.abs() > limit {
            let name = format!("{name}'s bias");
            return Err(Error::Quantize { name, largest: b });
        }
        to.push(q as i32);
    }
    Ok(())
}

/// Multiplies numbers by `factor`.
fn by(values: &mut [f32], factor: f32) {
    values.iter_mut().for_each(|x| *x *= factor);
}

/// Divides the numbers of embedding and projection by their ranges, and multiplies by an embedding's what reads it: what
/// [`IntNet::take`] makes integers of.
pub(crate) fn by_ranges(net: &mut FloatNet, ranges: Ranges) {
    by_input(&mut net.layers, ranges.embedding);
    if let Some(table) = &mut net.embedding {
        by(&mut table.weights, 1.0 / ranges.embedding);
    }
    if let Some(projection) = &mut net.projection {
        by(&mut projection.matrix.weights, 1.0 / ranges.projection);
        by(&mut projection.bias, 1.0 / ranges.projection);
    }
}

/// How a net becomes integers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan<'a> {
    /// What embedding and projection are divided by.
    pub ranges: Ranges,
    /// Bits of the layers' weights and of the head's. Embedding and projection have 8, and with the embedding a head that
    /// is tied to it.
    pub bits: WeightBits,
    /// Ranges of the rows with 4 bits; otherwise those with the least error are taken.
    pub learned: Option<&'a Learned>,
}

/// Quantizes a net.
///
/// # Errors
/// [`Error::Quantize`] when a matrix has numbers so large that no shift fits.
pub fn quantize(net: &FloatNet, plan: Plan<'_>) -> Result<IntNet> {
    let (mut int, mut net) = (IntNet::empty(net), net.clone());
    by_ranges(&mut net, plan.ranges);
    int.take(&net, plan)?;
    Ok(int)
}

impl IntNet {
    /// The parts of `net`, without numbers yet.
    pub(crate) fn empty(net: &FloatNet) -> Self {
        let layer = |layer: &FloatLayer| IntLayer {
            matrices: vec![IntMatrix::default(); layer.matrices.len()],
            ..IntLayer::default()
        };
        Self {
            embedding: net.embedding.as_ref().map(|_| IntMatrix::default()),
            layers: net.layers.iter().map(layer).collect(),
            projection: net.projection.as_ref().map(|_| IntHead::default()),
            head: IntHead::default(),
        }
    }

    /// Quantizes `net`, of the shape that this was made for, divided [by ranges](by_ranges). Allocates the first time only.
    ///
    /// # Errors
    /// As [`quantize`].
    pub(crate) fn take(&mut self, net: &FloatNet, plan: Plan<'_>) -> Result<()> {
        let (ranges, bits) = (plan.ranges, plan.bits);
        // The learnt ranges of a matrix follow those of the matrices before it.
        let mut learned = plan.learned.map(|learned| &learned.ranges[..]);
        let mut rows = |bits: u8, matrix: &FloatMatrix| Rows {
            bits,
            ranges: (learned.as_mut())
                .filter(|_| bits == 4)
                .and_then(|all| all.split_off(..matrix.weights.len() / matrix.columns)),
        };
        for (index, (to, layer)) in self.layers.iter_mut().zip(&net.layers).enumerate() {
            let q = |x: &f32| (x * 4096.0).round();
            let fits = |x: &f32| (-32768.0..=32767.0).contains(&q(x));
            let input = layer
                .input
                .iter()
                .map(|x| q(x).clamp(-32768.0, 32767.0) as i16);
            to.input.clear();
            to.input.extend(input);
            to.saturated = layer.input.iter().filter(|x| !fits(x)).count();
            for (to, matrix) in to.matrices.iter_mut().zip(&layer.matrices) {
                let rows = rows(bits.layers[index], matrix);
                let name = format_args!("layer {index}");
                Floats::of(matrix, rows, GATE_UNIT, name).quantize(to)?;
            }
            let (from, name) = (&layer.recurrent_bias, format_args!("layer {index}"));
            bias(from, GATE_UNIT, name, &mut to.recurrent_bias)?;
        }
        if let (Some(to), Some(table)) = (&mut self.embedding, &net.embedding) {
            // A row is multiplied as it is, by no operand.
            let name = format_args!("the embedding");
            Floats::of(table, Rows::EIGHT, EMBEDDING_UNIT, name).quantize(to)?;
        }
        if let (Some(to), Some(projection)) = (&mut self.projection, &net.projection) {
            let name = format_args!("the projection");
            let matrix = Floats::of(&projection.matrix, Rows::EIGHT, HEAD_UNIT, name);
            matrix.quantize(&mut to.matrix)?;
            bias(&projection.bias, HEAD_UNIT, name, &mut to.bias)?;
        }
        let (to, name) = (&mut self.head, format_args!("the head"));
        let unit = HEAD_UNIT * f64::from(ranges.projection);
        let tied = net.head.matrix.weights.is_empty();
        match net.embedding.as_ref().filter(|_| tied) {
            None => {
                let rows = rows(bits.head, &net.head.matrix);
                Floats::of(&net.head.matrix, rows, unit, name).quantize(&mut to.matrix)?;
            }
            Some(table) => {
                let unit = unit * f64::from(ranges.embedding);
                Floats::of(table, Rows::EIGHT, unit, name).multipliers(&mut to.matrix)?;
            }
        }
        bias(&net.head.bias, HEAD_UNIT, name, &mut to.bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Params, Role};
    use crate::shape::{Cell, Shape};

    #[test]
    fn gate_blocks_become_unit_major_rows_with_padding() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 2,
            hidden: 3,
            vocab: 2,
            ..Shape::PLAIN
        };
        let mut params = Params::<f32>::zeros(shape.net());
        params
            .data
            .iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w = i as f32);
        let net = FloatNet::new(&params);
        let weights = |layer: usize| &net.layers[layer].matrices[0].weights;
        let (unit, gate, k) = (2, 1, 1);
        let row = unit * 4 + gate;
        let recurrent =
            |layer| params.tensor(shape.layer(layer), Role::Recurrent)[k * 12 + gate * 3 + unit];
        assert_eq!(weights(0)[row * 4 + k], recurrent(0));
        assert_eq!(weights(1)[row * 8 + 4 + k], recurrent(1));
        assert_eq!(
            weights(1)[row * 8 + k],
            params.tensor(shape.layer(1), shape.input_role(1))[k * 12 + gate * 3 + unit]
        );
        assert_eq!(
            (weights(1)[row * 8 + 3], weights(1)[row * 8 + 7]),
            (0.0, 0.0)
        );
        let sum = params.tensor(shape.layer(0), shape.input_role(0))[12 + gate * 3 + unit]
            + params.tensor(shape.layer(0), Role::Bias)[gate * 3 + unit];
        assert_eq!(net.layers[0].input[12 + row], sum);
        assert_eq!(
            net.layers[1].input[row],
            params.tensor(shape.layer(1), Role::Bias)[gate * 3 + unit]
        );
    }

    /// Rows of four numbers with 8 bits.
    fn matrix(values: &[f32]) -> Result<IntMatrix> {
        let mut to = IntMatrix::default();
        let floats = Floats {
            values,
            columns: 4,
            rows: Rows::EIGHT,
            unit: 4096.0,
            name: format_args!("layer 0"),
        };
        floats.quantize(&mut to).map(|()| to)
    }

    #[test]
    fn a_row_uses_all_of_its_range_and_comes_back_within_half_a_step() {
        let values = [
            0.5, -0.25, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, -3.0, 1.0, 0.02,
        ];
        let q = matrix(&values).unwrap();
        assert_eq!((q.weights[0], q.weights[8], q.weights[9]), (127, 127, -127));
        assert_eq!((q.multipliers[1], q.shift), (0, 24));
        for (index, &value) in values.iter().enumerate() {
            let scale =
                f64::from(q.multipliers[index / 4]) * 128.0 / 4096.0 / f64::from(q.shift).exp2();
            assert!(
                (f64::from(q.weights[index]) * scale - f64::from(value)).abs()
                    <= 0.5 * scale + 1e-6
            );
        }
    }

    #[test]
    fn large_weights_take_a_smaller_shift_and_absurd_ones_are_refused() {
        let q = matrix(&[1000.0, 0.0, 0.0, 0.0]).unwrap();
        assert!(q.shift < 24 && q.multipliers[0] > 0);
        let error = matrix(&[1e9, 0.0, 0.0, 0.0]).unwrap_err().to_string();
        assert!(error.contains("layer 0"), "{error}");
    }

    #[test]
    fn inputs_beyond_eight_saturate_and_are_counted() {
        let shape = Shape {
            cell: Cell::Rnn,
            layers: 1,
            hidden: 2,
            vocab: 2,
            ..Shape::PLAIN
        };
        let mut params = Params::<f32>::zeros(shape.net());
        params
            .tensor_mut(shape.layer(0), shape.input_role(0))
            .copy_from_slice(&[9.0, 7.5, -9.0, -8.0]);
        let net = quantize(&FloatNet::new(&params), Plan::default()).unwrap();
        assert_eq!(net.layers[0].input, [32767, 30720, -32768, -32768]);
        assert_eq!(net.layers[0].saturated, 2);
    }
}
