//! The order of rows in an image: one after the other, or in tiles for kernels whose every lane is a row.
//!
//! A tile is a few vectors of U lanes (U = 4, 8, 16: [`Layout::Tiles4`] and so on), and a *slot* is a lane of one of its
//! vectors. A kernel keeps a tile's sums in registers: no sum over lanes is ever taken, and because the slots of an
//! LSTM's tile hold the four gates of the same U units, the cell update is done on the registers that hold the sums.
//!
//! ```text
//! LSTM        4 vectors: vector g holds gate g of U units      slot(4 unit + g) = (unit / U) 4U + g U + unit % U
//! RNN, head   2 vectors of consecutive rows                    slot(row) = row
//! weights     [tile, column, slot] in f32; [tile, column / 4, slot, column % 4] in int8, each as weight + 128
//! others      [slot]: input rows, multipliers, bias
//! ```
//!
//! The number of rows is rounded up to whole tiles; slots without a row are zero. int8 weights are stored with an
//! offset because VNNI multiplies unsigned by signed bytes, and everything else can widen unsigned bytes as well:
//! `sum w x = sum (w + 128) x - 128 sum x`, and the last term is one number for all rows.

use crate::net::{Fused, Kind, Layout};

/// Where the rows of a matrix stand. [`RowOrder::PLAIN`] is the order of [`Layout::Rows`]: tiles of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowOrder {
    /// Binary logarithm of the lanes of a vector.
    lane_bits: u8,
    /// Binary logarithm of the vectors of a tile.
    vector_bits: u8,
    /// Whether vector g holds gate g.
    gates: bool,
}

impl RowOrder {
    /// One row after the other.
    pub const PLAIN: Self = RowOrder {
        lane_bits: 0,
        vector_bits: 0,
        gates: false,
    };

    /// The order of an operation's weights in a layout: the gates of an LSTM that a kernel does at
    /// once stand together.
    pub const fn of_cell(layout: Layout, kind: Kind) -> Self {
        Self::of_fused(layout, kind.fused())
    }

    /// The same of what a kernel does at once.
    pub const fn of_fused(layout: Layout, fused: Option<Fused>) -> Self {
        match (layout.lane_bits(), fused) {
            (Some(lane_bits), Some(Fused::Lstm)) => RowOrder {
                lane_bits,
                vector_bits: 2,
                gates: true,
            },
            _ => Self::of_rows(layout),
        }
    }

    /// The order of the rows of any other matrix in a layout: one after the other.
    pub const fn of_rows(layout: Layout) -> Self {
        match layout.lane_bits() {
            None => Self::PLAIN,
            Some(lane_bits) => RowOrder {
                lane_bits,
                vector_bits: 1,
                gates: false,
            },
        }
    }

    /// Rows of a vector; 1 in the plain order.
    pub const fn lanes(self) -> usize {
        1 << self.lane_bits
    }

    /// Rows of a tile; 1 in the plain order.
    pub const fn tile(self) -> usize {
        1 << (self.lane_bits + self.vector_bits)
    }

    /// Slots for this many rows: rows rounded up to whole tiles.
    pub const fn slots(self, rows: usize) -> usize {
        (rows + self.tile() - 1) & !(self.tile() - 1)
    }

    /// The slot of a row.
    #[inline]
    pub const fn slot(self, row: usize) -> usize {
        if !self.gates {
            return row;
        }
        let (unit, gate) = (row / 4, row % 4);
        let lane = unit & (self.lanes() - 1);
        let tile = unit >> self.lane_bits;
        (tile << (self.lane_bits + 2)) + (gate << self.lane_bits) + lane
    }

    /// The row of a slot; one past the matrix for a slot that has none.
    #[inline]
    pub const fn row(self, slot: usize) -> usize {
        if !self.gates {
            return slot;
        }
        let lane = slot & (self.lanes() - 1);
        let gate = (slot >> self.lane_bits) & 3;
        let tile = slot >> (self.lane_bits + 2);
        4 * ((tile << self.lane_bits) + lane) + gate
    }

    /// Elements between the first weight of a slot and the start of the matrix, and between its weights of columns k
    /// and k + `group`, when the weights of `group` columns stand together.
    pub(crate) const fn place(self, slot: usize, columns: usize, group: usize) -> (usize, usize) {
        let in_tile = slot & (self.tile() - 1);
        let start = (slot - in_tile).saturating_mul(columns) + in_tile * group;
        (start, self.tile() * group)
    }

    /// The slots that have no row: they are in the last tile.
    pub(crate) fn empty_slots(self, rows: usize) -> impl Iterator<Item = usize> {
        let slots = self.slots(rows);
        (slots.saturating_sub(self.tile())..slots).filter(move |&slot| self.row(slot) >= rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_rows_are_inverse_and_fill_whole_tiles() {
        for layout in Layout::ALL {
            for kind in Kind::CELLS
                .into_iter()
                .filter(|kind| kind.fused().is_some())
            {
                let order = RowOrder::of_cell(layout, kind);
                for hidden in 1..70 {
                    let rows = kind.gates() * hidden;
                    let slots = order.slots(rows);
                    assert!(slots >= rows && slots < rows + order.tile());
                    assert_eq!(slots % order.tile(), 0);
                    let mut seen = [false; 512];
                    for row in 0..rows {
                        let slot = order.slot(row);
                        assert!(slot < slots, "{layout} {kind} {hidden}: {row}");
                        assert_eq!(order.row(slot), row);
                        assert!(!core::mem::replace(&mut seen[slot], true));
                    }
                    for slot in order.empty_slots(rows) {
                        assert!(!core::mem::replace(&mut seen[slot], true));
                    }
                    assert!(seen.iter().take(slots).all(|&seen| seen));
                }
            }
        }
    }

    #[test]
    fn a_tile_of_an_lstm_holds_the_gates_of_its_units() {
        let order = RowOrder::of_cell(Layout::Tiles8, Kind::lstm(1));
        let (unit, forget) = (11, 1);
        assert_eq!(order.slot(4 * unit + forget), 32 + 8 + 3);
        assert_eq!(order.place(43, 20, 4), (32 * 20 + 11 * 4, 128));
    }
}
