//! Gradients of any list of operations, against central finite differences in f64: every operation,
//! every loss, and nets that mix them.

use gatelet::net::{Activation, Kind, Net, Operand, Operation, Output, Precision, Value};
use gatelet_trainer::engine::Engine;
use gatelet_trainer::net::{IGNORED, Loss, Packs, Params, Shard};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const ROWS: usize = 3;
const WINDOW: usize = 5;
const SCALE: f64 = 1.0 / (ROWS * WINDOW) as f64;

const ACTIVATIONS: [Activation; 7] = [
    Activation::None,
    Activation::Relu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::Elu,
    Activation::Softmax,
];

fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

/// All recurrent kinds.
fn recurrent(units: usize) -> Vec<Kind> {
    let all = Kind::CELLS.into_iter();
    all.map(|kind| kind.with_units(units)).collect()
}

/// Random parameters, away from the symmetric start.
fn params(net: Net, rng: &mut Pcg64) -> Params<f64> {
    let mut params = Params::zeros(net);
    params.data.fill_with(|| rng.random_range(-0.9..0.9));
    params
}

/// A window of random inputs and targets, some of which do not count, from a random state.
fn shard<F: Engine>(net: &Net, losses: &[Loss], seed: u64) -> Shard<F> {
    let rng = &mut Pcg64::seed_from_u64(seed);
    let mut shard = Shard::new(net, ROWS, WINDOW);
    for (output, &loss) in losses.iter().enumerate() {
        shard
            .set_loss(output, loss)
            .expect("a loss that it can have");
    }
    for layer in 0..net.recurrent_count() {
        let (h, c) = shard.state_mut(layer);
        let state = h.iter_mut().chain(c);
        state.for_each(|x| *x = F::from_f64(rng.random_range(-0.8..0.8)));
    }
    let widths: Vec<usize> = (0..net.output_len()).map(|o| net.output_width(o)).collect();
    let window = shard.window();
    window
        .tokens
        .fill_with(|| rng.random_range(0..net.vocab() as u16));
    let number = |rng: &mut Pcg64| F::from_f64(rng.random_range(-1.5..1.5));
    window.features.fill_with(|| number(rng));
    for (targets, width) in window.targets.iter_mut().zip(widths) {
        let tokens = targets.tokens.iter_mut();
        tokens.for_each(|target| {
            *target = match rng.random_bool(0.2) {
                true => IGNORED,
                false => rng.random_range(0..width as u16),
            };
        });
        targets.numbers.fill_with(|| number(rng));
        targets.counts.fill_with(|| rng.random_bool(0.8));
    }
    shard
}

/// Checks every parameter's gradient; returns how many could not be, for a corner within the steps.
fn check(net: Net, losses: &[Loss], seed: u64) -> usize {
    let net = net.checked().expect("a net that can be");
    let mut params = params(net, &mut Pcg64::seed_from_u64(seed));
    let start = shard::<f64>(&net, losses, seed + 1);
    let (mut packs, mut shard) = (Packs::of(&params), start.clone());
    // Twice: a window must not depend on what an earlier one left in the buffers.
    for _ in 0..2 {
        shard = start.clone();
        shard.forward(&packs, SCALE);
        shard.backward(&packs);
    }
    let gradient = shard.gradient.data.clone();
    let mut loss = |params: &Params<f64>| {
        shard.clone_from(&start);
        packs.pack(params);
        SCALE * shard.forward(&packs, 0.0)
    };
    let (mut corners, mut size) = (0, 0.0_f64);
    for tensor in params.tensors().to_vec() {
        for index in tensor.range.clone() {
            let value = params.data[index];
            let mut at = |x: f64| {
                params.data[index] = value + x;
                let loss = loss(&params);
                params.data[index] = value;
                loss
            };
            let mut slope = |step: f64| (at(step) - at(-step)) / (2.0 * step);
            let (coarse, fine) = (slope(2e-5), slope(1e-5));
            if (coarse - fine).abs() > 1e-7 {
                corners += 1;
                continue;
            }
            // Richardson: of both steps the error of their squares goes.
            let exact = (4.0 * fine - coarse) / 3.0;
            let off = (exact - gradient[index]).abs();
            assert!(
                off < 1e-8,
                "{tensor:?}, {index} of {net:?}: {exact} {}",
                gradient[index]
            );
            size += fine * fine;
        }
    }
    assert!(size > 0.0, "{net:?} has no gradient");
    corners
}

/// The same gradient in f32, on core's kernels.
fn compare(net: Net, losses: &[Loss], seed: u64) {
    let params = params(net, &mut Pcg64::seed_from_u64(seed));
    let mut exact = shard::<f64>(&net, losses, seed + 1);
    let mut single = shard::<f32>(&net, losses, seed + 1);
    let packs = Packs::of(&params);
    let want = exact.forward(&packs, SCALE);
    exact.backward(&packs);
    let packs = Packs::of(&params.cast::<f32>());
    let found = single.forward(&packs, SCALE as f32);
    single.backward(&packs);
    assert!(
        (found - want).abs() < 1e-4 * want,
        "{net:?}: {found} {want}"
    );
    let pairs = || exact.gradient.data.iter().zip(&single.gradient.data);
    let error: f64 = pairs().map(|(a, b)| (a - f64::from(*b)).powi(2)).sum();
    let size: f64 = pairs().map(|(a, _)| a * a).sum();
    assert!(
        (error / size).sqrt() < 1e-4,
        "{net:?}: {}",
        (error / size).sqrt()
    );
}

/// Each recurrent operation on tokens, on features, on both an embedding and the token, and above
/// another.
#[test]
fn recurrent_operations() {
    for units in [1, 4] {
        for (index, kind) in recurrent(units).into_iter().enumerate() {
            let seed = 10 * units as u64 + index as u64;
            let head = dense(5, Activation::None);
            let tokens = Net::tokens(Precision::F32, 5);
            let features = Net::features(Precision::F32, 3);
            let both = Operand::two(Value::INPUT, Value::of(0));
            let nets = [
                tokens.then(kind).then(head).scores(),
                features.then(kind).then(head).scores(),
                features.then(kind).then(kind).then(head).scores(),
                tokens
                    .then(Kind::Embedding { units: 3 })
                    .with(kind, both)
                    .then(head)
                    .scores(),
                // h itself is what the net gives.
                features.then(kind).values(),
            ];
            for net in nets {
                let losses: Vec<Loss> = net.outputs().map(|o| Loss::usual(&net, o)).collect();
                assert!(check(net, &losses, seed) <= 2, "{net:?}");
                compare(net, &losses, seed);
            }
        }
    }
}

/// Dense operations with every activation as layer and as output with every loss, and tied ones.
#[test]
fn dense_operations_and_losses() {
    let start = Net::features(Precision::F32, 4);
    for (index, activation) in ACTIVATIONS.into_iter().enumerate() {
        let net = start.then(dense(6, activation)).then(dense(3, activation));
        let values = [
            Loss::MeanSquared,
            Loss::MeanAbsolute,
            Loss::Huber { delta: 0.4 },
            Loss::Binary,
        ];
        for loss in values {
            if loss
                .check(&net.values(), Output::Values(net.last()))
                .is_ok()
            {
                assert!(check(net.values(), &[loss], index as u64) <= 3, "{loss:?}");
            }
        }
        let scores = net.then(dense(4, Activation::None)).scores();
        for loss in [Loss::CrossEntropy { smoothing: 0.0 }, Loss::ScoredBinary] {
            assert!(check(scores, &[loss], index as u64) <= 3, "{loss:?}");
        }
        // A value that is given twice and read as well, behind a sigmoid with its loss of z.
        let read = net.with_output(Output::Values(Value::of(0)));
        let read = read.with_output(Output::Values(Value::of(0))).values();
        let of_z = match activation {
            Activation::Sigmoid => Loss::Binary,
            _ => Loss::MeanSquared,
        };
        assert!(check(read, &[of_z, Loss::MeanSquared, of_z], 7) <= 3);
    }
    let tied = |index, units| Operation {
        kind: dense(units, Activation::None),
        operand: Operand::one(Value::of(index)),
        bits: 8,
        tied: Some(0),
    };
    let net = Net::tokens(Precision::F32, 6)
        .then(Kind::Embedding { units: 4 })
        .with_operation(tied(0, 6))
        .then(Kind::lstm(4))
        .with_operation(tied(2, 6))
        .scores()
        .with_output(Output::Values(Value::of(1)));
    let losses = [Loss::CrossEntropy { smoothing: 0.0 }, Loss::MeanSquared];
    assert_eq!(check(net, &losses, 3), 0);
}

/// A net of random operations that read random values, each of which is read or given.
fn mixed(seed: u64) -> (Net, Vec<Loss>) {
    let rng = &mut Pcg64::seed_from_u64(seed);
    let mut net = match rng.random_bool(0.5) {
        true => Net::tokens(Precision::F32, rng.random_range(2..7)),
        false => Net::features(Precision::F32, rng.random_range(1..5)),
    };
    if net.takes_tokens() {
        net = net.then(Kind::Embedding {
            units: rng.random_range(1..5),
        });
    }
    let mut unread: Vec<Value> = net.last().operation().map(Value::of).into_iter().collect();
    for _ in 0..rng.random_range(3..8) {
        let first = usize::from(net.takes_tokens());
        let values: Vec<Value> = (first as u8..=net.last().code())
            .map(|code| match code {
                0 => Value::INPUT,
                code => Value::of(usize::from(code) - 1),
            })
            .collect();
        let units = rng.random_range(1..6);
        let mut kinds = recurrent(units).to_vec();
        kinds.extend(ACTIVATIONS.map(|activation| dense(units, activation)));
        kinds.push(Kind::Add);
        let kind = *kinds.choose(rng).expect("a kind");
        let one = *values.choose(rng).expect("a value");
        let read: Vec<Value> = match kind {
            Kind::Add => {
                let alike = values.iter().filter(|&&v| net.width(v) == net.width(one));
                let alike: Vec<Value> = alike.copied().collect();
                vec![one, *alike.choose(rng).expect("itself")]
            }
            _ => {
                let token = net.takes_tokens() && kind.is_recurrent() && rng.random_bool(0.3);
                let token = token.then_some(Value::INPUT);
                let more = (0..rng.random_range(0..3)).map(|_| *values.choose(rng).expect("one"));
                token
                    .into_iter()
                    .chain([one])
                    .chain(more.collect::<Vec<_>>())
                    .collect()
            }
        };
        unread.retain(|value| !read.contains(value));
        net = net.with(kind, Operand::of(&read));
        unread.push(net.last());
    }
    while unread.len() > 3 {
        let read: Vec<Value> = unread.drain(..4).collect();
        net = net.with(dense(3, Activation::Tanh), Operand::of(&read));
        unread.push(net.last());
    }
    // And a value that may be read as well.
    unread.push(Value::of(rng.random_range(0..net.len())));
    let mut losses = Vec::new();
    for value in unread {
        let of = [Output::Values(value), Output::Scores(value)];
        let of = of[usize::from(net.width(value) > 1 && rng.random_bool(0.4))];
        let all = [
            Loss::CrossEntropy { smoothing: 0.0 },
            Loss::ScoredBinary,
            Loss::Binary,
            Loss::MeanSquared,
            Loss::MeanAbsolute,
            Loss::Huber { delta: 0.3 },
        ];
        let good = |output| {
            all.into_iter()
                .filter(move |l| l.check(&net, output).is_ok())
        };
        let of = match good(of).next() {
            Some(_) => of,
            None => Output::Values(value),
        };
        let good: Vec<Loss> = good(of).collect();
        losses.push(*good.choose(rng).expect("a loss"));
        net = net.with_output(of);
    }
    (net, losses)
}

#[test]
fn random_mixed_nets() {
    let (mut corners, mut parameters) = (0, 0);
    for seed in 0..60 {
        let (net, losses) = mixed(seed);
        corners += check(net, &losses, seed);
        parameters += Params::<f64>::zeros(net).data.len();
        compare(net, &losses, seed);
    }
    assert!(corners * 100 < parameters, "{corners} of {parameters}");
}

/// Two windows after each other, with the state carried, are one window of both.
#[test]
fn the_state_is_carried_and_begins_where_it_is_told() {
    for kind in recurrent(4) {
        let net = Net::features(Precision::F32, 2)
            .then(kind)
            .then(dense(1, Activation::None));
        let net = net.values();
        let packs = Packs::of(&params(net, &mut Pcg64::seed_from_u64(5)));
        let run = |window: usize| {
            let mut shard = Shard::<f64>::new(&net, 1, window);
            let carries = kind.cell().is_some_and(|form| form.carries(Precision::F32));
            let memory = usize::from(carries) * 4;
            shard.start_from(0, &[0.1, -0.2, 0.3, 0.4], &vec![0.5; memory]);
            shard.reset();
            let mut loss = 0.0;
            for first in (0..8).step_by(window) {
                let of = shard.window();
                for t in 0..window {
                    let x = (first + t) as f64;
                    of.features[2 * t..2 * t + 2].copy_from_slice(&[x.sin(), x.cos()]);
                    (of.targets[0].numbers[t], of.targets[0].counts[t]) = (x.cos(), true);
                }
                loss += shard.forward(&packs, 0.0);
                shard.carry();
            }
            loss
        };
        let whole = run(8);
        for window in [1, 2, 4] {
            assert!((run(window) - whole).abs() < 1e-12, "{kind:?} {window}");
        }
    }
}

#[test]
fn losses_that_an_output_cannot_have_are_refused() {
    let net = Net::features(Precision::F32, 2)
        .then(dense(3, Activation::Relu))
        .values();
    let mut shard = Shard::<f32>::new(&net, 1, 1);
    let refused = |loss, shard: &mut Shard<f32>| {
        let error = shard.set_loss(0, loss).expect_err("a loss it cannot have");
        error.to_string()
    };
    assert!(refused(Loss::Binary, &mut shard).contains("sigmoid"));
    let smoothing = Loss::CrossEntropy { smoothing: 0.0 };
    assert!(refused(smoothing, &mut shard).contains("scores"));
    assert!(refused(Loss::Huber { delta: -1.0 }, &mut shard).contains("delta above 0"));
}
