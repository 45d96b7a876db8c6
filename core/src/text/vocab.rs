//! Characters or words to token ids and back.
//!
//! The vocabulary of an image is its characters in ascending order of code point, or its words in that of their bytes; the
//! id is the rank. Looking a token up is a binary search; an id is an index, or a few words to decode: no table besides
//! the image itself.
//!
//! ```text
//! id_of(c) = rank of c, or of lower(c) if the model's letters are lower-case, or of ' ' if c is white space that is
//!            folded, or of U+FFFD if the model has an unknown token; otherwise there is none
//! id_of_word(w) = rank of w, or of lower(w), or of U+FFFD
//! bytes: byte b stands as the character U+00b
//! ```

use core::ops::Range;

use crate::net::TokenId;
use crate::text::rules::{TextRules, UNKNOWN};
use crate::text::words::{Word, Words};

/// What rules ask for and a vocabulary has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RulesError {
    /// The unknown token; or one is there that they do not ask for.
    UnknownToken,
    /// A line feed.
    LineBreak,
}

/// What the tokens are.
#[derive(Clone, Copy, Debug)]
enum Tokens<'a> {
    /// `[vocab]` code points, ascending, each a Unicode scalar value.
    Characters(&'a [u32]),
    Words(Words<'a>),
}

/// The characters or words of a model, borrowed from its image.
#[derive(Clone, Copy, Debug)]
pub struct Vocab<'a> {
    tokens: Tokens<'a>,
    /// The characters stand for bytes.
    bytes: bool,
    /// [`TextRules::code`]: a byte, where the rules are several.
    rules: u8,
    /// The rank of [`UNKNOWN`] if it is the unknown token.
    unknown: Option<TokenId>,
}

impl<'a> Vocab<'a> {
    /// No tokens that are a text's.
    pub(crate) const NONE: Self = Vocab {
        tokens: Tokens::Characters(&[]),
        bytes: false,
        rules: 0,
        unknown: None,
    };

    /// Checks that the code points are characters in strictly ascending order.
    ///
    /// # Errors
    /// The index of the first entry that is not.
    pub(crate) fn of_characters(code_points: &'a [u32]) -> Result<Self, usize> {
        let mut below = None;
        for (index, &point) in code_points.iter().enumerate() {
            if char::from_u32(point).is_none() || below.is_some_and(|b| b >= point) {
                return Err(index);
            }
            below = Some(point);
        }
        Ok(Self::of(Tokens::Characters(code_points)))
    }

    /// Checks that the code points are bytes in strictly ascending order.
    ///
    /// # Errors
    /// The index of the first entry that is not.
    pub(crate) fn of_byte_values(code_points: &'a [u32]) -> Result<Self, usize> {
        match code_points.iter().position(|&point| point > 0xff) {
            Some(index) => Err(index),
            None => Ok(Vocab {
                bytes: true,
                ..Self::of_characters(code_points)?
            }),
        }
    }

    /// Checks a list of `count` words.
    ///
    /// # Errors
    /// The index of the first entry that is wrong.
    pub(crate) fn of_words(list: &'a [u8], count: usize) -> Result<Self, usize> {
        Ok(Self::of(Tokens::Words(Words::new(list, count)?)))
    }

    fn of(tokens: Tokens<'a>) -> Self {
        Vocab {
            tokens,
            bytes: false,
            rules: 0,
            unknown: None,
        }
    }

    /// The same with rules for what is looked up.
    ///
    /// # Errors
    /// [`RulesError::UnknownToken`] when they ask for an unknown token and there is none, or for none and there are words;
    /// [`RulesError::LineBreak`] when they ask for lines and there is no line feed.
    pub(crate) fn with_rules(mut self, rules: TextRules) -> Result<Self, RulesError> {
        if rules.unknown {
            self.unknown = Some(self.rank(UNKNOWN).ok_or(RulesError::UnknownToken)?);
        } else if self.is_words() {
            return Err(RulesError::UnknownToken);
        }
        self.rules = rules.code();
        match rules.lines && self.line_break().is_none() {
            true => Err(RulesError::LineBreak),
            false => Ok(self),
        }
    }

    /// The section of the image.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self.tokens {
            Tokens::Characters(code_points) => {
                bytemuck::try_cast_slice(code_points).unwrap_or_default()
            }
            Tokens::Words(words) => words.bytes(),
        }
    }

    /// Whether the tokens are words, as [`Tokenizer`](crate::Tokenizer) makes them of a text, and not characters.
    pub fn is_words(&self) -> bool {
        matches!(self.tokens, Tokens::Words(_))
    }

    /// Whether the tokens are bytes, of any file: byte b is then the character U+00b, and a text is given by the bytes of
    /// its encoding.
    pub fn is_bytes(&self) -> bool {
        self.bytes
    }

    /// Tokens in the vocabulary.
    pub fn len(&self) -> usize {
        match self.tokens {
            Tokens::Characters(code_points) => code_points.len(),
            Tokens::Words(words) => words.len(),
        }
    }

    /// Whether there are no tokens; never true for a vocabulary of a model.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was done to the text the model was trained on.
    pub fn rules(&self) -> TextRules {
        TextRules::of_code(self.rules)
    }

    /// The token that stands for all characters or words outside the vocabulary, if the model has one. It is never suggested.
    pub fn unknown(&self) -> Option<TokenId> {
        self.unknown
    }

    /// The token that every line begins and ends with, in a model of lines ([`TextRules::lines`]).
    pub fn line_break(&self) -> Option<TokenId> {
        match self.rules().lines {
            true => self.rank('\n'),
            false => None,
        }
    }

    /// The id of a character, if the model knows it. In a model of words, of the word that is this character.
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
        if self.rules().fold_space && character.is_whitespace() {
            return ' ';
        }
        if !self.rules().lower_case {
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
        let rank = match self.tokens {
            Tokens::Characters(points) => points.binary_search(&u32::from(character)).ok()?,
            Tokens::Words(words) => words.rank(character.encode_utf8(&mut [0; 4]))?,
        };
        u16::try_from(rank).ok().map(TokenId)
    }

    /// The character of an id, if there is one: in a model of words, if the word has no other.
    pub fn char_of(&self, id: TokenId) -> Option<char> {
        match self.tokens {
            Tokens::Characters(points) => {
                let point = points.get(id.index());
                point.and_then(|&point| char::from_u32(point))
            }
            Tokens::Words(_) => single(&self.word(id)?),
        }
    }

    /// All characters in the order of their ids; none in a model of words.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        let points = match self.tokens {
            Tokens::Characters(code_points) => code_points,
            Tokens::Words(_) => &[],
        };
        points.iter().filter_map(|&point| char::from_u32(point))
    }

    /// The text of an id, if there is such a token: a word, or a character as one.
    pub fn word(&self, id: TokenId) -> Option<Word> {
        match self.tokens {
            Tokens::Characters(_) => {
                let character = self.char_of(id)?;
                Word::new(character.encode_utf8(&mut [0; 4]))
            }
            Tokens::Words(words) => words.get(id.index()),
        }
    }

    /// All tokens as texts in the order of their ids.
    pub fn words(&self) -> impl Iterator<Item = Word> + 'a {
        let vocab = *self;
        (0..=u16::MAX)
            .take(self.len())
            .filter_map(move |id| vocab.word(TokenId(id)))
    }

    /// The id of a token by its text: of a word as [`Tokenizer`](crate::Tokenizer) makes it, or of a text of one
    /// character. A model of lower-case text takes capitals for small letters, as [`Vocab::id_of`] does.
    pub fn id_of_word(&self, word: &str) -> Option<TokenId> {
        match self.tokens {
            Tokens::Characters(_) => single(word).map_or(self.unknown, |c| self.id_of(c)),
            Tokens::Words(words) => {
                let rank = |word: &str| Some(TokenId(u16::try_from(words.rank(word)?).ok()?));
                rank(word)
                    .or_else(|| rank(&self.prepared_word(word)?))
                    .or(self.unknown)
            }
        }
    }

    /// The ids of the tokens whose text begins with `prefix`; empty if there is none. Capitals as in
    /// [`Vocab::id_of_word`].
    pub fn with_prefix(&self, prefix: &str) -> Range<u16> {
        let range = match self.tokens {
            _ if prefix.is_empty() => 0..self.len(),
            Tokens::Characters(_) => {
                let id = single(prefix).and_then(|c| self.id_of(c));
                id.map_or(0..0, |id| id.index()..id.index() + 1)
            }
            Tokens::Words(words) => match words.with_prefix(prefix) {
                none if none.is_empty() => self
                    .prepared_word(prefix)
                    .map_or(none, |prefix| words.with_prefix(&prefix)),
                some => some,
            },
        };
        // At most net::MAX_VOCAB.
        range.start as u16..range.end as u16
    }

    /// What the rules make of a word, if that is short enough for one.
    fn prepared_word(&self, word: &str) -> Option<Word> {
        let mut prepared = Word::default();
        for character in word.chars() {
            prepared.push(self.prepared(character))?;
        }
        Some(prepared)
    }
}

/// The character of a text that has no other.
fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    let character = characters.next()?;
    characters.next().is_none().then_some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ranks() {
        let vocab = Vocab::of_characters(&[0x20, 0x61, 0xe9, 0x1f600]).unwrap();
        assert_eq!(vocab.id_of('é'), Some(TokenId(2)));
        assert_eq!(vocab.id_of('b'), None);
        assert_eq!(vocab.char_of(TokenId(3)), Some('😀'));
        assert_eq!(vocab.char_of(TokenId(4)), None);
        assert!(vocab.chars().eq([' ', 'a', 'é', '😀']));
    }

    #[test]
    fn rules_find_a_token_for_more_characters() {
        let points = [0x20, 0x61, 0xe9, 0xfffd];
        let vocab = Vocab::of_characters(&points).unwrap();
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
        let none = Vocab::of_characters(&points[..3]).unwrap();
        let asked = TextRules {
            unknown: true,
            ..plain
        };
        assert_eq!(none.with_rules(asked).err(), Some(RulesError::UnknownToken));
    }

    #[test]
    fn lines_need_a_line_feed() {
        let lines = TextRules {
            lines: true,
            ..TextRules::default()
        };
        let of = |points| Vocab::of_characters(points).unwrap();
        let vocab = of(&[0x0a, 0x61]);
        let found = vocab.with_rules(lines).unwrap();
        assert_eq!(found.line_break(), Some(TokenId(0)));
        assert_eq!(vocab.line_break(), None);
        let error = of(&[0x20, 0x61]).with_rules(lines).err();
        assert_eq!(error, Some(RulesError::LineBreak));
    }

    #[test]
    fn words_have_ids_prefixes_and_rules() {
        let list = ["\n", ".", "Al", "an", "and", "b", "é", "\u{fffd}"];
        let bytes = crate::text::words::tests::encoded(&list);
        let plain = Vocab::of_words(&bytes, list.len()).unwrap();
        assert!(plain.with_rules(TextRules::default()).is_err());
        let unknown = TextRules {
            unknown: true,
            ..TextRules::default()
        };
        let exact = plain.with_rules(unknown).unwrap();
        let lower = plain
            .with_rules(TextRules {
                lower_case: true,
                ..unknown
            })
            .unwrap();
        assert!(exact.is_words() && exact.len() == 8);
        let id = |word| exact.id_of_word(word).unwrap().0;
        assert_eq!([id("Al"), id("and"), id("AND"), id("never")], [2, 4, 7, 7]);
        assert_eq!(lower.id_of_word("AND"), Some(TokenId(4)));
        assert_eq!(lower.id_of_word("Al"), Some(TokenId(2)));
        assert_eq!(lower.id_of_word(&"A".repeat(40)), Some(TokenId(7)));
        assert_eq!(exact.word(TokenId(4)).as_deref(), Some("and"));
        assert_eq!(exact.word(TokenId(8)), None);
        assert!(exact.words().map(|w| w.len()).eq(list.map(str::len)));
        assert_eq!(exact.with_prefix("an"), 3..5);
        assert_eq!(exact.with_prefix(""), 0..8);
        assert!(exact.with_prefix("AN").is_empty());
        assert_eq!(lower.with_prefix("AN"), 3..5);
        assert_eq!(exact.char_of(TokenId(6)), Some('é'));
        assert_eq!(
            (exact.char_of(TokenId(3)), exact.id_of('b')),
            (None, Some(TokenId(5)))
        );
        assert_eq!(exact.chars().count(), 0);
    }

    #[test]
    fn characters_are_words_of_one() {
        let vocab = Vocab::of_characters(&[0x20, 0x61, 0xe9]).unwrap();
        assert!(!vocab.is_words());
        assert_eq!(vocab.word(TokenId(2)).as_deref(), Some("é"));
        assert_eq!(vocab.id_of_word("a"), Some(TokenId(1)));
        assert_eq!(vocab.id_of_word("aa"), None);
        assert_eq!(vocab.with_prefix("é"), 2..3);
        assert!(vocab.with_prefix("x").is_empty());
        assert_eq!(vocab.with_prefix(""), 0..3);
    }

    #[test]
    fn bytes_are_the_first_characters() {
        let vocab = Vocab::of_byte_values(&[0, 0x61, 0x80, 0xff]).unwrap();
        assert!(vocab.is_bytes() && !vocab.is_words());
        assert_eq!(vocab.id_of('\u{80}'), Some(TokenId(2)));
        assert_eq!((vocab.id_of('b'), vocab.id_of('漢')), (None, None));
        assert!(vocab.chars().map(u32::from).eq([0, 0x61, 0x80, 0xff]));
        assert_eq!(Vocab::of_byte_values(&[0, 0x100]).unwrap_err(), 1);
        assert_eq!(Vocab::of_byte_values(&[1, 1]).unwrap_err(), 1);
        assert!(!Vocab::of_characters(&[0, 0x61]).unwrap().is_bytes());
    }

    #[test]
    fn disorder_repetition_and_surrogates_are_refused() {
        assert_eq!(Vocab::of_characters(&[0x61, 0x60]).unwrap_err(), 1);
        assert_eq!(Vocab::of_characters(&[0x61, 0x61]).unwrap_err(), 1);
        assert_eq!(Vocab::of_characters(&[0x61, 0xd800]).unwrap_err(), 1);
        assert_eq!(Vocab::of_characters(&[0x11_0000]).unwrap_err(), 0);
    }
}
