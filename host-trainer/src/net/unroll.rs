//! A net unrolled over a text, one stream in f64, with everything that happened kept: what the
//! report looks into.
//!
//! ```text
//! z_t = x_t W_x + h_{t-1} W_h + b          x_t: the values that the operation reads, side by side;
//!                                          of the token a row of V
//! rnn     h_t = f(z_t)
//! lstm    i, f, o = s(z)  g = tanh(z)      c_t = f c_{t-1} + i g    h_t = o tanh(c_t)
//! gru     r, z = s(z)    n = f(x_t W_xn + b_n + u_t)    h_t = z h_{t-1} + (1 - z) n
//!         reset after    u_t = r (h_{t-1} W_hn + b_hn)
//!         reset before   u_t = (r h_{t-1}) U
//! dense   y = f(W x + b)
//! ```
//! In a text of lines (h, c)_{t-1} is zero where the token of step t is the line break.
//!
//! Written for reading, apart from the training code: the two are compared in the tests. A step
//! costs as many multiply-accumulates as on the device, some 10^9 of them a second; callers choose
//! how much text they can afford.

mod functions;

use gatelet::net::{Kind, Net, Output, Reset, Value};

use self::functions::{activate, candidate, gate};
pub(crate) use self::functions::{d_activation, d_candidate, d_gate};
use crate::net::{Params, Role};

/// What one operation did at every step.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// [steps, units]: what it made, h of a layer; empty of an operation that no other reads.
    pub h: Vec<f64>,
    /// [steps, gates*units]: activations i, f, g, o, or r, z, n, or the only one of a simple cell,
    /// which is h; empty of an operation that is no layer.
    pub gates: Vec<f64>,
    /// [steps, units]: c after the step; empty for a cell without one.
    pub c: Vec<f64>,
    /// [steps, units]: what a GRU's reset gate multiplies, h W_hn + b_hn or h; empty for other
    /// cells.
    pub reset: Vec<f64>,
}

/// A net of tokens and what it did on a text.
#[derive(Clone, Debug)]
pub struct Unrolled {
    /// The net.
    pub params: Params<f64>,
    /// Its operations.
    pub tapes: Vec<Tape>,
    /// Steps taken.
    pub steps: usize,
    /// `[steps]`: whether the step began from the zero state; the first one did.
    pub begins: Vec<bool>,
    /// `[steps]`: the text.
    tokens: Vec<u16>,
}

/// `out += x W`, W: [x, out] row-major.
pub(crate) fn add_product(out: &mut [f64], x: &[f64], w: &[f64]) {
    for (&x, row) in x.iter().zip(w.chunks_exact(out.len())) {
        out.iter_mut().zip(row).for_each(|(o, &w)| *o += x * w);
    }
}

impl Unrolled {
    /// Runs `params` over `tokens` from the zero state. Tokens have to be smaller than the vocabulary.
    pub fn new(params: Params<f64>, tokens: &[u16]) -> Self {
        Self::of_lines(params, tokens, None)
    }

    /// The same of a text of lines, whose break is `line_break`; `None` for any other text.
    pub fn of_lines(params: Params<f64>, tokens: &[u16], line_break: Option<u16>) -> Self {
        let begins = (0..tokens.len()).map(|t| t == 0 || Some(tokens[t]) == line_break);
        let mut all = Self {
            begins: begins.collect(),
            tapes: Vec::new(),
            steps: tokens.len(),
            tokens: tokens.to_vec(),
            params,
        };
        let net = *all.params.net();
        for (index, of) in net.operations().enumerate() {
            let mut read = net.operations().flat_map(|of| of.operand.parts());
            let is_read = read.any(|value| value == Value::of(index));
            let tape = match (of.kind.is_recurrent(), is_read) {
                (true, _) => all.layer(index, of.kind),
                (false, true) => Tape {
                    h: (0..all.steps).flat_map(|t| all.made(index, t)).collect(),
                    ..Tape::default()
                },
                (false, false) => Tape::default(),
            };
            all.tapes.push(tape);
        }
        all
    }

    /// The net's operations.
    pub fn net(&self) -> &Net {
        self.params.net()
    }

    /// What an operation made at step `t`.
    pub(crate) fn value(&self, operation: usize, t: usize) -> Vec<f64> {
        match self.tapes[operation].h.len() / self.steps {
            0 => self.made(operation, t),
            width => self.tapes[operation].h[t * width..][..width].to_vec(),
        }
    }

    /// The values that an operation reads at step `t`, side by side; a token is none.
    fn operand(&self, operation: usize, t: usize) -> Vec<f64> {
        let parts = self.net().operation(operation).map(|of| of.operand);
        let makers = parts.iter().flat_map(|operand| operand.parts());
        let makers = makers.filter_map(|value| value.operation());
        makers.flat_map(|maker| self.value(maker, t)).collect()
    }

    /// What an operation that is no layer makes at step `t`.
    fn made(&self, operation: usize, t: usize) -> Vec<f64> {
        let kind = self.net().operation(operation).map(|of| of.kind);
        let x = self.operand(operation, t);
        match kind {
            Some(Kind::Embedding { units }) => {
                let table = self.params.tensor(operation, Role::Table);
                table[usize::from(self.tokens[t]) * units..][..units].to_vec()
            }
            Some(Kind::Dense { activation, .. }) => {
                let weights = self.params.tensor(operation, Role::Weight);
                let rows = weights.chunks_exact(x.len());
                let biases = self.params.tensor(operation, Role::Bias);
                let sums = rows.zip(biases);
                let mut y: Vec<f64> = sums
                    .map(|(row, bias)| bias + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>())
                    .collect();
                activate(activation, &mut y);
                y
            }
            // A sum.
            _ => {
                let (a, b) = x.split_at(x.len() / 2);
                a.iter().zip(b).map(|(a, b)| a + b).collect()
            }
        }
    }

    /// A layer over the text.
    fn layer(&self, operation: usize, kind: Kind) -> Tape {
        let tensor = |role| self.params.tensor(operation, role);
        let (units, columns) = (kind.units(), kind.gates() * kind.units());
        let [rows, input, own] = [Role::Rows, Role::Input, Role::Recurrent].map(tensor);
        let [biases, own_biases] = [Role::Bias, Role::RecurrentBias].map(tensor);
        let mut tape = Tape::default();
        let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
        for t in 0..self.steps {
            if self.begins[t] {
                h.fill(0.0);
                c.fill(0.0);
            }
            let mut z = biases.to_vec();
            add_product(&mut z, &self.operand(operation, t), input);
            if !rows.is_empty() {
                let row = &rows[usize::from(self.tokens[t]) * columns..][..columns];
                z.iter_mut().zip(row).for_each(|(z, w)| *z += w);
            }
            match kind {
                Kind::Rnn { activation, .. } => {
                    add_product(&mut z, &h, own);
                    z.iter_mut().for_each(|z| *z = candidate(activation, *z));
                    h.copy_from_slice(&z);
                }
                Kind::Lstm { gates, .. } => {
                    add_product(&mut z, &h, own);
                    for (number, z) in z.chunks_exact_mut(units).enumerate() {
                        let of = |z: f64| match number {
                            2 => z.tanh(),
                            _ => gate(gates, z),
                        };
                        z.iter_mut().for_each(|z| *z = of(*z));
                    }
                    for k in 0..units {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| z[gate * units + k]);
                        c[k] = f * c[k] + i * g;
                        h[k] = o * c[k].tanh();
                    }
                    tape.c.extend_from_slice(&c);
                }
                Kind::Gru {
                    reset,
                    gates,
                    candidate: new,
                    ..
                } => {
                    // The recurrent product stays by itself; with the reset before, of r and z.
                    let mut p = vec![0.0; own.len() / units];
                    add_product(&mut p, &h, own);
                    for k in 0..2 * units {
                        z[k] = gate(gates, z[k] + p[k]);
                    }
                    let multiplied: Vec<f64> = match reset {
                        Reset::After => (0..units)
                            .map(|k| p[2 * units + k] + own_biases[k])
                            .collect(),
                        Reset::Before => h.clone(),
                    };
                    let made = z.iter().zip(&multiplied).map(|(r, u)| r * u);
                    let mut made: Vec<f64> = made.collect();
                    if reset == Reset::Before {
                        let q = std::mem::replace(&mut made, vec![0.0; units]);
                        add_product(&mut made, &q, tensor(Role::Candidate));
                    }
                    for k in 0..units {
                        let n = candidate(new, z[2 * units + k] + made[k]);
                        z[2 * units + k] = n;
                        h[k] = z[units + k] * h[k] + (1.0 - z[units + k]) * n;
                    }
                    tape.reset.extend(multiplied);
                }
                Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => {}
            }
            tape.gates.extend_from_slice(&z);
            tape.h.extend_from_slice(&h);
        }
        tape
    }

    /// The operation whose scores are the net's.
    pub(crate) fn scoring(&self) -> usize {
        let first = self.net().output(0).map(Output::value);
        first.and_then(|value| value.operation()).unwrap_or(0)
    }

    /// Probabilities of the next token after step `t`.
    pub fn probabilities(&self, t: usize) -> Vec<f64> {
        let logits = self.value(self.scoring(), t);
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|x| (x - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|x| x / sum).collect()
    }
}
