//! The parameters of a net in one flat buffer, and where each tensor lies in it.
//!
//! ```text
//! embedding  x = T[id]                          T: [vocab, units]
//! recurrent  z = x W_x + h W_h + b              W_x: [inputs, gates*units], W_h: [units, gates*units]
//!            z = V[id] + ..                     V: [vocab, gates*units], where it reads the token
//!            GRU, reset after                   b_hn: [units], a bias of h W_hn alone
//!            GRU, reset before                  W_h: [units, 2*units] of r and z; U: [units, units] of n
//! dense      y = x W^T + b                      W: [units, inputs]; if tied, W is an embedding's T
//! ```
//! Gates are blocks of `units` columns in PyTorch's order: i, f, g, o of an LSTM, r, z, n of a GRU.
//! A token selects a row of V: never a one-hot product. One flat buffer makes the optimizer,
//! clipping and checkpoints loops over numbers, blind to what a net is made of.

use std::ops::Range;

use gatelet::net::{Kind, Net, Reset};

use crate::real::Real;
use crate::shape::Shape;

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
            kind @ (Kind::Rnn { .. } | Kind::Lstm { .. } | Kind::Gru { .. }) => {
                let columns = kind.gates() * units;
                let vocab = if net.reads_token(index) {
                    net.vocab()
                } else {
                    0
                };
                add(Role::Rows, vocab, columns);
                add(Role::Input, inputs, columns);
                match kind {
                    Kind::Gru { reset, .. } => match reset {
                        Reset::After => {
                            add(Role::Recurrent, units, columns);
                            add(Role::Bias, 1, columns);
                            add(Role::RecurrentBias, 1, units);
                        }
                        Reset::Before => {
                            add(Role::Recurrent, units, 2 * units);
                            add(Role::Candidate, units, units);
                            add(Role::Bias, 1, columns);
                        }
                    },
                    _ => {
                        add(Role::Recurrent, units, columns);
                        add(Role::Bias, 1, columns);
                    }
                }
            }
        }
    }
    tensors
}

/// Parameters of a net, or anything of the same form (a gradient, a moment of Adam).
#[derive(Clone, Debug, PartialEq)]
pub struct Params<F> {
    net: Net,
    tensors: Vec<Tensor>,
    /// All tensors, one after the other, as [`tensors`] lists them.
    pub data: Vec<F>,
}

impl<F: Real> Params<F> {
    /// All zero.
    pub fn zeros(net: Net) -> Self {
        let tensors = tensors(&net);
        let count = tensors.last().map_or(0, |last| last.range.end);
        Self {
            net,
            tensors,
            data: vec![F::zero(); count],
        }
    }

    /// The net.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The shape of a net of equal layers between tokens and a head: what the tools for texts take.
    ///
    /// # Panics
    /// When the net has none, which [`Shape::needed`] tells.
    pub fn shape(&self) -> Shape {
        Shape::of(&self.net).expect("a net of equal layers between tokens and a head")
    }

    /// Every tensor, in the order of the flat buffer.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The same numbers in another precision.
    pub fn cast<G: Real>(&self) -> Params<G> {
        Params {
            net: self.net,
            tensors: self.tensors.clone(),
            data: self.data.iter().map(|x| G::from_f64(x.to_f64())).collect(),
        }
    }

    /// Place of one tensor in the flat buffer; empty for one that the net does not have. The
    /// weights of a tied operation are its embedding's.
    pub fn range(&self, operation: usize, role: Role) -> Range<usize> {
        let tied = match role {
            Role::Weight => self.net.operation(operation).and_then(|of| of.tied),
            _ => None,
        };
        let (operation, role) = match tied {
            Some(table) => (usize::from(table), Role::Table),
            None => (operation, role),
        };
        let mut tensors = self.tensors.iter();
        let tensor = tensors.find(|tensor| tensor.operation == operation && tensor.role == role);
        tensor.map_or(0..0, |tensor| tensor.range.clone())
    }

    /// One tensor's elements, row-major.
    pub fn tensor(&self, operation: usize, role: Role) -> &[F] {
        &self.data[self.range(operation, role)]
    }

    /// One tensor's elements, to change.
    pub fn tensor_mut(&mut self, operation: usize, role: Role) -> &mut [F] {
        let range = self.range(operation, role);
        &mut self.data[range]
    }

    /// Two tensors of an operation, which has both, to change.
    pub(super) fn both_mut(&mut self, operation: usize, roles: [Role; 2]) -> [&mut [F]; 2] {
        let ranges = roles.map(|role| self.range(operation, role));
        self.data.get_disjoint_mut(ranges).expect("two tensors")
    }

    /// Zeroes an operation's tensors; its table only if `table` is set.
    pub(super) fn clear(&mut self, operation: usize, table: bool) {
        let own = self
            .tensors
            .iter()
            .filter(|tensor| tensor.operation == operation);
        for tensor in own.filter(|tensor| table || tensor.role != Role::Table) {
            self.data[tensor.range.clone()].fill(F::zero());
        }
    }

    /// The rows for each token of an operation, and its bias to change.
    pub(super) fn rows_and_bias(&mut self, operation: usize) -> (&[F], &mut [F]) {
        let rows = self.range(operation, Role::Rows);
        let bias = self.range(operation, Role::Bias);
        let (before, after) = self.data.split_at_mut(bias.start);
        (&before[rows], &mut after[..bias.len()])
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Activation, Operand, Operation, Precision, RnnActivation, Value};

    use super::*;

    /// One of each kind of operation, with a token beside other numbers and a tied head.
    #[test]
    fn tensors_tile_the_buffer() {
        let token = Operand::two(Value::INPUT, Value::of(0));
        let kind = |reset| Kind::Gru { units: 3, reset };
        let head = Operation {
            kind: Kind::Dense {
                units: 9,
                activation: Activation::None,
            },
            operand: Operand::one(Value::of(4)),
            bits: 8,
            tied: Some(0),
        };
        let net = Net::tokens(Precision::F32, 9)
            .then(Kind::Embedding { units: 4 })
            .with(Kind::Lstm { units: 5 }, token)
            .then(kind(Reset::After))
            .then(kind(Reset::Before))
            .then(Kind::Rnn {
                units: 4,
                activation: RnnActivation::Relu,
            })
            .with_operation(head)
            .scores();
        assert_eq!(net.checked(), Ok(net));
        let params = Params::<f32>::zeros(net);
        let mut end = 0;
        for tensor in params.tensors() {
            assert_eq!(params.range(tensor.operation, tensor.role), tensor.range);
            let (start, len) = (tensor.range.start, tensor.range.len());
            assert_eq!((start, len), (end, tensor.rows * tensor.columns));
            end = tensor.range.end;
        }
        assert_eq!(end, params.data.len());
        let of = [9 * 4, 9 * 20 + 4 * 20 + 5 * 20 + 20, 5 * 9 + 3 * 9 + 9 + 3];
        let rest = [3 * 9 + 3 * 6 + 3 * 3 + 9, 3 * 4 + 4 * 4 + 4, 9];
        assert_eq!(end, of.iter().chain(&rest).sum::<usize>());
        assert_eq!(params.range(5, Role::Weight), params.range(0, Role::Table));
        assert!(params.range(2, Role::Rows).is_empty());
    }
}
