//! Audio: `.wav`.

use std::io::{Cursor, Read};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::error::{Result, form};
use crate::sequence::{SAMPLE_RATE, Sequence};

/// Gives at most `most` samples of a file, channel after channel: integers as numbers within 1.
///
/// # Errors
/// Those of hound.
#[expect(
    clippy::cast_precision_loss,
    reason = "samples of 32 bits are rounded to the 24 of f32"
)]
pub fn samples<R: Read>(
    reader: &mut WavReader<R>,
    most: usize,
    mut to: impl FnMut(f32),
) -> hound::Result<()> {
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => {
            for sample in reader.samples::<f32>().take(most) {
                to(sample?);
            }
        }
        SampleFormat::Int => {
            let scale = f32::from(spec.bits_per_sample.saturating_sub(1)).exp2();
            for sample in reader.samples::<i32>().take(most) {
                to(sample? as f32 / scale);
            }
        }
    }
    Ok(())
}

pub(crate) fn read(bytes: &[u8]) -> Result<Sequence> {
    let damaged = |error: hound::Error| match error {
        // In memory nothing else can fail.
        hound::Error::IoError(_) => form("the .wav is cut off"),
        error => form(format!("the .wav cannot be read: {error}")),
    };
    let mut reader = WavReader::new(bytes).map_err(damaged)?;
    let spec = reader.spec();
    if u64::from(reader.len()) > bytes.len() as u64 {
        return Err(form("the .wav is cut off"));
    }
    let mut numbers = Vec::new();
    samples(&mut reader, usize::MAX, |sample| numbers.push(sample)).map_err(damaged)?;
    Ok(Sequence {
        width: spec.channels.into(),
        numbers,
        sample_rate: Some(spec.sample_rate),
    })
}

pub(crate) fn write(of: &Sequence) -> Result<Vec<u8>> {
    let failed = |error: hound::Error| form(error.to_string());
    let too_many = |_| form(format!("a .wav has no {} channels: write a .npy", of.width));
    let spec = WavSpec {
        channels: u16::try_from(of.width).map_err(too_many)?,
        sample_rate: of.sample_rate.unwrap_or(SAMPLE_RATE),
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).map_err(failed)?;
    for sample in &of.numbers {
        writer.write_sample(*sample).map_err(failed)?;
    }
    writer.finalize().map_err(failed)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_become_numbers_within_one() {
        let spec = WavSpec {
            channels: 2,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).expect("a writer");
        for x in [16_384_i16, 0, -32_768, -8] {
            writer.write_sample(x).expect("a sample");
        }
        writer.finalize().expect("a file");
        let read = read(&bytes.into_inner()).expect("a sequence");
        assert_eq!((read.width, read.sample_rate), (2, Some(8_000)));
        assert_eq!(read.numbers, [0.5, 0.0, -1.0, -8.0 / 32_768.0]);
    }

    #[test]
    fn a_file_that_ends_early_is_cut_off() {
        let sequence = Sequence {
            width: 1,
            numbers: vec![0.25; 100],
            sample_rate: None,
        };
        let bytes = write(&sequence).expect("bytes");
        for len in [bytes.len() - 1, bytes.len() - 200, 30] {
            let error = read(&bytes[..len]).expect_err("it is cut off");
            assert_eq!(error.to_string(), "the .wav is cut off", "{len}");
        }
    }
}
