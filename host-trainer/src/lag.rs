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

use crate::params::{Cell, Params, Role, Shape};
use crate::unroll::{Unrolled, in_f64};

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
    } = net.params.shape;
    let columns = net.params.shape.gate_columns();
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
                let head = net.params.tensor(Role::HeadWeight, 0);
                let mut d_read = vec![0.0; net.params.shape.head_inputs()];
                crate::unroll::add_product(&mut d_read, &d_logits, head);
                match net.params.shape.projection {
                    0 => dh = d_read,
                    _ => {
                        let projection = net.params.tensor(Role::Projection, 0);
                        crate::unroll::add_product(&mut dh, &d_read, projection);
                    }
                }
            }
            if layer + 1 < layers {
                let weights = net.params.tensor(Role::Input, layer + 1);
                add_product_back(&mut dh, weights, &later[layer + 1]);
            }
            if lag > 0 {
                let weights = net.params.tensor(Role::Recurrent, layer);
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
    let memory = net.params.shape.cell.has_memory();
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
    let affordable = WORK / work(params.shape).max(1) / (window + STRIDE + 1);
    let wanted = affordable.clamp(4, POSITIONS);
    let first = (window + WARM_UP).min(room);
    let positions: Vec<usize> = (first..=room).step_by(STRIDE).take(wanted).collect();
    let read = positions.last().map_or(0, |last| last + 1);
    let net = Unrolled::of_lines(in_f64(params), &tokens[..read], line_break);
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
    let params = in_f64(params);
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
mod tests {
    use super::*;
    use crate::bptt::{IGNORED, Shard};
    use crate::packs::Packs;

    const TOKENS: [u16; 12] = [3, 1, 4, 1, 5, 0, 2, 5, 3, 5, 4, 1];

    fn shapes() -> [Shape; 6] {
        let shape = |cell, layers| Shape {
            cell,
            layers,
            hidden: 5,
            vocab: 6,
            ..Shape::PLAIN
        };
        [
            shape(Cell::Rnn, 1),
            shape(Cell::Lstm, 1),
            shape(Cell::Rnn, 2),
            shape(Cell::Lstm, 3),
            shape(Cell::Gru, 1),
            shape(Cell::Gru, 2),
        ]
    }

    /// A start in which biases matter too.
    fn started(shape: Shape) -> Params<f64> {
        let mut params = Params::<f64>::init(shape, 9);
        let numbers = params.data.iter_mut().enumerate();
        numbers.for_each(|(i, w)| *w += 0.2 * ((i * 7) as f64).sin());
        params
    }

    /// What is added to a state on its way: at a layer and a step, to a unit of h (or of c).
    struct Nudge {
        layer: usize,
        t: usize,
        unit: usize,
        of_c: bool,
        by: f64,
    }

    /// The loss of predicting the last token, step by step over all layers, with a nudge.
    fn loss(params: &Params<f64>, tokens: &[u16], nudge: &Nudge) -> f64 {
        let shape = params.shape;
        let (n, columns) = (shape.hidden, shape.gate_columns());
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut h = vec![vec![0.0; n]; shape.layers];
        let mut c = vec![vec![0.0; n]; shape.layers];
        for (t, &token) in tokens[..tokens.len() - 1].iter().enumerate() {
            for layer in 0..shape.layers {
                let x: Vec<f64> = if layer == 0 {
                    (0..shape.vocab)
                        .map(|v| f64::from(u8::from(v == usize::from(token))))
                        .collect()
                } else {
                    h[layer - 1].clone()
                };
                let (w_x, w_h) = (
                    params.tensor(Role::Input, layer),
                    params.tensor(Role::Recurrent, layer),
                );
                let z: Vec<f64> = (0..columns)
                    .map(|j| {
                        params.tensor(Role::Bias, layer)[j]
                            + (0..x.len())
                                .map(|i| x[i] * w_x[i * columns + j])
                                .sum::<f64>()
                    })
                    .collect();
                let p: Vec<f64> = (0..columns)
                    .map(|j| {
                        (0..n)
                            .map(|i| h[layer][i] * w_h[i * columns + j])
                            .sum::<f64>()
                    })
                    .collect();
                let sum = |j: usize| z[j] + p[j];
                let here = nudge.layer == layer && nudge.t == t;
                for k in 0..n {
                    if shape.cell == Cell::Rnn {
                        h[layer][k] = sum(k).tanh();
                        continue;
                    }
                    if shape.cell == Cell::Gru {
                        let (r, update) = (sigmoid(sum(k)), sigmoid(sum(n + k)));
                        let bias = params.tensor(Role::RecurrentBias, layer)[k];
                        let new = (z[2 * n + k] + r * (p[2 * n + k] + bias)).tanh();
                        h[layer][k] = update * h[layer][k] + (1.0 - update) * new;
                        continue;
                    }
                    c[layer][k] =
                        sigmoid(sum(n + k)) * c[layer][k] + sigmoid(sum(k)) * sum(2 * n + k).tanh();
                    if here && nudge.of_c && nudge.unit == k {
                        c[layer][k] += nudge.by;
                    }
                    h[layer][k] = sigmoid(sum(3 * n + k)) * c[layer][k].tanh();
                }
                if here && !nudge.of_c {
                    h[layer][nudge.unit] += nudge.by;
                }
            }
        }
        let head = params.tensor(Role::HeadWeight, 0);
        let logits: Vec<f64> = (0..shape.vocab)
            .map(|v| {
                params.tensor(Role::HeadBias, 0)[v]
                    + (0..n)
                        .map(|i| h[shape.layers - 1][i] * head[v * n + i])
                        .sum::<f64>()
            })
            .collect();
        let sum: f64 = logits.iter().map(|x| x.exp()).sum();
        sum.ln() - logits[usize::from(tokens[tokens.len() - 1])]
    }

    #[test]
    fn every_element_is_the_finite_difference() {
        for shape in shapes() {
            let params = started(shape);
            let at = TOKENS.len() - 2;
            let net = Unrolled::new(params.clone(), &TOKENS[..=at]);
            let mut checked = 0;
            back(&net, at, TOKENS[at + 1], at, &mut |seen| {
                let both = [(seen.dh, false), (seen.dc, true)];
                for (gradient, of_c) in both {
                    for (unit, &found) in gradient.iter().enumerate() {
                        let by = |by| Nudge {
                            layer: seen.layer,
                            t: at - seen.lag,
                            unit,
                            of_c,
                            by,
                        };
                        let up = loss(&params, &TOKENS, &by(1e-5));
                        let down = loss(&params, &TOKENS, &by(-1e-5));
                        let expected = (up - down) / 2e-5;
                        let error = (found - expected).abs();
                        assert!(
                            error < 1e-8 + 1e-6 * expected.abs(),
                            "{shape:?} layer {} lag {} unit {unit} c {of_c}: {found} {expected}",
                            seen.layer,
                            seen.lag
                        );
                        checked += 1;
                    }
                }
            });
            let states = if shape.cell.has_memory() { 2 } else { 1 };
            assert_eq!(checked, states * 5 * shape.layers * (at + 1));
        }
    }

    /// The sum of dz over a window is the training code's gradient of the bias.
    #[test]
    fn the_sum_over_a_window_is_the_gradient_that_training_uses() {
        for shape in shapes() {
            let params = Params::<f64>::init(shape, 4);
            let at = TOKENS.len() - 2;
            let mut shard = Shard::new(shape, 1, at + 1);
            shard.load(|_, t| (TOKENS[t], if t == at { TOKENS[at + 1] } else { IGNORED }));
            let packs = Packs::of(&params);
            shard.forward(&packs, 1.0);
            shard.backward(&packs);
            let net = Unrolled::new(params.clone(), &TOKENS[..=at]);
            let mut sums = vec![vec![0.0; shape.gate_columns()]; shape.layers];
            back(&net, at, TOKENS[at + 1], at, &mut |seen| {
                sums[seen.layer]
                    .iter_mut()
                    .zip(seen.dz)
                    .for_each(|(sum, x)| *sum += x);
            });
            for (layer, sums) in sums.iter().enumerate() {
                let expected = shard.gradient.tensor(Role::Bias, layer);
                for (found, expected) in sums.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-12, "{shape:?} {layer}");
                }
            }
        }
    }

    /// Beyond the start of its line a prediction depends on nothing.
    #[test]
    fn the_gradient_ends_where_a_line_begins() {
        for shape in shapes() {
            let params = Params::<f64>::init(shape, 9);
            let at = TOKENS.len() - 2;
            // The line break is 2, at step 6.
            let net = Unrolled::of_lines(params.clone(), &TOKENS[..=at], Some(2));
            let alone = Unrolled::new(params, &TOKENS[6..=at]);
            let (whole, line) = (norms(&net, at, 1, at), norms(&alone, at - 6, 1, at));
            assert_eq!(whole, line);
            assert!(whole[at - 6] > 0.0 && whole[at - 5] == 0.0);
        }
    }

    #[test]
    fn an_identity_recurrence_neither_fades_nor_grows() {
        // h = tanh(small + h) with W_h = 1 on the diagonal and inputs of nothing: the derivative is 1 - h^2 = 1.
        let shape = Shape {
            cell: Cell::Rnn,
            layers: 1,
            hidden: 4,
            vocab: 3,
            ..Shape::PLAIN
        };
        let mut params = Params::<f32>::zeros(shape);
        for k in 0..4 {
            params.tensor_mut(Role::Recurrent, 0)[k * 4 + k] = 1.0;
        }
        params
            .tensor_mut(Role::HeadWeight, 0)
            .copy_from_slice(&[1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let tokens: Vec<u16> = (0..200).map(|i| i % 3).collect();
        let lags = measure(&params, &tokens, 20, None);
        assert_eq!((lags.h.len(), lags.c.len()), (21, 0));
        for k in 0..=20 {
            assert!((lags.part(k) - 1.0).abs() < 1e-12, "{k}");
        }
        assert_eq!(lags.below(0.5), None);
        // Half of it every step.
        params
            .tensor_mut(Role::Recurrent, 0)
            .iter_mut()
            .for_each(|w| *w *= 0.5);
        let lags = measure(&params, &tokens, 20, None);
        assert!((lags.part(10) - 0.5_f64.powi(10)).abs() < 1e-12);
        assert_eq!(lags.below(0.01), Some(7));
    }

    #[test]
    fn sequences_are_texts_of_one_prediction() {
        for shape in shapes() {
            let params = Params::<f32>::init(shape, 1);
            let texts = [TOKENS.to_vec(), TOKENS[1..].to_vec()];
            let lags = of_last(&params, &texts);
            // The shorter one has ten inputs, and lags from 0 to 9.
            assert_eq!((lags.h.len(), lags.positions), (10, 2));
            assert_eq!(lags.c.is_empty(), !shape.cell.has_memory());
            let one = |text: &[u16], lag: usize| {
                let at = text.len() - 2;
                let net = Unrolled::new(in_f64(&params), &text[..=at]);
                let mut sum = 0.0;
                back(&net, at, text[at + 1], at, &mut |seen| {
                    if seen.lag == lag {
                        sum += seen.dh.iter().map(|x| x * x).sum::<f64>();
                    }
                });
                sum.sqrt()
            };
            for lag in [0, 4, 9] {
                let mean = (one(&texts[0], lag) + one(&texts[1], lag)) / 2.0;
                assert!((lags.h[lag] - mean).abs() < 1e-12 * mean, "{shape:?} {lag}");
            }
        }
        assert_eq!(of_last(&Params::init(shapes()[0], 1), &[]).positions, 0);
    }

    #[test]
    fn short_texts_have_fewer_lags() {
        let params = Params::<f32>::init(shapes()[1], 1);
        for length in 3..40 {
            let tokens: Vec<u16> = (0..length).map(|i| i % 6).collect();
            let lags = measure(&params, &tokens, 16, None);
            assert!(lags.positions > 0 && lags.h.iter().all(|x| x.is_finite()));
            assert_eq!(lags.h.len(), lags.c.len());
            assert!(lags.h.len() <= 17);
        }
    }
}
