//! The recipe of a front end, as an image holds it, and the memory it asks for.

use core::fmt::{self, Display, Formatter};

use super::error::FrontEndError;
use super::limits::{MAX_BANDS, MAX_FRAME, MAX_RATE, MIN_FRAME, MIN_RATE};

/// Shortest spectrum: shorter frames are padded with zeros.
const MIN_FFT: usize = 64;
/// Words of a recipe in an image.
pub(crate) const RECIPE_WORDS: usize = 7;

/// What a net of sound reads at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrontEndKind {
    /// The logarithm of each band's energy.
    LogMel,
    /// The first coefficients of those logarithms' DCT.
    Mfcc {
        /// How many, from the first on, which is the mean.
        coefficients: u8,
    },
}

/// How samples become features.
///
/// ```
/// use gatelet::front::FrontEnd;
///
/// // 40 bands of 32 ms, every 16 ms.
/// let front = FrontEnd::log_mel(16_000, 512, 256, 40);
/// assert_eq!((front.check(), front.features()), (Ok(()), 40));
/// assert_eq!(4 * front.words(), 4_508); // bytes of memory for it
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrontEnd {
    /// Samples a second.
    pub rate: u32,
    /// Samples of a frame, a multiple of four; the spectrum is that of the next power of two.
    pub frame: u16,
    /// Samples from a frame to the next.
    pub hop: u16,
    /// Hz where the lowest band begins.
    pub low: u16,
    /// Hz where the highest band ends.
    pub high: u16,
    /// Bands, on the mel scale (2595 log10(1 + Hz / 700)).
    pub bands: u8,
    /// What becomes of them.
    pub kind: FrontEndKind,
}

impl FrontEnd {
    /// Log-mel bands from 20 Hz to 19/40 of the rate, at 16 kHz 7,600 Hz.
    pub const fn log_mel(rate: u32, frame: u16, hop: u16, bands: u8) -> Self {
        FrontEnd {
            rate,
            frame,
            hop,
            low: 20,
            high: (rate / 40 * 19) as u16,
            bands,
            kind: FrontEndKind::LogMel,
        }
    }

    /// Points of the spectrum: a power of two, 64 to 1024.
    pub const fn fft(&self) -> usize {
        let points = (self.frame as usize).next_power_of_two();
        if points < MIN_FFT { MIN_FFT } else { points }
    }

    /// Numbers that a frame gives.
    pub const fn features(&self) -> usize {
        match self.kind {
            FrontEndKind::LogMel => self.bands as usize,
            FrontEndKind::Mfcc { coefficients } => coefficients as usize,
        }
    }

    /// Checks that there can be such a front end.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub const fn check(&self) -> Result<(), FrontEndError> {
        let (rate, frame, hop) = (self.rate, self.frame, self.hop);
        if rate < MIN_RATE || rate > MAX_RATE {
            return Err(FrontEndError::Rate { found: rate });
        }
        if frame < MIN_FRAME || frame > MAX_FRAME || !frame.is_multiple_of(4) {
            return Err(FrontEndError::Frame {
                found: frame as u32,
            });
        }
        if hop == 0 || hop > frame {
            return Err(FrontEndError::Hop {
                found: hop as u32,
                frame: frame as u32,
            });
        }
        let (low, high) = (self.low as u32, self.high as u32);
        if low >= high || high > rate / 2 {
            let most = rate / 2;
            return Err(FrontEndError::Range { low, high, most });
        }
        let fft = self.fft() as u32;
        let bins = high * fft / rate - low * fft / rate;
        let most = match bins > MAX_BANDS as u32 {
            true => MAX_BANDS as u32,
            false => bins,
        };
        let bands = self.bands as u32;
        if bands == 0 || bands > most {
            return Err(FrontEndError::Bands { found: bands, most });
        }
        match self.kind {
            FrontEndKind::Mfcc { coefficients }
                if coefficients == 0 || coefficients > self.bands =>
            {
                Err(FrontEndError::Coefficients {
                    found: coefficients as u32,
                    bands,
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks that a net of so many features reads what a frame gives.
    pub(crate) const fn check_width(&self, net: usize) -> Result<(), FrontEndError> {
        let found = self.features();
        match found == net {
            true => Ok(()),
            false => Err(FrontEndError::Width { found, net }),
        }
    }

    /// Words of memory for samples, tables and scratch.
    pub const fn words(&self) -> usize {
        let (window, starts) = (self.frame as usize / 2 + 1, self.bands as usize + 2);
        let tables = window.div_ceil(2) + self.fft() / 4 + starts.div_ceil(2);
        let scratch = self.fft() + self.bands as usize + self.features();
        self.snapshot_words() + tables + scratch
    }

    /// Words of a snapshot: the samples of a frame, and how many are missing until the next.
    pub const fn snapshot_words(&self) -> usize {
        self.frame as usize / 2 + 1
    }

    /// As an image holds it.
    pub(crate) const fn to_words(self) -> [u32; RECIPE_WORDS] {
        let coefficients = match self.kind {
            FrontEndKind::LogMel => 0,
            FrontEndKind::Mfcc { coefficients } => coefficients,
        };
        [
            self.rate,
            self.frame as u32,
            self.hop as u32,
            self.low as u32,
            self.high as u32,
            self.bands as u32,
            coefficients as u32,
        ]
    }

    /// From an image.
    pub(crate) const fn from_words(words: [u32; RECIPE_WORDS]) -> Result<Self, FrontEndError> {
        let [rate, frame, hop, low, high, bands, coefficients] = words;
        // What is too large for its field is too large for the recipe.
        if frame > MAX_FRAME as u32 {
            return Err(FrontEndError::Frame { found: frame });
        }
        if hop > MAX_FRAME as u32 {
            return Err(FrontEndError::Hop { found: hop, frame });
        }
        if low > u16::MAX as u32 || high > u16::MAX as u32 {
            let most = rate / 2;
            return Err(FrontEndError::Range { low, high, most });
        }
        if bands > u8::MAX as u32 {
            let most = MAX_BANDS as u32;
            return Err(FrontEndError::Bands { found: bands, most });
        }
        if coefficients > u8::MAX as u32 {
            let found = coefficients;
            return Err(FrontEndError::Coefficients { found, bands });
        }
        let front = FrontEnd {
            rate,
            frame: frame as u16,
            hop: hop as u16,
            low: low as u16,
            high: high as u16,
            bands: bands as u8,
            kind: match coefficients {
                0 => FrontEndKind::LogMel,
                coefficients => FrontEndKind::Mfcc {
                    coefficients: coefficients as u8,
                },
            },
        };
        match front.check() {
            Ok(()) => Ok(front),
            Err(why) => Err(why),
        }
    }
}

impl Display for FrontEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (bands, low, high) = (self.bands, self.low, self.high);
        match self.kind {
            FrontEndKind::LogMel => write!(f, "{bands} log-mel bands")?,
            FrontEndKind::Mfcc { coefficients } => {
                write!(f, "{coefficients} MFCCs of {bands} bands")?;
            }
        }
        write!(
            f,
            " from {low} to {high} Hz; {} Hz, frames of {} samples, one every {}",
            self.rate, self.frame, self.hop
        )
    }
}
