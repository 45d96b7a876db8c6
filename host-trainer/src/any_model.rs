//! A model's file: an image as it is, or a checkpoint, which is turned into an f32 image first.
//!
//! So there is one inference path, and what a command says about a model is what the device will do.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gatelet::{Isa, Model, format};

use crate::error::{Error, Result};
use crate::files;
use crate::image::{Image, KnownAnswer, is_language_model};
use crate::isa::isa;
use crate::quantize::export;
use crate::seal;
use crate::train::checkpoint::Checkpoint;

/// Bytes of the largest file that is read as a model: the checkpoint of the largest net (LSTM, 4
/// layers of 1024, 16,384 tokens, a projection) with two slots of its optimizer, the state of 4096
/// streams and the longest header. Images are smaller.
pub const LARGEST: u64 = 2 << 30;

/// The bytes of a file that is to be a model, of at most [`LARGEST`].
///
/// # Errors
/// [`Error::NotAModel`] for a folder, or [`Error::Read`].
pub(crate) fn model_bytes(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(Error::NotAModel {
            path: path.to_owned(),
            found: "a folder (the model of a run folder is its best.safetensors)".to_owned(),
        });
    }
    let read = || {
        let mut file = File::open(path)?;
        match file.metadata()?.is_file() {
            true => files::read_from(&mut file, LARGEST),
            false => stream(file),
        }
    };
    read().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// A model out of a pipe or a device, which may never end: as much as its beginning promises, and
/// a byte more, so that a longer one is noticed.
pub(crate) fn stream(mut file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut up_to = |bytes: &mut Vec<u8>, length: u64| {
        let more = length.saturating_sub(bytes.len() as u64);
        (&mut file).take(more).read_to_end(bytes)
    };
    up_to(&mut bytes, format::PREAMBLE as u64)?;
    let length = match format::promised(&bytes) {
        Some(length) => length as u64,
        None => match seal::header_end(&bytes) {
            Some(end) => {
                up_to(&mut bytes, end)?;
                seal::promised(&bytes).map_or(end, |length| length as u64)
            }
            // No model, as what is read of it already says.
            None => return Ok(bytes),
        },
    };
    up_to(&mut bytes, length.min(LARGEST).saturating_add(1))?;
    Ok(bytes)
}

/// A model given by its path.
#[derive(Clone, Debug)]
pub struct AnyModel {
    /// The image: the file's, or an f32 one made of the checkpoint.
    pub image: Image,
    /// The same in the layout of the kernel that is going to run it.
    running: Image,
    /// The checkpoint, if it was one.
    pub checkpoint: Option<Checkpoint>,
}

impl AnyModel {
    /// Reads a checkpoint or an image, to be run with the kernel of [`isa`].
    ///
    /// # Errors
    /// As [`AnyModel::read_for`] and [`isa`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_for(path, isa()?)
    }

    /// Reads a checkpoint or an image; which one is decided by what is in it. `isa` is going to run it, and runs an image's
    /// known answer first.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NotAModel`], [`Error::Image`], [`Error::Answer`] or [`Error::Checkpoint`].
    pub fn read_for(path: &Path, isa: Isa) -> Result<Self> {
        Self::from_bytes(&model_bytes(path)?, path, isa)
    }

    /// The same from bytes in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`AnyModel::read_for`].
    pub fn from_bytes(bytes: &[u8], path: &Path, isa: Isa) -> Result<Self> {
        let any = Self::any_from_bytes(bytes, path, isa)?;
        match is_language_model(any.given().net()) {
            true => Ok(any),
            false if any.checkpoint.is_some() => Err(Error::NoVocabulary),
            false => Err(Error::NotAModel {
                path: path.to_owned(),
                found: "an image of a net that is no language model; `gatelet inspect` shows what it is".to_owned(),
            }),
        }
    }

    /// The same of any net, which need not be a language model.
    ///
    /// # Errors
    /// As [`AnyModel::read_for`].
    pub fn any_from_bytes(bytes: &[u8], path: &Path, isa: Isa) -> Result<Self> {
        if bytes.starts_with(&format::MAGIC) {
            let image = Image::from_bytes(bytes);
            image.model().map_err(|what| Error::Image {
                path: path.to_owned(),
                what,
            })?;
            let running = image.for_isa(isa)?;
            let any = Self {
                image,
                running,
                checkpoint: None,
            };
            isa.run(KnownAnswer(any.model()))
                .map_err(|what| Error::Answer {
                    path: path.to_owned(),
                    what: format!("{}: {what}", isa.name()),
                })?;
            return Ok(any);
        }
        let checkpoint = Checkpoint::from_bytes(bytes, path)?.in_units_of_data();
        let image = export::own_image(&checkpoint)?;
        Ok(Self {
            running: image.for_isa(isa)?,
            image,
            checkpoint: Some(checkpoint),
        })
    }

    /// The model as it was given: what `inspect` describes.
    ///
    /// # Panics
    /// Never: the image was checked when it was read.
    pub fn given(&self) -> Model<'_> {
        self.image
            .model()
            .expect("the image was checked when it was read")
    }

    /// The model to be run here.
    ///
    /// # Panics
    /// Never: the image was checked when it was read, and repacking changes places only.
    pub fn model(&self) -> Model<'_> {
        self.running
            .model()
            .expect("the image was checked when it was read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::layers::{Cell, Layers};

    #[test]
    fn the_largest_checkpoint_can_be_read() {
        let shape = Layers {
            cell: Cell::Lstm,
            layers: 4,
            hidden: 1024,
            vocab: crate::data::corpus::MAX_VOCAB,
            projection: 1024,
            ..Layers::PLAIN
        };
        let (state, biases) = (2 * 4 * 4096 * 1024, 4 * 4096);
        let numbers = 3 * shape.parameters() + state + biases;
        let bytes = 4 * numbers as u64 + seal::LONGEST_HEADER;
        assert!(bytes < LARGEST, "{bytes}");
    }
}
