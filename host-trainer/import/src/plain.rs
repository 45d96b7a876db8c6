//! A net in f64, step by step, as plainly as it can be said: what imports are tested against.

use gatelet::net::{Activation, GateActivation, Kind, Reset, RnnActivation, Value};

use crate::draft::{Matrix, Recurrent};
use crate::lower::{Imported, Weights};

/// A stream through a net.
#[derive(Clone, Debug)]
pub struct Plain<'a> {
    net: &'a Imported,
    /// h of each operation, then c.
    states: Vec<[Vec<f64>; 2]>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `y += weight x`.
fn product(weight: &Matrix, x: &[f64], y: &mut [f64]) {
    for (row, y) in y.iter_mut().enumerate() {
        let row = &weight.data[row * weight.columns..][..weight.columns];
        *y += row
            .iter()
            .zip(x)
            .map(|(w, x)| f64::from(*w) * x)
            .sum::<f64>();
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

impl<'a> Plain<'a> {
    /// A stream at its start.
    pub fn new(net: &'a Imported) -> Self {
        let start = |given: &[f32], units: usize| match given.is_empty() {
            true => vec![0.0; units],
            false => wide(given),
        };
        let state = |weights: &Weights| match weights {
            Weights::Recurrent(of) => {
                let units = of.recurrent.columns;
                [start(&of.h, units), start(&of.c, units)]
            }
            _ => [Vec::new(), Vec::new()],
        };
        Self {
            net,
            states: net.weights.iter().map(state).collect(),
        }
    }

    /// A step: `features` of the input, or one token; every output, one after the other.
    pub fn step(&mut self, features: &[f32], token: usize) -> Vec<f64> {
        let net = &self.net.net;
        let mut values = vec![wide(features)];
        for (index, operation) in net.operations().enumerate() {
            let reads: Vec<Value> = operation.operand.parts().collect();
            let read = |value: &Value| values[usize::from(value.code())].clone();
            let x: Vec<f64> = reads.iter().flat_map(read).collect();
            let state = &mut self.states[index];
            let made = match (&self.net.weights[index], operation.kind) {
                (Weights::Embedding(table), _) => {
                    wide(&table.data[token * table.columns..][..table.columns])
                }
                (Weights::Dense { weight, bias }, Kind::Dense { activation, .. }) => {
                    let mut y = wide(bias);
                    product(weight, &x, &mut y);
                    match activation {
                        Activation::Softmax => softmax(&mut y),
                        _ => y.iter_mut().for_each(|y| *y = function(activation, *y)),
                    }
                    y
                }
                (Weights::Recurrent(of), kind) => {
                    cell(kind, of, &x, state);
                    state[0].clone()
                }
                _ => {
                    let (a, b) = x.split_at(x.len() / 2);
                    a.iter().zip(b).map(|(a, b)| a + b).collect()
                }
            };
            values.push(made);
        }
        let mut all = Vec::new();
        for (output, port) in net.outputs().zip(&self.net.outputs) {
            let value = &values[usize::from(output.value().code())];
            match port.softmax {
                false => all.extend_from_slice(value),
                true => {
                    let mut value = value.clone();
                    softmax(&mut value);
                    all.extend(value);
                }
            }
        }
        all
    }
}

fn softmax(all: &mut [f64]) {
    let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    all.iter_mut().for_each(|x| *x = (*x - most).exp());
    let sum: f64 = all.iter().sum();
    all.iter_mut().for_each(|x| *x /= sum);
}

fn function(activation: Activation, y: f64) -> f64 {
    match activation {
        Activation::None => y,
        Activation::Relu => y.max(0.0),
        Activation::Tanh => y.tanh(),
        Activation::Sigmoid => sigmoid(y),
        Activation::HardSigmoid => (y + 0.5).clamp(0.0, 1.0),
        Activation::Elu if y > 0.0 => y,
        Activation::Elu => y.exp_m1(),
        // Done for all at once.
        Activation::Softmax => y,
    }
}

fn gated(gates: GateActivation, z: f64) -> f64 {
    match gates {
        GateActivation::Sigmoid => sigmoid(z),
        GateActivation::HardSigmoid => function(Activation::HardSigmoid, z),
    }
}

/// The candidate of a GRU, or h of a simple cell.
fn made(activation: RnnActivation, sum: f64) -> f64 {
    match activation {
        RnnActivation::Tanh => sum.tanh(),
        RnnActivation::Relu => sum.max(0.0),
    }
}

/// A step of a recurrent cell.
fn cell(kind: Kind, of: &Recurrent, x: &[f64], [h, c]: &mut [Vec<f64>; 2]) {
    let units = h.len();
    let mut sums = wide(&of.bias);
    product(&of.input, x, &mut sums);
    let mut own = vec![0.0; sums.len()];
    product(&of.recurrent, h, &mut own);
    let at = |gate: usize, unit: usize| gate * units + unit;
    match kind {
        Kind::Lstm { gates, .. } => {
            for u in 0..units {
                let [i, f, g, o] = [0, 1, 2, 3].map(|k| sums[at(k, u)] + own[at(k, u)]);
                let [i, f, o] = [i, f, o].map(|z| gated(gates, z));
                c[u] = f * c[u] + i * g.tanh();
                h[u] = o * c[u].tanh();
            }
        }
        Kind::Gru {
            reset,
            gates,
            candidate,
            ..
        } => {
            let gate = |k, u| gated(gates, sums[at(k, u)] + own[at(k, u)]);
            let r: Vec<f64> = (0..units).map(|u| gate(0, u)).collect();
            let z: Vec<f64> = (0..units).map(|u| gate(1, u)).collect();
            let mut n = sums[2 * units..].to_vec();
            match reset {
                Reset::After => {
                    let bias = wide(&of.hidden_bias);
                    for u in 0..units {
                        n[u] += r[u] * (own[at(2, u)] + bias[u]);
                    }
                }
                Reset::Before => {
                    let reset: Vec<f64> = r.iter().zip(&*h).map(|(r, h)| r * h).collect();
                    let mut all = vec![0.0; 3 * units];
                    product(&of.recurrent, &reset, &mut all);
                    n.iter_mut()
                        .zip(&all[2 * units..])
                        .for_each(|(n, q)| *n += q);
                }
            }
            for u in 0..units {
                h[u] = z[u] * h[u] + (1.0 - z[u]) * made(candidate, n[u]);
            }
        }
        Kind::Rnn { activation, .. } => {
            for u in 0..units {
                let sum = sums[u] + own[u];
                h[u] = made(activation, sum);
            }
        }
        _ => {}
    }
}
