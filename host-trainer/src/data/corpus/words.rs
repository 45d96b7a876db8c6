//! Texts as words: what a token is, how often each occurs, and how tokens are written as a text again.
//!
//! ```text
//! character level   every character is a token
//! byte level        every byte is, and nothing is done to it
//! word level        core's Tokenizer: words, line feeds and marks are tokens; other white space only separates
//! written again     a space before every token, except at the start of a line, before a mark that clings to the word
//!                   before it (. , ! ? ...), after an opening one, and before a line feed
//! ```
//! The spaces of a text are not kept, so what is written again reads like the text and need not equal it.

use std::collections::HashMap;

use gatelet::{Tokenizer, UNKNOWN};
use serde::{Deserialize, Serialize};

/// What a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A character.
    #[default]
    Char,
    /// A word, a line feed or a mark.
    Word,
    /// A byte, of whatever file.
    Byte,
}

impl Level {
    /// What tokens are called: `character`, `token` or `byte`.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Char => "character",
            Self::Word => "token",
            Self::Byte => "byte",
        }
    }

    /// The level of a model's vocabulary.
    pub fn of(vocab: &gatelet::Vocab<'_>) -> Self {
        match (vocab.is_words(), vocab.is_bytes()) {
            (true, _) => Self::Word,
            (_, true) => Self::Byte,
            _ => Self::Char,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Char => "char",
            Self::Word => "word",
            Self::Byte => "byte",
        })
    }
}

/// How many tokens a line has, without its line feed.
pub(super) fn line_tokens(level: Level, line: &str) -> usize {
    if level != Level::Word {
        return line.chars().count();
    }
    let (mut tokenizer, mut count) = (Tokenizer::new(), 0);
    for c in line.chars() {
        tokenizer.feed(c, &mut |_| count += 1);
    }
    tokenizer.finish(&mut |_| count += 1);
    count
}

/// Whether a token is a word, and not a mark, a line feed or the unknown token.
pub fn is_word(token: &str) -> bool {
    token.contains(char::is_alphanumeric)
}

/// Whether a space stands between two neighbouring tokens of a text.
pub fn is_spaced(before: &str, token: &str) -> bool {
    let clings = |mark: &str| ".,!?;:)]}%…”".contains(mark);
    let opens = |mark: &str| "([{$#“\n".contains(mark);
    !(before.is_empty() || token == "\n" || clings(token) || opens(before))
}

/// How often every word occurs in a text that comes in pieces.
///
/// Memory: the distinct words of the text.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    tokenizer: Tokenizer,
    counts: HashMap<String, u64>,
    /// Tokens in all.
    pub tokens: usize,
}

impl WordCounts {
    fn count(&mut self, feed: impl FnOnce(&mut Tokenizer, &mut dyn FnMut(&str))) {
        let (counts, tokens) = (&mut self.counts, &mut self.tokens);
        feed(&mut self.tokenizer, &mut |token| {
            *tokens += 1;
            match counts.get_mut(token) {
                Some(count) => *count += 1,
                None => drop(counts.insert(token.to_owned(), 1)),
            }
        });
    }

    /// Counts the tokens of a piece.
    pub fn add(&mut self, piece: &str) {
        self.count(|tokenizer, each| {
            piece.chars().for_each(|c| tokenizer.feed(c, each));
        });
    }

    /// Counts the word that the text ends in.
    pub fn finish(&mut self) {
        self.count(Tokenizer::finish);
    }

    /// The words that occur with how often, the most frequent first, ties in the order of their bytes; without the
    /// unknown token.
    pub fn by_frequency(&self) -> Vec<(&str, u64)> {
        let known = |&(word, _): &(&str, u64)| word != UNKNOWN.encode_utf8(&mut [0; 4]);
        let all = self.counts.iter().map(|(word, &count)| (&**word, count));
        let mut all: Vec<_> = all.filter(known).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }
}

/// Words as ids, for texts that come in pieces.
#[derive(Clone, Debug)]
pub struct WordEncoder {
    tokenizer: Tokenizer,
    ids: HashMap<String, u16>,
    unknown: u16,
}

impl WordEncoder {
    /// For words whose ids are their places, one of which is U+FFFD.
    pub fn new(words: &[String], unknown: u16) -> Self {
        Self {
            tokenizer: Tokenizer::new(),
            ids: words.iter().cloned().zip(0..).collect(),
            unknown,
        }
    }

    /// Back to the start of a text.
    pub fn rewind(&mut self) {
        self.tokenizer = Tokenizer::new();
    }

    /// Adds the tokens that are complete with a piece to `into`.
    pub fn encode(&mut self, piece: &str, into: &mut Vec<u16>) {
        let (ids, unknown) = (&self.ids, self.unknown);
        let mut each = |token: &str| into.push(ids.get(token).copied().unwrap_or(unknown));
        for c in piece.chars() {
            self.tokenizer.feed(c, &mut each);
        }
    }

    /// Adds the word that the text ends in.
    pub fn finish(&mut self, into: &mut Vec<u16>) {
        let (ids, unknown) = (&self.ids, self.unknown);
        self.tokenizer
            .finish(&mut |token| into.push(ids.get(token).copied().unwrap_or(unknown)));
    }
}

/// A byte for people: printable ASCII as it is, others as `\xNN`.
pub fn byte_shown(byte: u8) -> String {
    match byte {
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// Bytes that come as characters up to U+00FF.
pub fn to_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

/// The bytes of a model of bytes, which come as characters up to U+00FF, for people: as UTF-8 where they are that, and
/// the others as `\xNN`.
pub fn shown_bytes(text: &str) -> String {
    let bytes = to_bytes(text);
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        shown.push_str(chunk.valid());
        chunk
            .invalid()
            .iter()
            .for_each(|&byte| shown.push_str(&byte_shown(byte)));
    }
    shown
}

/// Writes the tokens of a model as a text: characters as they are, the bytes of a model of bytes as those up to U+00FF,
/// words with the spaces between them.
#[derive(Clone, Debug)]
pub struct Joiner<'a> {
    vocab: gatelet::Vocab<'a>,
    before: String,
}

impl<'a> Joiner<'a> {
    /// At the start of a line.
    pub fn new(vocab: gatelet::Vocab<'a>) -> Self {
        let before = String::new();
        Self { vocab, before }
    }

    /// Adds a token to `text`.
    pub fn push(&mut self, id: gatelet::TokenId, text: &mut String) {
        match self.vocab.is_words() {
            false => text.extend(self.vocab.char_of(id)),
            true => {
                if let Some(word) = self.vocab.word(id) {
                    add(&mut self.before, &word, text);
                }
            }
        }
    }
}

/// Adds a word or mark to `text`, with a space before it where there has to be one.
fn add(before: &mut String, token: &str, text: &mut String) {
    if is_spaced(before, token) {
        text.push(' ');
    }
    text.push_str(token);
    token.clone_into(before);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(tokens: &[&str]) -> String {
        let (mut before, mut text) = (String::new(), String::new());
        for token in tokens {
            add(&mut before, token, &mut text);
        }
        text
    }

    #[test]
    fn tokens_are_written_as_people_write() {
        let tokens = [
            "hi", ",", "how", "are", "you", "?", "\n", "fine", "(", "really", ")", "!", "\n", "\n",
            "ok", ".",
        ];
        assert_eq!(joined(&tokens), "hi, how are you?\nfine (really)!\n\nok.");
        assert_eq!(joined(&[]), "");
    }

    #[test]
    fn pieces_of_any_size_give_the_same_tokens() {
        let text = "don\u{2019}t stop, it's 'ok'\nnow";
        let words: Vec<String> = [
            "\n", "'ok'", ",", "don't", "it's", "now", "stop", "\u{fffd}",
        ]
        .map(String::from)
        .into();
        for size in 1..7 {
            let mut encoder = WordEncoder::new(&words, 7);
            let mut counts = WordCounts::default();
            let mut ids = Vec::new();
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(size) {
                let piece: String = piece.iter().collect();
                encoder.encode(&piece, &mut ids);
                counts.add(&piece);
            }
            encoder.finish(&mut ids);
            counts.finish();
            assert_eq!(ids, [3, 6, 2, 4, 1, 0, 5], "{size}");
            assert_eq!(counts.tokens, 7);
            assert_eq!(counts.by_frequency().len(), 7);
        }
    }

    #[test]
    fn bytes_are_shown_as_text_where_they_are_that() {
        let text: String = b"a\n\xc3\xa9 \xe9\x90".map(char::from).iter().collect();
        assert_eq!(shown_bytes(&text), "a\né \\xe9\\x90");
        assert_eq!(to_bytes(&text), b"a\n\xc3\xa9 \xe9\x90");
        assert_eq!(
            [b' ', b'~', 0, 0x7f, 0xff].map(byte_shown),
            [" ", "~", "\\x00", "\\x7f", "\\xff"]
        );
    }

    #[test]
    fn the_most_frequent_come_first() {
        let mut counts = WordCounts::default();
        counts.add("b a b c c \u{fffd} \u{fffd} \u{fffd}");
        counts.finish();
        assert_eq!(counts.by_frequency(), [("b", 2), ("c", 2), ("a", 1)]);
        assert_eq!(counts.tokens, 8);
    }
}
