//! What the gates do over a text: activations of the units that change most, a row each, a column a token.
//!
//! ```text
//! run the text; take the layer's i, f, g, o, c, h (a GRU has r, z, n, h, the tanh cell h only)
//! units = those with the largest variance of h over the text
//! order = start with the liveliest; next is always the one whose h goes most alike (or most contrary) to the last
//! ```
//! Units that go alike stand together, so that what they follow (blanks, ends of words, capitals) can be seen.

use gatelet::net::Kind;
use serde::Serialize;

use crate::net::Params;
use crate::net::unroll::{Chain, Unrolled};

/// One quantity of the chosen units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// `i`, `f`, `g`, `o`, `c`, `r`, `z`, `n` or `h`.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// [units, tokens], row by row.
    pub values: Vec<f64>,
}

/// The activations of a layer over a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activity {
    /// The text, a token (a character, or a word) a column.
    pub text: Vec<String>,
    /// The layer, from 0.
    pub layer: usize,
    /// Its cell: `lstm`.
    pub cell: &'static str,
    /// The units shown, from 0, in the order of the rows.
    pub units: Vec<usize>,
    /// Quantities.
    pub panels: Vec<Panel>,
}

/// Mean and deviations of a unit's h over the text.
fn deviations(h: &[f64], hidden: usize, unit: usize) -> Vec<f64> {
    let values: Vec<f64> = h.iter().skip(unit).step_by(hidden).copied().collect();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.into_iter().map(|x| x - mean).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The liveliest units in the order in which they are shown.
fn choose(h: &[f64], hidden: usize, count: usize) -> Vec<usize> {
    let moves: Vec<Vec<f64>> = (0..hidden)
        .map(|unit| deviations(h, hidden, unit))
        .collect();
    let mut left: Vec<usize> = (0..hidden).collect();
    let power = |unit: usize| dot(&moves[unit], &moves[unit]);
    left.sort_by(|&a, &b| power(b).total_cmp(&power(a)).then(a.cmp(&b)));
    left.truncate(count);
    let mut order = Vec::with_capacity(left.len());
    if !left.is_empty() {
        order.push(left.remove(0));
    }
    while let Some(&last) = order.last() {
        let alike = |unit: usize| {
            let scale = (power(unit) * power(last)).sqrt().max(f64::MIN_POSITIVE);
            (dot(&moves[unit], &moves[last]) / scale).abs()
        };
        let Some(next) = (0..left.len()).max_by(|&a, &b| alike(left[a]).total_cmp(&alike(left[b])))
        else {
            break;
        };
        order.push(left.remove(next));
    }
    order
}

/// Runs `before` and then `text` through the net and keeps what at most `units` units of `layer` do over `text`.
///
/// `text` says what each of `tokens` is, as a character or a word; `before` fills the state. `line_break` is that of a text
/// of lines.
pub fn watch(
    params: &Params<f32>,
    before: &[u16],
    text: &[impl ToString],
    tokens: &[u16],
    line_break: Option<u16>,
    (layer, units): (usize, usize),
) -> Option<Activity> {
    let (_, kind) = *Chain::of(params.net())?.layers.get(layer)?;
    let (hidden, columns) = (kind.units(), kind.gates() * kind.units());
    let all: Vec<u16> = before.iter().chain(tokens).copied().collect();
    let net = Unrolled::of_lines(&params.cast(), &all, line_break);
    let of = net.layer(layer);
    let units = choose(&of.h[before.len() * hidden..], hidden, units);
    let panel = |name, what, values: &[f64], row: usize, first: usize| Panel {
        name,
        what,
        values: units
            .iter()
            .flat_map(|&unit| {
                (before.len()..all.len()).map(move |t| values[t * row + first + unit])
            })
            .collect(),
    };
    let panels = match kind {
        Kind::Rnn { .. } => vec![panel("h", "state", of.h, hidden, 0)],
        Kind::Lstm { .. } => vec![
            panel("i", "input gate: what comes in", of.gates, columns, 0),
            panel("f", "forget gate: what stays", of.gates, columns, hidden),
            panel(
                "g",
                "candidate: what would come in",
                of.gates,
                columns,
                2 * hidden,
            ),
            panel(
                "o",
                "output gate: what shows",
                of.gates,
                columns,
                3 * hidden,
            ),
            panel("c", "cell state: the memory", of.c, hidden, 0),
            panel("h", "state: what the next step sees", of.h, hidden, 0),
        ],
        Kind::Gru { .. } => vec![
            panel(
                "r",
                "reset gate: what the candidate sees of the state",
                of.gates,
                columns,
                0,
            ),
            panel("z", "update gate: what stays", of.gates, columns, hidden),
            panel(
                "n",
                "candidate: what would come in",
                of.gates,
                columns,
                2 * hidden,
            ),
            panel(
                "h",
                "state: the memory, all of which shows",
                of.h,
                hidden,
                0,
            ),
        ],
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => Vec::new(),
    };
    Some(Activity {
        text: text.iter().map(ToString::to_string).collect(),
        layer,
        cell: kind.name(),
        units,
        panels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet::Precision;
    use gatelet_random::{GRU, LSTM, RNN, stacked};

    #[test]
    fn the_liveliest_units_come_first_and_companions_stand_together() {
        // Unit 0 rests, 1 and 3 go together, 2 goes its own way, 4 moves little.
        let rows = [
            [0.5, 0.9, 0.0, -0.8, 0.01],
            [0.5, -0.9, 0.5, 0.8, 0.01],
            [0.5, 0.9, 0.6, -0.8, 0.02],
            [0.5, -0.9, 0.0, 0.8, 0.02],
        ];
        let h: Vec<f64> = rows.concat();
        assert_eq!(choose(&h, 5, 3), [1, 3, 2]);
        assert_eq!(choose(&h, 5, 9).len(), 5);
        assert_eq!(choose(&h, 5, 9)[..2], [1, 3]);
    }

    #[test]
    fn panels_hold_what_the_cell_computes() {
        for kind in [RNN, LSTM, GRU] {
            // The layers need not be alike.
            let net = stacked(Precision::F32, 4, 2, kind.with_units(6)).with_units(0, 5);
            let params = Params::<f32>::init(net, 2);
            let watch = |layer| {
                watch(
                    &params,
                    &[1, 2],
                    &['a', 'b', 'c'],
                    &[0, 1, 2],
                    None,
                    (layer, 4),
                )
            };
            assert_eq!(watch(2), None);
            let activity = watch(1).unwrap();
            assert_eq!(activity.units.len(), 4);
            let panel = |name: &str| {
                let found = activity.panels.iter().find(|panel| panel.name == name);
                found.map(|panel| panel.values.clone()).unwrap_or_default()
            };
            assert_eq!(panel("h").len(), 12);
            if kind == LSTM {
                for k in 0..12 {
                    let expected = panel("o")[k] * panel("c")[k].tanh();
                    assert!((panel("h")[k] - expected).abs() < 1e-12);
                }
                // c of the second character from that of the first.
                let (i, f, g, c) = (panel("i"), panel("f"), panel("g"), panel("c"));
                assert!((c[1] - (f[1] * c[0] + i[1] * g[1])).abs() < 1e-12);
                assert!(f.iter().all(|&f| f > 0.0 && f < 1.0));
            }
            if kind == GRU {
                let (z, n, h) = (panel("z"), panel("n"), panel("h"));
                for k in (0..12).filter(|k| k % 3 > 0) {
                    let expected = z[k] * h[k - 1] + (1.0 - z[k]) * n[k];
                    assert!((h[k] - expected).abs() < 1e-12);
                }
                assert!(panel("r").iter().all(|&r| r > 0.0 && r < 1.0));
            }
        }
    }
}
