//! The elementwise part of each cell, forward next to its backward; the matrix products are in `bptt`.

pub mod gru;
pub mod lstm;
pub mod rnn;

use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;

/// Runs `work` compiled for the widest vector instructions of this processor.
///
/// The loop has to be inlined into `work` (`#[inline(always)]`), or it keeps the instructions of the plain build.
#[inline]
pub(crate) fn vectorized<W: NullaryFnOnce>(arch: Arch, work: W) -> W::Output {
    arch.dispatch(work)
}

/// Units worked on at a time, held in registers: the loops over a tile become vector code without checks for overlap.
const TILE: usize = 16;

/// Up to `TILE` numbers; zeros after the last.
#[inline(always)]
fn load<F: Real>(from: &[F]) -> [F; TILE] {
    if let Ok(full) = from.try_into() {
        return full;
    }
    let mut lanes = [F::zero(); TILE];
    lanes[..from.len()].copy_from_slice(from);
    lanes
}

/// As many numbers as `to` holds, at most `TILE`.
#[inline(always)]
fn store<F: Real>(to: &mut [F], lanes: &[F; TILE]) {
    match <&mut [F; TILE]>::try_from(&mut *to) {
        Ok(full) => *full = *lanes,
        Err(_) => to.copy_from_slice(&lanes[..to.len()]),
    }
}
