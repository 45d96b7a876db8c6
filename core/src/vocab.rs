//! Characters to token ids and back.
//!
//! The vocabulary of an image is its characters in ascending order of code point; a character's id is its rank.
//! Looking a character up is a binary search, looking an id up is an index: no table besides the image itself.

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

/// The characters of a model, borrowed from its image.
#[derive(Clone, Copy, Debug)]
pub struct Vocab<'a> {
    /// `[vocab]` code points, ascending, each a Unicode scalar value.
    code_points: &'a [u32],
}

impl<'a> Vocab<'a> {
    /// Checks that the code points are characters in strictly ascending order.
    ///
    /// # Errors
    /// The index of the first entry that is not.
    pub(crate) fn new(code_points: &'a [u32]) -> Result<Self, usize> {
        let mut below = None;
        for (index, &point) in code_points.iter().enumerate() {
            if char::from_u32(point).is_none() || below.is_some_and(|b| b >= point) {
                return Err(index);
            }
            below = Some(point);
        }
        Ok(Vocab { code_points })
    }

    /// `[vocab]` code points, ascending.
    pub(crate) fn code_points(&self) -> &'a [u32] {
        self.code_points
    }

    /// Tokens in the vocabulary.
    pub fn len(&self) -> usize {
        self.code_points.len()
    }

    /// Whether there are no tokens; never true for a vocabulary of a model.
    pub fn is_empty(&self) -> bool {
        self.code_points.is_empty()
    }

    /// The id of a character, if the model knows it.
    pub fn id_of(&self, character: char) -> Option<TokenId> {
        let rank = self.code_points.binary_search(&u32::from(character)).ok()?;
        u16::try_from(rank).ok().map(TokenId)
    }

    /// The character of an id, if there is one.
    pub fn char_of(&self, id: TokenId) -> Option<char> {
        self.code_points
            .get(id.index())
            .and_then(|&point| char::from_u32(point))
    }

    /// All characters in the order of their ids.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        self.code_points
            .iter()
            .filter_map(|&point| char::from_u32(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ranks() {
        let vocab = Vocab::new(&[0x20, 0x61, 0xe9, 0x1f600]).unwrap();
        assert_eq!(vocab.id_of('é'), Some(TokenId(2)));
        assert_eq!(vocab.id_of('b'), None);
        assert_eq!(vocab.char_of(TokenId(3)), Some('😀'));
        assert_eq!(vocab.char_of(TokenId(4)), None);
        assert!(vocab.chars().eq([' ', 'a', 'é', '😀']));
    }

    #[test]
    fn disorder_repetition_and_surrogates_are_refused() {
        assert_eq!(Vocab::new(&[0x61, 0x60]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x61, 0x61]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x61, 0xd800]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x11_0000]).unwrap_err(), 0);
    }
}
