//! Fuzz targets. A target is a function of bytes that panics when it finds something; `tests/`
//! hands them to bolero, which runs the saved corpus and a bounded number of new inputs as an
//! ordinary test, and more of them when it is told to (`cargo xtask fuzz`). docs/testing.md says
//! what each target does.
//!
//! ```text
//! bytes --Entropy--> choices --> a model, a text, keys: made, changed, sealed --> the code under test --> what must hold
//! ```

#![deny(missing_docs, unsafe_code)]

mod change;
pub mod checkpoint;
pub mod console;
pub mod counts;
pub mod entropy;
pub mod image;
mod imported;
pub mod keras;
pub mod onnx;
pub mod series;
pub mod text;
pub mod weights;
