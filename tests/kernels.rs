//! Every kernel against the specification: int8 bit for bit, f32 within the bound of docs/numerics.md, on sizes that
//! straddle the edges of tiles; and the default model over real text.

use gatelet::{
    Batch, Isa, Kernel, Layout, Model, Precision, Scalar, Session, StateHash, TokenId, WithKernel,
};
use gatelet_random::{LSTM, RNN, in_four_bits, stacked};
use gatelet_tests::{random, tokens, trace};
use gatelet_trainer::image::{Image, storage};

const HIDDEN: [usize; 21] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129,
];
const VOCABULARIES: [usize; 11] = [3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65];
/// docs/numerics.md: the largest difference of a logit between f32 kernels after 40 steps.
const F32_BOUND: f32 = 2e-4;

#[test]
fn int8_kernels_are_bit_identical() {
    for kind in [RNN, LSTM] {
        for layers in 1..=4 {
            for hidden in HIDDEN.into_iter().filter(|h| h * layers < 130) {
                let vocab = 2 + hidden % 7;
                let image = random(kind, Precision::Int8, layers, hidden, vocab);
                let model = image.model().expect("a good image");
                let tokens = tokens(60, vocab);
                let expected = trace(model, Isa::Scalar(Scalar), &tokens);
                for isa in Isa::available() {
                    let found = trace(model, isa, &tokens);
                    assert_eq!(found, expected, "{}, {}", model.net(), isa.name());
                }
            }
        }
    }
}

/// A layout changes where a weight lies and nothing else: every kernel gives the same bits with every layout.
#[test]
fn every_layout_gives_the_same_bits_on_every_kernel() {
    for kind in [RNN, LSTM] {
        for (layers, hidden) in [1, 2].into_iter().flat_map(|l| HIDDEN.map(|h| (l, h))) {
            let vocab = VOCABULARIES[(hidden + layers) % VOCABULARIES.len()];
            let image = random(kind, Precision::Int8, layers, hidden, vocab);
            let model = image.model().expect("a good image");
            let tokens = tokens(30, model.net().vocab());
            let expected = trace(model, Isa::Scalar(Scalar), &tokens);
            for layout in Layout::ALL {
                let packed = image.repacked(layout).expect("a small model");
                let model = packed.model().expect("a good image");
                assert_eq!(model.layout(), layout);
                for isa in Isa::available() {
                    let found = trace(model, isa, &tokens);
                    let what = format!("{}, {layout}, {}", model.net(), isa.name());
                    assert_eq!(found, expected, "{what}");
                }
                let back = packed.repacked(Layout::Rows).expect("it came from there");
                assert_eq!(back.bytes(), image.bytes());
            }
        }
    }
}

/// A tile kernel does cells two tiles at a time or one by one, as the first-level cache allows: LSTMs whose tiles are on all sides
/// of that, of 8 bits and of 4, with odd numbers of tiles and a last one that is not full.
#[test]
fn large_tiles_are_bit_identical() {
    for (layers, hidden) in [(1, 200), (1, 265), (1, 403), (2, 410)] {
        let net = stacked(Precision::Int8, 5, layers, LSTM.with_units(hidden));
        for net in [net, in_four_bits(net, 0..=layers)] {
            let image = gatelet_trainer::random::image(&net, false, 3, "test").expect("in range");
            let tokens = tokens(6, net.vocab());
            let expected = trace(image.model().expect("good"), Isa::Scalar(Scalar), &tokens);
            for isa in Isa::available() {
                let image = image.for_isa(isa).expect("a good image");
                let found = trace(image.model().expect("good"), isa, &tokens);
                let what = format!("{net}, {}", isa.name());
                assert_eq!(found, expected, "{what}");
            }
        }
    }
}

/// In f32 every kernel runs every layout too, and stays within the bound.
#[test]
fn f32_kernels_agree_within_the_bound() {
    for kind in [RNN, LSTM] {
        for (layers, hidden) in HIDDEN.into_iter().enumerate() {
            let (layers, vocab) = (1 + layers % 3, VOCABULARIES[layers % VOCABULARIES.len()]);
            let image = random(kind, Precision::F32, layers, hidden, vocab);
            let model = image.model().expect("a good image");
            let tokens = tokens(40, vocab);
            let expected = trace(model, Isa::Scalar(Scalar), &tokens);
            for layout in Layout::ALL {
                if layout == Layout::Pairs {
                    assert!(image.repacked(layout).is_err(), "it is for int8");
                    continue;
                }
                let packed = image.repacked(layout).expect("a small model");
                let model = packed.model().expect("a good image");
                for isa in Isa::available() {
                    let found = trace(model, isa, &tokens);
                    let worst = largest_difference(&found.logits, &expected.logits);
                    let what = format!("{}, {layout}, {}", model.net(), isa.name());
                    assert!(worst <= F32_BOUND, "{what}: {worst}");
                    let exact = matches!(isa, Isa::Scalar(_));
                    assert!(!exact || found == expected, "{what}: scalar is exact");
                }
                let back = packed.repacked(Layout::Rows).expect("it came from there");
                assert_eq!(back.bytes(), image.bytes());
            }
        }
    }
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Says which kernels this machine cannot test; one that `GATELET_REQUIRE_ISA` names (with commas between) must be there.
#[test]
fn kernels_that_are_missing_are_named() {
    let have: Vec<&str> = Isa::available().map(Isa::name).collect();
    let all = match std::env::consts::ARCH {
        "x86_64" => &["scalar", "portable", "thumb", "avx2", "avxvnni", "avx512"][..],
        "aarch64" => &["scalar", "portable", "thumb", "neon", "neondot"],
        _ => &["scalar", "portable", "thumb"],
    };
    for name in all.iter().filter(|name| !have.contains(name)) {
        println!("not tested, this machine lacks it: {name}");
    }
    assert!(have.iter().all(|name| all.contains(name)), "{have:?}");
    let required = std::env::var("GATELET_REQUIRE_ISA").unwrap_or_default();
    for name in required.split(',').filter(|name| !name.is_empty()) {
        assert!(
            have.contains(&name),
            "{name} is required, but there is {have:?}"
        );
    }
    assert_eq!(Isa::detect().name(), *have.last().expect("at least scalar"));
}

/// The default model over 4,096 characters of the held-out text: the hash is the one the firmware must print too.
#[test]
fn the_default_model_has_one_trace_on_every_kernel() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let bytes = std::fs::read(format!("{root}/firmware/models/default.gatelet"))
        .expect("the default model");
    let text = std::fs::read_to_string(format!("{root}/corpora/novels.txt")).expect("the corpus");
    let image = Image::from_bytes(&bytes);
    let model = Model::from_bytes(image.bytes()).expect("a good image");
    let text = &text[text.len() * 9 / 10..];
    let ids = text
        .chars()
        .take(4096)
        .map(|c| model.vocab().id_of(c).map(|id| id.0));
    let ids: Vec<u16> = ids
        .collect::<Option<_>>()
        .expect("characters of the corpus");
    let expected = trace(model, Isa::Scalar(Scalar), &ids);
    assert!(expected.logits.len() >= 2000);
    for isa in Isa::available() {
        let own = image.for_isa(isa).expect("a small model");
        for model in [model, own.model().expect("a good image")] {
            let found = trace(model, isa, &ids);
            assert_eq!(found.hash, expected.hash, "{}", isa.name());
        }
    }
}

/// Feeds every stream its own tokens; returns a hash and the last scores of each.
struct Streams<'a> {
    model: Model<'a>,
    /// `[streams, steps]`.
    tokens: &'a [Vec<u16>],
}

impl WithKernel for Streams<'_> {
    type Output = Vec<(u64, Vec<f32>)>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let streams = self.tokens.len();
        let mut memory = vec![7; streams * self.model.net().state_words()];
        let mut batch = Batch::new(&self.model, kernel, streams, &mut memory).expect("room enough");
        let mut hashes = vec![StateHash::new(); streams];
        for step in 0..self.tokens[0].len() {
            let ids: Vec<TokenId> = self.tokens.iter().map(|of| TokenId(of[step])).collect();
            batch.step(&ids).expect("tokens of the vocabulary");
            for (stream, hash) in hashes.iter_mut().enumerate() {
                batch.hash_into(stream, hash);
            }
        }
        assert!(batch.step(&[]).is_err());
        assert!(batch.logits(streams).is_none());
        let scores = |stream| {
            let logits = batch.logits(stream).expect("a stream");
            let ids = (0..logits.len() as u16).map(TokenId);
            ids.filter_map(|id| logits.get(id)).collect()
        };
        let hashes = hashes.into_iter().enumerate();
        hashes.map(|(s, hash)| (hash.finish(), scores(s))).collect()
    }
}

/// A batch is as many sessions: int8 bit for bit, f32 within the bound. 1 to 21 streams: less than a block, a whole one,
/// and one with a rest.
#[test]
fn a_batch_is_as_many_sessions() {
    for (kind, layers, hidden) in [(LSTM, 2, 17), (LSTM, 1, 33), (RNN, 2, 35)] {
        for precision in [Precision::Int8, Precision::F32] {
            let image = random(kind, precision, layers, hidden, 19);
            for isa in Isa::available() {
                let image = image.for_isa(isa).expect("a small model");
                let model = image.model().expect("a good image");
                for streams in [1, 2, 3, 4, 5, 8, 21] {
                    let tokens: Vec<Vec<u16>> = tokens(streams * 20, 19)
                        .chunks_exact(20)
                        .map(<[u16]>::to_vec)
                        .collect();
                    let found = isa.run(Streams {
                        model,
                        tokens: &tokens,
                    });
                    for ((hash, scores), tokens) in found.into_iter().zip(&tokens) {
                        let alone = trace(model, isa, tokens);
                        let last = alone.logits[19..].to_vec();
                        let off = largest_difference(&[scores], &last);
                        let what = format!("{}, {streams} streams, {}", model.net(), isa.name());
                        assert!(off <= F32_BOUND, "{what}: {off}");
                        if precision == Precision::Int8 {
                            assert_eq!((hash, off), (alone.hash, 0.0), "{what}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn snapshots_bring_a_state_back_and_reset_clears_it() {
    for precision in [Precision::F32, Precision::Int8] {
        let image = random(LSTM, precision, 2, 13, 11);
        let model = image.model().expect("a good image");
        let mut memory = storage(model.net());
        let mut session = Session::new(&model, Scalar, &mut memory).expect("room enough");
        let scores = |session: &Session<'_, '_, Scalar>| -> Vec<Option<f32>> {
            (0..11)
                .map(|id| session.logits().get(TokenId(id)))
                .collect()
        };
        let at_start = scores(&session);
        for id in tokens(20, 11) {
            session.step(TokenId(id)).expect("in range");
        }
        let mut snapshot = vec![0; model.net().snapshot_words()];
        session.snapshot(&mut snapshot).expect("the right length");
        let before = scores(&session);
        session.step(TokenId(3)).expect("in range");
        assert_ne!(scores(&session), before);
        session.restore(&snapshot).expect("the right length");
        assert_eq!(scores(&session), before, "{precision}");
        session.reset();
        assert_eq!(scores(&session), at_start, "{precision}");
        assert!(session.restore(&snapshot[1..]).is_err());
        assert!(session.step(TokenId(11)).is_err());
        assert_eq!(scores(&session), at_start, "a refused call changes nothing");
    }
}

#[test]
fn too_little_storage_is_refused_with_both_numbers() {
    let image = random(LSTM, Precision::Int8, 1, 16, 5);
    let model = image.model().expect("a good image");
    let need = model.net().state_words();
    let mut memory = vec![0; need - 1];
    let error = Session::new(&model, Scalar, &mut memory).expect_err("one word short");
    assert_eq!(
        error.to_string(),
        format!(
            "the state needs {need} words of 4 bytes, but the storage has {}",
            need - 1
        )
    );
    assert_eq!(Scalar::NAME, "scalar");
}
