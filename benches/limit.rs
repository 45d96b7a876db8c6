//! The machine's limits, measured: how long it takes to read a footprint once, and how fast it multiplies and adds.
//!
//! ```text
//! read:  sums[0..16] ^= vectors, the widest there are; an exclusive or costs one cycle, so only the loads count
//! fma:   16 chains of a = a * b + c in registers: more than latency times units of any current core
//! ```
//!
//! A step at batch 1 uses every weight once, so no kernel whose weights come from the same place in the hierarchy
//! can be faster than the read. Weights that do not fit a cache are evicted before they come round again when they
//! are always swept in the same direction; swept forward and backward in turn, what was read last is still there.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gatelet_trainer::memory::Memory;
use pulp::{Arch, Simd, WithSimd, as_arrays};

use crate::rounds::Repeat;

/// Independent chains: accumulators of a read, and of a multiplication.
const CHAINS: usize = 16;
/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// Memory of a given size, of the kind that weights are in.
pub struct Footprint(Memory<u32>);

/// The order in which the repeated reads of a footprint go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Always from the start to the end.
    Forward,
    /// There and back in turn.
    Alternating,
}

impl Footprint {
    /// `bytes`, rounded up to whole cache lines; written once, so that every page is there.
    pub fn new(bytes: usize) -> Self {
        let mut memory = Memory::zeroed(bytes.next_multiple_of(LINE) / size_of::<u32>());
        for (i, word) in memory.iter_mut().enumerate() {
            *word = i as u32 | 1;
        }
        Self(memory)
    }

    /// Reads all of it `n` times and says how long that took.
    pub fn read(&self, sweep: Sweep, n: u32) -> Duration {
        let words = &self.0;
        let start = Instant::now();
        Arch::new().dispatch(Read { words, sweep, n });
        start.elapsed()
    }

    /// The reads as a contestant in rounds.
    pub fn contestant(&self, sweep: Sweep) -> Repeat<'_> {
        Box::new(move |n| self.read(sweep, n))
    }
}

/// All reads in one function, so that the choice of the vector width is not part of what is timed.
struct Read<'a> {
    words: &'a [u32],
    sweep: Sweep,
    n: u32,
}

impl WithSimd for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = [simd.splat_u32s(0); CHAINS];
        let mut rest = [simd.splat_u32s(0); 4];
        for turn in 0..self.n {
            // Opaque: as far as the compiler knows, every turn reads something else.
            let words = black_box(self.words);
            // A footprint is whole lines: nothing is left over that fills no vector.
            let (vectors, _) = S::as_simd_u32s(words);
            let (blocks, last) = as_arrays::<CHAINS, _>(vectors);
            let (quarters, singles) = as_arrays::<4, _>(last);
            if self.sweep == Sweep::Alternating && turn % 2 == 1 {
                singles
                    .iter()
                    .for_each(|&one| rest = add(simd, rest, &[one; 4]));
                quarters
                    .iter()
                    .rev()
                    .for_each(|four| rest = add(simd, rest, four));
                blocks
                    .iter()
                    .rev()
                    .for_each(|block| sums = add(simd, sums, block));
            } else {
                blocks
                    .iter()
                    .for_each(|block| sums = add(simd, sums, block));
                quarters
                    .iter()
                    .for_each(|four| rest = add(simd, rest, four));
                singles
                    .iter()
                    .for_each(|&one| rest = add(simd, rest, &[one; 4]));
            }
        }
        let all = sums.into_iter().chain(rest);
        black_box(all.fold(simd.splat_u32s(0), |a, b| simd.xor_u32s(a, b)));
    }
}

/// Adds a vector to each chain. By value and of a fixed number: otherwise the chains would not stay in registers.
#[inline(always)]
fn add<S: Simd, const N: usize>(simd: S, sums: [S::u32s; N], block: &[S::u32s; N]) -> [S::u32s; N] {
    std::array::from_fn(|i| simd.xor_u32s(sums[i], block[i]))
}

/// Multiplications and additions in f32, on registers only.
struct MultiplyAdd(u32);

impl WithSimd for MultiplyAdd {
    type Output = usize;

    /// Gives the floating-point operations done.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let (b, c) = (black_box(0.999_f32), black_box(0.001_f32));
        let (b, c) = (simd.splat_f32s(b), simd.splat_f32s(c));
        // Not from one constant: equal chains could be folded into one.
        let mut sums: [S::f32s; CHAINS] =
            std::array::from_fn(|i| simd.splat_f32s(black_box(i as f32)));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, b, c);
            }
        }
        black_box(sums);
        2 * CHAINS * S::F32_LANES * self.0 as usize
    }
}

/// One sample of the peak of multiply-adds in f32, in operations a second: each counts as two.
pub fn fma_flops() -> f64 {
    // Some 50 microseconds: long against the clock's resolution, short against a scheduler's slice.
    let start = Instant::now();
    let operations = Arch::new().dispatch(MultiplyAdd(25_000));
    operations as f64 / start.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footprint_is_aligned_and_long_enough() {
        for bytes in [1, 63, 64, 65, 22_528] {
            let footprint = Footprint::new(bytes);
            let words = &footprint.0;
            assert_eq!(words.as_ptr().align_offset(LINE / size_of::<u32>()), 0);
            assert!((bytes..bytes + LINE).contains(&(4 * words.len())));
        }
    }

    #[test]
    fn every_operation_is_counted() {
        let lanes = Arch::new().dispatch(MultiplyAdd(1)) / 2 / CHAINS;
        assert!(lanes.is_power_of_two());
        assert_eq!(
            Arch::new().dispatch(MultiplyAdd(100)),
            100 * 2 * CHAINS * lanes
        );
    }
}
