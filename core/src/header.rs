//! The header of an image, byte by byte: is it encoded as a writer does it, and what shape does it
//! name? Everything here can be evaluated when a program is compiled, which
//! [`include_model!`](crate::include_model) does.
//!
//! The fields are those of `format::Header`, in its order; docs/model-format.md lists them.

use crate::dims::{Cell, Dims, Precision};
use crate::format::{MAGIC, PREAMBLE, VERSION, at};
use crate::four_bits::FourBits;

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
}

/// `bytes[at]`, and zeros past the end.
#[expect(
    clippy::indexing_slicing,
    reason = "the index was compared; a constant has no get"
)]
const fn byte_at(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}

/// What a header says of a model's shape, as numbers that nobody has checked.
pub(crate) struct Outline {
    /// Cell, precision, layout, layers.
    codes: [u8; 4],
    hidden: usize,
    vocab: usize,
    embedding: usize,
    projection: usize,
    tied: u8,
    four_bits: u8,
}

/// Walks through a header of that version. Nothing if it is not encoded as a writer does it.
pub(crate) const fn outline(version: u16, bytes: &[u8]) -> Option<Outline> {
    let mut walk = Walk {
        bytes,
        at: 0,
        good: true,
    };
    let codes = [walk.byte(), walk.byte(), walk.byte(), walk.byte()];
    let (hidden, vocab) = (walk.number(), walk.number());
    // The head's shift, and a shift and cell bits for each layer.
    walk.skip(1 + 2 * Dims::MAX_LAYERS);
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
        walk.number();
    }
    let mut outline = Outline {
        codes,
        hidden,
        vocab,
        embedding: 0,
        projection: 0,
        tied: 0,
        four_bits: 0,
    };
    if version >= 2 {
        walk.skip(1);
    }
    if version >= 3 {
        (outline.embedding, outline.projection) = (walk.number(), walk.number());
        outline.tied = walk.byte();
        walk.skip(3);
    }
    if version >= 4 {
        outline.four_bits = walk.byte();
    }
    if walk.good && walk.at == bytes.len() {
        Some(outline)
    } else {
        None
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

/// The shape of the model in an image, from its header alone: for sizes that are constants. Loading
/// checks the image.
///
/// Nothing if the bytes do not start as an image of a version that this build reads.
pub const fn dims_of(image: &[u8]) -> Option<Dims> {
    let mut index = 0;
    while index < MAGIC.len() {
        if byte_at(image, index) != byte_at(&MAGIC, index) {
            return None;
        }
        index += 1;
    }
    let version = field(image, at::VERSION, 2) as u16;
    let header_len = field(image, at::HEADER_LEN, 4);
    if version < 1 || version > VERSION {
        return None;
    }
    let Some((_, rest)) = image.split_at_checked(PREAMBLE) else {
        return None;
    };
    let Some((header, _)) = rest.split_at_checked(header_len) else {
        return None;
    };
    let Some(outline) = outline(version, header) else {
        return None;
    };
    outline.dims()
}

impl Outline {
    /// The shape, if it is one.
    const fn dims(self) -> Option<Dims> {
        let [cell, precision, _, layers] = self.codes;
        let cell = match cell {
            0 => Cell::Rnn,
            1 => Cell::Lstm,
            _ => return None,
        };
        let precision = match precision {
            0 => Precision::F32,
            1 => Precision::Int8,
            _ => return None,
        };
        let dims = match Dims::new(cell, precision, layers as usize, self.hidden, self.vocab) {
            Ok(dims) => dims,
            Err(_) => return None,
        };
        let dims = match dims.with_widths(self.embedding, self.projection, self.tied == 1) {
            Ok(dims) => dims,
            Err(_) => return None,
        };
        match dims.with_four_bits(FourBits::from_code(self.four_bits)) {
            Ok(dims) => Some(dims),
            Err(_) => None,
        }
    }
}
