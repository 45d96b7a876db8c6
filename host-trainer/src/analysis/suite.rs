//! Conformance suites: models, inputs, and the hash of the states after every step, by the scalar
//! kernel.
//!
//! The format is that of [`gatelet::conformance`], which reads it everywhere.

use gatelet::conformance::CASE_HEADER;
use gatelet::net::Input;
use gatelet::{Scalar, Session, StateHash, TokenId};
use gatelet_random::{Seeded, Source};

use crate::error::{Error, Result};
use crate::image::Image;

/// Inputs of a net of features or samples, which are taken in turn.
const FEATURES: usize = 61;

/// Appends a case of `steps` steps: tokens drawn evenly by `seed` from the vocabulary, or features
/// within 2 with a few that are far out; of a model with a front end noise, loud and faint.
///
/// # Errors
/// [`Error::Inference`]; does not happen for an image that was checked.
pub fn append(suite: &mut Vec<u8>, image: &Image, steps: usize, seed: u64) -> Result<()> {
    let model = image
        .model()
        .map_err(|why| Error::Export(why.to_string()))?;
    let mut storage = vec![0; model.session_words()];
    let mut session = Session::new(&model, Scalar, &mut storage).map_err(Error::inference)?;
    let random = &mut Seeded::new(seed);
    let (mut hash, mut hashes) = (StateHash::new(), Vec::with_capacity(4 * steps));
    let mut take = |session: &Session<'_, '_, Scalar>| {
        session.hash_into(&mut hash);
        hashes.extend((hash.finish() as u32).to_le_bytes());
    };
    let mut inputs = Vec::new();
    let (count, bytes) = match model.net().input {
        Input::Features { .. } if let Some(front) = model.front_end() => {
            let hop = usize::from(front.hop);
            let mut samples = Vec::with_capacity(FEATURES * hop);
            for _ in 0..FEATURES {
                let size = 1 << random.below(17);
                let sample = |_| (random.below(size) as i32 - size as i32 / 2) as i16;
                samples.extend((0..hop).map(sample));
            }
            for input in samples.chunks_exact(hop).cycle().take(steps) {
                session
                    .push_samples(input, &mut take)
                    .map_err(Error::inference)?;
            }
            inputs.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
            (FEATURES, size_of::<i16>() * hop)
        }
        Input::Tokens { vocab } => {
            for _ in 0..steps {
                let id = random.below(vocab) as u16;
                session.step(TokenId(id)).map_err(Error::inference)?;
                take(&session);
                inputs.extend(id.to_le_bytes());
            }
            (steps, size_of::<u16>())
        }
        Input::Features { width, .. } => {
            let feature = |_| {
                let x = random.below(401) as f32 / 100.0 - 2.0;
                if random.below(29) == 0 { 20.0 * x } else { x }
            };
            let features: Vec<f32> = (0..FEATURES * width).map(feature).collect();
            for input in features.chunks_exact(width).cycle().take(steps) {
                session.step(input).map_err(Error::inference)?;
                take(&session);
            }
            inputs.extend(features.iter().flat_map(|x| x.to_le_bytes()));
            (FEATURES, size_of::<f32>() * width)
        }
    };
    let header = [image.bytes().len(), steps, count, bytes];
    debug_assert_eq!(CASE_HEADER, 4 * header.len());
    suite.extend(header.iter().flat_map(|&n| (n as u32).to_le_bytes()));
    suite.extend(image.bytes());
    for part in [inputs, hashes] {
        suite.extend(part);
        suite.resize(suite.len().next_multiple_of(16), 0);
    }
    Ok(())
}
