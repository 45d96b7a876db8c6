//! What an instruction set can do that the compiler cannot be made to: the only place with `unsafe`.
//!
//! A file here is a kernel's assembly or intrinsics behind a safe interface: whatever the slices, a call reads and
//! writes inside them.

#[cfg(armv7em)]
pub(crate) mod arm;
