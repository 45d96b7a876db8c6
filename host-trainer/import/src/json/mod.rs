//! JSON.
pub(crate) mod value;
