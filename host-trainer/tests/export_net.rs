//! The image of any net of features: in f32 it computes what training does, in int8 and 4 bits
//! nearly that, and the same integers on every kernel.

mod made;

use gatelet::net::{
    Activation, Kind, Net, Operand, Operation, Output, Precision, Reset, RnnActivation, Value,
};
use gatelet::{Isa, Kernel, Scalar, Session, WithKernel};
use gatelet_trainer::data::Data;
use gatelet_trainer::error::Result;
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::net::{Packs, Params, Shard, Window};
use gatelet_trainer::quantize::export::export_net;
use gatelet_trainer::quantize::{Sequence, WeightBits};
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};

use self::made::checkpoint;

const WIDTH: usize = 3;
const STEPS: usize = 24;

/// Waves of several lengths; asked is, at every step, the mean of the features of the step before.
struct Waves;

fn wave(example: usize, t: usize) -> [f32; WIDTH] {
    let x = |k: usize| ((example * 7 + t * (k + 2)) as f32 * 0.31).sin() * [0.5, 2.0, 9.0][k];
    [0, 1, 2].map(x)
}

impl Data<f32> for Waves {
    fn len(&self) -> usize {
        40
    }
    fn steps(&self) -> usize {
        STEPS
    }
    fn counted(&self, _example: usize) -> usize {
        STEPS - 1
    }
    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        window.ignore(row);
        for t in 0..STEPS {
            let at = t * window.rows + row;
            let x = wave(example, t);
            window.features[at * WIDTH..][..WIDTH].copy_from_slice(&x);
            let Some(targets) = window.targets.first_mut().filter(|_| t > 0) else {
                continue;
            };
            if let [number, ..] = &mut targets.numbers[at..] {
                *number = wave(example, t - 1).iter().sum::<f32>() / 9.0;
                targets.counts[at] = true;
            }
        }
        Ok(())
    }
}

fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

/// A net for each operation, and one with all of them.
fn nets() -> Vec<Net> {
    let rnn = |activation| Kind::Rnn {
        units: 6,
        activation,
    };
    let gru = |reset| Kind::gru(6, reset);
    let kinds = [
        rnn(RnnActivation::Tanh),
        rnn(RnnActivation::Relu),
        Kind::lstm(6),
        gru(Reset::After),
        gru(Reset::Before),
        dense(7, Activation::None),
        dense(7, Activation::Relu),
        dense(7, Activation::Tanh),
        dense(7, Activation::Sigmoid),
        dense(7, Activation::HardSigmoid),
    ];
    let start = Net::features(Precision::F32, WIDTH);
    let head = dense(1, Activation::None);
    let one = kinds.map(|kind| start.then(kind).then(head).values());
    let skip = Operand::of(&[Value::INPUT, Value::of(0), Value::of(2)]);
    let mixed = start
        .then(gru(Reset::After))
        .then(dense(5, Activation::Relu))
        .then(Kind::lstm(6))
        .with(Kind::Add, Operand::two(Value::of(0), Value::of(2)))
        .with(gru(Reset::Before), skip)
        .with(head, Operand::two(Value::of(4), Value::of(3)))
        .values()
        .with_output(Output::Values(Value::of(1)))
        .with_output(Output::Values(Value::of(2)));
    let others = Kind::CELLS.into_iter().map(|kind| kind.with_units(6));
    let others = others.filter(|kind| !kinds.contains(kind));
    let others = others.map(|kind| start.then(kind).then(head).values());
    one.into_iter().chain([mixed]).chain(others).collect()
}

/// All features of an example.
fn sequence(example: usize) -> Vec<f32> {
    (0..STEPS).flat_map(|t| wave(example, t)).collect()
}

/// What training computes: for each output its numbers at every step.
fn trained(params: &Params<f32>, example: usize) -> Vec<Vec<f32>> {
    let mut shard = Shard::<f32>::new(params.net(), 1, STEPS);
    Waves
        .fill(example, 0, &mut shard.window(), &mut Vec::new())
        .expect("made up");
    let mut all = vec![Vec::new(); params.net().output_len()];
    shard.forward_seen(&Packs::of(params), 0.0, &mut |seen| {
        all[seen.output].extend_from_slice(seen.numbers);
    });
    all
}

struct Run<'a>(&'a Image, usize);

impl WithKernel for Run<'_> {
    type Output = Vec<Vec<f32>>;
    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let model = self.0.model().expect("a good image");
        let mut storage = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut storage).expect("room");
        let outputs = model.net().output_len();
        let mut all = vec![Vec::new(); outputs];
        for t in 0..STEPS {
            session.step(&wave(self.1, t)).expect("numbers");
            for (output, all) in all.iter_mut().enumerate() {
                all.extend(session.values(output));
            }
        }
        all
    }
}

/// The largest difference, and the largest magnitude.
fn off(found: &[Vec<f32>], want: &[Vec<f32>]) -> (f32, f32) {
    assert_eq!(found.len(), want.len());
    let pairs = found.iter().flatten().zip(want.iter().flatten());
    pairs.fold((0.0, 0.0), |(off, most), (a, b)| {
        (f32::max(off, (a - b).abs()), f32::max(most, b.abs()))
    })
}

#[test]
fn images_compute_what_training_does() {
    for (index, net) in nets().into_iter().enumerate() {
        let adam = OptimizerConfig::of(Optimizer::Adam);
        let mut learner = Learner::new(Params::<f32>::init(net, index as u64), adam);
        let before = learner.score(&Waves).expect("made up").nats;
        for epoch in 0..30 {
            learner
                .epoch(&Waves, 20, 0.01, epoch)
                .expect("it is finite");
        }
        let after = learner.score(&Waves).expect("made up").nats;
        assert!(after < 0.8 * before, "{net:?}: {before} {after}");
        let params = learner.params();
        let checkpoint = checkpoint(params.clone());
        let waves: Vec<Vec<f32>> = (0..40).map(sequence).collect();
        let data: Vec<Sequence<'_>> = waves.iter().map(|of| Sequence::Features(of)).collect();
        let image = |precision, bits| {
            let made = export_net(&checkpoint, &data, precision, bits);
            made.unwrap_or_else(|error| panic!("{net:?}: {error}"))
        };
        let want = trained(params, 3);
        let float = Run(&image(Precision::F32, WeightBits::EIGHT).0, 3).run(Scalar);
        let (error, most) = off(&float, &want);
        assert!(
            error < 1e-4 * most.max(1.0),
            "{net:?}: f32 is off by {error} of {most}"
        );
        // A relu that feeds itself amplifies roundings that it was not trained for.
        let grows = |of: &Operation| of.kind.cell().is_some_and(|form| form.unbounded);
        let bounds = match net.operations().any(grows) {
            true => [0.15, 0.6],
            false => [0.05, 0.35],
        };
        let bits = [WeightBits::EIGHT, WeightBits::four(&net)];
        for (bits, bound) in bits.into_iter().zip(bounds) {
            let (int, report) = image(Precision::Int8, bits);
            println!("{net} {} {report:?}", bits.name(&net));
            let found = Run(&int, 3).run(Scalar);
            let (error, most) = off(&found, &want);
            assert!(
                error < bound * most,
                "{net:?}: {bits:?} is off by {error} of {most}"
            );
            let here = int
                .for_isa(Isa::detect())
                .expect("an image for this machine");
            assert_eq!(Isa::detect().run(Run(&here, 3)), found, "{net:?}");
        }
    }
}

/// A feature that is mostly small and now and then large is too coarse in one column of int8.
#[test]
fn a_feature_that_is_too_coarse_takes_a_second_column() {
    // What a dense head reads is all that is rounded, but for its weights.
    let net = Net::features(Precision::F32, 2)
        .then(dense(1, Activation::None))
        .values();
    let mut params = Params::<f32>::zeros(net);
    params.data.copy_from_slice(&[1.0, -1.0, 0.25]);
    let rare = |t: usize| match t % 50 {
        0 => 9.0,
        t => 0.04 * (t as f32).sin(),
    };
    let numbers: Vec<f32> = (0..400)
        .flat_map(|t| [rare(t), (t as f32 * 0.7).sin()])
        .collect();
    let even: Vec<f32> = (0..800).map(|t| (t % 9) as f32 - 4.0).collect();
    let report = |numbers: &[f32]| {
        let data = [Sequence::Features(numbers)];
        let bits = WeightBits::EIGHT;
        let made = export_net(&checkpoint(params.clone()), &data, Precision::Int8, bits);
        let (image, report) = made.expect("an image");
        let model = image.model().expect("a good image");
        (model.doubled_features().to_vec(), report)
    };
    let (doubled, found) = report(&numbers);
    assert_eq!((&doubled[..], found.doubled), (&[0][..], 1), "{found:?}");
    let (doubled, found) = report(&even);
    assert!(doubled.is_empty(), "{found:?}");
}

#[test]
fn data_that_a_net_is_not_given_are_refused() {
    let net = Net::features(Precision::F32, 2).then(dense(1, Activation::None));
    let checkpoint = checkpoint(Params::init(net.values(), 1));
    for (data, part) in [
        (Sequence::Features(&[1.0; 3]), "2 features a step"),
        (Sequence::Features(&[]), "without a step"),
        (Sequence::Features(&[f32::NAN; 2]), "NaN"),
        (Sequence::Tokens(&[1]), "given features"),
    ] {
        let made = export_net(&checkpoint, &[data], Precision::Int8, WeightBits::EIGHT);
        let error = made.expect_err("bad data").to_string();
        assert!(error.contains(part), "{error}");
    }
}
