//! Reads ahead of their use.

use core::arch::x86_64::_mm_prefetch;

/// Prefetches the cache lines of `from`: `HINT` says how near.
#[inline(always)]
pub(super) fn prefetch<T, const HINT: i32>(from: &[T]) {
    const LINE: usize = 64;
    for line in from.chunks(LINE / size_of::<T>().max(1)) {
        // SAFETY: a prefetch reads nothing, and what SSE has every x86-64 has.
        unsafe { _mm_prefetch::<HINT>(line.as_ptr().cast()) };
    }
}
