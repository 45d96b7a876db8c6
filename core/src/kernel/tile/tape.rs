//! One step of a layer for several streams, which keeps its activations: the recurrent half of `kernel/dense.rs` on vectors.
//!
//! ```text
//! for every panel, for every B streams:   z[B][4] = addends + h panel    (tall.rs: sixteen streams)
//!                                         activations, c, tanh c and h from z, to the tape
//! ```

use core::ops::Range;

use super::dense::{Sums, load, load_all, panels, places, product, rows, share, store};
use super::gates::{cells_f32, tanh_f32};
use super::lanes::Lanes;
use super::{take, tall};
use crate::kernel::dense::{Addends, PANEL, PackedF32, Place, TapeF32, row, row_mut};
use crate::layer::Fused as Cell;

/// One step of a layer for several streams.
#[inline(always)]
pub(crate) fn tape_step<V: Lanes<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    w: &PackedF32<'_>,
    step: &mut TapeF32<'_>,
) {
    let count = step.h.len() / step.hidden.max(1);
    let done = if V::TALL {
        tall::tape_step(v, backward, w, step)
    } else {
        0
    };
    if done == count {
        return;
    }
    for (p, panel) in panels(w, backward) {
        let mut first = done;
        while first + B <= count {
            tape_block::<V, U, B>(v, first, (p, panel), w, step);
            first += B;
        }
        while first < count {
            tape_block::<V, U, 1>(v, first, (p, panel), w, step);
            first += 1;
        }
    }
}

/// Asks for where the cells of `streams` will be written: nothing of a tape is in the cache when its step begins.
#[inline(always)]
fn ask_for_results<V: Lanes<U>, const U: usize>(
    v: V,
    places: [Place; PANEL],
    streams: Range<usize>,
    width: usize,
    step: &TapeF32<'_>,
) {
    let [unit, ..] = places;
    for stream in streams {
        let ask = |numbers: &[f32], width: usize, place: Place| {
            let at = stream * width + place.column;
            v.ask_for(numbers.get(at..at + place.count).unwrap_or_default());
        };
        let all = match step.cell {
            Cell::Rnn => &*step.h,
            Cell::Lstm => &*step.gates,
        };
        for place in places {
            ask(all, width, place);
        }
        if step.cell == Cell::Lstm {
            for state in [&*step.c, step.tanh_c, step.h] {
                ask(state, step.hidden, unit);
            }
        }
    }
}

#[inline(always)]
fn tape_block<V: Lanes<U>, const U: usize, const B: usize>(
    v: V,
    first: usize,
    (p, [panel, next]): (usize, [&[f32]; 2]),
    w: &PackedF32<'_>,
    step: &mut TapeF32<'_>,
) {
    let places = places(w.columns, w.n, p, U);
    let addends: [&[f32]; B] = match step.addends {
        Addends::Gates => rows(step.gates, first, w.n),
        Addends::Rows { table, ids } => {
            let ids: [u16; B] = take(ids, first);
            ids.map(|id| row(table, id.into(), w.n))
        }
    };
    let sums = load_all::<V, U, B, PANEL>(v, addends, places);
    if let Addends::Rows { table, ids } = step.addends {
        // Rows that the next streams need: no processor guesses which.
        for id in ids.iter().skip(first + B).take(B) {
            for place in places {
                let at = usize::from(*id) * w.n + place.column;
                v.ask_for(table.get(at..at + place.count).unwrap_or_default());
            }
        }
    }
    ask_for_results(v, places, first..first + B, w.n, step);
    let operands = rows(step.h_before, first, step.hidden);
    let next = share(next, first, step.h.len() / step.hidden.max(1));
    let sums = product::<V, U, B, PANEL>(v, panel, next, operands, sums);
    finish(v, first, (p, places), sums, w.n, step);
}

/// The cells of `B` streams from stream `first` on, from their pre-activations in panel `p`.
#[inline(always)]
pub(super) fn finish<V: Lanes<U>, const U: usize, const B: usize>(
    v: V,
    first: usize,
    (p, places): (usize, [Place; PANEL]),
    sums: Sums<V, U, B, PANEL>,
    width: usize,
    step: &mut TapeF32<'_>,
) {
    let n = step.hidden;
    if step.cell == Cell::Rnn {
        let h = step.h.chunks_exact_mut(n.max(1)).skip(first);
        for (h, sums) in h.zip(sums) {
            for (z, place) in sums.into_iter().zip(places) {
                store(v, tanh_f32(v, z), h, place);
            }
        }
        return;
    }
    let unit = Place {
        column: p * U,
        ..places[0]
    };
    let (mut gates, mut c) = (sums, [v.splat_f32(0.0); B]);
    let before: [&[f32]; B] = rows(step.c_before, first, n);
    for (c, before) in c.iter_mut().zip(before) {
        *c = load(v, before, unit);
    }
    let t = cells_f32(v, &mut gates, &mut c);
    for (b, (gates, (c, t))) in gates.into_iter().zip(c.into_iter().zip(t)).enumerate() {
        let index = first + b;
        let [.., o] = gates;
        let to = row_mut(step.gates, index, width);
        for (x, place) in gates.into_iter().zip(places) {
            store(v, x, to, place);
        }
        store(v, c, row_mut(step.c, index, n), unit);
        store(v, t, row_mut(step.tanh_c, index, n), unit);
        store(v, v.mul_f32(o, t), row_mut(step.h, index, n), unit);
    }
}
