//! The audio front end of a model: samples in, log-mel bands or MFCCs out, in integers.
//!
//! ```text
//! samples --Hann window--> --real FFT--> power --triangles on the mel scale--> log2 [--DCT-->]
//! ```
//! A [`FrontEnd`] says which; an image holds it. [`Frames`] are made of samples as they come, in
//! memory of the caller's; [`Session::push_samples`](crate::Session::push_samples) feeds them to
//! the net. Every table follows from the recipe by integers alone, so features are the same bits on
//! every machine. docs/numerics.md has the formats and the proof that nothing overflows.

mod error;
mod fft;
mod frames;
mod level;
mod limits;
mod mel;
mod recipe;
mod spectrum;
mod wave;

pub use self::error::FrontEndError;
pub use self::frames::Frames;
pub use self::limits::{MAX_BANDS, MAX_FRAME, MAX_RATE};
pub(crate) use self::recipe::RECIPE_WORDS;
pub use self::recipe::{FrontEnd, FrontEndKind};

#[cfg(test)]
mod tests;
