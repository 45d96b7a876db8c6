//! Conformance: does this machine compute the states that the specification does, at every step?
//!
//! ```text
//! suite   cases, one after the other, from a multiple of 16
//! case    u32: bytes of the image, steps, inputs, bytes of an input;  image;  inputs;  hashes u32 [steps]
//!         all little-endian; inputs and hashes padded with zeros to a multiple of 16
//! input   a token id u16, or features f32 [width], or of a model with a front end a hop of samples i16;
//!         the inputs are taken in turn
//! hash    the low half of the StateHash over the states after this step and all before it, with the
//!         scalar kernel
//! ```
//! `gatelet suite` writes one. A hash a step, and not one for all, says at which step a kernel went wrong.

use core::fmt::{self, Display, Formatter};

use crate::image::error::LoadError;
use crate::image::model::Model;
use crate::kernel::{Kernel, Scalar, can};
use crate::net::{Capabilities, TokenId};
use crate::session::Session;
use crate::session::hash::StateHash;

/// Bytes before an image.
pub const CASE_HEADER: usize = 16;

/// A model, the inputs it is given, and the hash of the states after each step.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Bytes of the image.
    pub image: &'a [u8],
    /// `[inputs, width]`: taken in turn.
    inputs: &'a [u8],
    /// Bytes of an input.
    width: usize,
    /// `[steps]`
    hashes: &'a [[u8; 4]],
}

/// Why a case has not passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaseError {
    /// The suite ends within this case.
    CutOff,
    /// The image is refused.
    Image(LoadError),
    /// The session's storage is too small, or an input is not one of the net's.
    Step {
        /// Counted from 1; 0 before the first.
        step: usize,
    },
    /// The states are not the specification's, for the first time.
    Differs {
        /// Counted from 1.
        step: usize,
    },
}

impl Display for CaseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            CaseError::CutOff => f.write_str("the suite is cut off within this case"),
            CaseError::Image(why) => write!(f, "the image is refused: {why}"),
            CaseError::Step { step } => write!(f, "step {step} cannot be done"),
            CaseError::Differs { step } => {
                write!(
                    f,
                    "other states than the specification's from step {step} on"
                )
            }
        }
    }
}

/// The cases of a suite, whose bytes start at a multiple of 16.
pub fn cases(suite: &[u8]) -> impl Iterator<Item = Result<Case<'_>, CaseError>> {
    let mut rest = suite;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((case, behind)) = first_case(rest) else {
            rest = &[];
            return Some(Err(CaseError::CutOff));
        };
        rest = behind;
        Some(Ok(case))
    })
}

/// The first case and what stands behind it.
fn first_case(suite: &[u8]) -> Option<(Case<'_>, &[u8])> {
    let (header, rest) = suite.split_at_checked(CASE_HEADER)?;
    let (numbers, _) = header.as_chunks::<4>();
    let &[image, steps, inputs, width] = numbers else {
        return None;
    };
    let (image, steps) = (length(image)?, length(steps)?);
    let (inputs, width) = (length(inputs)?, length(width)?);
    let (image, rest) = rest.split_at_checked(image)?;
    let (inputs, rest) = padded(rest, inputs.checked_mul(width)?)?;
    let (hashes, rest) = padded(rest, steps.checked_mul(4)?)?;
    let (hashes, _) = hashes.as_chunks();
    Some((
        Case {
            image,
            inputs,
            width,
            hashes,
        },
        rest,
    ))
}

fn length(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// The first `len` bytes, and what stands behind them and their padding.
fn padded(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (all, rest) = bytes.split_at_checked(len.checked_next_multiple_of(16)?)?;
    Some((all.get(..len)?, rest))
}

impl<'a> Case<'a> {
    /// Steps.
    pub fn steps(&self) -> usize {
        self.hashes.len()
    }

    /// The model, in `place`.
    ///
    /// # Errors
    /// [`CaseError::Image`].
    pub fn model<'p>(&self, place: &'p mut Option<Model<'a>>) -> Result<&'p Model<'a>, CaseError> {
        Model::load_in(place, self.image, Scalar).map_err(CaseError::Image)
    }

    /// Runs `model`, this case's or the same in another layout, with a kernel. `storage`: words of a session.
    ///
    /// # Errors
    /// [`CaseError::Differs`] at the first step whose states are others, or [`CaseError::Step`].
    pub fn run<K: Kernel>(
        &self,
        model: &Model<'_>,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<(), CaseError> {
        let none = |_| CaseError::Step { step: 0 };
        let mut session = Session::new(model, kernel, storage).map_err(none)?;
        let mut hash = StateHash::new();
        // Without inputs there is no step that can be done.
        let mut inputs = self.inputs.chunks_exact(self.width.max(1)).cycle();
        for (index, &expected) in self.hashes.iter().enumerate() {
            let step = index + 1;
            let input = inputs.next().unwrap_or_default();
            let samples = model.front_end().is_some() && can::<K>(Capabilities::FRONT_END);
            let taken = match (model.net().takes_tokens(), input) {
                (false, hop) if samples => match bytemuck::try_cast_slice(hop) {
                    Ok(hop) => session.push_samples(hop, |_| {}).ok().filter(|&n| n == 1),
                    Err(_) => None,
                }
                .map(|_| ()),
                (true, &[low, high]) => {
                    let id = TokenId(u16::from_le_bytes([low, high]));
                    session.step(id).map(|_| ()).ok()
                }
                (true, _) => None,
                (false, features) => match bytemuck::try_cast_slice::<u8, f32>(features) {
                    Ok(features) => session.step(features).map(|_| ()).ok(),
                    Err(_) => None,
                },
            };
            taken.ok_or(CaseError::Step { step })?;
            session.hash_into(&mut hash);
            if hash.finish() as u32 != u32::from_le_bytes(expected) {
                return Err(CaseError::Differs { step });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_no_case() {
        assert_eq!(cases(&[]).count(), 0);
        // An empty image and three steps of two inputs: 16 bytes of inputs, 16 of hashes.
        let mut suite = [0; 48];
        (suite[4], suite[8], suite[12]) = (3, 2, 2);
        for len in 1..48 {
            let mut found = cases(&suite[..len]);
            assert_eq!(
                found.next().unwrap().unwrap_err(),
                CaseError::CutOff,
                "{len}"
            );
            assert!(found.next().is_none());
        }
        let case = cases(&suite).next().unwrap().unwrap();
        assert_eq!((case.steps(), case.image.len()), (3, 0));
        assert!(matches!(case.model(&mut None), Err(CaseError::Image(_))));
        suite[3] = 0xff;
        assert!(cases(&suite).next().unwrap().is_err());
    }
}
