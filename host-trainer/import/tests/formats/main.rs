//! Files of every format, made by the scripts in `tests/`: their nets give what their programs give,
//! and what cannot come along is refused in a line.

mod compare;
mod json;
#[cfg(feature = "keras")]
mod keras;
mod tflite;
mod torch;
