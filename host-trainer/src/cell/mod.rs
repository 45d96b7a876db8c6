//! The elementwise part of each cell, forward next to its backward; the matrix products are in `bptt`.

pub mod lstm;
pub mod rnn;

use pulp::{Arch, NullaryFnOnce};

/// Runs `work` compiled for the widest vector instructions of this processor.
///
/// The loop has to be inlined into `work` (`#[inline(always)]`), or it keeps the instructions of the plain build.
#[inline]
pub(crate) fn vectorized<W: NullaryFnOnce>(arch: Arch, work: W) -> W::Output {
    arch.dispatch(work)
}
