//! How far back a prediction's gradient reaches: the vanishing gradient, measured.
//!
//! ```text
//! for a position T of a real text, back through time with the exact derivatives of the cell:
//!     dh_T  = W_head^T (p - onehot(x_{T+1}))                        the top layer, at the start only
//!     dh_t += W_x(above) dz_t(above)  +  W_h dz_{t+1}
//!     rnn   dz = dh (1 - h^2)
//!     lstm  dc = dc f_{t+1} + dh o (1 - tanh^2 c);   dz_s = d.. s (1 - s)  as in `cell::lstm`
//!     gru   dh_t += dh_{t+1} z_{t+1}, and W_h gets dp_n = r dz_n in place of dz_n, as in `cell::gru`
//! reported for lag k = 0..=window:  mean over T of  |d loss_T / d h_{T-k}|  and, for an LSTM, of |d loss_T / d c_{T-k}|
//! ```
//! The norm runs over the units of all layers. This is the gradient that training sees, from a single prediction: what a
//! plain RNN loses within a few characters, an LSTM carries on in c and a GRU in the part of h that its update gate keeps. Everything is in f64, so that 10^-30 is a number.

use rayon::prelude::*;
use serde::Serialize;

use crate::net::unroll::Unrolled;
use crate::net::{Params, Role};
use crate::shape::{Cell, Shape};

/// Positions averaged over, at most.
const POSITIONS: usize = 128;
/// Characters between positions.
const STRIDE: usize = 7;
/// Characters before the first position's window, which fill the state.
const WARM_UP: usize = 100;
/// Multiply-accumulates spent on one net: a few seconds.
const WORK: usize = 6_000_000_000;

/// Gradient norms of one net by lag.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lags {
    /// Mean norm of d loss / d h, for lags 0, 1, 2, ...
    pub h: Vec<f64>,
    /// The same for c; empty for a cell without one.
    pub c: Vec<f64>,
    /// Positions that the means are over.
    pub positions: usize,
}

impl Lags {
    /// The norm at a lag as a part of the one at lag 0.
    pub fn part(&self, lag: usize) -> f64 {
        match (self.h.first(), self.h.get(lag)) {
            (Some(&first), Some(&norm)) if first > 0.0 => norm / first,
            _ => 0.0,
        }
    }

    /// The first lag from which on the norm stays below `part` of the one at lag 0; nothing if it never does.
    pub fn below(&self, part: f64) -> Option<usize> {
        let last_above = (0..self.h.len()).rev().find(|&k| self.part(k) >= part)?;
        (last_above + 1 < self.h.len()).then_some(last_above + 1)
    }
}

/// What [`back`] shows of one layer at one lag.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests look at every part"))]
struct Seen<'a> {
    lag: usize,
    layer: usize,
    dh: &'a [f64],
    dc: &'a [f64],
    dz: &'a [f64],
}

/// `W x` for W: [rows, x] row-major, added to `out`.
fn add_product_back(out: &mut [f64], w: &[f64], x: &[f64]) {
    for (out, row) in out.iter_mut().zip(w.chunks_exact(x.len())) {
        *out += row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    }
}

/// Backpropagates the loss of predicting `target` after step `at` through `lags` steps before it.
fn back(net: &Unrolled, at: usize, target: u16, lags: usize, see: &mut dyn FnMut(Seen<'_>)) {
    let Shape {
        cell,
        layers,
        hidden,
        ..
    } = net.params.shape();
    let shape = net.params.shape();
    let columns = shape.gate_columns();
    let mut later = vec![vec![0.0; columns]; layers];
    let mut dc = vec![vec![0.0; if cell.has_memory() { hidden } else { 0 }]; layers];
    // What comes through W_h, and what of a GRU comes around it.
    let mut product = later.clone();
    let mut around = vec![vec![0.0; hidden]; layers];
    for lag in 0..=lags.min(at) {
        let t = at - lag;
        for layer in (0..layers).rev() {
            let mut dh = vec![0.0; hidden];
            if layer + 1 == layers && lag == 0 {
                let mut d_logits = net.probabilities(t);
                d_logits[usize::from(target)] -= 1.0;
                let head = net.params.tensor(shape.head(), Role::Weight);
                let mut d_read = vec![0.0; net.params.shape().head_inputs()];
                crate::net::unroll::add_product(&mut d_read, &d_logits, head);
                match net.params.shape().projection {
                    0 => dh = d_read,
                    _ => {
                        let projection = net.params.tensor(shape.projected(), Role::Weight);
                        crate::net::unroll::add_product(&mut dh, &d_read, projection);
                    }
                }
            }
            if layer + 1 < layers {
                let weights = net
                    .params
                    .tensor(shape.layer(layer + 1), shape.input_role(layer + 1));
                add_product_back(&mut dh, weights, &later[layer + 1]);
            }
            if lag > 0 {
                let weights = net.params.tensor(shape.layer(layer), Role::Recurrent);
                add_product_back(&mut dh, weights, &product[layer]);
                dh.iter_mut()
                    .zip(&around[layer])
                    .for_each(|(dh, x)| *dh += x);
            }
            let tape = &net.tapes[layer];
            let h = &tape.h[t * hidden..][..hidden];
            let gates = &tape.gates[t * columns..][..columns];
            let dz = &mut later[layer];
            // The d loss / d c of this step; what the step before gets is multiplied by f below.
            let mut dc_here = dc[layer].clone();
            match cell {
                Cell::Rnn => {
                    for k in 0..hidden {
                        dz[k] = dh[k] * (1.0 - h[k] * h[k]);
                    }
                }
                Cell::Lstm => {
                    let c = &tape.c[t * hidden..][..hidden];
                    for k in 0..hidden {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * hidden + k]);
                        let before = match net.begins[t] {
                            true => 0.0,
                            false => tape.c[(t - 1) * hidden + k],
                        };
                        let tanh_c = c[k].tanh();
                        dc_here[k] += dh[k] * o * (1.0 - tanh_c * tanh_c);
                        let d = dc_here[k];
                        dz[k] = d * g * i * (1.0 - i);
                        dz[hidden + k] = d * before * f * (1.0 - f);
                        dz[2 * hidden + k] = d * i * (1.0 - g * g);
                        dz[3 * hidden + k] = dh[k] * tanh_c * o * (1.0 - o);
                        dc[layer][k] = d * f;
                    }
                }
                Cell::Gru => {
                    let u = &tape.u[t * hidden..][..hidden];
                    for k in 0..hidden {
                        let [r, z, n] = [0, 1, 2].map(|gate| gates[gate * hidden + k]);
                        let before = match net.begins[t] {
                            true => 0.0,
                            false => tape.h[(t - 1) * hidden + k],
                        };
                        let dn = dh[k] * (1.0 - z) * (1.0 - n * n);
                        dz[k] = dn * u[k] * r * (1.0 - r);
                        dz[hidden + k] = dh[k] * (before - n) * z * (1.0 - z);
                        dz[2 * hidden + k] = dn;
                        around[layer][k] = dh[k] * z;
                    }
                }
            }
            product[layer].copy_from_slice(dz);
            if cell == Cell::Gru {
                let resets = &gates[..hidden];
                let of_n = product[layer][2 * hidden..].iter_mut();
                of_n.zip(resets).for_each(|(dp, r)| *dp *= r);
            }
            see(Seen {
                lag,
                layer,
                dh: &dh,
                dc: &dc_here,
                dz: &later[layer],
            });
        }
        if net.begins[t] {
            return;
        }
    }
}

/// Multiply-accumulates of one step back.
fn work(shape: Shape) -> usize {
    shape.layers * 2 * shape.hidden * shape.gate_columns()
}

/// Norms of the gradient of one prediction by lag: those for h, then, for a cell that has it, those for c.
fn norms(net: &Unrolled, at: usize, target: u16, window: usize) -> Vec<f64> {
    let memory = net.params.shape().cell.has_memory();
    let lags = window + 1;
    let mut squares = vec![0.0; if memory { 2 } else { 1 } * lags];
    back(net, at, target, window, &mut |seen| {
        let sum = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        squares[seen.lag] += sum(seen.dh);
        if memory {
            squares[lags + seen.lag] += sum(seen.dc);
        }
    });
    squares.into_iter().map(f64::sqrt).collect()
}

/// The means of `norms`' rows, which have `lags` numbers for each kind of state.
fn means(rows: &[Vec<f64>], lags: usize) -> Lags {
    let count = rows.len().max(1) as f64;
    let columns = rows.first().map_or(0, Vec::len).max(lags);
    let mut h: Vec<f64> = (0..columns)
        .map(|k| rows.iter().map(|row| row[k]).sum::<f64>() / count)
        .collect();
    Lags {
        c: h.split_off(lags),
        h,
        positions: rows.len(),
    }
}

/// Measures a net on `tokens`, of which as many are read as can be afforded; needs at least three.
///
/// The lags are 0 to `window`, or fewer on a short text.
/// `line_break` is that of a text of lines.
pub fn measure(
    params: &Params<f32>,
    tokens: &[u16],
    window: usize,
    line_break: Option<u16>,
) -> Lags {
    let room = tokens.len().saturating_sub(2);
    let window = window.min(room.saturating_sub(1));
    let affordable = WORK / work(params.shape()).max(1) / (window + STRIDE + 1);
    let wanted = affordable.clamp(4, POSITIONS);
    let first = (window + WARM_UP).min(room);
    let positions: Vec<usize> = (first..=room).step_by(STRIDE).take(wanted).collect();
    let read = positions.last().map_or(0, |last| last + 1);
    let net = Unrolled::of_lines(params.cast(), &tokens[..read], line_break);
    let rows: Vec<Vec<f64>> = positions
        .par_iter()
        .map(|&at| norms(&net, at, tokens[at + 1], window))
        .collect();
    means(&rows, window + 1)
}

/// The same for sequences that each begin at the zero state and end with the token to be predicted, which alone has
/// a loss; lags go back to the first token of the shortest, and the means are over the sequences. Each needs at least
/// two tokens.
pub fn of_last(params: &Params<f32>, sequences: &[Vec<u16>]) -> Lags {
    let shortest = sequences.iter().map(Vec::len).min().unwrap_or(2);
    let window = shortest.saturating_sub(2);
    let params = params.cast();
    let rows: Vec<Vec<f64>> = sequences
        .par_iter()
        .filter_map(|tokens| tokens.split_last())
        .filter(|(_, inputs)| !inputs.is_empty())
        .map(|(&target, inputs)| {
            let net = Unrolled::new(params.clone(), inputs);
            norms(&net, inputs.len() - 1, target, window)
        })
        .collect();
    means(&rows, window + 1)
}

#[cfg(test)]
mod tests;
