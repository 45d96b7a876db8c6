//! The products row by row: the specification, and what machines without vectors here run.

use gatelet::activation::{sigmoid_f32 as sigmoid, tanh_f32 as tanh};

use crate::packed::{PackedF32, Place};
use crate::sizes::PANEL;
use crate::tape::{Addends, Cell, TapeF32, row, row_mut};

/// Lanes that matrices are packed for.
pub(crate) const LANES: usize = 8;

/// `C (+)= A W`, row by row.
pub(crate) fn matmul(a: &[f32], w: &PackedF32<'_>, add: bool, c: &mut [f32]) {
    if !add {
        c.fill(0.0);
    }
    let width = (PANEL * w.lanes).max(1);
    for (a, c) in a
        .chunks_exact(w.k.max(1))
        .zip(c.chunks_exact_mut(w.n.max(1)))
    {
        for p in 0..w.columns.panels(w.n, w.lanes) {
            for v in 0..PANEL {
                let Place { column, count } = w.columns.place(w.n, p, v, w.lanes);
                let sums = c.get_mut(column..column + count).unwrap_or_default();
                for (&x, weights) in a.iter().zip(w.panel(p).chunks_exact(width)) {
                    let weights = weights.get(v * w.lanes..(v + 1) * w.lanes);
                    for (sum, &weight) in sums.iter_mut().zip(weights.unwrap_or_default()) {
                        *sum += x * weight;
                    }
                }
            }
        }
    }
}

/// Columns of `C (+)= A^T B` from `first` on, row by row: as many as a row of C has.
pub(crate) fn outer_panel(
    (a, m): (&[f32], usize),
    (b, n): (&[f32], usize),
    first: usize,
    add: bool,
    c: &mut [f32],
) {
    if !add {
        c.fill(0.0);
    }
    let count = (c.len() / m.max(1)).max(1);
    for (a, b) in a.chunks_exact(m.max(1)).zip(b.chunks_exact(n.max(1))) {
        let b = b.get(first..).unwrap_or_default();
        for (&x, c) in a.iter().zip(c.chunks_exact_mut(count)) {
            for (sum, &y) in c.iter_mut().zip(b) {
                *sum += x * y;
            }
        }
    }
}

/// One step, row by row.
pub(crate) fn tape_step(w: &PackedF32<'_>, step: &mut TapeF32<'_>) {
    let (width, n) = (step.width(), step.hidden);
    if let Addends::Rows { table, ids } = step.addends {
        for (gates, &id) in step.gates.chunks_exact_mut(width.max(1)).zip(ids) {
            for (z, &addend) in gates.iter_mut().zip(row(table, id.into(), width)) {
                *z = addend;
            }
        }
    }
    matmul(step.h_before, w, true, step.gates);
    for (index, gates) in step.gates.chunks_exact_mut(width.max(1)).enumerate() {
        let h = row_mut(step.h, index, n);
        match step.cell {
            Cell::Rnn => h.iter_mut().zip(gates).for_each(|(h, z)| *h = tanh(*z)),
            Cell::Lstm => {
                let (i, rest) = gates.split_at_mut_checked(n).unwrap_or_default();
                let (f, rest) = rest.split_at_mut_checked(n).unwrap_or_default();
                let (g, o) = rest.split_at_mut_checked(n).unwrap_or_default();
                let before = row(step.c_before, index, n);
                let states =
                    row_mut(step.c, index, n)
                        .iter_mut()
                        .zip(row_mut(step.tanh_c, index, n));
                let gates = i.iter_mut().zip(f).zip(g.iter_mut().zip(o));
                for ((((i, f), (g, o)), before), ((c, t), h)) in
                    gates.zip(before).zip(states.zip(h))
                {
                    (*i, *f, *g, *o) = (sigmoid(*i), sigmoid(*f), tanh(*g), sigmoid(*o));
                    *c = *f * *before + *i * *g;
                    *t = tanh(*c);
                    *h = *o * *t;
                }
            }
        }
    }
}
