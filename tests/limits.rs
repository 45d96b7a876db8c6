//! The limits that loading keeps: at their edges no sum overflows on any kernel, and just beyond
//! them a model is refused by the name of what is wrong. docs/numerics.md has the proofs.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec};
use gatelet::net::Net;
use gatelet::{Isa, KnownAnswer, Layout, LoadError, Precision, Provenance, Scalar, TextRules};
use gatelet_random::{RNN, with_widths};
use gatelet_tests::{Trace, trace};
use gatelet_trainer::image::Image;

/// A model of two characters from its numbers, in rows.
fn image(net: Net, operations: &[OperationSpec<'_>]) -> Image {
    let spec = ImageSpec {
        net,
        layout: Layout::Rows,
        vocab: VocabSpec::Characters(&['a', 'b']),
        features: FeatureSpec::default(),
        operations,
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules: TextRules::default(),
    };
    Image::write(&spec).expect("parts that fit together")
}

/// Why an image is refused, if it is.
fn load(image: &Image) -> Result<(), LoadError> {
    image.model().map(|_| ())
}

/// An RNN of four units and two characters, with an embedding and a projection of so many numbers.
fn rnn(precision: Precision, embedding: usize, projection: usize) -> Net {
    let widths = (embedding, projection, false);
    with_widths(precision, 2, 1, RNN.with_units(4), widths)
}

/// A layer whose h is -128 after every token: the most negative pre-activation, and no weights.
const SATURATED: OperationSpec<'_> =
    OperationSpec::cell_int8(&[i16::MIN; 8], MatrixSpec::int8(&[0; 16], &[0; 4], 24), 3);

/// The image of a head, or a projection before one, with these rows of four weights of so many
/// bits.
fn of_row(weight: i8, multiplier: i32, bias: i32, projected: bool, four: bool) -> Image {
    let (weights, multipliers, biases) = ([weight; 16], [multiplier; 4], [bias; 4]);
    let affine = |rows: usize| {
        let weights = MatrixSpec::int8(&weights[..4 * rows], &multipliers[..rows], 16);
        OperationSpec::dense_int8(weights, &biases[..rows])
    };
    let plain = MatrixSpec::int8(&[1; 8], &[1 << 16; 2], 24);
    let plain = OperationSpec::dense_int8(plain, &[0; 2]);
    match projected {
        true => {
            let net = rnn(Precision::Int8, 0, 4);
            image(net, &[SATURATED, affine(4), plain])
        }
        false => {
            let net = rnn(Precision::Int8, 0, 0);
            let bits = if four { 4 } else { 8 };
            image(net.with_bits(1, bits), &[SATURATED, affine(2)])
        }
    }
}

/// What every kernel gives in every layout, which is the same.
fn everywhere(image: &Image) -> Trace {
    let given = image.model().expect("an accepted model");
    let expected = trace(given, Isa::Scalar(Scalar), &[0, 1, 1]);
    for layout in Layout::ALL {
        let Ok(packed) = image.repacked(layout) else {
            assert_eq!(layout, Layout::Pairs, "other shifts than 24 are not for it");
            continue;
        };
        let model = packed.model().expect("an accepted model");
        for isa in Isa::available() {
            let found = trace(model, isa, &[0, 1, 1]);
            assert_eq!(found, expected, "{layout}, {}", isa.name());
        }
    }
    expected
}

/// The smallest image whose logit was 2^31: the rounding half had been left out of the limit.
#[test]
fn a_logit_of_two_to_the_31_is_refused() {
    for (four, weight, edge) in [(false, 127, 1_082_196_484), (true, 7, i32::MAX)] {
        for sign in [1, -1] {
            let with = |m, bias| of_row(-sign * weight, m, bias, false, four);
            if !four {
                let refused = with(edge, i32::from(sign) << 30);
                let error = refused.model().expect_err("2^31 is no int32");
                let text = "element 0 of section operation 1 multipliers is out of range";
                assert_eq!(error.to_string(), text);
            }
            let largest = if four { edge } else { edge - 1 };
            let found = everywhere(&with(largest, i32::from(sign) << 30));
            let logit = found.logits[2][0] * f32::from(sign);
            // 2^15 less one unit of 2^-16, which an f32 does not show; 4-bit sums are smaller.
            assert!(logit > if four { 1e4 } else { 32_767.0 }, "{logit}");
            let more = (1 << 30) + 1;
            let error = load(&with(largest, i32::from(sign) * more));
            let text = "element 0 of section operation 1 bias is out of range";
            assert_eq!(error.expect_err("a larger bias").to_string(), text);
        }
    }
}

#[test]
fn a_projection_has_the_limits_of_a_head() {
    let edge = 1_082_196_484;
    for sign in [1, -1] {
        let with = |m, bias| of_row(-sign * 127, m, bias, true, false);
        let error = load(&with(edge, i32::from(sign) << 30));
        let text = "element 0 of section operation 1 multipliers is out of range";
        assert_eq!(error.expect_err("2^31 is no int32").to_string(), text);
        let error = load(&with(edge - 1, i32::from(sign) * ((1 << 30) + 1)));
        let text = "element 0 of section operation 1 bias is out of range";
        assert_eq!(error.expect_err("a larger bias").to_string(), text);
        // It saturates at 1 as the head reads it, which has four weights of 1.
        let found = everywhere(&with(edge - 1, i32::from(sign) << 30));
        // round(4 * 127 / 256) and round(-4 * 128 / 256), in Q15.16.
        let expected = if sign > 0 { 2.0 } else { -2.0 };
        assert_eq!(found.logits[2][0], expected / 65_536.0);
    }
}

/// Pre-activations saturate: their limit is far beyond Q3.12.
#[test]
fn a_layer_at_its_limit_does_not_overflow() {
    let columns = 4;
    let largest = (((1_i64 << 54) - 1 - (1 << 23)) / (127 * 128 * columns)).min(i32::MAX.into());
    for input in [i16::MIN, i16::MAX] {
        let (input, multipliers) = ([input; 8], [largest as i32; 4]);
        let weights = MatrixSpec::int8(&[-127; 16], &multipliers, 24);
        let layer = OperationSpec::cell_int8(&input, weights, 3);
        let head = MatrixSpec::int8(&[1; 8], &[1 << 16; 2], 24);
        let head = OperationSpec::dense_int8(head, &[0; 2]);
        let found = everywhere(&image(rnn(Precision::Int8, 0, 0), &[layer, head]));
        assert_eq!(found.logits.len(), 3);
    }
}

/// An f32 model whose layer, projection and head have these weights everywhere.
fn float(layer: f32, projection: Option<f32>, head: f32, bias: f32) -> Image {
    let width = if projection.is_some() { 4 } else { 0 };
    let projection = projection.map(|weight| [weight; 16]);
    let projection = projection
        .as_ref()
        .map(|weights| OperationSpec::dense_f32(weights, &[0.0; 4]));
    let (weights, bias) = (
        [head, -head, head, head, head, head, head, -head],
        [bias, -bias],
    );
    let (input, layer) = ([3.0, -2.0, 1.0, -0.5, -3.0, 2.0, 0.25, 1.0], [layer; 16]);
    let layer = OperationSpec::cell_f32(&input, &layer);
    let head = OperationSpec::dense_f32(&weights, &bias);
    let all: Vec<_> = [Some(layer), projection, Some(head)]
        .into_iter()
        .flatten()
        .collect();
    image(rnn(Precision::F32, 0, width), &all)
}

/// Finite but huge weights became infinities or no numbers in some kernels, and not in others.
#[test]
fn huge_numbers_of_f32_are_refused_by_name() {
    for huge in [4096.1, 1e5, 1e20, 3.3e38, f32::MAX] {
        let refused = |image: Image| image.model().expect_err("huge weights").to_string();
        for weight in [huge, -huge] {
            let layer = refused(float(weight, None, 1.0, 0.0));
            assert!(
                layer.contains("row 0 of section operation 0 weights"),
                "{layer}"
            );
            let head = refused(float(1.0, None, weight, 0.0));
            assert!(
                head.contains("row 0 of section operation 1 weights"),
                "{head}"
            );
            let projection = refused(float(1.0, Some(weight), 1.0, 0.0));
            assert!(
                projection.contains("row 0 of section operation 1"),
                "{projection}"
            );
            let bias = refused(float(1.0, None, 1.0, 4.1 * weight));
            assert_eq!(
                bias,
                "element 0 of section operation 1 bias is out of range"
            );
        }
    }
    // A head after a projection reads more than 1: 4 * 4 * 1025.
    let error = load(&float(1.0, Some(4.0), 1025.0, 0.0));
    assert!(
        matches!(error, Err(LoadError::Sum { row: 0, .. })),
        "{error:?}"
    );
    assert!(float(1.0, Some(4.0), 255.0, 0.0).model().is_ok());
}

/// Two columns of an embedding are the operand of a layer: their product counts.
#[test]
fn an_embedding_counts_with_what_it_is_multiplied_by() {
    let net = rnn(Precision::F32, 4, 0);
    let with = |e: f32, w: f32| {
        let (table, weights) = ([e; 8], [w; 32]);
        let table = OperationSpec::table(MatrixSpec::f32(&table));
        let layer = OperationSpec::cell_f32(&[0.0; 4], &weights);
        let head = OperationSpec::dense_f32(&[1.0; 8], &[0.0; 2]);
        load(&image(net, &[table, layer, head]))
    };
    assert_eq!(with(1e3, 4.0), Ok(()));
    let product = "row 0 of section operation 1 weights";
    // A sum may read the table as it is, so its numbers have a limit of their own.
    let number = "element 0 of section operation 0 weights";
    for (e, w, part) in [
        (1e3, 5.0, product),
        (-1e3, 5.0, product),
        (1.0, 3e38, product),
        (16_385.0, 0.0, number),
        (3e38, 1.0, number),
        (-1e30, 1e30, number),
    ] {
        let error = with(e, w).expect_err("a number or product beyond the limit");
        let text = error.to_string();
        assert!(text.contains(part), "{e} {w}: {text}");
    }
    assert_eq!(with(16_384.0, 0.0), Ok(()));
}

/// No kernel multiplies a table's rows, so a layout for one shift asks nothing of the table's.
#[test]
fn an_embedding_has_any_shift_in_every_layout() {
    let net = rnn(Precision::Int8, 4, 0);
    let table = OperationSpec::table(MatrixSpec::int8(&[100; 8], &[1 << 7; 2], 8));
    let layer = OperationSpec::cell_int8(&[7; 4], MatrixSpec::int8(&[9; 32], &[1 << 24; 4], 24), 3);
    let head = MatrixSpec::int8(&[5; 8], &[1 << 16; 2], 24);
    let head = OperationSpec::dense_int8(head, &[0; 2]);
    let rows = image(net, &[table, layer, head]);
    for layout in Layout::ALL {
        let packed = rows.repacked(layout).expect("any layout");
        let again = packed.repacked(layout).expect("its own layout");
        assert!(packed.bytes() == again.bytes(), "{layout}");
    }
    everywhere(&rows);
}

/// What is accepted has the same best character on every kernel, unless two are as good within the
/// bound.
#[test]
fn large_numbers_of_f32_that_are_accepted_agree() {
    for (layer, projection, head) in [(4000.0, None, 4000.0), (1e3, Some(100.0), 10.0)] {
        let image = float(layer, projection, head, 16_384.0);
        let model = image.model().expect("within the limits");
        let expected = trace(model, Isa::Scalar(Scalar), &[0]);
        for isa in Isa::available() {
            let own = image.for_isa(isa).expect("a small model");
            let found = trace(own.model().expect("within the limits"), isa, &[0]);
            let (a, b) = (&found.logits[0], &expected.logits[0]);
            assert!(a.iter().all(|x| x.abs() < 32_768.0));
            // 2 (n + 8) 2^-24 of 2^15, and what layer and projection are off by.
            assert!(
                (a[0] - b[0]).abs() <= 0.5 && (a[1] - b[1]).abs() <= 0.5,
                "{a:?} {b:?}"
            );
            assert_eq!(a[0] > a[1], b[0] > b[1], "{}", isa.name());
        }
    }
}
