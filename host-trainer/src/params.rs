//! The parameters of a net in one flat buffer, and where each tensor lies in it.
//!
//! ```text
//! layer l:  z_t = x_t W_x + h_{t-1} W_h + b        W_x: [vocab or hidden, gates*hidden], W_h: [hidden, gates*hidden]
//! head:     logits_t = h_t W^T + b                  W: [vocab, hidden]
//! with an embedding:    x_t of layer 0 is row id_t of T: [vocab, embedding], and its W_x: [embedding, gates*hidden]
//! with a projection:    p_t = h_t P^T + b_p, P: [projection, hidden];  logits_t = p_t W^T + b, W: [vocab, projection]
//! tied:                 W is T
//! ```
//! Weights stand as [input, output]: then layer 0's `x_t W_x` for a token id is one row of W_x, a gather. That is the
//! right form for some hundred characters; thousands of words share their numbers in an embedding instead.
//! Gates are blocks of `hidden` columns in PyTorch's order: i, f, g, o of an LSTM, r, z, n of a GRU; the tanh cell has one
//! block. A GRU has one bias more, of the recurrent product in its n alone: b_hn, `[hidden]`.
//! One flat buffer makes the optimizer, clipping and checkpoints loops over numbers, blind to shapes.

mod init;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// The kind of recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Elman's: `h' = tanh(z)`.
    Rnn,
    /// Long short-term memory with gates i, f, g, o.
    Lstm,
    /// Gated recurrent unit with gates r, z, n.
    Gru,
}

impl Cell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rnn, Self::Lstm, Self::Gru];

    /// Gate blocks a unit has.
    pub const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Whether a unit carries a cell state c beside h.
    pub const fn has_memory(self) -> bool {
        matches!(self, Self::Lstm)
    }

    /// Whether the way back needs one number a unit more than activations and states.
    pub const fn keeps(self) -> bool {
        matches!(self, Self::Lstm | Self::Gru)
    }

    /// Whether the recurrent product has a bias of its own.
    pub const fn has_recurrent_bias(self) -> bool {
        matches!(self, Self::Gru)
    }
}

impl From<Cell> for gatelet::Cell {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Rnn => Self::Rnn,
            Cell::Lstm => Self::Lstm,
            Cell::Gru => Self::Gru,
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        })
    }
}

/// The sizes that fix every tensor's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Kind of cell.
    pub cell: Cell,
    /// Recurrent layers, 1..=4.
    pub layers: usize,
    /// Hidden units a layer, 1..=1024.
    pub hidden: usize,
    /// Tokens, 2..=16384.
    pub vocab: usize,
    /// Numbers of a token's embedding, 4..=1024, or 0: the first layer has a row for each token.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub embedding: usize,
    /// Numbers between the top layer and the head, 4..=1024, or 0: the head reads h.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub projection: usize,
    /// Whether the head's weights are the embedding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tied: bool,
}

fn is_zero(x: &usize) -> bool {
    *x == 0
}

fn is_false(x: &bool) -> bool {
    !x
}

/// What a tensor is in the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `W_x` of a layer: [vocab, embedding or hidden, gates*hidden].
    Input,
    /// `W_h` of a layer: [hidden, gates*hidden].
    Recurrent,
    /// `b` of a layer: [1, gates*hidden].
    Bias,
    /// `W` of the head: [vocab, projection or hidden].
    HeadWeight,
    /// `b` of the head: [1, vocab].
    HeadBias,
    /// `T`: [vocab, embedding].
    Embedding,
    /// `P`: [projection, hidden].
    Projection,
    /// `b_p`: [1, projection].
    ProjectionBias,
    /// `b_hn` of a GRU's layer: [1, hidden]; other cells have none.
    RecurrentBias,
}

impl Role {
    /// Whether it is added and not multiplied.
    pub const fn is_bias(self) -> bool {
        matches!(
            self,
            Self::Bias | Self::RecurrentBias | Self::HeadBias | Self::ProjectionBias
        )
    }
}

/// One tensor's place in the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// What it is.
    pub role: Role,
    /// Its layer; the head's and the projection's tensors carry the number of layers.
    pub layer: usize,
    /// Rows of the row-major matrix.
    pub rows: usize,
    /// Columns of the row-major matrix.
    pub columns: usize,
    /// Its elements in the flat buffer.
    pub range: Range<usize>,
}

impl Shape {
    /// The smallest net there is, for shapes that name what they have beyond it.
    pub const PLAIN: Self = Self {
        cell: Cell::Lstm,
        layers: 1,
        hidden: 1,
        vocab: 2,
        embedding: 0,
        projection: 0,
        tied: false,
    };

    /// The dims of an image of this shape.
    ///
    /// # Errors
    /// Names the quantity that is out of range.
    pub fn dims(&self, precision: gatelet::Precision) -> Result<gatelet::Dims, gatelet::DimsError> {
        let (cell, layers) = (self.cell.into(), self.layers);
        let plain = gatelet::Dims::new(cell, precision, layers, self.hidden, self.vocab)?;
        plain.with_widths(self.embedding, self.projection, self.tied)
    }

    /// Columns of a layer's matrices: gates * hidden.
    pub const fn gate_columns(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// Numbers of a layer's bias of the recurrent product.
    const fn recurrent_biases(&self) -> usize {
        match self.cell.has_recurrent_bias() {
            true => self.hidden,
            false => 0,
        }
    }

    /// Rows of a layer's `W_x`.
    pub const fn inputs(&self, layer: usize) -> usize {
        match (layer, self.embedding) {
            (0, 0) => self.vocab,
            (0, embedding) => embedding,
            _ => self.hidden,
        }
    }

    /// Whether a layer multiplies its input by `W_x`, and does not take a row of it.
    pub const fn is_dense(&self, layer: usize) -> bool {
        layer > 0 || self.embedding > 0
    }

    /// Length of what the head reads.
    pub const fn head_inputs(&self) -> usize {
        match self.projection {
            0 => self.hidden,
            projection => projection,
        }
    }

    /// Every tensor, in the order of the flat buffer. A tied head has no weights of its own.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(4 * self.layers + 5);
        let mut start = 0;
        let mut add = |role, layer, rows, columns| {
            tensors.push(Tensor {
                role,
                layer,
                rows,
                columns,
                range: start..start + rows * columns,
            });
            start += rows * columns;
        };
        if self.embedding > 0 {
            add(Role::Embedding, 0, self.vocab, self.embedding);
        }
        for layer in 0..self.layers {
            add(Role::Input, layer, self.inputs(layer), self.gate_columns());
            add(Role::Recurrent, layer, self.hidden, self.gate_columns());
            add(Role::Bias, layer, 1, self.gate_columns());
            if self.cell.has_recurrent_bias() {
                add(Role::RecurrentBias, layer, 1, self.hidden);
            }
        }
        if self.projection > 0 {
            add(Role::Projection, self.layers, self.projection, self.hidden);
            add(Role::ProjectionBias, self.layers, 1, self.projection);
        }
        if !self.tied {
            add(
                Role::HeadWeight,
                self.layers,
                self.vocab,
                self.head_inputs(),
            );
        }
        add(Role::HeadBias, self.layers, 1, self.vocab);
        tensors
    }

    /// Place of one tensor in the flat buffer; empty for one that the net does not have. `layer` counts for the layers'
    /// own only. The weights of a tied head are the embedding.
    pub fn range(&self, role: Role, layer: usize) -> Range<usize> {
        let columns = self.gate_columns();
        let embedding = self.vocab * self.embedding;
        let input = self.inputs(layer) * columns;
        let base = |layer: usize| {
            let whole = |l| (self.inputs(l) + self.hidden + 1) * columns + self.recurrent_biases();
            embedding
                + if layer == 0 {
                    0
                } else {
                    whole(0) + (layer - 1) * whole(1)
                }
        };
        let projection = base(self.layers);
        let projection_bias = projection + self.projection * self.hidden;
        let head = projection_bias + self.projection;
        let own_head = if self.tied {
            0
        } else {
            self.vocab * self.head_inputs()
        };
        let (start, len) = match role {
            Role::Embedding => (0, embedding),
            Role::HeadWeight if self.tied => (0, embedding),
            Role::Input => (base(layer), input),
            Role::Recurrent => (base(layer) + input, self.hidden * columns),
            Role::Bias => (base(layer) + input + self.hidden * columns, columns),
            Role::RecurrentBias => (
                base(layer) + input + (self.hidden + 1) * columns,
                self.recurrent_biases(),
            ),
            Role::Projection => (projection, self.projection * self.hidden),
            Role::ProjectionBias => (projection_bias, self.projection),
            Role::HeadWeight => (head, own_head),
            Role::HeadBias => (head + own_head, self.vocab),
        };
        start..start + len
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.range(Role::HeadBias, 0).end
    }
}

/// Parameters of a net, or anything of the same shape (a gradient, a moment of Adam).
#[derive(Clone, Debug, PartialEq)]
pub struct Params<F> {
    /// The sizes.
    pub shape: Shape,
    /// All tensors, one after the other, as [`Shape::tensors`] lists them.
    pub data: Vec<F>,
}

impl<F: Real> Params<F> {
    /// All zero.
    pub fn zeros(shape: Shape) -> Self {
        Self {
            shape,
            data: vec![F::zero(); shape.parameters()],
        }
    }

    /// One tensor's elements, row-major.
    pub fn tensor(&self, role: Role, layer: usize) -> &[F] {
        &self.data[self.shape.range(role, layer)]
    }

    /// One tensor's elements, to change.
    pub fn tensor_mut(&mut self, role: Role, layer: usize) -> &mut [F] {
        let range = self.shape.range(role, layer);
        &mut self.data[range]
    }

    /// The first layer's rows, and its bias to change.
    pub(crate) fn first_input_and_bias(&mut self) -> (&[F], &mut [F]) {
        let (input, bias) = (
            self.shape.range(Role::Input, 0),
            self.shape.range(Role::Bias, 0),
        );
        let (before, after) = self.data.split_at_mut(bias.start);
        (&before[input], &mut after[..bias.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        cell: Cell::Lstm,
        layers: 3,
        hidden: 5,
        vocab: 7,
        ..Shape::PLAIN
    };

    #[test]
    fn tensors_tile_the_buffer_and_agree_with_range() {
        let widths = [
            (0, 0, false),
            (4, 0, false),
            (0, 6, false),
            (4, 6, false),
            (6, 6, true),
            (5, 0, true),
        ];
        let shapes = widths.map(|widths| Cell::ALL.map(|cell| (cell, widths)));
        for (cell, (embedding, projection, tied)) in shapes.into_iter().flatten() {
            let shape = Shape {
                cell,
                embedding,
                projection,
                tied,
                ..SHAPE
            };
            let mut end = 0;
            for tensor in shape.tensors() {
                assert_eq!(
                    tensor.range,
                    shape.range(tensor.role, tensor.layer),
                    "{tensor:?}"
                );
                assert_eq!(
                    (tensor.range.start, tensor.range.len()),
                    (end, tensor.rows * tensor.columns)
                );
                end = tensor.range.end;
            }
            assert_eq!(end, shape.parameters());
            let head = shape.range(Role::HeadWeight, 0);
            assert_eq!(head.len(), 7 * shape.head_inputs());
            assert_eq!(head == shape.range(Role::Embedding, 0), tied);
        }
    }
}
