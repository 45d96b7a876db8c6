//! How far back a prediction's gradient reaches: the vanishing gradient, measured.
//!
//! ```text
//! for a position T of a real text, the loss of predicting x_{T+1} goes back through training's steps:
//! for lag k = 0..=window    the mean over T of  |d loss_T / d h_{T-k}|
//!                           and, for an LSTM, of  |d loss_T / d c_{T-k}|
//! ```
//! The norm runs over the units of all layers. This is the gradient that training sees, from a
//! single prediction: what a plain RNN loses within a few characters, an LSTM carries on in c and a
//! GRU in the part of h that its update gate keeps. Everything is in f64, so that 10^-30 is a
//! number.

use gatelet::net::{Kind, Net};
use rayon::prelude::*;
use serde::Serialize;

use crate::net::Params;
use crate::net::unroll::{Prediction, Unrolled};

/// Positions averaged over, at most.
const POSITIONS: usize = 128;
/// Characters between positions.
const STRIDE: usize = 7;
/// Characters before the first position's window, which fill the state.
const WARM_UP: usize = 100;
/// Predictions whose gradients go back side by side.
const TOGETHER: usize = 16;
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

    /// The first lag from which on the norm stays below `part` of the one at lag 0; nothing if it
    /// never does.
    pub fn below(&self, part: f64) -> Option<usize> {
        let last_above = (0..self.h.len()).rev().find(|&k| self.part(k) >= part)?;
        (last_above + 1 < self.h.len()).then_some(last_above + 1)
    }
}

/// Multiply-accumulates of one step back.
fn work(net: &Net) -> usize {
    let layers = net.operations().enumerate();
    let layers = layers.filter(|(_, of)| of.kind.is_recurrent());
    layers.map(|(index, _)| net.macs(index)).sum()
}

/// Norms of the gradients of predictions by lag, a row each: those for h, then, for a cell that has
/// it, those for c.
fn norms(net: &Unrolled, predictions: &[Prediction], window: usize) -> Vec<Vec<f64>> {
    let mut kinds = net.chain().layers.iter().map(|layer| layer.1);
    let has_c = kinds.any(|kind| matches!(kind, Kind::Lstm { .. }));
    let states = if has_c { 2 } else { 1 };
    let lags = window + 1;
    let rows = predictions.par_chunks(TOGETHER).flat_map_iter(|of| {
        let mut squares = vec![vec![0.0; states * lags]; of.len()];
        net.back(of, window, |_, seen| {
            for (state, d) in [seen.dh, seen.dc].into_iter().take(states).enumerate() {
                let units = (d.len() / of.len()).max(1);
                for (squares, d) in squares.iter_mut().zip(d.chunks_exact(units)) {
                    squares[state * lags + seen.lag] += d.iter().map(|x| x * x).sum::<f64>();
                }
            }
        });
        let rows = squares.into_iter();
        rows.map(|row| row.into_iter().map(f64::sqrt).collect())
    });
    rows.collect()
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
    let affordable = WORK / work(params.net()).max(1) / (window + STRIDE + 1);
    let wanted = affordable.clamp(4, POSITIONS);
    let first = (window + WARM_UP).min(room);
    let positions: Vec<usize> = (first..=room).step_by(STRIDE).take(wanted).collect();
    let read = positions.last().map_or(0, |last| last + 1);
    let net = Unrolled::of_lines(&params.cast(), &tokens[..read], line_break);
    let predictions: Vec<Prediction> = positions
        .into_iter()
        .map(|t| Prediction {
            row: 0,
            t,
            target: tokens[t + 1],
        })
        .collect();
    means(&norms(&net, &predictions, window), window + 1)
}

/// The same for sequences that each begin at the zero state and end with the token to be predicted,
/// which alone has a loss; lags go back to the first token of the shortest, and the means are over
/// the sequences. Each needs at least two tokens.
pub fn of_last(params: &Params<f32>, sequences: &[Vec<u16>]) -> Lags {
    let shortest = sequences.iter().map(Vec::len).min().unwrap_or(2);
    let window = shortest.saturating_sub(2);
    let texts: Vec<&[u16]> = sequences.iter().map(|tokens| &tokens[..]).collect();
    let predictions: Vec<Prediction> = texts
        .iter()
        .enumerate()
        .filter_map(|(row, text)| match **text {
            [_, .., target] => Some(Prediction {
                row,
                t: text.len() - 2,
                target,
            }),
            _ => None,
        })
        .collect();
    if predictions.is_empty() {
        return means(&[], window + 1);
    }
    let net = Unrolled::of(&params.cast(), &texts, None);
    means(&norms(&net, &predictions, window), window + 1)
}

#[cfg(test)]
mod tests;
