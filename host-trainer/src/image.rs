//! A model in memory, wherever it came from: every command runs it through `core`'s session.
//!
//! How a file becomes one is in [`any_model`](crate::any_model).

use gatelet::net::{MAX_OPERATIONS, Net};
use gatelet::{Dims, Isa, Kernel, Layout, Model, SelfTestError, WithKernel, format};

use crate::error::{Error, Result};
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

/// A model that is known to be a language model.
pub trait LanguageModel {
    /// Its shape.
    ///
    /// # Panics
    /// When it is none: [`AnyModel`](crate::any_model::AnyModel) refuses such.
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
