//! The model this crate was built with, and the sizes that follow from it. `build.rs` writes the
//! numbers, and names the kernel for its layout.
//!
//! `GATELET_MODEL` chooses the file; without it `firmware/models/default.gatelet`. `GATELET_SEED`
//! and others choose how the board writes.

use core::hint::black_box;

use gatelet::{Included, Kernel, LoadError, Model};
use gatelet_boards::{BOARDS, Board, Qemu};

use crate::boot::{self, Refused};
use crate::write::Writing;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The machine of QEMU that counts its instructions.
pub const QEMU: Qemu = match BOARD.qemu {
    Some(qemu) => qemu,
    None => panic!("GATELET_BOARD is a machine of QEMU"),
};

/// The image, where a session borrows its weights from: in flash, at a multiple of 16. Programs
/// that run it take [`model`].
pub static IMAGE: &Included<MODEL_BYTES, STATE_WORDS> =
    gatelet::include_model!(concat!(env!("OUT_DIR"), "/model.gatelet"));

/// Words of the preamble.
const PREAMBLE: usize = 8;

/// What they are, in docs/model-format.md.
const FIELDS: [&str; PREAMBLE] = [
    "magic",
    "magic",
    "version",
    "header length",
    "image length",
    "CRC-32",
    "capabilities",
    "zero",
];

/// The preamble of an image.
const fn preamble(image: &[u8; MODEL_BYTES]) -> [u32; PREAMBLE] {
    let (words, _) = image.as_chunks::<4>();
    let mut preamble = [0; PREAMBLE];
    let mut index = 0;
    while index < PREAMBLE {
        preamble[index] = u32::from_le_bytes(words[index]);
        index += 1;
    }
    preamble
}

/// The preamble as it was built.
const BUILT: [u32; PREAMBLE] = preamble(include_bytes!(concat!(env!("OUT_DIR"), "/model.gatelet")));

/// The model, once it is found sound, in `place`.
///
/// The image is a constant, and what a program does with a constant the compiler does: it reads the
/// preamble, and only what is left of the checks is in the program (2 KB less of it). So the
/// preamble is compared first, as it stands in flash, with what the compiler saw. All else is in a
/// checksum, which is computed when the board starts.
///
/// # Errors
/// Says what is wrong with the image.
pub fn model<'p, K: Kernel>(
    place: &'p mut Option<Model<'static>>,
    kernel: K,
    storage: &mut [u32],
) -> Result<&'p Model<'static>, Refused> {
    let found = preamble(black_box(IMAGE).image());
    let fields = found.into_iter().zip(BUILT).zip(FIELDS);
    if let Some(((found, built), name)) = { fields }.find(|((found, built), _)| found != built) {
        return Err(Refused::Image(LoadError::Field {
            name,
            found: found.into(),
            min: built.into(),
            max: built.into(),
        }));
    }
    boot::check(place, IMAGE.image(), kernel, storage)
}
