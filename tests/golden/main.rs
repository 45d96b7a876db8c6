//! Nets of operations against other implementations: 120 steps from start states that are not zero.
//! In f32 PyTorch and Keras (`nets.py`), in integers the specification in numpy (`integers.py`).
//! And features of sound, in f64 from their definitions (`front_end.py`).

mod convert;
mod file;
mod frameworks;
mod front_end;
mod integers;
