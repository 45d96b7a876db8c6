//! x86-64: AVX2 with FMA, the same with AVX-VNNI, and AVX-512 with VNNI.

#![allow(unsafe_code, reason = "instructions that not every machine has")]

mod avx2;
mod avx512;
mod features;
mod gates;
mod prefetch;
mod tall;

pub use avx2::{Avx2, AvxVnni};
pub use avx512::Avx512;
