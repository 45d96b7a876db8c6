//! Cortex-M.

pub(crate) mod armv7em;
