//! What may be wrong with a recipe, and with memory for it.

use core::fmt::{self, Display, Formatter};

use super::limits::{MAX_FRAME, MAX_RATE, MIN_FRAME, MIN_RATE};

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
        // One text for all: boards have little flash.
        let (what, found, least, most) = match *self {
            FrontEndError::Rate { found } => ("rate (Hz)", found, MIN_RATE, MAX_RATE),
            FrontEndError::Frame { found } => {
                let [least, most] = [MIN_FRAME, MAX_FRAME].map(u32::from);
                ("frame (a multiple of 4)", found, least, most)
            }
            FrontEndError::Hop { found, frame } => ("hop", found, 1, frame),
            FrontEndError::Range { low, high, most } => {
                ("high (Hz)", high, low.saturating_add(1), most)
            }
            FrontEndError::Bands { found, most } => ("bands", found, 1, most),
            FrontEndError::Coefficients { found, bands } => ("coefficients", found, 1, bands),
            FrontEndError::Width { found, net } => {
                ("features", found as u32, net as u32, net as u32)
            }
            FrontEndError::Storage { need, have } => {
                ("words of storage", have as u32, need as u32, u32::MAX)
            }
        };
        write!(
            f,
            "front end: {what} is {found}, but must be {least} to {most}"
        )
    }
}

impl core::error::Error for FrontEndError {}
