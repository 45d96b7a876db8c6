//! A text to the tokens of a word model, one character at a time.
//!
//! ```text
//! ' for U+2019
//! a longest run of alphanumeric characters and ' with at least one alphanumeric     is one token, a word
//! a line feed                                                                       is the token "\n"
//! other white space                                                                 ends a word, and is no token
//! every other character                                                             is a token by itself
//! ```
//!
//! A word that is longer than any vocabulary's comes out as U+FFFD, the unknown token: so memory is bounded. The rules
//! for the text ([`TextRules`](crate::TextRules)) come before this.

use crate::text::rules::UNKNOWN;
use crate::text::words::Word;

/// The mark that is written as an apostrophe.
const QUOTATION: char = '\u{2019}';

/// The word under way.
///
/// ```
/// let mut tokens = Vec::new();
/// let mut tokenizer = gatelet::Tokenizer::new();
/// for character in "It's 'here'.\n".chars() {
///     tokenizer.feed(character, &mut |token| tokens.push(token.to_owned()));
/// }
/// tokenizer.finish(&mut |token| tokens.push(token.to_owned()));
/// assert_eq!(tokens, ["It's", "'here'", ".", "\n"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tokenizer {
    /// Its beginning.
    word: Word,
    /// It has an alphanumeric character.
    alphanumeric: bool,
    /// It did not fit.
    long: bool,
    /// Apostrophes before the first alphanumeric character.
    apostrophes: usize,
}

impl Tokenizer {
    /// At the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// How a character counts: U+2019 is an apostrophe.
    pub fn plain(character: char) -> char {
        match character {
            QUOTATION => '\'',
            other => other,
        }
    }

    /// Whether a character can be part of a word.
    pub fn in_word(character: char) -> bool {
        character.is_alphanumeric() || matches!(character, '\'' | QUOTATION)
    }

    /// The word that has begun and not ended, empty between words; `None` if it is longer than any vocabulary's.
    pub fn unfinished(&self) -> Option<&str> {
        (!self.long).then_some(&*self.word)
    }

    /// Takes a character in, and hands the tokens that are complete with it to `token`.
    pub fn feed(&mut self, character: char, token: &mut dyn FnMut(&str)) {
        let character = Self::plain(character);
        if Self::in_word(character) {
            self.long |= self.word.push(character).is_none();
            if character != '\'' {
                self.alphanumeric = true;
            } else if !self.alphanumeric {
                self.apostrophes += 1;
            }
            return;
        }
        self.finish(token);
        if character == '\n' || !character.is_whitespace() {
            token(character.encode_utf8(&mut [0; 4]));
        }
    }

    /// Ends the text: hands the word under way to `token`.
    pub fn finish(&mut self, token: &mut dyn FnMut(&str)) {
        if !self.alphanumeric {
            for _ in 0..self.apostrophes {
                token("'");
            }
        } else if self.long {
            token(UNKNOWN.encode_utf8(&mut [0; 4]));
        } else {
            token(&self.word);
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::borrow::ToOwned;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        let mut tokenizer = Tokenizer::new();
        for character in text.chars() {
            tokenizer.feed(character, &mut |token| tokens.push(token.to_owned()));
        }
        tokenizer.finish(&mut |token| tokens.push(token.to_owned()));
        tokens
    }

    #[test]
    fn words_breaks_and_marks() {
        assert_eq!(tokens("don\u{2019}t stop"), ["don't", "stop"]);
        assert_eq!(tokens("3rd, (x)"), ["3rd", ",", "(", "x", ")"]);
        assert_eq!(tokens("'' 'n'"), ["'", "'", "'n'"]);
        assert_eq!(tokens("a\r\n\n\tb\u{a0}"), ["a", "\n", "\n", "b"]);
        assert_eq!(tokens("naïve—日本 :)"), ["naïve", "—", "日本", ":", ")"]);
        assert_eq!(tokens(""), Vec::<String>::new());
    }

    #[test]
    fn a_word_that_is_too_long_is_the_unknown_one() {
        assert_eq!(tokens(&"x".repeat(32)), ["x".repeat(32)]);
        assert_eq!(tokens(&("x".repeat(33) + " y")), ["\u{fffd}", "y"]);
        assert_eq!(tokens(&("'".repeat(40) + "x.")), ["\u{fffd}", "."]);
        assert_eq!(tokens(&"'".repeat(40)).len(), 40);
        let mut tokenizer = Tokenizer::new();
        assert_eq!(tokenizer.unfinished(), Some(""));
        for _ in 0..32 {
            tokenizer.feed('x', &mut |_| panic!("nothing has ended"));
        }
        assert_eq!(tokenizer.unfinished(), Some(&*"x".repeat(32)));
        tokenizer.feed('x', &mut |_| panic!("nothing has ended"));
        assert_eq!(tokenizer.unfinished(), None);
        tokenizer.feed(' ', &mut |token| assert_eq!(token, "\u{fffd}"));
        assert_eq!(tokenizer.unfinished(), Some(""));
    }

    proptest! {
        /// Against the definition, over whole texts.
        #[test]
        fn runs_are_those_of_the_definition(text in "[ab1é' \n\u{2019}.,\u{3000}]{0,40}") {
            let text: String = text.chars().map(Tokenizer::plain).collect();
            let mut expected: Vec<String> = Vec::new();
            let mut rest = text.as_str();
            while let Some(first) = rest.chars().next() {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '\'')).unwrap_or(rest.len());
                let (run, behind) = rest.split_at(length);
                if run.contains(char::is_alphanumeric) {
                    expected.push(if run.len() > 32 { "\u{fffd}".to_owned() } else { run.to_owned() });
                    rest = behind;
                    continue;
                }
                if first == '\n' || !first.is_whitespace() {
                    expected.push(first.to_string());
                }
                rest = &rest[first.len_utf8()..];
            }
            prop_assert_eq!(tokens(&text), expected);
        }
    }
}
