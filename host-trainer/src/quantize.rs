//! f32 parameters to the integers of the specification (docs/numerics.md).
//!
//! ```text
//! row scale   s_r = max_k |W[r,k]| / 127             q[r,k] = round(W[r,k] / s_r)
//! multiplier  m_r = round(s_r / 128 * unit * 2^shift)      unit = 2^12 for gates (Q3.12), 2^16 for the head (Q15.16)
//! input row   round(4096 (W_x[id] + b)), saturated to int16
//! ```
//! A row of a layer above the first covers both halves of its operand, `[W_x | W_h]`, with one scale.
//! `shift` is 24, or less where a multiplier would not fit 31 bits.

use gatelet::Dims;

use crate::error::{Error, Result};
use crate::params::{Params, Role};

/// Largest magnitude of a quantized weight.
const WEIGHT_MAX: f32 = 127.0;
/// Shift of the requantization, unless a row is too large for it.
pub(crate) const SHIFT: u8 = 24;
/// Smallest shift an image may have.
const MIN_SHIFT: u8 = 8;

/// A layer in the order of an image: unit-major rows, padded columns.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// First layer: `[vocab, rows]`, `W_x[id] + b`. Above: `[rows]`, `b`.
    pub input: Vec<f32>,
    /// `[rows, columns]`.
    pub weights: Vec<f32>,
}

/// A net in the order of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNet {
    /// From the input to the head.
    pub layers: Vec<FloatLayer>,
    /// `[vocab, stride]`.
    pub head: Vec<f32>,
    /// `[vocab]`.
    pub head_bias: Vec<f32>,
}

impl FloatNet {
    /// Reorders parameters: gate blocks become unit-major rows, [input, output] becomes [output, input].
    pub fn new(params: &Params<f32>, dims: &Dims) -> Self {
        let (gates, hidden, stride) = (dims.cell.gates(), dims.hidden, dims.stride());
        let rows = gates * hidden;
        // Row `unit * gates + gate` of an image is column `gate * hidden + unit` of the trainer's matrices.
        let column = |row: usize| (row % gates) * hidden + row / gates;
        let layer = |index: usize| {
            let (input, recurrent, bias) = (
                params.tensor(Role::Input, index),
                params.tensor(Role::Recurrent, index),
                params.tensor(Role::Bias, index),
            );
            let columns = dims.columns(index);
            let own = columns - stride;
            let mut weights = vec![0.0; rows * columns];
            for (row, to) in weights.chunks_exact_mut(columns).enumerate() {
                for k in 0..hidden {
                    to[own + k] = recurrent[k * rows + column(row)];
                    if index > 0 {
                        to[k] = input[k * rows + column(row)];
                    }
                }
            }
            let add_bias = |from: &[f32]| {
                (0..rows)
                    .map(|row| from[column(row)] + bias[column(row)])
                    .collect::<Vec<_>>()
            };
            let input = match index {
                0 => input.chunks_exact(rows).flat_map(add_bias).collect(),
                _ => add_bias(&vec![0.0; rows]),
            };
            FloatLayer { input, weights }
        };
        let mut head = vec![0.0; dims.vocab * stride];
        for (to, from) in head
            .chunks_exact_mut(stride)
            .zip(params.tensor(Role::HeadWeight, 0).chunks_exact(hidden))
        {
            to[..hidden].copy_from_slice(from);
        }
        let layers = (0..dims.layers).map(layer).collect();
        Self {
            layers,
            head,
            head_bias: params.tensor(Role::HeadBias, 0).to_vec(),
        }
    }
}

/// A weight matrix in int8, one scale a row.
#[derive(Clone, Debug, PartialEq)]
pub struct IntMatrix {
    /// `[rows, columns]`, -127..=127.
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
    /// Recurrent weights.
    pub matrix: IntMatrix,
    /// Input numbers that did not fit Q3.12.
    pub saturated: usize,
}

/// A net in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct IntNet {
    /// From the input to the head.
    pub layers: Vec<IntLayer>,
    /// The head.
    pub head: IntMatrix,
    /// `[vocab]`, Q15.16.
    pub head_bias: Vec<i32>,
}

/// The limit of a multiplier and, times the largest accumulator, of the requantized product (`core` checks both).
fn fits(multiplier: f64, columns: usize, shift: u8) -> bool {
    let requantized = multiplier * (127.0 * 128.0 * columns as f64) / f64::from(shift).exp2();
    multiplier <= f64::from(i32::MAX) && requantized < f64::from(1 << 30)
}

/// Quantizes a matrix of rows of `columns`; `unit` is the result's 2^fraction bits, `name` is for the error.
fn matrix(values: &[f32], columns: usize, unit: f64, name: &str) -> Result<IntMatrix> {
    let scales: Vec<f32> = values
        .chunks_exact(columns)
        .map(|row| row.iter().fold(0.0_f32, |max, w| max.max(w.abs())) / WEIGHT_MAX)
        .collect();
    let exact = |scale: f32, shift: u8| f64::from(scale) / 128.0 * unit * f64::from(shift).exp2();
    let largest = scales.iter().fold(0.0_f32, |max, &s| max.max(s));
    let shift = (MIN_SHIFT..=SHIFT)
        .rev()
        .find(|&shift| fits(exact(largest, shift).round(), columns, shift));
    let shift = shift.ok_or_else(|| Error::Quantize {
        name: name.to_owned(),
        largest: largest * WEIGHT_MAX,
    })?;
    let quantize = |(row, &scale): (&[f32], &f32)| -> Vec<i8> {
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        row.iter()
            .map(|w| (w * inverse).round().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8)
            .collect()
    };
    Ok(IntMatrix {
        weights: values
            .chunks_exact(columns)
            .zip(&scales)
            .flat_map(quantize)
            .collect(),
        multipliers: scales
            .iter()
            .map(|&scale| exact(scale, shift).round() as i32)
            .collect(),
        shift,
    })
}

/// Quantizes a net.
///
/// # Errors
/// [`Error::Quantize`] when a matrix has numbers so large that no shift fits.
pub fn quantize(net: &FloatNet, dims: &Dims) -> Result<IntNet> {
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
                4096.0,
                &format!("layer {index}"),
            )?,
            saturated: layer.input.iter().filter(|x| outside(x)).count(),
        })
    };
    let layers = net
        .layers
        .iter()
        .enumerate()
        .map(layer)
        .collect::<Result<_>>()?;
    let head = matrix(&net.head, dims.stride(), 65_536.0, "the head")?;
    let bias_limit = f64::from(1 << 30);
    let bias = |b: &f32| {
        let q = (f64::from(*b) * 65_536.0).round();
        let fits = q.abs() <= bias_limit;
        fits.then_some(q as i32).ok_or_else(|| Error::Quantize {
            name: "the head's bias".to_owned(),
            largest: *b,
        })
    };
    Ok(IntNet {
        layers,
        head,
        head_bias: net.head_bias.iter().map(bias).collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Cell, Shape};

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
        let q = matrix(&values, 4, 4096.0, "m").unwrap();
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
        let q = matrix(&[1000.0, 0.0, 0.0, 0.0], 4, 4096.0, "m").unwrap();
        assert!(q.shift < 24 && q.multipliers[0] > 0);
        let error = matrix(&[1e9, 0.0, 0.0, 0.0], 4, 4096.0, "layer 0")
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
        let net = quantize(&FloatNet::new(&params, &dims(shape)), &dims(shape)).unwrap();
        assert_eq!(net.layers[0].input, [32767, 30720, -32768, -32768]);
        assert_eq!(net.layers[0].saturated, 2);
    }
}
