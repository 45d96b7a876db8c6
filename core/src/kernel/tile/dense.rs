//! `kernel/dense.rs` on vectors.
//!
//! ```text
//! for every panel of four vectors, for every B rows:
//!     sums[B][4] = C;   for every k:  w = panel[k][4];  for each row: x = a[row][k] in all lanes;  sums[row] += x w
//! ```
//!
//! B rows share each load of weights: 4 B sums and one set of weights are in registers, so that the multiplications,
//! and not the loads, take the time. The transposed product copies a panel of the other operand's rows, and takes B columns of
//! A at a time, which stand side by side.

use super::lanes::Lanes;
use super::{put, sweep, take, tall};
use crate::kernel::dense::{Columns, OUTER_ROWS, PANEL, PackedF32, Place, TALL, row};

/// The sums of `B` rows and `N` vectors of a panel.
pub(super) type Sums<V, const U: usize, const B: usize, const N: usize> =
    [[<V as Lanes<U>>::F32; N]; B];

/// Numbers of a cache line.
const LINE: usize = 16;
/// Weights that fill half of a second-level cache: those that follow are asked for ahead.
const FAR: usize = (1 << 20) / size_of::<f32>();

/// The panels, the first or the last first, each with the one after it.
#[inline(always)]
pub(super) fn panels<'a>(
    w: &PackedF32<'a>,
    backward: bool,
) -> impl Iterator<Item = (usize, [&'a [f32]; 2])> {
    let far = w.weights.len() >= FAR;
    sweep(w.columns.panels(w.n, w.lanes), backward).map(move |p| {
        let after = if backward {
            p.checked_sub(1)
        } else {
            Some(p + 1)
        };
        let next = after.filter(|_| far).map_or(&[][..], |p| w.panel(p));
        (p, [w.panel(p), next])
    })
}

/// What the block of rows from row `first` on asks for of the panel that is read next: each block of `rows` rows a part.
#[inline(always)]
pub(super) fn share(next: &[f32], first: usize, rows: usize) -> &[f32] {
    let at = next.len() / rows.max(1) * first;
    next.get(at..).unwrap_or_default()
}

/// The columns of every vector of panel `p`.
#[inline(always)]
pub(super) fn places(columns: Columns, n: usize, p: usize, lanes: usize) -> [Place; PANEL] {
    [0, 1, 2, 3].map(|v| columns.place(n, p, v, lanes))
}

/// The vector that stands at a place in a row, with zeros past the end.
#[inline(always)]
pub(super) fn load<V: Lanes<U>, const U: usize>(v: V, row: &[f32], place: Place) -> V::F32 {
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
pub(super) fn store<V: Lanes<U>, const U: usize>(v: V, x: V::F32, row: &mut [f32], place: Place) {
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
pub(super) fn load_all<V: Lanes<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    rows: [&[f32]; B],
    places: [Place; PANEL],
) -> Sums<V, U, B, N> {
    // Loops, no closures: a closure would not be compiled for the instruction set, and so not be inlined.
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
fn add<V: Lanes<U>, const U: usize, const B: usize, const N: usize>(
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

/// `sums + x panel` for `B` rows and the first `N` vectors. `panel: [k, 4, U]`, each operand `[k]`. A line of `next`, which is
/// read later, is asked for with every column.
#[inline(always)]
pub(super) fn product<V: Lanes<U>, const U: usize, const B: usize, const N: usize>(
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
            v.ask_ahead(line);
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
pub(super) fn rows<T, const B: usize>(numbers: &[T], first: usize, len: usize) -> [&[T]; B] {
    core::array::from_fn(|b| row(numbers, first + b, len))
}

/// Does `$work::<.., N>(..)` with as many vectors as a panel has columns for.
macro_rules! with_vectors {
    ($places:expr, $work:ident::<$v:ident, $u:ident, $b:ident>$arguments:tt) => {
        match $places.iter().filter(|place| place.count > 0).count() {
            1 => $work::<$v, $u, $b, 1>$arguments,
            2 => $work::<$v, $u, $b, 2>$arguments,
            3 => $work::<$v, $u, $b, 3>$arguments,
            _ => $work::<$v, $u, $b, 4>$arguments,
        }
    };
}

/// `C (+)= A W`.
#[inline(always)]
pub(crate) fn matmul<V: Lanes<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    a: &[f32],
    w: &PackedF32<'_>,
    add: bool,
    c: &mut [f32],
    scratch: &mut [f32],
) {
    let (k, n) = (w.k.max(1), w.n.max(1));
    let done = if V::TALL {
        tall::matmul(v, backward, a, w, add, c, scratch)
    } else {
        0
    };
    let a = (a.get(done * k..).unwrap_or_default(), k);
    let c = c.get_mut(done * n..).unwrap_or_default();
    if c.is_empty() {
        return;
    }
    for (p, panel) in panels(w, backward) {
        let places = places(w.columns, w.n, p, U);
        with_vectors!(
            places,
            matmul_panel::<V, U, B>(v, panel, places, a, add, (&mut *c, n))
        );
    }
}

#[inline(always)]
fn matmul_panel<V: Lanes<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    [panel, next]: [&[f32]; 2],
    places: [Place; PANEL],
    (a, k): (&[f32], usize),
    add: bool,
    (c, n): (&mut [f32], usize),
) {
    let blocks = c.len() / (B * n) * B;
    let (c, c_rest) = c.split_at_mut_checked(blocks * n).unwrap_or_default();
    let (a, a_rest) = a.split_at_checked(blocks * k).unwrap_or((a, &[]));
    for (index, (a, c)) in a
        .chunks_exact(B * k)
        .zip(c.chunks_exact_mut(B * n))
        .enumerate()
    {
        let next = share(next, index * B, blocks);
        matmul_block::<V, U, B, N>(v, (panel, next), places, (a, k), add, (c, n));
    }
    for (a, c) in a_rest.chunks_exact(k).zip(c_rest.chunks_exact_mut(n)) {
        matmul_block::<V, U, 1, N>(v, (panel, &[]), places, (a, k), add, (c, n));
    }
}

/// `B` rows times the first `N` vectors of a panel.
#[inline(always)]
fn matmul_block<V: Lanes<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    (panel, next): (&[f32], &[f32]),
    places: [Place; PANEL],
    (a, k): (&[f32], usize),
    add: bool,
    (c, n): (&mut [f32], usize),
) {
    let mut sums = [[v.splat_f32(0.0); N]; B];
    if add {
        sums = load_all::<V, U, B, N>(v, rows(c, 0, n), places);
    }
    let sums = product::<V, U, B, N>(v, panel, next, rows(a, 0, k), sums);
    for (c, sums) in c.chunks_exact_mut(n).zip(sums) {
        for (sum, place) in sums.into_iter().zip(places) {
            store(v, sum, c, place);
        }
    }
}

/// Columns of A in groups of `R`, sixteen in a kernel that takes as many rows at a time: `to: [rows / 256][m / R][256][R]`, zeros after the last.
#[inline(always)]
pub(crate) fn pack_columns<V: Lanes<U>, const U: usize, const R: usize>(
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
        // A few rows at a time: their lines stay in the first-level cache, and whole groups of them are written.
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

/// Panel `p` of `C (+)= A^T B`.
///
/// ```text
/// for every block of rows:  the panel's columns of B -> [rows][4][U]
///     for every R columns of A:  C[R][4] (+)= sum over the rows
/// ```
/// `c: [m, columns]`; `a` as [`pack_columns`] leaves it. `scratch`: [`PANEL_SCRATCH`](crate::kernel::dense::PANEL_SCRATCH) numbers; nothing is done with fewer.
#[inline(always)]
pub(crate) fn outer_panel<V: Lanes<U>, const U: usize, const R: usize>(
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
        // What is copied next: these columns of the rows after these, or the columns after these of the first rows.
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
fn outer_block<V: Lanes<U>, const U: usize, const R: usize, const N: usize>(
    v: V,
    places: [Place; PANEL],
    a: &[f32],
    panel: &[[[f32; U]; PANEL]],
    (later, column, width): (&[f32], usize, usize),
    add_to: bool,
    (c, n): (&mut [f32], usize),
) {
    let (groups, _) = a.as_chunks::<R>();
    // Each group of columns of A asks for some of the rows of B that are copied next.
    let rows = panel.len().max(1);
    let each = (rows * R).div_ceil((c.len() / n.max(1)).max(1));
    let groups = groups.chunks_exact(rows);
    for (group, (a, c)) in groups.zip(c.chunks_mut((R * n).max(1))).enumerate() {
        for row in group * each..(group + 1) * each {
            let at = row * width + column;
            v.ask_ahead(later.get(at..at + PANEL * U).unwrap_or_default());
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
