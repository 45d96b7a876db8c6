//! A GRU's step in the device's integers, which are core's, and what the tape keeps of it.
//!
//! ```text
//! after    sums of [x | h] for r and z, of x and of h for n      u is kept
//! before   q = r H as products read it, then a second product    q is kept
//! ```
//! The tape has H / 2^15, which is carried; products read h / 128.

use gatelet::kernel::integer::{GruFunctions, gru_unit_of, reset_h_of};
use gatelet::net::{Kind, Reset};
use pulp::{Arch, NullaryFnOnce};

use super::requantize::{Requantize, power, real, sum};
use crate::engine::Engine;

/// Bits behind the point of the carried state.
const STATE_BITS: i32 = 15;
/// The largest u.
const MOST: i32 = (1 << 18) - 1;

/// What products read of a state.
#[inline(always)]
fn narrow(state: i16) -> i32 {
    ((i32::from(state) + (1 << 7)) >> 8).min(i8::MAX.into())
}

/// A carried state from the tape.
#[inline(always)]
fn state_of<F: Engine>(x: F) -> i16 {
    (x.to_f64() * power(STATE_BITS)) as i16
}

/// The functions of a cell; its candidate is a tanh, which has no state bits.
#[inline(always)]
fn functions(by: &Requantize) -> GruFunctions {
    match by.kind {
        Kind::Gru { gates, .. } => GruFunctions {
            gates,
            ..GruFunctions::PLAIN
        },
        _ => GruFunctions::PLAIN,
    }
}

/// One step of a stream: its sums, each by 1/128, become activations.
pub(super) struct Stream<'a, F> {
    /// [3*units], Q3.12
    pub(super) addends: &'a [i16],
    /// [3*units]: sums over x, where something is multiplied; activations out.
    pub(super) gates: &'a mut [F],
    /// [3*units]: sums over h; before the reset [2*units], of r and z.
    pub(super) product: &'a [F],
    /// [units]: H before the step.
    pub(super) carried: &'a [F],
}

impl<F: Engine> Stream<'_, F> {
    /// The sums of r and z of unit `k`, and what the candidate reads.
    #[inline(always)]
    fn sums(&self, by: &Requantize, k: usize) -> [i32; 3] {
        let n = self.carried.len();
        let [gates_by, x_by, _] = &by.scales;
        // Without a second matrix nothing of x is multiplied.
        let x = |at: usize| match x_by.multipliers.is_empty() {
            true => F::zero(),
            false => self.gates[at],
        };
        let gate = |at: usize| {
            let acc = sum(x(at) + self.product[at]);
            i32::from(self.addends[at]) + gates_by.apply(at, acc)
        };
        let at = 2 * n + k;
        let of_input = i32::from(self.addends[at]) + x_by.apply(k, sum(x(at)));
        [gate(k), gate(n + k), of_input]
    }

    /// Reset after: u and the new H out.
    #[inline(always)]
    pub(super) fn after(self, by: &Requantize, to_u: &mut [F], h: &mut [F]) {
        let n = self.carried.len();
        for k in 0..n {
            let [r, z, x] = self.sums(by, k);
            let acc = sum(self.product[2 * n + k]);
            let u = by.recurrent_bias[k] + by.scales[2].apply(k, acc);
            let mut state = state_of(self.carried[k]);
            let unit = gru_unit_of(functions(by), Reset::After, [r, z, x, u], &mut state);
            self.gates[k] = real(unit.r.into(), 13);
            self.gates[n + k] = real(unit.z.into(), 13);
            self.gates[2 * n + k] = real(unit.n.into(), 11);
            to_u[k] = real(u.clamp(-MOST, MOST), 12);
            h[k] = real(state.into(), STATE_BITS);
        }
    }

    /// Reset before, up to the second product: q out.
    #[inline(always)]
    pub(super) fn reset(self, by: &Requantize, q: &mut [F]) {
        for (k, q) in q.iter_mut().enumerate() {
            let [r, ..] = self.sums(by, k);
            *q = real(
                reset_h_of(functions(by).gates, r, state_of(self.carried[k])).into(),
                7,
            );
        }
    }

    /// The rest, from what the second product gave: the new H out.
    #[inline(always)]
    pub(super) fn before(self, by: &Requantize, of_q: &[F], h: &mut [F]) {
        let n = self.carried.len();
        for k in 0..n {
            let [r, z, x] = self.sums(by, k);
            let u = by.scales[2].apply(k, sum(of_q[k]));
            let mut state = state_of(self.carried[k]);
            let unit = gru_unit_of(functions(by), Reset::Before, [r, z, x, u], &mut state);
            self.gates[k] = real(unit.r.into(), 13);
            self.gates[n + k] = real(unit.z.into(), 13);
            self.gates[2 * n + k] = real(unit.n.into(), 11);
            h[k] = real(state.into(), STATE_BITS);
        }
    }
}

/// Carried states to what products read of them.
pub(crate) fn read<F: Engine>(arch: Arch, states: &mut [F]) {
    struct Read<'a, F>(&'a mut [F]);

    impl<F: Engine> NullaryFnOnce for Read<'_, F> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            for x in self.0 {
                *x = real(narrow(state_of(*x)), 7);
            }
        }
    }
    arch.dispatch(Read(states));
}
