//! Sequences of numbers as files: `.npy`, `.csv`, `.wav`.
//!
//! ```text
//! [steps, width]   a step's numbers are a row: the features of a net, or what it gives
//!   .npy   [T], [T, n], or with a batch of one [1, T, n] and [T, 1, n]; any type of numbers
//!   .csv   a row a step; commas, semicolons or tabs; a first line of names is left out
//!   .wav   a frame a step, a column a channel; integers are read as numbers within 1
//! ```
//! What a file is, its content decides; what it becomes when it is written, its name.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod element;
mod error;
pub mod npy;
mod sequence;
mod table;
pub mod wav;

use std::path::Path;

pub use error::{Error, Result};
pub use sequence::{SAMPLE_RATE, Sequence};

use error::form;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy's.
    Npy,
    /// Rows of text.
    Csv,
    /// Audio.
    Wav,
}

impl Format {
    /// The kind of file that a name asks for.
    ///
    /// # Errors
    /// [`Error::Ending`].
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("csv" | "tsv" | "txt") => Ok(Self::Csv),
            Some("wav") => Ok(Self::Wav),
            _ => Err(Error::Ending),
        }
    }

    /// The kind of file that begins like this; whatever is no other is text.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"\x93NUMPY") {
            Self::Npy
        } else if bytes.starts_with(b"RIFF") {
            Self::Wav
        } else {
            Self::Csv
        }
    }
}

impl Sequence {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`Error::Form`] or [`Error::NotFinite`], which say where.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let sequence = match Format::of_bytes(bytes) {
            Format::Npy => npy::read(bytes),
            Format::Wav => wav::read(bytes),
            Format::Csv => table::read(bytes),
        }?;
        if sequence.is_empty() {
            return Err(form("it has no steps"));
        }
        match sequence.numbers.iter().position(|x| !x.is_finite()) {
            None => Ok(sequence),
            Some(at) => Err(Error::NotFinite {
                step: at / sequence.width,
                column: at % sequence.width,
                found: sequence.numbers[at],
            }),
        }
    }

    /// The bytes of a file of this kind. A `.wav` is one of 32-bit floats.
    ///
    /// # Errors
    /// [`Error::Form`] for more channels than a `.wav` can have.
    pub fn to_bytes(&self, format: Format) -> Result<Vec<u8>> {
        match format {
            Format::Npy => npy::write(self),
            Format::Csv => table::write(self),
            Format::Wav => wav::write(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence() -> Sequence {
        Sequence {
            width: 3,
            numbers: vec![0.5, -1.0, 1e-7, 0.25, 0.1, -0.333_333_34],
            sample_rate: None,
        }
    }

    #[test]
    fn every_format_gives_back_what_was_written() {
        for format in [Format::Npy, Format::Csv, Format::Wav] {
            let bytes = sequence().to_bytes(format).expect("bytes");
            assert_eq!(Format::of_bytes(&bytes), format);
            let read = Sequence::from_bytes(&bytes).expect("a sequence");
            assert_eq!((read.width, &read.numbers), (3, &sequence().numbers));
            let rate = (format == Format::Wav).then_some(SAMPLE_RATE);
            assert_eq!(read.sample_rate, rate);
        }
    }

    /// Whatever is cut off or changed is refused or read; nothing else happens.
    #[test]
    fn damaged_files_are_refused() {
        for format in [Format::Npy, Format::Csv, Format::Wav] {
            let bytes = sequence().to_bytes(format).expect("bytes");
            for len in 0..bytes.len() {
                let _ = Sequence::from_bytes(&bytes[..len]);
                for to in [0, b'9', 0xFF] {
                    let mut changed = bytes.clone();
                    changed[len] = to;
                    let _ = Sequence::from_bytes(&changed);
                }
            }
            if format != Format::Csv {
                Sequence::from_bytes(&bytes[..bytes.len() - 1]).expect_err("it is cut off");
            }
        }
        assert!(Sequence::from_bytes(b"").is_err());
    }

    #[test]
    fn what_is_no_number_is_placed() {
        let mut sequence = sequence();
        sequence.numbers[4] = f32::NAN;
        let bytes = sequence.to_bytes(Format::Npy).expect("bytes");
        let error = Sequence::from_bytes(&bytes).expect_err("not finite");
        assert_eq!(
            error.to_string(),
            "number 1 of step 1 is NaN: every one has to be finite"
        );
    }

    #[test]
    fn names_say_what_is_written() {
        assert_eq!(
            Format::of(Path::new("a/b.NPY")).expect("a kind"),
            Format::Npy
        );
        assert!(matches!(Format::of(Path::new("y.xls")), Err(Error::Ending)));
    }
}
