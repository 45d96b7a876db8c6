//! One error enum per operation. Variants carry the numbers; the sentence is made only when somebody prints it,
//! so a program that never prints pays no flash for formatting.

use core::fmt::{self, Display, Formatter};

use crate::dims::Dims;
use crate::format::SectionKind;
use crate::vocab::TokenId;

/// A model shape outside the supported ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DimsError {
    /// Layer count outside 1..=[`Dims::MAX_LAYERS`].
    Layers {
        /// What was given.
        found: usize,
    },
    /// Hidden size outside 1..=[`Dims::MAX_HIDDEN`].
    Hidden {
        /// What was given.
        found: usize,
    },
    /// Vocabulary outside 2..=[`Dims::MAX_VOCAB`].
    Vocab {
        /// What was given.
        found: usize,
    },
}

impl Display for DimsError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DimsError::Layers { found } => {
                write!(
                    f,
                    "layers is {found}, but must be 1 to {}",
                    Dims::MAX_LAYERS
                )
            }
            DimsError::Hidden { found } => {
                write!(
                    f,
                    "hidden is {found}, but must be 1 to {}",
                    Dims::MAX_HIDDEN
                )
            }
            DimsError::Vocab { found } => write!(
                f,
                "the vocabulary has {found} tokens, but must have 2 to {}",
                Dims::MAX_VOCAB
            ),
        }
    }
}

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
        /// The version this build reads.
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
    /// The header is not a postcard encoding of the fields of this version.
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
    /// The vocabulary is not made of distinct characters in ascending order.
    Vocabulary {
        /// Index of the first entry that is no character, or not above the one before.
        index: usize,
    },
    /// A value of a section is outside the range the kernels rely on (or not a finite number).
    Value {
        /// The section.
        section: SectionName,
        /// Index of the element in the section.
        index: usize,
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
                "format version {found}, but this build reads version {supported}; export the model again"
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
                f.write_str("the header cannot be decoded: it was not written by this format version")
            }
            LoadError::Field {
                name,
                found,
                min,
                max,
            } => write!(f, "header field {name} is {found}, but must be {min} to {max}"),
            LoadError::Dims(error) => write!(f, "header: {error}"),
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
                "vocabulary entry {index} is no character, or does not come after the entry before it"
            ),
            LoadError::Value { section, index } => {
                write!(f, "element {index} of section {section} is out of range")
            }
        }
    }
}

/// Why a [`Session`](crate::Session) could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SessionError {
    /// The caller's storage is too small for the model's state.
    StorageTooSmall {
        /// Words needed: [`Dims::state_words`].
        need: usize,
        /// Words given.
        have: usize,
    },
}

impl Display for SessionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::StorageTooSmall { need, have } => write!(
                f,
                "the state needs {need} words of 4 bytes, but the storage has {have}"
            ),
        }
    }
}

/// Why a step was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StepError {
    /// The token is not in the vocabulary.
    TokenOutOfRange {
        /// The token.
        id: TokenId,
        /// Tokens in the vocabulary.
        vocab: usize,
    },
}

impl Display for StepError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            StepError::TokenOutOfRange { id, vocab } => {
                write!(
                    f,
                    "token {} is outside the vocabulary of {vocab} tokens",
                    id.0
                )
            }
        }
    }
}

/// Why a snapshot could not be taken or restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SnapshotError {
    /// The buffer does not have exactly the words of a snapshot.
    Length {
        /// Words of a snapshot: [`Dims::snapshot_words`].
        need: usize,
        /// Words given.
        have: usize,
    },
}

impl Display for SnapshotError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Length { need, have } => {
                write!(f, "a snapshot has {need} words, but the buffer has {have}")
            }
        }
    }
}

/// Why a model failed its known-answer test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SelfTestError {
    /// The storage for the test is too small.
    Session(SessionError),
    /// A token of the test is outside the vocabulary.
    Step(StepError),
    /// The states are not the ones the exporter saw.
    Mismatch {
        /// The hash stored in the image.
        expected: u64,
        /// The hash computed here.
        found: u64,
    },
}

impl Display for SelfTestError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SelfTestError::Session(error) => write!(f, "known-answer test: {error}"),
            SelfTestError::Step(error) => write!(f, "known-answer test: {error}"),
            SelfTestError::Mismatch { expected, found } => write!(
                f,
                "known-answer test: the states hash to {found:016x}, the exporter saw {expected:016x}; \
                 the weights or the kernel are not the exporter's"
            ),
        }
    }
}

/// Why an image could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// The output buffer is smaller than [`image_len`](crate::format::image_len).
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
    /// A layer or the head is given in another precision than the dims say, or the number of layers differs.
    Precision {
        /// The layer (the number of layers for the head).
        layer: usize,
    },
    /// The header could not be encoded.
    Header,
    /// The image would pass the 4 GiB its offsets can express.
    TooLarge,
}

impl Display for WriteError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
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
            WriteError::Precision { layer } => {
                write!(f, "layer {layer} is not of the precision the dims say")
            }
            WriteError::Header => f.write_str("the header cannot be encoded"),
            WriteError::TooLarge => f.write_str("the image would be larger than 4 GiB"),
        }
    }
}

macro_rules! errors {
    ($($name:ty),*) => { $(impl core::error::Error for $name {})* };
}
errors!(
    DimsError,
    LoadError,
    SessionError,
    StepError,
    SnapshotError,
    SelfTestError,
    WriteError,
    crate::sample::SamplerError
);
