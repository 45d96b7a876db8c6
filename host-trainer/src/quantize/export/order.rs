//! The numbers of an operation in the order of an image.

use gatelet::net::{CellForm, Kind, MatrixForm, Reads};

use super::steps::Steps;
use crate::net::{Params, Role};
use crate::quantize::float_net::padded;

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
    /// The number of the trainer's gate columns that a row is, of those from gate `first` on: the
    /// gates of a unit next to each other, but of a cell of several matrices one gate behind the
    /// other.
    fn column(&self, form: &CellForm, (first, gates): (usize, usize), row: usize) -> usize {
        let units = self.kind.units();
        match form.matrices[1] {
            Some(_) => first * units + row,
            None => (first + row % gates) * units + row / gates,
        }
    }

    /// A matrix of a recurrent operation.
    fn recurrent(&self, form: &CellForm, matrix: MatrixForm) -> (Vec<f32>, usize) {
        let (net, units) = (self.params.net(), self.kind.units());
        let tensor = |role| self.params.tensor(self.index, role);
        let all = self.kind.gates() * units;
        let [own_rows, _] = form.own_rows();
        let first = match matrix.reads {
            Reads::All => 0,
            _ => self.kind.gates() - matrix.rows,
        };
        let operand = net.operation(self.index).map(|of| of.operand);
        let (mut weights, mut columns) = (Vec::new(), 0);
        for row in 0..matrix.rows * units {
            let column = self.column(form, (first, matrix.rows), row);
            let start = weights.len();
            let mut at = 0;
            let parts = operand
                .iter()
                .flat_map(|of| of.parts())
                .filter(|_| matches!(matrix.reads, Reads::All | Reads::Inputs));
            for part in parts {
                let width = net.width(part);
                for k in 0..width {
                    let w = tensor(Role::Input)[(at + k) * all + column];
                    weights.push(w * self.steps.of_number(part, k));
                }
                weights.resize(weights.len() + padded(width) - width, 0.0);
                at += width;
            }
            if matrix.reads != Reads::Inputs {
                let own = self.steps.values[self.index];
                let (of_h, column) = match matrix.reads {
                    Reads::Made => (tensor(Role::Candidate), column - own_rows * units),
                    _ => (tensor(Role::Recurrent), column),
                };
                let of_unit = of_h.chunks_exact(of_h.len() / units);
                weights.extend(of_unit.map(|row| row[column] * own));
                weights.resize(weights.len() + padded(units) - units, 0.0);
            }
            columns = weights.len() - start;
        }
        (weights, columns)
    }

    /// Rows of tokens with the bias, or the bias, in an image's order.
    fn addends(&self, form: &CellForm) -> Vec<f32> {
        let tensor = |role| self.params.tensor(self.index, role);
        let (rows, bias) = (tensor(Role::Rows), tensor(Role::Bias));
        let all = (0, form.addends);
        let columns = (0..bias.len()).map(|row| self.column(form, all, row));
        let columns: Vec<usize> = columns.collect();
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
            kind => {
                let Some(form) = kind.cell() else {
                    return Floats::default();
                };
                let matrices = [0, 1, 2].map(|number| match form.matrices[number] {
                    Some(matrix) if net.matrix(self.index, number).is_some() => {
                        self.recurrent(&form, matrix)
                    }
                    _ => Default::default(),
                });
                Floats {
                    matrices,
                    input: self.addends(&form),
                    bias: tensor(Role::RecurrentBias).to_vec(),
                }
            }
        }
    }
}
