//! The measured gradients against finite differences.

use gatelet::Precision;
use gatelet_random::{GRU, LSTM, RNN, stacked};

use super::*;
use crate::net::{Packs, Role, Shard};

const TOKENS: [u16; 12] = [3, 1, 4, 1, 5, 0, 2, 5, 3, 5, 4, 1];

fn nets() -> [Net; 6] {
    let net = |kind: Kind, layers| stacked(Precision::F32, 6, layers, kind.with_units(5));
    [
        net(RNN, 1),
        net(LSTM, 1),
        net(RNN, 2),
        net(LSTM, 3),
        net(GRU, 1),
        net(GRU, 2),
    ]
}

fn has_c(net: &Net) -> bool {
    net.operations()
        .any(|of| matches!(of.kind, Kind::Lstm { .. }))
}

/// A start in which biases matter too.
fn started(net: Net) -> Params<f64> {
    let mut params = Params::<f64>::init(net, 9);
    let numbers = params.data.iter_mut().enumerate();
    numbers.for_each(|(i, w)| *w += 0.2 * ((i * 7) as f64).sin());
    params
}

/// Something that is added to a bias of a layer, at one step alone.
#[derive(Clone, Copy)]
struct Nudge {
    layer: usize,
    t: usize,
    column: usize,
    by: f64,
}

/// The loss of the last token, step by step through training's window.
fn loss(params: &Params<f64>, line_break: Option<u16>, nudge: Nudge) -> f64 {
    let packs = Packs::of(params);
    let mut nudged = params.clone();
    nudged.tensor_mut(nudge.layer, Role::Bias)[nudge.column] += nudge.by;
    let nudged = Packs::of(&nudged);
    let mut shard = Shard::new(params.net(), 1, 1);
    shard.break_lines(line_break);
    let mut loss = 0.0;
    for (t, pair) in TOKENS.windows(2).enumerate() {
        shard.load(|_, _| (pair[0], pair[1]));
        loss = shard.forward(if t == nudge.t { &nudged } else { &packs }, 0.0);
        shard.carry();
    }
    loss
}

/// Sums of a unit whose derivative by h, or by c, is one number: their column, and that number.
fn slopes(net: &Unrolled, layer: usize, (t, k): (usize, usize)) -> [Option<(usize, f64)>; 2] {
    let (_, kind) = net.chain().layers[layer];
    let hidden = kind.units();
    let of = net.layer(layer);
    let gate = |gate: usize| of.gates[t * kind.gates() * hidden + gate * hidden + k];
    match kind {
        Kind::Rnn { .. } => [Some((k, 1.0 - of.h[t * hidden + k].powi(2))), None],
        Kind::Gru { .. } => {
            let (z, n) = (gate(1), gate(2));
            [Some((2 * hidden + k, (1.0 - z) * (1.0 - n * n))), None]
        }
        Kind::Lstm { .. } => {
            let (i, g, o) = (gate(0), gate(2), gate(3));
            let of_o = of.c[t * hidden + k].tanh() * o * (1.0 - o);
            let of_g = i * (1.0 - g * g);
            [Some((3 * hidden + k, of_o)), Some((2 * hidden + k, of_g))]
        }
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => [None, None],
    }
}

/// Every gradient by a state, at every lag, times what a sum changes of that state.
#[test]
fn every_element_is_the_finite_difference() {
    let at = TOKENS.len() - 2;
    for (tested, line_break) in nets()
        .into_iter()
        .flat_map(|of| [(of, None), (of, Some(2))])
    {
        let params = started(tested);
        let net = Unrolled::of_lines(&params, &TOKENS[..=at], line_break);
        let mut checked = 0;
        net.back(&[last(&TOKENS)], at, |layer, seen| {
            let t = at - seen.lag;
            for k in 0..5 {
                let all = slopes(&net, layer, (t, k)).into_iter();
                for (d, slope) in [seen.dh, seen.dc].into_iter().zip(all) {
                    let Some((column, slope)) = slope else {
                        assert!(d.is_empty());
                        continue;
                    };
                    let loss = |by: f64| {
                        loss(
                            &params,
                            line_break,
                            Nudge {
                                layer,
                                t,
                                column,
                                by,
                            },
                        )
                    };
                    let expected = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                    let found = d[k] * slope;
                    assert!(
                        (found - expected).abs() < 1e-9 + 1e-6 * expected.abs(),
                        "{tested} layer {layer} lag {} unit {k}: {found} {expected}",
                        seen.lag
                    );
                    checked += 1;
                }
            }
        });
        let states = if has_c(&tested) { 2 } else { 1 };
        assert_eq!(checked, states * 5 * tested.recurrent_count() * (at + 1));
    }
}

/// The prediction of a text's last token.
fn last(text: &[u16]) -> Prediction {
    Prediction {
        row: 0,
        t: text.len() - 2,
        target: text[text.len() - 1],
    }
}

/// Beyond the start of its line a prediction depends on nothing.
#[test]
fn the_gradient_ends_where_a_line_begins() {
    for tested in nets() {
        let params = Params::<f64>::init(tested, 9);
        let lags = TOKENS.len() - 2;
        // The line break is 2, at step 6.
        let net = Unrolled::of_lines(&params, &TOKENS[..=lags], Some(2));
        let alone = Unrolled::new(&params, &TOKENS[6..=lags]);
        let whole = norms(&net, &[last(&TOKENS)], lags).concat();
        let line = norms(&alone, &[last(&TOKENS[6..])], lags - 6).concat();
        for (whole, line) in whole.chunks(lags + 1).zip(line.chunks(lags - 5)) {
            for (whole, line) in whole.iter().zip(line) {
                assert!((whole - line).abs() < 1e-12 * line && *line > 0.0);
            }
            assert!(whole[line.len()..].iter().all(|&x| x == 0.0));
        }
    }
}

/// Predictions of one text, and of several, are each as if it were alone.
#[test]
fn predictions_side_by_side_are_those_one_by_one() {
    for tested in nets() {
        let params = started(tested);
        let texts = [&TOKENS[..], &TOKENS[2..9]];
        let net = Unrolled::of(&params, &texts.map(|text| &text[..text.len() - 1]), None);
        let all = [(0, 10), (1, 5), (0, 4), (0, 6)].map(|(row, t)| Prediction {
            row,
            t,
            target: texts[row][t + 1],
        });
        for (of, together) in all.iter().zip(norms(&net, &all, 4)) {
            let text = &texts[of.row][..of.t + 2];
            let alone = Unrolled::new(&params, &text[..text.len() - 1]);
            let [alone] = &norms(&alone, &[last(text)], 4)[..] else {
                panic!("one prediction");
            };
            for (together, alone) in together.iter().zip(alone) {
                assert!((together - alone).abs() < 1e-12 * alone, "{tested}");
            }
        }
    }
}

#[test]
fn an_identity_recurrence_neither_fades_nor_grows() {
    // h = tanh(small + h) with W_h = 1 on the diagonal and inputs of nothing: the derivative is 1 -
    // h^2 = 1.
    let mut params = Params::<f32>::zeros(stacked(Precision::F32, 3, 1, RNN.with_units(4)));
    for k in 0..4 {
        params.tensor_mut(0, Role::Recurrent)[k * 4 + k] = 1.0;
    }
    params
        .tensor_mut(1, Role::Weight)
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
        .tensor_mut(0, Role::Recurrent)
        .iter_mut()
        .for_each(|w| *w *= 0.5);
    let lags = measure(&params, &tokens, 20, None);
    assert!((lags.part(10) - 0.5_f64.powi(10)).abs() < 1e-12);
    assert_eq!(lags.below(0.01), Some(7));
}

#[test]
fn sequences_are_texts_of_one_prediction() {
    for tested in nets() {
        let params = Params::<f32>::init(tested, 1);
        let texts = [TOKENS.to_vec(), TOKENS[1..].to_vec()];
        let lags = of_last(&params, &texts);
        // The shorter one has ten inputs, and lags from 0 to 9.
        assert_eq!((lags.h.len(), lags.positions), (10, 2));
        assert_eq!(lags.c.is_empty(), !has_c(&tested));
        let one = |text: &[u16], lag: usize| {
            let net = Unrolled::new(&params.cast(), &text[..text.len() - 1]);
            norms(&net, &[last(text)], 9)[0][lag]
        };
        for lag in [0, 4, 9] {
            let mean = (one(&texts[0], lag) + one(&texts[1], lag)) / 2.0;
            assert!((lags.h[lag] - mean).abs() < 1e-12 * mean, "{tested} {lag}");
        }
    }
    assert_eq!(of_last(&Params::init(nets()[0], 1), &[]).positions, 0);
}

#[test]
fn short_texts_have_fewer_lags() {
    let params = Params::<f32>::init(nets()[1], 1);
    for length in 3..40 {
        let tokens: Vec<u16> = (0..length).map(|i| i % 6).collect();
        let lags = measure(&params, &tokens, 16, None);
        assert!(lags.positions > 0 && lags.h.iter().all(|x| x.is_finite()));
        assert_eq!(lags.h.len(), lags.c.len());
        assert!(lags.h.len() <= 17);
    }
}
