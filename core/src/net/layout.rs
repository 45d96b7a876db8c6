//! How the weight matrices of an image are arranged.

use core::fmt::{self, Display, Formatter};

use super::{Net, Precision};
use crate::error::LayoutError;
use crate::weights::matrix::PAIRS_MAX_COLUMNS;

/// How the weight matrices of an image are arranged. It changes where a weight lies, never a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Layout {
    /// Row-major, the gate rows of a unit next to each other, columns padded with zeros to a
    /// multiple of four.
    Rows,
    /// Two rows in a lane of 16 bits, for the DSP instructions of an Armv7E-M (Cortex-M4, M7, M33);
    /// int8 only.
    Pairs,
    /// Tiles of vectors of four rows, for NEON and WebAssembly.
    Tiles4,
    /// Tiles of vectors of eight rows, for AVX2.
    Tiles8,
    /// Tiles of vectors of sixteen rows, for AVX-512.
    Tiles16,
}

impl Layout {
    /// Every layout; a layout's place is its number in an image.
    pub const ALL: [Layout; 5] = [
        Layout::Rows,
        Layout::Pairs,
        Layout::Tiles4,
        Layout::Tiles8,
        Layout::Tiles16,
    ];

    /// The number that stands for it in an image.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Layout::Rows => 0,
            Layout::Pairs => 1,
            Layout::Tiles4 => 2,
            Layout::Tiles8 => 3,
            Layout::Tiles16 => 4,
        }
    }

    /// Binary logarithm of the rows of a tile's vector; nothing for layouts without tiles.
    pub(crate) const fn lane_bits(self) -> Option<u8> {
        match self {
            Layout::Rows | Layout::Pairs => None,
            Layout::Tiles4 => Some(2),
            Layout::Tiles8 => Some(3),
            Layout::Tiles16 => Some(4),
        }
    }

    /// What the sections of an image start at a multiple of: a cache line where vectors are read
    /// across a tile.
    pub(crate) const fn align(self) -> usize {
        match self {
            Layout::Rows | Layout::Pairs => crate::image::format::ALIGN,
            Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => 64,
        }
    }

    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Rows => "rows",
            Layout::Pairs => "pairs",
            Layout::Tiles4 => "tiles4",
            Layout::Tiles8 => "tiles8",
            Layout::Tiles16 => "tiles16",
        }
    }

    /// Checks that a model of this net can have this layout.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub const fn check(self, net: &Net) -> Result<(), LayoutError> {
        match self {
            Layout::Rows | Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => Ok(()),
            Layout::Pairs => {
                let columns = net.most_columns();
                if !matches!(net.precision, Precision::Int8) {
                    Err(LayoutError::NeedsInt8 { layout: self })
                } else if columns > PAIRS_MAX_COLUMNS {
                    Err(LayoutError::Columns {
                        layout: self,
                        columns,
                        max: PAIRS_MAX_COLUMNS,
                    })
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Display for Layout {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
