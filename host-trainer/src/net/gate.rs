//! The functions of gates and candidates, with their derivatives from what they gave.
//!
//! ```text
//! sigmoid         y = 1 / (1 + e^-z)                dy/dz = y (1 - y)
//! hard sigmoid    y = z + 1/2, within 0 and 1       dy/dz = [0 < y < 1]
//! tanh            y = tanh(z)                       dy/dz = 1 - y^2
//! relu            y = max(z, 0)                     dy/dz = [y > 0]
//! ```
//! Which they are is a constant of the loops that call them, so that those become vector code.

use crate::real::Real;

/// A gate.
#[inline(always)]
pub(super) fn gate<F: Real, const HARD: bool>(z: F) -> F {
    if !HARD {
        return z.sigmoid();
    }
    let y = z + F::from_f64(0.5);
    // Written so that what is not a number stays so.
    if y < F::zero() {
        F::zero()
    } else if y > F::one() {
        F::one()
    } else {
        y
    }
}

/// Its derivative.
#[inline(always)]
pub(super) fn d_gate<F: Real, const HARD: bool>(y: F) -> F {
    if !HARD {
        return y * (F::one() - y);
    }
    let inside = y > F::zero() && y < F::one();
    if inside { F::one() } else { F::zero() }
}

/// A candidate.
#[inline(always)]
pub(super) fn candidate<F: Real, const RELU: bool>(z: F) -> F {
    if !RELU {
        z.tanh()
    } else if z < F::zero() {
        F::zero()
    } else {
        z
    }
}

/// Its derivative.
#[inline(always)]
pub(super) fn d_candidate<F: Real, const RELU: bool>(y: F) -> F {
    if !RELU {
        F::one() - y * y
    } else if y > F::zero() {
        F::one()
    } else {
        F::zero()
    }
}

/// Calls `f::<HARD, RELU>` for a pair of functions.
macro_rules! with_functions {
    ($gates:expr, $candidate:expr, $f:ident::<$F:ty> $arguments:tt) => {{
        use gatelet::net::{GateActivation::*, RnnActivation::*};
        match ($gates, $candidate) {
            (Sigmoid, Tanh) => $f::<$F, false, false> $arguments,
            (Sigmoid, Relu) => $f::<$F, false, true> $arguments,
            (HardSigmoid, Tanh) => $f::<$F, true, false> $arguments,
            (HardSigmoid, Relu) => $f::<$F, true, true> $arguments,
        }
    }};
}
pub(super) use with_functions;
