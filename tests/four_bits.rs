//! Models with 4-bit weights: the same bits as the int8 model of the same integers, on every kernel and in every layout;
//! half the bytes; and damage.

use gatelet::WriteError;
use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec};
use gatelet::net::Capabilities;
use gatelet::{
    Cell, Dims, FourBits, Int4, Isa, Kernel, KnownAnswer, Layout, LoadError, Model, Only, Portable,
    Precision, Provenance, Scalar, TextRules, Thumb, Weights,
};
use gatelet_tests::{crc32, tokens, trace, trace_with};
use gatelet_trainer::image::LanguageModel as _;
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::random;

/// All of a model, the layers alone, the head alone, and every second layer.
fn choices(layers: usize) -> Vec<FourBits> {
    let some = |of: fn(usize) -> bool, head| {
        FourBits::new(
            std::array::from_fn(|layer| layer < layers && of(layer)),
            head,
        )
    };
    vec![
        some(|_| true, true),
        some(|_| true, false),
        some(|_| false, true),
        some(|layer| layer % 2 == 1, true),
    ]
}

/// Layers, units and vocabularies around the edges of words of eight columns and blocks of four rows.
fn shapes() -> Vec<Dims> {
    let mut shapes = Vec::new();
    for cell in [Cell::Rnn, Cell::Lstm] {
        for (index, hidden) in [1, 3, 4, 7, 8, 12, 16, 17, 33, 65].into_iter().enumerate() {
            let (layers, vocab) = (1 + index % 3, [9, 2, 33, 3, 70, 5, 32, 257, 8, 81][index]);
            let plain = Dims::new(cell, Precision::Int8, layers, hidden, vocab).expect("in range");
            let with = |four_bits| plain.with_four_bits(four_bits).expect("its own matrices");
            shapes.extend(choices(layers).into_iter().map(with));
        }
    }
    let words = Dims::new(Cell::Lstm, Precision::Int8, 2, 20, 50).expect("in range");
    for (embedding, projection, tied) in [(12, 12, true), (9, 0, false), (0, 13, false)] {
        let dims = words
            .with_widths(embedding, projection, tied)
            .expect("in range");
        let four_bits = FourBits::new([true, true, false, false], !tied);
        shapes.push(dims.with_four_bits(four_bits).expect("its own matrices"));
    }
    shapes
}

fn image(dims: Dims) -> Image {
    random::image(&dims.net(), false, 7, "test").expect("a shape in range")
}

/// The same numbers with 8 bits a weight.
fn in_eight_bits(model: &Model<'_>) -> Image {
    let dims = model.dims().with_four_bits(FourBits::NONE).expect("fewer");
    with_shifts(model, dims, Layout::Rows, None).expect("an image")
}

/// A plain net's numbers with other weight bits and another layout, and with other shifts of layers and head if they are given:
/// another net then.
fn with_shifts(
    model: &Model<'_>,
    dims: Dims,
    layout: Layout,
    shifts: Option<[u8; 2]>,
) -> Result<Image, WriteError> {
    assert_eq!((dims.embedding, dims.projection), (0, 0), "a plain net");
    let rows = |matrix: gatelet::matrix::MatrixInt8<'_>, rows: usize| -> Vec<i8> {
        (0..rows).flat_map(|row| matrix.row(row)).collect()
    };
    let layers: Vec<_> = (0..dims.layers)
        .filter_map(|layer| match model.weights(layer) {
            Weights::CellInt8(layer) => Some((layer, rows(layer.weights, dims.rows()))),
            _ => None,
        })
        .collect();
    let Weights::DenseInt8(head) = model.weights(dims.layers) else {
        panic!("an int8 model");
    };
    let product = head.product;
    // A quarter leaves the sums the room that a smaller shift takes.
    let quarter = if shifts.is_some() { 2 } else { 0 };
    let multipliers: Vec<i32> = product.multipliers.iter().map(|m| m >> quarter).collect();
    let head_weights = rows(product.weights, dims.vocab);
    let shift = shifts.map_or(product.shift as u8, |[_, shift]| shift);
    let weights = MatrixSpec::int8(&head_weights, &multipliers, shift);
    let specs: Vec<OperationSpec<'_>> = layers
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
        net: dims.net(),
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
    for dims in shapes() {
        let image = image(dims);
        let model = image.model().expect("a good image");
        assert_eq!(model.dims(), dims);
        let tokens = tokens(30, dims.vocab);
        let expected = trace(model, Isa::Scalar(Scalar), &tokens);
        if dims.is_plain() {
            let eight = in_eight_bits(&model);
            let eight = eight.model().expect("a good image");
            assert_eq!(
                trace(eight, Isa::Scalar(Scalar), &tokens),
                expected,
                "{dims:?}"
            );
        }
        model
            .self_test(Scalar, &mut storage(&dims.net()))
            .expect("its own answer");
        for layout in Layout::ALL {
            let packed = image.repacked(layout).expect("a small model");
            let model = packed.model().expect("a good image");
            assert_eq!((model.dims(), model.layout()), (dims, layout));
            for isa in Isa::available() {
                let found = trace(model, isa, &tokens);
                assert_eq!(found, expected, "{dims:?}, {layout}, {}", isa.name());
            }
            with_nibbles(model, &tokens, &expected, Portable);
            with_nibbles(model, &tokens, &expected, Thumb);
            if dims.is_plain() {
                const NEEDS: u32 = Capabilities::ALL.without(Capabilities::EMBEDDING).bits();
                let kernel = Int4::<Only<Thumb, NEEDS>>::default();
                assert_eq!(trace_with(model, kernel, &tokens), expected);
            }
            let back = packed.repacked(Layout::Rows).expect("it came from there");
            assert!(back.bytes() == image.bytes(), "{dims:?}, {layout}");
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
        "{:?}, {}, {}",
        model.dims(),
        model.layout(),
        K::NAME
    );
}

#[test]
fn pairs_of_four_bits_take_shifts_of_20_to_24() {
    for (cell, hidden, vocab) in [(Cell::Lstm, 17, 9), (Cell::Rnn, 66, 33)] {
        let dims = Dims::new(cell, Precision::Int8, 2, hidden, vocab).expect("in range");
        let all = FourBits::new([true, true, false, false], true);
        let dims = dims.with_four_bits(all).expect("its own matrices");
        let image = image(dims);
        let model = image.model().expect("a good image");
        let tokens = tokens(20, vocab);
        let mut hashes = Vec::new();
        for shifts in [[20, 24], [24, 20], [21, 23], [22, 22]] {
            let rows = with_shifts(&model, dims, Layout::Rows, Some(shifts)).expect("a good net");
            let expected = trace(rows.model().expect("good"), Isa::Scalar(Scalar), &tokens);
            let pairs = with_shifts(&model, dims, Layout::Pairs, Some(shifts)).expect("in range");
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
            let rows = with_shifts(&model, dims, Layout::Rows, Some(shifts)).expect("a good net");
            for error in [
                with_shifts(&model, dims, Layout::Pairs, Some(shifts)).map_err(|e| e.to_string()),
                rows.repacked(Layout::Pairs).map_err(|e| e.to_string()),
            ] {
                let error = error.map(|_| ()).expect_err("no such shift");
                assert!(error.contains("shifts of 20 to 24, but one is"), "{error}");
            }
        }
        // With 8 bits nothing but 24 is left.
        let eight = dims.with_four_bits(FourBits::NONE).expect("fewer");
        let error = with_shifts(&model, eight, Layout::Pairs, Some([24, 23])).map(|_| ());
        let error = error.expect_err("no such shift").to_string();
        assert!(error.contains("shifts of 24, but one is 23"), "{error}");
    }
}

#[test]
fn a_weight_takes_half_a_byte() {
    let plain = Dims::new(Cell::Lstm, Precision::Int8, 1, 128, 64).expect("in range");
    let all = FourBits::new([true, false, false, false], true);
    let dims = plain.with_four_bits(all).expect("its own matrices");
    let weights = plain.rows() * plain.columns(0) + plain.vocab * plain.head_columns();
    for layout in [Layout::Rows, Layout::Pairs] {
        let (four, eight) = (image(dims), image(plain));
        let bytes = |image: &Image| image.repacked(layout).expect("small").bytes().len();
        let saved = bytes(&eight) - bytes(&four);
        // Pairs of int8 weights have two words more for every four rows.
        let heads = if layout == Layout::Pairs {
            (plain.rows() + plain.vocab) * 2
        } else {
            0
        };
        assert!(
            saved.abs_diff(weights / 2 + heads) < 64,
            "{layout}: {saved}"
        );
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let dims = Dims::new(Cell::Rnn, Precision::Int8, 1, 5, 3).expect("in range");
    let all = FourBits::new([true, false, false, false], true);
    let dims = dims.with_four_bits(all).expect("its own matrices");
    for layout in [Layout::Rows, Layout::Pairs, Layout::Tiles4] {
        let good = image(dims).repacked(layout).expect("small");
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
fn shapes_that_cannot_have_them_are_refused() {
    let layer = |layer: usize| FourBits::new(std::array::from_fn(|l| l == layer), false);
    let head = FourBits::new([false; 4], true);
    let dims = |precision| Dims::new(Cell::Lstm, precision, 2, 16, 40).expect("in range");
    assert!(dims(Precision::Int8).with_four_bits(layer(1)).is_ok());
    for (dims, four_bits) in [
        (dims(Precision::F32), layer(0)),
        (dims(Precision::Int8), layer(2)),
        (
            dims(Precision::Int8)
                .with_widths(16, 0, true)
                .expect("tied"),
            head,
        ),
    ] {
        let error = dims.with_four_bits(four_bits).expect_err("cannot be");
        assert!(error.to_string().contains("4-bit weights are"), "{error}");
    }
    // A header that says so is refused too: the bits are the first operation's fourth number.
    let with = dims(Precision::Int8)
        .with_four_bits(layer(1))
        .expect("its own");
    let image = image(with);
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
