//! Why an image cannot be written.

use core::fmt::{self, Display, Formatter};

use super::SectionName;
use crate::net::{Layout, NetError};

/// Why a model cannot have a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LayoutError {
    /// The layout is one of int8 models.
    NeedsInt8 {
        /// The layout.
        layout: Layout,
    },
    /// A weight matrix is too wide for the layout's arithmetic.
    Columns {
        /// The layout.
        layout: Layout,
        /// Columns of the widest matrix.
        columns: usize,
        /// The most the layout can have.
        max: usize,
    },
    /// A requantization has another right shift than the layout's kernel.
    Shift {
        /// The layout.
        layout: Layout,
        /// The shift found.
        found: u8,
        /// The smallest it takes.
        min: u8,
        /// The largest it takes.
        max: u8,
    },
}

impl Display for LayoutError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            LayoutError::NeedsInt8 { layout } => {
                write!(f, "the layout {layout} is for int8 models")
            }
            LayoutError::Columns {
                layout,
                columns,
                max,
            } => write!(
                f,
                "the layout {layout} takes matrices of at most {max} columns, but one has {columns}; \
                 use fewer units or layers, or the layout rows"
            ),
            LayoutError::Shift {
                layout,
                found,
                min,
                max,
            } => {
                write!(
                    f,
                    "the layout {layout} needs requantization shifts of {min}"
                )?;
                if min < max {
                    write!(f, " to {max}")?;
                }
                write!(
                    f,
                    ", but one is {found} (a row has very large weights); use the layout rows"
                )
            }
        }
    }
}

/// Why an image could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// The net is none that can be.
    Net(NetError),
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
