//! An int8 weight matrix, and the layouts it may have in an image.
//!
//! A layout only changes where a weight lies, never its value: [`MatrixInt8::row`] reads a row of any layout, so the
//! scalar kernel runs every image, and a packed kernel can be tested against it on any machine.
//!
//! # [`Layout::Pairs`]: two rows in a lane, for the DSP instructions of an Armv7E-M
//!
//! Four rows are a block (the gates of an LSTM unit). For columns k to k + 3 it has the words
//!
//! ```text
//! a01 = lane(k) | lane(k+2) << 16      b01 = lane(k+1) | lane(k+3) << 16       lane(k) = 256 W[0][k] + W[1][k]
//! a23, b23: the same of rows 2 and 3                                           (an int16: |W| <= 127)
//! ```
//!
//! in the order a01 b01 a23 b23, columns padded with zeros to a multiple of [`PAIRS_COLUMNS`]. Before them stand two
//! words: `-sum W[1][k] W[1][k+1]` over even k, and the same of row 3. `arch/arm/armv7em.S` says what they are for.

use crate::fixed::{MAX_SHIFT, MIN_SHIFT};
use crate::net::Layout;
pub use crate::net::PAIRS_MAX_COLUMNS;
use crate::weights::int4::{self, RowInt4, RowInt4Tiles};
use crate::weights::order::RowOrder;
pub use crate::weights::tiles::MatrixF32;
use crate::weights::tiles::{Columns, RowTiles, emit_int8};

/// Rows of a block of [`Layout::Pairs`].
pub const PAIRS_ROWS: usize = 4;
/// Columns are padded to a multiple of this in [`Layout::Pairs`]: what one turn of the kernel's loop takes.
pub const PAIRS_COLUMNS: usize = 8;
/// The right shift of every requantization in [`Layout::Pairs`]: `round((acc << 8) * multiplier >> 32)` is one SMMULR.
pub const PAIRS_SHIFT: u8 = 24;
/// The smallest one of a matrix of 4-bit weights there: its sums stay below 7 * 128 * 512 < 2^19, so up to 12 bits are free.
pub const PAIRS_MIN_SHIFT_INT4: u8 = 20;
/// Words before the weights of a block of [`Layout::Pairs`].
const PAIRS_HEAD: usize = 2;

/// The smallest and the largest right shift that a matrix of weights of so many bits may have in this layout.
pub const fn shifts(layout: Layout, bits: u32) -> (u8, u8) {
    match (layout, bits) {
        (Layout::Pairs, 4) => (PAIRS_MIN_SHIFT_INT4, PAIRS_SHIFT),
        (Layout::Pairs, _) => (PAIRS_SHIFT, PAIRS_SHIFT),
        _ => (MIN_SHIFT as u8, MAX_SHIFT as u8),
    }
}

/// Words of a block of four rows in [`Layout::Pairs`].
pub const fn pairs_block_words(columns: usize) -> usize {
    PAIRS_HEAD + columns.next_multiple_of(PAIRS_COLUMNS)
}

/// A weight matrix `[rows, columns]` in int8, symmetric -127..=127, one scale per row.
#[derive(Clone, Copy, Debug)]
pub enum MatrixInt8<'a> {
    /// Row-major.
    Rows {
        /// Padded columns.
        columns: usize,
        /// `[rows, columns]`.
        weights: &'a [i8],
    },
    /// Two rows in a lane: see the [module](self).
    Pairs {
        /// Columns before they are padded further.
        columns: usize,
        /// `[rows / 4 rounded up, pairs_block_words(columns)]`.
        words: &'a [u32],
    },
    /// Tiles of rows, each weight with an offset of 128: see [`RowOrder`].
    Tiles {
        /// The layout.
        layout: Layout,
        /// Where the rows stand.
        order: RowOrder,
        /// Padded columns.
        columns: usize,
        /// `[slots(rows) / tile, columns / 4, tile, 4]`.
        weights: &'a [u8],
    },
    /// 4-bit weights -7..=7, in [`Layout::Rows`] or [`Layout::Pairs`]: see [`int4`].
    Int4 {
        /// The layout.
        layout: Layout,
        /// Columns before they are padded to whole words.
        columns: usize,
        /// Eight weights to a word.
        words: &'a [u32],
    },
    /// 4-bit weights in tiles of rows: see [`int4`].
    Int4Tiles {
        /// The layout.
        layout: Layout,
        /// Where the rows stand.
        order: RowOrder,
        /// Padded columns.
        columns: usize,
        /// `[slots(rows) / tile, columns / 8 rounded up, tile, 4]`, two weights to a byte.
        weights: &'a [u8],
    },
}

impl<'a> MatrixInt8<'a> {
    /// A row-major matrix.
    pub const fn rows(columns: usize, weights: &'a [i8]) -> Self {
        MatrixInt8::Rows { columns, weights }
    }

    /// Columns; the operand's length.
    pub const fn columns(&self) -> usize {
        match *self {
            MatrixInt8::Rows { columns, .. }
            | MatrixInt8::Pairs { columns, .. }
            | MatrixInt8::Tiles { columns, .. }
            | MatrixInt8::Int4 { columns, .. }
            | MatrixInt8::Int4Tiles { columns, .. } => columns,
        }
    }

    /// How the weights are arranged.
    pub const fn layout(&self) -> Layout {
        match self {
            MatrixInt8::Rows { .. } => Layout::Rows,
            MatrixInt8::Pairs { .. } => Layout::Pairs,
            MatrixInt8::Tiles { layout, .. }
            | MatrixInt8::Int4 { layout, .. }
            | MatrixInt8::Int4Tiles { layout, .. } => *layout,
        }
    }

    /// Bits of a weight: 8 or 4.
    pub const fn bits(&self) -> u32 {
        match self {
            MatrixInt8::Int4 { .. } | MatrixInt8::Int4Tiles { .. } => 4,
            _ => 8,
        }
    }

    /// Where the rows stand, and with them what there is one of for each row.
    #[inline(always)]
    pub const fn order(&self) -> RowOrder {
        match self {
            MatrixInt8::Rows { .. } | MatrixInt8::Pairs { .. } | MatrixInt8::Int4 { .. } => {
                RowOrder::PLAIN
            }
            MatrixInt8::Tiles { order, .. } | MatrixInt8::Int4Tiles { order, .. } => *order,
        }
    }

    /// Bytes in the image.
    pub const fn bytes(&self) -> usize {
        match self {
            MatrixInt8::Rows { weights, .. } => size_of_val(*weights),
            MatrixInt8::Pairs { words, .. } | MatrixInt8::Int4 { words, .. } => size_of_val(*words),
            MatrixInt8::Tiles { weights, .. } | MatrixInt8::Int4Tiles { weights, .. } => {
                size_of_val(*weights)
            }
        }
    }

    /// Hands the bytes of the matrix in `layout` and weights of so many `bits` to `sink`, in pieces.
    pub(crate) fn emit(
        &self,
        rows: usize,
        (layout, bits): (Layout, u32),
        order: RowOrder,
        sink: &mut dyn FnMut(&[u8]),
    ) {
        match (layout, self) {
            (Layout::Rows | Layout::Pairs, _) if bits == 4 => {
                int4::emit(|row| self.row(row), (rows, self.columns()), layout, sink);
            }
            (Layout::Rows, MatrixInt8::Rows { weights, .. }) => sink(bytemuck::cast_slice(weights)),
            (Layout::Rows, _) => {
                for weight in (0..rows).flat_map(|row| self.row(row)) {
                    sink(&weight.to_le_bytes());
                }
            }
            (Layout::Pairs, _) => emit_pairs(self, rows, sink),
            (Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16, _) if bits == 4 => {
                int4::emit_tiles(|row| self.row(row), (rows, self.columns()), order, sink);
            }
            (Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16, _) => {
                emit_int8(rows, self.columns(), order, |row| self.row(row), sink);
            }
        }
    }

    /// The weights of a row, from the first column to the last; nothing if there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> RowInt8<'a> {
        match *self {
            MatrixInt8::Rows { columns, weights } => {
                let start = row.saturating_mul(columns);
                let row = weights.get(start..start.saturating_add(columns));
                RowInt8::Rows(row.unwrap_or_default().iter())
            }
            MatrixInt8::Pairs { columns, words } => {
                let block_words = pairs_block_words(columns);
                let start = (row / PAIRS_ROWS).saturating_mul(block_words);
                let block = words.get(start + PAIRS_HEAD..start.saturating_add(block_words));
                RowInt8::Pairs {
                    words: block.unwrap_or_default(),
                    row: row % PAIRS_ROWS,
                    column: 0,
                    columns,
                }
            }
            MatrixInt8::Tiles {
                order,
                columns,
                weights,
                ..
            } => RowInt8::Tiles(RowTiles::new(order, columns, weights, row)),
            MatrixInt8::Int4 {
                layout,
                columns,
                words,
            } => RowInt8::Int4(RowInt4::new(layout, columns, words, row)),
            MatrixInt8::Int4Tiles {
                order,
                columns,
                weights,
                ..
            } => RowInt8::Int4Tiles(RowInt4Tiles::new(order, columns, weights, row)),
        }
    }
}

/// The weights of one row.
#[derive(Clone, Debug)]
pub enum RowInt8<'a> {
    /// Of a row-major matrix.
    Rows(core::slice::Iter<'a, i8>),
    /// Of a block of pairs.
    Pairs {
        /// The block's weights.
        words: &'a [u32],
        /// Row of the block, 0 to 3.
        row: usize,
        /// The next column.
        column: usize,
        /// Where to end.
        columns: usize,
    },
    /// Of tiles.
    Tiles(RowTiles<'a>),
    /// Of 4-bit weights.
    Int4(RowInt4<'a>),
    /// Of 4-bit weights in tiles.
    Int4Tiles(RowInt4Tiles<'a>),
}

impl Iterator for RowInt8<'_> {
    type Item = i8;

    #[inline(always)]
    fn next(&mut self) -> Option<i8> {
        match self {
            RowInt8::Rows(row) => row.next().copied(),
            RowInt8::Tiles(row) => row.next(),
            RowInt8::Int4(row) => row.next(),
            RowInt8::Int4Tiles(row) => row.next(),
            RowInt8::Pairs {
                words,
                row,
                column,
                columns,
            } => {
                let k = *column;
                if k >= *columns {
                    return None;
                }
                *column = k + 1;
                // Columns k, k+2 share word a, columns k+1, k+3 word b; the pair of rows 2 and 3 comes two words later.
                let word = words.get(k / 4 * 4 + *row / 2 * 2 + k % 2)?;
                let lane = (word >> (k % 4 / 2 * 16)) as i16;
                let low = lane as i8;
                let high = ((lane - i16::from(low)) >> 8) as i8;
                Some(if *row % 2 == 0 { high } else { low })
            }
        }
    }
}

/// Hands the bytes of `matrix`'s `rows` rows in [`Layout::Pairs`] to `sink`, a word at a time.
fn emit_pairs(matrix: &MatrixInt8<'_>, rows: usize, sink: &mut dyn FnMut(&[u8])) {
    let columns = matrix.columns();
    let padded = columns.next_multiple_of(PAIRS_COLUMNS);
    for first in (0..rows).step_by(PAIRS_ROWS) {
        // A missing row is one of zeros.
        let row = |r: usize| (first + r < rows).then(|| matrix.row(first + r));
        let padded_row = |r: usize| {
            let row = row(r).into_iter().flatten();
            row.chain(core::iter::repeat(0)).take(padded)
        };
        for r in [1, 3] {
            sink(&pairs_correction(padded_row(r)).to_le_bytes());
        }
        let (mut upper, mut lower) = (
            padded_row(0).zip(padded_row(1)),
            padded_row(2).zip(padded_row(3)),
        );
        for _ in 0..padded / 4 {
            for pair in [&mut upper, &mut lower] {
                let mut lane = || {
                    let (high, low) = pair.next().unwrap_or_default();
                    (256 * i32::from(high) + i32::from(low)) as u16
                };
                let [l0, l1, l2, l3] = [lane(), lane(), lane(), lane()].map(u32::from);
                sink(&(l0 | l2 << 16).to_le_bytes());
                sink(&(l1 | l3 << 16).to_le_bytes());
            }
        }
    }
}

/// `-sum W[k] W[k+1]` over even k.
fn pairs_correction(mut row: impl Iterator<Item = i8>) -> i32 {
    let mut sum = 0;
    while let (Some(even), Some(odd)) = (row.next(), row.next()) {
        sum -= i32::from(even) * i32::from(odd);
    }
    sum
}

/// The first wrong word of a matrix in [`Layout::Pairs`]: a weight of -128, a padding column that is not zero, or a
/// head that does not belong to its rows.
pub(crate) fn check_pairs(
    words: &[u32],
    rows: usize,
    columns: usize,
    used: &Columns,
) -> Result<(), usize> {
    let block_words = pairs_block_words(columns);
    let padded = block_words - PAIRS_HEAD;
    for (index, block) in words.chunks_exact(block_words.max(1)).enumerate() {
        let start = index * block_words;
        for (at, &word) in block.iter().enumerate().skip(PAIRS_HEAD) {
            // Words a, b, a, b of four columns: k and k + 2, then k + 1 and k + 3.
            let column = (at - PAIRS_HEAD) / 4 * 4 + at % 2;
            for (lane, column) in [(word as i16, column), ((word >> 16) as i16, column + 2)] {
                let low = lane as i8;
                let high = (i32::from(lane) - i32::from(low)) >> 8;
                let good = low != i8::MIN && (-127..=127).contains(&high);
                if !good || (lane != 0 && !used.has(column)) {
                    return Err(start + at);
                }
            }
        }
        let block_only = MatrixInt8::Pairs {
            columns: padded,
            words: block,
        };
        for (head, row) in [(0, 1), (1, 3)] {
            let expected = pairs_correction(block_only.row(row)) as u32;
            if block.get(head) != Some(&expected) {
                return Err(start + head);
            }
        }
        for row in rows.saturating_sub(index * PAIRS_ROWS)..PAIRS_ROWS {
            if block_only.row(row).any(|weight| weight != 0) {
                return Err(start + PAIRS_HEAD + row / 2 * 2);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    fn weights(rows: usize, columns: usize) -> Vec<i8> {
        let mut seed = 7_u32;
        (0..rows * columns)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) % 255) as i32 as i16 as i8
            })
            .map(|w| w.max(-127))
            .collect()
    }

    fn packed(matrix: &MatrixInt8<'_>, rows: usize) -> Vec<u32> {
        let mut words = Vec::new();
        emit_pairs(matrix, rows, &mut |bytes| {
            words.push(u32::from_le_bytes(bytes.try_into().unwrap()));
        });
        words
    }

    #[test]
    fn pairs_hold_the_same_weights() {
        for (rows, columns) in [(1, 4), (4, 4), (5, 8), (8, 12), (30, 36)] {
            let weights = weights(rows, columns);
            let plain = MatrixInt8::rows(columns, &weights);
            let words = packed(&plain, rows);
            assert_eq!(words.len(), rows.div_ceil(4) * pairs_block_words(columns));
            assert_eq!(
                check_pairs(&words, rows, columns, &Columns::new(columns)),
                Ok(())
            );
            let pairs = MatrixInt8::Pairs {
                columns,
                words: &words,
            };
            for row in 0..rows {
                let (a, b): (Vec<i8>, Vec<i8>) = plain.row(row).zip(pairs.row(row)).unzip();
                assert_eq!((a.len(), &a), (columns, &b), "{rows}x{columns}, row {row}");
            }
        }
    }

    /// The worked example of the module's text.
    #[test]
    fn the_words_are_those_of_the_text() {
        let weights = [1, 2, 3, 4, -5, 6, 7, -8, 0, 0, 0, 1, 127, -127, 127, -127];
        let words = packed(&MatrixInt8::rows(4, &weights), 4);
        let lane = |high: i32, low: i32| (256 * high + low) as u16 as u32;
        assert_eq!(words[0] as i32, -(-5 * 6 + 7 * -8));
        assert_eq!(words[1] as i32, 2 * 127 * 127);
        assert_eq!(words[2], lane(1, -5) | lane(3, 7) << 16);
        assert_eq!(words[3], lane(2, 6) | lane(4, -8) << 16);
        assert_eq!(words[4], lane(0, 127) | lane(0, 127) << 16);
        assert_eq!(words[5], lane(0, -127) | lane(1, -127) << 16);
        assert_eq!(words[6..], [0, 0, 0, 0]);
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let weights = weights(6, 12);
        let good = packed(&MatrixInt8::rows(12, &weights), 6);
        for at in 0..good.len() {
            let mut words = good.clone();
            words[at] ^= 0x0100_0002;
            assert!(
                check_pairs(&words, 6, 12, &Columns::new(12)).is_err(),
                "word {at}"
            );
            if at < 2 || (14..18).contains(&at) {
                assert_eq!(check_pairs(&words, 6, 12, &Columns::new(12)), Err(at));
            }
        }
        let mut words = good;
        words[2] = 0x0000_8000;
        assert_eq!(
            check_pairs(&words, 6, 12, &Columns::new(12)),
            Err(2),
            "a weight of -128"
        );
    }
}
