//! The f32 parameters of a net in the order of an image.
//!
//! ```text
//! row = unit * gates + gate        columns: [ W_x | W_h ], each half padded to a multiple of 4
//! input rows of a token layer      W_x[id] + b
//! ```

use gatelet::Dims;

use crate::params::{Params, Role};

/// A layer in the order of an image: unit-major rows, padded columns.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// First layer without an embedding: `[vocab, rows]`, `W_x[id] + b`. Others: `[rows]`, `b`.
    pub input: Vec<f32>,
    /// `[rows, columns]`.
    pub weights: Vec<f32>,
}

/// A head, or a projection, in the order of an image: padded columns.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatHead {
    /// `[outputs, columns]`; of a tied head none.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// A net in the order of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNet {
    /// `[vocab, embedding_stride]`, if there is one.
    pub embedding: Option<Vec<f32>>,
    /// From the input to the head.
    pub layers: Vec<FloatLayer>,
    /// `[projection, stride]` and `[projection]`, if there is one.
    pub projection: Option<FloatHead>,
    /// `[vocab, head_columns]` and `[vocab]`.
    pub head: FloatHead,
}

/// Rows of `width` numbers, padded with zeros to `columns`.
fn padded(rows: &[f32], width: usize, columns: usize) -> Vec<f32> {
    let mut all = vec![0.0; rows.len() / width * columns];
    for (to, from) in all.chunks_exact_mut(columns).zip(rows.chunks_exact(width)) {
        to[..width].copy_from_slice(from);
    }
    all
}

/// Multiplies the weights by which the first layer reads an embedding; it has none in other nets.
pub(crate) fn by_input(layers: &mut [FloatLayer], dims: &Dims, factor: f32) {
    let (columns, inputs) = (dims.columns(0), dims.embedding_stride());
    for row in layers
        .iter_mut()
        .take(1)
        .flat_map(|layer| layer.weights.chunks_exact_mut(columns))
    {
        row[..inputs].iter_mut().for_each(|w| *w *= factor);
    }
}

impl FloatNet {
    /// Reorders parameters: gate blocks become unit-major rows, [input, output] becomes [output, input].
    pub fn new(params: &Params<f32>, dims: &Dims) -> Self {
        let (gates, hidden, stride) = (dims.cell.gates(), dims.hidden, dims.stride());
        let (shape, rows) = (params.shape, gates * hidden);
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
            let inputs = if shape.is_dense(index) {
                shape.inputs(index)
            } else {
                0
            };
            let mut weights = vec![0.0; rows * columns];
            for (row, to) in weights.chunks_exact_mut(columns).enumerate() {
                for k in 0..inputs {
                    to[k] = input[k * rows + column(row)];
                }
                for k in 0..hidden {
                    to[own + k] = recurrent[k * rows + column(row)];
                }
            }
            let add_bias = |from: &[f32]| {
                (0..rows)
                    .map(|row| from[column(row)] + bias[column(row)])
                    .collect::<Vec<_>>()
            };
            let input = match shape.is_dense(index) {
                false => input.chunks_exact(rows).flat_map(add_bias).collect(),
                true => add_bias(&vec![0.0; rows]),
            };
            FloatLayer { input, weights }
        };
        let tensor = |role| params.tensor(role, 0);
        let table = || {
            padded(
                tensor(Role::Embedding),
                shape.embedding,
                dims.embedding_stride(),
            )
        };
        let head = match shape.tied {
            true => Vec::new(),
            false => padded(
                tensor(Role::HeadWeight),
                shape.head_inputs(),
                dims.head_columns(),
            ),
        };
        Self {
            embedding: (shape.embedding > 0).then(table),
            layers: (0..dims.layers).map(layer).collect(),
            projection: (shape.projection > 0).then(|| FloatHead {
                weights: padded(tensor(Role::Projection), hidden, stride),
                bias: tensor(Role::ProjectionBias).to_vec(),
            }),
            head: FloatHead {
                weights: head,
                bias: tensor(Role::HeadBias).to_vec(),
            },
        }
    }
}
