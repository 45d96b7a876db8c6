//! The device's forward pass on the tape: sums of products, which were taken in real numbers, to
//! states and values.

use gatelet::kernel::integer::{
    activate_int8, lstm_unit_of, preactivation, projected, relu_int8, requantize, rnn_int8,
};
use gatelet::net::{Activation, Kind, Reset, RnnActivation};
use pulp::{Arch, NullaryFnOnce};

use super::gru;
use super::requantize::{Requantize, power, real, sum};
use crate::engine::{Engine, Packed};
use crate::net::device::integers::Integers;
use crate::net::device::units::HEAD_UNIT;

/// A product of what an operation reads, and of the second columns of features that are doubled.
#[derive(Clone, Debug)]
pub(crate) struct Input<F: Engine> {
    /// q: [inputs, columns].
    pub(super) first: F::Packed,
    /// q: [second columns, columns].
    pub(super) second: Option<F::Packed>,
}

impl<F: Engine> Input<F> {
    /// Room for one.
    pub(super) fn new(inputs: usize, doubled: usize, columns: usize) -> Self {
        Self {
            first: F::Packed::new(inputs, columns, false),
            second: (doubled > 0).then(|| F::Packed::new(doubled, columns, false)),
        }
    }

    /// Sums over rows of what is read; `second`: [steps, second columns].
    pub(crate) fn apply(&self, (x, second): (&[F], &[F]), sums: &mut [F], scratch: &mut [F]) {
        F::matmul(x, &self.first, false, sums, scratch);
        if let Some(packed) = &self.second {
            F::matmul(second, packed, true, sums, scratch);
        }
    }
}

/// A dense operation in integers.
#[derive(Clone, Debug)]
pub(crate) struct Dense<F: Engine> {
    pub(super) input: Input<F>,
    pub(super) activation: Activation,
    /// [units], Q15.16
    pub(super) bias: Vec<i32>,
    /// [units]
    pub(super) multipliers: Vec<i32>,
    pub(super) shift: u32,
    /// What its numbers are multiplied by.
    pub(super) step: f64,
}

impl<F: Engine> Dense<F> {
    /// Takes bias and multipliers.
    pub(super) fn take(&mut self, int: &Integers) {
        self.bias.copy_from_slice(&int.bias);
        self.multipliers
            .copy_from_slice(&int.matrices[0].multipliers);
        self.shift = int.matrices[0].shift.into();
    }

    /// The sums of rows of `x` in Q15.16, before the activation; `room` as many real numbers.
    pub(crate) fn sums(
        &self,
        x: (&[F], &[F]),
        room: &mut [F],
        sums: &mut Vec<i32>,
        scratch: &mut [F],
    ) {
        self.input.apply(x, room, scratch);
        sums.clear();
        for row in room.chunks_exact(self.bias.len()) {
            let scales = self.bias.iter().zip(&self.multipliers);
            let all = row.iter().zip(scales);
            sums.extend(all.map(|(&x, (&b, &m))| b + requantize(sum(x), m, self.shift)));
        }
    }

    /// What the sums of rows of `x` stand for, where there is no activation: logits.
    pub(crate) fn logits(&self, arch: Arch, x: (&[F], &[F]), logits: &mut [F], scratch: &mut [F]) {
        self.input.apply(x, logits, scratch);
        arch.dispatch(Logits(self, logits));
    }

    /// What sums stand for, before the activation.
    pub(crate) fn reals(&self, sums: &[i32], to: &mut [F]) {
        let by = self.step / HEAD_UNIT;
        let pairs = to.iter_mut().zip(sums);
        pairs.for_each(|(to, &s)| *to = F::from_f64(f64::from(s) * by));
    }

    /// What the device gives out, if that is not the sums: activated.
    pub(crate) fn given(&self, sums: &[i32], to: &mut [F]) {
        let by = self.step / HEAD_UNIT;
        for (to, &s) in to.iter_mut().zip(sums) {
            *to = F::from_f64(f64::from(activate_int8(self.activation, s)) * by);
        }
    }

    /// What other operations read.
    pub(crate) fn value(&self, sums: &[i32], to: &mut [F]) {
        for (to, &s) in to.iter_mut().zip(sums) {
            *to = real(projected(activate_int8(self.activation, s)).into(), 7);
        }
    }

    /// Whether there is an activation.
    pub(crate) fn is_activated(&self) -> bool {
        self.activation != Activation::None
    }
}

/// Sums, each by 1/128, to what they stand for.
struct Logits<'a, F: Engine>(&'a Dense<F>, &'a mut [F]);

impl<F: Engine> NullaryFnOnce for Logits<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(of, logits) = self;
        let (by, shift) = (of.step / HEAD_UNIT, of.shift);
        for row in logits.chunks_exact_mut(of.bias.len()) {
            for (x, (&b, &m)) in row.iter_mut().zip(of.bias.iter().zip(&of.multipliers)) {
                let s = b + requantize(sum(*x), m, shift);
                *x = F::from_f64(f64::from(s) * by);
            }
        }
    }
}

/// A sum of two values in integers.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    /// Of both operands, one behind the other.
    pub(super) multipliers: Vec<i32>,
    pub(super) shift: u32,
}

impl Sum {
    /// `a` and `b`, each by 1/128, to `y`, by 1/128.
    pub(crate) fn apply<F: Engine>(&self, a: &[F], b: &[F], y: &mut [F]) {
        let (of_a, of_b) = self.multipliers.split_at(self.multipliers.len() / 2);
        let scaled = |x: F, m| requantize(sum(x), m, self.shift);
        for (start, y) in y.chunks_exact_mut(of_a.len()).enumerate() {
            let start = start * of_a.len();
            for (k, y) in y.iter_mut().enumerate() {
                let both = scaled(a[start + k], of_a[k]) + scaled(b[start + k], of_b[k]);
                *y = real(both.clamp(-128, 127), 7);
            }
        }
    }
}

/// A recurrent operation in integers, in the trainer's order of columns.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent<F: Engine> {
    /// q of `W_h`, as real numbers: [units, gates*units]; of a GRU that resets h [units, 2*units].
    pub(crate) recurrent: F::Packed,
    /// q of `U` of a GRU that resets h.
    pub(crate) candidate: Option<F::Packed>,
    /// q of `W_x`, where something is multiplied.
    pub(crate) input: Option<Input<F>>,
    pub(crate) step: Requantize,
}

/// One step of an operation: `gates` holds its sums, each by 1/128, and gets the activations.
pub(crate) struct Step<'a, F: Engine> {
    pub(crate) by: &'a Recurrent<F>,
    /// The tokens of an operation that reads them.
    pub(crate) ids: Option<&'a [u16]>,
    /// [rows, gates*units]
    pub(crate) gates: &'a mut [F],
    /// [rows, gates*units]: sums over h, each by 1/128, where `gates` holds those over x alone: of
    /// a GRU. Of one that resets h [rows, 2*units], and room for [rows, units].
    pub(crate) product: &'a mut [F],
    /// [rows, units]: H before the step, of a GRU.
    pub(crate) carried: &'a [F],
    /// [rows, units], or empty
    pub(crate) c_before: &'a [F],
    /// [rows, units], or empty
    pub(crate) c: &'a mut [F],
    /// [rows, units]: tanh(c), or u or q of a GRU, or empty
    pub(crate) kept: &'a mut [F],
    /// [rows, units]
    pub(crate) h: &'a mut [F],
    pub(crate) scratch: &'a mut [F],
}

impl<'a, F: Engine> Step<'a, F> {
    /// The addends of a stream.
    #[inline(always)]
    fn addends(&self, row: usize) -> &'a [i16] {
        let columns = self.by.step.kind.gates() * self.by.step.kind.units();
        let start = self.ids.map_or(0, |ids| usize::from(ids[row]) * columns);
        let by: &'a Recurrent<F> = self.by;
        &by.step.addends[start..start + columns]
    }

    /// One step of all streams.
    pub(crate) fn run(self, arch: Arch) {
        let resets_h = matches!(
            self.by.step.kind,
            Kind::Gru {
                reset: Reset::Before,
                ..
            }
        );
        match resets_h {
            true => self.before(),
            false => arch.dispatch(self),
        }
    }

    /// Of a GRU that resets h: two products in a row.
    fn before(self) {
        let n = self.by.step.kind.units();
        let rows = self.h.len() / n;
        for row in 0..rows {
            let addends = self.addends(row);
            let stream = gru::Stream {
                addends,
                gates: &mut self.gates[row * 3 * n..][..3 * n],
                product: &self.product[row * 2 * n..][..2 * n],
                carried: &self.carried[row * n..][..n],
            };
            stream.reset(&self.by.step, &mut self.kept[row * n..][..n]);
        }
        let (product, of_q) = self.product.split_at_mut(2 * n * rows);
        if let Some(candidate) = &self.by.candidate {
            F::matmul(self.kept, candidate, false, of_q, self.scratch);
        }
        let columns = 3 * n;
        for row in 0..rows {
            let start = self.ids.map_or(0, |ids| usize::from(ids[row]) * columns);
            let stream = gru::Stream {
                addends: &self.by.step.addends[start..start + columns],
                gates: &mut self.gates[row * columns..][..columns],
                product: &product[row * 2 * n..][..2 * n],
                carried: &self.carried[row * n..][..n],
            };
            let h = &mut self.h[row * n..][..n];
            stream.before(&self.by.step, &of_q[row * n..][..n], h);
        }
    }
}

impl<F: Engine> NullaryFnOnce for Step<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let by = &self.by.step;
        let (n, columns) = (by.kind.units(), by.kind.gates() * by.kind.units());
        for row in 0..self.h.len() / n {
            let addends = self.addends(row);
            let gates = &mut self.gates[row * columns..][..columns];
            let h = &mut self.h[row * n..][..n];
            let (multipliers, shift) = (&by.scales[0].multipliers, by.scales[0].shift);
            let scales = addends.iter().zip(multipliers);
            match by.kind {
                Kind::Rnn { activation, .. } => {
                    for ((gate, h), (&a, &m)) in gates.iter_mut().zip(h).zip(scales) {
                        let acc = sum(*gate);
                        *h = match activation {
                            RnnActivation::Tanh => {
                                real(rnn_int8(preactivation(a, acc, m, shift)).into(), 7)
                            }
                            RnnActivation::Relu => {
                                let z = i32::from(a) + requantize(acc, m, shift);
                                real(relu_int8(z, by.state_bits).into(), 7)
                            }
                        };
                        *gate = *h;
                    }
                }
                Kind::Lstm {
                    gates: function, ..
                } => {
                    for (gate, (&a, &m)) in gates.iter_mut().zip(scales) {
                        let z = preactivation(a, sum(*gate), m, shift);
                        *gate = F::from_f64(f64::from(z));
                    }
                    let (i, rest) = gates.split_at_mut(n);
                    let (f, rest) = rest.split_at_mut(n);
                    let (g, o) = rest.split_at_mut(n);
                    let c_before = &self.c_before[row * n..][..n];
                    let c = &mut self.c[row * n..][..n];
                    let tanh_c = &mut self.kept[row * n..][..n];
                    let bits = 15 - by.state_bits as i32;
                    for u in 0..n {
                        let z = [i[u], f[u], g[u], o[u]].map(|z| z.to_f64() as i16);
                        let mut state = (c_before[u].to_f64() * power(bits)) as i16;
                        let unit = lstm_unit_of(function, z, &mut state, by.state_bits);
                        c[u] = real(state.into(), bits);
                        (i[u], f[u], o[u]) = (
                            real(unit.i.into(), 13),
                            real(unit.f.into(), 13),
                            real(unit.o.into(), 13),
                        );
                        (g[u], tanh_c[u]) = (real(unit.g.into(), 11), real(unit.t.into(), 11));
                        h[u] = real(unit.h.into(), 7);
                    }
                }
                _ => {
                    let stream = gru::Stream {
                        addends,
                        gates,
                        product: &self.product[row * columns..][..columns],
                        carried: &self.carried[row * n..][..n],
                    };
                    stream.after(by, &mut self.kept[row * n..][..n], h);
                }
            }
        }
    }
}
