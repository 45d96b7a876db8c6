//! Nets of operations: what cannot be is refused by name, what features may not be is refused and
//! changes nothing, and states can be read, set, kept and started from.

#[path = "same-bits/src/random.rs"]
mod random;

use gatelet::format::{
    FeatureSpec, ImageSpec, KnownAnswer, MatrixSpec, Numbers, OperationSpec, Provenance, VocabSpec,
};
use gatelet::net::{Activation, Input, Kind, Net, Operand, Output, Precision, Reset, Value};
use gatelet::{
    Batch, Isa, Kernel, Layout, Model, NetError, Scalar, Session, SnapshotError, StateView,
    StepError, TextRules, WithKernel,
};
use gatelet_random::{SIZES, Seeded};
use gatelet_trainer::image::Image;

/// Net `seed` of the random ones.
fn mixed(seed: u64, precision: Precision) -> Net {
    gatelet_random::mixed(&mut Seeded::new(seed), precision, &SIZES)
}

/// A model of a net with random weights.
fn model_of(net: &Net, known_answer: KnownAnswer<'_>) -> Image {
    let mut room = vec![0; 4 << 20];
    let len = random::random(net, random::USUAL_SHIFTS, known_answer, &mut room);
    Image::from_bytes(&room[..len.expect("a net that can be")])
}

const HEAD: Kind = Kind::Dense {
    units: 3,
    activation: Activation::None,
};

fn gru(units: usize) -> Kind {
    Kind::gru(units, Reset::After)
}

#[test]
fn nets_that_cannot_be_are_refused_by_name() {
    let features = |width| Net::features(Precision::Int8, width);
    let forward = Operand::one(Value::of(1));
    let five = Operand::of(&[Value::INPUT; 5]);
    let tokens = Net::tokens(Precision::Int8, 9);
    let wide = (0..4).fold(features(1024), |net, _| net.then(gru(1024)));
    let parts: Vec<Value> = (0..4).map(Value::of).collect();
    for (net, said) in [
        (features(0).then(HEAD).scores(), "0 features"),
        (features(1025).then(HEAD).scores(), "1025 features"),
        (features(4).scores(), "0 operations"),
        (features(4).then(gru(0)).values(), "operation 0 has 0 units"),
        (features(4).then(gru(1025)).values(), "1025 units"),
        (
            features(4).with(gru(8), forward).values(),
            "which is not before it",
        ),
        (features(4).with(gru(8), five).values(), "reads 255 values"),
        (features(4).then(HEAD), "0 outputs"),
        (
            features(4)
                .with_output(Output::Values(Value::INPUT))
                .then(HEAD),
            "is the input",
        ),
        (features(4).then(gru(1)).scores(), "one score"),
        (tokens.then(HEAD).scores(), "reads the token"),
        (
            features(4).then(Kind::Embedding { units: 4 }).values(),
            "must read the token",
        ),
        (
            features(4)
                .then(gru(5))
                .with(Kind::Add, Operand::two(Value::INPUT, Value::of(0)))
                .values(),
            "adds 4 numbers to 5",
        ),
        (
            wide.with(gru(1024), Operand::of(&parts)).values(),
            "reads 5120 numbers",
        ),
        (
            features(4).then(HEAD).with_bits(0, 5).scores(),
            "weights of 5 bits",
        ),
        (
            (0..17).fold(features(4), |net, _| net.then(HEAD)).scores(),
            "17 operations",
        ),
    ] {
        let error: NetError = net.checked().expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(
        features(4)
            .then(gru(16))
            .then(HEAD)
            .scores()
            .checked()
            .is_ok()
    );
}

/// What is wrong with an input is said, and costs nothing: the state and the outputs are as before.
#[test]
fn a_bad_input_leaves_everything_as_it_was() {
    for precision in [Precision::F32, Precision::Int8] {
        let net = Net::features(precision, 3).then(gru(5)).then(HEAD).scores();
        let image = model_of(&net, KnownAnswer::default());
        let model = image.model().expect("a good image");
        let mut storage = vec![0; net.state_words()];
        let mut session = Session::new(&model, Scalar, &mut storage).expect("room enough");
        session.step(&[0.5, -1.0, 0.25]).expect("numbers");
        let mut before = vec![0; net.snapshot_words()];
        session.snapshot(&mut before).expect("as many");
        let outputs: Vec<f32> = session.values(0).collect();
        let (expected, found) = (3, 2);
        assert_eq!(
            session.step(&[1.0, 2.0]).map(|_| ()),
            Err(StepError::Features { expected, found })
        );
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 65_537.0, -1e30] {
            let error = session.step(&[1.0, bad, 2.0]).map(|_| ());
            assert_eq!(error, Err(StepError::Feature { index: 1 }), "{bad}");
        }
        let error = session.step(gatelet::TokenId(0)).map(|_| ());
        assert_eq!(
            error,
            Err(StepError::Input {
                takes_tokens: false
            })
        );
        let quantized = session.step(&[1_i8, 2]).map(|_| ());
        assert_eq!(
            quantized,
            Err(match precision {
                Precision::F32 => StepError::NotQuantized,
                Precision::Int8 => StepError::Features { expected, found },
            })
        );
        let mut after = vec![0; net.snapshot_words()];
        session.snapshot(&mut after).expect("as many");
        assert_eq!(before, after);
        assert_eq!(outputs, session.values(0).collect::<Vec<_>>());
        session
            .step(&[65_536.0, 0.0, -65_536.0])
            .expect("the largest there are");
    }
}

/// A step that takes quantized features has the bits of one that quantizes them.
#[test]
fn quantized_features_are_the_same_features() {
    let input = Input::Features {
        width: 4,
        doubled: 2,
    };
    let net = Net::new(Precision::Int8, input)
        .then(gru(7))
        .then(HEAD)
        .scores();
    let image = model_of(&net, KnownAnswer::default());
    let model = image.model().expect("a good image");
    let run = |inputs: &mut dyn FnMut(&mut Session<'_, '_, Scalar>, usize)| {
        let mut storage = vec![0; net.state_words()];
        let mut session = Session::new(&model, Scalar, &mut storage).expect("room enough");
        for step in 0..20 {
            inputs(&mut session, step);
        }
        session.values(0).collect::<Vec<_>>()
    };
    let features = |step: usize| [0.1, 0.7, -1.3, 2.9].map(|x| x * (step as f32 - 9.5) / 9.0);
    let real = run(&mut |session, step| {
        session.step(&features(step)).expect("numbers");
    });
    let quantized = run(&mut |session, step| {
        let (scales, doubled) = (model.feature_scales(), model.doubled_features());
        let y: Vec<f32> = features(step)
            .iter()
            .zip(scales)
            .map(|(x, s)| x * s)
            .collect();
        let round = |y: f32| (y + 0.5).floor().clamp(-128.0, 127.0);
        let mut columns: Vec<i8> = y.iter().map(|&y| round(y) as i8).collect();
        for &feature in doubled {
            let y = y[usize::from(feature)];
            columns.push(round((y - round(y)) * 16.0) as i8);
        }
        session.step(&columns[..]).expect("as many columns");
    });
    assert_eq!(real, quantized);
}

/// Every net's state can be read and set, operation by operation, and kept and brought back.
#[test]
fn states_can_be_read_set_and_restored() {
    for (seed, precision) in (0..30).flat_map(|s| [(s, Precision::F32), (s, Precision::Int8)]) {
        let net = mixed(seed, precision);
        let image = model_of(&net, KnownAnswer::default());
        let model = image.model().expect("a good image");
        let mut stores = [vec![0; net.state_words()], vec![0; net.state_words()]];
        let [first, second] = &mut stores;
        let mut first = Session::new(&model, Scalar, first).expect("room enough");
        let mut second = Session::new(&model, Scalar, second).expect("room enough");
        for index in 0..9 {
            step(&mut first, index);
        }
        let mut snapshot = vec![0; net.snapshot_words()];
        first.snapshot(&mut snapshot).expect("as many");
        for index in 0..net.len() {
            let recurrent = net.recurrent(index).is_some();
            assert_eq!(first.state(index).is_some(), recurrent);
            match first.state(index) {
                Some(state) => second.set_state(index, state).expect("its own state"),
                None => {
                    let state = StateView::F32 { h: &[], c: &[] };
                    let error = second.set_state(index, state);
                    assert_eq!(error, Err(SnapshotError::State { operation: index }));
                }
            }
        }
        let mut set = vec![0; net.snapshot_words()];
        second.snapshot(&mut set).expect("as many");
        assert_eq!(snapshot, set, "net {seed}, {precision}");
        step(&mut first, 9);
        step(&mut second, 9);
        let outputs = |session: &Session<'_, '_, Scalar>| {
            (0..net.output_len())
                .flat_map(|k| session.values(k).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert_eq!(outputs(&first), outputs(&second));
        second.reset();
        second.restore(&snapshot).expect("as many");
        step(&mut second, 9);
        assert_eq!(outputs(&first), outputs(&second));
    }
}

fn step<K: Kernel>(session: &mut Session<'_, '_, K>, index: usize) {
    match session.model().net().input {
        Input::Tokens { vocab } => {
            let id = gatelet::TokenId((index * 7 % vocab) as u16);
            session.step(id).expect("a token of the vocabulary");
        }
        Input::Features { width, .. } => {
            let number = |k: usize| ((index * 31 + k * 17) % 41) as f32 / 10.0 - 2.0;
            let features: Vec<f32> = (0..width).map(number).collect();
            session.step(&features[..]).expect("numbers");
        }
    }
}

/// Several streams have the bits of as many sessions, whatever the net is.
#[test]
fn a_batch_is_as_many_sessions() {
    struct Streams<'a>(Model<'a>);
    impl WithKernel for Streams<'_> {
        type Output = ();
        fn run<K: Kernel>(self, kernel: K) {
            const STREAMS: usize = 19;
            let net = *self.0.net();
            let Input::Features { width, .. } = net.input else {
                return;
            };
            let mut storage = vec![7; STREAMS * net.state_words()];
            let mut batch = Batch::new(&self.0, kernel, STREAMS, &mut storage).expect("room");
            let number =
                |stream: usize, k: usize| ((stream * 13 + k * 17) % 41) as f32 / 10.0 - 2.0;
            for _ in 0..5 {
                let all: Vec<f32> = (0..STREAMS)
                    .flat_map(|stream| (0..width).map(move |k| number(stream, k)))
                    .collect();
                batch.step_features(&all).expect("numbers");
            }
            for stream in 0..STREAMS {
                let mut storage = vec![7; net.state_words()];
                let mut session = Session::new(&self.0, kernel, &mut storage).expect("room");
                let features: Vec<f32> = (0..width).map(|k| number(stream, k)).collect();
                for _ in 0..5 {
                    session.step(&features[..]).expect("numbers");
                }
                let alone: Vec<f32> = session.values(0).collect();
                assert_eq!(
                    batch.values(stream, 0).collect::<Vec<_>>(),
                    alone,
                    "{}",
                    K::NAME
                );
            }
            let bad = vec![f32::NAN; STREAMS * width];
            assert_eq!(
                batch.step_features(&bad),
                Err(StepError::Feature { index: 0 })
            );
        }
    }
    for seed in 0..20 {
        let image = model_of(&mixed(seed, Precision::Int8), KnownAnswer::default());
        for isa in Isa::available() {
            let own = image.for_isa(isa).expect("a layout it can have");
            isa.run(Streams(own.model().expect("a good image")));
        }
    }
}

/// A net of an LSTM and a GRU that starts from a state of its own.
fn starting(precision: Precision, start: bool) -> Image {
    let net = Net::features(precision, 1)
        .then(Kind::lstm(2))
        .then(gru(2))
        .values();
    let (real, int8, int16, int32) = ([0.0; 64], [0; 64], [0_i16; 64], [0_i32; 64]);
    let matrix = |count: usize, rows: usize| match precision {
        Precision::F32 => MatrixSpec::f32(&real[..count]),
        Precision::Int8 => MatrixSpec::int8(&int8[..count], &int32[..rows], 24),
    };
    let input = |rows: usize| match precision {
        Precision::F32 => Numbers::F32(&real[..rows]),
        Precision::Int8 => Numbers::I16(&int16[..rows]),
    };
    let (h, c) = match (start, precision) {
        (false, _) => (Numbers::None, Numbers::None),
        (true, Precision::F32) => (Numbers::F32(&[0.5, -0.25]), Numbers::F32(&[3.0, -2.0])),
        (true, Precision::Int8) => (Numbers::I8(&[64, -32]), Numbers::I16(&[16_384, -8_192])),
    };
    let lstm = OperationSpec {
        input: input(8),
        weights: matrix(8 * 8, 8),
        state_bits: if precision == Precision::Int8 { 3 } else { 0 },
        start_hidden: h,
        start_cell: c,
        ..OperationSpec::default()
    };
    let gru = OperationSpec {
        input: input(6),
        weights: matrix(4 * 8, 4),
        candidate: matrix(2 * 4, 2),
        hidden: matrix(2 * 4, 2),
        bias: match precision {
            Precision::F32 => Numbers::F32(&real[..2]),
            Precision::Int8 => Numbers::I32(&int32[..2]),
        },
        start_hidden: h,
        start_cell: if precision == Precision::Int8 {
            c
        } else {
            Numbers::None
        },
        ..OperationSpec::default()
    };
    let spec = ImageSpec {
        net,
        layout: Layout::Rows,
        vocab: VocabSpec::None,
        features: FeatureSpec {
            scales: if precision == Precision::Int8 {
                &[10.0]
            } else {
                &[]
            },
            ..FeatureSpec::default()
        },
        operations: &[lstm, gru],
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules: TextRules::default(),
    };
    Image::write(&spec).expect("parts that fit together")
}

#[test]
fn a_net_starts_from_the_state_that_it_names() {
    for precision in [Precision::F32, Precision::Int8] {
        let (zero, own) = (starting(precision, false), starting(precision, true));
        let half = |image: &Image| {
            let model = image.model().expect("a good image");
            let net = *model.net();
            let mut storage = vec![0; net.state_words()];
            let mut session = Session::new(&model, Scalar, &mut storage).expect("room enough");
            let at_start: Vec<f32> = session.values(0).collect();
            session.step(&[1.0]).expect("a number");
            let after: Vec<f32> = session.values(0).collect();
            session.reset();
            assert_eq!(session.values(0).collect::<Vec<_>>(), at_start);
            (at_start, after)
        };
        assert_eq!(half(&zero), (vec![0.0; 2], vec![0.0; 2]));
        // All gates are one half, and there is no candidate: half of the state is left.
        let (at_start, after) = half(&own);
        assert_eq!(at_start, [0.5, -0.25]);
        for (found, expected) in after.iter().zip([0.25, -0.125]) {
            assert!((found - expected).abs() < 0.01, "{after:?}");
        }
        assert!(
            own.model()
                .expect("good")
                .needs()
                .has(gatelet::net::Capabilities::START)
        );
        let packed = own.repacked(Layout::Tiles8).expect("every net can have it");
        assert!(packed.repacked(Layout::Rows).expect("back").bytes() == own.bytes());
    }
}

/// The known answer of a net of features is run, and sees a wrong weight.
#[test]
fn features_have_a_known_answer() {
    let net = Net::features(Precision::Int8, 2)
        .then(gru(5))
        .then(HEAD)
        .scores();
    let features = [0.5, -0.5, 1.0, 2.0, -3.0, 0.1];
    let mut answer = KnownAnswer {
        features: &features,
        ..KnownAnswer::default()
    };
    let mut storage = vec![0; net.state_words()];
    let unanswered = model_of(&net, answer);
    let model = unanswered.model().expect("a good image");
    answer.hash = model.known_answer_hash(Scalar, &mut storage).expect("room");
    let right = model_of(&net, answer);
    for isa in Isa::available() {
        let own = right.for_isa(isa).expect("a small net");
        let model = own.model().expect("a good image");
        struct Test<'a>(Model<'a>);
        impl WithKernel for Test<'_> {
            type Output = bool;
            fn run<K: Kernel>(self, kernel: K) -> bool {
                let mut storage = vec![0; self.0.net().state_words()];
                self.0.self_test(kernel, &mut storage).is_ok()
            }
        }
        assert!(isa.run(Test(model)), "{}", isa.name());
    }
    let wrong = model_of(&net, KnownAnswer { hash: 1, ..answer });
    let error = wrong
        .model()
        .expect("a good image")
        .self_test(Scalar, &mut storage);
    assert!(error.is_err());
}
