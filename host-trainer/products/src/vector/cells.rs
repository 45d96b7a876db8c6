//! The cells of a step that keeps its activations: from pre-activations in registers to the tape.

use gatelet_simd::Simd;
use gatelet_simd::gates::{lstm_recorded, tanh_f32};

use super::panel::{Sums, load, rows, store};
use crate::packed::Place;
use crate::sizes::PANEL;
use crate::tape::{Cell, TapeF32, row_mut};

/// The cells of `B` streams from stream `first` on, from their pre-activations in panel `p`.
#[inline(always)]
pub(crate) fn cells<V: Simd<U>, const U: usize, const B: usize>(
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
    let t = lstm_recorded(v, &mut gates, &mut c);
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
