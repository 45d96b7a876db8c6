//! Code for single processors: assembly, and the tile kernels for the vectors of `gatelet-simd`. The only
//! `unsafe` code of this crate.

#[cfg(any(armv6m, armv7m))]
pub(crate) mod arm;
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub(crate) mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86_64;
