//! Models with 4-bit weights: the same bits as the int8 model of the same integers, on every kernel and in every layout;
//! half the bytes; and damage.

use gatelet::WriteError;
use gatelet::error::NetError;
use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec};
use gatelet::net::{Capabilities, Kind, Net};
use gatelet::{
    Int4, Isa, Kernel, KnownAnswer, Layout, LoadError, Model, Only, Portable, Precision,
    Provenance, Scalar, TextRules, Thumb, Weights,
};
use gatelet_random::{LSTM, RNN, in_four_bits, stacked, with_widths};
use gatelet_tests::{crc32, tokens, trace, trace_with};
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::random;

/// Of a plain net of so many layers: all of it, the layers alone, the head alone, and every second
/// layer with the head.
fn choices(net: Net, layers: usize) -> [Net; 4] {
    [
        in_four_bits(net, 0..=layers),
        in_four_bits(net, 0..layers),
        in_four_bits(net, [layers]),
        in_four_bits(net, (0..layers).filter(|l| l % 2 == 1).chain([layers])),
    ]
}

/// Layers, units and vocabularies around the edges of words of eight columns and blocks of four
/// rows.
fn plain_nets() -> Vec<Net> {
    let mut nets = Vec::new();
    for kind in [RNN, LSTM] {
        for (index, hidden) in [1, 3, 4, 7, 8, 12, 16, 17, 33, 65].into_iter().enumerate() {
            let (layers, vocab) = (1 + index % 3, [9, 2, 33, 3, 70, 5, 32, 257, 8, 81][index]);
            let plain = stacked(Precision::Int8, vocab, layers, kind.with_units(hidden));
            nets.extend(choices(plain, layers));
        }
    }
    nets
}

/// Nets with an embedding or a projection: two layers and the head, if it is not tied, have 4 bits.
fn wide_nets() -> [Net; 3] {
    [(12, 12, true), (9, 0, false), (0, 13, false)].map(|widths| {
        let net = with_widths(Precision::Int8, 50, 2, LSTM.with_units(20), widths);
        let (first, head) = (usize::from(widths.0 > 0), net.len() - 1);
        let head = (!widths.2).then_some(head);
        in_four_bits(net, [first, first + 1].into_iter().chain(head))
    })
}

/// An LSTM or another of so many layers and its head, all of 4 bits.
fn four(kind: Kind, layers: usize, hidden: usize, vocab: usize) -> Net {
    let plain = stacked(Precision::Int8, vocab, layers, kind.with_units(hidden));
    in_four_bits(plain, 0..=layers)
}

/// The same with 8 bits a weight.
fn eight(net: &Net) -> Net {
    (0..net.len()).fold(*net, |net, index| net.with_bits(index, 8))
}

fn image(net: &Net) -> Image {
    random::image(net, false, 7, "test").expect("a net that can be")
}

/// The same numbers with 8 bits a weight.
fn in_eight_bits(model: &Model<'_>) -> Image {
    with_shifts(model, eight(model.net()), Layout::Rows, None).expect("an image")
}

/// A plain net's numbers with other weight bits and another layout, and with other shifts of layers and head if they are given:
/// another net then.
fn with_shifts(
    model: &Model<'_>,
    net: Net,
    layout: Layout,
    shifts: Option<[u8; 2]>,
) -> Result<Image, WriteError> {
    let layers = net.recurrent_count();
    assert_eq!(net.len(), layers + 1, "a plain net");
    let rows = |matrix: gatelet::matrix::MatrixInt8<'_>, rows: usize| -> Vec<i8> {
        (0..rows).flat_map(|row| matrix.row(row)).collect()
    };
    let rows_of = |index| net.matrix(index, 0).map_or(0, |(rows, _)| rows);
    let cells: Vec<_> = (0..layers)
        .filter_map(|index| match model.weights(index) {
            Weights::CellInt8(layer) => Some((layer, rows(layer.weights, rows_of(index)))),
            _ => None,
        })
        .collect();
    let Weights::DenseInt8(head) = model.weights(layers) else {
        panic!("an int8 model");
    };
    let product = head.product;
    // A quarter leaves the sums the room that a smaller shift takes.
    let quarter = if shifts.is_some() { 2 } else { 0 };
    let multipliers: Vec<i32> = product.multipliers.iter().map(|m| m >> quarter).collect();
    let head_weights = rows(product.weights, net.vocab());
    let shift = shifts.map_or(product.shift as u8, |[_, shift]| shift);
    let weights = MatrixSpec::int8(&head_weights, &multipliers, shift);
    let specs: Vec<OperationSpec<'_>> = cells
        .iter()
        .map(|(layer, weights)| {
            let shift = shifts.map_or(layer.shift as u8, |[shift, _]| shift);
            let weights = MatrixSpec::int8(weights, layer.multipliers, shift);
            OperationSpec::cell_int8(layer.input, weights, layer.cell_bits as u8)
        })
        .chain([OperationSpec::dense_int8(weights, head.bias)])
        .collect();
    let characters: Vec<char> = model.vocab().chars().collect();
    let spec = ImageSpec {
        net,
        layout,
        vocab: VocabSpec::Characters(&characters),
        features: FeatureSpec::default(),
        operations: &specs,
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules: TextRules::default(),
    };
    Image::write(&spec)
}

#[test]
fn every_kernel_and_layout_has_the_bits_of_the_int8_model() {
    let plain = plain_nets().into_iter().map(|net| (net, true));
    for (net, is_plain) in plain.chain(wide_nets().map(|net| (net, false))) {
        let image = image(&net);
        let model = image.model().expect("a good image");
        assert_eq!(*model.net(), net);
        let tokens = tokens(30, net.vocab());
        let expected = trace(model, Isa::Scalar(Scalar), &tokens);
        if is_plain {
            let eight = in_eight_bits(&model);
            let eight = eight.model().expect("a good image");
            assert_eq!(
                trace(eight, Isa::Scalar(Scalar), &tokens),
                expected,
                "{net}"
            );
        }
        model
            .self_test(Scalar, &mut storage(&net))
            .expect("its own answer");
        for layout in Layout::ALL {
            let packed = image.repacked(layout).expect("a small model");
            let model = packed.model().expect("a good image");
            assert_eq!((*model.net(), model.layout()), (net, layout));
            for isa in Isa::available() {
                let found = trace(model, isa, &tokens);
                assert_eq!(found, expected, "{net}, {layout}, {}", isa.name());
            }
            with_nibbles(model, &tokens, &expected, Portable);
            with_nibbles(model, &tokens, &expected, Thumb);
            if is_plain {
                const NEEDS: u32 = Capabilities::ALL.without(Capabilities::EMBEDDING).bits();
                let kernel = Int4::<Only<Thumb, NEEDS>>::default();
                assert_eq!(trace_with(model, kernel, &tokens), expected);
            }
            let back = packed.repacked(Layout::Rows).expect("it came from there");
            assert!(back.bytes() == image.bytes(), "{net}, {layout}");
        }
    }
}

/// `Int4<K>` beside `K`.
fn with_nibbles<K: Kernel + Default>(
    model: Model<'_>,
    tokens: &[u16],
    expected: &gatelet_tests::Trace,
    _: K,
) {
    let found = trace_with(model, Int4::<K>::default(), tokens);
    assert_eq!(
        &found,
        expected,
        "{}, {}, {}",
        model.net(),
        model.layout(),
        K::NAME
    );
}

#[test]
fn pairs_of_four_bits_take_shifts_of_20_to_24() {
    for (kind, hidden, vocab) in [(LSTM, 17, 9), (RNN, 66, 33)] {
        let net = four(kind, 2, hidden, vocab);
        let image = image(&net);
        let model = image.model().expect("a good image");
        let tokens = tokens(20, vocab);
        let mut hashes = Vec::new();
        for shifts in [[20, 24], [24, 20], [21, 23], [22, 22]] {
            let rows = with_shifts(&model, net, Layout::Rows, Some(shifts)).expect("a good net");
            let expected = trace(rows.model().expect("good"), Isa::Scalar(Scalar), &tokens);
            let pairs = with_shifts(&model, net, Layout::Pairs, Some(shifts)).expect("in range");
            assert!(pairs.bytes() == rows.repacked(Layout::Pairs).expect("in range").bytes());
            let pairs = pairs.model().expect("a good image");
            for isa in Isa::available() {
                assert_eq!(trace(pairs, isa, &tokens), expected, "{shifts:?}");
            }
            with_nibbles(pairs, &tokens, &expected, Thumb);
            hashes.push(expected);
        }
        assert!(
            hashes.windows(2).all(|two| two[0] != two[1]),
            "shifts do something"
        );
        for shifts in [[19, 24], [25, 24], [24, 19], [24, 25]] {
            let rows = with_shifts(&model, net, Layout::Rows, Some(shifts)).expect("a good net");
            for error in [
                with_shifts(&model, net, Layout::Pairs, Some(shifts)).map_err(|e| e.to_string()),
                rows.repacked(Layout::Pairs).map_err(|e| e.to_string()),
            ] {
                let error = error.map(|_| ()).expect_err("no such shift");
                assert!(error.contains("shifts of 20 to 24, but one is"), "{error}");
            }
        }
        // With 8 bits nothing but 24 is left.
        let error = with_shifts(&model, eight(&net), Layout::Pairs, Some([24, 23])).map(|_| ());
        let error = error.expect_err("no such shift").to_string();
        assert!(error.contains("shifts of 24, but one is 23"), "{error}");
    }
}

#[test]
fn a_weight_takes_half_a_byte() {
    let net = four(LSTM, 1, 128, 64);
    let (rows, weights) = (4 * 128 + 64, 4 * 128 * 128 + 64 * 128);
    for layout in [Layout::Rows, Layout::Pairs] {
        let (four, eight) = (image(&net), image(&self::eight(&net)));
        let bytes = |image: &Image| image.repacked(layout).expect("small").bytes().len();
        let saved = bytes(&eight) - bytes(&four);
        // Pairs of int8 weights have two words more for every four rows.
        let heads = if layout == Layout::Pairs { rows * 2 } else { 0 };
        assert!(
            saved.abs_diff(weights / 2 + heads) < 64,
            "{layout}: {saved}"
        );
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let net = four(RNN, 1, 5, 3);
    for layout in [Layout::Rows, Layout::Pairs, Layout::Tiles4] {
        let good = image(&net).repacked(layout).expect("small");
        for length in 0..good.bytes().len() {
            let cut = Image::from_bytes(&good.bytes()[..length]);
            assert!(cut.model().is_err(), "{length} bytes");
        }
        for bit in 0..8 * good.bytes().len() {
            let mut bytes = good.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Image::from_bytes(&bytes).model().is_err(), "bit {bit}");
        }
    }
}

#[test]
fn nets_that_cannot_have_them_are_refused() {
    let with = |precision, widths| with_widths(precision, 40, 2, LSTM.with_units(16), widths);
    let plain = with(Precision::Int8, (0, 0, false));
    let net = plain.with_bits(1, 4);
    assert!(net.checked().is_ok());
    for (net, operation) in [
        (with(Precision::F32, (0, 0, false)), 0),
        (with(Precision::Int8, (16, 0, true)), 0),
        (with(Precision::Int8, (16, 0, true)), 3),
    ] {
        let error = net.with_bits(operation, 4).checked();
        let found = 4;
        assert_eq!(error, Err(NetError::Bits { operation, found }));
    }
    // A header that says so is refused too: the bits are the first operation's fourth number.
    let image = image(&net);
    let mut bytes = image.bytes().to_vec();
    let header_len = u32::from_le_bytes(*bytes[12..].first_chunk().expect("a preamble")) as usize;
    let bits = 32 + 8 + 3;
    assert_eq!(bytes[bits], 8);
    bytes[bits] = 5;
    let crc = crc32(&bytes[32..32 + header_len]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    let error = Image::from_bytes(&bytes)
        .model()
        .map(|_| ())
        .expect_err("no such layer");
    assert!(matches!(error, LoadError::Net(_)), "{error}");
}
