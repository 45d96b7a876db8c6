//! Elementwise loops for the widest vectors of a processor, and tiles of numbers held in registers.

use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;

/// Runs `work` compiled for the widest vector instructions of this processor.
///
/// The loop has to be inlined into `work` (`#[inline(always)]`), or it keeps the instructions of
/// the plain build.
#[inline]
pub(crate) fn vectorized<W: NullaryFnOnce>(arch: Arch, work: W) -> W::Output {
    arch.dispatch(work)
}

/// Units worked on at a time, held in registers: the loops over a tile become vector code without
/// checks for overlap.
pub(crate) const TILE: usize = 16;

/// Up to `TILE` numbers; zeros after the last.
#[inline(always)]
pub(crate) fn load<F: Real>(from: &[F]) -> [F; TILE] {
    if let Ok(full) = from.try_into() {
        return full;
    }
    let mut lanes = [F::zero(); TILE];
    lanes[..from.len()].copy_from_slice(from);
    lanes
}

/// As many numbers as `to` holds, at most `TILE`.
#[inline(always)]
pub(crate) fn store<F: Real>(to: &mut [F], lanes: &[F; TILE]) {
    match <&mut [F; TILE]>::try_from(&mut *to) {
        Ok(full) => *full = *lanes,
        Err(_) => to.copy_from_slice(&lanes[..to.len()]),
    }
}
