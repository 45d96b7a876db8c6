//! The start of training: random parameters, the same for the same seed.

use gatelet::net::{Kind, Net};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rayon::prelude::*;

use super::{Params, Role, Tensor};
use crate::real::Real;

/// Bound of the uniform start of layer 0's rows. A token picks one row, so the sum has one term and
/// a bound of 1/sqrt(hidden) leaves the gates almost blind to the character. Held-out nats on
/// `corpora/novels.txt` (LSTM of 128, 3 epochs, lr 0.004 unless said): 0.088 -> 1.864, 0.5 ->
/// 1.800, 1 -> 1.681, 1.7 -> 1.628, 3 -> 1.522; at lr 0.008: 2 -> 1.469, 3 -> 1.405, 5 -> 1.364. 3
/// keeps rows well inside the +-8 of the integer gates.
const ROW_BOUND: f64 = 3.0;
/// Bound of the uniform start of an embedding. The first layer's `W_x` then starts with the bound
/// that gives the gates the variance that rows of [`ROW_BOUND`] do: with ±0.1 and ±1/sqrt(hidden)
/// they are almost blind to the word.
const EMBEDDING_BOUND: f64 = 1.0;

/// Numbers that stand for a tensor in its stream of random numbers: its layer, as many as there are
/// recurrent operations before it, and its role.
fn key(net: &Net, tensor: &Tensor) -> (u64, u64) {
    let index = tensor.operation;
    let before = net.operations().take(index);
    let layer = before.filter(|of| of.kind.is_recurrent()).count() as u64;
    let is_output = net
        .outputs()
        .any(|of| of.value().operation() == Some(index));
    let role = match tensor.role {
        Role::Rows | Role::Input => 0,
        Role::Recurrent | Role::Candidate => 1,
        Role::Weight if is_output => 3,
        Role::Table => 5,
        Role::Weight => 6,
        Role::Bias | Role::RecurrentBias => 7,
    };
    (layer, role)
}

/// Bound of the uniform start of the weights of an operation that reads so many values of so many
/// units.
fn bound(net: &Net, tensor: &Tensor) -> f64 {
    let operation = net.operation(tensor.operation);
    let fan = |count: usize| 1.0 / (count.max(1) as f64).sqrt();
    let Some(operation) = operation else {
        return 0.0;
    };
    match tensor.role {
        Role::Rows => ROW_BOUND,
        Role::Table => EMBEDDING_BOUND,
        Role::Input => {
            let first = operation.operand.part(0).operation();
            match first
                .and_then(|first| net.operation(first))
                .map(|of| of.kind)
            {
                Some(Kind::Embedding { units }) => {
                    ROW_BOUND * (3.0 / units as f64).sqrt() / EMBEDDING_BOUND
                }
                _ => fan(operation.kind.units()),
            }
        }
        // As wide as that of the layer below.
        Role::Weight => fan(below(net, tensor.operation).unwrap_or(tensor.columns)),
        _ => fan(operation.kind.units()),
    }
}

/// Units of the last recurrent operation before one.
fn below(net: &Net, operation: usize) -> Option<usize> {
    let before = net.operations().take(operation);
    let recurrent = before.filter(|of| of.kind.is_recurrent());
    recurrent.last().map(|of| of.kind.units())
}

impl<F: Real> Params<F> {
    /// The start of training: uniform in ±1/sqrt(units) as PyTorch does (rows of tokens in ±3), but
    /// W_h orthogonal gate by gate (Saxe et al. 2014), recurrent biases 0 and the LSTM's forget
    /// bias 1 (Jozefowicz et al. 2015). A GRU's biases are 0: with 1 for z the losses of
    /// docs/training.md were 1.475 and 1.375 nats for 64 and 128 units, with 0 they are 1.466 and
    /// 1.382. The same seed gives the same numbers.
    pub fn init(net: Net, seed: u64) -> Self {
        let mut params = Self::zeros(net);
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for tensor in params.tensors().to_vec() {
            let (layer, role) = key(&net, &tensor);
            let repeats = seen.iter().filter(|&&key| key == (layer, role)).count() as u64;
            seen.push((layer, role));
            let stream = (1 + layer * 8 + role) | repeats << 32;
            let mut rng = Pcg64::seed_from_u64(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let out = &mut params.data[tensor.range.clone()];
            match tensor.role {
                Role::Rows | Role::Input | Role::Weight | Role::Table => {
                    let bound = bound(&net, &tensor);
                    out.fill_with(|| F::from_f64((2.0 * rng.random::<f64>() - 1.0) * bound));
                }
                Role::Recurrent | Role::Candidate => orthogonal_gates(&tensor, &mut rng, out),
                Role::Bias => {
                    let operation = net.operation(tensor.operation).map(|of| of.kind);
                    if let Some(Kind::Lstm { units, .. }) = operation {
                        out[units..2 * units].fill(F::one());
                    }
                }
                Role::RecurrentBias => {}
            }
        }
        params
    }
}

impl Params<f32> {
    /// The same start with the rows of tokens uniform in ±`bound`. Those of a text (±3) keep tanh at
    /// its ends, where a net of few examples learns little; Keras' are within [`glorot`]'s bound.
    pub fn with_row_bound(mut self, bound: f64) -> Self {
        let rows = self.tensors().iter();
        let rows = rows.filter(|tensor| tensor.role == Role::Rows);
        let ranges: Vec<_> = rows.map(|tensor| tensor.range.clone()).collect();
        for range in ranges {
            let weights = &mut self.data[range];
            weights
                .iter_mut()
                .for_each(|w| *w *= (bound / ROW_BOUND) as f32);
        }
        self
    }
}

/// Bound of the uniform start of weights between so many inputs and outputs (Glorot and Bengio
/// 2010).
pub fn glorot(inputs: usize, outputs: usize) -> f64 {
    (6.0 / (inputs + outputs).max(1) as f64).sqrt()
}

impl<F: Real> Params<F> {
    /// The start of a plain net as in Keras: weights of dense operations uniform within
    /// [`glorot`]'s bound, everything else as in [`Params::init`]. The same seed gives the same
    /// numbers.
    pub fn glorot(net: Net, seed: u64) -> Self {
        let mut params = Self::init(net, seed);
        let mut rng = Pcg64::seed_from_u64(seed);
        for tensor in params.tensors().to_vec() {
            if tensor.role != Role::Weight {
                continue;
            }
            let (units, inputs) = (tensor.rows, tensor.columns);
            let bound = glorot(inputs, units);
            let weights = &mut params.data[tensor.range.clone()];
            // In Keras' order: an input's weights after each other.
            for (input, unit) in (0..inputs).flat_map(|i| (0..units).map(move |u| (i, u))) {
                let number = (2.0 * rng.random::<f64>() - 1.0) * bound;
                weights[unit * inputs + input] = F::from_f64(number);
            }
        }
        params
    }
}

/// Fills `[units, gates*units]` with an orthogonal matrix for each gate.
fn orthogonal_gates<F: Real>(tensor: &Tensor, rng: &mut Pcg64, out: &mut [F]) {
    let units = tensor.rows;
    let seeds: Vec<u64> = (0..tensor.columns / units).map(|_| rng.random()).collect();
    let blocks: Vec<Vec<f64>> = seeds
        .par_iter()
        .map(|&seed| orthogonal(units, seed))
        .collect();
    for (gate, block) in blocks.iter().enumerate() {
        for (row, values) in block.chunks_exact(units).enumerate() {
            let start = row * tensor.columns + gate * units;
            for (to, &from) in out[start..start + units].iter_mut().zip(values) {
                *to = F::from_f64(from);
            }
        }
    }
}

/// A random orthogonal matrix [n, n], row-major: Gram-Schmidt on normal numbers, each row cleaned
/// twice.
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
    use gatelet::net::Precision;

    use super::*;

    fn net() -> Net {
        let layer = Kind::lstm(5);
        Net::tokens(Precision::F32, 7)
            .then(layer)
            .then(layer)
            .then(layer)
    }

    #[test]
    fn rows_start_within_their_bound() {
        let params = Params::<f32>::init(net(), 3).with_row_bound(0.5);
        let rows = params.tensor(0, Role::Rows);
        let most = rows.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(most > 0.45 && most <= 0.5, "{most}");
        let other = Params::<f32>::init(net(), 3);
        assert_eq!(
            params.tensor(0, Role::Recurrent),
            other.tensor(0, Role::Recurrent)
        );
    }

    #[test]
    fn start_is_seeded_orthogonal_and_remembers() {
        let params = Params::<f64>::init(net(), 3);
        assert_eq!(params, Params::init(net(), 3));
        assert_ne!(params, Params::init(net(), 4));
        assert_eq!(params.tensor(1, Role::Bias)[5..10], [1.0; 5]);
        assert_eq!(params.tensor(1, Role::Bias)[..5], [0.0; 5]);
        let recurrent = params.tensor(2, Role::Recurrent);
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
