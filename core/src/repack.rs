//! The same model in another layout.
//!
//! A kernel is fastest in its own layout. An exporter writes an image for the device it is for; a host that loads an
//! image made for something else repacks it once, into memory of its own.

use bytemuck::NoUninit;

use crate::dims::Layout;
use crate::error::{SectionName, WriteError};
use crate::format::{Header, SectionKind, layout_code, sections_of};
use crate::layer::{Embedding, Head, Layer};
use crate::model::Model;
use crate::order::RowOrder;
use crate::tiles::emit_slots;
use crate::write::{Source, check_shift, len_with, table, write_with};

/// An upper bound of the bytes [`repack`] needs. The image it returns may be a few bytes shorter.
///
/// # Errors
/// When a model of this shape cannot have the layout.
pub fn repacked_len(model: &Model<'_>, layout: Layout) -> Result<usize, WriteError> {
    len_with(&header(model, layout)?, layout)
}

/// Writes `model` in another layout into `out`, and returns the image's length in bytes.
///
/// Only the places of the weights change: results, provenance and known answer are the same. Read it back with
/// [`Model::from_bytes`].
///
/// # Errors
/// When a model of this shape cannot have the layout, or `out` is too small.
pub fn repack(model: &Model<'_>, layout: Layout, out: &mut [u8]) -> Result<usize, WriteError> {
    let names = sections_of(&model.dims(), layout, model.lengths());
    let source = Repacked { model, layout };
    write_with(header(model, layout)?, layout, names, &source, out)
}

/// The model's header with another layout; the checksums of the table are still zero.
fn header<'a>(model: &Model<'a>, layout: Layout) -> Result<Header<'a>, WriteError> {
    let dims = model.dims();
    layout.check(&dims).map_err(WriteError::Layout)?;
    let mut header = model.decoded().ok_or(WriteError::Header)?;
    for layer in model.layers() {
        if let Layer::Int8(layer) = layer {
            check_shift(layout, layer.weights.bits(), layer.shift as u8)?;
        }
    }
    for head in [Some(model.head()), model.projection()]
        .into_iter()
        .flatten()
    {
        if let Head::Int8(head) = head {
            check_shift(layout, head.weights.bits(), head.shift as u8)?;
        }
    }
    header.layout = layout_code(layout);
    header.sections = table(&dims, layout, model.lengths())?;
    Ok(header)
}

/// A model whose matrices come out in another layout.
struct Repacked<'m, 'a> {
    model: &'m Model<'a>,
    layout: Layout,
}

impl Source for Repacked<'_, '_> {
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        let (model, layout) = (self.model, self.layout);
        let (dims, from) = (model.dims(), model.layout());
        let rows = dims.rows();
        let order = RowOrder::of_layer(layout, dims.cell);
        let from_order = RowOrder::of_layer(from, dims.cell);
        match (name.kind, model.layer(name.layer)) {
            (SectionKind::Vocabulary, _) => sink(model.vocab().bytes()),
            (SectionKind::KnownAnswer, _) => sink(bytes_of(model.known_answer().tokens)),
            (SectionKind::Input, Some(Layer::F32(layer))) => {
                emit_slots(layer.input, rows, from_order, order, sink);
            }
            (SectionKind::Input, Some(Layer::Int8(layer))) => {
                emit_slots(layer.input, rows, from_order, order, sink);
            }
            (SectionKind::Weights, Some(Layer::F32(layer))) => {
                layer.weights.emit(rows, order, sink);
            }
            (SectionKind::Weights, Some(Layer::Int8(layer))) => {
                let bits = dims.four_bits.of_layer(name.layer);
                layer.weights.emit(rows, (layout, bits), order, sink);
            }
            (SectionKind::Multipliers, Some(Layer::Int8(layer))) => {
                emit_slots(layer.multipliers, rows, from_order, order, sink);
            }
            _ => self.emit_whole(name.kind, sink)?,
        }
        Ok(())
    }
}

impl Repacked<'_, '_> {
    /// A section of the embedding, the projection or the head.
    fn emit_whole(&self, kind: SectionKind, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        let (model, vocab) = (self.model, self.model.dims().vocab);
        let layout = match kind {
            SectionKind::Embedding => model.dims().table_layout(self.layout),
            _ => self.layout,
        };
        let (order, from) = (RowOrder::of_head(layout), RowOrder::of_head(model.layout()));
        use SectionKind::{
            HeadBias, HeadMultipliers, HeadWeights, Projection, ProjectionBias,
            ProjectionMultipliers,
        };
        let (affine, rows) = match kind {
            Projection | ProjectionMultipliers | ProjectionBias => {
                (model.projection(), model.dims().projection)
            }
            _ => (Some(model.head()), vocab),
        };
        match (kind, model.embedding(), affine) {
            (SectionKind::Embedding, Some(Embedding::F32(table)), _) => {
                table.weights.emit(vocab, order, sink);
            }
            (SectionKind::Embedding, Some(Embedding::Int8(table)), _) => {
                table.weights.emit(vocab, (layout, 8), order, sink);
            }
            (SectionKind::EmbeddingMultipliers, Some(Embedding::Int8(table)), _) => {
                sink(bytes_of(table.multipliers));
            }
            (HeadWeights | Projection, _, Some(Head::F32(head))) => {
                head.weights.emit(rows, order, sink);
            }
            (HeadWeights | Projection, _, Some(Head::Int8(head))) => {
                let bits = match kind {
                    HeadWeights => model.dims().four_bits.of_head(),
                    _ => 8,
                };
                head.weights.emit(rows, (layout, bits), order, sink);
            }
            (HeadMultipliers | ProjectionMultipliers, _, Some(Head::Int8(head))) => {
                emit_slots(head.multipliers, rows, from, order, sink);
            }
            (HeadBias | ProjectionBias, _, Some(Head::F32(head))) => {
                emit_slots(head.bias, rows, from, order, sink);
            }
            (HeadBias | ProjectionBias, _, Some(Head::Int8(head))) => {
                emit_slots(head.bias, rows, from, order, sink);
            }
            _ => return Err(WriteError::Header),
        }
        Ok(())
    }
}

/// The bytes of numbers. `cast_slice` would do, but the optimiser does not always see that it cannot panic.
fn bytes_of<T: NoUninit>(numbers: &[T]) -> &[u8] {
    bytemuck::try_cast_slice(numbers).unwrap_or_default()
}
