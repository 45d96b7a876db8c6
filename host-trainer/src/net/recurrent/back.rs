//! The way back of a recurrent operation over a window.

use super::{Pack, Tape, carried, ids, zero_rows};
use crate::engine::Engine;
use crate::net::common::{Common, Sink, multiply};
use crate::net::device::qat::Reads;
use crate::net::dropout;
use crate::net::params::Params;
use crate::net::sums::{scatter_rows, sum_rows};
use crate::net::tensors::Role;
use crate::net::{cells, gru, step};

impl<F: Engine> Tape<F> {
    /// The recurrence backward: `d`, the gradient of the value, becomes that of h but for what goes
    /// around a GRU's product, the tape's activations become dz, of a GRU dp. `see` is shown every
    /// step before it is taken.
    fn rewind(
        &mut self,
        common: &mut Common<F>,
        pack: &Pack<F>,
        d: &mut [F],
        mut see: impl FnMut(usize, &step::Back<'_, F>),
    ) {
        let (units, rows, arch) = (self.units, common.rows, common.arch);
        let columns = self.kind.gates() * units;
        let state = rows * units;
        let (masks, line_break) = (common.masks, common.line_break);
        // What a cell does not have is empty.
        let (memory, kept) = (state.min(self.c.len()), state.min(self.kept.len()));
        self.dc.fill(F::zero());
        for t in (0..common.window).rev() {
            let (now, later) = self.gates[t * rows * columns..].split_at_mut(rows * columns);
            let dh = &mut d[t * state..][..state];
            if t + 1 < common.window {
                let turned = t % 2 == 1;
                let back = &pack.recurrent.back;
                if self.dh.is_empty() {
                    let dz_after = &later[..rows * columns];
                    let scratch = &mut common.scratch;
                    F::matmul_turned(dz_after, back, turned, true, dh, scratch);
                } else {
                    let sums = &mut self.dh;
                    let dz_after = match &self.made {
                        None => &later[..rows * columns],
                        Some(made) => &made.d_gates[(t + 1) * rows * self.own..][..rows * self.own],
                    };
                    F::matmul_turned(dz_after, back, turned, false, sums, &mut common.scratch);
                    if let Some(made) = &self.made {
                        let through = sums.iter_mut().zip(&made.through);
                        through.for_each(|(sum, &x)| *sum += x);
                    }
                    if let Some(dropout) = masks.recurrent {
                        let place = masks.place(self.layer, dropout::Kind::Recurrent, 0);
                        dropout.apply(arch, place, masks.first_row, units, sums);
                    }
                    let ids_after = ids(&common.tokens, rows, t + 1);
                    zero_rows(ids_after, line_break, sums);
                    zero_rows(ids_after, line_break, &mut self.dc);
                    dh.iter_mut().zip(&*sums).for_each(|(sum, &x)| *sum += x);
                }
            }
            let h_before = &self.h[t * state..][..state];
            let ids = ids(&common.tokens, rows, t);
            let [of_h, of_c] = &mut self.carried;
            let carried_h = carried(h_before, ids, line_break, of_h);
            let c_before = carried(&self.c[t * memory..][..memory], ids, line_break, of_c);
            let seen = match self.seen.is_empty() {
                true => h_before,
                false => &self.seen[t * state..][..state],
            };
            let (through, d_gates, d_candidate) = match &mut self.made {
                None => (&mut [][..], &mut [][..], &mut [][..]),
                Some(made) => {
                    let of_u = made.d_candidate.len() / common.window;
                    (
                        &mut made.through[..],
                        &mut made.d_gates[t * rows * self.own..][..rows * self.own],
                        &mut made.d_candidate[t * of_u..][..of_u],
                    )
                }
            };
            let back = step::Back {
                arch,
                units,
                u: pack.candidate.as_ref().map(|candidate| &candidate.back),
                h: &self.h[(t + 1) * state..][..state],
                seen,
                carried: carried_h,
                c_before,
                dh,
                around: &mut self.dc,
                through,
                gates: now,
                kept: &mut self.kept[t * kept..][..kept],
                d_gates,
                d_candidate,
                scratch: &mut common.scratch,
            };
            see(t, &back);
            cells::backward(self.kind, back);
        }
    }

    /// The window backward without the weights, from the gradient `d` of the value: shows those of
    /// h and c after each step, [rows, units], and fills `dx`, unless it is empty, with that of
    /// what is multiplied.
    pub(in crate::net) fn reach(
        &mut self,
        common: &mut Common<F>,
        pack: &Pack<F>,
        (d, dx): (&mut [F], &mut [F]),
        mut see: impl FnMut(usize, &[F], &[F]),
    ) {
        let kind = self.kind;
        self.rewind(common, pack, d, |t, back| {
            let (dh, dc) = cells::of_states(kind, back);
            see(t, &dh, &dc);
        });
        let Some(input) = pack.input.as_ref().filter(|_| !dx.is_empty()) else {
            return;
        };
        if !pack.recurrent_bias.is_empty() {
            gru::swap(&mut self.gates, &mut self.kept, self.units);
        }
        F::matmul(&self.gates, &input.back, false, dx, &mut common.scratch);
    }

    /// The window backward, from the gradient `d` of the value: fills the operation's part of
    /// `gradient` and `dx`. `reads` says what the numbers stand for that matrices read, of a net
    /// that is trained for integers.
    pub(in crate::net) fn backward(
        &mut self,
        common: &mut Common<F>,
        pack: &Pack<F>,
        (x, d): (&[F], &mut [F]),
        (gradient, index): (&mut Params<F>, usize),
        (dx, reads): (Option<Sink<'_, F>>, Option<&Reads<F>>),
    ) {
        let (units, arch) = (self.units, common.arch);
        let columns = self.kind.gates() * units;
        let state = common.rows * units;
        if let Some(dropout) = common.masks.output {
            for (t, dh) in d.chunks_exact_mut(state).enumerate() {
                let place = common.masks.place(self.layer, dropout::Kind::Output, t);
                dropout.apply(arch, place, common.masks.first_row, units, dh);
            }
        }
        self.rewind(common, pack, d, |_, _| {});
        let seen = (self.seen(state), units);
        let d_recurrent = gradient.tensor_mut(index, Role::Recurrent);
        if let Some(made) = &self.made {
            let d_gates = (&made.d_gates[..], self.own);
            F::outer(seen, d_gates, false, d_recurrent, &mut common.scratch);
            let d_candidate = gradient.tensor_mut(index, Role::Candidate);
            let of_q = (&made.d_candidate[..], d_candidate.len() / units);
            let q = (&made.q[..], units);
            F::outer(q, of_q, false, d_candidate, &mut common.scratch);
        } else {
            let dp = (&self.gates[..], columns);
            F::outer(seen, dp, false, d_recurrent, &mut common.scratch);
            // A relu's h may stand for more than it is.
            multiply(d_recurrent, reads.map_or(1.0, |reads| reads.own));
            let d_bias = gradient.tensor_mut(index, Role::RecurrentBias);
            if !d_bias.is_empty() {
                gru::swap(&mut self.gates, &mut self.kept, units);
                sum_rows(arch, &self.kept, false, d_bias);
            }
        }
        let dz = (&self.gates[..], columns);
        if self.reads_token {
            let d_rows = gradient.tensor_mut(index, Role::Rows);
            scatter_rows(arch, dz.0, false, &common.tokens, columns, d_rows);
            // Every dz was added to one row: the rows' sum is that of all dz.
            let (d_rows, d_bias) = gradient.rows_and_bias(index);
            sum_rows(arch, d_rows, false, d_bias);
        } else {
            let d_bias = gradient.tensor_mut(index, Role::Bias);
            sum_rows(arch, dz.0, false, d_bias);
        }
        let Some(input) = &pack.input else {
            return;
        };
        let d_input = gradient.tensor_mut(index, Role::Input);
        let inputs = d_input.len() / columns;
        F::outer((x, inputs), dz, false, d_input, &mut common.scratch);
        if let Some(reads) = reads {
            reads.by_rows(d_input);
        }
        if let Some(Sink { dx, add }) = dx {
            F::matmul(dz.0, &input.back, add, dx, &mut common.scratch);
        }
    }
}
