//! Fixed-point numbers: activation tables.

pub mod activation;
