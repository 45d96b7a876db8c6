//! Products of sixteen rows at a time, for machines whose registers hold the sums of so many.
//!
//! ```text
//! A -> x[k][16]                                      the rows side by side
//! for every panel, for each of its four vectors:
//!     sums[16] = C;   for every k:  w = panel[k][vector];  for each row r:  sums[r] += w x[k][r]
//! ```
//!
//! A block of four rows by four vectors (`dense.rs`) reads the whole panel again for every four rows, from the second-level
//! cache or beyond it. Here every weight is read once for all sixteen, and x, which is read for every vector, stays in the
//! first-level cache. Each element is the same chain of additions, so the bits are the same.

use super::dense::{load, panels, places, store};
use super::gates::cells_f32;
use super::lanes::Lanes;
use super::tape::finish;
use crate::kernel::dense::{Addends, PANEL, PackedF32, Place, TALL, TapeF32};
use crate::layer::Fused as Cell;

/// One number of each row, for every column.
type SideBySide = [[f32; TALL]];

/// A panel, or the part of it that belongs to some rows of W, as columns of vectors.
#[inline(always)]
fn columns<const U: usize>(panel: &[f32]) -> &[[[f32; U]; PANEL]] {
    panel.as_chunks::<U>().0.as_chunks::<PANEL>().0
}

/// [`Lanes::tall`] in sixteen pieces or a few more, with `ask` before each: what comes next is asked for a little at a time, since a
/// processor keeps few reads on their way.
#[inline(always)]
fn pieces<V: Lanes<U>, const U: usize>(
    v: V,
    x: &SideBySide,
    (panel, vector): (&[[[f32; U]; PANEL]], usize),
    next: &[f32],
    mut sums: [V::F32; TALL],
    mut ask: impl FnMut(usize),
) -> [V::F32; TALL] {
    let each = (x.len() / TALL).max(1);
    let mut next = next;
    for (index, (x, panel)) in x.chunks(each).zip(panel.chunks(each)).enumerate() {
        ask(index);
        let (here, rest) = next.split_at_checked(each * TALL).unwrap_or_default();
        next = rest;
        sums = v.tall(x, panel, vector, here, sums);
    }
    sums
}

/// Asks for the numbers at a place in row `row`.
#[inline(always)]
fn ask<V: Lanes<U>, const U: usize>(v: V, (c, n): (&[f32], usize), row: usize, place: Place) {
    v.ask_for_line(c.get(row * n + place.column));
}

/// The place of the vector after this one: of the same panel, or the first of the one after it.
#[inline(always)]
fn after(places: [Place; PANEL], beyond: Place, vector: usize) -> Place {
    places.get(vector + 1).copied().unwrap_or(beyond)
}

/// A quarter of the panel that is read next, to be asked for while a vector of this one is multiplied.
#[inline(always)]
fn quarter(next: &[f32], vector: usize) -> &[f32] {
    let len = next.len() / PANEL;
    next.get(vector * len..(vector + 1) * len)
        .unwrap_or_default()
}

/// One vector of columns of sixteen rows of C, with `ask` as in [`pieces`], which is shown C.
#[inline(always)]
fn multiply<V: Lanes<U>, const U: usize>(
    v: V,
    x: &SideBySide,
    (panel, vector): (&[[[f32; U]; PANEL]], usize),
    next: &[f32],
    (add, place): (bool, Place),
    (c, n): (&mut [f32], usize),
    ask: impl Fn(&[f32], usize),
) {
    let mut sums = [v.splat_f32(0.0); TALL];
    if add {
        for (sum, c) in sums.iter_mut().zip(c.chunks_exact(n)) {
            *sum = load(v, c, place);
        }
    }
    let seen = &*c;
    let sums = pieces(v, x, (panel, vector), next, sums, |row| ask(seen, row));
    for (sum, c) in sums.into_iter().zip(c.chunks_exact_mut(n)) {
        store(v, sum, c, place);
    }
}

/// `C (+)= A W` for as many rows as sixteen divides; how many those are. `scratch` holds sixteen rows of A or more, or none are done.
#[inline(always)]
pub(crate) fn matmul<V: Lanes<U>, const U: usize>(
    v: V,
    backward: bool,
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
            v.side_by_side(a, k, x);
        }
        for (p, [panel, next]) in panels(w, backward) {
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
                        ask(v, (c, n), row, after);
                    });
                }
            }
        }
    }
    rows
}

/// All rows of C times some rows of a panel of B, as `outer_block` in `dense.rs`. `a: [m / 16, rows, 16]`.
#[inline(always)]
pub(super) fn outer_block<V: Lanes<U>, const U: usize>(
    v: V,
    places: [Place; PANEL],
    a: &[f32],
    panel: &[[[f32; U]; PANEL]],
    (later, column, width): (&[f32], usize, usize),
    add_to: bool,
    (c, n): (&mut [f32], usize),
) {
    let (groups, _) = a.as_chunks::<TALL>();
    // Each group of columns of A asks for some of the rows of B that are copied next.
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
                    v.ask_ahead(later.get(at..=at).unwrap_or_default());
                }
            });
        }
    }
}

/// One step of a layer for as many streams as sixteen divides; how many those are. Without scratch for the hidden state of
/// sixteen, none.
#[inline(always)]
pub(crate) fn tape_step<V: Lanes<U>, const U: usize>(
    v: V,
    backward: bool,
    w: &PackedF32<'_>,
    step: &mut TapeF32<'_>,
) -> usize {
    let n = step.hidden.max(1);
    let rows = step.h.len().min(step.h_before.len()) / n / TALL * TALL;
    let scratch = core::mem::take(&mut step.scratch);
    let (x, _) = scratch.as_chunks_mut::<TALL>();
    let mut done = 0;
    if let Some(x) = x.get_mut(..n) {
        let all = step.h_before.chunks_exact(TALL * n).take(rows / TALL);
        for h_before in all {
            v.side_by_side(h_before, n, x);
            let starts = starts(done, w.n, step.addends);
            for (p, panel) in panels(w, backward) {
                tape_panel(v, done, (p, panel), w, x, &starts, step);
            }
            done += TALL;
        }
    }
    step.scratch = scratch;
    done
}

/// Where the addends of sixteen streams start, from stream `first` on, in rows of `width` numbers.
#[inline(always)]
fn starts(first: usize, width: usize, addends: Addends<'_>) -> [usize; TALL] {
    let mut starts = [0; TALL];
    for (stream, start) in (first..).zip(&mut starts) {
        let row = match addends {
            Addends::Gates => stream,
            Addends::Rows { ids, .. } => ids.get(stream).copied().unwrap_or_default().into(),
        };
        *start = row * width;
    }
    starts
}

/// One panel of sixteen streams.
#[inline(always)]
fn tape_panel<V: Lanes<U>, const U: usize>(
    v: V,
    first: usize,
    (p, [panel, next]): (usize, [&[f32]; 2]),
    w: &PackedF32<'_>,
    x: &SideBySide,
    starts: &[usize; TALL],
    step: &mut TapeF32<'_>,
) {
    let places = places(w.columns, w.n, p, U);
    let beyond = w.columns.place(w.n, p + 1, 0, U);
    let mut z = [[[0.0; U]; PANEL]; TALL];
    for (vector, place) in places.into_iter().enumerate() {
        let addends = match step.addends {
            Addends::Gates => &*step.gates,
            Addends::Rows { table, .. } => table,
        };
        let mut sums = [v.splat_f32(0.0); TALL];
        for (sum, start) in sums.iter_mut().zip(starts) {
            let row = addends.get(*start..).unwrap_or_default();
            *sum = load(v, row, place);
        }
        let (panel, next) = ((columns(panel), vector), quarter(next, vector));
        let after = after(places, beyond, vector);
        // Where the results will be written: nothing of a tape is in the cache when its step begins.
        let (all, state) = match (step.cell, vector) {
            (Cell::Rnn, _) => (&*step.h, &[][..]),
            (Cell::Lstm, 0) => (&*step.gates, &[][..]),
            (Cell::Lstm, 1) => (&*step.gates, &*step.c),
            (Cell::Lstm, 2) => (&*step.gates, &*step.tanh_c),
            (Cell::Lstm, _) => (&*step.gates, &*step.h),
        };
        let sums = pieces(v, x, panel, next, sums, |b| {
            let Some(start) = starts.get(b) else { return };
            let stream = first + b;
            v.ask_for_line(addends.get(start + after.column));
            v.ask_for_line(all.get(stream * w.n + place.column));
            v.ask_for_line(state.get(stream * step.hidden + places[0].column));
        });
        for (z, sum) in z.iter_mut().zip(sums) {
            if let Some(z) = z.get_mut(vector) {
                v.store_f32(sum, z);
            }
        }
    }
    for (row, z) in z.iter().enumerate() {
        if step.cell == Cell::Lstm && places[0].count == U {
            cells_row(v, first + row, places, z, w.n, step);
            continue;
        }
        let mut sums = [[v.splat_f32(0.0); PANEL]; 1];
        for (sum, z) in sums.as_flattened_mut().iter_mut().zip(z) {
            *sum = v.load_f32(z);
        }
        finish(v, first + row, (p, places), sums, w.n, step);
    }
}

/// The cells of one stream's whole vector of units; `None` where a buffer ends before it. As [`finish`], in code that is short: sixteen
/// turns of it stay where the processor keeps what it has decoded, and the next turn begins while this one waits for its divisions.
#[inline(always)]
fn cells_row<V: Lanes<U>, const U: usize>(
    v: V,
    stream: usize,
    places: [Place; PANEL],
    z: &[[f32; U]; PANEL],
    width: usize,
    step: &mut TapeF32<'_>,
) -> Option<()> {
    let n = step.hidden;
    let unit = stream * n + places[0].column;
    let before = step.c_before.get(unit..)?.first_chunk::<U>()?;
    let mut cell = [[v.splat_f32(0.0); PANEL]; 1];
    for (to, z) in cell.as_flattened_mut().iter_mut().zip(z) {
        *to = v.load_f32(z);
    }
    let mut c = [v.load_f32(before)];
    let [t] = cells_f32(v, &mut cell, &mut c);
    let [gates] = cell;
    let [.., o] = gates;
    let [c] = c;
    v.store_f32(c, step.c.get_mut(unit..)?.first_chunk_mut()?);
    v.store_f32(t, step.tanh_c.get_mut(unit..)?.first_chunk_mut()?);
    v.store_f32(v.mul_f32(o, t), step.h.get_mut(unit..)?.first_chunk_mut()?);
    let row = step.gates.get_mut(stream * width..)?;
    for (gate, place) in gates.into_iter().zip(places) {
        v.store_f32(gate, row.get_mut(place.column..)?.first_chunk_mut()?);
    }
    Some(())
}
