//! What a net learns from: texts of any size, tables of words, sequences, sound, and rows of
//! numbers.
//!
//! ```text
//! text -> corpus -> token ids, the last part held out
//! sound -> front end -> features of frames
//! anything that is a [`Data`] -> examples of one length, each a row of a window
//! ```

pub mod agreement;
pub mod corpus;
mod examples;
pub mod front;
pub mod ngrams;
pub mod rows;
pub mod sequences;

pub use self::examples::{Data, features};
