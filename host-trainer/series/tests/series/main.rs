//! Data of every format, made here, and what is read of it.

mod formats;
mod make;
mod memory;
mod missing;
mod refused;
mod split;
