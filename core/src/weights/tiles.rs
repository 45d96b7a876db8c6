//! Matrices and vectors in the row order of a tile layout: reading, writing and checking them.

use bytemuck::NoUninit;

use crate::net::MAX_PARTS;
use crate::weights::order::RowOrder;

/// What is added to an int8 weight in a tile layout.
pub(crate) const OFFSET: u8 = 0x80;
/// Columns of an int8 matrix that stand together in a tile layout: what one VNNI instruction takes.
pub(crate) const GROUP: usize = 4;

/// A weight matrix `[rows, columns]` in f32, rows in some [`RowOrder`].
#[derive(Clone, Copy, Debug)]
pub struct MatrixF32<'a> {
    /// Where the rows stand.
    pub order: RowOrder,
    /// Padded columns; the operand's length.
    pub columns: usize,
    /// `[slots(rows) / tile, columns, tile]`; row-major in the plain order.
    pub weights: &'a [f32],
}

impl<'a> MatrixF32<'a> {
    /// A row-major matrix.
    pub const fn rows(columns: usize, weights: &'a [f32]) -> Self {
        MatrixF32 {
            order: RowOrder::PLAIN,
            columns,
            weights,
        }
    }

    /// The weights of a row, from the first column to the last; nothing if there is no such row.
    #[inline]
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> + use<'a> {
        let (start, step) = self.order.place(self.order.slot(row), self.columns, 1);
        let weights = self.weights.get(start..).unwrap_or_default();
        let weights = weights.iter().step_by(step.max(1));
        weights.take(self.columns).copied()
    }

    /// Hands the bytes of the matrix in another order to `sink`, in pieces.
    pub(crate) fn emit(&self, rows: usize, order: RowOrder, sink: &mut dyn FnMut(&[u8])) {
        for first in (0..order.slots(rows)).step_by(order.tile().max(1)) {
            for column in 0..self.columns {
                for slot in first..first + order.tile() {
                    let row = order.row(slot);
                    let weight = if row < rows {
                        self.at(row, column)
                    } else {
                        0.0
                    };
                    sink(&weight.to_le_bytes());
                }
            }
        }
    }

    /// One weight.
    fn at(&self, row: usize, column: usize) -> f32 {
        let (start, step) = self.order.place(self.order.slot(row), self.columns, 1);
        let weight = self.weights.get(start + step * column);
        weight.copied().unwrap_or_default()
    }

    /// The first wrong element: one that is not finite, or that is not zero where there is no row or column. Of the
    /// two zeros of f32 only the one whose bits are zeros counts.
    pub(crate) fn check(&self, rows: usize, used: &Columns) -> Result<(), usize> {
        let good = |w: &f32, there: bool| {
            if there {
                w.is_finite()
            } else {
                w.to_bits() == 0
            }
        };
        let shape = (rows, self.columns, used);
        check_all(self.weights, self.order, shape, 1, good)
    }
}

/// The weights of one row of an int8 matrix in a tile layout.
#[derive(Clone, Debug)]
pub struct RowTiles<'a> {
    /// From the row's first weight on.
    weights: &'a [u8],
    /// From a group of columns to the next.
    step: usize,
    column: usize,
    columns: usize,
}

impl<'a> RowTiles<'a> {
    /// Row `row` of `weights`; empty if there is no such row.
    #[inline]
    pub(crate) fn new(order: RowOrder, columns: usize, weights: &'a [u8], row: usize) -> Self {
        let (start, step) = order.place(order.slot(row), columns, GROUP);
        RowTiles {
            weights: weights.get(start..).unwrap_or_default(),
            step,
            column: 0,
            columns,
        }
    }
}

impl Iterator for RowTiles<'_> {
    type Item = i8;

    #[inline]
    fn next(&mut self) -> Option<i8> {
        let k = self.column;
        if k >= self.columns {
            return None;
        }
        self.column = k + 1;
        let weight = self.weights.get(k / GROUP * self.step + k % GROUP)?;
        Some((weight ^ OFFSET) as i8)
    }
}

/// Hands the bytes of an int8 matrix in a tile order to `sink`. `row` gives the weights of a row.
pub(crate) fn emit_int8<R: Iterator<Item = i8>>(
    rows: usize,
    columns: usize,
    order: RowOrder,
    row: impl Fn(usize) -> R,
    sink: &mut dyn FnMut(&[u8]),
) {
    for first in (0..order.slots(rows)).step_by(order.tile().max(1)) {
        for group in (0..columns).step_by(GROUP) {
            for slot in first..first + order.tile() {
                let row = Some(order.row(slot)).filter(|&r| r < rows).map(&row);
                let mut weights = row.into_iter().flatten().skip(group);
                let quad: [i8; GROUP] = [(); GROUP].map(|()| weights.next().unwrap_or(0));
                sink(&quad.map(|weight| weight as u8 ^ OFFSET));
            }
        }
    }
}

/// The columns of a matrix that are used: of each value of its operand the first, up to its size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// Each value's first column, and its numbers.
    values: heapless::Vec<(usize, usize), { MAX_PARTS + 1 }>,
}

impl Columns {
    /// Of a matrix whose operand is one value.
    pub(crate) fn new(numbers: usize) -> Self {
        let mut columns = Columns::default();
        columns.push(numbers);
        columns
    }

    /// One more value.
    pub(crate) fn push(&mut self, numbers: usize) {
        let first = self.padded();
        // There is room for as many values as an operand has, and an own h.
        let _ = self.values.push((first, numbers));
    }

    /// Columns, padding included.
    pub(crate) fn padded(&self) -> usize {
        let last = self.values.last();
        last.map_or(0, |(first, numbers)| first + numbers.next_multiple_of(4))
    }

    /// Whether column k is one of them.
    pub(crate) fn has(&self, k: usize) -> bool {
        let within = |&(first, numbers): &(usize, usize)| k >= first && k - first < numbers;
        self.values.iter().any(within)
    }
}

/// The first wrong element of an int8 matrix in a tile order: a weight of -128, or one that is not zero where there is
/// no row or column.
pub(crate) fn check_int8(
    weights: &[u8],
    rows: usize,
    columns: usize,
    used: &Columns,
    order: RowOrder,
) -> Result<(), usize> {
    let good = |&w: &u8, there: bool| if there { w != 0 } else { w == OFFSET };
    check_all(weights, order, (rows, columns, used), GROUP, good)
}

/// The first element of a matrix that is not good where it stands: at a row and a column that are used, or not.
fn check_all<T>(
    weights: &[T],
    order: RowOrder,
    (rows, columns, used): (usize, usize, &Columns),
    group: usize,
    good: impl Fn(&T, bool) -> bool,
) -> Result<(), usize> {
    // Divisors that are never zero, in words that the compiler understands.
    let (tile, columns, group) = (order.tile().max(1), columns.max(1), group.max(1));
    for (index, weight) in weights.iter().enumerate() {
        let (at, k) = (index / group, index % group);
        let (slot, at) = (at % tile, at / tile);
        let groups = (columns / group).max(1);
        let row = order.row(at / groups * tile + slot);
        if !good(weight, row < rows && used.has(at % groups * group + k)) {
            return Err(index);
        }
    }
    Ok(())
}

/// Hands numbers of which there is one a row, `[n, slots(rows)]` in the order `from`, to `sink` in the order `to`.
pub(crate) fn emit_slots<T: NoUninit + Default>(
    numbers: &[T],
    rows: usize,
    from: RowOrder,
    to: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) {
    for numbers in numbers.chunks_exact(from.slots(rows).max(1)) {
        for row in (0..to.slots(rows)).map(|slot| to.row(slot)) {
            let number = Some(row).filter(|&row| row < rows);
            let number = number.and_then(|row| numbers.get(from.slot(row)));
            sink(bytemuck::bytes_of(&number.copied().unwrap_or_default()));
        }
    }
}

/// The first of `[n, slots(rows)]` numbers that stands for no row, and whose bits are not all zero.
pub(crate) fn check_slots<T: NoUninit>(
    numbers: &[T],
    rows: usize,
    order: RowOrder,
) -> Result<(), usize> {
    let slots = order.slots(rows);
    for (index, numbers) in numbers.chunks_exact(slots.max(1)).enumerate() {
        for slot in order.empty_slots(rows) {
            let bits = numbers.get(slot).map(bytemuck::bytes_of);
            if bits.is_some_and(|bits| bits.iter().any(|&byte| byte != 0)) {
                return Err(index * slots + slot);
            }
        }
    }
    Ok(())
}
