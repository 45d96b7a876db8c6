//! Sizes of blocks, and of the scratch that they take.

pub use gatelet_simd::PANEL;
use gatelet_simd::TALL;

/// Rows that a panel of an outer product takes at a time.
pub(crate) const OUTER_ROWS: usize = 256;
/// Rows of A that a matmul has transposed at a time, at most.
const MATMUL_ROWS: usize = 64;
/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;

/// Numbers of scratch that [`Products::outer_panel`](crate::Products::outer_panel) needs, on any
/// machine.
pub const PANEL_SCRATCH: usize = OUTER_ROWS * PANEL * MOST_LANES;

/// Numbers that [`Products::pack_columns`](crate::Products::pack_columns) writes for `rows` rows
/// and `m` columns of A, at most.
pub const fn outer_columns(rows: usize, m: usize) -> usize {
    rows * m.next_multiple_of(TALL)
}

/// Numbers of scratch that [`Products::outer`](crate::Products::outer) needs for `rows` rows and
/// `m` columns of A, on any machine.
pub const fn outer_scratch(rows: usize, m: usize) -> usize {
    PANEL_SCRATCH + m * PANEL * MOST_LANES + outer_columns(rows, m)
}

/// Numbers of scratch that [`Products::matmul`](crate::Products::matmul) uses for `rows` rows of
/// `k` columns of A, and a tape step for `rows` streams of `k` units, on any machine.
pub const fn matmul_scratch(rows: usize, k: usize) -> usize {
    let rows = if rows < MATMUL_ROWS {
        rows
    } else {
        MATMUL_ROWS
    };
    rows / TALL * TALL * k
}
