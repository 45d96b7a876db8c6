//! A model in memory, wherever it came from: every command runs it through `core`'s session.
//!
//! A `.gatelet` file is read as it is; a checkpoint is turned into an f32 image first. So there is one inference path,
//! and what a command says about a model is what the device will do.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use gatelet::net::{MAX_OPERATIONS, Net};
use gatelet::{Dims, Isa, Kernel, Layout, Model, SelfTestError, WithKernel, format};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::export;
use crate::files;
use crate::memory::Memory;
use crate::seal;

/// The bytes of a model image, aligned for every kernel.
#[derive(Clone, Debug)]
pub struct Image(Memory<u8>);

impl Image {
    /// A copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut memory = Memory::zeroed(bytes.len());
        memory.copy_from_slice(bytes);
        Self(memory)
    }

    /// Writes an image of `spec`.
    ///
    /// # Errors
    /// What the writer refuses, for example a section of the wrong length.
    pub fn write(spec: &format::ImageSpec<'_>) -> std::result::Result<Self, gatelet::WriteError> {
        let mut memory = Memory::zeroed(format::image_len(spec)?);
        let len = format::write_image(spec, &mut memory)?;
        memory.truncate(len);
        Ok(Self(memory))
    }

    /// The same model in another layout.
    ///
    /// # Errors
    /// When it cannot have that layout; the text says why.
    pub fn repacked(&self, layout: Layout) -> Result<Self> {
        let export = |error: &dyn std::fmt::Display| Error::Export(error.to_string());
        let model = self.model().map_err(|error| export(&error))?;
        let most = format::repacked_len(&model, layout).map_err(|error| export(&error))?;
        let mut memory = Memory::zeroed(most);
        let len = format::repack(&model, layout, &mut memory).map_err(|error| export(&error))?;
        memory.truncate(len);
        Ok(Self(memory))
    }

    /// The same model in the layout that `isa` runs fastest.
    ///
    /// # Errors
    /// As [`Image::repacked`]; does not happen for an image that was checked.
    pub fn for_isa(&self, isa: Isa) -> Result<Self> {
        let model = self
            .model()
            .map_err(|error| Error::Export(error.to_string()))?;
        match isa.layout(model.net()) {
            layout if layout == model.layout() => Ok(self.clone()),
            layout => self.repacked(layout),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The model in these bytes, checked.
    ///
    /// # Errors
    /// What is wrong with the image.
    pub fn model(&self) -> std::result::Result<Model<'_>, gatelet::LoadError> {
        Model::from_bytes(self.bytes())
    }
}

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
        match any.given().net().dims() {
            Some(_) => Ok(any),
            None => Err(Error::NotAModel {
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
        let checkpoint = Checkpoint::of_text(bytes, path)?;
        let image = export::own_image(&checkpoint, path)?;
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

/// Runs a model's known answer: a few tokens, before anything else that it says is believed.
pub(crate) struct KnownAnswer<'a>(pub(crate) Model<'a>);

impl WithKernel for KnownAnswer<'_> {
    type Output = std::result::Result<(), SelfTestError>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let answer = self.0.known_answer();
        let none = answer.tokens.is_empty() && answer.features.is_empty();
        match none {
            true => Ok(()),
            false => self.0.self_test(kernel, &mut storage(self.0.net())),
        }
    }
}

/// The kernel that commands run with: the one that the environment variable `GATELET_ISA` names, or else the fastest of
/// this machine.
///
/// # Errors
/// [`Error::Isa`] when this machine does not have the one that is named.
pub fn isa() -> Result<Isa> {
    match std::env::var("GATELET_ISA") {
        Ok(name) if !name.is_empty() => isa_named(&name),
        _ => Ok(Isa::detect()),
    }
}

/// The kernel of that name.
///
/// # Errors
/// [`Error::Isa`], with the names of those that this machine has.
pub fn isa_named(name: &str) -> Result<Isa> {
    Isa::from_name(name).ok_or_else(|| {
        let have: Vec<&str> = Isa::available().map(Isa::name).collect();
        Error::Isa {
            name: name.to_owned(),
            have: have.join(", "),
        }
    })
}

/// A model that is known to be a language model.
pub trait LanguageModel {
    /// Its shape.
    ///
    /// # Panics
    /// When it is none: [`AnyModel`] refuses such.
    fn dims(&self) -> Dims;
}

impl LanguageModel for Model<'_> {
    fn dims(&self) -> Dims {
        let dims = self.net().dims();
        dims.expect("a language model, which was found out when it was read")
    }
}

/// Storage for a session: with room for sums ([`Net::pipeline_words`]) where that makes steps faster.
pub fn storage(net: &Net) -> Vec<u32> {
    let pipeline = match pipelining_pays(net) {
        true => net.pipeline_words(),
        false => 0,
    };
    vec![0; net.state_words() + pipeline]
}

/// Half of a second-level cache.
const LARGE: usize = 1 << 20;

/// Whether products ahead save time (docs/adr/0004-tiles.md). Of several layers, where the last one is large; of one layer, but in int8
/// not where reads take all the time.
fn pipelining_pays(net: &Net) -> bool {
    let last = (0..MAX_OPERATIONS).rev().find_map(|index| {
        let (of, operation) = (net.recurrent(index)?, net.operation(index)?);
        Some(operation.kind.gates() * of.units * net.columns(index))
    });
    let elements = last.unwrap_or_default();
    match (net.recurrent_count(), net.precision) {
        (1, gatelet::Precision::F32) => true,
        (1, gatelet::Precision::Int8) => elements < LARGE,
        (_, gatelet::Precision::F32) => elements * size_of::<f32>() >= LARGE,
        (_, gatelet::Precision::Int8) => elements >= LARGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Cell, Shape};

    #[test]
    fn the_largest_checkpoint_can_be_read() {
        let shape = Shape {
            cell: Cell::Lstm,
            layers: 4,
            hidden: 1024,
            vocab: crate::corpus::MAX_VOCAB,
            projection: 1024,
            ..Shape::PLAIN
        };
        let (state, biases) = (2 * 4 * 4096 * 1024, 4 * 4096);
        let numbers = 3 * shape.parameters() + state + biases;
        let bytes = 4 * numbers as u64 + seal::LONGEST_HEADER;
        assert!(bytes < LARGEST, "{bytes}");
    }
}
