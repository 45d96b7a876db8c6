//! What a processor offers beyond portable Rust; the only place with `unsafe`. Every function here is safe to call: it
//! checks what its instructions rely on.

#[cfg(any(armv6m, armv7m))]
pub(crate) mod arm;
