//! TFLite: f32, and int8 whose weights become real numbers again.
//!
//! ```text
//! flat      tables of the file, every access checked
//! model     operators, tensors, weights
//! graph     what each tensor is in the net that is made
//! operators they become layers, one after the other
//! lstm      UNIDIRECTIONAL_SEQUENCE_LSTM
//! ```
//! Shapes tell time from numbers: a tensor is `[1, T, n]`, `[T, 1, n]` or `[1, n]`, and only its
//! last axis is what a step sees.

mod flat;
mod graph;
mod lstm;
mod model;
mod names;
mod operators;

use crate::draft::Draft;
use crate::error::Result;
use crate::options::Options;

/// Reads a file.
pub(crate) fn read(bytes: &[u8], _: Options<'_>) -> Result<Draft> {
    operators::read(bytes)
}
