//! One step of a layer for several streams, which keeps its activations.
//!
//! ```text
//! for every panel, for every B streams:
//!     z[B][4] = addends + h panel                   (tall_tape.rs: sixteen streams)
//!     activations, c, tanh c and h from z, to the tape
//! ```

use core::ops::Range;

use gatelet_simd::Simd;
use gatelet_simd::slices::take;

use super::cells::cells;
use super::panel::{load_all, panels, places, product, rows, share};
use super::tall_tape;
use crate::packed::{PackedF32, Place};
use crate::sizes::PANEL;
use crate::tape::{Addends, Cell, TapeF32, row};

/// One step of a layer for several streams.
#[inline(always)]
pub(crate) fn tape_step<V: Simd<U>, const U: usize, const B: usize>(
    v: V,
    w: &PackedF32<'_>,
    step: &mut TapeF32<'_>,
) {
    let count = step.h.len() / step.hidden.max(1);
    let done = if V::TALL {
        tall_tape::tape_step(v, w, step)
    } else {
        0
    };
    if done == count {
        return;
    }
    for (p, panel) in panels(w, false) {
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

/// Prefetches where the cells of `streams` will be written: nothing of a tape is in the cache when
/// its step begins.
#[inline(always)]
fn prefetch_results<V: Simd<U>, const U: usize>(
    v: V,
    places: [Place; PANEL],
    streams: Range<usize>,
    width: usize,
    step: &TapeF32<'_>,
) {
    let [unit, ..] = places;
    for stream in streams {
        let prefetch = |numbers: &[f32], width: usize, place: Place| {
            let at = stream * width + place.column;
            v.prefetch(numbers.get(at..at + place.count).unwrap_or_default());
        };
        let all = match step.cell {
            Cell::Rnn => &*step.h,
            Cell::Lstm => &*step.gates,
        };
        for place in places {
            prefetch(all, width, place);
        }
        if step.cell == Cell::Lstm {
            for state in [&*step.c, step.tanh_c, step.h] {
                prefetch(state, step.hidden, unit);
            }
        }
    }
}

#[inline(always)]
fn tape_block<V: Simd<U>, const U: usize, const B: usize>(
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
                v.prefetch(table.get(at..at + place.count).unwrap_or_default());
            }
        }
    }
    prefetch_results(v, places, first..first + B, w.n, step);
    let operands = rows(step.h_before, first, step.hidden);
    let next = share(next, first, step.h.len() / step.hidden.max(1));
    let sums = product::<V, U, B, PANEL>(v, panel, next, operands, sums);
    cells(v, first, (p, places), sums, w.n, step);
}
