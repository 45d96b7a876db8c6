//! 4-bit weights: eight to a word, each as weight + 8, in rows or in blocks of four rows.
//!
//! ```text
//! columns  k  k+1  k+4  k+5  k+2  k+3  k+6  k+7          k a multiple of 8; columns past the matrix hold weight 0
//! bits     0   4    8    12   16   20   24   28
//!
//! rows     [rows, words of a row]
//! pairs    [rows / 4 rounded up, words of a row, 4 rows]   missing rows hold weights of 0
//! ```
//! In tiles a slot ([`order`](crate::weights::order)) has four bytes for eight columns, `[tile, columns / 8 rounded up, slot, 4]`: the low half of
//! byte j is column k + j, the high half column k + 4 + j, so that a mask and a shift make two groups of four columns.
//!
//! Bits 0 and 16 of a word are two columns apart, and so on: masked with `0x000f000f` after a shift by 0, 4, 8, 12 it is
//! two lanes for SMLAD, against the bytes of x that SXTB16 puts into lanes (`arch/arm/armv7em4.S`), and two halves of an ordinary
//! product where there is no SMLAD (`armv7m4.S`, `armv6m4.S`). The low halves of its bytes, and the high ones, are vectors of Helium
//! (`mve4.S`). Everyone else shifts and masks. The offset costs one number for all rows: `sum w x = sum (w + 8) x - 8 sum x`.

use crate::net::Layout;
use crate::weights::order::RowOrder;
use crate::weights::tiles::{Columns, GROUP};

/// Largest magnitude of a weight.
pub(crate) const LARGEST: i8 = 7;
/// What is added to a weight.
pub(crate) const OFFSET: u32 = 8;
/// Weights of a word.
pub(crate) const WORD: usize = 8;
/// Rows of a block of [`Layout::Pairs`].
const BLOCK: usize = 4;
/// Eight weights of 0.
const ZEROS: u32 = 0x8888_8888;

/// Rows of a block in a layout.
pub(crate) const fn block(layout: Layout) -> usize {
    match layout {
        Layout::Pairs => BLOCK,
        _ => 1,
    }
}

/// Bytes of a row's share of a tile.
pub(crate) const fn tile_bytes(columns: usize) -> usize {
    columns.div_ceil(WORD) * GROUP
}

/// Words of a matrix of these rows and columns.
pub(crate) const fn words(layout: Layout, rows: usize, columns: usize) -> usize {
    rows.next_multiple_of(block(layout)) * columns.div_ceil(WORD)
}

/// The lowest bit of the weight of column k in its word.
#[inline(always)]
pub(crate) const fn bit(k: usize) -> usize {
    (k & 1) * 4 + (k & 2) * 8 + (k & 4) * 2
}

/// The weights of one row.
#[derive(Clone, Debug)]
pub struct RowInt4<'a> {
    /// From the row's first word on.
    words: &'a [u32],
    /// From a word of the row to the next.
    step: usize,
    column: usize,
    columns: usize,
}

impl<'a> RowInt4<'a> {
    /// Row `row` of a matrix; empty if there is no such row.
    #[inline]
    pub(crate) fn new(layout: Layout, columns: usize, words: &'a [u32], row: usize) -> Self {
        let step = block(layout);
        let start = (row / step).saturating_mul(step * columns.div_ceil(WORD)) + row % step;
        RowInt4 {
            words: words.get(start..).unwrap_or_default(),
            step,
            column: 0,
            columns,
        }
    }
}

impl Iterator for RowInt4<'_> {
    type Item = i8;

    #[inline]
    fn next(&mut self) -> Option<i8> {
        let k = self.column;
        if k >= self.columns {
            return None;
        }
        self.column = k + 1;
        let word = self.words.get(k / WORD * self.step)?;
        Some(((word >> bit(k % WORD) & 15) as i8) - OFFSET as i8)
    }
}

/// The weights of one row in tiles.
#[derive(Clone, Debug)]
pub struct RowInt4Tiles<'a> {
    /// From the row's first byte on.
    bytes: &'a [u8],
    /// From eight columns to the next.
    step: usize,
    column: usize,
    columns: usize,
}

impl<'a> RowInt4Tiles<'a> {
    /// Row `row` of a matrix; empty if there is no such row.
    #[inline]
    pub(crate) fn new(order: RowOrder, columns: usize, weights: &'a [u8], row: usize) -> Self {
        let (start, step) = order.place(order.slot(row), tile_bytes(columns), GROUP);
        RowInt4Tiles {
            bytes: weights.get(start..).unwrap_or_default(),
            step,
            column: 0,
            columns,
        }
    }
}

impl Iterator for RowInt4Tiles<'_> {
    type Item = i8;

    #[inline]
    fn next(&mut self) -> Option<i8> {
        let k = self.column;
        if k >= self.columns {
            return None;
        }
        self.column = k + 1;
        let byte = self.bytes.get(k / WORD * self.step + k % GROUP)?;
        let half = byte >> (k % WORD / GROUP * 4) & 15;
        Some(half as i8 - OFFSET as i8)
    }
}

/// Hands the bytes of a matrix of small weights in tiles to `sink`; `weights` are a row's.
pub(crate) fn emit_tiles<R: Iterator<Item = i8>>(
    weights: impl Fn(usize) -> R,
    (rows, columns): (usize, usize),
    order: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) {
    for first in (0..order.slots(rows)).step_by(order.tile().max(1)) {
        for group in (0..columns).step_by(WORD) {
            for slot in first..first + order.tile() {
                let row = Some(order.row(slot)).filter(|&row| row < rows);
                let weights = row.into_iter().flat_map(&weights);
                let mut halves = weights
                    .skip(group)
                    .chain(core::iter::repeat(0))
                    .map(|weight| (weight + OFFSET as i8) as u8);
                let mut quad = || [(); GROUP].map(|()| halves.next().unwrap_or_default());
                let (low, high) = (quad(), quad());
                let mut bytes = low;
                for (byte, high) in bytes.iter_mut().zip(high) {
                    *byte |= high << 4;
                }
                sink(&bytes);
            }
        }
    }
}

/// The first wrong byte of a matrix in tiles: one with a weight of -8, or with one that is not 0 where there is no row or
/// column.
pub(crate) fn check_tiles(
    weights: &[u8],
    rows: usize,
    columns: usize,
    used: &Columns,
    order: RowOrder,
) -> Result<(), usize> {
    let tile_rows = order.tile().max(1);
    let of_group = (GROUP * tile_rows).max(1);
    let of_tile = (tile_bytes(columns) * tile_rows).max(1);
    for (index, &byte) in weights.iter().enumerate() {
        let (tile, within) = (index / of_tile, index % of_tile);
        let slot = tile * tile_rows + within / GROUP % tile_rows;
        let first = within / of_group * WORD + within % GROUP;
        for (half, column) in [(byte & 15, first), (byte >> 4, first + GROUP)] {
            let there = order.row(slot) < rows && used.has(column);
            if half == 0 || (!there && u32::from(half) != OFFSET) {
                return Err(index);
            }
        }
    }
    Ok(())
}

/// Hands the words of a matrix of small weights to `sink`; `weights` are a row's. The caller has
/// checked that they are small.
pub(crate) fn emit<R: Iterator<Item = i8>>(
    weights: impl Fn(usize) -> R,
    (rows, columns): (usize, usize),
    layout: Layout,
    sink: &mut dyn FnMut(&[u8]),
) {
    let (block, groups) = (block(layout), columns.div_ceil(WORD));
    for first in (0..rows).step_by(block) {
        for group in 0..groups {
            for row in first..first + block {
                let there = (row < rows).then(|| weights(row));
                let row = there.into_iter().flatten().skip(group * WORD).take(WORD);
                let word = row.enumerate().fold(ZEROS, |word, (k, weight)| {
                    word ^ ((weight as u32 & 15) << bit(k))
                });
                sink(&word.to_le_bytes());
            }
        }
    }
}

/// The first wrong word of a matrix: one with a weight of -8, or with one that is not 0 where there is no row or column.
pub(crate) fn check(
    words: &[u32],
    layout: Layout,
    rows: usize,
    columns: usize,
    used: &Columns,
) -> Result<(), usize> {
    let (block, groups) = (block(layout), columns.div_ceil(WORD).max(1));
    // A divisor that is never zero, in words that the compiler understands.
    let of_block = (block * groups).max(1);
    for (index, &word) in words.iter().enumerate() {
        let row = index / of_block * block + index % block;
        let group = index / block % groups;
        for k in 0..WORD {
            let weight = word >> bit(k) & 15;
            let there = row < rows && used.has(group * WORD + k);
            if weight == 0 || (!there && weight != OFFSET) {
                return Err(index);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::matrix::MatrixInt8;

    extern crate std;
    use std::vec::Vec;

    fn weights(rows: usize, columns: usize) -> Vec<i8> {
        (0..rows * columns)
            .map(|i| (i * 7 % 15) as i8 - LARGEST)
            .collect()
    }

    fn packed(layout: Layout, columns: usize, weights: &[i8]) -> Vec<u32> {
        let mut words = Vec::new();
        let rows = weights.len() / columns;
        emit(
            |row| MatrixInt8::rows(columns, weights).row(row),
            (rows, columns),
            layout,
            &mut |bytes| {
                words.push(u32::from_le_bytes(bytes.try_into().unwrap()));
            },
        );
        words
    }

    #[test]
    fn words_hold_the_same_weights_in_either_layout() {
        for (rows, columns) in [(1, 4), (4, 8), (5, 12), (9, 16), (30, 36)] {
            let weights = weights(rows, columns);
            for layout in [Layout::Rows, Layout::Pairs] {
                let all = packed(layout, columns, &weights);
                assert_eq!(all.len(), words(layout, rows, columns));
                assert_eq!(
                    check(&all, layout, rows, columns, &Columns::new(columns)),
                    Ok(())
                );
                for (row, expected) in weights.chunks(columns).enumerate() {
                    let found: Vec<i8> = RowInt4::new(layout, columns, &all, row).collect();
                    assert_eq!(found, expected, "{layout} {rows}x{columns}, row {row}");
                }
            }
        }
    }

    /// The table of the module's text.
    #[test]
    fn a_word_is_as_the_text_says() {
        let words = packed(Layout::Rows, 8, &[-7, -6, -5, -4, 4, 5, 6, 7]);
        assert_eq!(words, [0xfe_43_dc_21]);
    }

    #[test]
    fn damage_is_found_where_it_is() {
        for layout in [Layout::Rows, Layout::Pairs] {
            let good = packed(layout, 12, &weights(6, 12));
            for at in 0..good.len() {
                let mut words = good.clone();
                words[at] &= !0xf0;
                assert_eq!(
                    check(&words, layout, 6, 12, &Columns::new(12)),
                    Err(at),
                    "a weight of -8"
                );
                // Bit 12 belongs to column 5 of the word, which is padding in every second group.
                let (group, row) = match layout {
                    Layout::Rows => (at % 2, at / 2),
                    _ => (at / 4 % 2, at / 8 * 4 + at % 4),
                };
                let mut words = good.clone();
                words[at] ^= 0x1000;
                let wrong = group == 1 || row >= 6;
                assert_eq!(
                    check(&words, layout, 6, 12, &Columns::new(12)).is_err(),
                    wrong,
                    "{layout}, word {at}"
                );
            }
        }
    }
}
