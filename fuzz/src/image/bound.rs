//! How far a kernel's step may be from the specification's in f32, from the same state:
//! docs/numerics.md.
//!
//! ```text
//! S     |a| + sum_k |W[k]| X[k]     the most that a row and its operand can add up to; n products
//! dz    2 (n + 8) 2^-24 S + sum_k |W[k]| dX[k]                    both orders of addition, and what the operand is off by
//! RNN   dh = dz + A                                               A: both errors of tanh, and of sigmoid
//! LSTM  dc = dz (|c| / 4 + 1 / 4 + 1) + A (1 + |c|)    dh = dz / 4 + dc + A
//! head  dz of its rows
//! ```

use gatelet::layer::Fused;
use gatelet::net::{Activation, Kind, Net, Operand, Output, Value};
use gatelet::{MatrixF32, Model, Weights};

/// Bounds of a model's step.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// Of every number of a snapshot: h of all layers, then c of those that have it.
    pub(super) state: Vec<f64>,
    /// Of the scores.
    pub(super) logits: f64,
}

/// Of an activation, in both kernels: docs/numerics.md has at most 7 units in the last place, and
/// 1e-6 for a whole cell.
const ACTIVATION: f64 = 3e-6;

/// The most of a matrix's rows: what they add up to, and what an error of their first columns
/// becomes.
#[derive(Clone, Copy)]
struct Rows {
    sum: f64,
    first: f64,
    columns: usize,
}

impl Rows {
    /// `addend`: the largest; the first columns are multiplied with numbers of at most `bound`, the
    /// others of at most 1.
    fn new(matrix: &MatrixF32<'_>, rows: usize, addend: f64, (first, bound): (usize, f64)) -> Self {
        let mut most = Rows {
            sum: 0.0,
            first: 0.0,
            columns: matrix.columns,
        };
        for row in 0..rows {
            let (mut sum, mut below) = (addend, 0.0);
            for (k, w) in matrix.row(row).enumerate() {
                let w = f64::from(w).abs();
                sum += w * if k < first { bound } else { 1.0 };
                below += if k < first { w } else { 0.0 };
            }
            most.sum = most.sum.max(sum);
            most.first = most.first.max(below);
        }
        most
    }

    /// What the sum may be off by, where the first operands are by `off`.
    fn off(&self, off: f64) -> f64 {
        let rounding = 2.0 * (self.columns + 8) as f64 * f64::from(f32::EPSILON) / 2.0;
        rounding * self.sum + self.first * off + 1e-37
    }
}

fn largest(numbers: &[f32]) -> f64 {
    numbers
        .iter()
        .fold(0.0, |most, x| f64::max(most, x.abs().into()))
}

/// Whether a net is an embedding perhaps, then layers that a kernel does at once, then dense
/// operations, each of which reads the one before, and the last of which has the scores.
fn is_stack(net: &Net) -> bool {
    let rank = |kind: Kind| match kind {
        Kind::Embedding { .. } => Some(0),
        Kind::Dense {
            activation: Activation::None,
            ..
        } => Some(2),
        kind => kind.fused().map(|_| 1),
    };
    let (mut last, mut reads) = (0, Value::INPUT);
    for (index, of) in net.operations().enumerate() {
        match rank(of.kind) {
            Some(rank) if rank >= last && of.operand == Operand::one(reads) => last = rank,
            _ => return false,
        }
        reads = Value::of(index);
    }
    net.takes_tokens() && last == 2 && net.outputs().eq([Output::Scores(reads)])
}

impl Bound {
    /// Of an f32 model, in its first `steps` from the zero state: c grows by at most 1 in each.
    ///
    /// Nothing for nets that it is not written for: all but stacks of RNNs and LSTMs.
    pub(super) fn new(model: &Model<'_>, steps: usize) -> Option<Self> {
        let net = model.net();
        if !is_stack(net) {
            return None;
        }
        let mut bound = Bound {
            state: Vec::new(),
            logits: 0.0,
        };
        let mut cells = Vec::new();
        let (mut below, mut off) = ((0, 1.0), 0.0);
        let mut operand = 1.0;
        for (index, operation) in net.operations().enumerate() {
            let stride = net.stride(Value::of(index));
            let units = operation.kind.units();
            match model.weights(index) {
                Weights::EmbeddingF32(table) => below = (stride, largest(table.weights.weights)),
                Weights::CellF32(layer) => {
                    let rows = units * operation.kind.gates();
                    let rows = Rows::new(&layer.weights, rows, largest(layer.input), below);
                    let z = rows.off(off);
                    let c = steps as f64 + 1.0;
                    let cell = z * (c / 4.0 + 1.25) + ACTIVATION * (1.0 + c);
                    // h is -1 to 1 in both.
                    let hidden = match layer.cell {
                        Fused::Rnn => z + ACTIVATION,
                        Fused::Lstm => {
                            cells.extend(std::iter::repeat_n(cell, stride));
                            z / 4.0 + cell + ACTIVATION
                        }
                    };
                    off = hidden.min(2.0 + ACTIVATION);
                    bound.state.extend(std::iter::repeat_n(off, stride));
                    below = (stride, 1.0);
                }
                Weights::DenseF32(dense) => {
                    let (columns, bias) = (dense.weights.columns, largest(dense.bias));
                    let rows = Rows::new(&dense.weights, units, bias, (columns, operand));
                    (off, operand) = (rows.off(off), rows.sum);
                    bound.logits = off;
                }
                _ => return None,
            }
        }
        bound.state.extend(cells);
        Some(bound)
    }
}
