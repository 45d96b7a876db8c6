//! What a recipe may ask for.

/// Fewest samples a second.
pub(super) const MIN_RATE: u32 = 1_000;
/// Most samples a second.
pub const MAX_RATE: u32 = 96_000;
/// Fewest samples of a frame.
pub(super) const MIN_FRAME: u16 = 32;
/// Most samples of a frame.
pub const MAX_FRAME: u16 = 1_024;
/// Most bands.
pub const MAX_BANDS: u8 = 128;
