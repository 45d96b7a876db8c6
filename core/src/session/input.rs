//! What a step takes: a token, or features.

use super::parts;
use crate::fixed::sat8;
use crate::image::model::Model;
use crate::net::TokenId;
use crate::net::{Input, Precision, Value};
use crate::session::error::StepError;
use crate::session::state;
use crate::weights::layer::FEATURE_LIMIT;

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::TokenId {}
    impl Sealed for &[f32] {}
    impl Sealed for &[i8] {}
    impl<const N: usize> Sealed for &[f32; N] {}
    impl<const N: usize> Sealed for &[i8; N] {}
}

/// What a step takes in: a [`TokenId`], features as `&[f32]`, or quantized ones as `&[i8]`.
pub trait StepInput: sealed::Sealed {
    /// Checks the input and puts it where operations read it; the token, if it is one.
    #[doc(hidden)]
    fn take(self, model: &Model<'_>, storage: &mut [u32]) -> Result<Option<TokenId>, StepError>;
}

impl StepInput for TokenId {
    #[inline]
    fn take(self, model: &Model<'_>, _: &mut [u32]) -> Result<Option<TokenId>, StepError> {
        match model.net.input {
            Input::Tokens { vocab } if self.index() < vocab => Ok(Some(self)),
            Input::Tokens { vocab } => Err(StepError::TokenOutOfRange { id: self, vocab }),
            Input::Features { .. } => Err(StepError::Input {
                takes_tokens: false,
            }),
        }
    }
}

impl StepInput for &[f32] {
    fn take(self, model: &Model<'_>, storage: &mut [u32]) -> Result<Option<TokenId>, StepError> {
        take_features(model, storage, self)?;
        Ok(None)
    }
}

impl<const N: usize> StepInput for &[f32; N] {
    fn take(self, model: &Model<'_>, storage: &mut [u32]) -> Result<Option<TokenId>, StepError> {
        self.as_slice().take(model, storage)
    }
}

impl StepInput for &[i8] {
    fn take(self, model: &Model<'_>, storage: &mut [u32]) -> Result<Option<TokenId>, StepError> {
        if model.net.takes_tokens() {
            return Err(StepError::Input { takes_tokens: true });
        }
        if matches!(model.net.precision, Precision::F32) {
            return Err(StepError::NotQuantized);
        }
        let (expected, found) = (model.net.width(Value::INPUT), self.len());
        if expected != found {
            return Err(StepError::Features { expected, found });
        }
        let parts = parts!(int8, model, storage);
        parts
            .values
            .iter_mut()
            .zip(self)
            .for_each(|(to, &x)| *to = x);
        Ok(None)
    }
}

impl<const N: usize> StepInput for &[i8; N] {
    fn take(self, model: &Model<'_>, storage: &mut [u32]) -> Result<Option<TokenId>, StepError> {
        self.as_slice().take(model, storage)
    }
}

/// Fraction bits that the second column of a feature has beyond those of the first.
const LOW_BITS: u32 = 4;

/// Checks features and puts them where operations read them, quantized in an int8 net:
///
/// ```text
/// y = x scale      column = sat8( round(y) )      second column = sat8( round( 16 (y - column) ) )
/// ```
pub(crate) fn take_features(
    model: &Model<'_>,
    storage: &mut [u32],
    features: &[f32],
) -> Result<(), StepError> {
    let Input::Features { width, .. } = model.net.input else {
        return Err(StepError::Input { takes_tokens: true });
    };
    let (expected, found) = (width, features.len());
    if expected != found {
        return Err(StepError::Features { expected, found });
    }
    // NaN is not in any range.
    let bad = |x: &f32| !(-FEATURE_LIMIT..=FEATURE_LIMIT).contains(x);
    if let Some(index) = features.iter().position(bad) {
        return Err(StepError::Feature { index });
    }
    match model.net.precision {
        Precision::F32 => {
            let parts = parts!(f32, model, storage);
            parts
                .values
                .iter_mut()
                .zip(features)
                .for_each(|(to, &x)| *to = x);
        }
        Precision::Int8 => {
            let parts = parts!(int8, model, storage);
            let (scales, doubled) = model.features;
            let (first, second) = parts.values.split_at_mut_checked(width).unwrap_or_default();
            for (to, (x, scale)) in first.iter_mut().zip(features.iter().zip(scales)) {
                *to = rounded(x * scale);
            }
            for (to, &feature) in second.iter_mut().zip(doubled) {
                let feature = usize::from(feature);
                let (x, scale) = (features.get(feature), scales.get(feature));
                if let (Some(x), Some(scale), Some(&high)) = (x, scale, first.get(feature)) {
                    *to = rounded((x * scale - f32::from(high)) * (1 << LOW_BITS) as f32);
                }
            }
        }
    }
    Ok(())
}

/// `sat8(round(y))`, halves up: of numbers that are far out the nearest there is.
fn rounded(y: f32) -> i8 {
    // Above 0 a conversion rounds down; 256 and every sum here are exact in steps of 2^-15.
    let y = y.clamp(-200.0, 200.0) + 256.5;
    sat8(y as i32 - 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_round_to_the_nearest_and_saturate() {
        for (y, q) in [
            (0.0, 0),
            (0.49, 0),
            (0.5, 1),
            (-0.5, 0),
            (-0.51, -1),
            (126.6, 127),
            (1e9, 127),
            (-1e9, -128),
            (-128.4, -128),
        ] {
            assert_eq!(rounded(y), q, "{y}");
        }
    }
}
