//! Sequences to train on: tables, arrays and recordings, with what is asked of each.
//!
//! ```text
//! DATA --a reader for each format--> rows --Builder--> sequences, counts, notes --> Set
//! Set  --split--> sequences of training, validation, test      never inside a sequence or a group
//!      --scale--> mean and deviation of every number
//!      --read-->  inputs [steps, width] and what is asked of them, from memory or from the files
//! ```
//! Whatever the format, a file is rows of numbers, and a sequence a list of runs of rows:
//!
//! ```text
//! row       features [width], then what is asked: numbers, or the number of a label
//! sequence  runs of rows, in order; the numbers that were missing stand beside it
//! window    steps of a sequence; what is trained on
//! ```
//! A [`Set`] of up to [`Options::memory`] is held in memory. Of a larger one every read goes to the
//! files, by position; both give the same bits. A file is never trusted: sizes are checked against
//! its own before memory is taken for them, and whatever is wrong is one line that says where.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod augment;
mod builder;
mod classes;
mod columns;
mod error;
mod file;
mod fill;
mod folder;
mod input;
mod notes;
mod npy;
mod npz;
mod open;
mod options;
mod place;
mod random;
mod rows;
mod scale;
mod set;
mod split;
mod table;
mod text;
mod time;
mod track;
mod ts;
mod wanted;
mod wav;

pub use augment::Augment;
pub use error::{Error, Result};
pub use options::{Fill, Options, Task};
pub use scale::{Scale, class_counts, class_weights, scale};
pub use set::Set;
pub use split::{Split, leaks, split, split_in_time};
pub use wanted::{Wanted, WantedBuffer};
