//! Why a file cannot be imported: one line each, with the place and a way out.

use std::io;
use std::path::PathBuf;

use gatelet::visible;

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is none of the formats.
    #[error(
        "this is no net of a known format; import takes ONNX, Keras (.keras, .h5), PyTorch \
         (.safetensors, .pt), TFLite, and the JSON of RTNeural, amplifier trainers and NAM"
    )]
    Unknown,
    /// The file is a checkpoint of Gatelet itself.
    #[error("this is a checkpoint of Gatelet: it needs no import; every command takes it as it is")]
    Own,
    /// The file is damaged, or not what its format says.
    #[error("the {format} file is damaged: {what}")]
    Damaged {
        /// The format.
        format: &'static str,
        /// What is wrong, and where.
        what: String,
    },
    /// Something in the net cannot come along.
    #[error("{name}: {what}; {remedy}")]
    Refused {
        /// The layer or node.
        name: String,
        /// What cannot come along, and why.
        what: String,
        /// A way out.
        remedy: String,
    },
    /// A tensor has not the shape that the file declares or that its layer needs.
    #[error("{name}: the tensor {tensor} has the shape {found}, not {expected}")]
    Shape {
        /// The layer or node.
        name: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A tensor that a layer needs is not in the file.
    #[error("{name}: the file has no tensor {tensor}; {remedy}")]
    Missing {
        /// The layer.
        name: String,
        /// The tensor.
        tensor: String,
        /// A way out.
        remedy: String,
    },
    /// A weight is no number.
    #[error("{name}: the tensor {tensor} holds a number that is not finite, at {index}")]
    NotFinite {
        /// The layer.
        name: String,
        /// The tensor.
        tensor: String,
        /// Which of its numbers.
        index: usize,
    },
    /// The net is past what an image can hold.
    #[error("{name}: {source}")]
    Net {
        /// The layer, or the net.
        name: String,
        /// What is past a limit.
        source: gatelet::net::NetError,
    },
    /// The file does not say how its layers follow each other.
    #[error("{0}")]
    Order(String),
}

/// What reading a file gives.
pub type Result<T> = std::result::Result<T, Error>;

/// [`Error::Refused`]; names of the file act on no terminal.
pub(crate) fn refused(name: &str, what: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Refused {
        name: visible::line(name).to_string(),
        what: visible::line(&what.into()).to_string(),
        remedy: remedy.into(),
    }
}
