//! Model images: what they consist of, reading (the only place that checks), writing, and other layouts.

pub(crate) mod error;
pub mod format;
mod header;
mod load;
pub(crate) mod model;
mod repack;
mod spec;
pub(crate) mod views;
mod write;
