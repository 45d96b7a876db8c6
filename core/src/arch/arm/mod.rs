//! Arm's microcontrollers: assembly behind safe functions.

mod thumb;

pub(crate) use thumb::dots;
