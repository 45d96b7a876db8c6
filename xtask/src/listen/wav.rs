//! Sounds in files: read as one channel at the rate that a net was trained at, and written.

use std::f64::consts::PI;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gatelet_arrays::{Format, Sequence};

/// Rates that a file may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// The longest sound: an hour at 48 kHz.
const LONGEST: usize = 3_600 * 48_000;
/// Half the length of the filter that changes rates, in samples of the lower one.
const REACH: f64 = 16.0;

/// A sound: within -1 and 1, one channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sound {
    pub(super) samples: Vec<f32>,
    pub(super) rate: u32,
}

impl Sound {
    /// Reads a file; several channels become their mean.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of_bytes(&bytes)
            .with_context(|| format!("{} is no .wav that can be used", path.display()))
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self> {
        ensure!(Format::of_bytes(bytes) == Format::Wav, "it is none");
        let read = Sequence::from_bytes(bytes)?;
        let rate = read.sample_rate.unwrap_or_default();
        ensure!(
            RATES.contains(&rate),
            "{rate} samples a second, not {} to {}",
            RATES.start(),
            RATES.end()
        );
        ensure!(read.len() <= LONGEST, "it is longer than an hour");
        let mean = |frame: &[f32]| frame.iter().sum::<f32>() / read.width as f32;
        Ok(Self {
            samples: read.steps().map(mean).collect(),
            rate,
        })
    }

    /// The file: 32-bit floats.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let sequence = Sequence {
            width: 1,
            numbers: self.samples.clone(),
            sample_rate: Some(self.rate),
        };
        Ok(sequence.to_bytes(Format::Wav)?)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// The same at another rate: a sinc under a raised cosine, cut off at the lower of both.
    pub(super) fn at(self, rate: u32) -> Self {
        if rate == self.rate {
            return self;
        }
        let step = f64::from(self.rate) / f64::from(rate);
        let (slow, reach) = (step.max(1.0), REACH * step.max(1.0));
        let count = (self.samples.len() as f64 / step).round() as usize;
        let sample = |n: usize| {
            let at = n as f64 * step;
            let from = (at - reach).ceil().max(0.0) as usize;
            let near = self.samples.iter().enumerate().skip(from);
            let near = near.take_while(|(k, _)| (*k as f64) < at + reach);
            let sum: f64 = near
                .map(|(k, &x)| {
                    let t = (k as f64 - at) / slow;
                    let sinc = if t.abs() < 1e-9 {
                        1.0
                    } else {
                        (PI * t).sin() / (PI * t)
                    };
                    f64::from(x) * sinc * (0.5 + 0.5 * (PI * t / REACH).cos())
                })
                .sum();
            (sum / slow) as f32
        };
        Self {
            samples: (0..count).map(sample).collect(),
            rate,
        }
    }

    /// Its first samples, at most `seconds`.
    pub(super) fn cut(mut self, seconds: f64) -> Self {
        let most = (seconds * f64::from(self.rate)).round() as usize;
        self.samples.truncate(most.max(1));
        self
    }

    /// As 16-bit integers.
    pub(super) fn integers(&self) -> Vec<i16> {
        let whole = |x: &f32| (x * 32_768.0).round() as i16;
        self.samples.iter().map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, hz: f64) -> Sound {
        let wave = |n: u32| (f64::from(n) / f64::from(rate) * hz * 2.0 * PI).sin() as f32 * 0.5;
        Sound {
            samples: (0..rate / 4).map(wave).collect(),
            rate,
        }
    }

    #[test]
    fn a_sound_is_read_as_it_was_written() {
        let sound = sine(44_100, 440.0);
        assert_eq!(Sound::of_bytes(&sound.to_bytes().unwrap()).unwrap(), sound);
    }

    #[test]
    fn channels_become_one_number() {
        let stereo = Sequence {
            width: 2,
            numbers: vec![0.5, 0.0, -1.0, -1.0],
            sample_rate: Some(8_000),
        };
        let sound = Sound::of_bytes(&stereo.to_bytes(Format::Wav).unwrap()).unwrap();
        assert_eq!((sound.samples, sound.rate), (vec![0.25, -1.0], 8_000));
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = sine(8_000, 440.0).cut(0.01).to_bytes().unwrap();
        for len in 0..bytes.len() {
            assert!(Sound::of_bytes(&bytes[..len]).is_err(), "{len}");
        }
    }

    /// What both rates can hold stays; what the lower cannot goes.
    #[test]
    fn another_rate_is_the_same_sound() {
        for (from, to) in [(44_100, 16_000), (8_000, 16_000), (48_000, 44_100)] {
            let (found, asked) = (sine(from, 1_000.0).at(to), sine(to, 1_000.0));
            assert_eq!(found.samples.len(), asked.samples.len());
            let pairs = found.samples.iter().zip(&asked.samples);
            let middle = pairs.skip(400).take(1_000);
            middle.for_each(|(a, b)| assert!((a - b).abs() < 2e-3, "{from} {to}: {a} {b}"));
        }
        let folded = sine(44_100, 12_000.0).at(16_000);
        let middle = &folded.samples[400..3_000];
        assert!(middle.iter().all(|x| x.abs() < 2e-3));
    }
}
