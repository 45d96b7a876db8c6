//! What a language model reads and scores.

/// A token: the row of the input table and the index of a logit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(transparent)]
pub struct TokenId(pub u16);

impl TokenId {
    /// The id as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
