//! Sounds in files: read as one channel at the rate that a net was trained at, and written.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gatelet_sound::synth::rate::resampled;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Rates that a file may have.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;
/// The longest sound: an hour at 48 kHz.
const LONGEST: u32 = 3_600 * 48_000;

/// A sound: within -1 and 1, one channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sound {
    pub(crate) samples: Vec<f32>,
    pub(crate) rate: u32,
}

impl Sound {
    /// Reads a file; several channels become their mean.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of_bytes(&bytes)
            .with_context(|| format!("{} is no .wav that can be used", path.display()))
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self> {
        let reader = WavReader::new(bytes)?;
        let spec = reader.spec();
        let rates = (RATES.start(), RATES.end());
        ensure!(
            RATES.contains(&spec.sample_rate),
            "{} samples a second, not {} to {}",
            spec.sample_rate,
            rates.0,
            rates.1
        );
        ensure!(reader.duration() <= LONGEST, "it is longer than an hour");
        ensure!(spec.channels > 0, "it has no channels");
        let samples = match spec.sample_format {
            SampleFormat::Float => reader
                .into_samples::<f32>()
                .collect::<Result<Vec<_>, _>>()?,
            SampleFormat::Int => {
                let scale = f32::from(spec.bits_per_sample.max(1) - 1).exp2();
                let samples = reader.into_samples::<i32>();
                let scaled = samples.map(|x| x.map(|x| x as f32 / scale));
                scaled.collect::<Result<Vec<_>, _>>()?
            }
        };
        ensure!(
            samples.iter().all(|x| x.is_finite()),
            "a sample of it is no number"
        );
        let channels = usize::from(spec.channels);
        let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
        let samples: Vec<f32> = samples.chunks_exact(channels).map(mean).collect();
        ensure!(!samples.is_empty(), "it has no samples");
        Ok(Self {
            samples,
            rate: spec.sample_rate,
        })
    }

    /// The file: 32-bit floats.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec)?;
        for &x in &self.samples {
            writer.write_sample(x)?;
        }
        writer.finalize()?;
        Ok(bytes.into_inner())
    }

    pub(super) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// The same at another rate.
    pub(super) fn at(self, rate: u32) -> Self {
        let samples = resampled(&self.samples, self.rate, rate);
        Self { samples, rate }
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
    use std::f64::consts::PI;

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
    fn integers_and_channels_become_one_number() {
        let spec = WavSpec {
            channels: 2,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for x in [16_384_i16, 0, -32_768, -32_768] {
            writer.write_sample(x).unwrap();
        }
        writer.finalize().unwrap();
        let sound = Sound::of_bytes(&bytes.into_inner()).unwrap();
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
