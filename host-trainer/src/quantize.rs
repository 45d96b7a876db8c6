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

use std::borrow::Cow;

use gatelet::Dims;
use gatelet::matrix::PAIRS_MIN_SHIFT_NIBBLES;
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::float_net::{FloatLayer, FloatNet, by_input};
use crate::learned::Learned;
use crate::row_range::{self, WeightBits};

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
#[derive(Clone, Debug, PartialEq)]
pub struct IntMatrix {
    /// `[rows, columns]`, -127..=127 or -7..=7.
    pub weights: Vec<i8>,
    /// `[rows]`.
    pub multipliers: Vec<i32>,
    /// Right shift that belongs to the multipliers.
    pub shift: u8,
}

/// A layer in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct IntLayer {
    /// As [`FloatLayer::input`], Q3.12.
    pub input: Vec<i16>,
    /// Weights.
    pub matrix: IntMatrix,
    /// Input numbers that did not fit Q3.12.
    pub saturated: usize,
}

/// A head, or a projection, in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct IntHead {
    /// Weights; of a tied head the multipliers alone.
    pub matrix: IntMatrix,
    /// `[outputs]`, Q15.16.
    pub bias: Vec<i32>,
}

/// A net in int8.
#[derive(Clone, Debug, PartialEq)]
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
    /// What one step of a row's weights stands for, by the multiplier that the device has; `unit` as in [`multipliers`].
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
    pub fn on_device(&self, net: &FloatNet, dims: &Dims, ranges: Ranges) -> FloatNet {
        let mut net = net.clone();
        for (index, (to, from)) in net.layers.iter_mut().zip(&self.layers).enumerate() {
            to.weights = from.matrix.reals(dims.columns(index), GATE_UNIT);
        }
        by_input(&mut net.layers, dims, 1.0 / ranges.embedding);
        if let Some(table) = &self.embedding {
            let reals = table.reals(dims.embedding_stride(), EMBEDDING_UNIT);
            net.embedding = Some(by(&reals, ranges.embedding));
        }
        if let (Some(to), Some(from)) = (&mut net.projection, &self.projection) {
            let reals = from.matrix.reals(dims.stride(), HEAD_UNIT);
            to.weights = by(&reals, ranges.projection);
        }
        // Of a tied head there are none.
        let unit = HEAD_UNIT * f64::from(ranges.projection);
        net.head.weights = self.head.matrix.reals(dims.head_columns(), unit);
        net
    }
}

/// What a requantized product stays below.
const REQUANTIZED: f64 = (1_u32 << 30) as f64;

/// The limit of a multiplier and, times the largest accumulator of weights of so many bits, of the requantized product
/// (`core` checks both).
fn fits(multiplier: f64, (columns, bits): (usize, u8), shift: u8) -> bool {
    let weight = f64::from(row_range::largest(bits));
    let requantized = multiplier * (weight * 128.0 * columns as f64) / f64::from(shift).exp2();
    multiplier <= f64::from(i32::MAX) && requantized < REQUANTIZED
}

/// The range of a row of `columns` weights that always fits, with 4 bits in the layout pairs too; `unit` as in [`multipliers`].
pub(crate) fn most_range(columns: usize, unit: f64) -> f32 {
    let of_sums = 0.9 * REQUANTIZED / (unit * columns as f64);
    let multiplier = 0.9 * f64::from(i32::MAX) / f64::from(PAIRS_MIN_SHIFT_NIBBLES).exp2();
    let of_multiplier = f64::from(row_range::largest(4)) * multiplier * 128.0 / unit;
    of_sums.min(of_multiplier) as f32
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
    fn scales(&self, values: &[f32], columns: usize) -> Vec<f32> {
        if let Some(ranges) = self.ranges {
            let largest = row_range::largest(self.bits);
            return ranges.iter().map(|range| range / largest).collect();
        }
        let arch = Arch::new();
        values
            .par_chunks_exact(columns)
            .map(|row| row_range::step(arch, row, self.bits))
            .collect()
    }
}

/// Multipliers for rows of these scales, and their shift. `unit` is 2^fraction bits of the result by what an operand of
/// 128 stands for; `name` is for the error.
fn multipliers(
    scales: &[f32],
    (columns, bits): (usize, u8),
    unit: f64,
    name: &str,
) -> Result<(Vec<i32>, u8)> {
    let exact = |scale: f32, shift: u8| f64::from(scale) / 128.0 * unit * f64::from(shift).exp2();
    let largest = scales.iter().fold(0.0_f32, |max, &s| max.max(s));
    let shift = (MIN_SHIFT..=SHIFT)
        .rev()
        .find(|&shift| fits(exact(largest, shift).round(), (columns, bits), shift));
    let shift = shift.ok_or_else(|| Error::Quantize {
        name: name.to_owned(),
        largest: largest * row_range::largest(bits),
    })?;
    let of = |&scale: &f32| exact(scale, shift).round() as i32;
    Ok((scales.iter().map(of).collect(), shift))
}

/// Quantizes a matrix of rows of `columns`; `unit` and `name` as in [`multipliers`].
fn matrix(
    values: &[f32],
    columns: usize,
    rows: Rows<'_>,
    unit: f64,
    name: &str,
) -> Result<IntMatrix> {
    let scales = rows.scales(values, columns);
    let (multipliers, shift) = multipliers(&scales, (columns, rows.bits), unit, name)?;
    let most = row_range::largest(rows.bits);
    let mut weights = vec![0; values.len()];
    let rows = weights
        .par_chunks_exact_mut(columns)
        .zip(values.par_chunks_exact(columns))
        .zip(&scales);
    rows.for_each(|((to, row), &scale)| {
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (q, w) in to.iter_mut().zip(row) {
            *q = (w * inverse).round().clamp(-most, most) as i8;
        }
    });
    Ok(IntMatrix {
        weights,
        multipliers,
        shift,
    })
}

/// A bias in Q15.16.
fn bias(values: &[f32], name: &str) -> Result<Vec<i32>> {
    let limit = f64::from(1 << 30);
    let bias = |b: &f32| {
        let q = (f64::from(*b) * 65_536.0).round();
        let fits = q.abs() <= limit;
        fits.then_some(q as i32).ok_or_else(|| Error::Quantize {
            name: format!("{name}'s bias"),
            largest: *b,
        })
    };
    values.iter().map(bias).collect()
}

/// The same numbers by `factor`.
fn by(values: &[f32], factor: f32) -> Vec<f32> {
    values.iter().map(|x| x * factor).collect()
}

/// What a result's one is, in steps of a pre-activation and of a logit.
pub(crate) const GATE_UNIT: f64 = 4096.0;
pub(crate) const HEAD_UNIT: f64 = 65_536.0;
/// The same of an embedding, whose rows are multiplied by no operand.
pub(crate) const EMBEDDING_UNIT: f64 = 128.0 * 128.0;

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
pub fn quantize(net: &FloatNet, dims: &Dims, plan: Plan<'_>) -> Result<IntNet> {
    let (ranges, bits) = (plan.ranges, plan.bits);
    // The learnt ranges of a matrix follow those of the matrices before it.
    let mut learned = plan.learned.map(|learned| &learned.ranges[..]);
    let mut take = |bits: u8, rows: usize| Rows {
        bits,
        ranges: match (&mut learned, bits) {
            (Some(all), 4) => all.split_off(..rows),
            _ => None,
        },
    };
    let of_layers: Vec<Rows<'_>> = (0..dims.layers)
        .map(|layer| take(bits.layers[layer], dims.rows()))
        .collect();
    let of_head = take(bits.head, dims.vocab);
    let layer = |(index, layer): (usize, &FloatLayer)| {
        let q = |x: &f32| (x * 4096.0).round();
        let outside = |x: &f32| !(-32768.0..=32767.0).contains(&q(x));
        Ok(IntLayer {
            input: layer
                .input
                .iter()
                .map(|x| q(x).clamp(-32768.0, 32767.0) as i16)
                .collect(),
            matrix: matrix(
                &layer.weights,
                dims.columns(index),
                of_layers[index],
                GATE_UNIT,
                &format!("layer {index}"),
            )?,
            saturated: layer.input.iter().filter(|x| outside(x)).count(),
        })
    };
    let mut floats = Cow::Borrowed(&net.layers[..]);
    if dims.embedding > 0 {
        by_input(floats.to_mut(), dims, ranges.embedding);
    }
    let layers = floats
        .iter()
        .enumerate()
        .map(layer)
        .collect::<Result<_>>()?;
    // A row is multiplied as it is, by no operand.
    let table = net
        .embedding
        .as_ref()
        .map(|table| by(table, 1.0 / ranges.embedding));
    let columns = dims.embedding_stride();
    let embedding = table
        .as_ref()
        .map(|table| matrix(table, columns, Rows::EIGHT, EMBEDDING_UNIT, "the embedding"));
    let projection = net.projection.as_ref().map(|projection| {
        let (name, inverse) = ("the projection", 1.0 / ranges.projection);
        let weights = by(&projection.weights, inverse);
        Ok::<_, Error>(IntHead {
            matrix: matrix(&weights, dims.stride(), Rows::EIGHT, HEAD_UNIT, name)?,
            bias: bias(&by(&projection.bias, inverse), name)?,
        })
    });
    let (name, columns) = ("the head", dims.head_columns());
    let unit = HEAD_UNIT * f64::from(ranges.projection);
    let matrix = match table.filter(|_| dims.tied) {
        None => matrix(&net.head.weights, columns, of_head, unit, name)?,
        Some(table) => {
            let unit = unit * f64::from(ranges.embedding);
            let (multipliers, shift) = multipliers(
                &Rows::EIGHT.scales(&table, columns),
                (columns, 8),
                unit,
                name,
            )?;
            IntMatrix {
                weights: Vec::new(),
                multipliers,
                shift,
            }
        }
    };
    Ok(IntNet {
        embedding: embedding.transpose()?,
        layers,
        projection: projection.transpose()?,
        head: IntHead {
            matrix,
            bias: bias(&net.head.bias, name)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Cell, Params, Role, Shape};

    fn dims(shape: Shape) -> Dims {
        Dims::new(
            shape.cell.into(),
            gatelet::Precision::Int8,
            shape.layers,
            shape.hidden,
            shape.vocab,
        )
        .unwrap()
    }

    #[test]
    fn gate_blocks_become_unit_major_rows_with_padding() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 2,
            hidden: 3,
            vocab: 2,
            ..Shape::PLAIN
        };
        let mut params = Params::<f32>::zeros(shape);
        params
            .data
            .iter_mut()
            .enumerate()
            .for_each(|(i, w)| *w = i as f32);
        let net = FloatNet::new(&params, &dims(shape));
        let (unit, gate, k) = (2, 1, 1);
        let row = unit * 4 + gate;
        let recurrent = |layer| params.tensor(Role::Recurrent, layer)[k * 12 + gate * 3 + unit];
        assert_eq!(net.layers[0].weights[row * 4 + k], recurrent(0));
        assert_eq!(net.layers[1].weights[row * 8 + 4 + k], recurrent(1));
        assert_eq!(
            net.layers[1].weights[row * 8 + k],
            params.tensor(Role::Input, 1)[k * 12 + gate * 3 + unit]
        );
        assert_eq!(
            (
                net.layers[1].weights[row * 8 + 3],
                net.layers[1].weights[row * 8 + 7]
            ),
            (0.0, 0.0)
        );
        let sum = params.tensor(Role::Input, 0)[12 + gate * 3 + unit]
            + params.tensor(Role::Bias, 0)[gate * 3 + unit];
        assert_eq!(net.layers[0].input[12 + row], sum);
        assert_eq!(
            net.layers[1].input[row],
            params.tensor(Role::Bias, 1)[gate * 3 + unit]
        );
    }

    #[test]
    fn a_row_uses_all_of_its_range_and_comes_back_within_half_a_step() {
        let values = [
            0.5, -0.25, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, -3.0, 1.0, 0.02,
        ];
        let q = matrix(&values, 4, Rows::EIGHT, 4096.0, "m").unwrap();
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
        let q = matrix(&[1000.0, 0.0, 0.0, 0.0], 4, Rows::EIGHT, 4096.0, "m").unwrap();
        assert!(q.shift < 24 && q.multipliers[0] > 0);
        let error = matrix(&[1e9, 0.0, 0.0, 0.0], 4, Rows::EIGHT, 4096.0, "layer 0")
            .unwrap_err()
            .to_string();
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
        let mut params = Params::<f32>::zeros(shape);
        params
            .tensor_mut(Role::Input, 0)
            .copy_from_slice(&[9.0, 7.5, -9.0, -8.0]);
        let net = quantize(
            &FloatNet::new(&params, &dims(shape)),
            &dims(shape),
            Plan::default(),
        )
        .unwrap();
        assert_eq!(net.layers[0].input, [32767, 30720, -32768, -32768]);
        assert_eq!(net.layers[0].saturated, 2);
    }
}
