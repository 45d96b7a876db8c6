//! Writing an image into a caller's buffer: sections first, then the header that describes them.

use bytemuck::cast_slice;

use crate::dims::{Dims, Precision};
use crate::error::{SectionName, WriteError};
use crate::format::{
    ALIGN, Header, KnownAnswer, LayerScales, MAGIC, PREAMBLE, Provenance, SectionEntry,
    SectionKind, VERSION, at, cell_code, checksum, precision_code, sections_of,
};

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
}

impl<'a> ImageSpec<'a> {
    /// The bytes of a section.
    fn bytes_of(&self, name: SectionName) -> Result<&'a [u8], WriteError> {
        let precision = Err(WriteError::Precision { layer: name.layer });
        let layer = self.layers.get(name.layer);
        Ok(match (name.kind, layer, self.head) {
            // A `char` has the size and the value of its code point, but is no plain data: see `write_image`.
            (SectionKind::Vocabulary, ..) => &[],
            (SectionKind::KnownAnswer, ..) => cast_slice(self.known_answer.tokens),
            (SectionKind::Input, Some(LayerSpec::F32 { input, .. }), _) => cast_slice(input),
            (SectionKind::Input, Some(LayerSpec::Int8 { input, .. }), _) => cast_slice(input),
            (SectionKind::Weights, Some(LayerSpec::F32 { weights, .. }), _) => cast_slice(weights),
            (SectionKind::Weights, Some(LayerSpec::Int8 { weights, .. }), _) => cast_slice(weights),
            (SectionKind::Multipliers, Some(LayerSpec::Int8 { multipliers, .. }), _) => {
                cast_slice(multipliers)
            }
            (SectionKind::HeadWeights, _, HeadSpec::F32 { weights, .. }) => cast_slice(weights),
            (SectionKind::HeadWeights, _, HeadSpec::Int8 { weights, .. }) => cast_slice(weights),
            (SectionKind::HeadMultipliers, _, HeadSpec::Int8 { multipliers, .. }) => {
                cast_slice(multipliers)
            }
            (SectionKind::HeadBias, _, HeadSpec::F32 { bias, .. }) => cast_slice(bias),
            (SectionKind::HeadBias, _, HeadSpec::Int8 { bias, .. }) => cast_slice(bias),
            _ => return precision,
        })
    }

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
        let mut scales = [LayerScales::default(); Dims::MAX_LAYERS];
        for (scale, layer) in scales.iter_mut().zip(self.layers) {
            if let LayerSpec::Int8 {
                shift, cell_bits, ..
            } = *layer
            {
                *scale = LayerScales { shift, cell_bits };
            }
        }
        let mut sections = heapless::Vec::new();
        let mut offset = 0_usize;
        for (name, bytes) in sections_of(&self.dims, self.known_answer.tokens.len()) {
            let entry = SectionEntry {
                kind: name.kind.code(),
                layer: name.layer as u8,
                offset: u32::try_from(offset).map_err(|_| WriteError::TooLarge)?,
                bytes: u32::try_from(bytes).map_err(|_| WriteError::TooLarge)?,
                crc32: 0,
            };
            sections.push(entry).map_err(|_| WriteError::Header)?;
            offset = offset
                .checked_add(bytes.next_multiple_of(ALIGN))
                .ok_or(WriteError::TooLarge)?;
        }
        Ok(Header {
            cell: cell_code(self.dims.cell),
            precision: precision_code(self.dims.precision),
            layout: 0,
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
            sections,
        })
    }
}

/// Bytes of the data area.
fn data_len(header: &Header<'_>) -> usize {
    header.sections.last().map_or(0, |last| {
        last.offset as usize + (last.bytes as usize).next_multiple_of(ALIGN)
    })
}

/// The largest encoding a varint u32 has; the room kept for each checksum, which is not known before the data is.
const MAX_VARINT: usize = 5;

/// An upper bound of the bytes [`write_image`] needs. The image it returns may be a few bytes shorter.
///
/// # Errors
/// When the specification's parts do not fit together.
pub fn image_len(spec: &ImageSpec<'_>) -> Result<usize, WriteError> {
    let header = spec.header()?;
    let size = postcard::ser_flavors::Size::default();
    let encoded = postcard::serialize_with_flavor(&header, size).map_err(|_| WriteError::Header)?;
    let header_len = encoded + header.sections.len() * MAX_VARINT;
    Ok((PREAMBLE + header_len).next_multiple_of(ALIGN) + data_len(&header))
}

/// Writes the image into `out` and returns its length in bytes.
///
/// The result depends on the specification alone: the same model gives the same bytes. Values are not checked here;
/// [`Model::from_bytes`](crate::Model::from_bytes) does that, and a writer should read back what it wrote.
///
/// # Errors
/// When the specification's parts do not fit together, or `out` is too small.
pub fn write_image(spec: &ImageSpec<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let mut header = spec.header()?;

    // The checksums come from the source slices, so the header can be encoded before the data is copied.
    for (entry, (name, expected)) in header
        .sections
        .iter_mut()
        .zip(sections_of(&spec.dims, spec.known_answer.tokens.len()))
    {
        let (found, crc32) = match name.kind {
            SectionKind::Vocabulary => vocabulary(spec.vocab, None),
            _ => {
                let bytes = spec.bytes_of(name)?;
                (bytes.len(), checksum(bytes))
            }
        };
        if found != expected {
            return Err(WriteError::Length {
                section: name,
                expected,
                found,
            });
        }
        entry.crc32 = crc32;
    }

    let have = out.len();
    let too_small = |_| WriteError::BufferTooSmall {
        need: image_len(spec).unwrap_or(usize::MAX),
        have,
    };
    let room = out.get_mut(PREAMBLE..).ok_or(()).map_err(too_small)?;
    let encoded = postcard::to_slice(&header, room)
        .map_err(|_| ())
        .map_err(too_small)?;
    let (header_len, header_crc) = (encoded.len(), checksum(encoded));
    let data = (PREAMBLE + header_len).next_multiple_of(ALIGN);
    let total = data + data_len(&header);
    let image = out.get_mut(..total).ok_or(()).map_err(too_small)?;

    if let Some(padding) = image.get_mut(PREAMBLE + header_len..) {
        padding.fill(0);
    }
    for (entry, (name, _)) in header
        .sections
        .iter()
        .zip(sections_of(&spec.dims, spec.known_answer.tokens.len()))
    {
        let start = data + entry.offset as usize;
        if let Some(to) = image.get_mut(start..start + entry.bytes as usize) {
            match name.kind {
                SectionKind::Vocabulary => {
                    vocabulary(spec.vocab, Some(to));
                }
                _ => copy(spec.bytes_of(name)?, to),
            }
        }
    }

    let preamble = image.get_mut(..PREAMBLE).unwrap_or_default();
    preamble.fill(0);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = preamble.get_mut(at..at + bytes.len()) {
            copy(bytes, field);
        }
    };
    put(0, &MAGIC);
    put(at::VERSION, &VERSION.to_le_bytes());
    put(at::HEADER_LEN, &(header_len as u32).to_le_bytes());
    let total_u32 = u32::try_from(total).map_err(|_| WriteError::TooLarge)?;
    put(at::IMAGE_LEN, &total_u32.to_le_bytes());
    put(at::HEADER_CRC, &header_crc.to_le_bytes());
    Ok(total)
}

/// The vocabulary section: its length and checksum, and its bytes into `out` if that is given.
fn vocabulary(chars: &[char], out: Option<&mut [u8]>) -> (usize, u32) {
    const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let mut digest = CRC.digest();
    for &c in chars {
        digest.update(&u32::from(c).to_le_bytes());
    }
    if let Some(out) = out {
        for (to, &c) in out.chunks_exact_mut(4).zip(chars) {
            copy(&u32::from(c).to_le_bytes(), to);
        }
    }
    (4 * chars.len(), digest.finalize())
}

/// `copy_from_slice` for lengths that are known to be equal: it has no panic path.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
