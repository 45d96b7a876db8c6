//! The vectors of AVX2, AVX-512, NEON and WebAssembly behind one small trait.
//!
//! [`Simd`] holds the operations that Gatelet's kernels use, and no others. An algorithm is written
//! once over it; a file for each instruction set says what the operations are there. A value of
//! such a set's type, `x86_64::Avx2` for example, is a proof: it can only be had where the
//! processor has the instructions. [`Isa`] finds what there is.
//!
//! ```
//! use gatelet_simd::{Isa, Simd, WithSimd, gates, slices};
//!
//! /// The sigmoid of every number, a vector at a time.
//! struct Sigmoid<'a>(&'a mut [f32]);
//!
//! impl WithSimd for Sigmoid<'_> {
//!     type Output = ();
//!     #[inline(always)]
//!     fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
//!         for at in (0..self.0.len()).step_by(U) {
//!             let x = v.load_f32(&slices::take(self.0, at));
//!             let mut y = [0.0; U];
//!             v.store_f32(gates::sigmoid_f32(v, x), &mut y);
//!             slices::put(y, self.0, at);
//!         }
//!     }
//! }
//!
//! for isa in Isa::available() {
//!     let mut numbers = [0.0, 1.0, -1.0];
//!     isa.run(Sigmoid(&mut numbers));
//!     assert_eq!(numbers[0], 0.5, "{}", isa.name());
//! }
//! ```
//!
//! # Layers
//!
//! - [`Simd`], [`slices`]: the trait, and reading its vectors at any place.
//! - [`functions`]: exp and tanh, the coefficients of all their forms.
//! - [`gates`]: activations and LSTM cells on vectors.
//! - `x86_64`, `aarch64`, `wasm32`: the instruction sets, the only `unsafe` code.
//! - [`Isa`]: which of them this machine has.

#![no_std]
#![deny(missing_docs, unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

/// Writes operations of a token as methods. Each body is one of the instruction set's own
/// functions, or a few.
#[allow(unused_macros, reason = "not every architecture has vectors here")]
macro_rules! operations {
    ($(
        fn $name:ident($self:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)? $body:block
    )*) => {$(
        #[inline(always)]
        fn $name($self $(, $argument: $type)*) $(-> $result)? {
            // SAFETY: `self` exists, so `new` has found the instructions. Loads and stores go
            // through references to as many elements as they move.
            #[allow(unused_unsafe, reason = "some bodies need no instruction of their own")]
            unsafe { $body }
        }
    )*};
}

/// Writes [`Simd::run`] of a token: `run!(Token, lanes, operands, target_feature(..))`.
#[allow(unused_macros, reason = "not every architecture has vectors here")]
macro_rules! run {
    ($token:ident, $lanes:literal, $operands:literal, $features:meta) => {
        #[inline]
        fn run<W: crate::simd::WithSimd>(self, work: W) -> W::Output {
            #[$features]
            fn run<W: crate::simd::WithSimd>(v: $token, work: W) -> W::Output {
                work.run::<$token, $lanes, $operands>(v)
            }
            // SAFETY: `self` exists, so `new` has found the instructions.
            #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
            unsafe {
                run(self, work)
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
pub mod aarch64;
pub mod functions;
pub mod gates;
mod isa;
mod simd;
pub mod slices;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod wasm32;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;

pub use isa::Isa;
pub use simd::{PANEL, ROUND, Simd, TALL, WithSimd};
