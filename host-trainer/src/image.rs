//! A model in memory, wherever it came from: every command runs it through `core`'s session.
//!
//! A `.gatelet` file is read as it is; a checkpoint is turned into an f32 image first. So there is one inference path,
//! and what a command says about a model is what the device will do.

use std::fs;
use std::path::Path;

use gatelet::{Dims, Isa, Layout, Model, format};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::export;
use crate::memory::Memory;

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
        match isa.layout(&model.dims()) {
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

/// The bytes of a file that is to be a model.
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
    fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
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

    /// Reads a checkpoint or an image; which one is decided by what is in it. `isa` is going to run it.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NotAModel`], [`Error::Image`] or [`Error::Checkpoint`].
    pub fn read_for(path: &Path, isa: Isa) -> Result<Self> {
        Self::from_bytes(&model_bytes(path)?, path, isa)
    }

    /// The same from bytes in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`AnyModel::read_for`].
    pub fn from_bytes(bytes: &[u8], path: &Path, isa: Isa) -> Result<Self> {
        if bytes.starts_with(&format::MAGIC) {
            let image = Image::from_bytes(bytes);
            image.model().map_err(|what| Error::Image {
                path: path.to_owned(),
                what,
            })?;
            return Ok(Self {
                running: image.for_isa(isa)?,
                image,
                checkpoint: None,
            });
        }
        let checkpoint = Checkpoint::from_bytes(bytes, path)?;
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

/// Storage for a session: with room for sums ([`Dims::ahead_words`]) where that makes steps faster.
pub fn storage(dims: &Dims) -> Vec<u32> {
    let ahead = match ahead_pays(dims) {
        true => dims.ahead_words(),
        false => 0,
    };
    vec![0; dims.state_words() + ahead]
}

/// Half of a second-level cache.
const LARGE: usize = 1 << 20;

/// Whether products ahead save time (docs/adr/0004-tiles.md). Of several layers, where the last one is large; of one layer, but in int8
/// not where reads take all the time.
fn ahead_pays(dims: &Dims) -> bool {
    let elements = dims.rows() * dims.columns(dims.layers - 1);
    match (dims.layers, dims.precision) {
        (1, gatelet::Precision::F32) => true,
        (1, gatelet::Precision::Int8) => elements < LARGE,
        (_, gatelet::Precision::F32) => elements * size_of::<f32>() >= LARGE,
        (_, gatelet::Precision::Int8) => elements >= LARGE,
    }
}
