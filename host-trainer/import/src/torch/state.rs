//! Named tensors of a state dict, whatever file they come from.

use half::{bf16, f16};

use crate::error::{Error, Result, refused};

/// Numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Numbers {
    /// As f32, row after row.
    Real(Vec<f32>),
    /// Of a type that no weight of a net in real numbers has: its name.
    Other(String),
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Its name in the file: `rnn.weight_ih_l0`.
    pub(crate) name: String,
    /// Its axes.
    pub(crate) shape: Vec<usize>,
    /// Its numbers: as many as the shape says.
    pub(crate) numbers: Numbers,
}

/// A state dict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// What the file is, for messages.
    pub(crate) format: &'static str,
    /// In the order of the file.
    pub(crate) tensors: Vec<Tensor>,
    /// Whether that is the order in which the modules were made. Safetensors sorts by name.
    pub(crate) ordered: bool,
    /// What was left out or changed.
    pub(crate) notes: Vec<String>,
}

impl Tensor {
    /// Its numbers, for the layer `layer`.
    pub(crate) fn real(&self, layer: &str) -> Result<&[f32]> {
        match &self.numbers {
            Numbers::Real(all) => Ok(all),
            Numbers::Other(kind) => Err(refused(
                layer,
                format!("the tensor {} holds {kind}, not real numbers", self.name),
                "save the net before it is quantized; Gatelet quantizes it by itself",
            )),
        }
    }

    /// An error if its shape is another.
    pub(crate) fn expect(&self, layer: &str, expected: &[usize]) -> Result<()> {
        match self.shape == expected {
            true => Ok(()),
            false => Err(Error::Shape {
                name: layer.to_owned(),
                tensor: self.name.clone(),
                found: format!("{:?}", self.shape),
                expected: format!("{expected:?}"),
            }),
        }
    }
}

/// A type of real numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Real {
    F16,
    Bf16,
    F32,
    F64,
}

impl Real {
    /// Bytes of a number.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number that begins at a byte; nothing past the end.
    pub(crate) fn at(self, bytes: &[u8], start: usize) -> Option<f32> {
        let bytes = bytes.get(start..start.checked_add(self.size())?)?;
        Some(match (self, bytes) {
            (Self::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (Self::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            _ => f64::from_le_bytes(bytes.try_into().ok()?) as f32,
        })
    }

    /// What is said of numbers that are not f32 already.
    pub(crate) const fn note(self) -> Option<&'static str> {
        match self {
            Self::F32 => None,
            Self::F16 => Some("weights of 16 bits (f16) were made f32, which changes none of them"),
            Self::Bf16 => {
                Some("weights of 16 bits (bf16) were made f32, which changes none of them")
            }
            Self::F64 => Some("weights of 64 bits were rounded to f32"),
        }
    }
}

impl State {
    /// Adds a note, once.
    pub(crate) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }
}
