//! The numbers of an operation in the order of an image.

use gatelet::net::Kind;

use super::steps::Steps;
use crate::net::{Params, Role};
use crate::quantize::float_net::padded;

/// Which rows a matrix has, `first..first + gates` of every unit, and which columns.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    gates: usize,
    input: bool,
    own: bool,
}

/// The numbers of an operation in the order of an image.
#[derive(Default)]
pub(super) struct Floats {
    /// `[rows, columns]` each, and their columns: weights, candidate, hidden.
    pub(super) matrices: [(Vec<f32>, usize); 3],
    pub(super) input: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// An operation of a net, with its numbers and steps.
pub(super) struct Of<'a> {
    pub(super) params: &'a Params<f32>,
    pub(super) steps: &'a Steps,
    pub(super) index: usize,
    pub(super) kind: Kind,
}

impl Of<'_> {
    /// The number of the trainer's gate columns that a row of a block is.
    fn column(&self, block: Block, row: usize) -> usize {
        let units = self.kind.units();
        match block.gates {
            2 => block.first * units + row,
            gates => (block.first + row % gates) * units + row / gates,
        }
    }

    /// A matrix of a recurrent operation.
    fn recurrent(&self, block: Block) -> (Vec<f32>, usize) {
        let (net, units) = (self.params.net(), self.kind.units());
        let tensor = |role| self.params.tensor(self.index, role);
        let all = self.kind.gates() * units;
        let candidate = tensor(Role::Candidate);
        let operand = net.operation(self.index).map(|of| of.operand);
        let (mut weights, mut columns) = (Vec::new(), 0);
        for row in 0..block.gates * units {
            let column = self.column(block, row);
            let start = weights.len();
            let mut at = 0;
            let parts = operand
                .iter()
                .flat_map(|of| of.parts())
                .filter(|_| block.input);
            for part in parts {
                let width = net.width(part);
                for k in 0..width {
                    let w = tensor(Role::Input)[(at + k) * all + column];
                    weights.push(w * self.steps.of_number(part, k));
                }
                weights.resize(weights.len() + padded(width) - width, 0.0);
                at += width;
            }
            if block.own {
                let own = self.steps.values[self.index];
                for k in 0..units {
                    let w = match block.first == 2 && !candidate.is_empty() {
                        true => candidate[k * units + column - 2 * units],
                        false => {
                            let recurrent = tensor(Role::Recurrent);
                            recurrent[k * (recurrent.len() / units) + column]
                        }
                    };
                    weights.push(w * own);
                }
                weights.resize(weights.len() + padded(units) - units, 0.0);
            }
            columns = weights.len() - start;
        }
        (weights, columns)
    }

    /// Rows of tokens with the bias, or the bias, in an image's order.
    fn addends(&self) -> Vec<f32> {
        let tensor = |role| self.params.tensor(self.index, role);
        let (rows, bias) = (tensor(Role::Rows), tensor(Role::Bias));
        let gates = match self.kind {
            Kind::Gru { .. } => 2,
            kind => kind.gates(),
        };
        let whole = Block {
            first: 0,
            gates,
            input: false,
            own: false,
        };
        let columns: Vec<usize> = match self.kind {
            Kind::Gru { .. } => (0..bias.len()).collect(),
            _ => (0..bias.len()).map(|row| self.column(whole, row)).collect(),
        };
        let count = (rows.len() / bias.len()).max(1);
        let number = |id: usize, column: usize| {
            let row = rows.get(id * bias.len() + column).copied().unwrap_or(0.0);
            row + bias[column]
        };
        let of_token = |id| columns.iter().map(move |&column| number(id, column));
        (0..count).flat_map(of_token).collect()
    }

    /// All numbers.
    pub(super) fn floats(&self) -> Floats {
        let (net, units) = (self.params.net(), self.kind.units());
        let tensor = |role| self.params.tensor(self.index, role);
        let own = self.steps.values[self.index];
        let operation = net.operation(self.index);
        match self.kind {
            Kind::Add => Floats::default(),
            Kind::Embedding { .. } => {
                let columns = padded(units);
                let mut table = vec![0.0; net.vocab() * columns];
                let rows = tensor(Role::Table).chunks_exact(units);
                for (to, from) in table.chunks_exact_mut(columns).zip(rows) {
                    to.iter_mut().zip(from).for_each(|(to, x)| *to = x / own);
                }
                Floats {
                    matrices: [(table, columns), Default::default(), Default::default()],
                    ..Floats::default()
                }
            }
            Kind::Dense { .. } => {
                let inputs = tensor(Role::Weight).len() / units;
                let mut weights = Vec::new();
                let tied = operation.is_some_and(|of| of.tied.is_some());
                let rows = tensor(Role::Weight).chunks_exact(inputs);
                for row in rows.filter(|_| !tied) {
                    let mut row = row.iter();
                    for part in operation.iter().flat_map(|of| of.operand.parts()) {
                        let width = net.width(part);
                        for (k, w) in row.by_ref().take(width).enumerate() {
                            weights.push(w * self.steps.of_number(part, k) / own);
                        }
                        weights.resize(weights.len() + padded(width) - width, 0.0);
                    }
                }
                let columns = weights.len() / units;
                Floats {
                    matrices: [(weights, columns), Default::default(), Default::default()],
                    bias: tensor(Role::Bias).iter().map(|b| b / own).collect(),
                    ..Floats::default()
                }
            }
            Kind::Rnn { .. } | Kind::Lstm { .. } => {
                let whole = Block {
                    first: 0,
                    gates: self.kind.gates(),
                    input: true,
                    own: true,
                };
                Floats {
                    matrices: [
                        self.recurrent(whole),
                        Default::default(),
                        Default::default(),
                    ],
                    input: self.addends(),
                    ..Floats::default()
                }
            }
            Kind::Gru { .. } => {
                let block = |first, gates, input, own| Block {
                    first,
                    gates,
                    input,
                    own,
                };
                let candidate = match tensor(Role::Input).is_empty() {
                    true => Default::default(),
                    false => self.recurrent(block(2, 1, true, false)),
                };
                let gates = self.recurrent(block(0, 2, true, true));
                Floats {
                    matrices: [gates, candidate, self.recurrent(block(2, 1, false, true))],
                    input: self.addends(),
                    bias: tensor(Role::RecurrentBias).to_vec(),
                }
            }
        }
    }
}
