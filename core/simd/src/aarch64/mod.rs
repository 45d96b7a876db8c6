//! aarch64: NEON, which every processor has, and its dot product, which the operating system knows
//! of.

#![allow(unsafe_code, reason = "instructions of one architecture")]

mod neon;

pub use neon::{Neon, NeonDot};
