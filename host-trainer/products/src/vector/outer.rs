//! `C (+)= A^T B`, a panel of C at a time.
//!
//! ```text
//! for every block of rows:  the panel's columns of B -> [rows][4][U]
//!     for every R columns of A:  C[R][4] (+)= sum over the rows
//! ```
//!
//! The columns of A stand side by side, R numbers of a row next to one another, so that both
//! operands are read from their start to their end.

use gatelet_simd::slices::take;
use gatelet_simd::{Simd, TALL};

use super::panel::{Sums, add, load, places, store};
use super::tall;
use crate::packed::{Columns, Place};
use crate::sizes::{OUTER_ROWS, PANEL};

/// Columns of A in groups of `R`, or of sixteen where `tall.rs` takes as many:
/// `to: [rows / 256][m / R][256][R]`, zeros after the last.
#[inline(always)]
pub(crate) fn pack_columns<V: Simd<U>, const U: usize, const R: usize>(
    _: V,
    (a, m): (&[f32], usize),
    to: &mut [f32],
) {
    if V::TALL {
        in_groups::<TALL>((a, m.max(1)), to);
    } else {
        in_groups::<R>((a, m.max(1)), to);
    }
}

#[inline(always)]
fn in_groups<const R: usize>((a, m): (&[f32], usize), to: &mut [f32]) {
    let blocks = a.chunks(OUTER_ROWS * m);
    let width = m.next_multiple_of(R);
    for (to, from) in to.chunks_mut(OUTER_ROWS * width).zip(blocks) {
        // A few rows at a time: their lines stay in the first-level cache, and whole groups of them
        // are written.
        const TOGETHER: usize = 8;
        let rows = from.len() / m;
        for (index, from) in from.chunks(TOGETHER * m).enumerate() {
            for (group, to) in to.chunks_exact_mut((rows * R).max(1)).enumerate() {
                let (to, _) = to.as_chunks_mut::<R>();
                let to = to.get_mut(index * TOGETHER..).unwrap_or_default();
                for (to, from) in to.iter_mut().zip(from.chunks_exact(m)) {
                    *to = take(from, group * R);
                }
            }
        }
    }
}

/// Panel `p` of `C (+)= A^T B`. `c: [m, columns]`; `a` as [`pack_columns`] leaves it. `scratch`:
/// [`PANEL_SCRATCH`](crate::PANEL_SCRATCH) numbers; nothing is done with fewer.
#[inline(always)]
pub(crate) fn outer_panel<V: Simd<U>, const U: usize, const R: usize>(
    v: V,
    (a, m): (&[f32], usize),
    (b, n): (&[f32], usize),
    p: usize,
    add: bool,
    c: &mut [f32],
    scratch: &mut [f32],
) {
    let (m, n) = (m.max(1), n.max(1));
    let width = m.next_multiple_of(if V::TALL { TALL } else { R });
    let (vectors, _) = scratch.as_chunks_mut::<U>();
    let (panel, _) = vectors.as_chunks_mut::<PANEL>();
    let Some(panel) = panel.get_mut(..OUTER_ROWS) else {
        return;
    };
    let from = places(Columns::Consecutive, n, p, U);
    let count = from.iter().map(|place| place.count).sum();
    let to = places(Columns::Consecutive, count, 0, U);
    let blocks = b.chunks(OUTER_ROWS * n).zip(a.chunks(OUTER_ROWS * width));
    for (index, (rows, a)) in blocks.enumerate() {
        for (to, row) in panel.iter_mut().zip(rows.chunks_exact(n)) {
            for (to, place) in to.iter_mut().zip(from) {
                v.store_f32(load(v, row, place), to);
            }
        }
        // What is copied next: these columns of the rows after these, or the columns after these of
        // the first rows.
        let later = match b.get((index + 1) * OUTER_ROWS * n..) {
            Some(later) if !later.is_empty() => (later, from[0].column, n),
            _ => (b, from[0].column + count, n),
        };
        let panel = panel.get(..rows.len() / n).unwrap_or_default();
        let (add, c) = (add || index > 0, (&mut *c, count));
        if V::TALL {
            tall::outer_block(v, to, a, panel, later, add, c);
            continue;
        }
        with_vectors!(to, outer_block::<V, U, R>(v, to, a, panel, later, add, c));
    }
}

/// All columns of A times `panel.len()` rows of a panel of B: `c: [m, n]`.
#[inline(always)]
fn outer_block<V: Simd<U>, const U: usize, const R: usize, const N: usize>(
    v: V,
    places: [Place; PANEL],
    a: &[f32],
    panel: &[[[f32; U]; PANEL]],
    (later, column, width): (&[f32], usize, usize),
    add_to: bool,
    (c, n): (&mut [f32], usize),
) {
    let (groups, _) = a.as_chunks::<R>();
    // Each group of columns of A prefetches some of the rows of B that are copied next.
    let rows = panel.len().max(1);
    let each = (rows * R).div_ceil((c.len() / n.max(1)).max(1));
    let groups = groups.chunks_exact(rows);
    for (group, (a, c)) in groups.zip(c.chunks_mut((R * n).max(1))).enumerate() {
        for row in group * each..(group + 1) * each {
            let at = row * width + column;
            v.prefetch_far(later.get(at..at + PANEL * U).unwrap_or_default());
        }
        let mut sums: Sums<V, U, R, N> = [[v.splat_f32(0.0); N]; R];
        if add_to {
            for (sums, c) in sums.iter_mut().zip(c.chunks_exact(n)) {
                for (sum, place) in sums.iter_mut().zip(places) {
                    *sum = load(v, c, place);
                }
            }
        }
        for (xs, column) in a.iter().zip(panel) {
            sums = add::<V, U, R, N>(v, column, xs.each_ref(), sums);
        }
        for (c, sums) in c.chunks_exact_mut(n).zip(sums) {
            for (sum, place) in sums.into_iter().zip(places) {
                store(v, sum, c, place);
            }
        }
    }
}
