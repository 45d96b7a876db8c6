//! Panels of weights, vectors of rows at their places, and the block that multiplies them.
//!
//! ```text
//! for every k:  w = panel[k][4];  for each of B rows:  x = a[row][k] in all lanes
//!                                                      sums[row] += x w
//! ```
//!
//! B rows share each load of weights: 4 B sums and one set of weights are in registers, so that the
//! multiplications, and not the loads, take the time.

use gatelet_simd::Simd;
use gatelet_simd::slices::{put, take};

use crate::packed::{Columns, PackedF32, Place};
use crate::sizes::PANEL;
use crate::tape::row;

/// The sums of `B` rows and `N` vectors of a panel.
pub(crate) type Sums<V, const U: usize, const B: usize, const N: usize> =
    [[<V as Simd<U>>::F32; N]; B];

/// Numbers of a cache line.
const LINE: usize = 16;
/// Weights that fill half of a second-level cache: those that follow are prefetched.
const FAR: usize = (1 << 20) / size_of::<f32>();

/// The panels, the first or the last first, each with the one after it.
#[inline(always)]
pub(crate) fn panels<'a>(
    w: &PackedF32<'a>,
    reversed: bool,
) -> impl Iterator<Item = (usize, [&'a [f32]; 2])> {
    let far = w.weights.len() >= FAR;
    let panels = w.columns.panels(w.n, w.lanes);
    (0..panels).map(move |index| {
        let p = if reversed { panels - 1 - index } else { index };
        let after = if reversed {
            p.checked_sub(1)
        } else {
            Some(p + 1)
        };
        let next = after.filter(|_| far).map_or(&[][..], |p| w.panel(p));
        (p, [w.panel(p), next])
    })
}

/// What the block of rows from row `first` on prefetches of the panel that is read next: each block
/// of `rows` rows a part.
#[inline(always)]
pub(crate) fn share(next: &[f32], first: usize, rows: usize) -> &[f32] {
    let at = next.len() / rows.max(1) * first;
    next.get(at..).unwrap_or_default()
}

/// The columns of every vector of panel `p`.
#[inline(always)]
pub(crate) fn places(columns: Columns, n: usize, p: usize, lanes: usize) -> [Place; PANEL] {
    [0, 1, 2, 3].map(|v| columns.place(n, p, v, lanes))
}

/// The vector that stands at a place in a row, with zeros past the end.
#[inline(always)]
pub(crate) fn load<V: Simd<U>, const U: usize>(v: V, row: &[f32], place: Place) -> V::F32 {
    if place.count == U
        && let Some(all) = row.get(place.column..).and_then(|row| row.first_chunk())
    {
        return v.load_f32(all);
    }
    v.load_f32(&some(row, place))
}

/// Fewer than `U` numbers, and zeros.
#[inline(never)]
fn some<const U: usize>(row: &[f32], place: Place) -> [f32; U] {
    let part = row.get(place.column..place.column + place.count);
    take(part.unwrap_or_default(), 0)
}

/// Puts a vector there.
#[inline(always)]
pub(crate) fn store<V: Simd<U>, const U: usize>(v: V, x: V::F32, row: &mut [f32], place: Place) {
    if place.count == U
        && let Some(all) = row
            .get_mut(place.column..)
            .and_then(|row| row.first_chunk_mut())
    {
        return v.store_f32(x, all);
    }
    let mut lanes = [0.0; U];
    v.store_f32(x, &mut lanes);
    put_some(lanes, row, place);
}

/// Puts fewer than `U` numbers there.
#[inline(never)]
fn put_some<const U: usize>(lanes: [f32; U], row: &mut [f32], place: Place) {
    let part = row.get_mut(place.column..place.column + place.count);
    put(lanes, part.unwrap_or_default(), 0);
}

/// `N` vectors of each row.
#[inline(always)]
pub(crate) fn load_all<V: Simd<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    rows: [&[f32]; B],
    places: [Place; PANEL],
) -> Sums<V, U, B, N> {
    // Loops, no closures: a closure would not be compiled for the instruction set, and so not be
    // inlined.
    let mut sums = [[v.splat_f32(0.0); N]; B];
    for (sums, row) in sums.iter_mut().zip(rows) {
        for (sum, place) in sums.iter_mut().zip(places) {
            *sum = load(v, row, place);
        }
    }
    sums
}

/// One column of a panel times one number of each row.
#[inline(always)]
pub(crate) fn add<V: Simd<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    column: &[[f32; U]; PANEL],
    xs: [&f32; B],
    mut sums: Sums<V, U, B, N>,
) -> Sums<V, U, B, N> {
    let mut weights = [v.splat_f32(0.0); N];
    for (to, w) in weights.iter_mut().zip(column) {
        *to = v.load_f32(w);
    }
    for (sums, x) in sums.iter_mut().zip(xs) {
        let x = v.broadcast(x);
        for (sum, &w) in sums.iter_mut().zip(&weights) {
            *sum = v.madd_f32(w, x, *sum);
        }
    }
    sums
}

/// `sums + x panel` for `B` rows and the first `N` vectors. `panel: [k, 4, U]`, each operand `[k]`.
/// A line of `next`, which is read later, is prefetched with every column.
#[inline(always)]
pub(crate) fn product<V: Simd<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    panel: &[f32],
    next: &[f32],
    operands: [&[f32]; B],
    mut sums: Sums<V, U, B, N>,
) -> Sums<V, U, B, N> {
    let (vectors, _) = panel.as_chunks::<U>();
    let (columns, _) = vectors.as_chunks::<PANEL>();
    // All of one length, which the loop below then need not look at.
    let mut operands = operands;
    for x in &mut operands {
        let Some(all) = x.get(..columns.len()) else {
            return sums;
        };
        *x = all;
    }
    let (lines, _) = next.as_chunks::<LINE>();
    for (k, column) in columns.iter().enumerate() {
        if let Some(line) = lines.get(k) {
            v.prefetch_far(line);
        }
        let mut xs = [&0.0; B];
        for (to, x) in xs.iter_mut().zip(operands) {
            let Some(x) = x.get(k) else { return sums };
            *to = x;
        }
        sums = add::<V, U, B, N>(v, column, xs, sums);
    }
    sums
}

/// `B` rows of `numbers` from row `first` on, each with `len` of them.
#[inline(always)]
pub(crate) fn rows<T, const B: usize>(numbers: &[T], first: usize, len: usize) -> [&[T]; B] {
    core::array::from_fn(|b| row(numbers, first + b, len))
}
