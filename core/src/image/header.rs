//! The header of an image, byte by byte: is it encoded as a writer does it, and what net does it
//! name? Everything here can be evaluated when a program is compiled, which
//! [`include_model!`](crate::include_model) does.
//!
//! The fields are those of `format::Header`, in its order; docs/model-format.md lists them.

use crate::front::{FrontEnd, RECIPE_WORDS};
use crate::image::format::{
    MAGIC, OperationEntry, OutputEntry, PREAMBLE, Provenance, SectionEntry, VERSION, at, kind_from,
};
use crate::net::{
    Capabilities, Input, Kind, Layout, MAX_OPERATIONS, MAX_OUTPUTS, MAX_PARTS, Net, Operand,
    Operation, Output, Precision, Value, at_mut,
};
use crate::text::rules::TextRules;

/// Goes through the bytes of a header.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether every number so far was there, in no more bytes than it needs.
    good: bool,
}

impl Walk<'_> {
    /// Leaves out so many bytes.
    const fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
        self.good &= self.at <= self.bytes.len();
    }

    /// A byte.
    const fn byte(&mut self) -> u8 {
        let byte = byte_at(self.bytes, self.at);
        self.skip(1);
        byte
    }

    /// The low bits of a number: seven bits to a byte, the lowest first; the last byte has no high
    /// bit, and is not zero unless it is the first. That the number fits its type is for the
    /// decoder to say.
    #[inline(never)]
    const fn number(&mut self) -> usize {
        let (mut number, mut bits, start) = (0, 0, self.at);
        loop {
            let byte = self.byte();
            if bits < usize::BITS {
                number |= ((byte & 0x7f) as usize) << bits;
                bits += 7;
            }
            if byte < 0x80 {
                self.good &= byte != 0 || self.at - start == 1;
                return number;
            }
            // Past the end there are zeros, so it ends.
        }
    }

    /// Leaves out a text.
    const fn text(&mut self) {
        let len = self.number();
        self.skip(len);
    }

    /// A code of one of a few values.
    const fn code(&mut self, largest: u8) -> u8 {
        let code = self.byte();
        self.good &= code <= largest;
        code
    }
}

/// `bytes[at]`, and zeros past the end.
#[expect(
    clippy::indexing_slicing,
    reason = "the index was compared; a constant has no get"
)]
const fn byte_at(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}

/// Walks through a header, and puts the net that it names, which nobody has checked, into `net`.
/// Whether it is encoded as a writer does it.
pub(crate) const fn outline(bytes: &[u8], net: &mut Net) -> bool {
    let mut walk = Walk {
        bytes,
        at: 0,
        good: true,
    };
    let precision = match walk.code(1) {
        0 => Precision::F32,
        _ => Precision::Int8,
    };
    walk.skip(1);
    let input = walk.code(1);
    let (width, doubled) = (walk.number(), walk.number());
    let input = match input {
        0 => Input::Tokens { vocab: width },
        _ => Input::Features { width, doubled },
    };
    walk.good &= matches!(input, Input::Features { .. }) || doubled == 0;
    walk.skip(2);
    *net = Net::new(precision, input);
    let mut operations = walk.number();
    while operations > 0 && walk.good {
        operations -= 1;
        net.push(walk.operation());
    }
    let mut outputs = walk.number();
    while outputs > 0 && walk.good {
        outputs -= 1;
        let value = Value::from_code(walk.byte());
        net.push_output(match walk.code(1) {
            0 => Output::Scores(value),
            _ => Output::Values(value),
        });
        walk.skip(4);
    }
    walk.number();
    walk.text();
    walk.skip(32);
    walk.text();
    walk.text();
    walk.number();
    walk.skip(4 + 4);
    walk.number();
    let mut sections = walk.number();
    while sections > 0 && walk.good {
        sections -= 1;
        walk.skip(2);
        walk.number();
        walk.number();
    }
    walk.good && walk.at == bytes.len()
}

impl Walk<'_> {
    /// An operation.
    const fn operation(&mut self) -> Operation {
        let (kind, variant, units) = (self.byte(), self.byte(), self.number());
        let (bits, tied) = (self.byte(), self.byte());
        // Shifts, bits of the state, whether there is a state to start from.
        self.skip(3 + 1 + 1);
        let mut parts = [Value::INPUT; MAX_PARTS];
        let (mut part, count) = (0, self.number());
        while part < count && self.good {
            if let Some(to) = at_mut(&mut parts, part) {
                *to = Value::from_code(self.byte());
            } else {
                self.good = false;
            }
            part += 1;
        }
        let kind = match kind_from(kind, variant, units) {
            Some(kind) => kind,
            // The loader names it.
            None => Kind::Add,
        };
        let operand = match parts.split_at_checked(count) {
            Some((operand, _)) if self.good => operand,
            _ => &[],
        };
        Operation {
            kind,
            operand: Operand::of(operand),
            bits,
            tied: if tied == 0 { None } else { Some(tied - 1) },
        }
    }
}

/// A little-endian number of so many bytes at `at`.
const fn field(image: &[u8], at: usize, bytes: usize) -> usize {
    let (mut number, mut index) = (0, 0);
    while index < bytes {
        number |= (byte_at(image, at + index) as usize) << (8 * index);
        index += 1;
    }
    number
}

/// The net of the model in an image, from its header alone: for sizes that are constants. Loading
/// checks the image.
///
/// Nothing if the bytes do not start as an image of the version that this build reads, of a net that
/// can be.
pub const fn net_of(image: &[u8]) -> Option<Net> {
    let mut index = 0;
    while index < MAGIC.len() {
        if byte_at(image, index) != byte_at(&MAGIC, index) {
            return None;
        }
        index += 1;
    }
    let version = field(image, at::VERSION, 2) as u16;
    let header_len = field(image, at::HEADER_LEN, 4);
    if version != VERSION {
        return None;
    }
    let Some((_, rest)) = image.split_at_checked(PREAMBLE) else {
        return None;
    };
    let Some((header, _)) = rest.split_at_checked(header_len) else {
        return None;
    };
    let mut net = Net::none();
    if !outline(header, &mut net) {
        return None;
    }
    match net.checked() {
        Ok(net) => Some(net),
        Err(_) => None,
    }
}

/// The front end of the model in an image, if it has one: as [`net_of`] for sizes that are constants.
pub const fn front_end_of(image: &[u8]) -> Option<FrontEnd> {
    let needs = Capabilities::from_bits(field(image, at::CAPABILITIES, 4) as u32);
    if net_of(image).is_none() || !needs.has(Capabilities::FRONT_END) {
        return None;
    }
    // The first section, behind the header; the layout is its second byte.
    let align = match byte_at(image, PREAMBLE + 1) {
        0 | 1 => Layout::Rows.align(),
        _ => Layout::Tiles4.align(),
    };
    let header = PREAMBLE + field(image, at::HEADER_LEN, 4);
    let start = header.next_multiple_of(align);
    let mut words = [0; RECIPE_WORDS];
    let mut index = 0;
    while index < RECIPE_WORDS {
        if let Some(word) = at_mut(&mut words, index) {
            *word = field(image, start + 4 * index, 4) as u32;
        }
        index += 1;
    }
    match FrontEnd::from_words(words) {
        Ok(front) => Some(front),
        Err(_) => None,
    }
}

/// Words of a session of the model in an image: as [`Model::session_words`](crate::Model::session_words).
pub const fn session_words(image: &[u8]) -> Option<usize> {
    match (net_of(image), front_end_of(image)) {
        (Some(net), Some(front)) => Some(net.state_words() + front.words()),
        (Some(net), None) => Some(net.state_words()),
        (None, _) => None,
    }
}

/// What a header says, with the section table where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Decoded<'a> {
    pub(crate) precision: u8,
    pub(crate) layout: u8,
    pub(crate) input: u8,
    pub(crate) tokens: u8,
    pub(crate) rules: u8,
    pub(crate) operations: heapless::Vec<OperationEntry, MAX_OPERATIONS>,
    pub(crate) outputs: heapless::Vec<OutputEntry, MAX_OUTPUTS>,
    pub(crate) known_answer_hash: u64,
    pub(crate) provenance: Provenance<'a>,
    pub(crate) sections: Sections<'a>,
}

impl Decoded<'_> {
    /// The rules of the text.
    pub(crate) fn text_rules(&self) -> Option<TextRules> {
        TextRules::from_code(self.rules)
    }
}

/// The section table: its lines one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Sections<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl Sections<'_> {
    /// Lines left.
    pub(crate) fn len(&self) -> usize {
        self.left
    }
}

impl Iterator for Sections<'_> {
    type Item = SectionEntry;

    #[inline(never)]
    fn next(&mut self) -> Option<SectionEntry> {
        self.left = self.left.checked_sub(1)?;
        Some(SectionEntry {
            kind: self.cursor.byte()?,
            operation: self.cursor.byte()?,
            bytes: self.cursor.small()?,
            crc32: self.cursor.small()?,
        })
    }
}

/// Reads a header from its start on.
#[derive(Clone, Debug)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline(never)]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A number of at most 64 bits: see `Walk::number`.
    #[inline(never)]
    fn number(&mut self) -> Option<u64> {
        let (mut number, mut bits) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if bits >= u64::BITS || low << bits >> bits != low {
                return None;
            }
            number |= low << bits;
            bits += 7;
            if byte < 0x80 {
                return Some(number);
            }
        }
    }

    /// A number of at most 32 bits.
    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.small()? as usize;
        core::str::from_utf8(self.take(len)?).ok()
    }

    fn real(&mut self) -> Option<f32> {
        let bytes = self.take(4)?.first_chunk::<4>()?;
        Some(f32::from_le_bytes(*bytes))
    }

    fn operation(&mut self) -> Option<OperationEntry> {
        let mut entry = OperationEntry {
            kind: self.byte()?,
            variant: self.byte()?,
            units: u16::try_from(self.small()?).ok()?,
            bits: self.byte()?,
            tied: self.byte()?,
            ..OperationEntry::default()
        };
        entry.shifts = *self.take(3)?.first_chunk()?;
        entry.state_bits = self.byte()?;
        entry.start = self.byte()?;
        for _ in 0..self.small()? {
            entry.operand.push(self.byte()?).ok()?;
        }
        Some(entry)
    }
}

/// What a header says; nothing where a number, a text or a list does not fit.
#[inline(never)]
pub(crate) fn decode(bytes: &[u8]) -> Option<Decoded<'_>> {
    let mut cursor = Cursor(bytes);
    let (precision, layout, input) = (cursor.byte()?, cursor.byte()?, cursor.byte()?);
    for _ in 0..2 {
        u16::try_from(cursor.small()?).ok()?;
    }
    let (tokens, rules) = (cursor.byte()?, cursor.byte()?);
    let mut operations = heapless::Vec::new();
    for _ in 0..cursor.small()? {
        operations.push(cursor.operation()?).ok()?;
    }
    let mut outputs = heapless::Vec::new();
    for _ in 0..cursor.small()? {
        let output = OutputEntry {
            value: cursor.byte()?,
            kind: cursor.byte()?,
            scale: cursor.real()?,
        };
        outputs.push(output).ok()?;
    }
    let known_answer_hash = cursor.number()?;
    let provenance = Provenance {
        corpus: cursor.text()?,
        corpus_sha256: *cursor.take(32)?.first_chunk()?,
        command: cursor.text()?,
        trainer: cursor.text()?,
        seed: cursor.number()?,
        nats_f32: cursor.real()?,
        nats: cursor.real()?,
        heldout_tokens: cursor.small()?,
    };
    let left = cursor.small()? as usize;
    Some(Decoded {
        precision,
        layout,
        input,
        tokens,
        rules,
        operations,
        outputs,
        known_answer_hash,
        provenance,
        sections: Sections { cursor, left },
    })
}
