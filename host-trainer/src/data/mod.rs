//! What a net learns from: texts of any size, tables of words, sequences, and rows of numbers.
//!
//! ```text
//! text -> corpus -> token ids, the last part held out
//! anything that is a [`Data`] -> examples of one length, each a row of a window
//! ```

pub mod agreement;
pub mod corpus;
mod examples;
pub mod ngrams;
pub mod rows;
pub mod sequences;

pub use self::examples::{Data, features};
