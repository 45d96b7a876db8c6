//! The parameters of a net in one flat buffer, and where each tensor lies in it.
//!
//! ```text
//! layer l:  z_t = x_t W_x + h_{t-1} W_h + b        W_x: [vocab or hidden, gates*hidden], W_h: [hidden, gates*hidden]
//! head:     logits_t = h_t W^T + b                  W: [vocab, hidden]
//! ```
//! Weights stand as [input, output]: then layer 0's `x_t W_x` for a token id is one row of W_x, a gather.
//! Gates are blocks of `hidden` columns in PyTorch's order i, f, g, o; the tanh cell has one block.
//! One flat buffer makes the optimizer, clipping and checkpoints loops over numbers, blind to shapes.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rayon::prelude::*;
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
}

impl Cell {
    /// Gate blocks a unit has: 1 or 4.
    pub const fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
        }
    }
}

impl From<Cell> for gatelet::Cell {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Rnn => Self::Rnn,
            Cell::Lstm => Self::Lstm,
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
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
    /// Characters, 2..=16384.
    pub vocab: usize,
}

/// What a tensor is in the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `W_x` of a layer: [vocab or hidden, gates*hidden].
    Input,
    /// `W_h` of a layer: [hidden, gates*hidden].
    Recurrent,
    /// `b` of a layer: [1, gates*hidden].
    Bias,
    /// `W` of the head: [vocab, hidden].
    HeadWeight,
    /// `b` of the head: [1, vocab].
    HeadBias,
}

/// One tensor's place in the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// What it is.
    pub role: Role,
    /// Its layer; the head's tensors carry the number of layers.
    pub layer: usize,
    /// Rows of the row-major matrix.
    pub rows: usize,
    /// Columns of the row-major matrix.
    pub columns: usize,
    /// Its elements in the flat buffer.
    pub range: Range<usize>,
}

impl Shape {
    /// Columns of a layer's matrices: gates * hidden.
    pub const fn gate_columns(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// Every tensor, in the order of the flat buffer.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(3 * self.layers + 2);
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
        for layer in 0..self.layers {
            let input = if layer == 0 { self.vocab } else { self.hidden };
            add(Role::Input, layer, input, self.gate_columns());
            add(Role::Recurrent, layer, self.hidden, self.gate_columns());
            add(Role::Bias, layer, 1, self.gate_columns());
        }
        add(Role::HeadWeight, self.layers, self.vocab, self.hidden);
        add(Role::HeadBias, self.layers, 1, self.vocab);
        tensors
    }

    /// Place of one tensor in the flat buffer. `layer` is ignored for the head.
    pub fn range(&self, role: Role, layer: usize) -> Range<usize> {
        let columns = self.gate_columns();
        let (first, other) = (
            (self.vocab + self.hidden + 1) * columns,
            (2 * self.hidden + 1) * columns,
        );
        let base = |layer: usize| {
            if layer == 0 {
                0
            } else {
                first + (layer - 1) * other
            }
        };
        let input = if layer == 0 { self.vocab } else { self.hidden } * columns;
        let head = base(self.layers);
        let (start, len) = match role {
            Role::Input => (base(layer), input),
            Role::Recurrent => (base(layer) + input, self.hidden * columns),
            Role::Bias => (base(layer) + input + self.hidden * columns, columns),
            Role::HeadWeight => (head, self.vocab * self.hidden),
            Role::HeadBias => (head + self.vocab * self.hidden, self.vocab),
        };
        start..start + len
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.range(Role::HeadBias, 0).end
    }
}

/// Bound of the uniform start of layer 0's rows. A token picks one row, so the sum has one term and a bound of
/// 1/sqrt(hidden) leaves the gates almost blind to the character. Held-out nats on `corpora/novels.txt` (LSTM of 128,
/// 3 epochs, lr 0.004 unless said): 0.088 -> 1.864, 0.5 -> 1.800, 1 -> 1.681, 1.7 -> 1.628, 3 -> 1.522; at lr 0.008:
/// 2 -> 1.469, 3 -> 1.405, 5 -> 1.364. 3 keeps rows well inside the +-8 of the integer gates.
const ROW_BOUND: f64 = 3.0;

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

    /// The start of training: uniform in ±1/sqrt(hidden) as PyTorch does (layer 0's rows in ±3), but W_h orthogonal gate by gate
    /// (Saxe et al. 2014), recurrent biases 0 and the LSTM's forget bias 1 (Jozefowicz et al. 2015).
    /// The same seed gives the same numbers.
    pub fn init(shape: Shape, seed: u64) -> Self {
        let mut params = Self::zeros(shape);
        let bound = 1.0 / (shape.hidden as f64).sqrt();
        let hidden = shape.hidden;
        for tensor in shape.tensors() {
            let stream = 1 + (tensor.layer as u64) * 8 + tensor.role as u64;
            let mut rng = Pcg64::seed_from_u64(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let out = &mut params.data[tensor.range.clone()];
            match tensor.role {
                Role::Input | Role::HeadWeight => {
                    let bound = if tensor.role == Role::Input && tensor.layer == 0 {
                        ROW_BOUND
                    } else {
                        bound
                    };
                    out.fill_with(|| F::from_f64((2.0 * rng.random::<f64>() - 1.0) * bound));
                }
                Role::Recurrent => {
                    let seeds: Vec<u64> = (0..shape.cell.gates()).map(|_| rng.random()).collect();
                    let blocks: Vec<Vec<f64>> = seeds
                        .par_iter()
                        .map(|&seed| orthogonal(hidden, seed))
                        .collect();
                    for (gate, block) in blocks.iter().enumerate() {
                        for (row, values) in block.chunks_exact(hidden).enumerate() {
                            let start = row * tensor.columns + gate * hidden;
                            for (to, &from) in out[start..start + hidden].iter_mut().zip(values) {
                                *to = F::from_f64(from);
                            }
                        }
                    }
                }
                Role::Bias if shape.cell == Cell::Lstm => out[hidden..2 * hidden].fill(F::one()),
                Role::Bias | Role::HeadBias => {}
            }
        }
        params
    }
}

/// A random orthogonal matrix [n, n], row-major: Gram-Schmidt on normal numbers, each row cleaned twice.
fn orthogonal(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut normal = || {
        let (radius, angle) = (
            (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt(),
            std::f64::consts::TAU * rng.random::<f64>(),
        );
        radius * angle.cos()
    };
    let mut rows: Vec<f64> = (0..n * n).map(|_| normal()).collect();
    for k in 0..n {
        let (done, rest) = rows.split_at_mut(k * n);
        let row = &mut rest[..n];
        for _ in 0..2 {
            for other in done.chunks_exact(n) {
                let along = dot(row, other);
                row.iter_mut().zip(other).for_each(|(r, o)| *r -= along * o);
            }
            let norm = dot(row, row).sqrt();
            row.iter_mut().for_each(|r| *r /= norm);
        }
    }
    rows
}

/// Inner product in eight partial sums, which the compiler turns into vector code.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_tiles, b_tiles) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = a_tiles
        .remainder()
        .iter()
        .zip(b_tiles.remainder())
        .map(|(x, y)| x * y)
        .sum();
    let mut sums = [0.0; 8];
    for (x, y) in a_tiles.zip(b_tiles) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    tail + sums.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        cell: Cell::Lstm,
        layers: 3,
        hidden: 5,
        vocab: 7,
    };

    #[test]
    fn tensors_tile_the_buffer_and_agree_with_range() {
        let mut end = 0;
        for tensor in SHAPE.tensors() {
            assert_eq!(
                tensor.range,
                SHAPE.range(tensor.role, tensor.layer),
                "{tensor:?}"
            );
            assert_eq!(
                (tensor.range.start, tensor.range.len()),
                (end, tensor.rows * tensor.columns)
            );
            end = tensor.range.end;
        }
        assert_eq!(end, SHAPE.parameters());
    }

    #[test]
    fn start_is_seeded_orthogonal_and_remembers() {
        let params = Params::<f64>::init(SHAPE, 3);
        assert_eq!(params, Params::init(SHAPE, 3));
        assert_ne!(params, Params::init(SHAPE, 4));
        assert_eq!(params.tensor(Role::Bias, 1)[5..10], [1.0; 5]);
        assert_eq!(params.tensor(Role::Bias, 1)[..5], [0.0; 5]);
        let recurrent = params.tensor(Role::Recurrent, 2);
        for gate in 0..4 {
            let row = |k: usize| &recurrent[k * 20 + gate * 5..k * 20 + gate * 5 + 5];
            for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
                let want = if i == j { 1.0 } else { 0.0 };
                assert!(
                    (dot(row(i), row(j)) - want).abs() < 1e-12,
                    "gate {gate}, rows {i} and {j}"
                );
            }
        }
    }
}
