//! The gradient of every parameter tensor of every cell, against central finite differences in f64.

use gatelet::net::Output;
use gatelet_trainer::engine::Engine;
use gatelet_trainer::net::dropout::Dropout;
use gatelet_trainer::net::unroll::Unrolled;
use gatelet_trainer::net::{Net, Packs, Params, Role, Shard};
use gatelet_trainer::train::layers::{Cell, Layers};

const ROWS: usize = 3;
const WINDOW: usize = 6;

/// A token for every place, without a pattern that would make gradients cancel.
fn token(row: usize, t: usize, vocab: usize) -> u16 {
    ((row * 31 + t * t * 7 + t) % vocab) as u16
}

fn loaded<F: Engine>(net: &Net) -> Shard<F> {
    loaded_with(net, net.vocab())
}

/// With the first `vocab` tokens of the vocabulary.
fn loaded_with<F: Engine>(net: &Net, vocab: usize) -> Shard<F> {
    let mut shard = Shard::new(net, ROWS, WINDOW);
    if let Some(Output::Scores(_)) = net.output(0).filter(|_| net.takes_tokens()) {
        shard.load(|row, t| (token(row, t, vocab), token(row, t + 1, vocab)));
    }
    for layer in 0..net.recurrent_count() {
        let (h, c) = shard.state_mut(layer);
        h.iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x = F::from_f64(((i * 5 + layer) as f64).sin() * 0.7));
        c.iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x = F::from_f64(((i * 3 + layer) as f64).cos() * 1.3));
    }
    shard
}

fn check(net: &Net) {
    check_with(net, (0.0, 0.0), None);
}

/// `dropout`: the rates of outputs and of what is read from h. `line_break`: the token before which
/// the state is zero.
fn check_with(net: &Net, dropout: (f64, f64), line_break: Option<u16>) {
    let mut params = Params::<f64>::init(*net, 11);
    // Away from the symmetric start: biases too have to matter.
    params
        .data
        .iter_mut()
        .enumerate()
        .for_each(|(i, w)| *w += 0.3 * ((i * 7) as f64).sin());
    let mut start = loaded::<f64>(net);
    start.drop_out(Dropout::new(3, dropout.0), Dropout::new(3, dropout.1), 2);
    start.break_lines(line_break);
    start.choose_masks(7);
    differences(&mut params, &start);
}

/// Checks the gradient of every tensor of a net whose window, state, masks and losses are those of
/// `start`.
fn differences(params: &mut Params<f64>, start: &Shard<f64>) {
    let scale = 1.0 / (ROWS * WINDOW) as f64;
    let mut shard = start.clone();
    let mut packs = Packs::of(params);
    shard.forward(&packs, scale);
    shard.backward(&packs);
    let gradient = shard.gradient.data.clone();

    let mut loss = |params: &Params<f64>| {
        shard.clone_from(start);
        packs.pack(params);
        scale * shard.forward(&packs, scale)
    };
    const STEP: f64 = 4e-4;
    let net = *params.net();
    for tensor in params.tensors().to_vec() {
        let (mut error, mut size) = (0.0_f64, 0.0_f64);
        for index in tensor.range.clone() {
            let value = params.data[index];
            let mut at = |x: f64| {
                params.data[index] = value + x * STEP;
                let loss = loss(params);
                params.data[index] = value;
                loss
            };
            // Five points: the error is of the fourth order in STEP.
            let numeric = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP);
            error += (numeric - gradient[index]).powi(2);
            size += numeric.powi(2);
        }
        let relative = (error / size).sqrt();
        assert!(size > 0.0, "{tensor:?} of {net:?} has no gradient");
        assert!(
            relative < 1e-8,
            "{tensor:?} of {net:?}: relative error {relative:e}"
        );
    }
}

#[test]
fn lstm_gradients_equal_finite_differences() {
    check(
        &Layers {
            cell: Cell::Lstm,
            layers: 2,
            hidden: 5,
            vocab: 7,
            ..Layers::PLAIN
        }
        .net(),
    );
    check(
        &Layers {
            cell: Cell::Lstm,
            layers: 1,
            hidden: 17,
            vocab: 3,
            ..Layers::PLAIN
        }
        .net(),
    );
}

#[test]
fn rnn_gradients_equal_finite_differences() {
    check(
        &Layers {
            cell: Cell::Rnn,
            layers: 2,
            hidden: 5,
            vocab: 7,
            ..Layers::PLAIN
        }
        .net(),
    );
    check(
        &Layers {
            cell: Cell::Rnn,
            layers: 3,
            hidden: 4,
            vocab: 18,
            ..Layers::PLAIN
        }
        .net(),
    );
}

#[test]
fn gru_gradients_equal_finite_differences() {
    check(
        &Layers {
            cell: Cell::Gru,
            layers: 3,
            hidden: 5,
            vocab: 7,
            ..Layers::PLAIN
        }
        .net(),
    );
    check(
        &Layers {
            cell: Cell::Gru,
            layers: 1,
            hidden: 17,
            vocab: 3,
            ..Layers::PLAIN
        }
        .net(),
    );
}

/// Dropped outputs and states, with masks that differ from step to step and from row to row.
#[test]
fn gradients_with_dropout() {
    for cell in Cell::ALL {
        let shape = Layers {
            cell,
            layers: 2,
            hidden: 6,
            vocab: 5,
            ..Layers::PLAIN
        };
        check_with(&shape.net(), (0.3, 0.4), None);
        check_with(&shape.net(), (0.5, 0.0), None);
        check_with(&shape.net(), (0.0, 0.5), None);
    }
}

/// Lines that begin and end at any step, also at the first and the last of a window; with dropout
/// of both kinds and without.
#[test]
fn gradients_of_lines() {
    for cell in Cell::ALL {
        let shape = Layers {
            cell,
            layers: 2,
            hidden: 5,
            vocab: 4,
            ..Layers::PLAIN
        };
        let breaks = (0..ROWS * WINDOW).filter(|i| token(i / WINDOW, i % WINDOW, 4) == 0);
        assert!(breaks.count() > ROWS, "several a row");
        check_with(&shape.net(), (0.0, 0.0), Some(0));
        check_with(&shape.net(), (0.3, 0.4), Some(2));
        let words = Layers {
            embedding: 5,
            projection: 5,
            tied: true,
            ..shape
        };
        check_with(&words.net(), (0.0, 0.0), Some(0));
    }
}

/// One stream of lines is those lines, each run by itself from the zero state: loss and gradient.
#[test]
fn a_stream_of_lines_is_its_lines() {
    const LINES: [&[u16]; 4] = [&[0, 3, 1], &[0, 2], &[0], &[0, 4, 4, 1, 3]];
    for cell in Cell::ALL {
        let shape = Layers {
            cell,
            layers: 2,
            hidden: 5,
            vocab: 5,
            ..Layers::PLAIN
        };
        let params = Params::<f64>::init(shape.net(), 3);
        let packs = Packs::of(&params);
        let run = |tokens: &[u16], line_break| {
            // After a line comes the break of the next.
            let next = |t: usize| tokens.get(t + 1).copied().unwrap_or(0);
            let mut shard = Shard::<f64>::new(&shape.net(), 1, tokens.len());
            shard.break_lines(line_break);
            shard.load(|_, t| (tokens[t], next(t)));
            let loss = shard.forward(&packs, 1.0);
            shard.backward(&packs);
            (loss, shard.gradient.data.clone())
        };
        let (loss, gradient) = run(&LINES.concat(), Some(0));
        let mut sum = (0.0, vec![0.0; gradient.len()]);
        for line in LINES {
            let (loss, gradient) = run(line, None);
            sum.0 += loss;
            sum.1.iter_mut().zip(&gradient).for_each(|(s, g)| *s += g);
        }
        assert!((loss - sum.0).abs() < 1e-12, "{loss} {}", sum.0);
        for (one, all) in gradient.iter().zip(&sum.1) {
            assert!((one - all).abs() < 1e-12);
        }
        assert!((run(&LINES.concat(), None).0 - sum.0).abs() > 1e-3);
        // The f64 unrolling that reports use has the same states.
        let tokens = LINES.concat();
        let net = Unrolled::of_lines(&params, &tokens, Some(0));
        let from = LINES[0].len() + LINES[1].len() + LINES[2].len();
        let last = Unrolled::new(&params, LINES[3]);
        for t in 0..LINES[3].len() {
            assert_eq!(net.probabilities(from + t), last.probabilities(t));
        }
    }
}

/// Shapes with an embedding, a projection, both, and tied heads.
fn word_shapes() -> impl Iterator<Item = Layers> {
    let parts = [
        (4, 0, false),
        (0, 5, false),
        (7, 4, false),
        (5, 5, true),
        (6, 0, true),
    ];
    let cells = [
        (Cell::Rnn, 1),
        (Cell::Rnn, 2),
        (Cell::Lstm, 1),
        (Cell::Lstm, 2),
        (Cell::Gru, 1),
        (Cell::Gru, 2),
    ];
    cells.into_iter().flat_map(move |(cell, layers)| {
        parts.map(|(embedding, projection, tied)| Layers {
            cell,
            layers,
            hidden: 6,
            vocab: 9,
            embedding,
            projection,
            tied,
        })
    })
}

/// Embedding, dense input of the first layer, projection, tied head; without dropout and with each
/// kind of it.
#[test]
fn gradients_of_word_models_equal_finite_differences() {
    for shape in word_shapes() {
        check(&shape.net());
        check_with(&shape.net(), (0.4, 0.0), None);
        check_with(&shape.net(), (0.3, 0.4), None);
    }
}

/// A vocabulary so large that the head goes through a window in several blocks.
#[test]
fn blocks_of_logits_are_one_window() {
    // 3 rows of 2^18 logits are three quarters of a block: every step is a block of its own.
    let shape = Layers {
        cell: Cell::Rnn,
        layers: 1,
        hidden: 4,
        vocab: 1 << 18,
        embedding: 4,
        projection: 4,
        tied: true,
    };
    let small = Layers { vocab: 9, ..shape };
    // The tokens of the small net are the first of the large one; all others have a bias that makes
    // them impossible.
    let of_small = Params::<f64>::init(small.net(), 11);
    let mut params = Params::<f64>::zeros(shape.net());
    for tensor in of_small.tensors() {
        let to = params.tensor_mut(tensor.operation, tensor.role);
        to[..tensor.range.len()].copy_from_slice(&of_small.data[tensor.range.clone()]);
    }
    params.tensor_mut(3, Role::Bias)[9..].fill(-1e3);
    let run = |shape: Layers, params: &Params<f64>| {
        let mut shard = loaded_with::<f64>(&shape.net(), 9);
        let packs = Packs::of(params);
        let loss = shard.forward(&packs, 0.1);
        shard.backward(&packs);
        (loss, shard.gradient)
    };
    let (expected, gradient) = run(small, &of_small);
    let (found, of_blocks) = run(shape, &params);
    assert!((found - expected).abs() < 1e-12 * expected);
    for tensor in of_small.tensors() {
        let found = of_blocks.tensor(tensor.operation, tensor.role);
        for (index, x) in gradient.data[tensor.range.clone()].iter().enumerate() {
            assert!((found[index] - x).abs() < 1e-12, "{tensor:?} {index}");
        }
    }
}

/// The f32 path, which runs on core's kernels, against the f64 path, which does not, on both sides
/// of the edges of tiles.
#[test]
fn gradients_in_f32_are_those_in_f64() {
    for (index, hidden) in [1, 3, 7, 8, 15, 16, 17, 31, 33, 48, 65, 100]
        .into_iter()
        .enumerate()
    {
        for cell in Cell::ALL {
            let (layers, vocab) = (1 + index % 3, [2, 5, 16, 33, 67, 96][index % 6]);
            let plain = Layers {
                cell,
                layers,
                hidden,
                vocab,
                ..Layers::PLAIN
            };
            let (wide, other) = ([4, 15, 16, 33][index % 4], [17, 5, 31][index % 3]);
            compare(plain);
            compare(Layers {
                embedding: wide,
                projection: other,
                ..plain
            });
            compare(Layers {
                embedding: other,
                projection: other,
                tied: true,
                ..plain
            });
        }
    }
}

/// Compares the gradients of a shape in f32 with those in f64.
fn compare(shape: Layers) {
    let Layers {
        cell,
        layers,
        hidden,
        vocab,
        ..
    } = shape;
    let mut params = Params::<f64>::init(shape.net(), 5);
    // Away from saturation, where 1 - h^2 has lost the digits that are compared.
    let table = params.tensor_mut(0, Role::Table);
    table.iter_mut().for_each(|x| *x *= 0.3);
    let single = params.cast::<f32>();
    let mut exact = loaded::<f64>(params.net());
    let packs = Packs::of(&params);
    let expected = exact.forward(&packs, 0.1);
    exact.backward(&packs);
    let mut shard = loaded::<f32>(params.net());
    let packs = Packs::of(&single);
    // Twice: a window must not depend on what an earlier one left in the buffers.
    for _ in 0..2 {
        let found = shard.forward(&packs, 0.1);
        shard.backward(&packs);
        assert!(
            (found - expected).abs() < 1e-4 * expected,
            "{cell} {layers} x {hidden}: {found} {expected}"
        );
    }
    for tensor in params.tensors() {
        let pairs = || {
            let exact = &exact.gradient.data[tensor.range.clone()];
            exact.iter().zip(&shard.gradient.data[tensor.range.clone()])
        };
        let error: f64 = pairs().map(|(a, b)| (a - f64::from(*b)).powi(2)).sum();
        let size: f64 = pairs().map(|(a, _)| a * a).sum();
        let relative = (error / size).sqrt();
        assert!(
            relative < 2e-5,
            "{cell} {layers} x {hidden}, {vocab}: {tensor:?} is off by {relative}"
        );
    }
}
