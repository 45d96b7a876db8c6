//! The GRU. A kernel has put its sums into memory; the cells go through them unit by unit.
//!
//! ```text
//! sums    [ r | z ] = a + W [x ; h]        n_x = a_n + W_n x
//! after     n_h = b_h + U h                n = tanh( n_x + r n_h )
//! before    n_h = U (r h)                  n = tanh( n_x + n_h )
//!           r, z = sigmoid of their sums   h' = z h + (1 - z) n
//! ```
//!
//! In int8, with round(p >> s) meaning "add half, then shift right arithmetically":
//!
//! ```text
//! r, z = sigmoid( sat16( a + round(acc m >> s) ) )                           Q2.13 of Q3.12
//! after     u = clamp( b_h + round(acc m >> s), +-(2^18 - 1) )               12 fraction bits in int32
//!           n = tanh( sat16( a_n + round(acc m >> s) + round(r u >> 13) ) )  Q4.11 of Q3.12
//! before    q = sat8( round(r H >> 21) )                                     scale 1/128
//!           n = tanh( sat16( a_n + round(acc m >> s) + round(acc_q m >> s) ) )
//! H'   = sat16( round( z H + (2^13 - z) (n << 4) >> 13 ) )                   Q0.15, carried
//! h    = sat8( round(H' >> 8) )                                              scale 1/128, what products read
//! ```
//! r and z may be hard sigmoids ([`gate`](super::gate)), and the candidate a relu, whose state has e bits
//! before the point:
//!
//! ```text
//! f32    n = min( max( sum, 0 ), 2^14 )
//! int8   n = min( round( max( sum, 0 ) << 3 >> e ), 2^15 - 1 )                     Qe.(15-e), as H'
//! H'   = sat16( round( z H + (2^13 - z) n >> 13 ) )                          h: scale 2^e / 128
//! ```
//! With z = 0.99 a carried h of 8 bits sticks at a fifth of what it is drawn to; 16 bits get there. u
//! has room for 64: |U h| of trained nets passes 8, where an int16 would saturate.

use crate::cell::gate::{gate_int8, gates_f32};
use crate::cell::step::{Products, StepF32, StepInt8, widen};
use crate::fixed::activation::{TANH, piecewise};
use crate::fixed::{GRU_BITS, H_BITS, MAX_CELL_BITS, SIGMOID_BITS, TANH_BITS, Z_BITS};
use crate::fixed::{rounding_shift, sat8, sat16};
use crate::net::{Capabilities, GateActivation, Kind, Reset, RnnActivation};
use crate::weights::layer::{RELU_LIMIT, RecurrentF32, RecurrentInt8};

/// The most that a candidate's part of h may be in int8, in magnitude.
pub(crate) const LARGEST_U: i32 = (1 << 18) - 1;

/// What a GRU unit computes in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruUnit {
    /// Reset gate, Q2.13.
    pub r: i16,
    /// Update gate, Q2.13.
    pub z: i16,
    /// Candidate, Q4.11; a relu in the format of the carried h.
    pub n: i16,
    /// The new h, scale 1/128, or 2^e / 128.
    pub h: i8,
}

/// The functions of a GRU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruFunctions {
    /// Of r and z.
    pub gates: GateActivation,
    /// Of n.
    pub candidate: RnnActivation,
    /// Bits of its state before the point, with a relu.
    pub state_bits: u32,
}

impl GruFunctions {
    /// Sigmoids and a tanh.
    pub const PLAIN: Self = GruFunctions {
        gates: GateActivation::Sigmoid,
        candidate: RnnActivation::Tanh,
        state_bits: 0,
    };
}

/// The cells of a unit whose reset gate multiplies the product: `r` and `z` are the sums of the gates,
/// `x` that of what the candidate reads, `u` that of its h; 12 fraction bits. Updates the carried h.
#[inline(always)]
pub fn gru_unit(sums: [i32; 4], carried: &mut i16) -> GruUnit {
    gru_unit_of(GruFunctions::PLAIN, Reset::After, sums, carried)
}

/// The same of a unit whose reset gate multiplies h: `u` is the product of [`reset_h`].
#[inline(always)]
pub fn gru_unit_before(sums: [i32; 4], carried: &mut i16) -> GruUnit {
    gru_unit_of(GruFunctions::PLAIN, Reset::Before, sums, carried)
}

/// The same with these functions.
#[inline(always)]
pub fn gru_unit_of(
    of: GruFunctions,
    reset: Reset,
    [r, z, x, u]: [i32; 4],
    carried: &mut i16,
) -> GruUnit {
    let r = gate_int8(of.gates, sat16(r));
    let n = match reset {
        Reset::After => {
            let u = u.clamp(-LARGEST_U, LARGEST_U);
            x + rounding_shift(i32::from(r) * u, SIGMOID_BITS)
        }
        Reset::Before => x.saturating_add(u),
    };
    let z = gate_int8(of.gates, sat16(z));
    // What the update gate mixes, in the format of the carried h.
    let (n, candidate) = match of.candidate {
        RnnActivation::Tanh => {
            let n = piecewise(&TANH, sat16(n));
            (n, i32::from(n) << (GRU_BITS - TANH_BITS))
        }
        RnnActivation::Relu => {
            let n = relu(n, of.state_bits);
            (n, n.into())
        }
    };
    let (keep, take) = (i32::from(z), (1 << SIGMOID_BITS) - i32::from(z));
    let both = keep * i32::from(*carried) + take * candidate;
    *carried = sat16(rounding_shift(both, SIGMOID_BITS));
    let h = sat8(rounding_shift((*carried).into(), GRU_BITS - H_BITS));
    GruUnit { r, z, n, h }
}

/// A candidate of so many bits before the point, from its sum with 12 fraction bits.
#[inline(always)]
fn relu(sum: i32, state_bits: u32) -> i16 {
    // More than the largest saturates with any bits.
    let sum = sum.clamp(0, 1 << (Z_BITS + MAX_CELL_BITS)) << (GRU_BITS - Z_BITS);
    let half = (1 << (state_bits & 31)) >> 1;
    sat16((sum + half) >> (state_bits & 31))
}

/// h times the reset gate, whose sum is `r`: scale 1/128, or that of h.
#[inline(always)]
pub fn reset_h(r: i32, carried: i16) -> i8 {
    reset_h_of(GateActivation::Sigmoid, r, carried)
}

/// The same with this function of the gate.
#[inline(always)]
pub fn reset_h_of(gates: GateActivation, r: i32, carried: i16) -> i8 {
    let r = gate_int8(gates, sat16(r));
    let product = i32::from(r) * i32::from(carried);
    sat8(rounding_shift(product, SIGMOID_BITS + GRU_BITS - H_BITS))
}

/// The sums of the gates, of what the candidate reads, and of its h.
fn parts<T>(sums: &mut [T], units: usize) -> Option<(&mut [T], &mut [T], &mut [T])> {
    let (gates, rest) = sums.split_at_mut_checked(2 * units)?;
    let (x, rest) = rest.split_at_mut_checked(units)?;
    Some((gates, x, rest.get_mut(..units)?))
}

/// One step in int8. `next` keeps `r h` for reset before until the new h is there.
#[inline(never)]
pub(crate) fn step_int8<K: Products>(kernel: K, gru: &RecurrentInt8<'_>, step: StepInt8<'_>) {
    let Kind::Gru {
        units,
        reset,
        gates: gate,
        candidate: function,
    } = gru.kind
    else {
        return;
    };
    let of = GruFunctions {
        gates: gate,
        candidate: function,
        state_bits: gru.state_bits,
    };
    let can = |what| K::CAPABILITIES.has(what);
    let plain = !(can(Capabilities::HARD_GRU) && gate == GateActivation::HardSigmoid
        || can(Capabilities::RELU_GRU) && function == RnnActivation::Relu);
    let [of_gates, of_candidate, of_hidden] = &gru.matrices;
    let (sums, next) = (step.sums, step.next);
    widen(step.addend, sums.get_mut(..3 * units).unwrap_or_default());
    let (Some((gates, candidate, hidden)), Some((read, own))) =
        (parts(sums, units), step.x.split_at_checked(gru.inputs))
    else {
        return;
    };
    kernel.add_products_int8(of_gates, step.x, gates);
    if gru.inputs > 0 {
        kernel.add_products_int8(of_candidate, read, candidate);
    }
    let carried = step.carried;
    match reset {
        Reset::After => {
            kernel.dense_int8(of_hidden, gru.bias, own, hidden);
            if plain {
                kernel.gru_cells_int8(sums, carried, next);
                return;
            }
        }
        Reset::Before => {
            next.fill(0);
            for ((q, r), h) in next.iter_mut().zip(&*gates).zip(&*carried) {
                *q = match plain {
                    true => reset_h(*r, *h),
                    false => reset_h_of(gate, *r, *h),
                };
            }
            hidden.fill(0);
            kernel.add_products_int8(of_hidden, next, hidden);
            if plain {
                units_int8(gru_unit_before, sums, carried, next);
                return;
            }
        }
    }
    other_cells(of, reset, sums, carried, next);
}

/// The cells of all units, with functions that are not those of [`cells`].
#[inline(never)]
fn other_cells(of: GruFunctions, reset: Reset, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
    let unit = |sums: [i32; 4], carried: &mut i16| gru_unit_of(of, reset, sums, carried);
    units_int8(unit, sums, carried, next);
}

/// The cells of all units with reset after: `sums: [4, units]` of r, z, what the candidate reads
/// and its h, `carried: [units]`, `next: [units]` or more.
#[inline(always)]
pub(crate) fn cells(sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
    units_int8(gru_unit, sums, carried, next);
}

#[inline(always)]
fn units_int8(
    unit: impl Fn([i32; 4], &mut i16) -> GruUnit,
    sums: &[i32],
    carried: &mut [i16],
    next: &mut [i8],
) {
    let units = carried.len();
    let (r, rest) = sums.split_at_checked(units).unwrap_or_default();
    let (z, rest) = rest.split_at_checked(units).unwrap_or_default();
    let (x, u) = rest.split_at_checked(units).unwrap_or_default();
    let sums = r.iter().zip(z).zip(x.iter().zip(u));
    for ((h, carried), ((&r, &z), (&x, &u))) in next.iter_mut().zip(carried).zip(sums) {
        *h = unit([r, z, x, u], carried).h;
    }
}

/// One step in f32.
#[inline(never)]
pub(crate) fn step_f32<K: Products>(kernel: K, gru: &RecurrentF32<'_>, step: StepF32<'_>) {
    let Kind::Gru {
        units,
        reset,
        gates: gate,
        candidate: function,
    } = gru.kind
    else {
        return;
    };
    let can = |what| K::CAPABILITIES.has(what);
    let [of_gates, of_candidate, of_hidden] = &gru.matrices;
    let (sums, next) = (step.sums, step.next);
    let start = sums.iter_mut().take(3 * units);
    start.zip(step.addend).for_each(|(to, &a)| *to = a);
    let (Some((gates, n, hidden)), Some((read, own))) =
        (parts(sums, units), step.x.split_at_checked(gru.inputs))
    else {
        return;
    };
    kernel.add_products_f32(of_gates, step.x, gates);
    match can(Capabilities::HARD_GRU) {
        true => gates_f32(kernel, gate, gates),
        false => kernel.sigmoid_f32(gates),
    }
    if gru.inputs > 0 {
        kernel.add_products_f32(of_candidate, read, n);
    }
    let (r, z) = gates.split_at_checked(units).unwrap_or_default();
    match reset {
        Reset::After => {
            kernel.dense_f32(of_hidden, gru.bias, own, hidden);
            for (n, (r, u)) in n.iter_mut().zip(r.iter().zip(&*hidden)) {
                *n += r * u;
            }
        }
        Reset::Before => {
            next.fill(0.0);
            for (q, (r, h)) in next.iter_mut().zip(r.iter().zip(own)) {
                *q = r * h;
            }
            kernel.add_products_f32(of_hidden, next, n);
        }
    }
    match function {
        RnnActivation::Relu if can(Capabilities::RELU_GRU) => {
            n.iter_mut().for_each(|n| *n = n.clamp(0.0, RELU_LIMIT));
        }
        _ => kernel.tanh_f32(n),
    }
    for ((next, n), (z, h)) in next.iter_mut().zip(&*n).zip(z.iter().zip(own)) {
        *next = z * h + (1.0 - z) * n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    use crate::cell::gate::hard_sigmoid;
    use crate::fixed::activation::{sigmoid_f32, tanh_f32};

    /// The integer cells follow those of f32, in all forms, and h is the carried one in 8 bits.
    #[test]
    fn integer_cells_follow_the_f32_cells() {
        let gates = [GateActivation::Sigmoid, GateActivation::HardSigmoid];
        let tanh = (RnnActivation::Tanh, 0);
        let relus = (0..=7).map(|bits| (RnnActivation::Relu, bits));
        for (candidate, state_bits) in relus.chain([tanh]) {
            for (gates, reset) in gates
                .map(|gates| [(gates, Reset::After), (gates, Reset::Before)])
                .concat()
            {
                let of = GruFunctions {
                    gates,
                    candidate,
                    state_bits,
                };
                follow(of, reset);
            }
        }
    }

    fn follow(of: GruFunctions, reset: Reset) {
        let range = (1 << of.state_bits) as f32;
        let gate = |z: f32| match of.gates {
            GateActivation::Sigmoid => sigmoid_f32(z),
            GateActivation::HardSigmoid => hard_sigmoid(z),
        };
        let (mut carried, mut h) = (0_i16, 0_f32);
        for step in 0..300_i32 {
            let sums = [0, 1, 2, 3].map(|g| (step * 7919 + g * 104_729) % 24_000 - 11_000);
            let unit = gru_unit_of(of, reset, sums, &mut carried);
            let [r, z, x, u] = sums.map(|s| s as f32 / 4096.0);
            let z = gate(z);
            let n = match reset {
                Reset::After => x + gate(r) * u,
                Reset::Before => x + u,
            };
            let n = match of.candidate {
                RnnActivation::Tanh => tanh_f32(n),
                // What does not fit saturates.
                RnnActivation::Relu => n.clamp(0.0, range),
            };
            h = z * h + (1.0 - z) * n;
            let error = (f32::from(carried) / 32_768.0 - h / range).abs();
            assert!(error < 4e-3, "{of:?} {reset:?} {step}: off by {error}");
            let error = (f32::from(unit.h) / 128.0 - h / range).abs();
            assert!(error < 8e-3, "{of:?} {reset:?} {step}: {error}");
        }
    }

    /// A state of 16 bits reaches what it is drawn to, where one of 8 bits would stop at 0.11.
    #[test]
    fn a_slow_gate_gets_there() {
        // sigmoid(4.6) = 0.99, tanh(0.549) = 0.5.
        let (z, n) = ((4.6 * 4096.0) as i32, (0.549 * 4096.0) as i32);
        let mut carried = 0;
        for _ in 0..2000 {
            gru_unit([0, z, n, 0], &mut carried);
        }
        let reached = f32::from(carried) / 32_768.0;
        assert!((reached - 0.5).abs() < 0.005, "{reached}");
    }

    #[test]
    fn extremes_saturate() {
        let mut carried = i16::MAX;
        let unit = gru_unit([i32::from(i16::MAX); 4], &mut carried);
        assert_eq!(unit.h, i8::MAX);
        let mut carried = i16::MIN;
        let least = [1 << 29, -(1 << 29), -(1 << 29), -(1 << 29)];
        assert_eq!(gru_unit(least, &mut carried).h, i8::MIN);
        assert_eq!(reset_h(i32::MAX, i16::MIN), i8::MIN);
        for state_bits in 0..=7 {
            let of = GruFunctions {
                gates: GateActivation::HardSigmoid,
                candidate: RnnActivation::Relu,
                state_bits,
            };
            let most = [1 << 29, -(1 << 29), 1 << 30, 1 << 30];
            for reset in [Reset::After, Reset::Before] {
                let mut carried = 0;
                assert_eq!(gru_unit_of(of, reset, most, &mut carried).h, i8::MAX);
                assert_eq!(carried, i16::MAX);
            }
        }
    }
}
