//! Preamble, header and section table of an image, and the sections one after the other.

use crate::image::error::LoadError;
use crate::image::format::SectionName;
use crate::image::format::{
    LARGEST_KIND, Lengths, MAGIC, MAX_KNOWN_ANSWER, MAX_KNOWN_FEATURES, PREAMBLE, SectionKind,
    Tokens, VERSION, at, checksum, kind_from, largest_variant, sections_for,
};
use crate::image::header::{self, Decoded, Sections};
use crate::image::views::Stored;
use crate::kernel::Kernel;
use crate::net::{Capabilities, Input, Layout, Net, Precision};
use crate::text::rules::TextRules;

/// Little-endian u32 at `at`; the caller has checked that it is there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    u32::from_le_bytes(*field.unwrap_or(&[0; 4]))
}

/// Checks the preamble, and returns what the model needs and the header's bytes once their checksum is
/// right.
pub(super) fn checked_header(image: &[u8]) -> Result<(Capabilities, &[u8]), LoadError> {
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
    if version != VERSION {
        return Err(LoadError::Version {
            found: version,
            supported: VERSION,
        });
    }
    let reserved = (at::ZEROS..at::HEADER_LEN).chain(at::LAST_ZEROS..PREAMBLE);
    for offset in reserved {
        if image.get(offset) != Some(&0) {
            return Err(LoadError::Reserved { offset });
        }
    }
    let needs = Capabilities::from_bits(u32_at(image, at::CAPABILITIES));
    let unknown = needs.without(Capabilities::ALL);
    if !unknown.is_empty() {
        return Err(LoadError::Needs { unknown });
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
    Ok((needs, header))
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

/// The header, once it is the encoding that a writer makes, with its operations in range; the net
/// that it names goes into `net`.
pub(super) fn decoded<'a>(bytes: &'a [u8], net: &mut Net) -> Result<Decoded<'a>, LoadError> {
    let header = header::decode(bytes).ok_or(LoadError::HeaderEncoding)?;
    for (name, code, most) in [
        ("precision", header.precision, 1),
        ("input", header.input, 1),
        ("tokens", header.tokens, Tokens::NUMBERS),
    ] {
        field(name, code.into(), 0, most.into())?;
    }
    field(
        "text rules",
        header.rules.into(),
        0,
        TextRules::MAX_CODE.into(),
    )?;
    for (index, operation) in header.operations.iter().enumerate() {
        let (kind, variant) = (operation.kind, operation.variant);
        if !(1..=LARGEST_KIND).contains(&kind) || variant > largest_variant(kind) {
            return Err(LoadError::Operation {
                index,
                kind,
                variant,
            });
        }
        if kind_from(kind, variant, operation.units.into()).is_none() {
            return Err(LoadError::HeaderEncoding);
        }
    }
    if !header::outline(bytes, net) {
        return Err(LoadError::HeaderEncoding);
    }
    net.check().map_err(LoadError::Net)?;
    Ok(header)
}

/// Checks the bits of states, and that what has no shift, no bits or no scale has zeros in its place.
pub(super) fn check_scales(net: &Net, header: &Decoded<'_>) -> Result<(), LoadError> {
    let quantized = matches!(net.precision, Precision::Int8);
    let mut absent = 0;
    for (index, (operation, entry)) in net.operations().zip(&header.operations).enumerate() {
        let form = operation.kind.cell();
        for (number, shift) in entry.shifts.iter().enumerate() {
            let there = match form {
                Some(_) => net.matrix(index, number).is_some(),
                None => number == 0,
            };
            if !(there && quantized) {
                absent |= shift;
            }
        }
        let [min, max] = match form {
            Some(form) if quantized => form.state_bits,
            _ => [0, 0],
        };
        field(
            "state bits",
            entry.state_bits.into(),
            min.into(),
            max.into(),
        )?;
        let most = u64::from(operation.kind.is_recurrent());
        field("start", entry.start.into(), 0, most)?;
    }
    for output in &header.outputs {
        let scaled = output.kind == 1 && quantized;
        let good = output.scale.is_finite() && output.scale > 0.0;
        if !good || !scaled && output.scale != 1.0 {
            return Err(LoadError::OutputScale);
        }
    }
    match absent {
        0 => Ok(()),
        _ => Err(LoadError::HeaderEncoding),
    }
}

/// The layout in the header, once it is one this net can have.
pub(super) fn layout_of(header: &Decoded<'_>, net: &Net) -> Result<Layout, LoadError> {
    let most = Layout::ALL.len() as u64 - 1;
    field("layout", header.layout.into(), 0, most)?;
    let layout = Layout::ALL.get(usize::from(header.layout));
    let layout = *layout.ok_or(LoadError::HeaderEncoding)?;
    layout.check(net).map_err(LoadError::Layout)?;
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

/// The lengths that do not follow from the net: a list of words is decoded to its end, which has to be
/// the section's.
pub(super) fn lengths_of(
    net: &Net,
    header: &Decoded<'_>,
    needs: Capabilities,
) -> Result<Lengths, LoadError> {
    let bytes = |index: usize| {
        let line = header.sections.clone().nth(index);
        line.map_or(0, |s| s.bytes as usize)
    };
    let text = net.takes_tokens() && header.tokens != Tokens::NUMBERS;
    let front_end = !net.takes_tokens() && needs.has(Capabilities::FRONT_END);
    // Before it are the front end, or the vocabulary, if there is one.
    let known_answer = bytes((text || front_end).into());
    match net.input {
        Input::Tokens { .. } => {
            let most = MAX_KNOWN_ANSWER as u64;
            field("known answer tokens", known_answer as u64 / 2, 0, most)?;
        }
        Input::Features { width, .. } => {
            let (numbers, most) = (known_answer / 4, MAX_KNOWN_FEATURES as u64);
            field("known answer features", numbers as u64, 0, most)?;
            if !numbers.is_multiple_of(width.max(1)) {
                return Err(LoadError::HeaderEncoding);
            }
        }
    }
    let mut starts = 0;
    for (index, operation) in header.operations.iter().enumerate() {
        starts |= u16::from(operation.start) << (index & 15);
    }
    Ok(Lengths {
        vocabulary: text.then(|| match header.tokens {
            Tokens::WORDS => bytes(0),
            _ => 4 * net.vocab(),
        }),
        known_answer,
        starts,
        front_end,
    })
}

/// Checks that the table lists exactly the sections this net has, each as long as it must be.
pub(super) fn check_section_table<K: Kernel>(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
    header: &Decoded<'_>,
) -> Result<(), LoadError> {
    let found = header.sections.len();
    let expected = sections_for::<K>(net, layout, lengths).count();
    if found != expected {
        return Err(LoadError::SectionCount { expected, found });
    }
    let sections = sections_for::<K>(net, layout, lengths);
    for (index, (entry, (section, bytes))) in header.sections.clone().zip(sections).enumerate() {
        let operation = section.operation.map_or(0, |operation| operation + 1);
        if (entry.kind, usize::from(entry.operation)) != (section.kind.code(), operation) {
            return Err(LoadError::SectionOrder {
                index,
                expected: section,
            });
        }
        if entry.bytes as usize != bytes {
            return Err(LoadError::SectionLength {
                section,
                expected: bytes,
                found: entry.bytes as usize,
            });
        }
    }
    Ok(())
}

/// Takes the sections one after the other, in the order of the table.
pub(super) struct SectionReader<'a, 't> {
    pub(super) image: &'a [u8],
    /// End of the last section taken, padding included; before the first, where the data starts.
    pub(super) end: usize,
    pub(super) index: usize,
    /// What sections start at a multiple of.
    pub(super) align: usize,
    pub(super) table: Sections<'t>,
    /// The sections that were taken since this was emptied.
    pub(super) found: Stored<'a>,
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
        let entry = self.table.next().ok_or(LoadError::SectionCount {
            expected: self.index + 1,
            found: self.index,
        })?;
        self.index += 1;
        let section = SectionName {
            kind: SectionKind::from_code(entry.kind).ok_or(LoadError::HeaderEncoding)?,
            operation: usize::from(entry.operation).checked_sub(1),
        };
        let start = self.end;
        let cut = LoadError::Length {
            declared: start.saturating_add(entry.bytes as usize),
            have: self.image.len(),
        };
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
        self.found.put(section.kind, bytes);
        Ok((section, bytes))
    }
}
