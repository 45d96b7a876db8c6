//! The function of gates.
//!
//! ```text
//! sigmoid         1 / (1 + e^-z)
//! hard sigmoid    z + 1/2, within 0 and 1             int8: clamp( z + 2^11, 0, 2^12 ) << 1, exact
//! ```

use crate::cell::step::Products;
use crate::fixed::activation::{SIGMOID, piecewise};
use crate::fixed::{SIGMOID_BITS, Z_BITS};
use crate::net::GateActivation;

/// A gate, Q2.13, from its sum in Q3.12.
#[inline(always)]
pub(crate) fn gate_int8(gates: GateActivation, z: i16) -> i16 {
    match gates {
        GateActivation::Sigmoid => piecewise(&SIGMOID, z),
        GateActivation::HardSigmoid => {
            let y = (i32::from(z) + (1 << (Z_BITS - 1))).clamp(0, 1 << Z_BITS);
            (y << (SIGMOID_BITS - Z_BITS)) as i16
        }
    }
}

/// Gates in f32, in place of their sums.
#[inline(always)]
pub(crate) fn gates_f32<K: Products>(kernel: K, gates: GateActivation, sums: &mut [f32]) {
    match gates {
        GateActivation::Sigmoid => kernel.sigmoid_f32(sums),
        GateActivation::HardSigmoid => sums.iter_mut().for_each(|z| *z = hard_sigmoid(*z)),
    }
}

/// A hard sigmoid in f32.
#[inline(always)]
pub(crate) fn hard_sigmoid(z: f32) -> f32 {
    (z + 0.5).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sums and gates are multiples of powers of two: nothing is rounded.
    #[test]
    fn a_hard_sigmoid_is_exact_in_integers() {
        for z in i16::MIN..=i16::MAX {
            let found = gate_int8(GateActivation::HardSigmoid, z);
            let exact = hard_sigmoid(f32::from(z) / 4096.0);
            assert_eq!(f32::from(found) / 8192.0, exact, "{z}");
        }
    }
}
