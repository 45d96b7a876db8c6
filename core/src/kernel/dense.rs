//! Products of many rows with one matrix, in f32: what a trainer needs of the same tiles that a step runs on.
//!
//! ```text
//! matmul       C (+)= A W        A: [rows, k]   W: [k, n], packed once   C: [rows, n]
//! outer        C (+)= A^T B      A: [rows, m]   B: [rows, n]             C: [m, n]
//! tape step    one step of a layer for `rows` streams, which keeps the activations that backpropagation reads
//! ```
//!
//! A packed matrix stands in panels of four vectors of columns, `[panel, k, 4, lanes]`: the kernel holds four vectors of
//! sums for each of a few rows, reads a panel from its start to its end, and multiplies every vector with one number of
//! each row. The four vectors are neighbours, or, for an LSTM, the four gates of the same units: then the cell update
//! works on the registers that hold the sums, as in a step (`tile/mod.rs`).
//!
//! Each element of C is one chain of additions over k in order, whatever the number of rows: a batch that is divided
//! among threads has the same bits as an undivided one. What stands here is the specification, and what machines
//! without a tile kernel run; `tile/dense.rs` is the fast form.

use super::Kernel;
use crate::layer::Fused as Cell;

/// Vectors of a panel.
pub const PANEL: usize = 4;
/// Rows that kernels with enough registers multiply at a time (`tile/tall.rs`).
pub(crate) const TALL: usize = 16;
/// Rows that a panel of [`Kernel::outer_panel_f32`] takes at a time.
pub(crate) const OUTER_ROWS: usize = 256;
/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Numbers of scratch that [`Kernel::outer_panel_f32`] needs, on any kernel.
pub const PANEL_SCRATCH: usize = OUTER_ROWS * PANEL * MOST_LANES;

/// Numbers that [`Kernel::pack_columns_f32`] writes for `rows` rows and `m` columns of A, at
/// most.
pub const fn outer_columns(rows: usize, m: usize) -> usize {
    rows * m.next_multiple_of(TALL)
}

/// Numbers of scratch that [`Kernel::outer_f32`] needs for `rows` rows and `m` columns of A,
/// on any kernel.
pub const fn outer_scratch(rows: usize, m: usize) -> usize {
    PANEL_SCRATCH + m * PANEL * MOST_LANES + outer_columns(rows, m)
}

/// Rows of A that [`Kernel::matmul_f32`] has side by side at a time, at most.
const MATMUL_ROWS: usize = 64;

/// Numbers of scratch that [`Kernel::matmul_f32`] uses for `rows` rows of `k` columns of A, and a
/// tape step for `rows` streams of `k` units, on any kernel.
pub const fn matmul_scratch(rows: usize, k: usize) -> usize {
    let rows = if rows < MATMUL_ROWS {
        rows
    } else {
        MATMUL_ROWS
    };
    rows / TALL * TALL * k
}

/// Which columns the vectors of a panel hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Panel p: columns `4 p lanes ..` and the ones after them.
    Consecutive,
    /// Panel p, vector g: columns `g n/4 + p lanes ..`, gate g of the same units. n is a multiple of four.
    Gates,
}

/// The columns of one vector of a panel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The first.
    pub(crate) column: usize,
    /// How many there are: fewer than the lanes at the end of a row or gate.
    pub(crate) count: usize,
}

impl Columns {
    /// Panels of a matrix of `n` columns.
    pub(crate) const fn panels(self, n: usize, lanes: usize) -> usize {
        match self {
            Columns::Consecutive => n.div_ceil(PANEL * lanes),
            Columns::Gates => (n / PANEL).div_ceil(lanes),
        }
    }

    /// The columns of vector `v` of panel `p`.
    #[inline(always)]
    pub(crate) const fn place(self, n: usize, p: usize, v: usize, lanes: usize) -> Place {
        let (column, end) = match self {
            Columns::Consecutive => ((PANEL * p + v) * lanes, n),
            Columns::Gates => (v * (n / PANEL) + p * lanes, (v + 1) * (n / PANEL)),
        };
        let left = end.saturating_sub(column);
        let count = if left < lanes { left } else { lanes };
        Place { column, count }
    }
}

/// A matrix `[k, n]` in f32, packed for a kernel.
#[derive(Clone, Copy, Debug)]
pub struct PackedF32<'a> {
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) columns: Columns,
    pub(crate) lanes: usize,
    /// `[panels, k, 4, lanes]`; zero where there is no column.
    pub(crate) weights: &'a [f32],
}

/// The shape of a packed matrix: rows, columns, and their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedShape {
    /// Rows: the length of an operand.
    pub k: usize,
    /// Columns: the length of a result.
    pub n: usize,
    /// Which columns stand together.
    pub columns: Columns,
    /// Lanes of a vector: [`Kernel::lanes`] of the kernel it is for.
    pub lanes: usize,
}

impl PackedShape {
    /// Numbers that the packed matrix has.
    pub const fn len(&self) -> usize {
        self.columns.panels(self.n, self.lanes) * self.panel_len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers of one panel.
    pub const fn panel_len(&self) -> usize {
        self.k * PANEL * self.lanes
    }

    /// Writes panel `p` of a matrix, `[k, n]` row-major or, `transposed`, `[n, k]`, to `into`: `[k, 4, lanes]`.
    pub fn pack_panel(&self, p: usize, matrix: &[f32], transposed: bool, into: &mut [f32]) {
        let width = PANEL * self.lanes;
        let mut places = (0..PANEL).map(|v| self.columns.place(self.n, p, v, self.lanes));
        if places.any(|place| place.count < self.lanes) {
            into.fill(0.0);
        }
        for v in 0..PANEL {
            let Place { column, count } = self.columns.place(self.n, p, v, self.lanes);
            let columns = column..column + count;
            if transposed {
                // A few rows at a time: their lines stay in the first-level cache until every lane is there.
                const TOGETHER: usize = 16;
                for (block, to) in into.chunks_mut((TOGETHER * width).max(1)).enumerate() {
                    for (lane, column) in columns.clone().enumerate() {
                        let from = matrix.get(column * self.k + block * TOGETHER..);
                        let to = to.iter_mut().skip(v * self.lanes + lane).step_by(width);
                        for (to, &x) in to.zip(from.unwrap_or_default()) {
                            *to = x;
                        }
                    }
                }
            } else {
                let rows = matrix.chunks_exact(self.n.max(1));
                for (to, from) in into.chunks_exact_mut(width.max(1)).zip(rows) {
                    let from = from.get(columns.clone()).unwrap_or_default();
                    let to = to.get_mut(v * self.lanes..).unwrap_or_default();
                    for (to, &x) in to.iter_mut().zip(from) {
                        *to = x;
                    }
                }
            }
        }
    }

    /// The packed matrix in `weights`, if they have the right number: [`PackedShape::len`].
    pub fn of<'a>(&self, weights: &'a [f32]) -> Option<PackedF32<'a>> {
        (weights.len() == self.len()).then_some(PackedF32 {
            k: self.k,
            n: self.n,
            columns: self.columns,
            lanes: self.lanes,
            weights,
        })
    }
}

impl<'a> PackedF32<'a> {
    /// The weights of a panel, `[k, 4, lanes]`.
    pub(crate) fn panel(&self, p: usize) -> &'a [f32] {
        let len = self.k * PANEL * self.lanes;
        self.weights.get(p * len..(p + 1) * len).unwrap_or_default()
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
    /// `[rows, gates*hidden]`, gate after gate (i, f, g, o): the LSTM's activations; the RNN leaves them.
    pub gates: &'a mut [f32],
    /// `[rows, hidden]`: the cell state after; empty for the RNN.
    pub c: &'a mut [f32],
    /// `[rows, hidden]`: its tanh; empty for the RNN.
    pub tanh_c: &'a mut [f32],
    /// `[rows, hidden]`: the hidden state after.
    pub h: &'a mut [f32],
    /// [`matmul_scratch`] numbers; with fewer the same, slower.
    pub scratch: &'a mut [f32],
}

impl TapeF32<'_> {
    /// The number of gates times the number of units.
    pub(crate) fn width(&self) -> usize {
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

/// `C (+)= A W`, row by row.
pub(crate) fn matmul(a: &[f32], w: &PackedF32<'_>, add: bool, c: &mut [f32]) {
    if !add {
        c.fill(0.0);
    }
    let width = (PANEL * w.lanes).max(1);
    for (a, c) in a
        .chunks_exact(w.k.max(1))
        .zip(c.chunks_exact_mut(w.n.max(1)))
    {
        for p in 0..w.columns.panels(w.n, w.lanes) {
            for v in 0..PANEL {
                let Place { column, count } = w.columns.place(w.n, p, v, w.lanes);
                let sums = c.get_mut(column..column + count).unwrap_or_default();
                for (&x, weights) in a.iter().zip(w.panel(p).chunks_exact(width)) {
                    let weights = weights.get(v * w.lanes..(v + 1) * w.lanes);
                    for (sum, &weight) in sums.iter_mut().zip(weights.unwrap_or_default()) {
                        *sum += x * weight;
                    }
                }
            }
        }
    }
}

/// `C (+)= A^T B`, panel by panel.
pub(crate) fn outer<K: Kernel>(
    kernel: K,
    (a, m): (&[f32], usize),
    (b, n): (&[f32], usize),
    add: bool,
    c: &mut [f32],
    scratch: &mut [f32],
) {
    let (m, n, width) = (m.max(1), n.max(1), PANEL * kernel.lanes());
    let Some((panel_scratch, scratch)) = scratch.split_at_mut_checked(PANEL_SCRATCH) else {
        return;
    };
    let Some((panel, columns)) = scratch.split_at_mut_checked(m * width) else {
        return;
    };
    let Some(columns) = columns.get_mut(..outer_columns(a.len() / m, m)) else {
        return;
    };
    kernel.pack_columns_f32((a, m), columns);
    for p in 0..n.div_ceil(width) {
        let count = width.min(n - p * width);
        let panel = panel.get_mut(..m * count).unwrap_or_default();
        let rows = |row: usize| row * n + p * width..row * n + p * width + count;
        if add {
            for (row, to) in panel.chunks_exact_mut(count).enumerate() {
                let from = c.get(rows(row)).unwrap_or_default();
                to.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
            }
        }
        kernel.outer_panel_f32((columns, m), (b, n), p, add, panel, panel_scratch);
        for (row, from) in panel.chunks_exact(count).enumerate() {
            let to = c.get_mut(rows(row)).unwrap_or_default();
            to.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
        }
    }
}

/// Columns of `C (+)= A^T B` from `first` on, row by row: as many as a row of C has.
pub(crate) fn outer_panel(
    (a, m): (&[f32], usize),
    (b, n): (&[f32], usize),
    first: usize,
    add: bool,
    c: &mut [f32],
) {
    if !add {
        c.fill(0.0);
    }
    let count = (c.len() / m.max(1)).max(1);
    for (a, b) in a.chunks_exact(m.max(1)).zip(b.chunks_exact(n.max(1))) {
        let b = b.get(first..).unwrap_or_default();
        for (&x, c) in a.iter().zip(c.chunks_exact_mut(count)) {
            for (sum, &y) in c.iter_mut().zip(b) {
                *sum += x * y;
            }
        }
    }
}

/// One step, row by row.
pub(crate) fn tape_step(w: &PackedF32<'_>, step: &mut TapeF32<'_>) {
    use crate::activation::{sigmoid_f32 as sigmoid, tanh_f32 as tanh};
    let (width, n) = (step.width(), step.hidden);
    if let Addends::Rows { table, ids } = step.addends {
        for (gates, &id) in step.gates.chunks_exact_mut(width.max(1)).zip(ids) {
            for (z, &addend) in gates.iter_mut().zip(row(table, id.into(), width)) {
                *z = addend;
            }
        }
    }
    matmul(step.h_before, w, true, step.gates);
    for (index, gates) in step.gates.chunks_exact_mut(width.max(1)).enumerate() {
        let h = row_mut(step.h, index, n);
        match step.cell {
            Cell::Rnn => h.iter_mut().zip(gates).for_each(|(h, z)| *h = tanh(*z)),
            Cell::Lstm => {
                let (i, rest) = gates.split_at_mut_checked(n).unwrap_or_default();
                let (f, rest) = rest.split_at_mut_checked(n).unwrap_or_default();
                let (g, o) = rest.split_at_mut_checked(n).unwrap_or_default();
                let before = row(step.c_before, index, n);
                let states =
                    row_mut(step.c, index, n)
                        .iter_mut()
                        .zip(row_mut(step.tanh_c, index, n));
                let gates = i.iter_mut().zip(f).zip(g.iter_mut().zip(o));
                for ((((i, f), (g, o)), before), ((c, t), h)) in
                    gates.zip(before).zip(states.zip(h))
                {
                    (*i, *f, *g, *o) = (sigmoid(*i), sigmoid(*f), tanh(*g), sigmoid(*o));
                    *c = *f * *before + *i * *g;
                    *t = tanh(*c);
                    *h = *o * *t;
                }
            }
        }
    }
}
