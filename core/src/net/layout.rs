//! How the weight matrices of an image are arranged.

use core::fmt::{self, Display, Formatter};

use super::{Net, Precision};

/// Alignment of the image; of the data area and of every section too, but in tile layouts.
pub const ALIGN: usize = 16;
/// The most columns of [`Layout::Pairs`]: the sum of a row must stay below 2^23 in magnitude, and
/// 127 * 128 * 512 does.
pub const PAIRS_MAX_COLUMNS: usize = 512;

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
            Layout::Rows | Layout::Pairs => ALIGN,
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

impl core::error::Error for LayoutError {}
