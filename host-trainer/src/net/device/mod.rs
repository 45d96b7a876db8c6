//! A net as its device has it: integers, and training through them.
//!
//! ```text
//! scheme        what is chosen: bits of weights and states, steps of values, scales of features
//! order         an operation's numbers as an image has them, by steps
//! integers      those as integers, each row by its range (`row_range`), or a learnt one (`learned`)
//! qat           the device's forward pass on the tape, and the straight way back
//! ```

pub(crate) mod integers;
pub mod learned;
pub(crate) mod order;
pub mod qat;
pub mod row_range;
pub(crate) mod scheme;
mod units;

pub use self::integers::Plan;
pub use self::scheme::{Scheme, WeightBits};
