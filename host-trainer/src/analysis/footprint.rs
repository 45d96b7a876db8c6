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
use gatelet::front::FrontEnd;
use gatelet::net::{Input, Net};
use gatelet::{KnownAnswer, Layout, Precision, Provenance, TextRules};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::quantize::SHIFT;
use crate::quantize::export::{KNOWN_ANSWER, known_steps};

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

/// What an image holds beside the numbers of its net.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'a> {
    /// The vocabulary of a net of words; none of one of characters, or of a net of features.
    pub words: &'a [String],
    /// What makes the features of a net of sound.
    pub front_end: Option<FrontEnd>,
    /// Where it comes from: only the lengths matter.
    pub from: Provenance<'a>,
}

impl<'a> Contents<'a> {
    /// Those of a net that a command makes of a text.
    pub fn of_text(words: &'a [String], corpus: &'a str, command: &'a str) -> Self {
        Self {
            words,
            front_end: None,
            from: Provenance {
                corpus,
                command,
                ..Provenance::default()
            },
        }
    }
}

/// Bytes of the int8 image of a net in a layout, at most. Features that will need a second column
/// for their rounding, which only the trained net tells, are not in it.
///
/// # Errors
/// [`Error::Export`] for a net that cannot be, or cannot have the layout.
pub fn int8_bytes(net: &Net, layout: Layout, contents: Contents<'_>) -> Result<usize> {
    let list: Vec<&str> = contents.words.iter().map(String::as_str).collect();
    let (features, tokens) = match net.input {
        Input::Tokens { .. } => (Vec::new(), &TOKENS[..]),
        Input::Features { width, .. } => (vec![0.0; known_steps(width) * width], &[][..]),
    };
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
        vocab: match (net.input, &*list) {
            (Input::Features { .. }, _) => VocabSpec::None,
            (_, []) => VocabSpec::Characters(&[]),
            (_, list) => VocabSpec::Words(list),
        },
        features: FeatureSpec {
            front_end: contents.front_end,
            ..FeatureSpec::default()
        },
        operations: &vec![operation; net.len()],
        outputs: Default::default(),
        provenance: Provenance {
            heldout_tokens: u32::MAX,
            ..contents.from
        },
        known_answer: KnownAnswer {
            tokens,
            features: &features,
            hash: u64::MAX,
        },
    };
    image_len(&spec).map_err(|error| Error::Export(error.to_string()))
}

/// Bytes of a session of a net's int8 image, with what the front end keeps.
pub fn session_bytes(net: &Net, front_end: Option<&FrontEnd>) -> usize {
    let net = net.with_precision(Precision::Int8);
    4 * (net.state_words() + front_end.map_or(0, FrontEnd::words))
}

/// What the int8 image of a net needs, on whatever processor.
///
/// # Errors
/// [`Error::Export`] for a net that cannot be.
pub fn int8(net: &Net, contents: Contents<'_>) -> Result<Footprint> {
    let net = net.with_precision(Precision::Int8);
    net.checked()
        .map_err(|error| Error::Export(error.to_string()))?;
    let mut flash_bytes = 0;
    for layout in [Layout::Rows, Layout::Pairs] {
        // A wide net has no pairs.
        if layout.check(&net).is_ok() {
            flash_bytes = flash_bytes.max(int8_bytes(&net, layout, contents)?);
        }
    }
    Ok(Footprint {
        flash_bytes,
        ram_bytes: session_bytes(&net, contents.front_end.as_ref()),
        snapshot_bytes: 4 * net.snapshot_words(),
        macs_per_step: net.macs_per_step(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::report::describe;
    use crate::net::Params;
    use crate::quantize::Scheme;
    use crate::quantize::export::{Source, image_by, random};
    use gatelet::net::{Activation, Kind};
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
            let contents = Contents {
                from: model.provenance(),
                ..Contents::default()
            };
            let found = int8(&net, contents).unwrap();
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

    /// Nets of features and of sound too.
    #[test]
    fn features_and_a_front_end_are_in_it() {
        let head = Kind::Dense {
            units: 3,
            activation: Activation::None,
        };
        let front = FrontEnd::log_mel(16_000, 512, 256, 40);
        for (width, front_end) in [(1, None), (6, None), (200, None), (40, Some(front))] {
            let net = Net::features(Precision::F32, width).then(GRU.with_units(12));
            let net = net.then(head).scores();
            let params = Params::<f32>::init(net, 1);
            let contents = Contents {
                front_end,
                ..Contents::of_text(&[], "moves.csv", "a command")
            };
            let source = Source {
                front_end,
                ..Source::of_net(&params, contents.from)
            };
            let rows = image_by(source, (&Scheme::plain(&net)).into(), &[]).unwrap();
            for layout in [Layout::Rows, Layout::Pairs] {
                let image = rows.repacked(layout).unwrap();
                let spare = int8_bytes(&net, layout, contents).unwrap() - image.bytes().len();
                assert!(spare <= 64, "{net}: {spare} bytes too many");
            }
            let model = rows.model().unwrap();
            let ram = int8(&net, contents).unwrap().ram_bytes;
            assert_eq!(ram, 4 * model.session_words());
        }
    }

    #[test]
    fn a_net_too_wide_for_pairs_has_rows() {
        let net = stacked(Precision::Int8, 96, 2, Kind::lstm(1024));
        assert!(int8(&net, Contents::default()).unwrap().flash_bytes > 12 * 1024 * 1024);
    }

    #[test]
    fn a_net_that_cannot_be_is_an_error() {
        let net = stacked(Precision::Int8, 8, 16, Kind::lstm(8));
        assert!(int8(&net, Contents::default()).is_err());
    }
}
