//! Writing an image into a caller's buffer: sections first, then the header that describes them.

use crate::image::error::WriteError;
use crate::image::format::SectionName;
use crate::image::format::{
    CRC, Header, Lengths, MAGIC, MAX_SECTIONS, PREAMBLE, SectionEntry, VERSION, at, checksum,
    sections_of,
};
use crate::net::LayoutError;
use crate::net::{Capabilities, Layout, Net};
use crate::weights::matrix::shifts;

/// Checks that a layout's kernel can do this requantization.
pub(crate) fn check_shift(layout: Layout, bits: u8, found: u8) -> Result<(), WriteError> {
    let (min, max) = shifts(layout, bits.into());
    if layout == Layout::Pairs && !(min..=max).contains(&found) {
        return Err(WriteError::Layout(LayoutError::Shift {
            layout,
            found,
            min,
            max,
        }));
    }
    Ok(())
}

/// The section table; its checksums are still zero.
pub(crate) fn table(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
) -> Result<heapless::Vec<SectionEntry, MAX_SECTIONS>, WriteError> {
    let mut sections = heapless::Vec::new();
    for (name, bytes) in sections_of(net, layout, lengths) {
        let entry = SectionEntry {
            kind: name.kind.code(),
            operation: name.operation.map_or(0, |index| index as u8 + 1),
            bytes: u32::try_from(bytes).map_err(|_| WriteError::TooLarge)?,
            crc32: 0,
        };
        sections.push(entry).map_err(|_| WriteError::Header)?;
    }
    Ok(sections)
}

/// Bytes of the data area.
fn data_len(header: &Header<'_>, layout: Layout) -> Result<usize, WriteError> {
    let mut len = 0_usize;
    for section in &header.sections {
        let bytes = (section.bytes as usize).checked_next_multiple_of(layout.align());
        len = bytes
            .and_then(|bytes| len.checked_add(bytes))
            .ok_or(WriteError::TooLarge)?;
    }
    Ok(len)
}

/// The largest encoding a varint u32 has; the room kept for each checksum, which is not known before the data is.
const MAX_VARINT: usize = 5;

/// An upper bound of the bytes of an image with this header.
pub(crate) fn len_with(header: &Header<'_>, layout: Layout) -> Result<usize, WriteError> {
    let size = postcard::ser_flavors::Size::default();
    let encoded = postcard::serialize_with_flavor(header, size).map_err(|_| WriteError::Header)?;
    let header_len = encoded + header.sections.len() * MAX_VARINT;
    let data = data_len(header, layout)?;
    Ok((PREAMBLE + header_len).next_multiple_of(layout.align()) + data)
}

/// What it takes to run a net with these starts, and with a front end if it has one.
pub(crate) fn capabilities(net: &Net, lengths: Lengths) -> Capabilities {
    let all = match lengths.starts {
        0 => net.capabilities(),
        _ => net.capabilities().and(Capabilities::START),
    };
    match lengths.front_end {
        true => all.and(Capabilities::FRONT_END),
        false => all,
    }
}

/// Where the bytes of an image's sections come from.
pub(crate) trait Source {
    /// Hands the bytes of a section to `sink`, in pieces of any size. Called more than once for every section.
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError>;
}

/// Writes an image: its sections are those of `header`'s table, and `names` names them.
pub(crate) fn write_with(
    mut header: Header<'_>,
    (layout, needs): (Layout, Capabilities),
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
    let encoded = postcard::to_slice(&header, room)
        .map_err(|_| ())
        .map_err(too_small)?;
    let (header_len, header_crc) = (encoded.len(), checksum(encoded));
    let data = (PREAMBLE + header_len).next_multiple_of(layout.align());
    let total = data + data_len(&header, layout)?;
    let image = out.get_mut(..total).ok_or(()).map_err(too_small)?;

    if let Some(padding) = image.get_mut(PREAMBLE + header_len..) {
        padding.fill(0);
    }
    let mut offset = data;
    for (entry, (section, _)) in header.sections.iter().zip(names) {
        let mut room = image.get_mut(offset..).unwrap_or_default();
        offset += (entry.bytes as usize).next_multiple_of(layout.align());
        source.emit(section, &mut |bytes| {
            let (to, rest) = core::mem::take(&mut room)
                .split_at_mut_checked(bytes.len())
                .unwrap_or_default();
            copy(bytes, to);
            room = rest;
        })?;
    }
    write_preamble(image, needs, header_len, header_crc)?;
    Ok(total)
}

/// The fields before the header.
fn write_preamble(
    image: &mut [u8],
    needs: Capabilities,
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
    put(at::VERSION, &VERSION.to_le_bytes());
    put(at::CAPABILITIES, &needs.bits().to_le_bytes());
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
