//! The boards: one file each. A board offers the four things that `main.rs` wires together:
//!
//! - `Board::start`: clocks and pins, in a bounded time, whatever state the crystal is in;
//! - `Serial`: bytes in and out, no blocking;
//! - `Led` and `Watchdog`: signs of life, for people and for the hardware.
//!
//! [`ending`] is the same for all of them: what a program that ends leaves for the next start.
//!
//! This is the only place that knows registers; the application in the library knows none.

pub mod ending;
mod stm32f405;

pub use stm32f405::{Board, Led, Serial, Watchdog};
