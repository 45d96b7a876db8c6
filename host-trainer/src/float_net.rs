//! The f32 parameters of a net in the order of an image.
//!
//! ```text
//! row = unit * gates + gate        columns: [ W_x | W_h ], each half padded to a multiple of 4
//! input rows of a token layer      W_x[id] + b
//! ```

use gatelet::Dims;

use crate::params::{Params, Role, Shape};
use crate::real::Real;

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

/// Rows of `width` numbers into rows of `columns`, whose padding stays.
fn padded<F: Real>(rows: &[F], width: usize, to: &mut [f32], columns: usize) {
    for (to, from) in to.chunks_exact_mut(columns).zip(rows.chunks_exact(width)) {
        single(from, to);
    }
}

/// The same numbers in single precision.
fn single<F: Real>(from: &[F], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f64() as f32;
    }
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

impl FloatHead {
    fn zeros(outputs: usize, columns: usize) -> Self {
        Self {
            weights: vec![0.0; outputs * columns],
            bias: vec![0.0; outputs],
        }
    }
}

impl FloatNet {
    /// Room for the parameters of a net of this shape.
    pub(crate) fn zeros(shape: Shape, dims: &Dims) -> Self {
        let rows = dims.rows();
        let layer = |index: usize| FloatLayer {
            input: vec![
                0.0;
                if shape.is_dense(index) {
                    1
                } else {
                    shape.vocab
                } * rows
            ],
            weights: vec![0.0; rows * dims.columns(index)],
        };
        let of_head = if shape.tied { 0 } else { dims.head_columns() };
        Self {
            embedding: (shape.embedding > 0)
                .then(|| vec![0.0; shape.vocab * dims.embedding_stride()]),
            layers: (0..dims.layers).map(layer).collect(),
            projection: (shape.projection > 0)
                .then(|| FloatHead::zeros(shape.projection, dims.stride())),
            head: FloatHead::zeros(shape.vocab, of_head),
        }
    }

    /// Reorders parameters: gate blocks become unit-major rows, [input, output] becomes [output, input].
    pub fn new(params: &Params<f32>, dims: &Dims) -> Self {
        let mut net = Self::zeros(params.shape, dims);
        net.take(params.shape, &params.data, dims);
        net
    }

    /// Takes `numbers` in the order of the parameters of a net of this shape.
    pub(crate) fn take<F: Real>(&mut self, shape: Shape, numbers: &[F], dims: &Dims) {
        let tensor = |role, layer| &numbers[shape.range(role, layer)];
        let (gates, hidden, stride) = (dims.cell.gates(), dims.hidden, dims.stride());
        let rows = gates * hidden;
        // Row `unit * gates + gate` of an image is column `gate * hidden + unit` of the trainer's matrices.
        let column = |row: usize| (row % gates) * hidden + row / gates;
        let number = |x: F| x.to_f64() as f32;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let (input, recurrent, bias) = (
                tensor(Role::Input, index),
                tensor(Role::Recurrent, index),
                tensor(Role::Bias, index),
            );
            let columns = dims.columns(index);
            let (own, dense) = (columns - stride, shape.is_dense(index));
            let inputs = if dense { shape.inputs(index) } else { 0 };
            for (row, to) in layer.weights.chunks_exact_mut(columns).enumerate() {
                for k in 0..inputs {
                    to[k] = number(input[k * rows + column(row)]);
                }
                for k in 0..hidden {
                    to[own + k] = number(recurrent[k * rows + column(row)]);
                }
            }
            for (id, to) in layer.input.chunks_exact_mut(rows).enumerate() {
                for (row, to) in to.iter_mut().enumerate() {
                    let own = match dense {
                        false => number(input[id * rows + column(row)]),
                        true => 0.0,
                    };
                    *to = own + number(bias[column(row)]);
                }
            }
        }
        if let Some(to) = &mut self.embedding {
            let table = tensor(Role::Embedding, 0);
            padded(table, shape.embedding, to, dims.embedding_stride());
        }
        if let Some(to) = &mut self.projection {
            padded(tensor(Role::Projection, 0), hidden, &mut to.weights, stride);
            single(tensor(Role::ProjectionBias, 0), &mut to.bias);
        }
        if !shape.tied {
            let (from, to) = (tensor(Role::HeadWeight, 0), &mut self.head.weights);
            padded(from, shape.head_inputs(), to, dims.head_columns());
        }
        single(tensor(Role::HeadBias, 0), &mut self.head.bias);
    }
}
