//! A matrix as products read it: in panels of four vectors of columns.

use crate::sizes::PANEL;

/// Which columns the vectors of a panel hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Panel p: columns `4 p lanes ..` and the ones after them.
    Consecutive,
    /// Panel p, vector g: columns `g n/4 + p lanes ..`, gate g of the same units. n is a multiple
    /// of four.
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
    /// Lanes of a vector: [`Products::lanes`](crate::Products::lanes).
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

    /// Writes panel `p` of a matrix, `[k, n]` row-major or, `transposed`, `[n, k]`, to `into`: `[k,
    /// 4, lanes]`.
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
                // A few rows at a time: their lines stay in the first-level cache until every lane
                // is there.
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
