//! The f32 parameters of a net in the order of an image.
//!
//! ```text
//! row = unit * gates + gate        columns: [ W_x | W_h ], each half padded to a multiple of 4
//! input rows of a token layer      W_x[id] + b
//! ```
//! A layer is one matrix with all of its gates, or several where not all of its products are summed
//! (`Block`).

use crate::net::{Params, Role, Tensor};
use crate::real::Real;
use crate::shape::{Cell, Shape};

/// Columns of a row of so many numbers.
pub(crate) const fn padded(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// One of a layer's matrices: its rows are some gates of every unit, its columns the layer's input,
/// h, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Units of the layer.
    pub(crate) hidden: usize,
    /// The first gate in it.
    pub(crate) first: usize,
    /// Gates in it.
    pub(crate) gates: usize,
    /// Numbers of the layer's input that it multiplies, or 0.
    pub(crate) inputs: usize,
    /// Whether it multiplies h.
    pub(crate) recurrent: bool,
}

impl Block {
    /// The matrices of a layer, in the order of an image.
    pub(crate) fn of(shape: Shape, layer: usize) -> impl Iterator<Item = Self> {
        let whole = Self {
            hidden: shape.hidden,
            first: 0,
            gates: shape.cell.gates(),
            inputs: match shape.is_dense(layer) {
                true => shape.inputs(layer),
                false => 0,
            },
            recurrent: true,
        };
        let all = match shape.cell {
            Cell::Rnn | Cell::Lstm => [Some(whole), None, None],
            // r and z; then what W_x and what W_h add to n.
            Cell::Gru => {
                let n = Self {
                    first: 2,
                    gates: 1,
                    ..whole
                };
                let of_input = Self {
                    recurrent: false,
                    ..n
                };
                [
                    Some(Self { gates: 2, ..whole }),
                    (n.inputs > 0).then_some(of_input),
                    Some(Self { inputs: 0, ..n }),
                ]
            }
        };
        all.into_iter().flatten()
    }

    /// Padded columns of the input.
    pub(crate) fn own(&self) -> usize {
        padded(self.inputs)
    }

    /// Padded columns.
    pub(crate) fn columns(&self) -> usize {
        let recurrent = if self.recurrent { self.hidden } else { 0 };
        self.own() + padded(recurrent)
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.gates * self.hidden
    }

    /// Which column of the trainer's matrices, `gate * hidden + unit`, a row is.
    pub(crate) fn column(&self, row: usize) -> usize {
        match self.gates {
            // A GRU's r and z stand one behind the other, as its sums do in memory.
            2 => self.first * self.hidden + row,
            gates => (self.first + row % gates) * self.hidden + row / gates,
        }
    }
}

/// A matrix in the order of an image: padded columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatMatrix {
    /// `[rows, columns]`.
    pub weights: Vec<f32>,
    /// A multiple of four.
    pub columns: usize,
    /// Those of the columns that multiply a layer's input; the ones after them multiply its h.
    pub inputs: usize,
}

/// A layer in the order of an image: rows unit-major, of a GRU gate-major.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// First layer without an embedding: `[vocab, rows]`, `W_x[id] + b`. Others: `[rows]`, `b`.
    pub input: Vec<f32>,
    /// One, or several where not all products are summed.
    pub matrices: Vec<FloatMatrix>,
    /// `[hidden]`: bias of the recurrent product, `b_hn`; of other cells than a GRU empty.
    pub recurrent_bias: Vec<f32>,
}

/// A head, or a projection, in the order of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatHead {
    /// `[outputs, columns]`; of a tied head without weights.
    pub matrix: FloatMatrix,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// A net in the order of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNet {
    /// `[vocab, columns]`, if there is one.
    pub embedding: Option<FloatMatrix>,
    /// From the input to the head.
    pub layers: Vec<FloatLayer>,
    /// `[projection, columns]` and `[projection]`, if there is one.
    pub projection: Option<FloatHead>,
    /// `[vocab, columns]` and `[vocab]`.
    pub head: FloatHead,
}

/// The same numbers in single precision.
fn single<F: Real>(from: &[F], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f64() as f32;
    }
}

/// Multiplies the weights by which the first layer reads an embedding; it has none in other nets.
pub(crate) fn by_input(layers: &mut [FloatLayer], factor: f32) {
    for matrix in layers.iter_mut().take(1).flat_map(|l| &mut l.matrices) {
        for row in matrix.weights.chunks_exact_mut(matrix.columns) {
            row[..matrix.inputs].iter_mut().for_each(|w| *w *= factor);
        }
    }
}

impl FloatMatrix {
    /// Zeros, with room for rows of `width` numbers.
    fn zeros(rows: usize, width: usize) -> Self {
        let columns = padded(width);
        Self {
            weights: vec![0.0; rows * columns],
            columns,
            inputs: 0,
        }
    }

    /// Takes rows of `width` numbers; padding stays.
    fn take<F: Real>(&mut self, rows: &[F], width: usize) {
        let to = self.weights.chunks_exact_mut(self.columns);
        for (to, from) in to.zip(rows.chunks_exact(width)) {
            single(from, to);
        }
    }
}

impl FloatHead {
    fn zeros(outputs: usize, matrix: FloatMatrix) -> Self {
        Self {
            matrix,
            bias: vec![0.0; outputs],
        }
    }
}

impl FloatLayer {
    fn zeros(shape: Shape, layer: usize) -> Self {
        let inputs = match shape.is_dense(layer) {
            true => 1,
            false => shape.vocab,
        };
        let matrix = |block: Block| FloatMatrix {
            inputs: block.own(),
            ..FloatMatrix::zeros(block.rows(), block.columns())
        };
        Self {
            input: vec![0.0; inputs * shape.gate_columns()],
            matrices: Block::of(shape, layer).map(matrix).collect(),
            recurrent_bias: vec![0.0; shape.recurrent_biases()],
        }
    }

    /// Takes a layer's tensors.
    fn take<'f, F: Real>(&mut self, shape: Shape, layer: usize, tensor: impl Fn(Role) -> &'f [F]) {
        let number = |x: F| x.to_f64() as f32;
        let columns = shape.gate_columns();
        let input = tensor(shape.input_role(layer));
        let recurrent = tensor(Role::Recurrent);
        for (to, block) in self.matrices.iter_mut().zip(Block::of(shape, layer)) {
            for (row, to) in to.weights.chunks_exact_mut(to.columns).enumerate() {
                let (x, h) = to.split_at_mut(block.own());
                let column = block.column(row);
                for (k, to) in x.iter_mut().take(block.inputs).enumerate() {
                    *to = number(input[k * columns + column]);
                }
                for (k, to) in h.iter_mut().take(shape.hidden).enumerate() {
                    *to = number(recurrent[k * columns + column]);
                }
            }
        }
        single(tensor(Role::RecurrentBias), &mut self.recurrent_bias);
        let bias = tensor(Role::Bias);
        let (gates, hidden) = (shape.cell.gates(), shape.hidden);
        let column = |row: usize| match shape.cell {
            Cell::Gru => row,
            Cell::Rnn | Cell::Lstm => (row % gates) * hidden + row / gates,
        };
        for (id, to) in self.input.chunks_exact_mut(columns).enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                let own = match shape.is_dense(layer) {
                    false => number(input[id * columns + column(row)]),
                    true => 0.0,
                };
                *to = own + number(bias[column(row)]);
            }
        }
    }
}

impl FloatNet {
    /// Room for the parameters of a net of this shape.
    pub(crate) fn zeros(shape: Shape) -> Self {
        let (vocab, inputs) = (shape.vocab, shape.head_inputs());
        let head = match shape.tied {
            true => FloatMatrix::zeros(0, inputs),
            false => FloatMatrix::zeros(vocab, inputs),
        };
        let projection = |outputs| {
            let matrix = FloatMatrix::zeros(outputs, shape.hidden);
            FloatHead::zeros(outputs, matrix)
        };
        Self {
            embedding: (shape.embedding > 0).then(|| FloatMatrix::zeros(vocab, shape.embedding)),
            layers: (0..shape.layers)
                .map(|layer| FloatLayer::zeros(shape, layer))
                .collect(),
            projection: (shape.projection > 0).then(|| projection(shape.projection)),
            head: FloatHead::zeros(vocab, head),
        }
    }

    /// Reorders parameters: gate blocks become unit-major rows, [input, output] becomes [output, input].
    pub fn new(params: &Params<f32>) -> Self {
        let mut net = Self::zeros(params.shape());
        net.take(params.shape(), params.tensors(), &params.data);
        net
    }

    /// Takes `numbers` in the order of the parameters of a net of this shape, which are at `places`.
    pub(crate) fn take<F: Real>(&mut self, shape: Shape, places: &[Tensor], numbers: &[F]) {
        let tensor = |operation, role| {
            let mut places = places.iter();
            let place = places.find(|place| (place.operation, place.role) == (operation, role));
            place.map_or(&numbers[..0], |place| &numbers[place.range.clone()])
        };
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.take(shape, index, |role| tensor(shape.layer(index), role));
        }
        if let Some(to) = &mut self.embedding {
            to.take(tensor(0, Role::Table), shape.embedding);
        }
        if let Some(to) = &mut self.projection {
            to.matrix
                .take(tensor(shape.projected(), Role::Weight), shape.hidden);
            single(tensor(shape.projected(), Role::Bias), &mut to.bias);
        }
        if !shape.tied {
            let from = tensor(shape.head(), Role::Weight);
            self.head.matrix.take(from, shape.head_inputs());
        }
        single(tensor(shape.head(), Role::Bias), &mut self.head.bias);
    }
}
