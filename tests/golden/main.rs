//! Nets of operations against other implementations: 120 steps from start states that are not zero.
//! In f32 PyTorch and Keras (`nets.py`), in integers the specification in numpy (`integers.py`).

mod convert;
mod file;
mod frameworks;
mod integers;
