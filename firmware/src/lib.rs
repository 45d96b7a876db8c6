//! The console of a board that predicts what you type, without any hardware in it.
//!
//! ```text
//! bytes --keys::Decoder--> Key --Console--> Line (session + history of snapshots) --> View --> terminal
//!                                   `--> gatelet::Completer (looks ahead, then puts the state back)
//! ```
//!
//! - [`keys`]: UTF-8, control characters and escape sequences, one byte at a time;
//! - [`line`](mod@line): the typed tokens and the state that belongs to them; Backspace restores
//!   it;
//! - [`write`](mod@write): the board writes by itself, from a seed;
//! - [`view`]: one line of the terminal, redrawn without flicker;
//! - [`console`]: what each key does;
//! - [`boot`]: is the model sound? Says what it is, or why it is refused;
//! - [`ending`]: why the run before ended;
//! - [`stream`]: the other demos, which hear: an amplifier, and voice or noise;
//! - [`budget`]: does a model fit a board? Used by `build.rs`;
//! - `remedy`: what to do if it does not; only `build.rs` has it;
//! - [`embedded`]: the model this crate was built with.
//!
//! Everything is `no_std`, does not allocate, and runs in the host's tests as it does on the board:
//! the terminal is any [`embedded_io::Write`], the kernel any [`gatelet::Kernel`].

#![cfg_attr(not(test), no_std)]
#![deny(missing_docs, unsafe_code)]

pub mod boot;
pub mod budget;
pub mod console;
#[cfg(target_os = "none")]
pub mod counter;
pub mod embedded;
pub mod ending;
#[cfg(test)]
mod fixtures;
pub mod keys;
pub mod line;
#[cfg(test)]
mod remedy;
pub mod stream;
mod tokens;
pub mod view;
pub mod write;

pub use console::Console;
pub use line::Line;

/// What the board's programs do when somebody builds them for the host: nothing, and they say so.
#[cfg(not(target_os = "none"))]
pub fn not_for_the_host() {
    extern crate std;
    std::eprintln!(
        "error: this is the program of a microcontroller; run it in QEMU with `cargo xtask firmware run`"
    );
    std::process::exit(2);
}
