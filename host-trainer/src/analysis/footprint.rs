//! What a net will need on a device, before it is trained: the size of its image follows from its shape.
//!
//! ```text
//! flash   preamble + header (with the names in it) + sections        core's writer, asked for an image without numbers
//! RAM     state, scratch and logits of a session                     Net::state_words
//! work    multiply-accumulates a character                           Net::macs_per_step
//! ```
//! Of the layouts that a device may get, rows and the pairs of a Cortex-M4, the larger counts. The header holds checksums
//! as numbers of 1 to 5 bytes, and core's bound counts them as 5: that image will have up to 64 bytes less.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec, image_len};
use gatelet::{Dims, KnownAnswer, Layout, Precision, Provenance, TextRules};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::quantize::SHIFT;
use crate::quantize::export::KNOWN_ANSWER;
use crate::shape::Shape;

/// As many tokens as the known-answer test has.
const TOKENS: [u16; KNOWN_ANSWER] = [0; KNOWN_ANSWER];

/// What an int8 image needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// Bytes of the image, at most.
    pub flash_bytes: usize,
    /// Bytes of one session: state, scratch and logits.
    pub ram_bytes: usize,
    /// Bytes of each snapshot of the state (undo, beam search).
    pub snapshot_bytes: usize,
    /// Multiply-accumulates a character.
    pub macs_per_step: usize,
}

fn dims(shape: Shape) -> Result<Dims> {
    shape
        .dims(Precision::Int8)
        .map_err(|error| Error::Export(error.to_string()))
}

/// Bytes of the int8 image of a net of this shape in a layout, at most; of `from` only the lengths matter. `words` are
/// the vocabulary of a net of words, and none are one of characters.
///
/// # Errors
/// [`Error::Export`] for a shape out of range, or one that cannot have the layout.
pub fn int8_bytes(
    shape: Shape,
    words: &[String],
    layout: Layout,
    from: Provenance<'_>,
) -> Result<usize> {
    let list: Vec<&str> = words.iter().map(String::as_str).collect();
    let matrix = MatrixSpec {
        shift: SHIFT,
        ..MatrixSpec::default()
    };
    let operation = OperationSpec {
        weights: matrix,
        candidate: matrix,
        hidden: matrix,
        ..OperationSpec::default()
    };
    let net = dims(shape)?.net();
    let spec = ImageSpec {
        net,
        layout,
        // Whatever they are, they take as many bytes.
        rules: TextRules::default(),
        vocab: match &*list {
            [] => VocabSpec::Characters(&[]),
            list => VocabSpec::Words(list),
        },
        features: FeatureSpec::default(),
        operations: &vec![operation; net.len()],
        outputs: Default::default(),
        provenance: Provenance {
            heldout_tokens: u32::MAX,
            ..from
        },
        known_answer: KnownAnswer {
            tokens: &TOKENS,
            hash: u64::MAX,
            ..KnownAnswer::default()
        },
    };
    image_len(&spec).map_err(|error| Error::Export(error.to_string()))
}

/// What the int8 image of a net of this shape needs; `words` and `from` as in [`int8_bytes`].
///
/// # Errors
/// [`Error::Export`] for a shape out of range.
pub fn int8(shape: Shape, words: &[String], from: Provenance<'_>) -> Result<Footprint> {
    let dims = dims(shape)?;
    let mut flash_bytes = 0;
    for layout in [Layout::Rows, Layout::Pairs] {
        // A wide net has no pairs.
        if layout.check(&dims.net()).is_ok() {
            flash_bytes = flash_bytes.max(int8_bytes(shape, words, layout, from)?);
        }
    }
    Ok(Footprint {
        flash_bytes,
        ram_bytes: 4 * dims.state_words(),
        snapshot_bytes: 4 * dims.snapshot_words(),
        macs_per_step: dims.macs_per_step(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::report::describe;
    use crate::quantize::export::random;
    use crate::shape::Cell;

    /// Against images that were really made.
    #[test]
    fn it_is_what_the_image_has() {
        for (cell, layers, hidden, vocab) in [
            (Cell::Lstm, 1, 64, 81),
            (Cell::Lstm, 3, 17, 96),
            (Cell::Rnn, 2, 33, 300),
        ] {
            let shape = Shape {
                cell,
                layers,
                hidden,
                vocab,
                ..Shape::PLAIN
            };
            let rows = random(shape, Precision::Int8, 1, "a command").unwrap();
            let pairs = rows.repacked(Layout::Pairs).unwrap();
            let model = pairs.model().unwrap();
            let found = int8(shape, &[], model.provenance()).unwrap();
            let described = describe(&model);
            let larger = described.flash_bytes.max(rows.bytes().len());
            let spare = found.flash_bytes.checked_sub(larger).unwrap();
            assert!(spare <= 64, "{shape:?}: {spare} bytes too many");
            assert_eq!(
                (found.ram_bytes, found.snapshot_bytes, found.macs_per_step),
                (
                    described.ram_bytes,
                    described.snapshot_bytes,
                    described.macs_per_step
                )
            );
        }
    }

    #[test]
    fn a_net_too_wide_for_pairs_has_rows() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 2,
            hidden: 1024,
            vocab: 96,
            ..Shape::PLAIN
        };
        assert!(int8(shape, &[], Provenance::default()).unwrap().flash_bytes > 12 * 1024 * 1024);
    }

    #[test]
    fn a_shape_out_of_range_is_an_error() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 9,
            hidden: 8,
            vocab: 8,
            ..Shape::PLAIN
        };
        assert!(int8(shape, &[], Provenance::default()).is_err());
    }
}
