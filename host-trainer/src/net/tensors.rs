//! The tensors of a net, and where each lies in the flat buffer of its parameters.
//!
//! ```text
//! embedding  x = T[id]                          T: [vocab, units]
//! recurrent  z = x W_x + h W_h + b              W_x: [inputs, gates*units], W_h: [units, gates*units]
//!            z = V[id] + ..                     V: [vocab, gates*units], where it reads the token
//!            GRU, reset after                   b_hn: [units], a bias of h W_hn alone
//!            GRU, reset before                  W_h: [units, 2*units] of r and z; U: [units, units] of n
//! dense      y = x W^T + b                      W: [units, inputs]; if tied, W is an embedding's T
//! ```
//! Gates are blocks of `units` columns in PyTorch's order: i, f, g, o of an LSTM, r, z, n of a GRU. A
//! token selects a row of V: never a one-hot product.

use std::ops::Range;

use gatelet::net::{Kind, Net};

/// What a tensor is in its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `T` of an embedding: [vocab, units].
    Table,
    /// `V` of a recurrent operation that reads the token: [vocab, gates*units].
    Rows,
    /// `W_x` of a recurrent operation: [inputs, gates*units].
    Input,
    /// `W_h`: [units, gates*units]; of a GRU that resets h [units, 2*units].
    Recurrent,
    /// `U` of a GRU that resets h: [units, units].
    Candidate,
    /// `b` of a recurrent operation: [1, gates*units]; of a dense one [1, units].
    Bias,
    /// `b_hn` of a GRU that resets the product: [1, units].
    RecurrentBias,
    /// `W` of a dense operation: [units, inputs].
    Weight,
}

impl Role {
    /// Whether it is added and not multiplied.
    pub const fn is_bias(self) -> bool {
        matches!(self, Self::Bias | Self::RecurrentBias)
    }
}

/// One tensor's place in the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The operation, from 0.
    pub operation: usize,
    /// What it is in it.
    pub role: Role,
    /// Rows of the row-major matrix.
    pub rows: usize,
    /// Columns of the row-major matrix.
    pub columns: usize,
    /// Its elements in the flat buffer.
    pub range: Range<usize>,
}

/// Numbers that an operation multiplies: those of the values that it reads, without a token.
pub fn inputs(net: &Net, operation: usize) -> usize {
    let parts = net.operation(operation).map(|operation| operation.operand);
    let widths = parts.iter().flat_map(|operand| operand.parts());
    widths.map(|value| net.width(value)).sum()
}

/// Every tensor of a net, in the order of the flat buffer. Tied weights are the embedding's.
pub fn tensors(net: &Net) -> Vec<Tensor> {
    let (mut tensors, mut start) = (Vec::new(), 0);
    for (index, operation) in net.operations().enumerate() {
        let (inputs, units) = (inputs(net, index), operation.kind.units());
        let mut add = |role, rows, columns| {
            if rows * columns > 0 {
                let range = start..start + rows * columns;
                start = range.end;
                tensors.push(Tensor {
                    operation: index,
                    role,
                    rows,
                    columns,
                    range,
                });
            }
        };
        match operation.kind {
            Kind::Embedding { .. } => add(Role::Table, net.vocab(), units),
            Kind::Add => {}
            Kind::Dense { .. } => {
                if operation.tied.is_none() {
                    add(Role::Weight, units, inputs);
                }
                add(Role::Bias, 1, units);
            }
            kind => {
                let columns = kind.gates() * units;
                let vocab = if net.reads_token(index) {
                    net.vocab()
                } else {
                    0
                };
                let form = kind.cell();
                let [own, made] = form.map_or([0; 2], |form| form.own_rows());
                add(Role::Rows, vocab, columns);
                add(Role::Input, inputs, columns);
                add(Role::Recurrent, units, own * units);
                add(Role::Candidate, units, made * units);
                add(Role::Bias, 1, columns);
                let biases = form.map_or(0, |form| form.bias);
                add(Role::RecurrentBias, 1, biases * units);
            }
        }
    }
    tensors
}
