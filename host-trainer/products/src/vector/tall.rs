//! Products of sixteen rows at a time, for machines whose registers hold the sums of so many.
//!
//! ```text
//! A -> x[k][16]                                      the rows transposed
//! for every panel, for each of its four vectors:
//!     sums[16] = C;   for every k:  w = panel[k][vector];  for each row r:  sums[r] += w x[k][r]
//! ```
//!
//! A block of four rows by four vectors (`panel.rs`) reads the whole panel again for every four
//! rows, from the second-level cache or beyond it. Here every weight is read once for all sixteen,
//! and x, which is read for every vector, stays in the first-level cache. Each element is the same
//! chain of additions, so the bits are the same.

use gatelet_simd::{Simd, TALL};

use super::panel::{load, panels, places, store};
use crate::packed::{PackedF32, Place};
use crate::sizes::PANEL;

/// One number of each row, for every column.
pub(super) type Transposed = [[f32; TALL]];

/// A panel, or the part of it that belongs to some rows of W, as columns of vectors.
#[inline(always)]
pub(super) fn columns<const U: usize>(panel: &[f32]) -> &[[[f32; U]; PANEL]] {
    panel.as_chunks::<U>().0.as_chunks::<PANEL>().0
}

/// [`Simd::tall`] in sixteen pieces or a few more, with `prefetch` before each: what comes next is
/// prefetched a little at a time, since a processor keeps few reads on their way.
#[inline(always)]
pub(super) fn pieces<V: Simd<U>, const U: usize>(
    v: V,
    x: &Transposed,
    (panel, vector): (&[[[f32; U]; PANEL]], usize),
    next: &[f32],
    mut sums: [V::F32; TALL],
    mut prefetch: impl FnMut(usize),
) -> [V::F32; TALL] {
    let each = (x.len() / TALL).max(1);
    let mut next = next;
    for (index, (x, panel)) in x.chunks(each).zip(panel.chunks(each)).enumerate() {
        prefetch(index);
        let (here, rest) = next.split_at_checked(each * TALL).unwrap_or_default();
        next = rest;
        sums = v.tall(x, panel, vector, here, sums);
    }
    sums
}

/// Prefetches the numbers at a place in row `row`.
#[inline(always)]
fn prefetch<V: Simd<U>, const U: usize>(v: V, (c, n): (&[f32], usize), row: usize, place: Place) {
    v.prefetch_line(c.get(row * n + place.column));
}

/// The place of the vector after this one: of the same panel, or the first of the one after it.
#[inline(always)]
pub(super) fn after(places: [Place; PANEL], beyond: Place, vector: usize) -> Place {
    places.get(vector + 1).copied().unwrap_or(beyond)
}

/// A quarter of the panel that is read next, to be prefetched while a vector of this one is
/// multiplied.
#[inline(always)]
pub(super) fn quarter(next: &[f32], vector: usize) -> &[f32] {
    let len = next.len() / PANEL;
    next.get(vector * len..(vector + 1) * len)
        .unwrap_or_default()
}

/// One vector of columns of sixteen rows of C, with `prefetch` as in [`pieces`], which is shown C.
#[inline(always)]
fn multiply<V: Simd<U>, const U: usize>(
    v: V,
    x: &Transposed,
    (panel, vector): (&[[[f32; U]; PANEL]], usize),
    next: &[f32],
    (add, place): (bool, Place),
    (c, n): (&mut [f32], usize),
    prefetch: impl Fn(&[f32], usize),
) {
    let mut sums = [v.splat_f32(0.0); TALL];
    if add {
        for (sum, c) in sums.iter_mut().zip(c.chunks_exact(n)) {
            *sum = load(v, c, place);
        }
    }
    let seen = &*c;
    let sums = pieces(v, x, (panel, vector), next, sums, |row| prefetch(seen, row));
    for (sum, c) in sums.into_iter().zip(c.chunks_exact_mut(n)) {
        store(v, sum, c, place);
    }
}

/// `C (+)= A W` for as many rows as sixteen divides; how many those are. `scratch` holds sixteen
/// rows of A or more, or none are done.
#[inline(always)]
pub(crate) fn matmul<V: Simd<U>, const U: usize>(
    v: V,
    reversed: bool,
    a: &[f32],
    w: &PackedF32<'_>,
    add: bool,
    c: &mut [f32],
    scratch: &mut [f32],
) -> usize {
    let (k, n) = (w.k.max(1), w.n.max(1));
    let (scratch, _) = scratch.as_chunks_mut::<TALL>();
    let together = scratch.len() / k * TALL;
    let rows = (a.len() / k).min(c.len() / n) / TALL * TALL;
    if together == 0 {
        return 0;
    }
    let blocks = a.chunks(together * k).zip(c.chunks_mut(together * n));
    let mut left = rows;
    for (a, c) in blocks {
        let here = left.min(together);
        left -= here;
        let groups = scratch.chunks_exact_mut(k).zip(a.chunks_exact(TALL * k));
        for (x, a) in groups.take(here / TALL) {
            v.transpose(a, k, x);
        }
        for (p, [panel, next]) in panels(w, reversed) {
            let places = places(w.columns, w.n, p, U);
            let beyond = w.columns.place(w.n, p + 1, 0, U);
            let groups = scratch.chunks_exact(k).zip(c.chunks_exact_mut(TALL * n));
            for (index, (x, c)) in groups.take(here / TALL).enumerate() {
                let next = if index == 0 { next } else { &[] };
                for (vector, place) in places.into_iter().enumerate() {
                    if place.count == 0 {
                        continue;
                    }
                    let after = after(places, beyond, vector);
                    let (panel, next) = ((columns(panel), vector), quarter(next, vector));
                    let here = (add, place);
                    multiply(v, x, panel, next, here, (&mut *c, n), |c, row| {
                        prefetch(v, (c, n), row, after);
                    });
                }
            }
        }
    }
    rows
}

/// All rows of C times some rows of a panel of B, as `outer_block` in `outer.rs`. `a: [m / 16,
/// rows, 16]`.
#[inline(always)]
pub(crate) fn outer_block<V: Simd<U>, const U: usize>(
    v: V,
    places: [Place; PANEL],
    a: &[f32],
    panel: &[[[f32; U]; PANEL]],
    (later, column, width): (&[f32], usize, usize),
    add_to: bool,
    (c, n): (&mut [f32], usize),
) {
    let (groups, _) = a.as_chunks::<TALL>();
    // Each group of columns of A prefetches some of the rows of B that are copied next.
    let rows = panel.len().max(1);
    let each = (rows * TALL).div_ceil((c.len() / n.max(1)).max(1));
    let groups = groups.chunks_exact(rows);
    for (group, (x, c)) in groups.zip(c.chunks_mut((TALL * n).max(1))).enumerate() {
        for (vector, place) in places.into_iter().enumerate() {
            if place.count == 0 {
                continue;
            }
            let (panel, here, c) = ((panel, vector), (add_to, place), (&mut *c, n));
            multiply(v, x, panel, &[], here, c, |_, piece| {
                // Lines, of which a row has four, in the 64 pieces of the four vectors.
                let piece = vector * TALL + piece;
                for line in piece * each / TALL..(piece + 1) * each / TALL {
                    let row = group * each + line / PANEL;
                    let at = row * width + column + line % PANEL * U;
                    v.prefetch_far(later.get(at..=at).unwrap_or_default());
                }
            });
        }
    }
}
