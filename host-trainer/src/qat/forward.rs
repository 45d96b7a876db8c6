//! The device's forward pass on the tape: sums of products, which were taken in real numbers, to
//! states and logits.

use gatelet::kernel::integer::{lstm_unit, preactivation, projected, requantize, rnn_int8};
use pulp::{Arch, NullaryFnOnce};

use super::gru;
use super::requantize::{Requantize, Scales, power, real, sum};
use crate::engine::{Engine, Packed};
use crate::quantize::{HEAD_UNIT, IntHead};
use crate::shape::Cell;

/// The head, or the projection before it, in integers.
#[derive(Clone, Debug)]
pub(crate) struct Affine<F: Engine> {
    /// q of `W^T`: [inputs, outputs].
    forward: F::Packed,
    /// [outputs], Q15.16
    bias: Vec<i32>,
    /// [outputs]
    multipliers: Vec<i32>,
    shift: u32,
}

impl<F: Engine> Affine<F> {
    /// Room for one.
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            forward: F::Packed::new(inputs, outputs, false),
            bias: vec![0; outputs],
            multipliers: vec![0; outputs],
            shift: 0,
        }
    }

    /// `integers`: q, [outputs, inputs].
    pub(super) fn pack(&mut self, int: &IntHead, integers: &[F]) {
        self.forward.pack(integers, true);
        self.bias.copy_from_slice(&int.bias);
        self.multipliers.copy_from_slice(&int.matrix.multipliers);
        self.shift = int.matrix.shift.into();
    }

    /// Logits of rows of what the head reads, `x`.
    pub(crate) fn logits(&self, arch: Arch, x: &[F], logits: &mut [F], scratch: &mut [F]) {
        F::matmul(x, &self.forward, false, logits, scratch);
        self.dispatch(arch, logits, |q| F::from_f64(f64::from(q) / HEAD_UNIT));
    }

    /// What the head reads, by the projection's range, of rows of h.
    pub(crate) fn project(&self, arch: Arch, h: &[F], to: &mut [F], scratch: &mut [F]) {
        F::matmul(h, &self.forward, false, to, scratch);
        self.dispatch(arch, to, |q| real(projected(q).into(), 7));
    }

    fn dispatch(&self, arch: Arch, sums: &mut [F], of: impl Fn(i32) -> F) {
        let Self {
            bias,
            multipliers,
            shift,
            ..
        } = self;
        arch.dispatch(Results {
            bias,
            multipliers,
            shift: *shift,
            sums,
            of,
        });
    }
}

/// Sums, each by 1/128, to what is made `of` a Q15.16.
struct Results<'a, F, M> {
    bias: &'a [i32],
    multipliers: &'a [i32],
    shift: u32,
    sums: &'a mut [F],
    of: M,
}

impl<F: Engine, M: Fn(i32) -> F> NullaryFnOnce for Results<'_, F, M> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for row in self.sums.chunks_exact_mut(self.bias.len()) {
            for (x, (&b, &m)) in row.iter_mut().zip(self.bias.iter().zip(self.multipliers)) {
                *x = (self.of)(b + requantize(sum(*x), m, self.shift));
            }
        }
    }
}

/// One step of a layer: `gates` holds its sums, each by 1/128, and gets the activations.
pub(crate) struct Step<'a, F> {
    pub(crate) by: &'a Requantize,
    /// The tokens of a layer that takes rows.
    pub(crate) ids: Option<&'a [u16]>,
    /// [rows, gates*hidden]
    pub(crate) gates: &'a mut [F],
    /// [rows, gates*hidden]: sums over h, each by 1/128, where `gates` holds those over x alone: of
    /// a GRU.
    pub(crate) product: &'a [F],
    /// [rows, hidden]: H before the step, of a GRU.
    pub(crate) carried: &'a [F],
    /// [rows, hidden], or empty
    pub(crate) c_before: &'a [F],
    /// [rows, hidden], or empty
    pub(crate) c: &'a mut [F],
    /// [rows, hidden]: tanh(c), or u of a GRU, or empty
    pub(crate) kept: &'a mut [F],
    /// [rows, hidden]
    pub(crate) h: &'a mut [F],
}

impl<F: Engine> NullaryFnOnce for Step<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Requantize {
            hidden: n,
            cell,
            cell_bits,
            ref scales,
            ..
        } = *self.by;
        let columns = cell.gates() * n;
        for (row, gates) in self.gates.chunks_exact_mut(columns).enumerate() {
            let start = self.ids.map_or(0, |ids| usize::from(ids[row]) * columns);
            let addends = &self.by.addends[start..start + columns];
            let h = &mut self.h[row * n..][..n];
            let Scales { multipliers, shift } = &scales[0];
            let (scales, shift) = (addends.iter().zip(multipliers), *shift);
            match cell {
                Cell::Rnn => {
                    for ((gate, h), (&a, &m)) in gates.iter_mut().zip(h).zip(scales) {
                        let z = preactivation(a, sum(*gate), m, shift);
                        *h = real(rnn_int8(z).into(), 7);
                        *gate = *h;
                    }
                }
                Cell::Gru => {
                    let stream = gru::Stream {
                        addends,
                        gates,
                        product: &self.product[row * columns..][..columns],
                        carried: &self.carried[row * n..][..n],
                        u: &mut self.kept[row * n..][..n],
                        h,
                    };
                    stream.step(self.by);
                }
                Cell::Lstm => {
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
                    let bits = 15 - cell_bits as i32;
                    for u in 0..n {
                        let z = [i[u], f[u], g[u], o[u]].map(|z| z.to_f64() as i16);
                        let mut state = (c_before[u].to_f64() * power(bits)) as i16;
                        let unit = lstm_unit(z, &mut state, cell_bits);
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
            }
        }
    }
}
