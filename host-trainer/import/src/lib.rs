//! Trained recurrent nets from files of other programs.
//!
//! ```text
//! file -> a reader, one for each format -> Draft -> lower -> Imported: a Net and its weights
//! ```
//! A reader knows its format and nothing else: the order of gates, which biases are added, where a
//! tensor lies. It gives a [`draft::Draft`], the net as the file describes it. [`lower()`] makes a
//! list of Gatelet's operations of it, and folds what needs no operation of its own.
//!
//! Whatever cannot come along is an [`Error`] that names the layer, says why, and what to do. A file
//! is never trusted: sizes are checked against the file's own before memory is taken for them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod draft;
mod error;
mod json;
#[cfg(feature = "keras")]
mod keras;
mod lower;
mod onnx;
mod options;
pub mod plain;
mod tflite;
mod torch;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use error::{Error, Result};
pub use lower::{Imported, Port, Row, Weights, lower};

pub use options::Options;

use draft::Draft;

/// The formats, by what a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A `.h5` of Keras.
    Hdf5,
    /// A `.keras`, or a `.pt` of PyTorch.
    Zip,
    Safetensors,
    Json,
    Tflite,
    /// A pickle without a zip around it: `torch.save` before PyTorch 1.6.
    Pickle,
    /// A protocol buffer, of which nothing but its fields tells what it is.
    Onnx,
}

fn format(bytes: &[u8], path: &Path) -> Option<Format> {
    let is = |magic: &[u8]| bytes.starts_with(magic);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    Some(match bytes {
        _ if is(b"\x89HDF\r\n\x1a\n") => Format::Hdf5,
        _ if is(b"PK\x03\x04") => Format::Zip,
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Format::Tflite,
        [_, _, _, _, _, _, _, 0, b'{', ..] => Format::Safetensors,
        _ if first == Some(&b'{') || is(b"\xef\xbb\xbf{") => Format::Json,
        [0x80, 2..=5, ..] => Format::Pickle,
        _ if path.extension().is_some_and(|name| name == "onnx") || is(b"\x08") => Format::Onnx,
        _ => return None,
    })
}

/// Bytes of the largest file that is read.
pub const LARGEST: u64 = 1 << 30;

/// The bytes of a file, of at most [`LARGEST`].
///
/// # Errors
/// [`Error::Read`].
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > LARGEST {
            true => Err(io::Error::other(
                "a file of more than 1 GiB is no net for this",
            )),
            false => Ok(bytes),
        }
    };
    read().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// Reads a file of any format that is known, by what its bytes hold and, where that does not tell,
/// by its name.
///
/// # Errors
/// As [`Error`] says: a file that is damaged, or holds what cannot come along.
pub fn read(bytes: &[u8], path: &Path, options: Options<'_>) -> Result<Draft> {
    match format(bytes, path) {
        Some(Format::Onnx) => onnx::read(bytes, options),
        #[cfg(feature = "keras")]
        Some(Format::Hdf5) => keras::read_h5(bytes),
        #[cfg(feature = "keras")]
        Some(Format::Zip) if keras::is(bytes) => keras::read_zip(bytes),
        Some(Format::Safetensors) => torch::read_safetensors(bytes, options),
        Some(Format::Zip) if torch::is_archive(bytes) => torch::read(bytes, options),
        Some(Format::Json) => json::read(bytes, options),
        Some(Format::Tflite) => tflite::read(bytes, options),
        Some(Format::Pickle) => torch::read_pickle(bytes, options),
        None | Some(_) => Err(Error::Unknown),
    }
}
