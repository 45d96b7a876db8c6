//! A net unrolled over a text, one stream in f64, with everything that happened kept: what the report looks into.
//!
//! ```text
//! z_t = x_t W_x + h_{t-1} W_h + b          x_t W_x: a row of W_x for the first layer; x_t: a row of the embedding if
//!                                          there is one, h_t of the layer below above it
//! rnn     h_t = tanh(z_t)
//! lstm    i, f, o = sigmoid(z)  g = tanh(z)    c_t = f c_{t-1} + i g    h_t = o tanh(c_t)
//! gru     r, z = sigmoid(z)     u_t = h_{t-1} W_hn + b_hn    n = tanh(x_t W_xn + b_n + r u_t)    h_t = z h_{t-1} + (1 - z) n
//! ```
//! In a text of lines (h, c)_{t-1} is zero where the token of step t is the line break.
//!
//! Written for reading, apart from the training code: the two are compared in the tests. A step costs as many
//! multiply-accumulates as on the device, some 10^9 of them a second; callers choose how much text they can afford.

use crate::net::{Params, Role};
use crate::shape::Cell;

/// What one layer did at every step.
#[derive(Clone, Debug)]
pub struct Tape {
    /// [steps, gates*hidden]: activations i, f, g, o, or r, z, n, or the only one of the tanh cell, which is h.
    pub gates: Vec<f64>,
    /// [steps, hidden]: h after the step.
    pub h: Vec<f64>,
    /// [steps, hidden]: c after the step; empty for a cell without one.
    pub c: Vec<f64>,
    /// [steps, hidden]: u of a GRU; empty for other cells.
    pub u: Vec<f64>,
}

/// A net and what it did on a text.
#[derive(Clone, Debug)]
pub struct Unrolled {
    /// The net.
    pub params: Params<f64>,
    /// Layers, the lowest first.
    pub tapes: Vec<Tape>,
    /// Steps taken.
    pub steps: usize,
    /// `[steps]`: whether the step began from the zero state; the first one did.
    pub begins: Vec<bool>,
}

/// `out += x W`, W: [x, out] row-major.
pub(crate) fn add_product(out: &mut [f64], x: &[f64], w: &[f64]) {
    for (&x, row) in x.iter().zip(w.chunks_exact(out.len())) {
        out.iter_mut().zip(row).for_each(|(o, &w)| *o += x * w);
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Unrolled {
    /// Runs `params` over `tokens` from the zero state. Tokens have to be smaller than the vocabulary.
    pub fn new(params: Params<f64>, tokens: &[u16]) -> Self {
        Self::of_lines(params, tokens, None)
    }

    /// The same of a text of lines, whose break is `line_break`; `None` for any other text.
    pub fn of_lines(params: Params<f64>, tokens: &[u16], line_break: Option<u16>) -> Self {
        let begins: Vec<bool> = (0..tokens.len())
            .map(|t| t == 0 || Some(tokens[t]) == line_break)
            .collect();
        let shape = params.shape();
        let (hidden, columns) = (shape.hidden, shape.gate_columns());
        let memory = if shape.cell.has_memory() { hidden } else { 0 };
        let mut tapes: Vec<Tape> = Vec::with_capacity(shape.layers);
        for layer in 0..shape.layers {
            let mut tape = Tape {
                gates: Vec::with_capacity(tokens.len() * columns),
                h: Vec::with_capacity(tokens.len() * hidden),
                c: Vec::with_capacity(tokens.len() * memory),
                u: Vec::new(),
            };
            let (input, recurrent) = (
                params.tensor(shape.layer(layer), shape.input_role(layer)),
                params.tensor(shape.layer(layer), Role::Recurrent),
            );
            let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; memory]);
            for (t, &token) in tokens.iter().enumerate() {
                if begins[t] {
                    h.fill(0.0);
                    c.fill(0.0);
                }
                let mut z = params.tensor(shape.layer(layer), Role::Bias).to_vec();
                match tapes.last() {
                    None if shape.embedding > 0 => {
                        let table = params.tensor(0, Role::Table);
                        let row = &table[usize::from(token) * shape.embedding..][..shape.embedding];
                        add_product(&mut z, row, input);
                    }
                    None => {
                        let row = &input[usize::from(token) * columns..][..columns];
                        z.iter_mut().zip(row).for_each(|(z, w)| *z += w);
                    }
                    Some(below) => add_product(&mut z, &below.h[t * hidden..][..hidden], input),
                }
                // A GRU's recurrent product stays by itself.
                let mut p = vec![0.0; if shape.cell == Cell::Gru { columns } else { 0 }];
                let sums = if p.is_empty() { &mut z } else { &mut p };
                add_product(sums, &h, recurrent);
                match shape.cell {
                    Cell::Rnn => {
                        z.iter_mut().for_each(|z| *z = z.tanh());
                        h.copy_from_slice(&z);
                    }
                    Cell::Lstm => {
                        for (gate, z) in z.chunks_exact_mut(hidden).enumerate() {
                            z.iter_mut()
                                .for_each(|z| *z = if gate == 2 { z.tanh() } else { sigmoid(*z) });
                        }
                        for k in 0..hidden {
                            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| z[gate * hidden + k]);
                            c[k] = f * c[k] + i * g;
                            h[k] = o * c[k].tanh();
                        }
                    }
                    Cell::Gru => {
                        let bias = params.tensor(shape.layer(layer), Role::RecurrentBias);
                        for k in 0..hidden {
                            let [r, update] = [k, hidden + k].map(|at| sigmoid(z[at] + p[at]));
                            let u = p[2 * hidden + k] + bias[k];
                            let new = (z[2 * hidden + k] + r * u).tanh();
                            h[k] = update * h[k] + (1.0 - update) * new;
                            (z[k], z[hidden + k], z[2 * hidden + k]) = (r, update, new);
                            tape.u.push(u);
                        }
                    }
                }
                tape.gates.extend_from_slice(&z);
                tape.h.extend_from_slice(&h);
                tape.c.extend_from_slice(&c);
            }
            tapes.push(tape);
        }
        Self {
            params,
            tapes,
            steps: tokens.len(),
            begins,
        }
    }

    /// What the head reads after step `t`: the projection of the top layer's h, or h.
    pub fn read(&self, t: usize) -> Vec<f64> {
        let shape = self.params.shape();
        let h = &self.tapes[shape.layers - 1].h[t * shape.hidden..][..shape.hidden];
        match shape.projection {
            0 => h.to_vec(),
            _ => self.linear(shape.projected(), h),
        }
    }

    /// `W x + b`
    fn linear(&self, operation: usize, x: &[f64]) -> Vec<f64> {
        let weights = self.params.tensor(operation, Role::Weight);
        let rows = weights.chunks_exact(x.len());
        rows.zip(self.params.tensor(operation, Role::Bias))
            .map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
            .collect()
    }

    /// Probabilities of the next token after step `t`.
    pub fn probabilities(&self, t: usize) -> Vec<f64> {
        let logits = self.linear(self.params.shape().head(), &self.read(t));
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|x| (x - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|x| x / sum).collect()
    }
}
