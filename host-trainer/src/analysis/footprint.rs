//! What a net will need on a device, before it is trained: the size of its image follows from
//! its operations.
//!
//! ```text
//! flash   preamble + header (with the names in it) + sections        core's writer, asked for an image without numbers
//! RAM     state, scratch and logits of a session                     Net::state_words
//! work    multiply-accumulates a character                           Net::macs_per_step
//! ```
//! Of the layouts that a device may get, rows and the pairs of a Cortex-M4, the larger counts. The header holds checksums
//! as numbers of 1 to 5 bytes, and core's bound counts them as 5: that image will have up to 64 bytes less.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec, image_len};
use gatelet::net::Net;
use gatelet::{KnownAnswer, Layout, Precision, Provenance, TextRules};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::quantize::SHIFT;
use crate::quantize::export::KNOWN_ANSWER;

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

/// Bytes of the int8 image of a net in a layout, at most; of `from` only the lengths matter. `words` are
/// the vocabulary of a net of words, and none are one of characters.
///
/// # Errors
/// [`Error::Export`] for a net that cannot be, or cannot have the layout.
pub fn int8_bytes(
    net: &Net,
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
    let net = net.with_precision(Precision::Int8);
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

/// What the int8 image of a net needs; `words` and `from` as in [`int8_bytes`].
///
/// # Errors
/// [`Error::Export`] for a net that cannot be.
pub fn int8(net: &Net, words: &[String], from: Provenance<'_>) -> Result<Footprint> {
    let net = net.with_precision(Precision::Int8);
    net.checked()
        .map_err(|error| Error::Export(error.to_string()))?;
    let mut flash_bytes = 0;
    for layout in [Layout::Rows, Layout::Pairs] {
        // A wide net has no pairs.
        if layout.check(&net).is_ok() {
            flash_bytes = flash_bytes.max(int8_bytes(&net, words, layout, from)?);
        }
    }
    Ok(Footprint {
        flash_bytes,
        ram_bytes: 4 * net.state_words(),
        snapshot_bytes: 4 * net.snapshot_words(),
        macs_per_step: net.macs_per_step(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::report::describe;
    use crate::quantize::export::random;
    use gatelet::net::Kind;
    use gatelet_random::{GRU, RNN, stacked};

    /// Against images that were really made.
    #[test]
    fn it_is_what_the_image_has() {
        for (kind, layers, vocab) in [
            (Kind::lstm(64), 1, 81),
            (Kind::lstm(17), 3, 96),
            (RNN.with_units(33), 2, 300),
            (GRU.with_units(20), 2, 50),
        ] {
            let net = stacked(Precision::Int8, vocab, layers, kind);
            let rows = random(&net, 1, "a command").unwrap();
            let pairs = rows.repacked(Layout::Pairs).unwrap();
            let model = pairs.model().unwrap();
            let found = int8(&net, &[], model.provenance()).unwrap();
            let described = describe(&model);
            let larger = described.flash_bytes.max(rows.bytes().len());
            let spare = found.flash_bytes.checked_sub(larger).unwrap();
            assert!(spare <= 64, "{net}: {spare} bytes too many");
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
        let net = stacked(Precision::Int8, 96, 2, Kind::lstm(1024));
        assert!(int8(&net, &[], Provenance::default()).unwrap().flash_bytes > 12 * 1024 * 1024);
    }

    #[test]
    fn a_net_that_cannot_be_is_an_error() {
        let net = stacked(Precision::Int8, 8, 16, Kind::lstm(8));
        assert!(int8(&net, &[], Provenance::default()).is_err());
    }
}
