//! Characters to token ids and back.
//!
//! The vocabulary of an image is its characters in ascending order of code point; a character's id is its rank.
//! Looking a character up is a binary search, looking an id up is an index: no table besides the image itself.
//!
//! ```text
//! id_of(c) = rank of c, or of lower(c) if the model's letters are lower-case, or of ' ' if c is white space that is
//!            folded, or of U+FFFD if the model has an unknown token; otherwise there is none
//! ```

use crate::rules::{TextRules, UNKNOWN};

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
    rules: TextRules,
    /// The rank of [`UNKNOWN`] if it is the unknown token.
    unknown: Option<TokenId>,
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
        Ok(Vocab {
            code_points,
            rules: TextRules::default(),
            unknown: None,
        })
    }

    /// The same with rules for what is looked up; `None` when they ask for an unknown token and there is none.
    pub(crate) fn with_rules(mut self, rules: TextRules) -> Option<Self> {
        if rules.unknown {
            self.unknown = Some(self.rank(UNKNOWN)?);
        }
        self.rules = rules;
        Some(self)
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

    /// What was done to the text the model was trained on.
    pub fn rules(&self) -> TextRules {
        self.rules
    }

    /// The token that stands for all characters outside the vocabulary, if the model has one. It is never suggested.
    pub fn unknown(&self) -> Option<TokenId> {
        self.unknown
    }

    /// The id of a character, if the model knows it.
    ///
    /// A model of lower-case text takes a capital for its small letter where that is one character, one of text with
    /// folded white space takes white space for a space, and one with an unknown token takes everything. Normalisation
    /// looks at more than one character and needs tables: whoever has them does it before.
    pub fn id_of(&self, character: char) -> Option<TokenId> {
        self.rank(character)
            .or_else(|| self.rank(self.prepared(character)))
            .or(self.unknown)
    }

    /// What the rules make of one character.
    fn prepared(&self, character: char) -> char {
        if self.rules.fold_space && character.is_whitespace() {
            return ' ';
        }
        if !self.rules.lower_case {
            return character;
        }
        let mut small = character.to_lowercase();
        match (small.next(), small.next()) {
            (Some(one), None) => one,
            _ => character,
        }
    }

    /// The place of a character in the vocabulary.
    fn rank(&self, character: char) -> Option<TokenId> {
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
    fn rules_find_a_token_for_more_characters() {
        let points = [0x20, 0x61, 0xe9, 0xfffd];
        let vocab = Vocab::new(&points).unwrap();
        let with = |rules| vocab.with_rules(rules).unwrap();
        assert_eq!(vocab.id_of('A'), None);
        let plain = TextRules::default();
        let lower = with(TextRules {
            lower_case: true,
            ..plain
        });
        assert_eq!(lower.id_of('A'), Some(TokenId(1)));
        assert_eq!(lower.id_of('É'), Some(TokenId(2)));
        assert_eq!(lower.id_of('B'), None);
        // Its small letter is two characters: as typed, so not known.
        assert_eq!(lower.id_of('İ'), None);
        let folded = with(TextRules {
            fold_space: true,
            ..plain
        });
        assert_eq!(folded.id_of('\u{a0}'), Some(TokenId(0)));
        let unknown = with(TextRules {
            unknown: true,
            ..plain
        });
        assert_eq!(unknown.unknown(), Some(TokenId(3)));
        assert_eq!(unknown.id_of('A'), Some(TokenId(3)));
        assert_eq!(unknown.id_of('a'), Some(TokenId(1)));
        let none = Vocab::new(&points[..3]).unwrap();
        let asked = TextRules {
            unknown: true,
            ..plain
        };
        assert!(none.with_rules(asked).is_none());
    }

    #[test]
    fn disorder_repetition_and_surrogates_are_refused() {
        assert_eq!(Vocab::new(&[0x61, 0x60]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x61, 0x61]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x61, 0xd800]).unwrap_err(), 1);
        assert_eq!(Vocab::new(&[0x11_0000]).unwrap_err(), 0);
    }
}
