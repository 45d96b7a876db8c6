//! Writing an image into a caller's buffer: sections first, then the header that describes them.

use bytemuck::cast_slice;

use crate::dims::{Dims, Layout, Precision};
use crate::error::{LayoutError, SectionName, WriteError};
use crate::format::{
    CRC, Header, KnownAnswer, LayerScales, Lengths, MAGIC, MAX_SECTIONS, PREAMBLE, Provenance,
    SectionEntry, SectionKind, Widths, at, cell_code, checksum, layout_code, precision_code,
    sections_of,
};
use crate::matrix::{MatrixF32, MatrixInt8, PAIRS_SHIFT};
use crate::order::RowOrder;
use crate::rules::TextRules;
use crate::tiles::emit_slots;
use crate::words;

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
                MatrixInt8::rows(columns, weights).emit(vocab, layout, order, sink);
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
                MatrixInt8::rows(columns, weights).emit(rows, layout, order, sink);
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
                MatrixInt8::rows(columns, weights).emit(rows, self.layout, order, sink);
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
            VocabSpec::Characters(_) => Ok(()),
            VocabSpec::Words(list) => {
                words::check(list).map_err(|index| WriteError::Word { index })
            }
        }
    }

    /// What the section table needs to know besides the shape.
    fn lengths(&self) -> Lengths {
        Lengths {
            words: match self.vocab {
                VocabSpec::Characters(_) => None,
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
            tokens: matches!(self.vocab, VocabSpec::Words(_)).into(),
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
    fn header(&self) -> Result<Header<'a>, WriteError> {
        self.check_precision()?;
        self.check_words()?;
        self.layout.check(&self.dims).map_err(WriteError::Layout)?;
        let mut scales = [LayerScales::default(); Dims::MAX_LAYERS];
        for (scale, layer) in scales.iter_mut().zip(self.layers) {
            if let LayerSpec::Int8 {
                shift, cell_bits, ..
            } = *layer
            {
                check_shift(self.layout, shift)?;
                *scale = LayerScales { shift, cell_bits };
            }
        }
        for head in [Some(self.head), self.projection].into_iter().flatten() {
            if let HeadSpec::Int8 { shift, .. } = head {
                check_shift(self.layout, shift)?;
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
        })
    }
}

/// Checks that a layout's kernel can do this requantization.
pub(crate) fn check_shift(layout: Layout, shift: u8) -> Result<(), WriteError> {
    match layout {
        Layout::Pairs if shift != PAIRS_SHIFT => Err(WriteError::Layout(LayoutError::Shift {
            layout,
            found: shift,
            expected: PAIRS_SHIFT,
        })),
        _ => Ok(()),
    }
}

/// The section table; its checksums are still zero.
pub(crate) fn table(
    dims: &Dims,
    layout: Layout,
    lengths: Lengths,
) -> Result<heapless::Vec<SectionEntry, MAX_SECTIONS>, WriteError> {
    let mut sections = heapless::Vec::new();
    let mut offset = 0_usize;
    for (name, bytes) in sections_of(dims, layout, lengths) {
        let entry = SectionEntry {
            kind: name.kind.code(),
            layer: name.layer as u8,
            offset: u32::try_from(offset).map_err(|_| WriteError::TooLarge)?,
            bytes: u32::try_from(bytes).map_err(|_| WriteError::TooLarge)?,
            crc32: 0,
        };
        sections.push(entry).map_err(|_| WriteError::Header)?;
        offset = offset
            .checked_add(bytes.next_multiple_of(layout.align()))
            .ok_or(WriteError::TooLarge)?;
    }
    Ok(sections)
}

/// Bytes of the data area.
fn data_len(header: &Header<'_>, layout: Layout) -> usize {
    header.sections.last().map_or(0, |last| {
        last.offset as usize + (last.bytes as usize).next_multiple_of(layout.align())
    })
}

/// The largest encoding a varint u32 has; the room kept for each checksum, which is not known before the data is.
const MAX_VARINT: usize = 5;

/// The largest encoding of [`Widths`].
const MAX_WIDTHS: usize = 10;

/// An upper bound of the bytes of an image with this header.
pub(crate) fn len_with(header: &Header<'_>, layout: Layout) -> Result<usize, WriteError> {
    let size = postcard::ser_flavors::Size::default();
    let encoded = postcard::serialize_with_flavor(header, size).map_err(|_| WriteError::Header)?;
    let mut header_len =
        encoded + header.sections.len() * MAX_VARINT + size_of_val(&header.rules.code());
    if header.version() >= 3 {
        header_len += MAX_WIDTHS;
    }
    Ok((PREAMBLE + header_len).next_multiple_of(layout.align()) + data_len(header, layout))
}

/// An upper bound of the bytes [`write_image`] needs. The image it returns may be a few bytes shorter.
///
/// # Errors
/// When the specification's parts do not fit together.
pub fn image_len(spec: &ImageSpec<'_>) -> Result<usize, WriteError> {
    len_with(&spec.header()?, spec.layout)
}

/// Writes the image into `out` and returns its length in bytes.
///
/// The result depends on the specification alone: the same model gives the same bytes. Values are not checked here;
/// [`Model::from_bytes`](crate::Model::from_bytes) does that, and a writer should read back what it wrote.
///
/// # Errors
/// When the specification's parts do not fit together, or `out` is too small.
pub fn write_image(spec: &ImageSpec<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let names = sections_of(&spec.dims, spec.layout, spec.lengths());
    write_with(spec.header()?, spec.layout, names, spec, out)
}

/// Where the bytes of an image's sections come from.
pub(crate) trait Source {
    /// Hands the bytes of a section to `sink`, in pieces of any size. Called more than once for every section.
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError>;
}

/// Writes an image: its sections are those of `header`'s table, and `names` names them.
pub(crate) fn write_with(
    mut header: Header<'_>,
    layout: Layout,
    names: impl Iterator<Item = (SectionName, usize)> + Clone,
    source: &impl Source,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    // The checksums come from the source, so the header can be encoded before the data is copied.
    for (entry, (section, expected)) in header.sections.iter_mut().zip(names.clone()) {
        let mut digest = CRC.digest();
        let mut found = 0;
        source.emit(section, &mut |bytes| {
            digest.update(bytes);
            found += bytes.len();
        })?;
        if found != expected {
            return Err(WriteError::Length {
                section,
                expected,
                found,
            });
        }
        entry.crc32 = digest.finalize();
    }

    let have = out.len();
    let too_small = |_| WriteError::BufferTooSmall {
        need: len_with(&header, layout).unwrap_or(usize::MAX),
        have,
    };
    let room = out.get_mut(PREAMBLE..).ok_or(()).map_err(too_small)?;
    let encoded = match header.version() {
        1 => postcard::to_slice(&header, room),
        2 => postcard::to_slice(&(&header, header.rules.code()), room),
        _ => postcard::to_slice(&(&header, header.rules.code(), header.widths), room),
    };
    let encoded = encoded.map_err(|_| ()).map_err(too_small)?;
    let (header_len, header_crc) = (encoded.len(), checksum(encoded));
    let data = (PREAMBLE + header_len).next_multiple_of(layout.align());
    let total = data + data_len(&header, layout);
    let image = out.get_mut(..total).ok_or(()).map_err(too_small)?;

    if let Some(padding) = image.get_mut(PREAMBLE + header_len..) {
        padding.fill(0);
    }
    for (entry, (section, _)) in header.sections.iter().zip(names) {
        let mut room = image
            .get_mut(data + entry.offset as usize..)
            .unwrap_or_default();
        source.emit(section, &mut |bytes| {
            let (to, rest) = core::mem::take(&mut room)
                .split_at_mut_checked(bytes.len())
                .unwrap_or_default();
            copy(bytes, to);
            room = rest;
        })?;
    }
    write_preamble(image, header.version(), header_len, header_crc)?;
    Ok(total)
}

/// The fields before the header.
fn write_preamble(
    image: &mut [u8],
    version: u16,
    header_len: usize,
    header_crc: u32,
) -> Result<(), WriteError> {
    let total = u32::try_from(image.len()).map_err(|_| WriteError::TooLarge)?;
    let preamble = image.get_mut(..PREAMBLE).unwrap_or_default();
    preamble.fill(0);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = preamble.get_mut(at..at + bytes.len()) {
            copy(bytes, field);
        }
    };
    put(0, &MAGIC);
    put(at::VERSION, &version.to_le_bytes());
    put(at::HEADER_LEN, &(header_len as u32).to_le_bytes());
    put(at::IMAGE_LEN, &total.to_le_bytes());
    put(at::HEADER_CRC, &header_crc.to_le_bytes());
    Ok(())
}

/// `copy_from_slice` for lengths that are known to be equal: it has no panic path.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
