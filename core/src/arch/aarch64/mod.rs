//! aarch64: NEON, which every processor has, and its dot product, which a build must name.

#![allow(unsafe_code, reason = "instructions of one architecture")]

mod neon;

pub use neon::Neon;
#[cfg(target_feature = "dotprod")]
pub use neon::NeonDot;
