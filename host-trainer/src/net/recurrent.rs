//! A recurrent operation over a window, step by step: the way forward, the way back, and what is
//! kept between them.
//!
//! ```text
//! forward    Z = X W_x + b  (all steps in one product; of a token rows of V + b, in the step itself)
//!            z_t += h_{t-1} W_h;  (h_t, c_t) = cell(z_t, c_{t-1})              t = 0..T
//!            a GRU: p_t = h_{t-1} W_h;  h_t = cell(z_t, p_t, h_{t-1})
//! backward   dh_t = dH_t + dz_{t+1} W_h^T;  dz_t = cell'(dh_t, dc_t)           t = T..0
//!            dW_h = [h_-1 .. h_T-2]^T dZ;  db = sum dZ;  dW_x = X^T dZ;  dV[id] += dz;  dX = dZ W_x^T
//!            a GRU: dP in place of dZ for W_h, and dh_t += dh_{t+1} z_{t+1} around the product
//! ```

mod back;
mod cut;

use gatelet::net::{Kind, Precision};

use super::cells;
use super::common::Common;
use super::packs::Recurrent as Pack;
use super::step;
use crate::engine::{Engine, Fused, TapeStep};
use crate::memory::Memory;
use crate::net::device::qat;
use crate::net::dropout;

/// Zeroes the rows of `state`, [rows, units], whose token is the line break.
fn zero_rows<F: Engine>(ids: &[u16], line_break: Option<u16>, state: &mut [F]) {
    let Some(line_break) = line_break else {
        return;
    };
    // Without a cell state there is nothing to zero.
    let units = state.len() / ids.len();
    for (row, _) in ids.iter().enumerate().filter(|&(_, &id)| id == line_break) {
        state[row * units..][..units].fill(F::zero());
    }
}

/// A state before a step that no product reads, a GRU's h or an LSTM's c: zero before a line, in
/// `room`; `room` is empty when it is the state itself.
fn carried<'a, F: Engine>(
    before: &'a [F],
    ids: &[u16],
    line_break: Option<u16>,
    room: &'a mut [F],
) -> &'a [F] {
    if room.is_empty() {
        return before;
    }
    room.copy_from_slice(before);
    zero_rows(ids, line_break, room);
    room
}

/// The tokens of step `t`; none where the net is given features.
fn ids(tokens: &[u16], rows: usize, t: usize) -> &[u16] {
    match tokens.is_empty() {
        true => &[],
        false => &tokens[t * rows..][..rows],
    }
}

/// What a cell keeps besides that multiplies something made of h; empty for others.
#[derive(Clone, Debug)]
struct Made<F: Engine> {
    /// [T, rows, units]: what it made of h.
    q: Memory<F>,
    /// [T, rows, own*units] and [T, rows, made*units]: the gradients of h W_h and of q U.
    d_gates: Memory<F>,
    d_candidate: Memory<F>,
    /// [rows, units]: what comes back to h by q.
    through: Vec<F>,
}

/// A recurrent operation's window.
#[derive(Clone, Debug)]
pub(super) struct Tape<F: Engine> {
    kind: Kind,
    units: usize,
    rows: usize,
    /// Its number among the recurrent operations, which its masks are made of.
    layer: usize,
    reads_token: bool,
    /// [T, rows, gates*units]: activations, then dz; of a GRU dp first.
    pub(super) gates: Memory<F>,
    /// [T + 1, rows, units]: h before the window, then after each step.
    pub(super) h: Memory<F>,
    /// [T + 1, rows, units]: the same for c; empty without a cell state.
    pub(super) c: Memory<F>,
    /// [T, rows, units]: tanh(c) of an LSTM, u of a GRU; else empty.
    pub(super) kept: Memory<F>,
    /// [T, rows, units]: h as other operations see it; empty when that is h itself.
    dropped: Vec<F>,
    /// [T, rows, units]: h as the next step's product sees it, without what is dropped, and zero
    /// before a line; empty when that is h itself.
    seen: Vec<F>,
    /// [rows, units]: gradient that does not come through W_h on its way back in time: that of c,
    /// or of a GRU's h.
    dc: Vec<F>,
    /// [rows, gates*units]: the recurrent product of a GRU's step; else empty.
    product: Vec<F>,
    /// [rows, units] each: h before a GRU's step and c before an LSTM's, zero before a line; empty
    /// when that is the state itself.
    carried: [Vec<F>; 2],
    /// [rows, units]: what comes back through W_h, when not all of it goes on; else empty.
    dh: Vec<F>,
    made: Option<Made<F>>,
    /// Whether h goes around the products, as a GRU's.
    mixes: bool,
    /// Numbers that `W_h` makes for a stream.
    own: usize,
    /// h and c to begin with, [units] each; empty for zeros.
    start: (Vec<F>, Vec<F>),
}

impl<F: Engine> Tape<F> {
    /// Room for a window of `steps` steps of `rows` streams.
    pub(super) fn new(
        kind: Kind,
        layer: usize,
        reads_token: bool,
        (steps, rows): (usize, usize),
    ) -> Self {
        let (units, all) = (kind.units(), steps * rows);
        let numbers = |wanted: bool, count: usize| if wanted { count } else { 0 };
        let form = kind.cell();
        let c = form.is_some_and(|form| form.carries(Precision::F32));
        let bias = form.is_some_and(|form| form.bias > 0);
        let mixes = form.is_some_and(|form| form.matrices[1].is_some());
        let [own, made] = form.map_or([0; 2], |form| form.own_rows());
        Self {
            kind,
            units,
            rows,
            layer,
            reads_token,
            gates: Memory::zeroed(all * kind.gates() * units),
            h: Memory::zeroed((all + rows) * units),
            c: Memory::zeroed(numbers(c, (all + rows) * units)),
            kept: Memory::zeroed(numbers(c || bias, all * units)),
            dropped: Vec::new(),
            seen: Vec::new(),
            dc: vec![F::zero(); rows * units],
            product: vec![F::zero(); numbers(mixes, rows * kind.gates() * units)],
            carried: Default::default(),
            dh: vec![F::zero(); numbers(made > 0, rows * units)],
            made: (made > 0).then(|| Made {
                q: Memory::zeroed(all * units),
                d_gates: Memory::zeroed(all * own * units),
                d_candidate: Memory::zeroed(all * made * units),
                through: vec![F::zero(); rows * units],
            }),
            mixes,
            own: own * units,
            start: Default::default(),
        }
    }

    /// The cell that the recorded step has in one piece.
    fn fused(&self) -> Option<Fused> {
        Fused::of(self.kind)
    }

    /// The candidates, the last gates, that an h is drawn to which nothing bounds: after the way
    /// forward, `[units]` a time; of another cell none.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &[F]> {
        let unbounded = self.kind.cell().is_some_and(|form| form.unbounded);
        let relu = unbounded && self.mixes;
        let steps = self.gates.chunks_exact(self.kind.gates() * self.units);
        let first = (self.kind.gates() - 1) * self.units;
        steps
            .filter(move |_| relu)
            .map(move |gates| &gates[first..])
    }

    /// Room for states that are not seen as they are; `narrow` says that products read fewer bits
    /// of h than are carried.
    pub(super) fn make_room(&mut self, common: &Common<F>, narrow: bool) {
        let state = common.rows * self.units;
        let room =
            |wanted: bool, steps: usize| vec![F::zero(); if wanted { steps * state } else { 0 }];
        let lines = common.line_break.is_some();
        let recurrent = common.masks.recurrent.is_some() || lines;
        let narrow = narrow && self.mixes;
        self.dropped = room(common.masks.output.is_some() || narrow, common.window);
        self.seen = room(recurrent || narrow, common.window);
        self.dh = room(recurrent || self.made.is_some(), 1);
        let memory = !self.c.is_empty();
        self.carried = [self.mixes, memory].map(|wanted| room(lines && wanted, 1));
    }

    /// Begins with this h and c, `[units]` each, after a reset.
    pub(super) fn start_from(&mut self, h: &[F], c: &[F]) {
        self.start = (h.to_vec(), c.to_vec());
    }

    /// The state before the window is that to begin with.
    pub(super) fn reset(&mut self) {
        let state = self.rows * self.units;
        let memory = state.min(self.c.len());
        let parts = [
            (&mut self.h[..state], &self.start.0),
            (&mut self.c[..memory], &self.start.1),
        ];
        for (state, start) in parts {
            match start.is_empty() {
                true => state.fill(F::zero()),
                false => {
                    let rows = state.chunks_exact_mut(start.len());
                    rows.for_each(|row| row.copy_from_slice(start));
                }
            }
        }
    }

    /// The state after the window becomes that before the next one.
    pub(super) fn carry(&mut self) {
        let state = self.rows * self.units;
        let end = self.h.len() - state;
        self.h.copy_within(end.., 0);
        if !self.c.is_empty() {
            self.c.copy_within(end.., 0);
        }
    }

    /// [T, rows, units]: what other operations see.
    pub(super) fn output(&self) -> &[F] {
        match self.dropped.is_empty() {
            true => &self.h[self.rows * self.units..],
            false => &self.dropped,
        }
    }

    /// [T, rows, gates*units]: activations of the window; of an RNN its sums.
    pub(super) fn gates(&self) -> &[F] {
        &self.gates
    }

    /// h and c before the window, [rows, units] each; c is empty for a cell without one.
    pub(super) fn state(&self) -> (&[F], &[F]) {
        let state = self.rows * self.units;
        (&self.h[..state], &self.c[..state.min(self.c.len())])
    }

    /// [T, rows, units]: c of an LSTM after each step; else empty.
    pub(super) fn memory(&self) -> &[F] {
        match self.kind {
            Kind::Lstm { .. } => &self.c[self.rows * self.units..],
            _ => &[],
        }
    }

    /// h and c before the window, to change.
    pub(super) fn state_mut(&mut self) -> (&mut [F], &mut [F]) {
        let state = self.rows * self.units;
        let memory = state.min(self.c.len());
        (&mut self.h[..state], &mut self.c[..memory])
    }

    /// [T, rows, units]: what the recurrent product sees.
    fn seen(&self, state: usize) -> &[F] {
        match self.seen.is_empty() {
            true => &self.h[..self.h.len() - state],
            false => &self.seen,
        }
    }

    /// Fills `gates` with what does not wait for h; of tokens alone nothing.
    fn read(&mut self, common: &mut Common<F>, pack: &Pack<F>, input: &F::Packed, x: &[F]) {
        let columns = self.kind.gates() * self.units;
        let sums = self.gates.chunks_exact_mut(columns);
        match self.reads_token {
            false => sums.for_each(|z| z.copy_from_slice(&pack.rows)),
            true => {
                for (z, &id) in sums.zip(&common.tokens) {
                    z.copy_from_slice(&pack.rows[usize::from(id) * columns..][..columns]);
                }
            }
        }
        F::matmul(x, input, true, &mut self.gates, &mut common.scratch);
    }

    /// The window forward. `qat` has the integers of a net that is trained for them, of which a
    /// GRU is `narrow`; `second` are the second columns of features.
    pub(super) fn forward(
        &mut self,
        common: &mut Common<F>,
        pack: &Pack<F>,
        qat: Option<&qat::Recurrent<F>>,
        (x, second): (&[F], &[F]),
    ) {
        let (units, rows, arch) = (self.units, common.rows, common.arch);
        let columns = self.kind.gates() * units;
        let state = rows * units;
        let (masks, line_break) = (common.masks, common.line_break);
        let narrow = qat.is_some() && self.mixes;
        match (qat, &pack.input) {
            (Some(qat), _) => {
                if let Some(input) = &qat.input {
                    input.apply((x, second), &mut self.gates, &mut common.scratch);
                }
            }
            (None, Some(input)) => self.read(common, pack, &input.forward, x),
            (None, None) => {}
        }
        // What a cell does not have is empty.
        let (memory, kept) = (state.min(self.c.len()), state.min(self.kept.len()));
        let fused = self.fused();
        for t in 0..common.window {
            let (h_before, h) = self.h[t * state..][..2 * state].split_at_mut(state);
            let (c_before, c) = self.c[t * memory..][..2 * memory].split_at_mut(memory);
            let ids = ids(&common.tokens, rows, t);
            let [of_h, of_c] = &mut self.carried;
            let c_before = carried(c_before, ids, line_break, of_c);
            let mut seen = &*h_before;
            if !self.seen.is_empty() {
                let part = &mut self.seen[t * state..][..state];
                part.copy_from_slice(h_before);
                if narrow {
                    qat::read(arch, part);
                }
                if let Some(dropout) = masks.recurrent {
                    let place = masks.place(self.layer, dropout::Kind::Recurrent, 0);
                    dropout.apply(arch, place, masks.first_row, units, part);
                }
                zero_rows(ids, line_break, part);
                seen = part;
            }
            let carried = carried(h_before, ids, line_break, of_h);
            let gates = &mut self.gates[t * rows * columns..][..rows * columns];
            if let Some(layer) = qat {
                let (add, sums) = match (narrow, &self.made) {
                    (false, _) => (layer.input.is_some(), &mut *gates),
                    (true, None) => (false, &mut self.product[..]),
                    (true, Some(_)) => (false, &mut self.product[..2 * state]),
                };
                F::matmul(seen, &layer.recurrent, add, sums, &mut common.scratch);
                let step = qat::Step {
                    by: layer,
                    ids: self.reads_token.then_some(ids),
                    gates,
                    product: &mut self.product,
                    carried,
                    c_before,
                    c,
                    kept: match &mut self.made {
                        None => &mut self.kept[t * kept..][..kept],
                        Some(made) => &mut made.q[t * state..][..state],
                    },
                    h,
                    scratch: &mut common.scratch,
                };
                step.run(arch);
                continue;
            }
            let table = pack.input.is_none().then_some((&pack.rows[..], ids));
            if let Some(cell) = fused {
                let step = TapeStep {
                    cell,
                    hidden: units,
                    rows: table,
                    h_before: seen,
                    carried,
                    bias: &pack.recurrent_bias,
                    c_before,
                    gates,
                    product: &mut self.product,
                    c,
                    kept: &mut self.kept[t * kept..][..kept],
                    h,
                    scratch: &mut common.scratch,
                };
                F::step(&pack.recurrent.forward, step);
                continue;
            }
            if let Some((table, ids)) = table {
                for (z, &id) in gates.chunks_exact_mut(columns).zip(ids) {
                    z.copy_from_slice(&table[usize::from(id) * columns..][..columns]);
                }
            }
            let q = self.made.as_mut();
            let step = step::Step {
                arch,
                units,
                w: &pack.recurrent.forward,
                u: pack.candidate.as_ref().map(|candidate| &candidate.forward),
                bias: &pack.recurrent_bias,
                seen,
                carried,
                c_before,
                gates,
                product: &mut self.product,
                c,
                kept: &mut self.kept[t * kept..][..kept],
                q: q.map_or(&mut [][..], |made| &mut made.q[t * state..][..state]),
                h,
                scratch: &mut common.scratch,
            };
            cells::forward(self.kind, step);
        }
        if !self.dropped.is_empty() {
            self.dropped.copy_from_slice(&self.h[state..]);
        }
        if narrow {
            qat::read(arch, &mut self.dropped);
        }
        if let Some(dropout) = masks.output {
            for (t, h) in self.dropped.chunks_exact_mut(state).enumerate() {
                let place = masks.place(self.layer, dropout::Kind::Output, t);
                dropout.apply(arch, place, masks.first_row, units, h);
            }
        }
    }
}
