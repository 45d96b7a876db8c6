//! A GRU's step in the device's integers.
//!
//! ```text
//! r, z = sigmoid( sat16( a + round(acc m >> s) ) )                      gates Q2.13
//! u    = clamp( b_hn + round(acc_h m >> s), +-(2^18 - 1) )              Q.12 in int32
//! n    = tanh( sat16( a_n + round(acc_x m >> s) + round(r u >> 13) ) )  Q4.11
//! H'   = sat16( round( z H + (2^13 - z) (n << 4) >> 13 ) )              Q0.15, carried
//! h    = sat8( round(H' >> 8) )                                         1/128, for products
//! ```
//! acc is over [x ; h], acc_x and acc_h over either; of a token's row a holds all of x. An int8
//! state would stick where the update gate takes less than half a step of it: so H has 16 bits. u
//! has more than a pre-activation, because r may make it small again.

use gatelet::activation::{SIGMOID, TANH, piecewise};
use gatelet::kernel::integer::{preactivation, requantize};
use pulp::{Arch, NullaryFnOnce};

use super::requantize::{Requantize, power, real, sum};
use crate::engine::Engine;

/// Bits behind the point of the carried state.
const STATE_BITS: i32 = 15;
/// The largest u.
const MOST: i32 = (1 << 18) - 1;

/// What a unit computes besides its new H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    /// Reset gate, Q2.13.
    r: i16,
    /// Update gate, Q2.13.
    z: i16,
    /// Candidate, Q4.11.
    n: i16,
}

/// u: what W_h adds to the candidate, Q.12.
#[inline(always)]
fn recurrent_part(bias: i32, acc: i32, multiplier: i32, shift: u32) -> i32 {
    (bias + requantize(acc, multiplier, shift)).clamp(-MOST, MOST)
}

/// The gates of a unit, from the pre-activations of r and z (Q3.12), what W_x and the bias add to
/// the candidate (Q.12), and u: updates H.
#[inline(always)]
fn unit([r, z]: [i16; 2], x: i32, u: i32, state: &mut i16) -> Unit {
    let (r, z) = (piecewise(&SIGMOID, r), piecewise(&SIGMOID, z));
    let n = piecewise(&TANH, sat16(x + ((i32::from(r) * u + (1 << 12)) >> 13)));
    let (old, new) = (i32::from(*state), i32::from(n) << 4);
    let mixed = i32::from(z) * old + ((1 << 13) - i32::from(z)) * new;
    *state = sat16((mixed + (1 << 12)) >> 13);
    Unit { r, z, n }
}

/// What products read of a state.
#[inline(always)]
fn narrow(state: i16) -> i32 {
    ((i32::from(state) + (1 << 7)) >> 8).min(i8::MAX.into())
}

#[inline(always)]
fn sat16(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// A carried state from the tape.
#[inline(always)]
fn state_of<F: Engine>(x: F) -> i16 {
    (x.to_f64() * power(STATE_BITS)) as i16
}

/// One step of a stream: its sums, each by 1/128, become activations.
pub(super) struct Stream<'a, F> {
    /// [3*hidden], Q3.12
    pub(super) addends: &'a [i16],
    /// [3*hidden]: sums over x, where a layer multiplies it; activations out.
    pub(super) gates: &'a mut [F],
    /// [3*hidden]: sums over h.
    pub(super) product: &'a [F],
    /// [hidden]: H before the step.
    pub(super) carried: &'a [F],
    /// [hidden]: u out.
    pub(super) u: &'a mut [F],
    /// [hidden]: the new H.
    pub(super) h: &'a mut [F],
}

impl<F: Engine> Stream<'_, F> {
    #[inline(always)]
    pub(super) fn step(self, by: &Requantize) {
        let n = by.hidden;
        // With an input to multiply there are three matrices, and else two.
        let (gates_by, x_by, h_by) = match &by.scales[..] {
            [gates, x, h] => (gates, Some(x), h),
            [gates, .., h] => (gates, None, h),
            _ => return,
        };
        let zero = F::zero();
        for k in 0..n {
            let x = |at: usize| if x_by.is_some() { self.gates[at] } else { zero };
            let gate = |at: usize| {
                let acc = sum(x(at) + self.product[at]);
                preactivation(
                    self.addends[at],
                    acc,
                    gates_by.multipliers[at],
                    gates_by.shift,
                )
            };
            let (gates, at) = ([gate(k), gate(n + k)], 2 * n + k);
            let of_input = x_by.map_or(0, |by| requantize(sum(x(at)), by.multipliers[k], by.shift));
            let acc = sum(self.product[at]);
            let u = recurrent_part(by.recurrent_bias[k], acc, h_by.multipliers[k], h_by.shift);
            let mut state = state_of(self.carried[k]);
            let of_input = i32::from(self.addends[at]) + of_input;
            let unit = unit(gates, of_input, u, &mut state);
            self.gates[k] = real(unit.r.into(), 13);
            self.gates[n + k] = real(unit.z.into(), 13);
            self.gates[at] = real(unit.n.into(), 11);
            self.u[k] = real(u, 12);
            self.h[k] = real(state.into(), STATE_BITS);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// Against the cell of real numbers, over gates from closed to open and parts of the candidate
    /// beyond a pre-activation.
    #[test]
    fn a_unit_follows_the_real_cell() {
        let (mut state, mut h) = (0_i16, 0.0_f64);
        let mut worst = 0.0_f64;
        for step in 0..4000_i32 {
            let number = |k: i32, most: i32| (step * 7919 + k * 104_729) % (2 * most + 1) - most;
            let z = [number(0, 24_000) as i16, number(1, 24_000) as i16];
            let (x, u) = (number(2, 20_000), number(3, 100_000));
            let unit = unit(z, x, u, &mut state);
            let real = |q: i32| f64::from(q) / 4096.0;
            let [r, update] = z.map(|z| sigmoid(real(z.into())));
            let n = (real(x) + r * real(u)).clamp(-8.0, 8.0).tanh();
            h = update * h + (1.0 - update) * n;
            let off = (f64::from(state) / 32_768.0 - h).abs();
            worst = worst.max(off);
            assert!((f64::from(unit.r) / 8192.0 - r).abs() < 2e-4);
            assert!((f64::from(unit.z) / 8192.0 - update).abs() < 2e-4);
            let read = f64::from(narrow(state)) / 128.0 - h.min(127.0 / 128.0);
            assert!(read.abs() < 0.5 / 128.0 + off + 1e-9, "{read}");
        }
        assert!(worst < 0.008, "H is off by {worst}");
    }

    /// An int8 state stops at 0.11 here: its last steps are less than half of one.
    #[test]
    fn a_slow_unit_reaches_what_it_is_to_reach() {
        let mut state = 0;
        // z = 0.99, n = 0.5.
        let (z, x) = (
            (99.0_f64.ln() * 4096.0) as i16,
            (0.5_f64.atanh() * 4096.0) as i32,
        );
        for _ in 0..3000 {
            unit([0, z], x, 0, &mut state);
        }
        let h = f64::from(state) / 32_768.0;
        assert!((0.49..0.501).contains(&h), "{h}");
    }

    #[test]
    fn ends_of_ranges_saturate_and_nothing_overflows() {
        let all = [i16::MIN, 0, i16::MAX];
        let wide = [-(1 << 30) - 32_768, 0, (1 << 30) + 32_767];
        for r in all {
            for (z, x) in all.into_iter().zip(wide) {
                for u in [-MOST, MOST] {
                    for mut state in all {
                        let before = state;
                        unit([r, z], x, u, &mut state);
                        let within = narrow(state);
                        assert!((-128..=127).contains(&within), "{before} {within}");
                    }
                }
            }
        }
        assert_eq!(recurrent_part(1 << 30, i32::MAX / 4, 1 << 24, 24), MOST);
        assert_eq!(recurrent_part(-(1 << 30), 0, 0, 24), -MOST);
        assert_eq!((narrow(i16::MAX), narrow(i16::MIN)), (127, -128));
    }
}
