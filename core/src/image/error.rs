//! What may be wrong with an image, and why one cannot be written.

use core::fmt::{self, Display, Formatter};

use crate::front::FrontEndError;
use crate::image::format::SectionName;
use crate::net::{Capabilities, LayoutError, NetError};
use crate::text::vocab::RulesError;

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
        /// The version this build reads.
        supported: u16,
    },
    /// The image needs what this build has not.
    Needs {
        /// What that is.
        unknown: Capabilities,
    },
    /// The image says that it needs something else than its net does.
    NeedsOthers {
        /// What the net needs.
        expected: Capabilities,
        /// What the image says.
        found: Capabilities,
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
    /// An operation of a kind that this build does not know, or a variant of it.
    Operation {
        /// The operation.
        index: usize,
        /// The kind's number.
        kind: u8,
        /// The variant's number.
        variant: u8,
    },
    /// The scale of an output is no positive number, or is not 1 where there is none.
    OutputScale,
    /// The net is none that can be.
    Net(NetError),
    /// A model of this net cannot have the layout the header names.
    Layout(LayoutError),
    /// The section table has the wrong number of entries for this net.
    SectionCount {
        /// Entries this net needs.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A section is not the one this net has at this place of the table.
    SectionOrder {
        /// Position in the table.
        index: usize,
        /// The section that belongs there.
        expected: SectionName,
    },
    /// A section does not have the size that follows from the net.
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
    /// The front end is none that can be, or not of this net.
    FrontEnd(FrontEndError),
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
                "format version {found}, but this build reads version {supported}; export the model again, or build another program"
            ),
            LoadError::Needs { unknown } => write!(
                f,
                "the model needs what this build has not ({unknown}); build a newer program"
            ),
            LoadError::NeedsOthers { expected, found } => write!(
                f,
                "the image says that it needs {found}, but its net needs {expected}: it is damaged"
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
            LoadError::Operation {
                index,
                kind,
                variant,
            } => write!(
                f,
                "operation {index} is of kind {kind}, variant {variant}, which this build does not know; \
                 build a newer program"
            ),
            LoadError::OutputScale => f.write_str(
                "header: the scale of an output must be a positive number, and 1 for scores and in f32",
            ),
            LoadError::Net(error) => write!(f, "header: {error}"),
            LoadError::Layout(error) => write!(f, "header: {error}"),
            LoadError::SectionCount { expected, found } => {
                write!(f, "the image has {found} sections, but this net has {expected}")
            }
            LoadError::SectionOrder { index, expected } => {
                write!(f, "section {index} must be {expected}, but is another")
            }
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
            LoadError::FrontEnd(error) => Display::fmt(&error, f),
            LoadError::Value { section, index } => {
                write!(f, "element {index} of section {section} is out of range")
            }
            LoadError::Sum { section, row } => write!(
                f,
                "the weights in row {row} of section {section} are too large: their products could pass what f32 \
                 kernels agree on"
            ),
        }
    }
}

impl core::error::Error for LoadError {}

impl From<RulesError> for LoadError {
    fn from(error: RulesError) -> Self {
        match error {
            RulesError::UnknownToken => LoadError::UnknownToken,
            RulesError::LineBreak => LoadError::LineBreak,
        }
    }
}

/// Why an image could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// The net is none that can be.
    Net(NetError),
    /// The front end is none that can be, or not of this net.
    FrontEnd(FrontEndError),
    /// A weight of a 4-bit matrix is not in -7..=7.
    FourBits {
        /// The section.
        section: SectionName,
        /// The weight, row-major.
        index: usize,
    },
    /// The output buffer is smaller than [`image_len`](crate::image::format::image_len).
    BufferTooSmall {
        /// Bytes needed.
        need: usize,
        /// Bytes given.
        have: usize,
    },
    /// A slice of the specification does not have the length its shape asks for.
    Length {
        /// The section.
        section: SectionName,
        /// Bytes it must have.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The numbers of a section are of another type than the net's precision asks for, or missing.
    Numbers {
        /// The section.
        section: SectionName,
    },
    /// Numbers are given for more or fewer operations than the net has.
    Operations {
        /// Operations of the net.
        expected: usize,
        /// Operations given.
        found: usize,
    },
    /// A word of the vocabulary is empty, longer than [`MAX_WORD`](crate::image::format::MAX_WORD) bytes, or does not come after
    /// the one before it.
    Word {
        /// Its place in the list.
        index: usize,
    },
    /// The model cannot have the layout asked for.
    Layout(LayoutError),
    /// The header could not be encoded.
    Header,
    /// The image would pass the 4 GiB its offsets can express.
    TooLarge,
}

impl Display for WriteError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Net(error) => error.fmt(f),
            WriteError::FrontEnd(error) => error.fmt(f),
            WriteError::FourBits { section, index } => write!(
                f,
                "section {section}: weight {index} is not in -7..=7, which 4 bits can hold"
            ),
            WriteError::BufferTooSmall { need, have } => {
                write!(f, "the image needs {need} bytes, but the buffer has {have}")
            }
            WriteError::Length {
                section,
                expected,
                found,
            } => write!(
                f,
                "section {section} was given {found} bytes, expected {expected}"
            ),
            WriteError::Numbers { section } => write!(
                f,
                "the numbers of section {section} are missing, or not of the net's precision"
            ),
            WriteError::Operations { expected, found } => write!(
                f,
                "the net has {expected} operations, but numbers were given for {found}"
            ),
            WriteError::Word { index } => write!(
                f,
                "word {index} of the vocabulary is empty, longer than 32 bytes, or not above the word before it"
            ),
            WriteError::Layout(error) => Display::fmt(error, f),
            WriteError::Header => f.write_str("the header cannot be encoded"),
            WriteError::TooLarge => f.write_str("the image would be larger than 4 GiB"),
        }
    }
}

impl core::error::Error for WriteError {}
