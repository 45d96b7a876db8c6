//! Arm's microcontrollers: assembly behind safe functions.

#![allow(unsafe_code, reason = "calls assembly")]

#[cfg(armv7em)]
pub(crate) mod armv7em;
#[cfg(fpu)]
pub(crate) mod fpu;
#[cfg(armv7em)]
mod gru;
mod int4;
#[cfg(mve)]
pub(crate) mod mve;
#[cfg(mve)]
pub(crate) mod mve4;
mod thumb;

pub(crate) use int4::PairsOfX;
pub(crate) use thumb::dots;
