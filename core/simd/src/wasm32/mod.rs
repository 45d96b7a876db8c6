//! WebAssembly with 128-bit vectors: in builds with `-C target-feature=+simd128`, which every
//! current engine runs.

#![allow(unsafe_code, reason = "instructions that not every engine has")]

mod simd128;

pub use simd128::Simd128;
