//! Random nets of operations, for tests, benches and conformance suites.
//!
//! - [`mixed`] draws a net: which operations, of which sizes, and what reads what. All choices come from
//!   a [`Source`], so that a seed or the input of a fuzz target decides them.
//! - [`stacked`] is the net of a language model: equal layers between tokens and their scores,
//!   which tests need of many sizes.
//! - [`Operations`] draws its numbers, in both precisions: which matrices, multipliers and addends there
//!   are, and in which shapes, is decided here, and how large they are by a [`Numbers`]: as training
//!   makes them (`gatelet random`), with the largest sums there may be (`tests/same-bits`), or beyond
//!   what loading accepts (`fuzz`).
//!
//! It depends on core alone, so it is quickly built for any target.

mod mixed;
mod numbers;
mod stacked;

pub use mixed::{SIZES, layers, mixed};
pub use numbers::{Added, Addends, Matrix, Numbers, Operations, Wanted};
pub use stacked::{GRU, LSTM, RNN, in_four_bits, stacked, with_widths};

/// Where choices come from.
pub trait Source {
    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize;

    /// One of these.
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Knuth's MMIX generator; its high bits are the good ones.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The choices of a seed.
    pub fn new(seed: u64) -> Self {
        let mut seeded = Self(seed.wrapping_mul(2).wrapping_add(1));
        // Neighbouring seeds have like choices at first.
        for _ in 0..8 {
            seeded.below(2);
        }
        seeded
    }
}

impl Source for Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}
