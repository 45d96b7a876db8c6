//! An image has one encoding: what a writer would not write is refused, though its checksums are
//! right.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec};
use gatelet::net::Net;
use gatelet::{
    KnownAnswer, Layout, LoadError, Model, Precision, Provenance, SectionKind, TextRules,
};
use gatelet_random::{LSTM, RNN, stacked};
use gatelet_tests::{crc32, random};
use gatelet_trainer::image::Image;

const PREAMBLE: usize = 32;

/// Puts another header into an image in rows.
fn with_header(image: &Image, header: &[u8]) -> Image {
    let bytes = image.bytes();
    let old = u32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes")) as usize;
    let data = (PREAMBLE + old).next_multiple_of(16);
    let mut forged = bytes[..PREAMBLE].to_vec();
    forged[12..16].copy_from_slice(&(header.len() as u32).to_le_bytes());
    forged[20..24].copy_from_slice(&crc32(header).to_le_bytes());
    forged.extend_from_slice(header);
    forged.resize(forged.len().next_multiple_of(16), 0);
    forged.extend_from_slice(&bytes[data..]);
    let total = forged.len() as u32;
    forged[16..20].copy_from_slice(&total.to_le_bytes());
    Image::from_bytes(&forged)
}

/// Why it is refused with another header, if it is.
fn load_with(image: &Image, header: &[u8]) -> Result<(), LoadError> {
    with_header(image, header).model().map(|_| ())
}

fn header(image: &Image) -> &[u8] {
    let bytes = image.bytes();
    let len = u32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes")) as usize;
    &bytes[PREAMBLE..PREAMBLE + len]
}

/// Every number of the header in a byte more than it needs: the same values to a decoder, and
/// another image.
#[test]
fn a_number_in_more_bytes_than_it_needs_is_refused() {
    let image = random(LSTM, Precision::Int8, 2, 3, 4);
    let good = header(&image).to_vec();
    assert!(load_with(&image, &good).is_ok());
    let mut numbers = 0;
    for at in 0..good.len() {
        // What ends a number, or is a byte by itself: with the high bit and a zero after it, it is
        // the same number.
        if good[at] >= 0x80 {
            continue;
        }
        let mut long = good.clone();
        long[at] |= 0x80;
        long.insert(at + 1, 0);
        let error = load_with(&image, &long).expect_err("longer");
        numbers += usize::from(error == LoadError::HeaderEncoding);
    }
    assert!(numbers > 60, "{numbers}");
    // Bytes after the last field.
    let mut more = good;
    more.push(0);
    let error = load_with(&image, &more);
    assert_eq!(error.expect_err("a byte more"), LoadError::HeaderEncoding);
}

/// What has no scale has zeros in the place of one: an f32 model, and layers that are not there.
#[test]
fn scales_of_what_is_not_there_are_zero() {
    // Precision, layout, input, vocabulary, doubled features, tokens, rules and the number of
    // operations are a byte each; an operation has kind, variant, units, bits and tied before its
    // three shifts.
    const SHIFTS: usize = 8 + 5;
    for (precision, first) in [(Precision::F32, 0), (Precision::Int8, 1)] {
        let image = random(LSTM, precision, 1, 3, 4);
        for at in SHIFTS + first..SHIFTS + 3 {
            let mut forged = header(&image).to_vec();
            assert_eq!(forged[at], 0);
            forged[at] = 8;
            let error = load_with(&image, &forged);
            assert_eq!(
                error.expect_err("a scale"),
                LoadError::HeaderEncoding,
                "{at}"
            );
        }
    }
    let image = random(RNN, Precision::Int8, 1, 3, 4);
    let mut forged = header(&image).to_vec();
    let bits = SHIFTS + 3;
    assert_eq!(forged[bits], 3);
    forged[bits] = 4;
    let error = load_with(&image, &forged);
    assert!(
        matches!(error, Err(LoadError::Field { .. })),
        "an RNN has no cell state"
    );
}

/// Columns that only make a row's length a multiple of four are zero, in every layout.
#[test]
fn a_number_in_a_padding_column_is_refused() {
    for precision in [Precision::Int8, Precision::F32] {
        let net = stacked(precision, 2, 2, RNN.with_units(3));
        for layout in Layout::ALL {
            for (which, padding) in [
                (None, 0),
                (Some(0), 3),
                (Some(1), 3),
                (Some(1), 7),
                (Some(2), 3),
            ] {
                let found = with_padding(net, layout, which, padding);
                match (which, layout.check(&net)) {
                    (_, Err(_)) => continue,
                    (None, Ok(())) => assert!(found.is_ok(), "{layout}"),
                    (Some(which), Ok(())) => {
                        let Err(LoadError::Value { section, .. }) = found else {
                            panic!("{precision}, {layout}, {which}, column {padding}: {found:?}");
                        };
                        assert_eq!(section.kind, SectionKind::Weights);
                        assert_eq!(section.operation, Some(which));
                    }
                }
            }
        }
    }
}

/// An RNN of two layers of three units; in layer `which`, or in the head if that is 2, this column
/// of the last row is -0.0 or 1.
fn with_padding(
    net: Net,
    layout: Layout,
    which: Option<usize>,
    column: usize,
) -> Result<(), LoadError> {
    let (mut real, mut int8) = (
        [vec![0.0; 12], vec![0.0; 24], vec![0.0; 8]],
        [vec![0; 12], vec![0; 24], vec![0; 8]],
    );
    if let Some(which) = which {
        let columns = if which == 1 { 8 } else { 4 };
        let at = real[which].len() - columns + column;
        real[which][at] = -0.0;
        int8[which][at] = 1;
    }
    let float = net.precision == Precision::F32;
    let layer = |index: usize| match float {
        true => OperationSpec::cell_f32(&[0.0; 6][index * 3..], &real[index]),
        false => {
            let weights = MatrixSpec::int8(&int8[index], &[1; 3], 24);
            OperationSpec::cell_int8(&[0; 6][index * 3..], weights, 3)
        }
    };
    let head = match float {
        true => OperationSpec::dense_f32(&real[2], &[0.0; 2]),
        false => OperationSpec::dense_int8(MatrixSpec::int8(&int8[2], &[1; 2], 24), &[0; 2]),
    };
    let spec = ImageSpec {
        net,
        layout,
        vocab: VocabSpec::Characters(&['a', 'b']),
        features: FeatureSpec::default(),
        operations: &[layer(0), layer(1), head],
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules: TextRules::default(),
    };
    let Ok(image) = Image::write(&spec) else {
        return Ok(());
    };
    Model::from_bytes(image.bytes()).map(|_| ())
}

/// Where a tile has no row there are zeros, and -0.0 is not one: its bits are not.
#[test]
fn negative_zero_is_no_padding() {
    let image = random(LSTM, Precision::F32, 1, 3, 4);
    let image = image.repacked(Layout::Tiles4).expect("a small model");
    let model = image.model().expect("a good image");
    let mut refused = 0;
    for section in model.sections().filter(|s| s.bytes > 0) {
        // The last number of a section of tiles stands for no row: three units, four characters.
        let end = section.offset + section.bytes;
        if matches!(
            section.name.kind,
            SectionKind::Vocabulary | SectionKind::KnownAnswer
        ) {
            continue;
        }
        let mut bytes = image.bytes().to_vec();
        assert_eq!(bytes[end - 4..end], [0; 4], "{}", section.name);
        bytes[end - 1] = 0x80;
        let new = crc32(&bytes[section.offset..end]);
        let forged = resealed(&bytes, section.crc32, new);
        let Err(LoadError::Value { section: found, .. }) = forged.model() else {
            panic!("{}: {:?}", section.name, forged.model().map(|_| ()));
        };
        assert_eq!(found, section.name);
        refused += 1;
    }
    assert_eq!(refused, 4, "input, weights, head weights and bias");
}

/// The image with one checksum in the place of another; the header may become longer or shorter.
fn resealed(bytes: &[u8], old: u32, new: u32) -> Image {
    let varint = |mut value: u32| {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let (old, new) = (varint(old), varint(new));
    let len = u32::from_le_bytes(bytes[12..16].try_into().expect("4 bytes")) as usize;
    let mut header = bytes[PREAMBLE..PREAMBLE + len].to_vec();
    let place = header.windows(old.len()).position(|w| w == old);
    let place = place.expect("the checksum is there");
    header.splice(place..place + old.len(), new);
    let data = (PREAMBLE + len).next_multiple_of(64);
    let mut forged = bytes[..PREAMBLE].to_vec();
    forged[12..16].copy_from_slice(&(header.len() as u32).to_le_bytes());
    forged[20..24].copy_from_slice(&crc32(&header).to_le_bytes());
    forged.extend_from_slice(&header);
    forged.resize(forged.len().next_multiple_of(64), 0);
    forged.extend_from_slice(&bytes[data..]);
    let total = forged.len() as u32;
    forged[16..20].copy_from_slice(&total.to_le_bytes());
    Image::from_bytes(&forged)
}
