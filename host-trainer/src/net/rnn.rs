//! The simple recurrent cell, with tanh (Elman's) or relu.
//!
//! ```text
//! tanh    h = tanh(z)      dz = dh (1 - h^2)
//! relu    h = max(z, 0)    dz = dh [h > 0]
//! ```

use gatelet::net::RnnActivation;
use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;
use crate::vector::vectorized;

struct Forward<'a, F> {
    activation: RnnActivation,
    z: &'a [F],
    h: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let pairs = self.h.iter_mut().zip(self.z);
        match self.activation {
            RnnActivation::Tanh => pairs.for_each(|(h, z)| *h = z.tanh()),
            // Written so that what is not a number stays so.
            RnnActivation::Relu => {
                pairs.for_each(|(h, &z)| *h = if z < F::zero() { F::zero() } else { z });
            }
        }
    }
}

struct Backward<'a, F> {
    activation: RnnActivation,
    h: &'a [F],
    dh: &'a [F],
    dz: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let all = self.dz.iter_mut().zip(self.h).zip(self.dh);
        match self.activation {
            RnnActivation::Tanh => all.for_each(|((dz, &h), &dh)| *dz = dh * (F::one() - h * h)),
            RnnActivation::Relu => all.for_each(|((dz, &h), &dh)| {
                *dz = if h > F::zero() { dh } else { F::zero() };
            }),
        }
    }
}

/// One step of a batch: `z` -> `h`, both [batch, units].
pub fn forward<F: Real>(arch: Arch, activation: RnnActivation, z: &[F], h: &mut [F]) {
    vectorized(arch, Forward { activation, z, h });
}

/// The gradient of one step: `h` and `dh` -> `dz`, all [batch, units].
pub fn backward<F: Real>(arch: Arch, activation: RnnActivation, h: &[F], dh: &[F], dz: &mut [F]) {
    vectorized(
        arch,
        Backward {
            activation,
            h,
            dh,
            dz,
        },
    );
}
