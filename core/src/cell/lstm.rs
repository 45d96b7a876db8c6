//! The cells of an LSTM: a unit's new c and h from its pre-activations.
//!
//! ```text
//! i = sigmoid(z_i)   f = sigmoid(z_f)   g = tanh(z_g)   o = sigmoid(z_o)
//! c' = f c + i g     h' = o tanh(c')
//!
//! in int8      i, f, o: Q2.13   g: Q4.11   c: Qe.(15-e), e = cell_bits   h: scale 1/128
//! c' = sat16( round( f c + align(i g) >> 13 ) )      h' = sat8( round( o tanh(c') >> 17 ) )
//! ```
//! Kernels do an LSTM of sigmoids at once. With another function of its gates ([`gate`](super::gate))
//! it goes through sums in memory, by [`step_f32`] and [`step_int8`].

use crate::cell::gate::{gate_int8, gates_f32};
use crate::cell::step::{Products, StepF32, StepInt8, widen};
use crate::fixed::activation::{TANH, piecewise, sigmoid_f32, tanh_f32};
use crate::fixed::{H_BITS, MIN_CELL_BITS, SIGMOID_BITS, TANH_BITS, rounding_shift, sat8, sat16};
use crate::net::{GateActivation, Kind};
use crate::weights::layer::{RecurrentF32, RecurrentInt8};

/// The gates of an LSTM unit, from its pre-activations in the order i, f, g, o: updates c, returns h'.
pub(crate) fn lstm_f32(z: [f32; 4], c: &mut f32) -> f32 {
    let [i, f, g, o] = [
        sigmoid_f32(z[0]),
        sigmoid_f32(z[1]),
        tanh_f32(z[2]),
        sigmoid_f32(z[3]),
    ];
    *c = f * *c + i * g;
    o * tanh_f32(*c)
}

/// What an LSTM unit computes in integers, besides its new c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmUnit {
    /// Input gate, Q2.13.
    pub i: i16,
    /// Forget gate, Q2.13.
    pub f: i16,
    /// Candidate, Q4.11.
    pub g: i16,
    /// Output gate, Q2.13.
    pub o: i16,
    /// tanh of the new c, Q4.11.
    pub t: i16,
    /// The new h, scale 1/128.
    pub h: i8,
}

/// The gates of an LSTM unit, from its pre-activations (Q3.12) in the order i, f, g, o: updates c.
#[inline(always)]
pub fn lstm_unit(z: [i16; 4], c: &mut i16, cell_bits: u32) -> LstmUnit {
    lstm_unit_of(GateActivation::Sigmoid, z, c, cell_bits)
}

/// The same with this function of its gates.
#[inline(always)]
pub fn lstm_unit_of(gates: GateActivation, z: [i16; 4], c: &mut i16, cell_bits: u32) -> LstmUnit {
    let i = gate_int8(gates, z[0]); // Q2.13
    let f = gate_int8(gates, z[1]); // Q2.13
    let g = piecewise(&TANH, z[2]); // Q4.11
    let o = gate_int8(gates, z[3]); // Q2.13

    // f c has 13 + 15 - e fraction bits, i g has 24: one bit too few at e = 3, as many at 4, too many above.
    let extra = cell_bits - MIN_CELL_BITS;
    let ig = ((i32::from(i) * i32::from(g)) << 1) >> extra;
    *c = sat16(rounding_shift(
        i32::from(f) * i32::from(*c) + ig,
        SIGMOID_BITS,
    ));

    // tanh takes Q3.12; more integer bits than that saturate, as tanh itself does.
    let t = piecewise(&TANH, sat16(i32::from(*c) << extra));
    let h = sat8(rounding_shift(
        i32::from(o) * i32::from(t),
        SIGMOID_BITS + TANH_BITS - H_BITS,
    ));
    LstmUnit { i, f, g, o, t, h }
}

/// [`lstm_unit`]'s h alone.
#[inline(always)]
pub(crate) fn lstm_int8(z: [i16; 4], c: &mut i16, cell_bits: u32) -> i8 {
    lstm_unit(z, c, cell_bits).h
}

/// One step in int8 on sums in memory.
#[inline(never)]
pub(crate) fn step_int8<K: Products>(kernel: K, lstm: &RecurrentInt8<'_>, step: StepInt8<'_>) {
    let (Kind::Lstm { gates, .. }, [product, ..]) = (lstm.kind, &lstm.matrices) else {
        return;
    };
    let sums = step.sums.get_mut(..step.addend.len()).unwrap_or_default();
    widen(step.addend, sums);
    kernel.add_products_int8(product, step.x, sums);
    let (sums, _) = sums.as_chunks::<4>();
    for ((h, c), sums) in step.next.iter_mut().zip(step.carried).zip(sums) {
        *h = lstm_unit_of(gates, sums.map(sat16), c, lstm.state_bits).h;
    }
}

/// One step in f32 on sums in memory. The new h is first g, then c'.
#[inline(never)]
pub(crate) fn step_f32<K: Products>(kernel: K, lstm: &RecurrentF32<'_>, step: StepF32<'_>) {
    let (Kind::Lstm { gates, .. }, [matrix, ..]) = (lstm.kind, &lstm.matrices) else {
        return;
    };
    let sums = step.sums.get_mut(..step.addend.len()).unwrap_or_default();
    sums.iter_mut()
        .zip(step.addend)
        .for_each(|(to, &a)| *to = a);
    kernel.add_products_f32(matrix, step.x, sums);
    let (sums, _) = sums.as_chunks_mut::<4>();
    let next = step.next.get_mut(..sums.len()).unwrap_or_default();
    for (g, [_, _, z, _]) in next.iter_mut().zip(&*sums) {
        *g = *z;
    }
    kernel.tanh_f32(next);
    for ((g, c), z) in next.iter_mut().zip(step.carried).zip(&mut *sums) {
        gates_f32(kernel, gates, z);
        let [i, f, _, _] = z;
        *c = *f * *c + *i * *g;
        *g = *c;
    }
    kernel.tanh_f32(next);
    for (h, [_, _, _, o]) in next.iter_mut().zip(&*sums) {
        *h *= o;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell that keeps everything (f = 1, i = 0) keeps c to within sigmoid(8)'s distance from one.
    #[test]
    fn the_forget_gate_holds() {
        for bits in MIN_CELL_BITS..=7 {
            let mut c = 12_345_i16;
            lstm_int8([i16::MIN, i16::MAX, 0, 0], &mut c, bits);
            assert!((c - 12_345).abs() <= 12_345 / 2048, "{bits}: {c}");
        }
    }

    /// All integer cells agree with the real-valued cell, at every width of c.
    #[test]
    fn integer_cell_follows_the_f32_cell() {
        for bits in MIN_CELL_BITS..=7 {
            let (mut c8, mut c) = (0_i16, 0_f32);
            for step in 0..200_i32 {
                let z =
                    [0, 1, 2, 3].map(|g| (((step * 7919 + g * 104_729) % 24_000) - 9_000) as i16);
                let h8 = lstm_int8(z, &mut c8, bits);
                let h = lstm_f32(z.map(|z| f32::from(z) / 4096.0), &mut c);
                let scale = (1_u32 << (15 - bits)) as f32;
                let c_error = (f32::from(c8) / scale - c).abs();
                let h_error = (f32::from(h8) / 128.0 - h).abs();
                assert!(
                    c_error < 0.01 + 8.0 / scale,
                    "{bits} {step}: c off by {c_error}"
                );
                assert!(
                    h_error < 0.012 + 8.0 / scale,
                    "{bits} {step}: h off by {h_error}"
                );
            }
        }
    }

    #[test]
    fn saturation_is_symmetric_in_nothing_but_name() {
        let mut c = i16::MAX;
        lstm_int8([i16::MAX; 4], &mut c, 3);
        assert_eq!(c, i16::MAX);
        let mut c = i16::MIN;
        lstm_int8([i16::MAX, i16::MAX, i16::MIN, i16::MAX], &mut c, 3);
        assert_eq!(c, i16::MIN);
    }
}
