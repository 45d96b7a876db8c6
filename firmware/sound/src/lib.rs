//! What the streaming demos hear, on a board and on a host alike: docs/streaming.md.
//!
//! ```text
//! voice       samples --bands--> 7 numbers a frame --net--> voice or noise --hearing--> lines
//! keyword     samples --the model's front end--> features --net--> scores --spotter--> words
//! amplifier   samples --net--> samples
//! wire        blocks of samples on a serial line, each answered before the next is sent
//! ```
//! [`bands`] and [`hearing`] are in integers, and so is the detector's net: a board and a host say
//! the same to the bit. With the feature `synth` there are sounds to train on: plucked strings, a
//! valve-like circuit, speech-like sounds and noises.

#![cfg_attr(not(any(test, feature = "synth")), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bands;
pub mod hearing;
pub mod listener;
pub mod spotter;
#[cfg(any(test, feature = "synth"))]
pub mod synth;
pub mod wire;

pub use bands::Bands;
pub use listener::Listener;
pub use spotter::Spotter;
