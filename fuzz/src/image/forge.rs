//! An image taken apart, changed, and put together with right lengths and checksums; or with one of
//! them wrong on purpose.
//!
//! The encoding here is written apart from core's: it can say what a writer would not.

use super::numbers::SPECIAL;
use crate::entropy::{Entropy, Source};

const PREAMBLE: usize = 32;

/// A field of the header.
#[derive(Clone, Debug)]
enum Field {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// A number, seven bits to a byte, with so many bytes more than it needs.
    Number(u64, usize),
}

/// A section: its entry in the table, and its bytes.
#[derive(Clone, Debug)]
struct Section {
    kind: u8,
    operation: u8,
    bytes: Vec<u8>,
    /// What is added to the right entry: length and checksum.
    wrong: [u32; 2],
}

/// An image in parts.
#[derive(Clone, Debug)]
struct Parts {
    preamble: [u8; PREAMBLE],
    /// Those before the section table.
    before: Vec<Field>,
    sections: Vec<Section>,
    align: usize,
    /// A byte of padding that is not zero: which, and what.
    padding: Option<(usize, u8)>,
    /// Bytes cut off the end, or added.
    end: isize,
}

/// Reads the header of an image that a writer has written.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn raw(&mut self, len: usize) -> Field {
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Field::Raw(bytes.to_vec())
    }

    fn byte(&mut self) -> u8 {
        let byte = self.0[0];
        self.0 = &self.0[1..];
        byte
    }

    fn value(&mut self) -> u64 {
        let (mut value, mut bits) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << bits;
            bits += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    /// How many follow; the number goes to `to` as well.
    fn count(&mut self, to: &mut Vec<Field>) -> u64 {
        let count = self.value();
        to.push(Field::Number(count, 0));
        count
    }

    fn number(&mut self) -> Field {
        Field::Number(self.value(), 0)
    }

    fn text(&mut self, to: &mut Vec<Field>) {
        let len = self.value();
        to.push(Field::Number(len, 0));
        let text = self.raw(len as usize);
        to.push(text);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

impl Parts {
    fn of(image: &[u8]) -> Self {
        let header_len = u32_at(image, 12) as usize;
        let mut reader = Reader(&image[PREAMBLE..PREAMBLE + header_len]);
        // Precision, layout and input, one by one.
        let mut before: Vec<Field> = (0..3).map(|_| reader.raw(1)).collect();
        let align = match before[1] {
            Field::Raw(ref layout) if layout[0] >= 2 => 64,
            _ => 16,
        };
        // Width and doubled features; tokens and rules.
        before.extend([reader.number(), reader.number()]);
        before.extend((0..2).map(|_| reader.raw(1)));
        for _ in 0..reader.count(&mut before) {
            // Kind and variant; units; bits, tied, three shifts, bits of the state, start.
            before.extend((0..2).map(|_| reader.raw(1)));
            before.push(reader.number());
            before.extend((0..7).map(|_| reader.raw(1)));
            for _ in 0..reader.count(&mut before) {
                before.push(reader.raw(1));
            }
        }
        for _ in 0..reader.count(&mut before) {
            before.extend([reader.raw(1), reader.raw(1), reader.raw(4)]);
        }
        before.push(reader.number());
        reader.text(&mut before);
        before.push(reader.raw(32));
        reader.text(&mut before);
        reader.text(&mut before);
        before.push(reader.number());
        before.push(reader.raw(8));
        before.push(reader.number());
        let data = (PREAMBLE + header_len).next_multiple_of(align);
        let mut at = data;
        let sections = (0..reader.value()).map(|_| {
            let (kind, operation) = (reader.byte(), reader.byte());
            let (len, _) = (reader.value() as usize, reader.value());
            let bytes = image[at..at + len].to_vec();
            at += len.next_multiple_of(align);
            Section {
                kind,
                operation,
                bytes,
                wrong: [0; 2],
            }
        });
        let sections = sections.collect();
        Self {
            preamble: image[..PREAMBLE].try_into().expect("as many"),
            before,
            sections,
            align,
            padding: None,
            end: 0,
        }
    }

    /// The image, with lengths and checksums that are right but where a change says otherwise.
    fn sealed(&self, preamble: Option<(usize, u8)>) -> Vec<u8> {
        let mut header = Vec::new();
        for field in &self.before {
            field.put(&mut header);
        }
        Field::Number(self.sections.len() as u64, 0).put(&mut header);
        let mut data = Vec::new();
        let mut gaps = Vec::new();
        for section in &self.sections {
            let right = [section.bytes.len() as u32, crc32(&section.bytes)];
            header.extend([section.kind, section.operation]);
            for (right, wrong) in right.into_iter().zip(section.wrong) {
                Field::Number(right.wrapping_add(wrong).into(), 0).put(&mut header);
            }
            data.extend_from_slice(&section.bytes);
            let end = data.len();
            data.resize(end.next_multiple_of(self.align), 0);
            gaps.extend(end..data.len());
        }
        let mut image = self.preamble.to_vec();
        image[12..16].copy_from_slice(&(header.len() as u32).to_le_bytes());
        image[20..24].copy_from_slice(&crc32(&header).to_le_bytes());
        image.extend_from_slice(&header);
        let end = image.len();
        image.resize(end.next_multiple_of(self.align), 0);
        let start = image.len();
        let gaps: Vec<usize> = (end..start)
            .chain(gaps.into_iter().map(|at| start + at))
            .collect();
        image.extend_from_slice(&data);
        if let Some((index, value)) = self.padding
            && !gaps.is_empty()
        {
            image[gaps[index % gaps.len()]] = value;
        }
        let len = image.len().saturating_add_signed(self.end);
        image.resize(len, 0);
        let total = (image.len() as u32).to_le_bytes();
        image[16..20].copy_from_slice(&total);
        // What another net needs, so that it is not refused for that alone.
        if let Some(net) = gatelet::format::net_of(&image) {
            image[24..28].copy_from_slice(&net.capabilities().bits().to_le_bytes());
        }
        if let Some((at, value)) = preamble {
            image[at] = value;
        }
        image
    }
}

impl Field {
    fn put(&self, to: &mut Vec<u8>) {
        match *self {
            Field::Raw(ref bytes) => to.extend_from_slice(bytes),
            Field::Number(mut value, more) => {
                while value > 0x7f {
                    to.push(value as u8 | 0x80);
                    value >>= 7;
                }
                match more {
                    0 => to.push(value as u8),
                    more => {
                        to.push(value as u8 | 0x80);
                        to.extend(std::iter::repeat_n(0x80, more - 1));
                        to.push(0);
                    }
                }
            }
        }
    }
}

/// CRC-32, four bits at a time, written apart from the crate that core uses.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0;
        while index < 16 {
            let mut crc = index as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
                bit += 1;
            }
            table[index] = crc;
            index += 1;
        }
        table
    };
    let step = |crc: u32| (crc >> 4) ^ TABLE[(crc & 15) as usize];
    !bytes
        .iter()
        .fold(!0, |crc, &byte| step(step(crc ^ u32::from(byte))))
}

/// Numbers at the edges of what a section's elements may be, as their bytes; the least significant
/// first.
fn special(kind: u8, float: bool, entropy: &mut Entropy<'_>) -> Vec<u8> {
    const INTEGERS: [i64; 16] = [
        0,
        1,
        -1,
        1 << 30,
        -(1 << 30),
        (1 << 30) + 1,
        -(1 << 30) - 1,
        (1 << 30) - 1,
        i32::MAX as i64,
        i32::MIN as i64,
        1 << 24,
        32_767,
        -32_768,
        127,
        -128,
        -127,
    ];
    let integer = entropy.one(&INTEGERS);
    match kind {
        1 => (entropy.word() as u32 % 0x11_0002).to_le_bytes().to_vec(),
        2 => (entropy.below(12) as u16).to_le_bytes().to_vec(),
        // What is never f32: multipliers.
        7 | 10 | 12 => (integer as i32).to_le_bytes().to_vec(),
        _ if float => entropy.one(&SPECIAL).to_le_bytes().to_vec(),
        5 => (integer as i16).to_le_bytes().to_vec(),
        8 => (integer as i32).to_le_bytes().to_vec(),
        _ => vec![integer as u8],
    }
}

/// An image with so many changes.
pub(super) fn changed(image: &[u8], changes: usize, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut parts = Parts::of(image);
    let float = matches!(parts.before[0], Field::Raw(ref precision) if precision[0] == 0);
    let mut preamble = None;
    for _ in 0..changes {
        let which = entropy.below(parts.sections.len());
        // Most changes are to numbers: those are seldom refused.
        match entropy.below(20) {
            0..=9 => {
                let section = &mut parts.sections[which];
                let value = special(section.kind, float, entropy);
                let places = section.bytes.len() / value.len();
                if places > 0 {
                    let at = entropy.below(places.min(1 << 16)) * value.len();
                    section.bytes[at..at + value.len()].copy_from_slice(&value);
                }
            }
            10 => {
                let section = &mut parts.sections[which];
                let value = special(section.kind, float, entropy);
                for to in section.bytes.chunks_exact_mut(value.len()) {
                    to.copy_from_slice(&value);
                }
            }
            11 => {
                let section = &mut parts.sections[which];
                if !section.bytes.is_empty() {
                    let at = entropy.below(section.bytes.len().min(1 << 16));
                    section.bytes[at] ^= 1 << entropy.below(8);
                }
            }
            12 => {
                let len = parts.sections[which].bytes.len();
                let len = (len + entropy.below(9)).saturating_sub(4);
                parts.sections[which].bytes.resize(len, 0);
            }
            13 | 14 => {
                let field = entropy.below(parts.before.len());
                change(&mut parts.before[field], entropy);
            }
            15 => match entropy.below(3) {
                0 => {
                    parts.sections.remove(which);
                    if parts.sections.is_empty() {
                        break;
                    }
                }
                1 => {
                    let other = entropy.below(parts.sections.len());
                    parts.sections.swap(which, other);
                }
                _ => {
                    let section = parts.sections[which].clone();
                    parts.sections.insert(which, section);
                }
            },
            16 => {
                let section = &mut parts.sections[which];
                match entropy.below(4) {
                    0 => section.kind = entropy.below(16) as u8,
                    1 => section.operation = entropy.below(6) as u8,
                    field => {
                        let by = entropy.one(&[1, 4, 16, 64, u32::MAX, 0x8000_0000]);
                        section.wrong[field - 2] = by;
                    }
                }
            }
            17 => parts.padding = Some((entropy.below(256), 1 + entropy.below(255) as u8)),
            18 => parts.end = entropy.one(&[-64, -16, -1, 1, 16, 64]),
            _ => preamble = Some((entropy.below(PREAMBLE), entropy.byte())),
        }
    }
    parts.sealed(preamble)
}

/// Changes a field of the header.
fn change(field: &mut Field, entropy: &mut Entropy<'_>) {
    const NUMBERS: [u64; 12] = [
        0,
        1,
        2,
        4,
        5,
        1024,
        1025,
        16_384,
        65_535,
        65_536,
        u32::MAX as u64,
        u64::MAX,
    ];
    match field {
        Field::Number(value, more) => match entropy.below(3) {
            0 => *more = 1 + entropy.below(3),
            1 => *value = entropy.one(&NUMBERS),
            _ => *value = value.wrapping_add(entropy.one(&[1, 2, u64::MAX])),
        },
        Field::Raw(bytes) if bytes.is_empty() => bytes.push(entropy.byte()),
        Field::Raw(bytes) => {
            let at = entropy.below(bytes.len());
            bytes[at] = match entropy.below(3) {
                0 => entropy.byte(),
                1 => bytes[at].wrapping_add(1),
                _ => bytes[at].wrapping_sub(1),
            };
        }
    }
}
