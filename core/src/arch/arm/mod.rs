//! Arm's microcontrollers: assembly behind safe functions.

#[cfg(mve)]
pub(crate) mod mve;
mod thumb;

pub(crate) use thumb::dots;
