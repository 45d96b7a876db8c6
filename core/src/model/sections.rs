//! The sections of an image: the table is what the shape asks for, then each section's checksum, padding and values.

use super::field;
use crate::dims::{Dims, Precision};
use crate::error::{LoadError, SectionName};
use crate::format::{
    ALIGN, Header, LayerScales, MAX_KNOWN_ANSWER, SectionEntry, SectionKind, checksum, sections_of,
};
use crate::layer::{
    Head, HeadF32, HeadInt8, Layer, LayerF32, LayerInt8, MAX_CELL_BITS, MAX_SHIFT, MIN_CELL_BITS,
    MIN_SHIFT, REQUANTIZED_LIMIT,
};

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

/// Checks that the table lists exactly the sections this shape has, each where and as long as it must be.
pub(super) fn check_section_table(dims: &Dims, header: &Header<'_>) -> Result<(), LoadError> {
    let known_answer_bytes = header.sections.get(1).map_or(0, |s| s.bytes as usize);
    let tokens = known_answer_bytes / 2;
    field(
        "known answer tokens",
        tokens as u64,
        0,
        MAX_KNOWN_ANSWER as u64,
    )?;
    let found = header.sections.len();
    let expected = sections_of(dims, tokens).count();
    if found != expected {
        return Err(LoadError::SectionCount { expected, found });
    }
    let mut end = 0_usize;
    for (index, (entry, (section, bytes))) in header
        .sections
        .iter()
        .zip(sections_of(dims, tokens))
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
        end = end.saturating_add(bytes.next_multiple_of(ALIGN));
    }
    Ok(())
}

/// Takes the sections one after the other, in the order of the table.
pub(super) struct SectionReader<'a, 't> {
    image: &'a [u8],
    data_start: usize,
    /// End of the last section taken, padding included.
    end: usize,
    index: usize,
    table: &'t [SectionEntry],
}

impl<'a, 't> SectionReader<'a, 't> {
    /// At the first section of the data area, which starts at `data_start`.
    pub(super) fn new(image: &'a [u8], data_start: usize, table: &'t [SectionEntry]) -> Self {
        SectionReader {
            image,
            data_start,
            end: data_start,
            index: 0,
            table,
        }
    }

    /// End of the last section taken, padding included.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The next section as a slice of numbers, once checksum and padding are right.
    pub(super) fn next<T: bytemuck::AnyBitPattern>(&mut self) -> Result<&'a [T], LoadError> {
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
        self.end = end.checked_next_multiple_of(ALIGN).ok_or(cut)?;
        zeros(self.image, end, self.end)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| LoadError::SectionLength {
            section,
            expected: bytes.len().next_multiple_of(size_of::<T>().max(1)),
            found: bytes.len(),
        })
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
        _ => SectionKind::HeadBias,
    }
}

/// Checks every element of a section.
pub(super) fn check<T>(
    section: SectionName,
    values: &[T],
    good: impl Fn(&T) -> bool,
) -> Result<(), LoadError> {
    match values.iter().position(|value| !good(value)) {
        Some(index) => Err(LoadError::Value { section, index }),
        None => Ok(()),
    }
}

/// Whether the requantization of an accumulator of `columns` products stays within an int32 with room for the addend.
fn fits(multiplier: i32, columns: usize, shift: u8) -> bool {
    let largest = 127 * 128 * columns as u64;
    u64::try_from(multiplier).is_ok_and(|m| (m * largest) >> shift < REQUANTIZED_LIMIT)
}

/// Reads and checks layer `layer`.
pub(super) fn read_layer<'a>(
    dims: &Dims,
    layer: usize,
    scales: LayerScales,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Layer<'a>, LoadError> {
    let columns = dims.columns(layer);
    let name = |kind| SectionName { kind, layer };
    match dims.precision {
        Precision::F32 => {
            let (input, weights) = (reader.next::<f32>()?, reader.next::<f32>()?);
            check(name(SectionKind::Input), input, |x| x.is_finite())?;
            check(name(SectionKind::Weights), weights, |x| x.is_finite())?;
            Ok(Layer::F32(LayerF32 {
                cell: dims.cell,
                hidden: dims.hidden,
                columns,
                input,
                weights,
            }))
        }
        Precision::Int8 => {
            field(
                "layer shift",
                scales.shift.into(),
                MIN_SHIFT.into(),
                MAX_SHIFT.into(),
            )?;
            let (min, max) = (MIN_CELL_BITS, MAX_CELL_BITS);
            field(
                "layer cell bits",
                scales.cell_bits.into(),
                min.into(),
                max.into(),
            )?;
            let (input, weights) = (reader.next::<i16>()?, reader.next::<i8>()?);
            let multipliers = reader.next::<i32>()?;
            check(name(SectionKind::Weights), weights, |&w| w != i8::MIN)?;
            check(name(SectionKind::Multipliers), multipliers, |&m| {
                fits(m, columns, scales.shift)
            })?;
            Ok(Layer::Int8(LayerInt8 {
                cell: dims.cell,
                hidden: dims.hidden,
                columns,
                input,
                weights,
                multipliers,
                shift: scales.shift.into(),
                cell_bits: scales.cell_bits.into(),
            }))
        }
    }
}

/// Reads and checks the output layer.
pub(super) fn read_head<'a>(
    dims: &Dims,
    shift: u8,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Head<'a>, LoadError> {
    let columns = dims.stride();
    let name = |kind| SectionName { kind, layer: 0 };
    match dims.precision {
        Precision::F32 => {
            let (weights, bias) = (reader.next::<f32>()?, reader.next::<f32>()?);
            check(name(SectionKind::HeadWeights), weights, |x| x.is_finite())?;
            check(name(SectionKind::HeadBias), bias, |x| x.is_finite())?;
            Ok(Head::F32(HeadF32 {
                columns,
                weights,
                bias,
            }))
        }
        Precision::Int8 => {
            field(
                "head shift",
                shift.into(),
                MIN_SHIFT.into(),
                MAX_SHIFT.into(),
            )?;
            let (weights, multipliers) = (reader.next::<i8>()?, reader.next::<i32>()?);
            let bias = reader.next::<i32>()?;
            check(name(SectionKind::HeadWeights), weights, |&w| w != i8::MIN)?;
            check(name(SectionKind::HeadMultipliers), multipliers, |&m| {
                fits(m, columns, shift)
            })?;
            check(name(SectionKind::HeadBias), bias, |b| {
                u64::from(b.unsigned_abs()) <= REQUANTIZED_LIMIT
            })?;
            Ok(Head::Int8(HeadInt8 {
                columns,
                weights,
                multipliers,
                bias,
                shift: shift.into(),
            }))
        }
    }
}
