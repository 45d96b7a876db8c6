//! Models with an embedding, a projection, a tied head or a vocabulary of words: every kernel in every layout against the
//! specification, a step against the text of docs/numerics.md, both precisions against each other, and damage.

use gatelet::net::{Capabilities, Kind, Net};
use gatelet::{
    Batch, Isa, Kernel, Layout, LoadError, Model, Only, Precision, Scalar, Session, SessionError,
    TokenId, Weights, WithKernel,
};
use gatelet_random::{LSTM, RNN, stacked, with_widths};
use gatelet_tests::{tokens, trace};
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::random;

/// docs/numerics.md: the largest difference of a logit between f32 kernels after 40 steps.
const F32_BOUND: f32 = 2e-4;

/// Embedding, projection, tied: all combinations, at widths on both sides of the edges of groups and tiles.
fn widths(hidden: usize) -> Vec<(usize, usize, bool)> {
    let mut all = vec![
        (0, 8, false),
        (7, 0, false),
        (16, 5, false),
        (33, 31, false),
    ];
    all.extend([4, 9, 17, 64].map(|width| (width, width, true)));
    if hidden >= 4 {
        all.push((hidden, 0, true));
    }
    all
}

fn nets(precision: Precision, vocab: usize, layers: usize, layer: Kind) -> Vec<Net> {
    let all = widths(layer.units()).into_iter();
    all.map(|widths| with_widths(precision, vocab, layers, layer, widths))
        .collect()
}

fn image(net: &Net, words: bool) -> Image {
    random::image(net, words, 7, "test").expect("a net that can be")
}

/// Nets of these cells: 1 to 3 layers, units and vocabularies around the edges.
fn all_nets(precision: Precision) -> Vec<Net> {
    let mut all = Vec::new();
    for kind in [RNN, LSTM] {
        for (index, hidden) in [1, 4, 7, 16, 33, 65].into_iter().enumerate() {
            let (layers, vocab) = (1 + index % 3, [9, 33, 3, 70, 32, 257][index]);
            all.extend(nets(precision, vocab, layers, kind.with_units(hidden)));
        }
    }
    all
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_layout_gives_the_same_bits_on_every_kernel() {
    for (index, net) in all_nets(Precision::Int8).into_iter().enumerate() {
        let image = image(&net, index % 2 == 0);
        let model = image.model().expect("a good image");
        let tokens = tokens(30, net.vocab());
        let expected = trace(model, Isa::Scalar(Scalar), &tokens);
        model
            .self_test(Scalar, &mut storage(&net))
            .expect("its own answer");
        for layout in Layout::ALL {
            let packed = image.repacked(layout).expect("a small model");
            let model = packed.model().expect("a good image");
            assert_eq!((model.layout(), *model.net()), (layout, net));
            for isa in Isa::available() {
                let found = trace(model, isa, &tokens);
                assert_eq!(found, expected, "{net}, {layout}, {}", isa.name());
            }
            for other in Layout::ALL {
                let again = packed.repacked(other).expect("a small model");
                let straight = image.repacked(other).expect("a small model");
                assert!(
                    again.bytes() == straight.bytes(),
                    "{net}: {layout}, {other}"
                );
            }
            let back = packed.repacked(Layout::Rows).expect("it came from there");
            assert!(back.bytes() == image.bytes(), "{net}, {layout}");
        }
    }
}

#[test]
fn f32_kernels_agree_within_the_bound() {
    for net in all_nets(Precision::F32) {
        let image = image(&net, true);
        let tokens = tokens(40, net.vocab());
        let model = image.model().expect("a good image");
        let expected = trace(model, Isa::Scalar(Scalar), &tokens);
        for layout in Layout::ALL.into_iter().filter(|&l| l != Layout::Pairs) {
            let packed = image.repacked(layout).expect("a small model");
            let model = packed.model().expect("a good image");
            for isa in Isa::available() {
                let found = trace(model, isa, &tokens);
                let off = largest_difference(&found.logits, &expected.logits);
                let what = format!("{net}, {layout}, {}", isa.name());
                assert!(off <= F32_BOUND, "{what}: {off}");
                assert!(!matches!(isa, Isa::Scalar(_)) || off == 0.0, "{what}");
            }
        }
    }
}

/// The f32 and the int8 image of a seed are one net (`random.rs`): scales and shifts mean what the text says.
#[test]
fn int8_is_near_f32() {
    for (int8, f32) in all_nets(Precision::Int8)
        .into_iter()
        .zip(all_nets(Precision::F32))
    {
        // A few steps: roundings of a recurrent net grow.
        let tokens = tokens(3, int8.vocab());
        let of = |net| {
            let image = image(net, true);
            let model = image.model().expect("a good image");
            trace(model, Isa::Scalar(Scalar), &tokens).logits
        };
        let (int8_logits, f32_logits) = (of(&int8), of(&f32));
        let largest = f32_logits
            .iter()
            .flatten()
            .fold(0.0_f32, |m, x| m.max(x.abs()));
        let off = largest_difference(&int8_logits, &f32_logits);
        assert!(off <= 0.08 * largest.max(1.0), "{int8}: {off} of {largest}");
    }
}

/// One step of an RNN by the text of docs/numerics.md, on vectors written out here.
#[test]
fn a_step_is_the_one_of_the_text() {
    let net = with_widths(Precision::Int8, 9, 1, RNN.with_units(5), (6, 6, true));
    let image = image(&net, true);
    let model = image.model().expect("a good image");
    let (Weights::EmbeddingInt8(table), Weights::DenseInt8(projection)) =
        (model.weights(0), model.weights(2))
    else {
        panic!("both are there, in int8");
    };
    let (Weights::CellInt8(layer), Weights::DenseInt8(head)) = (model.weights(1), model.weights(3))
    else {
        panic!("int8");
    };
    let round = |value: i64, shift: u32| (value + (1 << (shift - 1))) >> shift;
    let product = |row: &mut dyn Iterator<Item = i8>, x: &[i64]| -> i64 {
        row.zip(x).map(|(w, x)| i64::from(w) * x).sum()
    };
    let sat8 = |value: i64| value.clamp(-128, 127);
    let id = 4;
    let mut x: Vec<i64> = table
        .weights
        .row(id)
        .map(|e| {
            sat8(round(
                i64::from(e) * i64::from(table.multipliers[id]),
                table.shift,
            ))
        })
        .collect();
    assert!(x.iter().any(|&x| x != 0) && x.len() == 8 && x[6..] == [0, 0]);
    x.resize(16, 0); // the state before is zero
    let h: Vec<i64> = (0..5)
        .map(|unit| {
            let acc = product(&mut layer.weights.row(unit), &x);
            let z = round(acc * i64::from(layer.multipliers[unit]), layer.shift);
            let z = (i64::from(layer.input[unit]) + z).clamp(-32768, 32767) as i16;
            let t = gatelet::activation::piecewise(&gatelet::activation::TANH, z);
            sat8(round(t.into(), 4))
        })
        .chain([0; 3])
        .collect();
    let affine = |dense: &gatelet::DenseInt8<'_>, row: usize, x: &[i64]| {
        let of = dense.product;
        let acc = product(&mut of.weights.row(row), x);
        i64::from(dense.bias[row]) + round(acc * i64::from(of.multipliers[row]), of.shift)
    };
    let p: Vec<i64> = (0..6)
        .map(|row| sat8(round(affine(&projection, row, &h), 9)))
        .chain([0; 2])
        .collect();
    let mut memory = storage(&net);
    let mut session = Session::new(&model, Scalar, &mut memory).expect("room enough");
    let logits = session.step(TokenId(id as u16)).expect("in range");
    for row in 0..9 {
        let expected = affine(&head, row, &p);
        assert_eq!(
            logits.q16(TokenId(row as u16)).map(i64::from),
            Some(expected)
        );
    }
}

/// Feeds every stream its own tokens; returns the last scores of each.
struct Streams<'a>(Model<'a>, &'a [Vec<u16>]);

impl WithKernel for Streams<'_> {
    type Output = Vec<Vec<f32>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Streams(model, tokens) = self;
        let mut memory = vec![7; tokens.len() * model.net().state_words()];
        let mut batch = Batch::new(&model, kernel, tokens.len(), &mut memory).expect("room enough");
        for step in 0..tokens[0].len() {
            let ids: Vec<TokenId> = tokens.iter().map(|of| TokenId(of[step])).collect();
            batch.step(&ids).expect("tokens of the vocabulary");
        }
        let scores = |stream| {
            let logits = batch.logits(stream).expect("a stream");
            let ids = (0..logits.len() as u16).map(TokenId);
            ids.filter_map(|id| logits.get(id)).collect()
        };
        (0..tokens.len()).map(scores).collect()
    }
}

#[test]
fn a_batch_is_as_many_sessions() {
    for precision in [Precision::Int8, Precision::F32] {
        let all = nets(precision, 70, 2, LSTM.with_units(17));
        let rnns = nets(precision, 19, 1, RNN.with_units(35));
        for net in all.into_iter().chain(rnns) {
            let image = image(&net, true);
            for isa in Isa::available() {
                let image = image.for_isa(isa).expect("a small model");
                let model = image.model().expect("a good image");
                let tokens: Vec<Vec<u16>> = tokens(21 * 9, net.vocab())
                    .chunks_exact(9)
                    .map(<[u16]>::to_vec)
                    .collect();
                let found = isa.run(Streams(model, &tokens));
                for (scores, tokens) in found.into_iter().zip(&tokens) {
                    let alone = trace(model, isa, tokens);
                    let off = largest_difference(&[scores], &alone.logits[8..]);
                    let bound = if precision == Precision::Int8 {
                        0.0
                    } else {
                        F32_BOUND
                    };
                    assert!(off <= bound, "{net}, {}: {off}", isa.name());
                }
            }
        }
    }
}

#[test]
fn snapshots_hold_the_state_and_nothing_else() {
    for precision in [Precision::Int8, Precision::F32] {
        for net in nets(precision, 11, 2, LSTM.with_units(13)) {
            let image = image(&net, false);
            let model = image.model().expect("a good image");
            let mut memory = storage(&net);
            let mut session = Session::new(&model, Scalar, &mut memory).expect("room enough");
            let scores = |session: &Session<'_, '_, Scalar>| -> Vec<Option<f32>> {
                let ids = (0..11).map(TokenId);
                ids.map(|id| session.logits().get(id)).collect()
            };
            let at_start = scores(&session);
            for id in tokens(20, 11) {
                session.step(TokenId(id)).expect("in range");
            }
            let mut snapshot = vec![0; net.snapshot_words()];
            session.snapshot(&mut snapshot).expect("the right length");
            let before = scores(&session);
            let after = |session: &mut Session<'_, '_, Scalar>| {
                session.step(TokenId(3)).expect("in range");
                scores(session)
            };
            let expected = after(&mut session);
            assert_ne!(expected, before);
            session.restore(&snapshot).expect("the right length");
            assert_eq!(scores(&session), before, "{net}");
            assert_eq!(after(&mut session), expected, "{net}");
            // The state in a session of its own goes on alike: nothing else is carried over.
            let mut other = vec![0x5555_5555; net.state_words()];
            let mut other = Session::new(&model, Scalar, &mut other).expect("room enough");
            assert_eq!(scores(&other), at_start);
            other.restore(&snapshot).expect("the right length");
            assert_eq!(after(&mut other), expected, "{net}");
        }
    }
}

/// What a net of tokens, LSTMs and a head needs.
const PLAIN: u32 = Capabilities::TOKENS
    .and(Capabilities::LSTM)
    .and(Capabilities::DENSE)
    .and(Capabilities::INT8)
    .bits();

/// A kernel for plain models runs those, with the same bits, and refuses the others.
#[test]
fn a_plain_kernel_refuses_what_it_has_left_out() {
    let all = nets(Precision::Int8, 9, 1, LSTM.with_units(8));
    for net in &all {
        let image = image(net, false);
        let model = image.model().expect("a good image");
        let mut memory = storage(net);
        let kernel = Only::<Scalar, PLAIN>::default();
        let error = Session::new(&model, kernel, &mut memory).expect_err("not plain");
        let SessionError::Lacks { missing } = error else {
            panic!("{error}");
        };
        assert!(
            !missing.is_empty() && model.needs().has(missing),
            "{missing}"
        );
        assert!(Batch::new(&model, kernel, 1, &mut memory).is_err());
    }
    let plain = stacked(Precision::Int8, 9, 2, LSTM.with_units(8));
    let image = image(&plain, true);
    let model = image.model().expect("a good image");
    let mut memory = storage(&plain);
    model
        .self_test(Only::<Scalar, PLAIN>::default(), &mut memory)
        .expect("words need nothing of it");
}

/// The vocabulary's ids are the words' ranks, in every layout.
#[test]
fn words_come_back() {
    let plain = stacked(Precision::Int8, 300, 1, RNN.with_units(4));
    let image = image(&plain, true);
    for layout in Layout::ALL {
        let packed = image.repacked(layout).expect("a small model");
        let model = packed.model().expect("a good image");
        let vocab = model.vocab();
        let list = random::words(300);
        assert!(vocab.is_words() && vocab.words().map(|w| w.to_string()).eq(list.clone()));
        for (id, word) in list.iter().enumerate() {
            assert_eq!(vocab.id_of_word(word), Some(TokenId(id as u16)));
        }
        assert_eq!(vocab.id_of_word("xyz"), vocab.unknown());
        let range = vocab.with_prefix("ba");
        let expected = list.iter().filter(|word| word.starts_with("ba")).count();
        assert!(expected > 1 && range.len() == expected, "{range:?}");
    }
}

/// Images of words: all kinds of sections and layouts.
fn of_words() -> Vec<Image> {
    let all = |precision, layers, widths: (usize, usize, bool)| {
        let layer = LSTM.with_units(4);
        image(&with_widths(precision, 12, layers, layer, widths), true)
    };
    let packed = |image: &Image, layout| image.repacked(layout).expect("a small model");
    let tied = all(Precision::Int8, 1, (4, 4, true));
    let free = all(Precision::Int8, 2, (5, 0, false));
    let real = all(Precision::F32, 1, (4, 0, true));
    vec![
        packed(&tied, Layout::Pairs),
        packed(&tied, Layout::Tiles4),
        packed(&real, Layout::Tiles4),
        packed(&free, Layout::Pairs),
        tied,
        real,
        free,
    ]
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    for image in of_words() {
        for length in 0..image.bytes().len() {
            let cut = Image::from_bytes(&image.bytes()[..length]);
            assert!(Model::from_bytes(cut.bytes()).is_err(), "{length} bytes");
        }
        for bit in 0..image.bytes().len() * 8 {
            let mut bytes = image.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let flipped = Image::from_bytes(&bytes);
            let error = Model::from_bytes(flipped.bytes()).expect_err("one bit is wrong");
            assert!(!error.to_string().is_empty(), "bit {bit}");
        }
    }
}

/// CRC-32, bit by bit, written apart from the crate core uses.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

/// An image with a changed byte of its header, and the header's checksum mended.
fn forged(image: &Image, at: usize, value: u8) -> Image {
    let mut bytes = image.bytes().to_vec();
    let header_len = u32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes")) as usize;
    bytes[at] = value;
    let crc = crc32(&bytes[32..32 + header_len]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    Image::from_bytes(&bytes)
}

/// Somebody who changes a header byte and mends the checksum gets an error or a model that runs, and never a panic.
#[test]
fn forged_headers_never_panic() {
    for image in of_words() {
        let header_len =
            u32::from_le_bytes(image.bytes()[12..16].try_into().expect("4 bytes")) as usize;
        for (at, value) in (32..32 + header_len).flat_map(|at| (0..=255).map(move |v| (at, v))) {
            let forged = forged(&image, at, value);
            if let Ok(model) = Model::from_bytes(forged.bytes()) {
                let _ = model.self_test(Scalar, &mut storage(model.net()));
            }
        }
    }
}

/// The fields of the header: what each may not be is refused by its name.
#[test]
fn the_fields_have_ranges() {
    let layer = LSTM.with_units(4);
    let net = with_widths(Precision::Int8, 12, 1, layer, (4, 4, true));
    let image = image(&net, true);
    // Precision, layout, input, vocabulary, doubled, tokens, rules, operations: one byte each here. Then twelve for every
    // operation: embedding, LSTM, projection, head.
    let (tokens, rules) = (5, 6);
    let of = |operation: usize, field: usize| 8 + 12 * operation + field;
    let (kind, variant, units, bits, tied, shift) = (0, 1, 2, 3, 4, 5);
    assert_eq!(image.bytes()[32 + of(0, kind)..][..5], [1, 0, 4, 8, 0]);
    assert_eq!(image.bytes()[32 + of(3, kind)..][..5], [5, 0, 12, 8, 1]);
    for (at, value, said) in [
        (rules, 64, "text rules"),
        (rules, 2, "unknown token"),
        (tokens, 4, "tokens"),
        (of(0, kind), 0, "operation 0 is of kind 0"),
        (of(1, kind), 99, "operation 1 is of kind 99"),
        (of(1, variant), 2, "operation 1 is of kind 3, variant 2"),
        (of(2, variant), 5, "operation 2 has an elu or a softmax"),
        (of(2, variant), 7, "operation 2 is of kind 5, variant 7"),
        (of(0, units), 0, "operation 0 has 0 units"),
        (of(0, units), 5, "as many"),
        (of(0, bits), 4, "weights of 4 bits"),
        (of(1, bits), 3, "weights of 3 bits"),
        (of(3, tied), 2, "the embedding has 0"),
        (of(0, shift), 7, "shift is 7"),
        (of(0, shift), 32, "shift is 32"),
        (of(2, shift), 7, "shift is 7"),
        (of(1, 11), 2, "operation 1 reads what operation 1 makes"),
        (of(2, 11), 0, "operation 2 reads the token"),
    ] {
        let forged = forged(&image, 32 + at, value);
        let error = Model::from_bytes(forged.bytes()).expect_err("out of range");
        assert!(error.to_string().contains(said), "{at} {value}: {error}");
    }
    // Characters where words are: the section is not as long as it would have to be.
    let forged = forged(&image, 32 + tokens, 0);
    let error = Model::from_bytes(forged.bytes()).expect_err("no characters");
    assert!(matches!(error, LoadError::SectionLength { .. }), "{error}");
}
