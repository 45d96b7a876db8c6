//! Preamble, header and section table of an image, and the sections one after the other.

use crate::dims::{Cell, Dims, Layout, Precision};
use crate::error::{LoadError, SectionName};
use crate::format::{
    Header, Lengths, MAGIC, MAX_KNOWN_ANSWER, PREAMBLE, SectionEntry, SectionKind, VERSION, Widths,
    at, checksum, sections_of,
};
use crate::four_bits::FourBits;
use crate::header;
use crate::layer::{MAX_CELL_BITS, MIN_CELL_BITS};
use crate::rules::TextRules;

/// Little-endian u32 at `at`; the caller has checked that it is there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    u32::from_le_bytes(*field.unwrap_or(&[0; 4]))
}

/// Checks the preamble, and returns the version and the header's bytes once their checksum is right.
pub(super) fn checked_header(image: &[u8]) -> Result<(u16, &[u8]), LoadError> {
    let have = image.len();
    let starts_like_one = image.iter().zip(MAGIC).all(|(&a, b)| a == b);
    if !starts_like_one || have < MAGIC.len() {
        return Err(LoadError::Magic);
    }
    if have < PREAMBLE {
        return Err(LoadError::Length {
            declared: PREAMBLE,
            have,
        });
    }
    let version = (u32_at(image, at::VERSION) & 0xffff) as u16;
    if !(1..=VERSION).contains(&version) {
        return Err(LoadError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let reserved = (at::FLAGS..at::HEADER_LEN).chain(at::ZEROS..PREAMBLE);
    for (offset, &byte) in image.iter().enumerate().take(PREAMBLE) {
        if byte != 0 && reserved.clone().any(|r| r == offset) {
            return Err(LoadError::Reserved { offset });
        }
    }
    let declared = u32_at(image, at::IMAGE_LEN) as usize;
    if declared != have {
        return Err(LoadError::Length { declared, have });
    }
    let header_len = u32_at(image, at::HEADER_LEN) as usize;
    let header = PREAMBLE
        .checked_add(header_len)
        .and_then(|end| image.get(PREAMBLE..end))
        .ok_or(LoadError::HeaderLength {
            declared: header_len,
            have,
        })?;
    let (expected, found) = (u32_at(image, at::HEADER_CRC), checksum(header));
    if expected != found {
        return Err(LoadError::HeaderChecksum { expected, found });
    }
    Ok((version, header))
}

/// Checks that the header field `name` is in `min..=max`.
pub(super) fn field(name: &'static str, found: u64, min: u64, max: u64) -> Result<(), LoadError> {
    if (min..=max).contains(&found) {
        Ok(())
    } else {
        Err(LoadError::Field {
            name,
            found,
            min,
            max,
        })
    }
}

/// The header, the rules that follow it from version 2 on, the widths of version 3, and the 4-bit
/// matrices of version 4.
pub(super) fn decoded(version: u16, bytes: &[u8]) -> Result<Header<'_>, LoadError> {
    let bad = |_| LoadError::HeaderEncoding;
    if header::outline(version, bytes).is_none() {
        return Err(LoadError::HeaderEncoding);
    }
    let (mut header, rest) = postcard::take_from_bytes::<Header<'_>>(bytes).map_err(bad)?;
    let (code, rest) = match (version, rest) {
        (1, []) => return Ok(header),
        (2..=4, [code, rest @ ..]) => (*code, rest),
        _ => return Err(LoadError::HeaderEncoding),
    };
    // Version 2 is for rules; one without any would have been written in version 1.
    let least = u64::from(version == 2);
    field("text rules", code.into(), least, TextRules::MAX_CODE.into())?;
    header.rules = TextRules::from_code(code).ok_or(LoadError::HeaderEncoding)?;
    let rest = match version {
        2 => rest,
        _ => {
            let (widths, rest) = postcard::take_from_bytes(rest).map_err(bad)?;
            header.widths = widths;
            let rest = match (version, rest) {
                (4, [four_bits, rest @ ..]) => {
                    header.four_bits = *four_bits;
                    rest
                }
                (_, rest) => rest,
            };
            // Nor is version 3 or 4 for a model that has nothing of it.
            if header.version() != version {
                return Err(LoadError::HeaderEncoding);
            }
            rest
        }
    };
    match rest {
        [] => Ok(header),
        _ => Err(LoadError::HeaderEncoding),
    }
}

/// Checks the cell bits, and that what has no scale has zeros in its place.
pub(super) fn check_scales(dims: &Dims, header: &Header<'_>) -> Result<(), LoadError> {
    let quantized = matches!(dims.precision, Precision::Int8);
    let widths = &header.widths;
    let mut absent = 0;
    for (there, shift) in [
        (true, header.head_shift),
        (dims.embedding > 0, widths.embedding_shift),
        (dims.projection > 0, widths.projection_shift),
    ] {
        if !(there && quantized) {
            absent |= shift;
        }
    }
    for (index, scales) in header.scales.iter().enumerate() {
        if quantized && index < dims.layers {
            let max = match dims.cell {
                Cell::Rnn => MIN_CELL_BITS,
                Cell::Lstm => MAX_CELL_BITS,
            };
            let (bits, min) = (scales.cell_bits, MIN_CELL_BITS);
            field("layer cell bits", bits.into(), min.into(), max.into())?;
        } else {
            absent |= scales.shift | scales.cell_bits;
        }
    }
    match absent {
        0 => Ok(()),
        _ => Err(LoadError::HeaderEncoding),
    }
}

/// The shape in the header, once it is in range.
pub(super) fn dims_of(header: &Header<'_>) -> Result<Dims, LoadError> {
    let cell = match header.cell {
        0 => Cell::Rnn,
        1 => Cell::Lstm,
        other => return field("cell", other.into(), 0, 1).and(Err(LoadError::HeaderEncoding)),
    };
    let precision = match header.precision {
        0 => Precision::F32,
        1 => Precision::Int8,
        other => return field("precision", other.into(), 0, 1).and(Err(LoadError::HeaderEncoding)),
    };
    let Widths {
        embedding,
        projection,
        tied,
        tokens,
        ..
    } = header.widths;
    field("tied", tied.into(), 0, 1)?;
    field("tokens", tokens.into(), 0, 2)?;
    let plain = Dims::new(
        cell,
        precision,
        header.layers.into(),
        header.hidden.into(),
        header.vocab.into(),
    );
    plain
        .and_then(|dims| dims.with_widths(embedding.into(), projection.into(), tied == 1))
        .and_then(|dims| dims.with_four_bits(FourBits::from_code(header.four_bits)))
        .map_err(LoadError::Dims)
}

/// The layout in the header, once it is one this shape can have.
pub(super) fn layout_of(header: &Header<'_>, dims: &Dims) -> Result<Layout, LoadError> {
    let layout = match header.layout {
        0 => Layout::Rows,
        1 => Layout::Pairs,
        2 => Layout::Tiles4,
        3 => Layout::Tiles8,
        4 => Layout::Tiles16,
        other => return field("layout", other.into(), 0, 4).and(Err(LoadError::HeaderEncoding)),
    };
    layout.check(dims).map_err(LoadError::Layout)?;
    Ok(layout)
}

/// Checks that `image[start..end]` is zero.
pub(super) fn zeros(image: &[u8], start: usize, end: usize) -> Result<(), LoadError> {
    let padding = image.get(start..end).ok_or(LoadError::Length {
        declared: end,
        have: image.len(),
    })?;
    match padding.iter().position(|&byte| byte != 0) {
        Some(at) => Err(LoadError::Padding { offset: start + at }),
        None => Ok(()),
    }
}

/// The lengths that do not follow from the shape: a list of words is decoded to its end, which has to be the section's.
fn lengths_of(header: &Header<'_>) -> Lengths {
    let bytes = |index: usize| header.sections.get(index).map_or(0, |s| s.bytes as usize);
    Lengths {
        words: (header.widths.tokens == 1).then(|| bytes(0)),
        known_answer: bytes(1) / 2,
    }
}

/// Checks that the table lists exactly the sections this shape has, each where and as long as it must be.
pub(super) fn check_section_table(
    dims: &Dims,
    layout: Layout,
    header: &Header<'_>,
) -> Result<(), LoadError> {
    let lengths = lengths_of(header);
    let tokens = lengths.known_answer;
    field(
        "known answer tokens",
        tokens as u64,
        0,
        MAX_KNOWN_ANSWER as u64,
    )?;
    let found = header.sections.len();
    let expected = sections_of(dims, layout, lengths).count();
    if found != expected {
        return Err(LoadError::SectionCount { expected, found });
    }
    let mut end = 0_usize;
    for (index, (entry, (section, bytes))) in header
        .sections
        .iter()
        .zip(sections_of(dims, layout, lengths))
        .enumerate()
    {
        if (entry.kind, usize::from(entry.layer)) != (section.kind.code(), section.layer) {
            return Err(LoadError::SectionOrder {
                index,
                expected: section,
            });
        }
        if entry.offset as usize != end {
            return Err(LoadError::SectionOffset {
                section,
                expected: end,
                found: entry.offset as usize,
            });
        }
        if entry.bytes as usize != bytes {
            return Err(LoadError::SectionLength {
                section,
                expected: bytes,
                found: entry.bytes as usize,
            });
        }
        end = end.saturating_add(bytes.next_multiple_of(layout.align()));
    }
    Ok(())
}

/// Takes the sections one after the other, in the order of the table.
pub(super) struct SectionReader<'a, 't> {
    pub(super) image: &'a [u8],
    pub(super) data_start: usize,
    /// End of the last section taken, padding included.
    pub(super) end: usize,
    pub(super) index: usize,
    /// What sections start at a multiple of.
    pub(super) align: usize,
    pub(super) table: &'t [SectionEntry],
}

impl<'a> SectionReader<'a, '_> {
    /// The next section as a slice of numbers, once checksum and padding are right.
    pub(super) fn next<T: bytemuck::AnyBitPattern>(&mut self) -> Result<&'a [T], LoadError> {
        let (section, bytes) = self.next_bytes()?;
        bytemuck::try_cast_slice(bytes).map_err(|_| LoadError::SectionLength {
            section,
            expected: bytes.len().next_multiple_of(size_of::<T>().max(1)),
            found: bytes.len(),
        })
    }

    /// Its bytes.
    #[inline(never)]
    fn next_bytes(&mut self) -> Result<(SectionName, &'a [u8]), LoadError> {
        let entry = self.table.get(self.index).ok_or(LoadError::SectionCount {
            expected: self.index + 1,
            found: self.index,
        })?;
        self.index += 1;
        let section = SectionName {
            kind: kind_of(entry.kind),
            layer: entry.layer.into(),
        };
        let cut = LoadError::Length {
            declared: self
                .data_start
                .saturating_add(entry.offset as usize)
                .saturating_add(entry.bytes as usize),
            have: self.image.len(),
        };
        let start = self
            .data_start
            .checked_add(entry.offset as usize)
            .ok_or(cut)?;
        let end = start.checked_add(entry.bytes as usize).ok_or(cut)?;
        let bytes = self.image.get(start..end).ok_or(cut)?;
        let found = checksum(bytes);
        if found != entry.crc32 {
            return Err(LoadError::SectionChecksum {
                section,
                expected: entry.crc32,
                found,
            });
        }
        self.end = end.checked_next_multiple_of(self.align).ok_or(cut)?;
        zeros(self.image, end, self.end)?;
        Ok((section, bytes))
    }
}

/// The kind a code of a checked table stands for.
fn kind_of(code: u8) -> SectionKind {
    match code {
        1 => SectionKind::Vocabulary,
        2 => SectionKind::KnownAnswer,
        3 => SectionKind::Input,
        4 => SectionKind::Weights,
        5 => SectionKind::Multipliers,
        6 => SectionKind::HeadWeights,
        7 => SectionKind::HeadMultipliers,
        9 => SectionKind::Embedding,
        10 => SectionKind::EmbeddingMultipliers,
        11 => SectionKind::Projection,
        12 => SectionKind::ProjectionMultipliers,
        13 => SectionKind::ProjectionBias,
        _ => SectionKind::HeadBias,
    }
}
