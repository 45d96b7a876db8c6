//! What an image is to hold: the numbers, the shape and where they come from, as a caller hands them over.
//!
//! The parts are compared with each other here; `write.rs` puts them into bytes.

use bytemuck::cast_slice;

use crate::dims::{Dims, Layout, Precision};
use crate::error::{SectionName, WriteError};
use crate::format::{
    Header, KnownAnswer, LayerScales, Lengths, Provenance, SectionKind, Widths, cell_code,
    layout_code, precision_code,
};
use crate::four_bits::FourBits;
use crate::matrix::{MatrixF32, MatrixInt8};
use crate::nibbles::LARGEST;
use crate::order::RowOrder;
use crate::rules::TextRules;
use crate::tiles::emit_slots;
use crate::words;
use crate::write::{Source, check_shift, table};

/// The numbers of one recurrent layer to be written; shapes as in [`LayerF32`](crate::LayerF32) and
/// [`LayerInt8`](crate::LayerInt8).
#[derive(Clone, Copy, Debug)]
pub enum LayerSpec<'a> {
    /// A layer in f32.
    F32 {
        /// First layer without an embedding `[vocab, rows]`, others `[rows]`.
        input: &'a [f32],
        /// `[rows, columns]`.
        weights: &'a [f32],
    },
    /// A layer in int8.
    Int8 {
        /// First layer without an embedding `[vocab, rows]`, others `[rows]`; Q3.12.
        input: &'a [i16],
        /// `[rows, columns]`.
        weights: &'a [i8],
        /// `[rows]`.
        multipliers: &'a [i32],
        /// Right shift of the requantization.
        shift: u8,
        /// Integer bits of the cell state.
        cell_bits: u8,
    },
}

/// The numbers of the output layer, or of the projection before it, to be written. `outputs` are the tokens or the
/// projection's numbers, `columns` are those of [`Dims::head_columns`] or [`Dims::stride`].
#[derive(Clone, Copy, Debug)]
pub enum HeadSpec<'a> {
    /// In f32.
    F32 {
        /// `[outputs, columns]`; of a tied head none.
        weights: &'a [f32],
        /// `[outputs]`.
        bias: &'a [f32],
    },
    /// In int8.
    Int8 {
        /// `[outputs, columns]`; of a tied head none.
        weights: &'a [i8],
        /// `[outputs]`.
        multipliers: &'a [i32],
        /// Right shift of the requantization.
        shift: u8,
        /// `[outputs]`, Q15.16.
        bias: &'a [i32],
    },
}

/// The numbers of an embedding to be written; shapes as in [`EmbeddingF32`](crate::EmbeddingF32) and
/// [`EmbeddingInt8`](crate::EmbeddingInt8).
#[derive(Clone, Copy, Debug)]
pub enum EmbeddingSpec<'a> {
    /// In f32.
    F32 {
        /// `[vocab, embedding_stride]`.
        weights: &'a [f32],
    },
    /// In int8.
    Int8 {
        /// `[vocab, embedding_stride]`.
        weights: &'a [i8],
        /// `[vocab]`.
        multipliers: &'a [i32],
        /// Right shift of the requantization.
        shift: u8,
    },
}

/// The tokens of a model to be written.
#[derive(Clone, Copy, Debug)]
pub enum VocabSpec<'a> {
    /// `[vocab]` distinct characters, ascending.
    Characters(&'a [char]),
    /// `[vocab]` distinct words of at most [`MAX_WORD`](crate::format::MAX_WORD) bytes, ascending by their bytes, as
    /// [`Tokenizer`](crate::Tokenizer) makes them. [`UNKNOWN`](crate::UNKNOWN) has to be among them, and the rules to
    /// say so.
    Words(&'a [&'a str]),
    /// `[vocab]` distinct bytes, ascending. There are no rules for what is no text.
    Bytes(&'a [u8]),
}

/// Everything an image holds.
#[derive(Clone, Copy, Debug)]
pub struct ImageSpec<'a> {
    /// The shape.
    pub dims: Dims,
    /// How the image arranges its weight matrices. They are given row-major, whatever it is.
    pub layout: Layout,
    /// The tokens.
    pub vocab: VocabSpec<'a>,
    /// The table, if the dims have an embedding.
    pub embedding: Option<EmbeddingSpec<'a>>,
    /// One per layer.
    pub layers: &'a [LayerSpec<'a>],
    /// The projection, if the dims have one.
    pub projection: Option<HeadSpec<'a>>,
    /// The output layer.
    pub head: HeadSpec<'a>,
    /// Where the model comes from.
    pub provenance: Provenance<'a>,
    /// The known-answer test.
    pub known_answer: KnownAnswer<'a>,
    /// How the text was prepared. With an unknown token, the vocabulary holds [`UNKNOWN`](crate::UNKNOWN).
    pub rules: TextRules,
}

impl Source for ImageSpec<'_> {
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        match name.kind {
            SectionKind::Vocabulary => match self.vocab {
                VocabSpec::Characters(characters) => sink(cast_slice(characters)),
                VocabSpec::Words(list) => words::emit(list, sink),
                VocabSpec::Bytes(list) => {
                    let points = list.iter().map(|&byte| u32::from(byte).to_le_bytes());
                    points.for_each(|point| sink(&point));
                }
            },
            SectionKind::KnownAnswer => sink(cast_slice(self.known_answer.tokens)),
            SectionKind::Embedding | SectionKind::EmbeddingMultipliers => {
                self.emit_embedding(name, sink)?;
            }
            SectionKind::Input | SectionKind::Weights | SectionKind::Multipliers => {
                self.emit_layer(name, sink)?;
            }
            SectionKind::Projection
            | SectionKind::ProjectionMultipliers
            | SectionKind::ProjectionBias => {
                let of = self.projection.ok_or(self.wrong_precision())?;
                self.emit_head(name, of, (self.dims.projection, self.dims.stride()), sink)?;
            }
            SectionKind::HeadWeights | SectionKind::HeadMultipliers | SectionKind::HeadBias => {
                let shape = (self.dims.vocab, self.dims.head_columns());
                self.emit_head(name, self.head, shape, sink)?;
            }
        }
        Ok(())
    }
}

impl ImageSpec<'_> {
    /// A section of the embedding.
    fn emit_embedding(
        &self,
        name: SectionName,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), WriteError> {
        let (vocab, columns) = (self.dims.vocab, self.dims.embedding_stride());
        let layout = self.dims.table_layout(self.layout);
        let order = RowOrder::of_head(layout);
        match (name.kind, self.embedding.ok_or(self.wrong_precision())?) {
            (SectionKind::Embedding, EmbeddingSpec::F32 { weights }) => {
                check_len(name, weights, vocab * columns)?;
                MatrixF32::rows(columns, weights).emit(vocab, order, sink);
            }
            (SectionKind::Embedding, EmbeddingSpec::Int8 { weights, .. }) => {
                check_len(name, weights, vocab * columns)?;
                MatrixInt8::rows(columns, weights).emit(vocab, (layout, 8), order, sink);
            }
            (_, EmbeddingSpec::Int8 { multipliers, .. }) => {
                check_len(name, multipliers, vocab)?;
                sink(cast_slice(multipliers));
            }
            _ => return Err(self.wrong_precision()),
        }
        Ok(())
    }

    /// A section of a layer.
    fn emit_layer(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        let (dims, layout) = (&self.dims, self.layout);
        let order = RowOrder::of_layer(layout, dims.cell);
        let (rows, columns) = (dims.rows(), dims.columns(name.layer));
        let rows_of_tokens = name.layer == 0 && dims.embedding == 0;
        let inputs = if rows_of_tokens { dims.vocab } else { 1 };
        match (name.kind, self.layers.get(name.layer)) {
            (SectionKind::Input, Some(LayerSpec::F32 { input, .. })) => {
                check_len(name, input, inputs * rows)?;
                emit_slots(input, rows, RowOrder::PLAIN, order, sink);
            }
            (SectionKind::Input, Some(LayerSpec::Int8 { input, .. })) => {
                check_len(name, input, inputs * rows)?;
                emit_slots(input, rows, RowOrder::PLAIN, order, sink);
            }
            (SectionKind::Weights, Some(LayerSpec::F32 { weights, .. })) => {
                check_len(name, weights, rows * columns)?;
                MatrixF32::rows(columns, weights).emit(rows, order, sink);
            }
            (SectionKind::Weights, Some(LayerSpec::Int8 { weights, .. })) => {
                check_len(name, weights, rows * columns)?;
                let bits = dims.four_bits.of_layer(name.layer);
                check_small(name, weights, bits)?;
                MatrixInt8::rows(columns, weights).emit(rows, (layout, bits), order, sink);
            }
            (SectionKind::Multipliers, Some(LayerSpec::Int8 { multipliers, .. })) => {
                check_len(name, multipliers, rows)?;
                emit_slots(multipliers, rows, RowOrder::PLAIN, order, sink);
            }
            _ => return Err(WriteError::Precision { layer: name.layer }),
        }
        Ok(())
    }

    /// A section of the head, or of the projection: a matrix `[rows, columns]`, multipliers and bias.
    fn emit_head(
        &self,
        name: SectionName,
        head: HeadSpec<'_>,
        (rows, columns): (usize, usize),
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), WriteError> {
        use SectionKind::{
            HeadBias, HeadMultipliers, HeadWeights, Projection, ProjectionBias,
            ProjectionMultipliers,
        };
        let order = RowOrder::of_head(self.layout);
        match (name.kind, head) {
            (HeadWeights | Projection, HeadSpec::F32 { weights, .. }) => {
                check_len(name, weights, rows * columns)?;
                MatrixF32::rows(columns, weights).emit(rows, order, sink);
            }
            (HeadWeights | Projection, HeadSpec::Int8 { weights, .. }) => {
                check_len(name, weights, rows * columns)?;
                let bits = match name.kind {
                    HeadWeights => self.dims.four_bits.of_head(),
                    _ => 8,
                };
                check_small(name, weights, bits)?;
                MatrixInt8::rows(columns, weights).emit(rows, (self.layout, bits), order, sink);
            }
            (HeadMultipliers | ProjectionMultipliers, HeadSpec::Int8 { multipliers, .. }) => {
                check_len(name, multipliers, rows)?;
                emit_slots(multipliers, rows, RowOrder::PLAIN, order, sink);
            }
            (HeadBias | ProjectionBias, HeadSpec::F32 { bias, .. }) => {
                check_len(name, bias, rows)?;
                emit_slots(bias, rows, RowOrder::PLAIN, order, sink);
            }
            (HeadBias | ProjectionBias, HeadSpec::Int8 { bias, .. }) => {
                check_len(name, bias, rows)?;
                emit_slots(bias, rows, RowOrder::PLAIN, order, sink);
            }
            _ => return Err(self.wrong_precision()),
        }
        Ok(())
    }

    /// Head, embedding or projection are not those of the dims.
    fn wrong_precision(&self) -> WriteError {
        let layer = self.dims.layers;
        WriteError::Precision { layer }
    }
}

/// Checks how many numbers were given.
fn check_len<T>(section: SectionName, numbers: &[T], expected: usize) -> Result<(), WriteError> {
    if numbers.len() == expected {
        return Ok(());
    }
    Err(WriteError::Length {
        section,
        expected: expected * size_of::<T>(),
        found: size_of_val(numbers),
    })
}

/// Checks that weights fit so many bits.
fn check_small(section: SectionName, weights: &[i8], bits: u32) -> Result<(), WriteError> {
    let fits = |w: &i8| bits == 8 || (-LARGEST..=LARGEST).contains(w);
    match weights.iter().position(|w| !fits(w)) {
        Some(index) => Err(WriteError::FourBits { section, index }),
        None => Ok(()),
    }
}

impl<'a> ImageSpec<'a> {
    /// Checks that layers and head have the precision of the dims, and that embedding and projection are there exactly
    /// where the dims have them.
    fn check_precision(&self) -> Result<(), WriteError> {
        let quantized = matches!(self.dims.precision, Precision::Int8);
        let wrong = self
            .layers
            .iter()
            .position(|layer| matches!(layer, LayerSpec::Int8 { .. }) != quantized);
        if let Some(layer) = wrong {
            return Err(WriteError::Precision { layer });
        }
        let like = |head: &HeadSpec<'_>| matches!(head, HeadSpec::Int8 { .. }) == quantized;
        let like_it =
            |table: &EmbeddingSpec<'_>| matches!(table, EmbeddingSpec::Int8 { .. }) == quantized;
        let good = like(&self.head)
            && self.layers.len() == self.dims.layers
            && self.embedding.as_ref().map(like_it) == (self.dims.embedding > 0).then_some(true)
            && self.projection.as_ref().map(like) == (self.dims.projection > 0).then_some(true);
        good.then_some(()).ok_or(self.wrong_precision())
    }

    /// Checks a list of words.
    fn check_words(&self) -> Result<(), WriteError> {
        match self.vocab {
            VocabSpec::Characters(_) | VocabSpec::Bytes(_) => Ok(()),
            VocabSpec::Words(list) => {
                words::check(list).map_err(|index| WriteError::Word { index })
            }
        }
    }

    /// What the section table needs to know besides the shape.
    pub(crate) fn lengths(&self) -> Lengths {
        Lengths {
            words: match self.vocab {
                VocabSpec::Characters(_) | VocabSpec::Bytes(_) => None,
                VocabSpec::Words(list) => Some(words::len(list)),
            },
            known_answer: self.known_answer.tokens.len(),
        }
    }

    /// What version 3 has more.
    fn widths(&self) -> Widths {
        Widths {
            embedding: self.dims.embedding as u16,
            projection: self.dims.projection as u16,
            tied: self.dims.tied.into(),
            tokens: match self.vocab {
                VocabSpec::Characters(_) => 0,
                VocabSpec::Words(_) => 1,
                VocabSpec::Bytes(_) => 2,
            },
            embedding_shift: match self.embedding {
                Some(EmbeddingSpec::Int8 { shift, .. }) => shift,
                _ => 0,
            },
            projection_shift: match self.projection {
                Some(HeadSpec::Int8 { shift, .. }) => shift,
                _ => 0,
            },
        }
    }

    /// The header; the checksums of the table are still zero.
    pub(crate) fn header(&self) -> Result<Header<'a>, WriteError> {
        self.check_precision()?;
        self.check_words()?;
        self.layout.check(&self.dims).map_err(WriteError::Layout)?;
        let plain = self.dims.with_four_bits(FourBits::NONE);
        let checked = plain.and_then(|dims| dims.with_four_bits(self.dims.four_bits));
        checked.map_err(WriteError::Dims)?;
        let mut scales = [LayerScales::default(); Dims::MAX_LAYERS];
        for (index, (scale, layer)) in scales.iter_mut().zip(self.layers).enumerate() {
            if let LayerSpec::Int8 {
                shift, cell_bits, ..
            } = *layer
            {
                let bits = self.dims.four_bits.of_layer(index);
                check_shift(self.layout, bits, shift)?;
                *scale = LayerScales { shift, cell_bits };
            }
        }
        let head = (Some(self.head), self.dims.four_bits.of_head());
        for (affine, bits) in [head, (self.projection, 8)] {
            if let Some(HeadSpec::Int8 { shift, .. }) = affine {
                check_shift(self.layout, bits, shift)?;
            }
        }
        Ok(Header {
            cell: cell_code(self.dims.cell),
            precision: precision_code(self.dims.precision),
            layout: layout_code(self.layout),
            layers: self.dims.layers as u8,
            hidden: self.dims.hidden as u16,
            vocab: self.dims.vocab as u16,
            head_shift: match self.head {
                HeadSpec::F32 { .. } => 0,
                HeadSpec::Int8 { shift, .. } => shift,
            },
            scales,
            known_answer_hash: self.known_answer.hash,
            provenance: self.provenance,
            sections: table(&self.dims, self.layout, self.lengths())?,
            rules: self.rules,
            widths: self.widths(),
            four_bits: self.dims.four_bits.code(),
        })
    }
}
