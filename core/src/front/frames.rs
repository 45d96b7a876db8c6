//! Features of samples as they come, in memory of the caller's.
//!
//! ```text
//! words   samples of a frame | samples missing until the next | window | weights | starts |
//!         spectrum | levels | features
//! ```
//! The first two are the state: a snapshot has them. The tables are made once.

use bytemuck::{AnyBitPattern, NoUninit};

use super::error::FrontEndError;
use super::fft::Complex;
use super::level::{LEVEL, dct, log2};
use super::mel::{WEIGHT, energies, make_tables};
use super::recipe::{FrontEnd, FrontEndKind};
use super::spectrum::{make_window, power};
use crate::fixed::real_q16;

/// A stream of samples that becomes features, a frame at a time.
///
/// Before the first sample there is silence, so every hop of samples gives a frame.
///
/// ```
/// use gatelet::front::{Frames, FrontEnd};
///
/// let front = FrontEnd::log_mel(16_000, 512, 256, 40);
/// let mut words = [0; 1_200];
/// let mut frames = Frames::new(front, &mut words)?;
/// let (mut samples, mut count) = (&[0_i16; 1_000][..], 0);
/// while let Some(features) = frames.next(&mut samples) {
///     assert_eq!(features, [0.0; 40]); // silence
///     count += 1;
/// }
/// assert_eq!(count, 3); // of 256 samples each; the rest is kept for the next
/// # Ok::<(), gatelet::front::FrontEndError>(())
/// ```
#[derive(Debug)]
pub struct Frames<'s> {
    front: FrontEnd,
    /// Exactly [`FrontEnd::words`].
    words: &'s mut [u32],
}

/// The parts of the words.
struct Parts<'a> {
    /// `[frame]`, the newest last.
    samples: &'a mut [i16],
    /// Samples missing until the next frame.
    missing: &'a mut [u32],
    /// `[frame / 2 + 1]`
    window: &'a mut [u16],
    /// `[fft / 2]`
    weights: &'a mut [u16],
    /// `[bands + 2]`
    starts: &'a mut [u16],
    /// `[fft / 2]`
    spectrum: &'a mut [Complex],
    /// `[bands]`
    levels: &'a mut [i32],
    /// `[features]`
    features: &'a mut [f32],
}

/// The first `len` numbers of words, and the words behind them. The words were counted.
fn cut<T: AnyBitPattern + NoUninit>(words: &mut [u32], len: usize) -> (&mut [T], &mut [u32]) {
    let need = (len * size_of::<T>()).div_ceil(size_of::<u32>());
    let (first, rest) = words.split_at_mut_checked(need).unwrap_or_default();
    let numbers: &mut [T] = bytemuck::try_cast_slice_mut(first).unwrap_or_default();
    (numbers.get_mut(..len).unwrap_or_default(), rest)
}

fn parts<'a>(front: &FrontEnd, words: &'a mut [u32]) -> Parts<'a> {
    let (frame, half, bands) = (front.frame.into(), front.fft() / 2, front.bands.into());
    let (samples, rest) = cut(words, frame);
    let (missing, rest) = cut(rest, 1);
    let (window, rest) = cut(rest, frame / 2 + 1);
    let (weights, rest) = cut(rest, half);
    let (starts, rest) = cut(rest, bands + 2);
    let (spectrum, rest) = cut(rest, half);
    let (levels, rest) = cut(rest, bands);
    let (features, _) = cut(rest, front.features());
    Parts {
        samples,
        missing,
        window,
        weights,
        starts,
        spectrum,
        levels,
        features,
    }
}

impl<'s> Frames<'s> {
    /// After silence. `words` needs at least [`FrontEnd::words`]; what it held is lost.
    ///
    /// # Errors
    /// As [`FrontEnd::check`], or [`FrontEndError::Storage`].
    pub fn new(front: FrontEnd, words: &'s mut [u32]) -> Result<Self, FrontEndError> {
        front.check()?;
        let (need, have) = (front.words(), words.len());
        let storage = FrontEndError::Storage { need, have };
        let words = words.get_mut(..need).ok_or(storage)?;
        words.fill(0);
        let all = parts(&front, words);
        make_window(all.window, front.frame.into());
        make_tables(&front, all.weights, all.starts);
        let mut frames = Frames { front, words };
        frames.reset();
        Ok(frames)
    }

    /// The recipe.
    pub fn front_end(&self) -> &FrontEnd {
        &self.front
    }

    /// Back to silence.
    pub fn reset(&mut self) {
        let all = parts(&self.front, self.words);
        all.samples.fill(0);
        all.missing.fill(self.front.hop.into());
    }

    /// Takes samples from the front of `samples` until a frame is whole, and returns its features:
    /// `[features]`. Nothing where they end before that; they are kept.
    pub fn next(&mut self, samples: &mut &[i16]) -> Option<&[f32]> {
        let front = self.front;
        let all = parts(&front, self.words);
        let missing = all.missing.first_mut()?;
        let take = (*missing as usize).min(samples.len());
        let (new, rest) = samples.split_at_checked(take)?;
        *samples = rest;
        let at = all.samples.len().checked_sub(*missing as usize)?;
        let to = all.samples.get_mut(at..)?;
        if let Some(to) = to.get_mut(..take)
            && to.len() == new.len()
        {
            to.copy_from_slice(new);
        }
        *missing -= take as u32;
        if *missing > 0 {
            return None;
        }
        power(all.samples, all.window, all.spectrum);
        // Samples that the next frame has too.
        let hop = usize::from(front.hop).min(all.samples.len());
        all.samples.copy_within(hop.., 0);
        *missing = hop as u32;

        // An energy is divided by the spectrum's points, and one is added.
        let unit = WEIGHT + front.fft().trailing_zeros();
        let floor = 1_u64 << (unit & 63);
        let mut levels = all.levels.iter_mut();
        energies(all.spectrum, all.weights, all.starts, |energy| {
            if let Some(to) = levels.next() {
                *to = log2(energy + floor) - (unit << LEVEL) as i32;
            }
        });
        let features = &mut *all.features;
        match front.kind {
            FrontEndKind::LogMel => {
                let levels = all.levels.iter();
                let both = features.iter_mut().zip(levels);
                both.for_each(|(to, &level)| *to = real_q16(level));
            }
            FrontEndKind::Mfcc { coefficients } => {
                let put = |j: usize, c: i32| {
                    if let Some(to) = features.get_mut(j) {
                        *to = real_q16(c);
                    }
                };
                dct(all.levels, put, coefficients.into());
            }
        }
        Some(all.features)
    }

    /// What a snapshot has: [`FrontEnd::snapshot_words`].
    pub(crate) fn state(&self) -> &[u32] {
        self.words
            .get(..self.front.snapshot_words())
            .unwrap_or_default()
    }

    /// Puts a snapshot back, of as many words. One that no stream can have becomes one of those
    /// that it can.
    pub(crate) fn restore(&mut self, from: &[u32]) {
        self.words.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
        let hop = u32::from(self.front.hop);
        for missing in parts(&self.front, self.words).missing {
            // `clamp` would have a panic: it cannot know that a hop is not 0.
            *missing = (*missing).max(1).min(hop);
        }
    }
}
