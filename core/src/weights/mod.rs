//! What matrices look like in memory, and borrowed views of a model's weights: rows, pairs, tiles, 4 bits.

pub mod int4;
pub mod layer;
pub mod matrix;
pub mod order;
pub(crate) mod tiles;
