//! Conformance suites: models, tokens, and the hash of the states after every step, by the scalar kernel.
//!
//! The format is that of [`gatelet::conformance`], which reads it everywhere.

use gatelet::conformance::CASE_HEADER;
use gatelet::{Scalar, Session, StateHash, TokenId};

use crate::error::{Error, Result};
use crate::image::{Image, storage};

/// Appends a case: `steps` tokens drawn evenly by `seed` from the model's vocabulary.
///
/// # Errors
/// [`Error::Inference`]; does not happen for an image that was checked.
pub fn append(suite: &mut Vec<u8>, image: &Image, steps: usize, seed: u64) -> Result<()> {
    let model = image
        .model()
        .map_err(|why| Error::Export(why.to_string()))?;
    let vocab = model.net().vocab() as u64;
    let mut storage = storage(model.net());
    let mut session = Session::new(&model, Scalar, &mut storage).map_err(Error::inference)?;
    let mut random = seed;
    let mut hash = StateHash::new();
    let (mut tokens, mut hashes) = (Vec::with_capacity(2 * steps), Vec::with_capacity(4 * steps));
    for _ in 0..steps {
        // Knuth's MMIX generator; its high bits are the good ones.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let id = ((random >> 33) % vocab) as u16;
        session.step(TokenId(id)).map_err(Error::inference)?;
        session.hash_into(&mut hash);
        tokens.extend(id.to_le_bytes());
        hashes.extend((hash.finish() as u32).to_le_bytes());
    }
    let start = suite.len();
    suite.extend((image.bytes().len() as u32).to_le_bytes());
    suite.extend((steps as u32).to_le_bytes());
    suite.resize(start + CASE_HEADER, 0);
    suite.extend(image.bytes());
    for part in [tokens, hashes] {
        suite.extend(part);
        suite.resize(suite.len().next_multiple_of(16), 0);
    }
    Ok(())
}
