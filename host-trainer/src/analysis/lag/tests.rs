//! The measured gradients against finite differences and training's own.

use gatelet::Precision;
use gatelet::net::{Activation, Operand, Value};
use gatelet_random::{GRU, LSTM, RNN, stacked};

use super::*;
use crate::net::{IGNORED, Packs, Role, Shard};

const TOKENS: [u16; 12] = [3, 1, 4, 1, 5, 0, 2, 5, 3, 5, 4, 1];

/// Nets of equal layers, in which layer l is operation l.
fn equal_nets() -> [Net; 6] {
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

const fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

/// Nets of layers that differ, with values side by side, sums and dense operations of every
/// function; all cells among them.
fn mixed_nets() -> Vec<Net> {
    let functions = [
        Activation::None,
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::Elu,
        Activation::Softmax,
    ];
    let net = |(index, kind): (usize, Kind)| {
        let other = Kind::CELLS[(index * 5 + 1) % Kind::CELLS.len()];
        let token = Operand::two(Value::INPUT, Value::of(0));
        let net = Net::tokens(Precision::F32, 6)
            .then(Kind::Embedding { units: 3 })
            .with(kind.with_units(4), token)
            .then(dense(5, functions[index % 7]))
            .then(other.with_units(5))
            .with(Kind::Add, Operand::two(Value::of(2), Value::of(3)))
            .with(RNN.with_units(3), Operand::two(Value::of(4), Value::of(1)))
            .then(dense(6, Activation::None))
            .scores();
        net.checked().expect("a net that can be")
    };
    Kind::CELLS.into_iter().enumerate().map(net).collect()
}

fn has_c(net: &Net) -> bool {
    let mut kinds = net.operations().map(|of| of.kind);
    kinds.any(|kind| matches!(kind, Kind::Lstm { .. }))
}

/// A start in which biases matter too.
fn started(net: Net) -> Params<f64> {
    let mut params = Params::<f64>::init(net, 9);
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
    let net = params.net();
    let (layers, vocab) = (net.recurrent_count(), net.vocab());
    let kind = net.operation(0).map(|of| of.kind).expect("a layer");
    let (n, columns) = (kind.units(), kind.gates() * kind.units());
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut h = vec![vec![0.0; n]; layers];
    let mut c = vec![vec![0.0; n]; layers];
    for (t, &token) in tokens[..tokens.len() - 1].iter().enumerate() {
        for layer in 0..layers {
            let x: Vec<f64> = if layer == 0 {
                (0..vocab)
                    .map(|v| f64::from(u8::from(v == usize::from(token))))
                    .collect()
            } else {
                h[layer - 1].clone()
            };
            let (w_x, w_h) = (
                params.tensor(layer, [Role::Rows, Role::Input][layer.min(1)]),
                params.tensor(layer, Role::Recurrent),
            );
            let z: Vec<f64> = (0..columns)
                .map(|j| {
                    params.tensor(layer, Role::Bias)[j]
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
                if let Kind::Rnn { .. } = kind {
                    h[layer][k] = sum(k).tanh();
                    continue;
                }
                if let Kind::Gru { .. } = kind {
                    let (r, update) = (sigmoid(sum(k)), sigmoid(sum(n + k)));
                    let bias = params.tensor(layer, Role::RecurrentBias)[k];
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
    let head = params.tensor(layers, Role::Weight);
    let logits: Vec<f64> = (0..vocab)
        .map(|v| {
            params.tensor(layers, Role::Bias)[v]
                + (0..n)
                    .map(|i| h[layers - 1][i] * head[v * n + i])
                    .sum::<f64>()
        })
        .collect();
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    sum.ln() - logits[usize::from(tokens[tokens.len() - 1])]
}

#[test]
fn every_element_is_the_finite_difference() {
    for net in equal_nets() {
        let params = started(net);
        let at = TOKENS.len() - 2;
        let unrolled = Unrolled::new(params.clone(), &TOKENS[..=at]);
        let mut checked = 0;
        back(&unrolled, at, TOKENS[at + 1], at, &mut |seen| {
            let both = [(seen.dh, false), (seen.dc, true)];
            for (gradient, of_c) in both {
                for (unit, &found) in gradient.iter().enumerate() {
                    let by = |by| Nudge {
                        layer: seen.operation,
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
                        "{net} layer {} lag {} unit {unit} c {of_c}: {found} {expected}",
                        seen.operation,
                        seen.lag
                    );
                    checked += 1;
                }
            }
        });
        let states = if has_c(&net) { 2 } else { 1 };
        assert_eq!(checked, states * 5 * net.recurrent_count() * (at + 1));
    }
}

/// The sum of dz over a window is the training code's gradient of the bias, whatever the net.
#[test]
fn the_sum_over_a_window_is_the_gradient_that_training_uses() {
    for net in equal_nets().into_iter().chain(mixed_nets()) {
        let params = started(net);
        let at = TOKENS.len() - 2;
        let mut shard = Shard::new(&net, 1, at + 1);
        shard.load(|_, t| (TOKENS[t], if t == at { TOKENS[at + 1] } else { IGNORED }));
        let packs = Packs::of(&params);
        shard.forward(&packs, 1.0);
        shard.backward(&packs);
        let unrolled = Unrolled::new(params.clone(), &TOKENS[..=at]);
        let mut sums = vec![Vec::new(); net.len()];
        back(&unrolled, at, TOKENS[at + 1], at, &mut |seen| {
            let sums: &mut Vec<f64> = &mut sums[seen.operation];
            sums.resize(seen.dz.len(), 0.0);
            sums.iter_mut().zip(seen.dz).for_each(|(sum, x)| *sum += x);
        });
        let layers = sums.iter().filter(|sums| !sums.is_empty()).count();
        assert_eq!(layers, net.recurrent_count());
        for (operation, sums) in sums.iter().enumerate() {
            let expected = shard.gradient.tensor(operation, Role::Bias);
            for (found, expected) in sums.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{net} {operation}");
            }
        }
    }
}

/// Beyond the start of its line a prediction depends on nothing.
#[test]
fn the_gradient_ends_where_a_line_begins() {
    for net in equal_nets().into_iter().chain(mixed_nets()) {
        let params = started(net);
        let at = TOKENS.len() - 2;
        // The line break is 2, at step 6.
        let all = Unrolled::of_lines(params.clone(), &TOKENS[..=at], Some(2));
        let alone = Unrolled::new(params, &TOKENS[6..=at]);
        let (whole, line) = (norms(&all, at, 1, at), norms(&alone, at - 6, 1, at));
        assert_eq!(whole, line);
        assert!(whole[at - 6] > 0.0 && whole[at - 5] == 0.0);
    }
}

#[test]
fn an_identity_recurrence_neither_fades_nor_grows() {
    // h = tanh(small + h) with W_h = 1 on the diagonal and inputs of nothing: the derivative is 1 - h^2 = 1.
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
    for net in equal_nets() {
        let params = Params::<f32>::init(net, 1);
        let texts = [TOKENS.to_vec(), TOKENS[1..].to_vec()];
        let lags = of_last(&params, &texts);
        // The shorter one has ten inputs, and lags from 0 to 9.
        assert_eq!((lags.h.len(), lags.positions), (10, 2));
        assert_eq!(lags.c.is_empty(), !has_c(&net));
        let one = |text: &[u16], lag: usize| {
            let at = text.len() - 2;
            let net = Unrolled::new(params.cast(), &text[..=at]);
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
            assert!((lags.h[lag] - mean).abs() < 1e-12 * mean, "{net} {lag}");
        }
    }
    assert_eq!(of_last(&Params::init(equal_nets()[0], 1), &[]).positions, 0);
}

#[test]
fn short_texts_have_fewer_lags() {
    let params = Params::<f32>::init(equal_nets()[1], 1);
    for length in 3..40 {
        let tokens: Vec<u16> = (0..length).map(|i| i % 6).collect();
        let lags = measure(&params, &tokens, 16, None);
        assert!(lags.positions > 0 && lags.h.iter().all(|x| x.is_finite()));
        assert_eq!(lags.h.len(), lags.c.len());
        assert!(lags.h.len() <= 17);
    }
}
