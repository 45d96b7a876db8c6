//! Cells and functions on sums: what becomes of an operation's products. One file each, the equation
//! first. The LSTM and the tanh RNN, whose sums never reach memory, are in `kernel/scalar.rs`.

pub(crate) mod add;
pub(crate) mod dense;
pub(crate) mod gru;
pub(crate) mod relu;
