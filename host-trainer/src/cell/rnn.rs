//! Elman's cell.
//!
//! ```text
//! forward    h = tanh(z)
//! backward   dz = dh (1 - h^2)
//! ```

use pulp::{Arch, NullaryFnOnce};

use super::vectorized;
use crate::real::Real;

struct Forward<'a, F> {
    z: &'a [F],
    h: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (h, z) in self.h.iter_mut().zip(self.z) {
            *h = z.tanh();
        }
    }
}

struct Backward<'a, F> {
    h: &'a [F],
    dh: &'a [F],
    dz: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for ((dz, &h), &dh) in self.dz.iter_mut().zip(self.h).zip(self.dh) {
            *dz = dh * (F::one() - h * h);
        }
    }
}

/// One step of a batch: `z` -> `h`, both [batch, hidden].
pub fn forward<F: Real>(arch: Arch, z: &[F], h: &mut [F]) {
    vectorized(arch, Forward { z, h });
}

/// The gradient of one step: `h` and `dh` -> `dz`, all [batch, hidden].
pub fn backward<F: Real>(arch: Arch, h: &[F], dh: &[F], dz: &mut [F]) {
    vectorized(arch, Backward { h, dh, dz });
}
