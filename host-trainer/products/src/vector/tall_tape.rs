//! Steps that keep their activations, for sixteen streams at a time.

use gatelet_simd::gates::lstm_recorded;
use gatelet_simd::{Simd, TALL};

use super::cells::cells;
use super::panel::{load, panels, places};
use super::tall::{Transposed, after, columns, pieces, quarter};
use crate::packed::{PackedF32, Place};
use crate::sizes::PANEL;
use crate::tape::{Addends, Cell, TapeF32};

/// One step of a layer for as many streams as sixteen divides; how many those are. Without scratch
/// for the hidden state of sixteen, none.
#[inline(always)]
pub(crate) fn tape_step<V: Simd<U>, const U: usize>(
    v: V,
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
            v.transpose(h_before, n, x);
            let starts = starts(done, w.n, step.addends);
            for (p, panel) in panels(w, false) {
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
fn tape_panel<V: Simd<U>, const U: usize>(
    v: V,
    first: usize,
    (p, [panel, next]): (usize, [&[f32]; 2]),
    w: &PackedF32<'_>,
    x: &Transposed,
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
        // Where the results will be written: nothing of a tape is in the cache when its step
        // begins.
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
            v.prefetch_line(addends.get(start + after.column));
            v.prefetch_line(all.get(stream * w.n + place.column));
            v.prefetch_line(state.get(stream * step.hidden + places[0].column));
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
        cells(v, first + row, (p, places), sums, w.n, step);
    }
}

/// The cells of one stream's whole vector of units; `None` where a buffer ends before it. As
/// [`cells`], in code that is short: sixteen turns of it stay where the processor keeps what it has
/// decoded, and the next turn begins while this one waits for its divisions.
#[inline(always)]
fn cells_row<V: Simd<U>, const U: usize>(
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
    let [t] = lstm_recorded(v, &mut cell, &mut c);
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
