//! Quantization-aware training of a GRU against docs/numerics.md, written here once more: plain loops
//! over 64-bit integers.

use gatelet::activation::{SIGMOID, TANH, piecewise};
use gatelet_trainer::data::corpus::{Corpus, Text};
use gatelet_trainer::engine::Engine;
use gatelet_trainer::net::{IGNORED, Packs, Params, Role, Shard};
use gatelet_trainer::quantize::calibrate::largest_read;
use gatelet_trainer::quantize::float_net::FloatNet;
use gatelet_trainer::quantize::qat::Scheme;
use gatelet_trainer::quantize::row_range::WeightBits;
use gatelet_trainer::quantize::{IntHead, IntMatrix, IntNet, Ranges, quantize};
use gatelet_trainer::shape::Cell;
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::{Config, Qat};

fn corpus() -> Corpus {
    let letter = |i: u32| char::from(b'a' + (i * i / 7 % 13 + i % 3) as u8);
    let content: String = (0..6000).map(letter).collect();
    let text = Text::from_bytes("made up".to_owned(), content.into_bytes()).unwrap();
    Corpus::new(&text, 0.1).unwrap()
}

/// Layers, units, embedding, projection, tied.
type Net = (usize, usize, usize, usize, bool);

const NETS: [Net; 6] = [
    (1, 13, 0, 0, false),
    (3, 8, 0, 0, false),
    (2, 24, 9, 0, false),
    (1, 17, 0, 11, false),
    (1, 20, 7, 6, false),
    (2, 24, 10, 10, true),
];

fn config((layers, hidden, embedding, projection, tied): Net, epochs: usize) -> Config {
    Config {
        cell: Cell::Gru,
        layers,
        hidden,
        embedding,
        projection,
        tied,
        batch: 8,
        window: 16,
        epochs,
        lr: 0.01,
        warmup: 0,
        ..Config::default()
    }
}

fn all_bits(tied: bool) -> [WeightBits; 3] {
    let mixed = WeightBits {
        head: 8,
        ..WeightBits::all(4)
    };
    [WeightBits::EIGHT, WeightBits::four(tied), mixed]
}

fn trained(mut trainer: Trainer<'_>, epochs: usize) -> Trainer<'_> {
    while trainer.position().epoch < epochs {
        trainer.step().unwrap();
    }
    trainer
}

fn float(corpus: &Corpus, config: Config) -> Checkpoint {
    let epochs = config.epochs;
    let trainer = Trainer::new(corpus, config, "test".to_owned()).unwrap();
    trained(trainer, epochs).checkpoint(false)
}

/// A run for integers, with ranges that hold what the net computes on some of its text.
fn aware<'c>(corpus: &'c Corpus, from: &Checkpoint, bits: WeightBits) -> Trainer<'c> {
    let (shape, mut tokens) = (from.params.shape(), [0; 1000]);
    corpus.fill(0, &mut tokens).unwrap();
    let table = from.params.tensor(0, Role::Table);
    let most = table.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let read = largest_read(&from.params, &tokens, None) as f32;
    let range = |wanted: bool, most: f32| if wanted { 1.01 * most } else { 1.0 };
    let ranges = Ranges {
        embedding: range(shape.embedding > 0, most),
        projection: range(shape.projection > 0, read),
    };
    let qat = Qat {
        from: "a net".to_owned(),
        from_sha256: String::new(),
        nats: None,
        scheme: Scheme {
            bits,
            cell_bits: [3; 4],
            ranges,
        },
    };
    let config = Config {
        epochs: 6,
        qat: Some(qat),
        ..from.config().unwrap().clone()
    };
    Trainer::qat(corpus, from, config, "test".to_owned()).unwrap()
}

fn saturated(x: i64, bits: u32) -> i64 {
    x.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

/// Adds half, then shifts.
fn round(x: i64, shift: u32) -> i64 {
    (x + (1 << (shift - 1))) >> shift
}

/// `round(acc m >> s)` of a row over the operand `x`, whose parts are padded to multiples of four.
fn product(matrix: &IntMatrix, row: usize, parts: &[&[i64]]) -> i64 {
    let pad = |x: &[i64]| [x, &vec![0; x.len().next_multiple_of(4) - x.len()]].concat();
    let x: Vec<i64> = parts.iter().flat_map(|x| pad(x)).collect();
    let weights = &matrix.weights[row * x.len()..][..x.len()];
    let acc: i64 = weights.iter().zip(&x).map(|(&w, x)| i64::from(w) * x).sum();
    round(
        acc * i64::from(matrix.multipliers[row]),
        matrix.shift.into(),
    )
}

/// A step of a layer: H of every unit. Rows are gate by gate: all of r, then all of z, then n.
fn layer(net: &IntNet, index: usize, token: usize, x: &[i64], states: &[i64]) -> Vec<i64> {
    let (n, layer) = (states.len(), &net.layers[index]);
    let h: Vec<i64> = states.iter().map(|&s| saturated(round(s, 8), 8)).collect();
    let rows = index == 0 && x.is_empty();
    let addends = &layer.input[if rows { token } else { 0 } * 3 * n..][..3 * n];
    let gates = &layer.matrices[0];
    let of_h = layer.matrices.last().unwrap();
    let unit = |k: usize| {
        let addend = |gate: usize| i64::from(addends[gate * n + k]);
        let [r, z] = [0, 1].map(|gate| {
            let sum = addend(gate) + product(gates, gate * n + k, &[x, &h]);
            i64::from(piecewise(&SIGMOID, saturated(sum, 16) as i16))
        });
        let u = i64::from(layer.recurrent_bias[k]) + product(of_h, k, &[&h]);
        let u = u.clamp(-(1 << 18) + 1, (1 << 18) - 1);
        let of_x = match layer.matrices.len() {
            3 => product(&layer.matrices[1], k, &[x]),
            _ => 0,
        };
        let sum = addend(2) + of_x + round(r * u, 13);
        let new = i64::from(piecewise(&TANH, saturated(sum, 16) as i16));
        saturated(round(z * states[k] + ((1 << 13) - z) * (new << 4), 13), 16)
    };
    (0..n).map(unit).collect()
}

/// Results of a head, or a projection, Q15.16.
fn affine(head: &IntHead, weights: Option<&IntMatrix>, x: &[i64]) -> Vec<i64> {
    let mut matrix = head.matrix.clone();
    if let Some(tied) = weights {
        matrix.weights.clone_from(&tied.weights);
    }
    let rows = head.bias.iter().enumerate();
    rows.map(|(row, &bias)| i64::from(bias) + product(&matrix, row, &[x]))
        .collect()
}

/// H of all layers after every token, and the loss of predicting each next token.
fn specified(checkpoint: &Checkpoint, tokens: &[u16]) -> (Vec<Vec<i64>>, f64) {
    let shape = checkpoint.params.shape();
    let net = quantize(&FloatNet::new(&checkpoint.params), checkpoint.plan()).unwrap();
    let mut states = vec![vec![0_i64; shape.hidden]; shape.layers];
    let (mut all, mut nats) = (Vec::new(), 0.0);
    for (t, &token) in tokens.iter().enumerate() {
        let token = usize::from(token);
        let mut x = net.embedding.as_ref().map_or(Vec::new(), |table| {
            let stride = shape.embedding.next_multiple_of(4);
            let row = &table.weights[token * stride..][..shape.embedding];
            let m = i64::from(table.multipliers[token]);
            let of = |&e: &i8| saturated(round(i64::from(e) * m, table.shift.into()), 8);
            row.iter().map(of).collect()
        });
        for (index, state) in states.iter_mut().enumerate() {
            *state = layer(&net, index, token, &x, state);
            x = state.iter().map(|&s| saturated(round(s, 8), 8)).collect();
        }
        all.push(states.concat());
        if let Some(projection) = &net.projection {
            x = affine(projection, None, &x)
                .into_iter()
                .map(|v| saturated(round(v, 9), 8))
                .collect();
        }
        let Some(&next) = tokens.get(t + 1) else {
            continue;
        };
        let weights = net.embedding.as_ref().filter(|_| shape.tied);
        let logits = affine(&net.head, weights, &x);
        let logits: Vec<f64> = logits.iter().map(|&q| q as f64 / 65_536.0).collect();
        let sum: f64 = logits.iter().map(|x| x.exp()).sum();
        nats += sum.ln() - logits[usize::from(next)];
    }
    (all, nats)
}

/// The same by the trainer.
fn found<F: Engine>(checkpoint: &Checkpoint, tokens: &[u16]) -> (Vec<Vec<i64>>, f64) {
    let shape = checkpoint.params.shape();
    let mut params = Params::<F>::zeros(shape.net());
    for (to, &from) in params.data.iter_mut().zip(&checkpoint.params.data) {
        *to = F::from_f64(from.into());
    }
    let mut packs = Packs::qat(&shape.net(), checkpoint.scheme().unwrap()).unwrap();
    packs.update(&params, checkpoint.learned.as_ref()).unwrap();
    let mut shard = Shard::<F>::new(&shape.net(), 1, 1);
    let (mut all, mut nats) = (Vec::new(), 0.0);
    for (t, &token) in tokens.iter().enumerate() {
        let next = tokens.get(t + 1).copied();
        let target = next.unwrap_or(IGNORED);
        shard.load(|_, _| (token, target));
        nats += shard.forward(&packs, F::zero());
        shard.carry();
        let state = |layer: usize| -> Vec<i64> {
            let exact = shard.state(layer).0.iter().map(|x| x.to_f64() * 32_768.0);
            exact
                .inspect(|x| assert_eq!(x.fract(), 0.0, "an integer"))
                .map(|x| x as i64)
                .collect()
        };
        all.push((0..shape.layers).flat_map(state).collect());
    }
    (all, nats)
}

#[test]
fn the_forward_pass_is_the_specification() {
    let corpus = corpus();
    let mut tokens = [0; 120];
    corpus.fill(500, &mut tokens).unwrap();
    for net in NETS {
        let from = float(&corpus, config(net, 2));
        for bits in all_bits(net.4) {
            let mut trainer = aware(&corpus, &from, bits);
            for _ in 0..3 {
                trainer.step().unwrap();
            }
            let mut checkpoint = trainer.checkpoint(false);
            // b_hn begins at zero, and three steps do not take it far.
            let shape = checkpoint.params.shape();
            for layer in 0..net.0 {
                let bias = checkpoint
                    .params
                    .tensor_mut(shape.layer(layer), Role::RecurrentBias);
                let numbers = bias.iter_mut().enumerate();
                numbers.for_each(|(k, b)| *b = (k as f32 * 1.7).sin());
            }
            let (want, nats) = specified(&checkpoint, &tokens);
            let last = want.last().unwrap();
            assert!(last.iter().filter(|h| h.abs() > 256).count() > last.len() / 2);
            let (single, double) = (
                found::<f32>(&checkpoint, &tokens),
                found::<f64>(&checkpoint, &tokens),
            );
            assert_eq!(single.0, want, "{net:?}, {bits:?}");
            assert_eq!(double.0, want, "{net:?}, {bits:?}, in f64");
            assert!(
                (single.1 - nats).abs() < 1e-3,
                "{net:?}: {} {nats}",
                single.1
            );
        }
    }
}

/// With 8 bits the straight-through gradient is nearly that of the float net.
#[test]
fn the_gradient_points_where_the_float_nets_does() {
    let corpus = corpus();
    let mut tokens = [0; 65];
    corpus.fill(900, &mut tokens).unwrap();
    for net in NETS {
        let from = float(&corpus, config(net, 4));
        let checkpoint = aware(&corpus, &from, WeightBits::EIGHT).checkpoint(true);
        let shape = checkpoint.params.shape();
        let gradient = |packs: &Packs<f32>| {
            let mut shard = Shard::<f32>::new(&shape.net(), 1, 64);
            shard.load(|_, t| (tokens[t], tokens[t + 1]));
            shard.forward(packs, 1.0 / 64.0);
            shard.backward(packs);
            shard.gradient.data
        };
        let mut packs = Packs::qat(&shape.net(), checkpoint.scheme().unwrap()).unwrap();
        packs.update(&checkpoint.params, None).unwrap();
        let found = gradient(&packs);
        let want = gradient(&Packs::of(&checkpoint.params));
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let cosine = dot(&found, &want) / (dot(&found, &found) * dot(&want, &want)).sqrt();
        assert!(cosine > 0.98, "{net:?}: {cosine}");
        for tensor in checkpoint.params.tensors() {
            let (found, want) = (&found[tensor.range.clone()], &want[tensor.range.clone()]);
            let ratio = (dot(found, found) / dot(want, want)).sqrt();
            assert!((0.7..1.4).contains(&ratio), "{net:?}, {tensor:?}: {ratio}");
        }
    }
}

#[test]
fn four_bits_are_learnt() {
    let corpus = corpus();
    let from = float(&corpus, config((1, 24, 0, 0, false), 12));
    let mut before = aware(&corpus, &from, WeightBits::all(4));
    let untrained = before.evaluate().unwrap();
    let mut after = trained(before, 6);
    let trained = after.evaluate().unwrap();
    assert!(trained < untrained - 0.01, "{untrained} {trained}");
}

#[test]
fn a_resumed_run_ends_at_the_same_bits() {
    let corpus = corpus();
    let from = float(&corpus, config((2, 12, 8, 6, false), 2));
    for bits in [WeightBits::EIGHT, WeightBits::all(4)] {
        let whole = trained(aware(&corpus, &from, bits), 2);
        let mut half = aware(&corpus, &from, bits);
        for _ in 0..17 {
            half.step().unwrap();
        }
        let bytes = half.checkpoint(true).to_bytes().unwrap();
        let stored = Checkpoint::from_bytes(&bytes, "x".as_ref()).unwrap();
        assert_eq!(stored, half.checkpoint(true), "{bits:?}: read back");
        let resumed = trained(Trainer::resume(&corpus, stored).unwrap(), 2);
        let (whole, resumed) = (whole.checkpoint(true), resumed.checkpoint(true));
        assert_eq!(whole.params.data, resumed.params.data, "{bits:?}");
        assert_eq!(whole.learned, resumed.learned);
    }
}
