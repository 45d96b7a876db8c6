//! The numbers of an operation in the order of an image.
//!
//! ```text
//! row of weights   [ parts of the operand | own h ], each padded to a multiple of 4, the gates of a unit
//!                  next to each other; of a GRU's r and z one gate behind the other
//! GRU              three matrices: r and z of [x | h], the candidate's of x, the candidate's of h (or r h)
//! addends          rows of tokens with the bias, or the bias
//! ```
//! Weights are multiplied by the steps of what they read and divided by that of what they make
//! ([`Scheme`]); in an f32 image all steps are 1.

use gatelet::net::{Kind, Net, Operation, Reset, Value};

use super::scheme::Scheme;
use super::units::{EMBEDDING_UNIT, GATE_UNIT, HEAD_UNIT};
use crate::net::{Params, Role, Tensor};
use crate::real::Real;

/// Columns of a row of so many numbers.
pub(crate) const fn padded(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// Columns that multiply one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// The first column.
    pub(crate) start: usize,
    /// The tensor.
    pub(crate) role: Role,
    /// Which of the numbers that the tensor reads each column multiplies.
    pub(crate) reads: Vec<usize>,
    /// What the weights of each column are multiplied by.
    pub(crate) steps: Vec<f32>,
    /// Columns before the second ones of features that are doubled.
    pub(crate) first: usize,
    /// Elements from one number that is read to the next, and those before the first gate that the
    /// tensor has.
    stride: usize,
    offset: usize,
}

/// The gates whose rows a matrix has: `first..first + count` of every unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gates {
    first: usize,
    count: usize,
    units: usize,
}

impl Gates {
    /// The number of the trainer's gate columns that a row is.
    fn column(self, row: usize) -> usize {
        match self.count {
            2 => self.first * self.units + row,
            count => (self.first + row % count) * self.units + row / count,
        }
    }
}

/// A matrix of an operation, `[rows, columns]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    /// Padded.
    pub(crate) columns: usize,
    pub(crate) parts: Vec<Part>,
    /// `None` where rows are those of the tensor.
    gates: Option<Gates>,
    /// What a result's one is: see [`units`](super::units). With the step of what is read, where
    /// that is one.
    pub(crate) unit: f64,
}

impl Matrix {
    /// Where in its tensor the number of a row and of column `k` of a part is.
    pub(crate) fn place(&self, part: &Part, row: usize, k: usize) -> usize {
        match self.gates {
            Some(gates) => part.reads[k] * part.stride + gates.column(row) - part.offset,
            None => row * part.stride + part.reads[k],
        }
    }

    /// The gate column, or the unit, of a row.
    pub(crate) fn column(&self, row: usize) -> usize {
        self.gates.map_or(row, |gates| gates.column(row))
    }
}

/// A tied operation's weights: the table, and the unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tied {
    pub(crate) table: usize,
    pub(crate) unit: f64,
}

/// An operation in the order of an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    /// Weights, candidate, hidden.
    pub(crate) matrices: [Option<Matrix>; 3],
    pub(crate) tied: Option<Tied>,
    /// What 128 of its value's integers stand for.
    pub(crate) own: f32,
    /// Of a sum, both operands' steps, a number each.
    pub(crate) sums: Vec<f32>,
    /// The gate columns of the addends, in their order; of operations without any empty.
    pub(crate) slots: Vec<usize>,
}

/// What reading a value takes: the tensor's numbers, and their steps.
fn reads(net: &Net, scheme: &Scheme, value: Value, at: usize) -> (Vec<usize>, Vec<f32>) {
    match value.operation() {
        None => {
            let columns = scheme.columns();
            columns.map(|(feature, step)| (at + feature, step)).unzip()
        }
        Some(operation) => {
            let width = net.width(value);
            let steps = vec![scheme.steps[operation]; width];
            ((at..at + width).collect(), steps)
        }
    }
}

impl Order {
    /// The order of operation `index`.
    pub(crate) fn of(net: &Net, index: usize, of: &Operation, scheme: &Scheme) -> Self {
        let (kind, units) = (of.kind, of.kind.units());
        let own = scheme.steps[index];
        let mut order = Self {
            kind,
            matrices: [None, None, None],
            tied: None,
            own,
            sums: Vec::new(),
            slots: Vec::new(),
        };
        let one = Of {
            net,
            index,
            of,
            scheme,
        };
        match kind {
            Kind::Add => {
                let parts = of.operand.parts();
                order.sums = parts
                    .flat_map(|part| reads(net, scheme, part, 0).1)
                    .collect();
            }
            Kind::Embedding { .. } => {
                let part = Part {
                    start: 0,
                    role: Role::Table,
                    reads: (0..units).collect(),
                    steps: vec![1.0; units],
                    first: units,
                    stride: units,
                    offset: 0,
                };
                order.matrices[0] = Some(Matrix {
                    rows: net.vocab(),
                    columns: padded(units),
                    parts: vec![part],
                    gates: None,
                    unit: EMBEDDING_UNIT,
                });
            }
            Kind::Dense { .. } => {
                let unit = HEAD_UNIT * one.only_step().map_or(1.0, f64::from);
                order.tied = of.tied.map(|table| Tied {
                    table: table.into(),
                    unit: unit * f64::from(scheme.steps[usize::from(table)]) / f64::from(own),
                });
                if of.tied.is_none() {
                    order.matrices[0] = Some(one.dense(unit));
                }
            }
            Kind::Gru { reset, .. } => {
                let block = |first, count, input, own| {
                    let gates = Gates {
                        first,
                        count,
                        units,
                    };
                    Some(one.recurrent(gates, input, own))
                };
                let hidden = match reset {
                    Reset::After => Role::Recurrent,
                    Reset::Before => Role::Candidate,
                };
                order.matrices[0] = block(0, 2, true, Some(Role::Recurrent));
                order.matrices[2] = block(2, 1, false, Some(hidden));
                if one.widths().sum::<usize>() > 0 {
                    order.matrices[1] = block(2, 1, true, None);
                }
                order.slots = (0..3 * units).collect();
            }
            Kind::Rnn { .. } | Kind::Lstm { .. } => {
                let gates = Gates {
                    first: 0,
                    count: kind.gates(),
                    units,
                };
                let whole = one.recurrent(gates, true, Some(Role::Recurrent));
                order.slots = (0..whole.rows).map(|row| gates.column(row)).collect();
                order.matrices[0] = Some(whole);
            }
        }
        order
    }

    /// The orders of all operations of a net.
    pub(crate) fn all(net: &Net, scheme: &Scheme) -> Vec<Self> {
        let operations = net.operations().enumerate();
        operations
            .map(|(index, of)| Self::of(net, index, of, scheme))
            .collect()
    }

    /// The same with the inverse of every step: for gradients.
    pub(crate) fn inverted(mut self) -> Self {
        self.own = 1.0 / self.own;
        let parts = self
            .matrices
            .iter_mut()
            .flatten()
            .flat_map(|of| &mut of.parts);
        for step in parts.flat_map(|part| &mut part.steps) {
            *step = 1.0 / *step;
        }
        self
    }

    /// What a matrix' numbers are divided by: dense operations and embeddings by their step.
    pub(crate) fn divisor(&self) -> f32 {
        match self.kind {
            Kind::Embedding { .. } | Kind::Dense { .. } => self.own,
            _ => 1.0,
        }
    }

    /// The matrices that there are, each with its number.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = (usize, &Matrix)> {
        let all = self.matrices.iter().enumerate();
        all.filter_map(|(number, matrix)| Some((number, matrix.as_ref()?)))
    }
}

/// An operation of a net, and its scheme.
struct Of<'a> {
    net: &'a Net,
    index: usize,
    of: &'a Operation,
    scheme: &'a Scheme,
}

impl Of<'_> {
    /// Numbers of each value that is read, without a token.
    fn widths(&self) -> impl Iterator<Item = usize> {
        let parts = self.of.operand.parts();
        parts.map(|part| self.net.width(part))
    }

    /// The step of all that is read, where that is one value with one.
    fn only_step(&self) -> Option<f32> {
        let operation = self.of.operand.part(0).operation();
        let operation = operation.filter(|_| self.of.operand.len() == 1);
        operation.map(|operation| self.scheme.steps[operation])
    }

    /// Columns of the operand, in a tensor with so many elements from one number to the next.
    fn operand(&self, role: Role, stride: usize) -> (Vec<Part>, usize) {
        let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
        for value in self.of.operand.parts() {
            let width = self.net.width(value);
            if width == 0 {
                continue;
            }
            let (reads, steps) = reads(self.net, self.scheme, value, at);
            let columns = reads.len();
            parts.push(Part {
                first: width,
                start,
                role,
                reads,
                steps,
                stride,
                offset: 0,
            });
            start += padded(columns);
            at += width;
        }
        (parts, start)
    }

    fn dense(&self, unit: f64) -> Matrix {
        let inputs = self.widths().sum();
        let (mut parts, columns) = self.operand(Role::Weight, inputs);
        // The step of one value is in the unit.
        if self.only_step().is_some() {
            parts.iter_mut().for_each(|part| part.steps.fill(1.0));
        }
        Matrix {
            rows: self.of.kind.units(),
            columns,
            parts,
            gates: None,
            unit,
        }
    }

    /// A matrix of a recurrent operation; `own` is the tensor that multiplies its h.
    fn recurrent(&self, gates: Gates, input: bool, own: Option<Role>) -> Matrix {
        let units = gates.units;
        let all = self.of.kind.gates() * units;
        let (mut parts, mut columns) = match input {
            true => self.operand(Role::Input, all),
            false => (Vec::new(), 0),
        };
        if let Some(role) = own {
            let resets_h = matches!(
                self.of.kind,
                Kind::Gru {
                    reset: Reset::Before,
                    ..
                }
            );
            let (stride, offset) = match (role, resets_h) {
                (Role::Candidate, _) => (units, 2 * units),
                (_, true) => (2 * units, 0),
                _ => (all, 0),
            };
            parts.push(Part {
                start: columns,
                role,
                reads: (0..units).collect(),
                steps: vec![self.scheme.steps[self.index]; units],
                first: units,
                stride,
                offset,
            });
            columns += padded(units);
        }
        Matrix {
            rows: gates.count * units,
            columns,
            parts,
            gates: Some(gates),
            unit: GATE_UNIT,
        }
    }
}

/// The numbers of an operation in the order of an image, by steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Floats {
    /// `[rows, columns]` of each matrix.
    pub(crate) matrices: [Vec<f32>; 3],
    /// `[tokens or 1, gates * units]`, of recurrent operations.
    pub(crate) input: Vec<f32>,
    /// Of dense operations `[units]`; of a GRU that resets the product that of its recurrent product.
    pub(crate) bias: Vec<f32>,
}

impl Floats {
    /// Takes an operation's tensors, from `numbers` in the order of the parameters of a net, which are
    /// at `places`. Allocates the first time only.
    pub(crate) fn take<F: Real>(
        &mut self,
        order: &Order,
        (places, index): (&[Tensor], usize),
        numbers: &[F],
    ) {
        let tensor = |role| {
            let mut places = places.iter();
            let place = places.find(|place| (place.operation, place.role) == (index, role));
            place.map_or(&numbers[..0], |place| &numbers[place.range.clone()])
        };
        let number = |x: F| x.to_f64() as f32;
        let inverse = 1.0 / order.divisor();
        for (at, matrix) in order.matrices() {
            let to = &mut self.matrices[at];
            to.resize(matrix.rows * matrix.columns, 0.0);
            for part in &matrix.parts {
                let from = tensor(part.role);
                let rows = to.chunks_exact_mut(matrix.columns);
                for (row, to) in rows.enumerate() {
                    for (k, &step) in part.steps.iter().enumerate() {
                        let w = number(from[matrix.place(part, row, k)]);
                        to[part.start + k] = w * step * inverse;
                    }
                }
            }
        }
        let bias = tensor(Role::Bias);
        if order.slots.is_empty() {
            self.bias.clear();
            self.bias.extend(bias.iter().map(|&b| number(b) * inverse));
            return;
        }
        let recurrent = tensor(Role::RecurrentBias);
        self.bias.clear();
        self.bias.extend(recurrent.iter().map(|&b| number(b)));
        let (rows, columns) = (tensor(Role::Rows), bias.len());
        let count = (rows.len() / columns).max(1);
        self.input.resize(count * columns, 0.0);
        for (id, to) in self.input.chunks_exact_mut(columns).enumerate() {
            for (to, &column) in to.iter_mut().zip(&order.slots) {
                let row = rows.get(id * columns + column);
                *to = row.map_or(0.0, |&x| number(x)) + number(bias[column]);
            }
        }
    }

    /// The numbers of all operations.
    pub(crate) fn all(params: &Params<f32>, orders: &[Order]) -> Vec<Self> {
        let of = |(index, order)| {
            let mut floats = Self::default();
            floats.take(order, (params.tensors(), index), &params.data);
            floats
        };
        orders.iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Precision, RnnActivation};

    use super::*;

    #[test]
    fn gate_blocks_become_unit_major_rows_with_padding() {
        let lstm = Kind::lstm(3);
        let net = Net::tokens(Precision::F32, 2).then(lstm).then(lstm);
        let mut params = Params::<f32>::zeros(net);
        let numbers = params.data.iter_mut().enumerate();
        numbers.for_each(|(i, w)| *w = i as f32);
        let orders = Order::all(&net, &Scheme::plain(&net));
        let floats = Floats::all(&params, &orders);
        let weights = |layer: usize| &floats[layer].matrices[0];
        let (unit, gate, k) = (2, 1, 1);
        let row = unit * 4 + gate;
        let of = |layer, role| params.tensor(layer, role)[k * 12 + gate * 3 + unit];
        assert_eq!(weights(0)[row * 4 + k], of(0, Role::Recurrent));
        assert_eq!(weights(1)[row * 8 + 4 + k], of(1, Role::Recurrent));
        assert_eq!(weights(1)[row * 8 + k], of(1, Role::Input));
        let padding = (weights(1)[row * 8 + 3], weights(1)[row * 8 + 7]);
        assert_eq!(padding, (0.0, 0.0));
        let bias = |layer| params.tensor(layer, Role::Bias)[gate * 3 + unit];
        let rows = params.tensor(0, Role::Rows)[12 + gate * 3 + unit];
        assert_eq!(floats[0].input[12 + row], rows + bias(0));
        assert_eq!(floats[1].input[row], bias(1));
    }

    /// A doubled feature has a second column with a 16th of the weight.
    #[test]
    fn weights_are_multiplied_by_the_steps_of_what_they_read() {
        let rnn = Kind::Rnn {
            units: 1,
            activation: RnnActivation::Relu,
        };
        let net = Net::features(Precision::F32, 2).then(rnn);
        let mut params = Params::<f32>::zeros(net);
        params.data.fill(1.0);
        let mut scheme = Scheme::plain(&net);
        scheme.features = vec![128.0, 32.0];
        scheme.doubled = vec![1];
        scheme.set_state_bits(&net, 0, 3);
        let floats = Floats::all(&params, &Order::all(&net, &scheme));
        let want = [1.0, 4.0, 0.25, 0.0, 8.0, 0.0, 0.0, 0.0];
        assert_eq!(floats[0].matrices[0], want);
    }
}
