//! Backpropagation through time and layers over one window, for a shard of the batch.
//!
//! ```text
//! forward, layer by layer     Z = X W_x + b  (all steps in one product; layer 0: rows of W_x + b, in the step itself)
//!                             z_t += h_{t-1} W_h;  (h_t, c_t) = cell(z_t, c_{t-1})       t = 0..T
//! head                        logits = H W^T + b;  loss and dlogits                      all steps in one product
//!                             dW += dlogits^T H;  dH = dlogits W
//! backward, top layer first   dh_t = dH_t + dz_{t+1} W_h^T;  dz_t = cell'(dh_t, dc_t)    t = T..0
//!                             dW_h = [h_-1 .. h_T-2]^T dZ;  db = sum dZ;  dW_x = X^T dZ (layer 0: rows added)
//!                             dX = dZ W_x^T = dH of the layer below
//! ```
//! With dropout, what goes up is `m_t h_t` and what goes on in time `m h_{t-1}`; on the way back the same masks multiply
//! dH and the part of dh_t that came through W_h. The carried state is whole.
//!
//! Truncated BPTT: the state after the last step of a window is the state before the first step of the next;
//! gradients stop at the window's start. All buffers are time-major [T, rows, ...] and live as long as the shard:
//! a window allocates nothing.

use pulp::{Arch, NullaryFnOnce};

use crate::cell::{lstm, rnn, vectorized};
use crate::dropout::{Dropout, Kind, Place};
use crate::engine::{Engine, TapeStep};
pub use crate::loss::IGNORED;
use crate::loss::softmax_cross_entropy;
use crate::packs::Packs;
use crate::params::{Cell, Params, Role, Shape};

/// What one layer remembers of the window on the way forward.
#[derive(Clone, Debug)]
struct Tape<F> {
    /// [T, rows, gates*hidden]: activations, then dz.
    gates: Vec<F>,
    /// [T + 1, rows, hidden]: h before the window, then after each step.
    h: Vec<F>,
    /// [T + 1, rows, hidden]: the same for c; empty without a cell state.
    c: Vec<F>,
    /// [T, rows, hidden]: tanh(c); empty without a cell state.
    tanh_c: Vec<F>,
    /// [T, rows, hidden]: h as the layer above sees it; empty when that is h itself.
    dropped: Vec<F>,
    /// [T, rows, hidden]: h as the next step sees it; empty when that is h itself.
    dropped_before: Vec<F>,
}

impl<F> Tape<F> {
    /// [T, rows, hidden]: what the layer above sees.
    fn output(&self, state: usize) -> &[F] {
        match self.dropped.is_empty() {
            true => &self.h[state..],
            false => &self.dropped,
        }
    }

    /// [T, rows, hidden]: what the recurrent product sees.
    fn before(&self, state: usize) -> &[F] {
        match self.dropped_before.is_empty() {
            true => &self.h[..self.h.len() - state],
            false => &self.dropped_before,
        }
    }
}

/// What a window drops; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
struct Masks {
    output: Option<Dropout>,
    recurrent: Option<Dropout>,
    /// The shard's first row in the batch.
    first_row: usize,
    /// Optimizer steps done.
    step: u64,
}

impl Masks {
    /// The place of a mask.
    fn place(&self, layer: usize, kind: Kind, time: usize) -> Place {
        Place {
            step: self.step,
            layer,
            kind,
            time,
        }
    }
}

/// `rows` streams of the batch, with their state, their buffers and their share of the gradient.
#[derive(Clone, Debug)]
pub struct Shard<F> {
    shape: Shape,
    rows: usize,
    window: usize,
    arch: Arch,
    tapes: Vec<Tape<F>>,
    /// [T, rows, vocab]
    logits: Vec<F>,
    /// [T, rows, hidden]: gradient of the layer's outputs.
    d_above: Vec<F>,
    /// [rows, hidden]: gradient of the cell state, on its way back in time.
    dc: Vec<F>,
    /// [rows, hidden]: what comes back through W_h, when a mask is to be applied to it; else empty.
    dh: Vec<F>,
    masks: Masks,
    /// What the products of the gradient need.
    scratch: Vec<F>,
    /// [T, rows], time-major: characters in, characters to predict.
    inputs: Vec<u16>,
    targets: Vec<u16>,
    /// Part of the distribution asked for that is spread over all characters; 0 at first.
    pub label_smoothing: F,
    /// Sum of the gradients of the last [`Shard::backward`].
    pub gradient: Params<F>,
}

impl<F: Engine> Shard<F> {
    /// Buffers for `rows` streams and windows of `window` steps; the state is zero.
    pub fn new(shape: Shape, rows: usize, window: usize) -> Self {
        let (steps, hidden) = (window * rows, shape.hidden);
        let memory = shape.cell == Cell::Lstm;
        let tape = Tape {
            gates: vec![F::zero(); steps * shape.gate_columns()],
            h: vec![F::zero(); (steps + rows) * hidden],
            c: vec![F::zero(); if memory { (steps + rows) * hidden } else { 0 }],
            tanh_c: vec![F::zero(); if memory { steps * hidden } else { 0 }],
            dropped: Vec::new(),
            dropped_before: Vec::new(),
        };
        Self {
            shape,
            rows,
            window,
            arch: Arch::new(),
            tapes: vec![tape; shape.layers],
            logits: vec![F::zero(); steps * shape.vocab],
            d_above: vec![F::zero(); steps * hidden],
            dc: vec![F::zero(); rows * hidden],
            dh: Vec::new(),
            masks: Masks::default(),
            scratch: vec![F::zero(); F::scratch(steps, hidden.max(shape.vocab))],
            inputs: vec![0; steps],
            targets: vec![0; steps],
            label_smoothing: F::zero(),
            gradient: Params::zeros(shape),
        }
    }

    /// From now on drops outputs and what is read from h, with the masks of the shard's place in the batch.
    pub fn drop_out(
        &mut self,
        output: Option<Dropout>,
        recurrent: Option<Dropout>,
        first_row: usize,
    ) {
        self.masks = Masks {
            output,
            recurrent,
            first_row,
            step: 0,
        };
        let (state, window) = (self.rows * self.shape.hidden, self.window);
        let room =
            |wanted: bool, steps: usize| vec![F::zero(); if wanted { steps * state } else { 0 }];
        for tape in &mut self.tapes {
            tape.dropped = room(output.is_some(), window);
            tape.dropped_before = room(recurrent.is_some(), window);
        }
        self.dh = room(recurrent.is_some(), 1);
    }

    /// Chooses the masks of an optimizer step, by the number of steps before it.
    pub fn choose_masks(&mut self, step: u64) {
        self.masks.step = step;
    }

    /// Streams of this shard.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Zeroes the carried state.
    pub fn reset(&mut self) {
        for tape in &mut self.tapes {
            let start = self.rows * self.shape.hidden;
            tape.h[..start].fill(F::zero());
            tape.c.iter_mut().take(start).for_each(|c| *c = F::zero());
        }
    }

    /// Carried state of a layer: (h, c), each [rows, hidden]; c is empty for a cell without one.
    pub fn state(&self, layer: usize) -> (&[F], &[F]) {
        let (tape, n) = (&self.tapes[layer], self.rows * self.shape.hidden);
        (&tape.h[..n], &tape.c[..n.min(tape.c.len())])
    }

    /// The same, to change.
    pub fn state_mut(&mut self, layer: usize) -> (&mut [F], &mut [F]) {
        let n = self.rows * self.shape.hidden;
        let tape = &mut self.tapes[layer];
        let memory = n.min(tape.c.len());
        (&mut tape.h[..n], &mut tape.c[..memory])
    }

    /// Sets the window's characters: `token(row, t)` gives the character in and the character to predict,
    /// or [`IGNORED`] for a prediction that does not count.
    pub fn load(&mut self, mut token: impl FnMut(usize, usize) -> (u16, u16)) {
        for t in 0..self.window {
            for row in 0..self.rows {
                let at = t * self.rows + row;
                (self.inputs[at], self.targets[at]) = token(row, t);
            }
        }
    }

    /// Runs the window forward and leaves `scale * dL/dlogits` for [`Shard::backward`].
    ///
    /// Returns the sum of the losses in nats.
    pub fn forward(&mut self, packs: &Packs<F>, scale: F) -> f64 {
        for layer in 0..self.shape.layers {
            self.run_layer(packs, layer);
        }
        let (vocab, start) = (self.shape.vocab, self.rows * self.shape.hidden);
        self.logits
            .chunks_exact_mut(vocab)
            .for_each(|row| row.copy_from_slice(&packs.head_bias));
        let top = self.tapes[self.shape.layers - 1].output(start);
        F::matmul(top, &packs.head, true, &mut self.logits);
        let (logits, targets) = (&mut self.logits, &self.targets);
        softmax_cross_entropy(self.arch, logits, targets, scale, self.label_smoothing)
    }

    /// Carries the state over: after the window becomes before the next one.
    pub fn carry(&mut self) {
        let n = self.rows * self.shape.hidden;
        for tape in &mut self.tapes {
            let end = tape.h.len() - n;
            tape.h.copy_within(end.., 0);
            if !tape.c.is_empty() {
                tape.c.copy_within(end.., 0);
            }
        }
    }

    /// One layer over the window.
    fn run_layer(&mut self, packs: &Packs<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let pack = &packs.layers[layer];
        let (masks, arch) = (self.masks, self.arch);
        let (below, here) = self.tapes.split_at_mut(layer);
        let tape = &mut here[0];
        let state = rows * hidden;
        if let (Some(below), Some((input, _))) = (below.last(), &pack.input) {
            tape.gates
                .chunks_exact_mut(columns)
                .for_each(|z| z.copy_from_slice(&pack.rows));
            F::matmul(below.output(state), input, true, &mut tape.gates);
        }
        // The RNN has neither c nor its tanh: all of theirs are empty.
        let memory = state.min(tape.tanh_c.len());
        for t in 0..self.window {
            let (h_before, h) = tape.h[t * state..][..2 * state].split_at_mut(state);
            let (c_before, c) = tape.c[t * memory..][..2 * memory].split_at_mut(memory);
            let ids = &self.inputs[t * rows..][..rows];
            let mut seen = &*h_before;
            if let Some(dropout) = masks.recurrent {
                let dropped = &mut tape.dropped_before[t * state..][..state];
                dropped.copy_from_slice(h_before);
                let place = masks.place(layer, Kind::Recurrent, 0);
                dropout.apply(arch, place, masks.first_row, hidden, dropped);
                seen = dropped;
            }
            let step = TapeStep {
                cell: self.shape.cell,
                hidden,
                rows: (layer == 0).then_some((&pack.rows, ids)),
                h_before: seen,
                c_before,
                gates: &mut tape.gates[t * rows * columns..][..rows * columns],
                c,
                tanh_c: &mut tape.tanh_c[t * memory..][..memory],
                h,
            };
            F::step(&pack.recurrent, step);
        }
        if let Some(dropout) = masks.output {
            tape.dropped.copy_from_slice(&tape.h[state..]);
            for (t, h) in tape.dropped.chunks_exact_mut(state).enumerate() {
                let place = masks.place(layer, Kind::Output, t);
                dropout.apply(arch, place, masks.first_row, hidden, h);
            }
        }
    }

    /// Backward through the window of the last [`Shard::forward`]; fills [`Shard::gradient`].
    pub fn backward(&mut self, packs: &Packs<F>) {
        let (hidden, vocab, columns) = (
            self.shape.hidden,
            self.shape.vocab,
            self.shape.gate_columns(),
        );
        let (state, arch) = (self.rows * hidden, self.arch);
        let top = self.tapes[self.shape.layers - 1].output(state);
        let d_weight = self.gradient.tensor_mut(Role::HeadWeight, 0);
        F::outer(
            (&self.logits, vocab),
            (top, hidden),
            d_weight,
            &mut self.scratch,
        );
        sum_rows(
            arch,
            &self.logits,
            self.gradient.tensor_mut(Role::HeadBias, 0),
        );
        F::matmul(&self.logits, &packs.head_back, false, &mut self.d_above);

        for layer in (0..self.shape.layers).rev() {
            if let Some(dropout) = self.masks.output {
                for (t, dh) in self.d_above.chunks_exact_mut(state).enumerate() {
                    let place = self.masks.place(layer, Kind::Output, t);
                    dropout.apply(arch, place, self.masks.first_row, hidden, dh);
                }
            }
            self.rewind_layer(packs, layer);
            let (below, here) = self.tapes.split_at(layer);
            let dz = (&here[0].gates[..], columns);
            let h_before = here[0].before(state);
            let d_recurrent = self.gradient.tensor_mut(Role::Recurrent, layer);
            F::outer((h_before, hidden), dz, d_recurrent, &mut self.scratch);
            let d_input = self.gradient.tensor_mut(Role::Input, layer);
            match (below.last(), &packs.layers[layer].input) {
                (Some(below), Some((_, back))) => {
                    let x = (below.output(state), hidden);
                    F::outer(x, dz, d_input, &mut self.scratch);
                    sum_rows(arch, dz.0, self.gradient.tensor_mut(Role::Bias, layer));
                    F::matmul(dz.0, back, false, &mut self.d_above);
                }
                _ => {
                    scatter_rows(arch, dz.0, &self.inputs, columns, d_input);
                    // Every dz was added to one row: the rows' sum is that of all dz.
                    let (d_input, d_bias) = self.gradient.first_input_and_bias();
                    sum_rows(arch, d_input, d_bias);
                }
            }
        }
    }

    /// The recurrence of one layer backward: `d_above` becomes the gradient of h, the tape's activations become dz.
    fn rewind_layer(&mut self, packs: &Packs<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let recurrent = &packs.layers[layer].recurrent_back;
        let arch = self.arch;
        let tape = &mut self.tapes[layer];
        let state = rows * hidden;
        self.dc.fill(F::zero());
        for t in (0..self.window).rev() {
            let (now, later) = tape.gates[t * rows * columns..].split_at_mut(rows * columns);
            let dh = &mut self.d_above[t * state..][..state];
            if t + 1 < self.window {
                let dz_after = &later[..rows * columns];
                match self.masks.recurrent {
                    None => F::matmul(dz_after, recurrent, true, dh),
                    Some(dropout) => {
                        F::matmul(dz_after, recurrent, false, &mut self.dh);
                        let place = self.masks.place(layer, Kind::Recurrent, 0);
                        dropout.apply(arch, place, self.masks.first_row, hidden, &mut self.dh);
                        dh.iter_mut().zip(&self.dh).for_each(|(sum, &x)| *sum += x);
                    }
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
                    let tanh_c = &tape.tanh_c[t * state..][..state];
                    lstm::backward(self.arch, step, tanh_c, dh, &mut self.dc);
                }
            }
        }
    }
}

/// `sums[j] (+)= sum_n rows[n, j]` for the rows of each id; without ids, of all.
struct Sums<'a, F> {
    rows: &'a [F],
    columns: usize,
    ids: Option<&'a [u16]>,
    sums: &'a mut [F],
}

impl<F: Engine> NullaryFnOnce for Sums<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.sums.fill(F::zero());
        for (index, row) in self.rows.chunks_exact(self.columns).enumerate() {
            let id = self.ids.map_or(0, |ids| usize::from(ids[index]));
            let sums = &mut self.sums[id * self.columns..][..self.columns];
            sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
        }
    }
}

/// `sums[j] = sum_n rows[n, j]`.
fn sum_rows<F: Engine>(arch: Arch, rows: &[F], sums: &mut [F]) {
    let columns = sums.len();
    vectorized(
        arch,
        Sums {
            rows,
            columns,
            ids: None,
            sums,
        },
    );
}

/// The sums of the rows of `rows` ([steps, columns]) that have the same id, in `sums` ([vocab, columns]).
fn scatter_rows<F: Engine>(arch: Arch, rows: &[F], ids: &[u16], columns: usize, sums: &mut [F]) {
    vectorized(
        arch,
        Sums {
            rows,
            columns,
            ids: Some(ids),
            sums,
        },
    );
}
