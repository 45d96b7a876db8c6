//! Backpropagation through time and layers over one window, for a shard of the batch.
//!
//! ```text
//! forward, layer by layer     Z = X W_x + b  (all steps in one product; layer 0: rows of W_x)
//!                             z_t += h_{t-1} W_h;  (h_t, c_t) = cell(z_t, c_{t-1})       t = 0..T
//! head                        logits = H W^T + b;  loss and dlogits                      all steps in one product
//!                             dW += dlogits^T H;  dH = dlogits W
//! backward, top layer first   dh_t = dH_t + dz_{t+1} W_h^T;  dz_t = cell'(dh_t, dc_t)    t = T..0
//!                             dW_h += [h_-1 .. h_T-2]^T dZ;  db += sum dZ;  dW_x += X^T dZ (layer 0: rows added)
//!                             dX = dZ W_x^T = dH of the layer below
//! ```
//! Truncated BPTT: the state after the last step of a window is the state before the first step of the next;
//! gradients stop at the window's start. All buffers are time-major [T, rows, ...] and live as long as the shard.

use pulp::Arch;

use crate::cell::{lstm, rnn};
use crate::gemm::{Matrix, product};
pub use crate::loss::IGNORED;
use crate::loss::softmax_cross_entropy;
use crate::params::{Cell, Params, Role, Shape};
use crate::real::Real;

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
    /// [rows, hidden]: gradients that travel back in time.
    dh: Vec<F>,
    dc: Vec<F>,
    /// [T, rows], time-major: characters in, characters to predict.
    inputs: Vec<u16>,
    targets: Vec<u16>,
    /// Sum of the gradients of the last [`Shard::backward`].
    pub gradient: Params<F>,
}

impl<F: Real> Shard<F> {
    /// Buffers for `rows` streams and windows of `window` steps; the state is zero.
    pub fn new(shape: Shape, rows: usize, window: usize) -> Self {
        let (steps, hidden) = (window * rows, shape.hidden);
        let memory = shape.cell == Cell::Lstm;
        let tape = Tape {
            gates: vec![F::zero(); steps * shape.gate_columns()],
            h: vec![F::zero(); (steps + rows) * hidden],
            c: vec![F::zero(); if memory { (steps + rows) * hidden } else { 0 }],
            tanh_c: vec![F::zero(); if memory { steps * hidden } else { 0 }],
        };
        Self {
            shape,
            rows,
            window,
            arch: Arch::new(),
            tapes: vec![tape; shape.layers],
            logits: vec![F::zero(); steps * shape.vocab],
            d_above: vec![F::zero(); steps * hidden],
            dh: vec![F::zero(); rows * hidden],
            dc: vec![F::zero(); rows * hidden],
            inputs: vec![0; steps],
            targets: vec![0; steps],
            gradient: Params::zeros(shape),
        }
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
    pub fn forward(&mut self, params: &Params<F>, scale: F) -> f64 {
        for layer in 0..self.shape.layers {
            self.input_products(params, layer);
            self.run_layer(params, layer);
        }
        let (steps, hidden, vocab) = (self.window * self.rows, self.shape.hidden, self.shape.vocab);
        let bias = params.tensor(Role::HeadBias, 0);
        self.logits
            .chunks_exact_mut(vocab)
            .for_each(|row| row.copy_from_slice(bias));
        let top = &self.tapes[self.shape.layers - 1].h[self.rows * hidden..];
        let weight = Matrix::new(params.tensor(Role::HeadWeight, 0), vocab, hidden);
        product(
            Matrix::new(top, steps, hidden),
            weight.t(),
            F::one(),
            &mut self.logits,
        );
        softmax_cross_entropy(self.arch, &mut self.logits, &self.targets, scale)
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

    /// `Z = X W_x + b` of every step.
    fn input_products(&mut self, params: &Params<F>, layer: usize) {
        let (columns, hidden) = (self.shape.gate_columns(), self.shape.hidden);
        let (below, here) = self.tapes.split_at_mut(layer);
        let gates = &mut here[0].gates;
        let bias = params.tensor(Role::Bias, layer);
        let input = params.tensor(Role::Input, layer);
        match below.last() {
            None => {
                for (z, &id) in gates.chunks_exact_mut(columns).zip(&self.inputs) {
                    let row = &input[usize::from(id) * columns..][..columns];
                    for ((z, &w), &b) in z.iter_mut().zip(row).zip(bias) {
                        *z = w + b;
                    }
                }
            }
            Some(below) => {
                gates
                    .chunks_exact_mut(columns)
                    .for_each(|z| z.copy_from_slice(bias));
                let x = Matrix::new(
                    &below.h[self.rows * hidden..],
                    self.window * self.rows,
                    hidden,
                );
                product(x, Matrix::new(input, hidden, columns), F::one(), gates);
            }
        }
    }

    /// The recurrence of one layer over the window.
    fn run_layer(&mut self, params: &Params<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let recurrent = Matrix::new(params.tensor(Role::Recurrent, layer), hidden, columns);
        let tape = &mut self.tapes[layer];
        let state = rows * hidden;
        for t in 0..self.window {
            let z = &mut tape.gates[t * rows * columns..][..rows * columns];
            let (before, after) = tape.h[t * state..].split_at_mut(state);
            let h = &mut after[..state];
            product(Matrix::new(before, rows, hidden), recurrent, F::one(), z);
            match self.shape.cell {
                Cell::Rnn => rnn::forward(self.arch, z, h),
                Cell::Lstm => {
                    let (c_before, c_after) = tape.c[t * state..].split_at_mut(state);
                    let tanh_c = &mut tape.tanh_c[t * state..][..state];
                    let step = lstm::Step {
                        hidden,
                        gates: z,
                        c_before,
                    };
                    lstm::forward(self.arch, step, &mut c_after[..state], tanh_c, h);
                }
            }
        }
    }

    /// Backward through the window of the last [`Shard::forward`]; fills [`Shard::gradient`].
    pub fn backward(&mut self, params: &Params<F>) {
        let (steps, hidden, vocab, columns) = (
            self.window * self.rows,
            self.shape.hidden,
            self.shape.vocab,
            self.shape.gate_columns(),
        );
        let zero = F::zero();
        let d_logits = Matrix::new(&self.logits, steps, vocab);
        let top = &self.tapes[self.shape.layers - 1].h[self.rows * hidden..];
        product(
            d_logits.t(),
            Matrix::new(top, steps, hidden),
            zero,
            self.gradient.tensor_mut(Role::HeadWeight, 0),
        );
        sum_rows(&self.logits, self.gradient.tensor_mut(Role::HeadBias, 0));
        product(
            d_logits,
            Matrix::new(params.tensor(Role::HeadWeight, 0), vocab, hidden),
            zero,
            &mut self.d_above,
        );

        for layer in (0..self.shape.layers).rev() {
            self.rewind_layer(params, layer);
            let (below, here) = self.tapes.split_at(layer);
            let dz = &here[0].gates;
            let dz_matrix = Matrix::new(dz, steps, columns);
            let h_before = Matrix::new(&here[0].h[..steps * hidden], steps, hidden);
            product(
                h_before.t(),
                dz_matrix,
                zero,
                self.gradient.tensor_mut(Role::Recurrent, layer),
            );
            sum_rows(dz, self.gradient.tensor_mut(Role::Bias, layer));
            let d_input = self.gradient.tensor_mut(Role::Input, layer);
            match below.last() {
                None => scatter_rows(dz, &self.inputs, columns, d_input),
                Some(below) => {
                    let x = Matrix::new(&below.h[self.rows * hidden..], steps, hidden);
                    product(x.t(), dz_matrix, zero, d_input);
                    let input = Matrix::new(params.tensor(Role::Input, layer), hidden, columns);
                    product(dz_matrix, input.t(), zero, &mut self.d_above);
                }
            }
        }
    }

    /// The recurrence of one layer backward: `d_above` and the tape's activations become dz.
    fn rewind_layer(&mut self, params: &Params<F>, layer: usize) {
        let (columns, hidden, rows) = (self.shape.gate_columns(), self.shape.hidden, self.rows);
        let recurrent = Matrix::new(params.tensor(Role::Recurrent, layer), hidden, columns).t();
        let tape = &mut self.tapes[layer];
        let state = rows * hidden;
        self.dc.fill(F::zero());
        for t in (0..self.window).rev() {
            let (now, later) = tape.gates[t * rows * columns..].split_at_mut(rows * columns);
            self.dh.copy_from_slice(&self.d_above[t * state..][..state]);
            if t + 1 < self.window {
                let dz_after = Matrix::new(&later[..rows * columns], rows, columns);
                product(dz_after, recurrent, F::one(), &mut self.dh);
            }
            match self.shape.cell {
                Cell::Rnn => rnn::backward(
                    self.arch,
                    &tape.h[(t + 1) * state..][..state],
                    &self.dh,
                    now,
                ),
                Cell::Lstm => {
                    let step = lstm::Step {
                        hidden,
                        gates: now,
                        c_before: &tape.c[t * state..][..state],
                    };
                    lstm::backward(
                        self.arch,
                        step,
                        &tape.tanh_c[t * state..][..state],
                        &self.dh,
                        &mut self.dc,
                    );
                }
            }
        }
    }
}

/// `sums[j] = sum_n rows[n, j]`.
fn sum_rows<F: Real>(rows: &[F], sums: &mut [F]) {
    sums.fill(F::zero());
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
    }
}

/// Adds row n of `rows` ([steps, columns]) to row `ids[n]` of `table` ([vocab, columns]), which starts at zero.
fn scatter_rows<F: Real>(rows: &[F], ids: &[u16], columns: usize, table: &mut [F]) {
    table.fill(F::zero());
    for (row, &id) in rows.chunks_exact(columns).zip(ids) {
        let sums = &mut table[usize::from(id) * columns..][..columns];
        sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
    }
}
