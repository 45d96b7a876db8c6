//! What may be wrong with an image.

use core::fmt::{self, Display, Formatter};

use super::{DimsError, LayoutError};
use crate::format::SectionKind;

/// Names one section of an image in an error: what it holds, and of which layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SectionName {
    /// What the section holds.
    pub kind: SectionKind,
    /// The layer it belongs to; 0 for sections that belong to none.
    pub layer: usize,
}

impl Display for SectionName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.kind.of_a_layer() {
            write!(f, "layer {} {}", self.layer, self.kind)
        } else {
            write!(f, "{}", self.kind)
        }
    }
}

/// Why an image was refused by [`Model::from_bytes`](crate::Model::from_bytes).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LoadError {
    /// The bytes do not start at a multiple of 16.
    Misaligned {
        /// The address modulo 16.
        offset: usize,
    },
    /// The first eight bytes are not `GATELET\0`.
    Magic,
    /// The format version is not one this build reads.
    Version {
        /// The version in the image.
        found: u16,
        /// The newest version this build reads.
        supported: u16,
    },
    /// A reserved byte is not zero.
    Reserved {
        /// Its offset from the start of the image.
        offset: usize,
    },
    /// The image is shorter or longer than it declares (or too short to declare anything).
    Length {
        /// Bytes needed or declared.
        declared: usize,
        /// Bytes given.
        have: usize,
    },
    /// The header does not fit into the image.
    HeaderLength {
        /// Declared bytes of the header.
        declared: usize,
        /// Bytes of the image.
        have: usize,
    },
    /// The header's bytes do not have the checksum that is stored beside them.
    HeaderChecksum {
        /// The checksum stored.
        expected: u32,
        /// The checksum of the bytes found.
        found: u32,
    },
    /// The header is not the postcard encoding of the fields of this version that a writer makes: cut, too long, with a number
    /// in more bytes than it needs, or with a scale for what has none.
    HeaderEncoding,
    /// A number in the header is outside its range.
    Field {
        /// The field's name in docs/model-format.md.
        name: &'static str,
        /// What the header says.
        found: u64,
        /// Smallest value allowed.
        min: u64,
        /// Largest value allowed.
        max: u64,
    },
    /// The shape is outside the supported ranges.
    Dims(DimsError),
    /// A model of this shape cannot have the layout the header names.
    Layout(LayoutError),
    /// The section table has the wrong number of entries for this shape.
    SectionCount {
        /// Entries this shape needs.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A section is not the one this shape has at this place of the table.
    SectionOrder {
        /// Position in the table.
        index: usize,
        /// The section that belongs there.
        expected: SectionName,
    },
    /// A section does not stand where the sections before it end.
    SectionOffset {
        /// The section.
        section: SectionName,
        /// Where it must start, in bytes from the start of the data area.
        expected: usize,
        /// Where the table says it starts.
        found: usize,
    },
    /// A section does not have the size that follows from the shape.
    SectionLength {
        /// The section.
        section: SectionName,
        /// Bytes it must have.
        expected: usize,
        /// Bytes the table says it has.
        found: usize,
    },
    /// The bytes of a section do not have the checksum stored for them.
    SectionChecksum {
        /// The section.
        section: SectionName,
        /// The checksum stored.
        expected: u32,
        /// The checksum of the bytes found.
        found: u32,
    },
    /// A padding byte is not zero.
    Padding {
        /// Its offset from the start of the image.
        offset: usize,
    },
    /// The vocabulary is not made of distinct characters or words in ascending order.
    Vocabulary {
        /// Index of the first entry that is no character or word, or not above the one before.
        index: usize,
    },
    /// The header says that U+FFFD is the unknown token, and the vocabulary does not have it; or the vocabulary is one of
    /// words, which needs it, and the header does not say so.
    UnknownToken,
    /// The header says that every line is a text of its own, and U+000A is not in the vocabulary.
    LineBreak,
    /// A value of a section is outside the range the kernels rely on (or not a finite number).
    Value {
        /// The section.
        section: SectionName,
        /// Index of the element in the section.
        index: usize,
    },
    /// The weights of a row are so large that its sum of products could reach the limit of f32 models.
    Sum {
        /// The section.
        section: SectionName,
        /// The row.
        row: usize,
    },
}

impl Display for LoadError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            LoadError::Misaligned { offset } => write!(
                f,
                "the image starts {offset} bytes past a multiple of 16; place it in an AlignedBytes"
            ),
            LoadError::Magic => f.write_str(
                "not a Gatelet model: it does not start with GATELET; make one with `gatelet export`",
            ),
            LoadError::Version { found, supported } => write!(
                f,
                "format version {found}, but this build reads versions up to {supported}; export the model again, or build a newer program"
            ),
            LoadError::Reserved { offset } => {
                write!(f, "reserved byte {offset} is not zero: the image is damaged")
            }
            LoadError::Length { declared, have } => write!(
                f,
                "the image has {have} bytes but must have {declared}: it was cut, or something follows it"
            ),
            LoadError::HeaderLength { declared, have } => write!(
                f,
                "the header length is {declared}, which does not fit into an image of {have} bytes"
            ),
            LoadError::HeaderChecksum { expected, found } => write!(
                f,
                "the header's checksum is {found:08x}, expected {expected:08x}: the header is damaged"
            ),
            LoadError::HeaderEncoding => {
                f.write_str("the header is not encoded as this format version is written")
            }
            LoadError::Field {
                name,
                found,
                min,
                max,
            } => write!(f, "header field {name} is {found}, but must be {min} to {max}"),
            LoadError::Dims(error) => write!(f, "header: {error}"),
            LoadError::Layout(error) => write!(f, "header: {error}"),
            LoadError::SectionCount { expected, found } => {
                write!(f, "the image has {found} sections, but this shape has {expected}")
            }
            LoadError::SectionOrder { index, expected } => {
                write!(f, "section {index} must be {expected}, but is another")
            }
            LoadError::SectionOffset {
                section,
                expected,
                found,
            } => write!(
                f,
                "section {section} starts at byte {found} of the data, expected {expected}"
            ),
            LoadError::SectionLength {
                section,
                expected,
                found,
            } => write!(f, "section {section} has {found} bytes, expected {expected}"),
            LoadError::SectionChecksum {
                section,
                expected,
                found,
            } => write!(
                f,
                "the checksum of section {section} is {found:08x}, expected {expected:08x}: \
                 a number in it was changed"
            ),
            LoadError::Padding { offset } => {
                write!(f, "padding byte {offset} is not zero: the image is damaged")
            }
            LoadError::Vocabulary { index } => write!(
                f,
                "vocabulary entry {index} is no character or word, or does not come after the entry before it"
            ),
            LoadError::UnknownToken => f.write_str(
                "the model needs an unknown token (its header or its words ask for one), but U+FFFD is not in the vocabulary, or not named by the header",
            ),
            LoadError::LineBreak => f.write_str(
                "the model reads lines (its header says so), but the line feed U+000A is not in the vocabulary",
            ),
            LoadError::Value { section, index } => {
                write!(f, "element {index} of section {section} is out of range")
            }
            LoadError::Sum { section, row } => write!(
                f,
                "the weights in row {row} of section {section} are too large: their products could sum up to 2^14"
            ),
        }
    }
}
