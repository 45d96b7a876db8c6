//! What a net will need on a device, before it is trained: the size of its image follows from its shape.
//!
//! ```text
//! flash   preamble + header (with the names in it) + sections        core's writer, asked for an image without numbers
//! RAM     state, scratch and logits of a session                     Dims::state_words
//! work    multiply-accumulates a character                           Dims::macs_per_step
//! ```
//! The header holds checksums as numbers of 1 to 5 bytes, and core's bound counts them as 5: `flash_bytes` is at most
//! 64 bytes more than the image will have.

use gatelet::format::{HeadSpec, ImageSpec, LayerSpec, image_len};
use gatelet::{Dims, KnownAnswer, Layout, Precision, Provenance};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::export::KNOWN_ANSWER;
use crate::params::Shape;

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

/// What the int8 image of a net of this shape needs; of `from` only the lengths matter.
///
/// # Errors
/// [`Error::Export`] for a shape out of range.
pub fn int8(shape: Shape, from: Provenance<'_>) -> Result<Footprint> {
    let failed = |error: &dyn std::fmt::Display| Error::Export(error.to_string());
    let dims = Dims::new(
        shape.cell.into(),
        Precision::Int8,
        shape.layers,
        shape.hidden,
        shape.vocab,
    )
    .map_err(|error| failed(&error))?;
    let layer = LayerSpec::Int8 {
        input: &[],
        weights: &[],
        multipliers: &[],
        shift: 0,
        cell_bits: 0,
    };
    let spec = ImageSpec {
        dims,
        layout: Layout::Rows,
        vocab: &[],
        layers: &vec![layer; shape.layers],
        head: HeadSpec::Int8 {
            weights: &[],
            multipliers: &[],
            shift: 0,
            bias: &[],
        },
        provenance: Provenance {
            heldout_tokens: u32::MAX,
            ..from
        },
        known_answer: KnownAnswer {
            tokens: &[0; KNOWN_ANSWER],
            hash: u64::MAX,
        },
    };
    Ok(Footprint {
        flash_bytes: image_len(&spec).map_err(|error| failed(&error))?,
        ram_bytes: 4 * dims.state_words(),
        snapshot_bytes: 4 * dims.snapshot_words(),
        macs_per_step: dims.macs_per_step(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::random;
    use crate::params::Cell;
    use crate::report::describe;

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
            };
            let image = random(shape, Precision::Int8, 1, "a command").unwrap();
            let model = image.model().unwrap();
            let found = int8(shape, model.provenance()).unwrap();
            let described = describe(&model);
            let spare = found.flash_bytes - described.flash_bytes;
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
    fn a_shape_out_of_range_is_an_error() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 9,
            hidden: 8,
            vocab: 8,
        };
        assert!(int8(shape, Provenance::default()).is_err());
    }
}
