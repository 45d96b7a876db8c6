//! A model in memory, wherever it came from: every command runs it through `core`'s session.
//!
//! How a file becomes one is in [`any_model`](crate::any_model).

use std::ops::Range;

use gatelet::net::{MAX_OPERATIONS, Net, Output, Precision, Value};
use gatelet::{Isa, Kernel, Layout, Model, SelfTestError, WithKernel, format};

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

/// Whether a net scores the tokens that it reads: what completes a text.
pub fn is_language_model(net: &Net) -> bool {
    let scores = |output| matches!(output, Output::Scores(_));
    net.takes_tokens() && net.output(0).is_some_and(scores) && net.output_width(0) == net.vocab()
}

/// Where a snapshot has the state of a recurrent operation (`Net::snapshot_words`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatePlace {
    /// The operation.
    pub(crate) operation: usize,
    /// Units.
    pub(crate) units: usize,
    /// h, padded with zeros, in elements from the snapshot's start.
    pub(crate) h: Range<usize>,
    /// Its units of what it carries besides, in elements of that; empty where there is no such
    /// thing.
    pub(crate) carried: Range<usize>,
}

/// The states of a snapshot, in the order of the operations.
pub(crate) fn states(net: &Net) -> Vec<StatePlace> {
    let recurrent = net.operations().enumerate();
    let recurrent = recurrent.filter_map(|(index, of)| Some((index, of.kind.cell()?)));
    let recurrent: Vec<_> = recurrent.collect();
    let strides = recurrent
        .iter()
        .map(|&(index, _)| net.stride(Value::of(index)));
    let bytes = strides.sum::<usize>() * net.precision.hidden_bytes();
    let (mut h, mut carried) = (0, bytes / net.precision.cell_bytes());
    let place = |(index, form): (usize, gatelet::net::CellForm)| {
        let (width, stride) = (net.width(Value::of(index)), net.stride(Value::of(index)));
        let begin = (h, carried);
        h += stride;
        let carries = form.carries(net.precision);
        carried += if carries { stride } else { 0 };
        StatePlace {
            operation: index,
            units: width,
            h: begin.0..h,
            carried: begin.1..begin.1 + if carries { width } else { 0 },
        }
    };
    recurrent.into_iter().map(place).collect()
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
        (1, Precision::F32) => true,
        (1, Precision::Int8) => elements < LARGE,
        (_, Precision::F32) => elements * size_of::<f32>() >= LARGE,
        (_, Precision::Int8) => elements >= LARGE,
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Kind, Reset};

    use super::*;

    #[test]
    fn the_states_of_a_snapshot_fill_it() {
        for (precision, carried) in [
            (Precision::Int8, [18..23, 26..33, 0..0]),
            (Precision::F32, [20..25, 0..0, 0..0]),
        ] {
            let net = Net::tokens(precision, 9).then(Kind::lstm(5));
            let net = net.then(Kind::gru(7, Reset::After));
            let net = net.then(gatelet_random::RNN.with_units(4));
            let found = states(&net);
            let h: Vec<_> = found.iter().map(|of| of.h.clone()).collect();
            assert_eq!(h, [0..8, 8..16, 16..20]);
            for (index, (of, expected)) in found.iter().zip(carried).enumerate() {
                assert_eq!(of.operation, index);
                assert_eq!(of.carried.len(), expected.len());
            }
        }
    }
}
