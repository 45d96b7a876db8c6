//! Writing an image into a caller's buffer: sections first, then the header that describes them.

use bytemuck::cast_slice;

use crate::dims::{Dims, Layout, Precision};
use crate::error::{LayoutError, SectionName, WriteError};
use crate::format::{
    CRC, Header, KnownAnswer, LayerScales, MAGIC, MAX_SECTIONS, PREAMBLE, Provenance, SectionEntry,
    SectionKind, at, cell_code, checksum, layout_code, precision_code, sections_of,
};
use crate::matrix::{MatrixF32, MatrixInt8, PAIRS_SHIFT};
use crate::order::RowOrder;
use crate::rules::TextRules;
use crate::tiles::emit_slots;

/// The numbers of one recurrent layer to be written; shapes as in [`LayerF32`](crate::LayerF32) and
/// [`LayerInt8`](crate::LayerInt8).
#[derive(Clone, Copy, Debug)]
pub enum LayerSpec<'a> {
    /// A layer in f32.
    F32 {
        /// First layer `[vocab, rows]`, above `[rows]`.
        input: &'a [f32],
        /// `[rows, columns]`.
        weights: &'a [f32],
    },
    /// A layer in int8.
    Int8 {
        /// First layer `[vocab, rows]`, above `[rows]`; Q3.12.
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

/// The numbers of the output layer to be written.
#[derive(Clone, Copy, Debug)]
pub enum HeadSpec<'a> {
    /// In f32.
    F32 {
        /// `[vocab, stride]`.
        weights: &'a [f32],
        /// `[vocab]`.
        bias: &'a [f32],
    },
    /// In int8.
    Int8 {
        /// `[vocab, stride]`.
        weights: &'a [i8],
        /// `[vocab]`.
        multipliers: &'a [i32],
        /// Right shift of the requantization.
        shift: u8,
        /// `[vocab]`, Q15.16.
        bias: &'a [i32],
    },
}

/// Everything an image holds.
#[derive(Clone, Copy, Debug)]
pub struct ImageSpec<'a> {
    /// The shape.
    pub dims: Dims,
    /// How the image arranges its weight matrices. They are given row-major, whatever it is.
    pub layout: Layout,
    /// `[vocab]` distinct characters, ascending.
    pub vocab: &'a [char],
    /// One per layer.
    pub layers: &'a [LayerSpec<'a>],
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
        let (dims, layout) = (&self.dims, self.layout);
        let order = RowOrder::of_layer(layout, dims.cell);
        let (rows, columns) = (dims.rows(), dims.columns(name.layer));
        let inputs = if name.layer == 0 { dims.vocab } else { 1 };
        let (head_order, vocab, stride) = (RowOrder::of_head(layout), dims.vocab, dims.stride());
        match (name.kind, self.layers.get(name.layer), self.head) {
            (SectionKind::Vocabulary, ..) => sink(cast_slice(self.vocab)),
            (SectionKind::KnownAnswer, ..) => sink(cast_slice(self.known_answer.tokens)),
            (SectionKind::Input, Some(LayerSpec::F32 { input, .. }), _) => {
                check_len(name, input, inputs * rows)?;
                emit_slots(input, rows, RowOrder::PLAIN, order, sink);
            }
            (SectionKind::Input, Some(LayerSpec::Int8 { input, .. }), _) => {
                check_len(name, input, inputs * rows)?;
                emit_slots(input, rows, RowOrder::PLAIN, order, sink);
            }
            (SectionKind::Weights, Some(LayerSpec::F32 { weights, .. }), _) => {
                check_len(name, weights, rows * columns)?;
                MatrixF32::rows(columns, weights).emit(rows, order, sink);
            }
            (SectionKind::Weights, Some(LayerSpec::Int8 { weights, .. }), _) => {
                check_len(name, weights, rows * columns)?;
                MatrixInt8::rows(columns, weights).emit(rows, layout, order, sink);
            }
            (SectionKind::Multipliers, Some(LayerSpec::Int8 { multipliers, .. }), _) => {
                check_len(name, multipliers, rows)?;
                emit_slots(multipliers, rows, RowOrder::PLAIN, order, sink);
            }
            (SectionKind::HeadWeights, _, HeadSpec::F32 { weights, .. }) => {
                check_len(name, weights, vocab * stride)?;
                MatrixF32::rows(stride, weights).emit(vocab, head_order, sink);
            }
            (SectionKind::HeadWeights, _, HeadSpec::Int8 { weights, .. }) => {
                check_len(name, weights, vocab * stride)?;
                MatrixInt8::rows(stride, weights).emit(vocab, layout, head_order, sink);
            }
            (SectionKind::HeadMultipliers, _, HeadSpec::Int8 { multipliers, .. }) => {
                check_len(name, multipliers, vocab)?;
                emit_slots(multipliers, vocab, RowOrder::PLAIN, head_order, sink);
            }
            (SectionKind::HeadBias, _, HeadSpec::F32 { bias, .. }) => {
                check_len(name, bias, vocab)?;
                emit_slots(bias, vocab, RowOrder::PLAIN, head_order, sink);
            }
            (SectionKind::HeadBias, _, HeadSpec::Int8 { bias, .. }) => {
                check_len(name, bias, vocab)?;
                emit_slots(bias, vocab, RowOrder::PLAIN, head_order, sink);
            }
            _ => return Err(WriteError::Precision { layer: name.layer }),
        }
        Ok(())
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
    /// Checks that layers and head have the precision of the dims.
    fn check_precision(&self) -> Result<(), WriteError> {
        let quantized = matches!(self.dims.precision, Precision::Int8);
        let wrong = self
            .layers
            .iter()
            .position(|layer| matches!(layer, LayerSpec::Int8 { .. }) != quantized);
        let head_wrong = matches!(self.head, HeadSpec::Int8 { .. }) != quantized;
        match wrong {
            Some(layer) => Err(WriteError::Precision { layer }),
            None if head_wrong || self.layers.len() != self.dims.layers => {
                Err(WriteError::Precision {
                    layer: self.dims.layers,
                })
            }
            None => Ok(()),
        }
    }

    /// The header; the checksums of the table are still zero.
    fn header(&self) -> Result<Header<'a>, WriteError> {
        self.check_precision()?;
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
        if let HeadSpec::Int8 { shift, .. } = self.head {
            check_shift(self.layout, shift)?;
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
            sections: table(&self.dims, self.layout, self.known_answer.tokens.len())?,
            rules: self.rules,
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
    known_answer: usize,
) -> Result<heapless::Vec<SectionEntry, MAX_SECTIONS>, WriteError> {
    let mut sections = heapless::Vec::new();
    let mut offset = 0_usize;
    for (name, bytes) in sections_of(dims, layout, known_answer) {
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

/// An upper bound of the bytes of an image with this header.
pub(crate) fn len_with(header: &Header<'_>, layout: Layout) -> Result<usize, WriteError> {
    let size = postcard::ser_flavors::Size::default();
    let encoded = postcard::serialize_with_flavor(header, size).map_err(|_| WriteError::Header)?;
    let header_len =
        encoded + header.sections.len() * MAX_VARINT + size_of_val(&header.rules.code());
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
    let names = sections_of(&spec.dims, spec.layout, spec.known_answer.tokens.len());
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
        _ => postcard::to_slice(&(&header, header.rules.code()), room),
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
