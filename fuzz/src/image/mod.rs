//! Model images: made, changed, sealed with right checksums, loaded; what is accepted runs on every
//! kernel.
//!
//! ```text
//! net     a small language model, and mixed one of any operations; numbers are typical, or as large as loading accepts,
//!         or just beyond
//! forge   its image taken apart, changed in header, sections and padding, and put together again
//! check   loaded: runs 32 tokens on every kernel, in every layout, in a batch, with products ahead; written again, it is
//!         the same bytes
//! ```

mod aligned;
mod bound;
mod check;
mod forge;
mod mixed;
mod net;
mod numbers;
mod sound;

use std::sync::OnceLock;
use std::time::Instant;

use gatelet::{LoadError, Model};

pub(crate) use self::aligned::Aligned;
pub(crate) use self::numbers::SPECIAL;
use crate::counts::Counts;
use crate::entropy::{Entropy, Source};

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("image");

/// One input.
///
/// # Panics
/// When a kernel panics or differs from the specification by more than it may, when what was
/// accepted is not what a writer writes, or a number is none.
pub fn run(input: &[u8]) {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let mut entropy = Entropy::new(input);
    let bytes = made(&mut entropy);
    let result = load(&bytes, &mut entropy);
    COUNTS.count(result.is_ok(), start);
}

/// The bytes of an image, good or not.
fn made(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let image = match entropy.rarely(2) {
        true => mixed::image(entropy),
        false => net::image(entropy),
    };
    match entropy.below(8) {
        0..=2 => image,
        changes => forge::changed(&image, changes - 2, entropy),
    }
}

/// Loads an image, and runs what was accepted.
///
/// # Errors
/// Why it was refused.
pub fn load(bytes: &[u8], entropy: &mut Entropy<'_>) -> Result<(), LoadError> {
    let image = Aligned::new(bytes);
    let bytes = image.bytes();
    match Model::from_bytes(bytes) {
        Ok(model) => {
            check::accepted(&model, bytes, entropy);
            Ok(())
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Err(error)
        }
    }
}
