//! The parameters of a net in one flat buffer.
//!
//! It makes the optimizer, clipping and checkpoints loops over numbers, blind to what a net is made of.

use std::ops::Range;

use gatelet::net::Net;

use super::tensors::{Role, Tensor, tensors};
use crate::real::Real;

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
    use gatelet::net::{
        Activation, Kind, Operand, Operation, Precision, Reset, RnnActivation, Value,
    };

    use super::*;

    /// One of each kind of operation, with a token beside other numbers and a tied head.
    #[test]
    fn tensors_tile_the_buffer() {
        let token = Operand::two(Value::INPUT, Value::of(0));
        let kind = |reset| Kind::gru(3, reset);
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
            .with(Kind::lstm(5), token)
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
