//! One layer over a window, step by step: the way forward and the way back, and what is kept between
//! them.

use super::Shard;
use crate::aware;
use crate::cell::{gru, lstm, rnn};
use crate::dropout::Kind;
use crate::engine::{Engine, TapeStep};
use crate::memory::Memory;
use crate::packs::Packs;
use crate::params::Cell;

/// Zeroes the rows of `state`, [rows, hidden], whose token is the line break.
fn zero_rows<F: Engine>(ids: &[u16], line_break: Option<u16>, state: &mut [F]) {
    let Some(line_break) = line_break else {
        return;
    };
    // Without a cell state there is nothing to zero.
    let hidden = state.len() / ids.len();
    for (row, _) in ids.iter().enumerate().filter(|&(_, &id)| id == line_break) {
        state[row * hidden..][..hidden].fill(F::zero());
    }
}

/// h before a step as it goes around a GRU's product: zero before a line, in `room`; `room` is empty when it is h itself.
fn around<'a, F: Engine>(
    h_before: &'a [F],
    ids: &[u16],
    line_break: Option<u16>,
    room: &'a mut [F],
) -> &'a [F] {
    if room.is_empty() {
        return h_before;
    }
    room.copy_from_slice(h_before);
    zero_rows(ids, line_break, room);
    room
}

/// What one layer remembers of the window on the way forward.
#[derive(Clone, Debug)]
pub(super) struct Tape<F: Engine> {
    /// [T, rows, gates*hidden]: activations, then dz; of a GRU dp first.
    pub(super) gates: Memory<F>,
    /// [T + 1, rows, hidden]: h before the window, then after each step.
    pub(super) h: Memory<F>,
    /// [T + 1, rows, hidden]: the same for c; empty without a cell state.
    pub(super) c: Memory<F>,
    /// [T, rows, hidden]: tanh(c) of an LSTM, u of a GRU; empty for an RNN.
    pub(super) kept: Memory<F>,
    /// [T, rows, hidden]: h as the layer above sees it; empty when that is h itself.
    pub(super) dropped: Vec<F>,
    /// [T, rows, hidden]: h as the next step's product sees it, without what is dropped, and zero before a line; empty when
    /// that is h itself.
    pub(super) seen: Vec<F>,
}

impl<F: Engine> Tape<F> {
    /// [T, rows, hidden]: what the layer above sees.
    pub(super) fn output(&self, state: usize) -> &[F] {
        match self.dropped.is_empty() {
            true => &self.h[state..],
            false => &self.dropped,
        }
    }

    /// [T, rows, hidden]: what the recurrent product sees.
    pub(super) fn before(&self, state: usize) -> &[F] {
        match self.seen.is_empty() {
            true => &self.h[..self.h.len() - state],
            false => &self.seen,
        }
    }
}

impl<F: Engine> Shard<F> {
    /// One layer over the window.
    pub(super) fn run_layer(&mut self, packs: &Packs<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let pack = &packs.layers[layer];
        let (masks, arch, line_break) = (self.masks, self.arch, self.line_break);
        let (below, here) = self.tapes.split_at_mut(layer);
        let tape = &mut here[0];
        let state = rows * hidden;
        let aware = packs.aware.as_ref().map(|aware| &aware.layers[layer]);
        let x = below
            .last()
            .map_or(&self.embedded[..], |below| below.output(state));
        if let Some(aware::Layer {
            input: Some(input), ..
        }) = aware
        {
            F::matmul(x, input, false, &mut tape.gates, &mut self.scratch);
        } else if let Some((input, _)) = &pack.input {
            tape.gates
                .chunks_exact_mut(columns)
                .for_each(|z| z.copy_from_slice(&pack.rows));
            F::matmul(x, input, true, &mut tape.gates, &mut self.scratch);
        }
        // What a cell does not have is empty.
        let (memory, kept) = (state.min(tape.c.len()), state.min(tape.kept.len()));
        for t in 0..self.window {
            let (h_before, h) = tape.h[t * state..][..2 * state].split_at_mut(state);
            let ids = &self.inputs[t * rows..][..rows];
            // Of c nothing else is read any more: it can be zero in its place.
            zero_rows(ids, line_break, &mut tape.c[t * memory..][..memory]);
            let (c_before, c) = tape.c[t * memory..][..2 * memory].split_at_mut(memory);
            let mut seen = &*h_before;
            if !tape.seen.is_empty() {
                let part = &mut tape.seen[t * state..][..state];
                part.copy_from_slice(h_before);
                if self.narrow {
                    aware::read(arch, part);
                }
                if let Some(dropout) = masks.recurrent {
                    let place = masks.place(layer, Kind::Recurrent, 0);
                    dropout.apply(arch, place, masks.first_row, hidden, part);
                }
                zero_rows(ids, line_break, part);
                seen = part;
            }
            let carried = around(h_before, ids, line_break, &mut self.carried);
            if let Some(layer) = aware {
                let gates = &mut tape.gates[t * rows * columns..][..rows * columns];
                let (add, sums) = match self.narrow {
                    false => (layer.input.is_some(), &mut *gates),
                    true => (false, &mut self.product[..]),
                };
                F::matmul(seen, &layer.recurrent, add, sums, &mut self.scratch);
                arch.dispatch(aware::Step {
                    by: &layer.step,
                    ids: layer.input.is_none().then_some(ids),
                    gates,
                    product: &self.product,
                    carried,
                    c_before,
                    c,
                    kept: &mut tape.kept[t * kept..][..kept],
                    h,
                });
                continue;
            }
            let step = TapeStep {
                cell: self.shape.cell,
                hidden,
                rows: pack.input.is_none().then_some((&pack.rows, ids)),
                h_before: seen,
                carried,
                bias: &pack.recurrent_bias,
                c_before,
                gates: &mut tape.gates[t * rows * columns..][..rows * columns],
                product: &mut self.product,
                c,
                kept: &mut tape.kept[t * kept..][..kept],
                h,
                scratch: &mut self.scratch,
            };
            F::step(&pack.recurrent, step);
        }
        if !tape.dropped.is_empty() {
            tape.dropped.copy_from_slice(&tape.h[state..]);
        }
        if self.narrow {
            aware::read(arch, &mut tape.dropped);
        }
        if let Some(dropout) = masks.output {
            for (t, h) in tape.dropped.chunks_exact_mut(state).enumerate() {
                let place = masks.place(layer, Kind::Output, t);
                dropout.apply(arch, place, masks.first_row, hidden, h);
            }
        }
    }

    /// The recurrence of one layer backward: `d_above` becomes the gradient of h but for what goes around a GRU's product,
    /// the tape's activations become dz, of a GRU dp.
    pub(super) fn rewind_layer(&mut self, packs: &Packs<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let recurrent = &packs.layers[layer].recurrent_back;
        let arch = self.arch;
        let tape = &mut self.tapes[layer];
        let state = rows * hidden;
        self.dc.fill(F::zero());
        for t in (0..self.window).rev() {
            let (now, later) = tape.gates[t * rows * columns..].split_at_mut(rows * columns);
            let dh = &mut self.d_above[t * state..][..state];
            let scratch = &mut self.scratch;
            if t + 1 < self.window {
                let dz_after = &later[..rows * columns];
                let turned = t % 2 == 1;
                if self.dh.is_empty() {
                    F::matmul_turned(dz_after, recurrent, turned, true, dh, scratch);
                } else {
                    let sums = &mut self.dh;
                    F::matmul_turned(dz_after, recurrent, turned, false, sums, scratch);
                    if let Some(dropout) = self.masks.recurrent {
                        let place = self.masks.place(layer, Kind::Recurrent, 0);
                        dropout.apply(arch, place, self.masks.first_row, hidden, sums);
                    }
                    let ids_after = &self.inputs[(t + 1) * rows..][..rows];
                    zero_rows(ids_after, self.line_break, sums);
                    zero_rows(ids_after, self.line_break, &mut self.dc);
                    dh.iter_mut().zip(&*sums).for_each(|(sum, &x)| *sum += x);
                }
            }
            match self.shape.cell {
                Cell::Rnn => {
                    rnn::backward(self.arch, &tape.h[(t + 1) * state..][..state], dh, now);
                }
                Cell::Lstm => {
                    let step = lstm::Step {
                        hidden,
                        gates: now,
                        c_before: &tape.c[t * state..][..state],
                    };
                    let tanh_c = &tape.kept[t * state..][..state];
                    lstm::backward(self.arch, step, tanh_c, dh, &mut self.dc);
                }
                Cell::Gru => {
                    let ids = &self.inputs[t * rows..][..rows];
                    let h_before = &tape.h[t * state..][..state];
                    let back = gru::Back {
                        hidden,
                        carried: around(h_before, ids, self.line_break, &mut self.carried),
                        dh,
                        around: &mut self.dc,
                        gates: now,
                        u: &mut tape.kept[t * state..][..state],
                    };
                    gru::backward(self.arch, back);
                }
            }
        }
    }
}
