//! What may be wrong with a recipe, and with memory for it.

use core::fmt::{self, Display, Formatter};

use super::limits::{MAX_BANDS, MAX_FRAME, MAX_RATE, MIN_FRAME, MIN_RATE};

/// Why a front end cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrontEndError {
    /// The sample rate is out of range.
    Rate {
        /// Samples a second.
        found: u32,
    },
    /// The frame is out of range, or no multiple of four.
    Frame {
        /// Samples of a frame.
        found: u32,
    },
    /// The hop is 0, or longer than the frame.
    Hop {
        /// Samples from a frame to the next.
        found: u32,
        /// Samples of a frame.
        frame: u32,
    },
    /// The lowest frequency is not below the highest, or that is above half the sample rate.
    Range {
        /// Hz.
        low: u32,
        /// Hz.
        high: u32,
        /// Hz: half the sample rate.
        most: u32,
    },
    /// There are no bands, or more than the spectrum has bins between the lowest and the highest
    /// frequency, or more than a front end can have.
    Bands {
        /// Bands.
        found: u32,
        /// The most there can be.
        most: u32,
    },
    /// There are more coefficients than bands.
    Coefficients {
        /// Coefficients.
        found: u32,
        /// Bands.
        bands: u32,
    },
    /// The net reads another number of features than a frame gives.
    Width {
        /// Features of a frame.
        found: usize,
        /// Features that the net reads; 0 for tokens.
        net: usize,
    },
    /// The memory given is too small.
    Storage {
        /// Words needed: [`FrontEnd::words`](super::FrontEnd::words).
        need: usize,
        /// Words given.
        have: usize,
    },
}

impl Display for FrontEndError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            FrontEndError::Rate { found } => write!(
                f,
                "front end: the rate is {found} Hz, but must be {MIN_RATE} to {MAX_RATE}"
            ),
            FrontEndError::Frame { found } => write!(
                f,
                "front end: the frame has {found} samples, but must have {MIN_FRAME} to {MAX_FRAME}, \
                 a multiple of 4"
            ),
            FrontEndError::Hop { found, frame } => write!(
                f,
                "front end: the hop is {found} samples, but must be 1 to the frame's {frame}"
            ),
            FrontEndError::Range { low, high, most } => write!(
                f,
                "front end: the bands go from {low} to {high} Hz, but must go up, to at most {most}"
            ),
            FrontEndError::Bands { found, most } => write!(
                f,
                "front end: {found} bands, but there must be 1 to {most}: at most {MAX_BANDS}, and \
                 no more than the bins of the spectrum between the lowest and the highest frequency"
            ),
            FrontEndError::Coefficients { found, bands } => {
                write!(f, "front end: {found} coefficients of {bands} bands")
            }
            FrontEndError::Width { found, net } => write!(
                f,
                "front end: a frame gives {found} features, but the net reads {net}"
            ),
            FrontEndError::Storage { need, have } => write!(
                f,
                "the front end needs {need} words of 4 bytes, but was given {have}"
            ),
        }
    }
}

impl core::error::Error for FrontEndError {}
