//! The buffers of a step that keeps its activations.

/// The cells whose steps are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `h' = tanh(z)`.
    Rnn,
    /// Gates i, f, g, o.
    Lstm,
}

impl Cell {
    /// Gates of a unit.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Lstm => 4,
        }
    }
}

/// What the pre-activations of a step start from.
#[derive(Clone, Copy, Debug)]
pub enum Addends<'a> {
    /// What `gates` holds.
    Gates,
    /// For every stream a row of a table `[ids, gates*hidden]`.
    Rows {
        /// The table.
        table: &'a [f32],
        /// The row of each stream.
        ids: &'a [u16],
    },
}

/// One step of a layer for `rows` streams, one after the other in every buffer.
#[derive(Debug)]
pub struct TapeF32<'a> {
    /// The cell.
    pub cell: Cell,
    /// Units.
    pub hidden: usize,
    /// Where the pre-activations start.
    pub addends: Addends<'a>,
    /// `[rows, hidden]`: the hidden state before.
    pub h_before: &'a [f32],
    /// `[rows, hidden]`: the cell state before; empty for the RNN.
    pub c_before: &'a [f32],
    /// `[rows, gates*hidden]`, gate after gate (i, f, g, o): the LSTM's activations; the RNN leaves
    /// them.
    pub gates: &'a mut [f32],
    /// `[rows, hidden]`: the cell state after; empty for the RNN.
    pub c: &'a mut [f32],
    /// `[rows, hidden]`: its tanh; empty for the RNN.
    pub tanh_c: &'a mut [f32],
    /// `[rows, hidden]`: the hidden state after.
    pub h: &'a mut [f32],
    /// [`matmul_scratch`](crate::matmul_scratch) numbers; with fewer the same, slower.
    pub scratch: &'a mut [f32],
}

impl TapeF32<'_> {
    /// The number of gates times the number of units.
    pub(crate) const fn width(&self) -> usize {
        self.cell.gates() * self.hidden
    }
}

/// Row `row` of `numbers`, when each row has `len` of them.
#[inline(always)]
pub(crate) fn row<T>(numbers: &[T], row: usize, len: usize) -> &[T] {
    numbers.get(row * len..(row + 1) * len).unwrap_or_default()
}

/// The same, to change.
#[inline(always)]
pub(crate) fn row_mut<T>(numbers: &mut [T], row: usize, len: usize) -> &mut [T] {
    numbers
        .get_mut(row * len..(row + 1) * len)
        .unwrap_or_default()
}
