//! Which matrices of a model have 4-bit weights.

/// Layers that a bit is kept for: [`Dims::MAX_LAYERS`](crate::Dims::MAX_LAYERS).
pub(super) const LAYERS: usize = 4;

/// Which matrices have 4-bit weights; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FourBits(u8);

impl FourBits {
    /// No matrix.
    pub const NONE: Self = FourBits(0);
    /// The head's bit; layer l has bit l.
    pub(crate) const HEAD: u8 = 0x80;

    /// These, by the numbers of the layers.
    pub const fn new(layers: [bool; LAYERS], head: bool) -> Self {
        let [a, b, c, d] = layers;
        let head = if head { Self::HEAD } else { 0 };
        FourBits(a as u8 | (b as u8) << 1 | (c as u8) << 2 | (d as u8) << 3 | head)
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Bits of a layer's weights, 4 or 8.
    pub const fn of_layer(self, layer: usize) -> u32 {
        if layer < LAYERS && self.0 & 1 << layer != 0 {
            4
        } else {
            8
        }
    }

    /// Bits of the head's weights, 4 or 8.
    pub const fn of_head(self) -> u32 {
        if self.0 & Self::HEAD == 0 { 8 } else { 4 }
    }

    /// The number that stands for them in an image: a bit for each layer, and 128 for the head.
    pub(crate) const fn code(self) -> u8 {
        self.0
    }
}
