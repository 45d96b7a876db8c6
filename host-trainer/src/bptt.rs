//! Backpropagation through time and layers over one window, for a shard of the batch.
//!
//! ```text
//! embedding                   X = rows of T                                              if the net has one
//! forward, layer by layer     Z = X W_x + b  (all steps in one product; without an embedding, layer 0: rows of W_x + b,
//!                             in the step itself)
//!                             z_t += h_{t-1} W_h;  (h_t, c_t) = cell(z_t, c_{t-1})       t = 0..T
//!                             a GRU: p_t = h_{t-1} W_h;  h_t = cell(z_t, p_t, h_{t-1})
//! projection                  P = H W_p^T + b_p                                          if the net has one; else P = H
//! head, in blocks of steps    logits = P W^T + b;  loss and dlogits
//!                             dW += dlogits^T P;  dP = dlogits W
//! backward                    dW_p = dP^T H;  dH = dP W_p
//! top layer first   dh_t = dH_t + dz_{t+1} W_h^T;  dz_t = cell'(dh_t, dc_t)    t = T..0
//!                             dW_h = [h_-1 .. h_T-2]^T dZ;  db = sum dZ;  dW_x = X^T dZ (layer 0: rows added)
//!                             dX = dZ W_x^T = dH of the layer below; of layer 0: added to the rows of dT
//!                             a GRU: dP in place of dZ for W_h, and dh_t += dh_{t+1} z_{t+1} around the product
//! ```
//! The logits of a window of thousands of words would be its largest buffer by far. So the head goes through it in
//! blocks, and each block's gradients are taken while its logits are there. A tied head's dW is where dT is added to.
//!
//! With dropout, what goes up is `m_t h_t` and what goes on in time `m h_{t-1}`; on the way back the same masks multiply
//! dH and the part of dh_t that came through W_h. The carried state is whole, also as a GRU's z keeps it.
//!
//! Of a text of lines every line is a sequence by itself: where the token of step t is the line break, (h, c)_{t-1} is zero to
//! that step, and no gradient goes back from it in time.
//!
//! Truncated BPTT: the state after the last step of a window is the state before the first step of the next;
//! gradients stop at the window's start. All buffers are time-major [T, rows, ...] and live as long as the shard:
//! a window allocates nothing.

mod recurrence;

use pulp::Arch;

use self::recurrence::Tape;
use crate::cell::gru;
use crate::dropout::{Dropout, Kind, Masks};
use crate::engine::Engine;
pub use crate::loss::IGNORED;
use crate::loss::softmax_cross_entropy;
use crate::memory::Memory;
use crate::packs::Packs;
use crate::params::{Cell, Params, Role, Shape};
use crate::sums::{scatter_rows, sum_rows};

/// Logits that are held at a time, at most (one step of a shard's rows is the least): 4 MiB in f32, and the gradient's
/// scratch has as many. A net of characters has fewer in a whole window, and then one block.
const BLOCK_LOGITS: usize = 1 << 20;

/// The gradient of weights whose operands stand for `range` times as much as they are.
fn multiply<F: Engine>(gradient: &mut [F], range: f32) {
    let range = F::from_f64(range.into());
    gradient.iter_mut().for_each(|g| *g *= range);
}

/// `rows` streams of the batch, with their state, their buffers and their share of the gradient.
#[derive(Clone, Debug)]
pub struct Shard<F: Engine> {
    shape: Shape,
    rows: usize,
    window: usize,
    arch: Arch,
    tapes: Vec<Tape<F>>,
    /// [T, rows, embedding]: rows of the table; empty without one.
    embedded: Vec<F>,
    d_embedded: Vec<F>,
    /// [T, rows, projection]: what the head reads; empty without one.
    projected: Vec<F>,
    d_projected: Vec<F>,
    /// [block, vocab]: logits, then their gradient.
    logits: Vec<F>,
    /// Rows of a block.
    block: usize,
    /// [T, rows, hidden]: gradient of the layer's outputs.
    d_above: Memory<F>,
    /// [rows, hidden]: gradient that does not come through W_h on its way back in time: that of c, or of a GRU's h.
    dc: Vec<F>,
    /// [rows, gates*hidden]: the recurrent product of a GRU's step; else empty.
    product: Vec<F>,
    /// [rows, hidden]: h before a GRU's step, zero before a line; empty when that is h itself.
    carried: Vec<F>,
    /// [rows, hidden]: what comes back through W_h, when not all of it goes on; else empty.
    dh: Vec<F>,
    masks: Masks,
    /// The token before which the state is zero, in a text of lines.
    line_break: Option<u16>,
    /// Whether products read fewer bits of h than are carried: of a GRU that is trained for integers.
    narrow: bool,
    /// What the products need.
    scratch: Memory<F>,
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
        let numbers = |wanted: bool, count: usize| if wanted { count } else { 0 };
        let (memory, keeps) = (shape.cell.has_memory(), shape.cell.keeps());
        let apart = shape.cell == Cell::Gru;
        let tape = Tape {
            gates: Memory::zeroed(steps * shape.gate_columns()),
            h: Memory::zeroed((steps + rows) * hidden),
            c: Memory::zeroed(numbers(memory, (steps + rows) * hidden)),
            kept: Memory::zeroed(numbers(keeps, steps * hidden)),
            dropped: Vec::new(),
            seen: Vec::new(),
        };
        let fitting = (BLOCK_LOGITS / (rows * shape.vocab).max(1)).max(1);
        let block = rows * fitting.min(window);
        let inner = hidden.max(shape.embedding).max(shape.projection);
        let widest = shape.gate_columns().max(inner);
        let scratch = F::outer_scratch(steps, inner)
            .max(F::outer_scratch(block, shape.vocab))
            .max(F::matmul_scratch(steps, widest))
            .max(F::matmul_scratch(block, shape.vocab));
        let room = |width: usize| vec![F::zero(); steps * width];
        Self {
            shape,
            rows,
            window,
            arch: Arch::new(),
            tapes: vec![tape; shape.layers],
            embedded: room(shape.embedding),
            d_embedded: room(shape.embedding),
            projected: room(shape.projection),
            d_projected: room(shape.projection),
            logits: vec![F::zero(); block * shape.vocab],
            block,
            d_above: Memory::zeroed(steps * hidden),
            dc: vec![F::zero(); rows * hidden],
            product: vec![F::zero(); numbers(apart, rows * shape.gate_columns())],
            carried: Vec::new(),
            dh: Vec::new(),
            masks: Masks::default(),
            line_break: None,
            narrow: false,
            scratch: Memory::zeroed(scratch),
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
        self.make_room();
    }

    /// From now on the state is zero before every step of this token.
    pub fn break_lines(&mut self, line_break: Option<u16>) {
        self.line_break = line_break;
        self.make_room();
    }

    /// Room for states that are not seen as they are.
    fn make_room(&mut self) {
        let (state, window) = (self.rows * self.shape.hidden, self.window);
        let room =
            |wanted: bool, steps: usize| vec![F::zero(); if wanted { steps * state } else { 0 }];
        let recurrent = self.masks.recurrent.is_some() || self.line_break.is_some();
        for tape in &mut self.tapes {
            tape.dropped = room(self.masks.output.is_some() || self.narrow, window);
            tape.seen = room(recurrent || self.narrow, window);
        }
        self.dh = room(recurrent, 1);
        let lines = self.line_break.is_some();
        self.carried = room(lines && self.shape.cell == Cell::Gru, 1);
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

    /// Runs the window forward. For a `scale` other than 0 it leaves the head's part of the gradient of `scale` times the
    /// loss, for [`Shard::backward`].
    ///
    /// Returns the sum of the losses in nats.
    pub fn forward(&mut self, packs: &Packs<F>, scale: F) -> f64 {
        let narrow = packs.aware.is_some() && self.shape.cell == Cell::Gru;
        if narrow != self.narrow {
            self.narrow = narrow;
            self.make_room();
        }
        let width = self.shape.embedding.max(1);
        for (to, &id) in self.embedded.chunks_exact_mut(width).zip(&self.inputs) {
            to.copy_from_slice(&packs.embedding[usize::from(id) * width..][..width]);
        }
        for layer in 0..self.shape.layers {
            self.run_layer(packs, layer);
        }
        if let Some(projection) = &packs.projection {
            let top = self.tapes[self.shape.layers - 1].output(self.rows * self.shape.hidden);
            let device = packs.aware.as_ref().and_then(|a| a.projection.as_ref());
            match device {
                None => projection.apply(top, &mut self.projected, &mut self.scratch),
                Some(device) => {
                    device.project(self.arch, top, &mut self.projected, &mut self.scratch);
                }
            }
        }
        self.run_head(packs, scale)
    }

    /// The head over the window, and for a `scale` other than 0 its gradients and that of what it reads.
    fn run_head(&mut self, packs: &Packs<F>, scale: F) -> f64 {
        let (vocab, width, arch) = (self.shape.vocab, self.shape.head_inputs(), self.arch);
        let last = &self.tapes[self.shape.layers - 1];
        let (read, d_read) = match self.projected.is_empty() {
            true => (
                last.output(self.rows * self.shape.hidden),
                &mut self.d_above[..],
            ),
            false => (&self.projected[..], &mut self.d_projected[..]),
        };
        let blocks = read.chunks(self.block * width).zip(
            d_read
                .chunks_mut(self.block * width)
                .zip(self.targets.chunks(self.block)),
        );
        let mut loss = 0.0;
        for (index, (x, (dx, targets))) in blocks.enumerate() {
            let logits = &mut self.logits[..targets.len() * vocab];
            match &packs.aware {
                None => packs.head.apply(x, logits, &mut self.scratch),
                Some(aware) => aware.head.logits(arch, x, logits, &mut self.scratch),
            }
            loss += softmax_cross_entropy(arch, logits, targets, scale, self.label_smoothing);
            if scale != F::zero() {
                let add = index > 0;
                let d_weight = self.gradient.tensor_mut(Role::HeadWeight, 0);
                let scratch = &mut self.scratch;
                F::outer((logits, vocab), (x, width), add, d_weight, scratch);
                let d_bias = self.gradient.tensor_mut(Role::HeadBias, 0);
                sum_rows(arch, logits, add, d_bias);
                F::matmul(logits, &packs.head.back, false, dx, scratch);
            }
        }
        if let Some(aware) = packs.aware.as_ref().filter(|_| !self.projected.is_empty()) {
            let d_weight = self.gradient.tensor_mut(Role::HeadWeight, 0);
            multiply(d_weight, aware.scheme.ranges.projection);
        }
        loss
    }

    /// [T, rows, vocab], between [`Shard::forward`] and [`Shard::backward`] and after both: the gradient of the logits,
    /// `scale * (p - q)` with the probabilities p and what was asked for q; zero where nothing was.
    pub fn logit_gradients(&self) -> &[F] {
        &self.logits
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

    /// Backward through the window of the last [`Shard::forward`], whose scale was not 0; fills [`Shard::gradient`].
    pub fn backward(&mut self, packs: &Packs<F>) {
        let (hidden, columns) = (self.shape.hidden, self.shape.gate_columns());
        let (state, arch) = (self.rows * hidden, self.arch);
        if let Some(projection) = &packs.projection {
            let top = self.tapes[self.shape.layers - 1].output(state);
            let d_out = (&self.d_projected[..], self.shape.projection);
            let d_weight = self.gradient.tensor_mut(Role::Projection, 0);
            F::outer(d_out, (top, hidden), false, d_weight, &mut self.scratch);
            let d_bias = self.gradient.tensor_mut(Role::ProjectionBias, 0);
            sum_rows(arch, d_out.0, false, d_bias);
            let scratch = &mut self.scratch;
            F::matmul(d_out.0, &projection.back, false, &mut self.d_above, scratch);
        }

        for layer in (0..self.shape.layers).rev() {
            if let Some(dropout) = self.masks.output {
                for (t, dh) in self.d_above.chunks_exact_mut(state).enumerate() {
                    let place = self.masks.place(layer, Kind::Output, t);
                    dropout.apply(arch, place, self.masks.first_row, hidden, dh);
                }
            }
            self.rewind_layer(packs, layer);
            let (below, here) = self.tapes.split_at_mut(layer);
            let here = &mut here[0];
            let h_before = (here.before(state), hidden);
            let d_recurrent = self.gradient.tensor_mut(Role::Recurrent, layer);
            let dp = (&here.gates[..], columns);
            F::outer(h_before, dp, false, d_recurrent, &mut self.scratch);
            if self.shape.cell == Cell::Gru {
                gru::swap(&mut here.gates, &mut here.kept, hidden);
                let d_bias = self.gradient.tensor_mut(Role::RecurrentBias, layer);
                sum_rows(arch, &here.kept, false, d_bias);
            }
            let dz = (&here.gates[..], columns);
            let d_input = self.gradient.tensor_mut(Role::Input, layer);
            let Some((_, back)) = &packs.layers[layer].input else {
                scatter_rows(arch, dz.0, false, &self.inputs, columns, d_input);
                // Every dz was added to one row: the rows' sum is that of all dz.
                let (d_input, d_bias) = self.gradient.first_input_and_bias();
                sum_rows(arch, d_input, false, d_bias);
                continue;
            };
            let (x, dx) = match below.last() {
                Some(below) => ((below.output(state), hidden), &mut self.d_above[..]),
                None => (
                    (&self.embedded[..], self.shape.embedding),
                    &mut self.d_embedded[..],
                ),
            };
            F::outer(x, dz, false, d_input, &mut self.scratch);
            if let Some(aware) = packs.aware.as_ref().filter(|_| layer == 0) {
                multiply(d_input, aware.scheme.ranges.embedding);
            }
            let d_bias = self.gradient.tensor_mut(Role::Bias, layer);
            sum_rows(arch, dz.0, false, d_bias);
            F::matmul(dz.0, back, false, dx, &mut self.scratch);
            if layer == 0 {
                // What a tied head wants of the table is there already.
                let d_table = self.gradient.tensor_mut(Role::Embedding, 0);
                let (add, width) = (self.shape.tied, self.shape.embedding);
                scatter_rows(arch, dx, add, &self.inputs, width, d_table);
            }
        }
    }
}
