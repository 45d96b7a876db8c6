//! Text to tokens: vocabulary, split, and the hash that names the text.
//!
//! ```text
//! vocabulary = distinct characters, sorted by code point;  id(c) = rank of c
//! train | validation = tokens[..n - v] | tokens[n - v..],  v = floor(fraction * n)
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Largest vocabulary of a model.
pub const MAX_VOCAB: usize = 16_384;

/// Distinct characters sorted by code point; a token id is a rank in this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    chars: Vec<char>,
}

impl Vocabulary {
    /// All distinct characters of `text`.
    pub fn of(text: &str) -> Self {
        Self {
            chars: text.chars().collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }

    /// From a list that is already sorted by code point and free of repetition; `None` when it is not,
    /// or when its length is outside 2..=16384.
    pub fn from_sorted(chars: Vec<char>) -> Option<Self> {
        let ordered = chars.windows(2).all(|pair| pair[0] < pair[1]);
        (ordered && (2..=MAX_VOCAB).contains(&chars.len())).then_some(Self { chars })
    }

    /// Number of characters.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a vocabulary of a model is never empty"
    )]
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// The characters, ascending.
    pub fn chars(&self) -> &[char] {
        &self.chars
    }

    /// Token id of a character.
    pub fn id_of(&self, c: char) -> Option<u16> {
        self.chars
            .binary_search(&c)
            .ok()
            .and_then(|rank| u16::try_from(rank).ok())
    }

    /// Token ids of a text; `place` names it in the error.
    ///
    /// # Errors
    /// [`Error::UnknownCharacter`] for the first character outside the vocabulary.
    pub fn encode(&self, text: &str, place: &str) -> Result<Vec<u16>> {
        text.chars()
            .enumerate()
            .map(|(position, found)| {
                self.id_of(found).ok_or_else(|| Error::UnknownCharacter {
                    place: place.to_owned(),
                    found,
                    position,
                    vocab: self.len(),
                    hint: self.other_case(found),
                })
            })
            .collect()
    }

    /// A hint for a letter of which only the other case is known.
    fn other_case(&self, c: char) -> String {
        let known = |o: &char| *o != c && self.id_of(*o).is_some();
        c.to_lowercase()
            .chain(c.to_uppercase())
            .find(known)
            .map_or_else(String::new, |o| format!(" (it knows {o:?})"))
    }
}

/// A text with its name and hash.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as the user gave it.
    pub name: String,
    /// The characters.
    pub content: String,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

impl Text {
    /// Reads a UTF-8 file.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::NotUtf8`] with the offset and line of the first bad byte.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(path.display().to_string(), bytes)
    }

    /// The same from bytes in memory.
    ///
    /// # Errors
    /// [`Error::NotUtf8`].
    pub fn from_bytes(name: String, bytes: Vec<u8>) -> Result<Self> {
        let sha256 = Sha256::digest(&bytes).into();
        match String::from_utf8(bytes) {
            Ok(content) => Ok(Self {
                name,
                content,
                sha256,
            }),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let line = 1 + error.as_bytes()[..offset]
                    .iter()
                    .filter(|&&b| b == b'\n')
                    .count();
                Err(Error::NotUtf8 { name, offset, line })
            }
        }
    }
}

/// Lower-case hexadecimal of a hash.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A text turned into tokens, split for training.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// Name of the text.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Its vocabulary.
    pub vocab: Vocabulary,
    /// Token ids of the whole text.
    pub tokens: Vec<u16>,
    /// Number of tokens in the training part, the first of the text.
    pub train_len: usize,
}

/// Number of validation tokens at the end of a text of `len` tokens.
pub fn validation_len(len: usize, fraction: f64) -> usize {
    ((len as f64 * fraction) as usize).min(len)
}

impl Corpus {
    /// Builds vocabulary and tokens of `text`, holding back its last `fraction` for validation.
    ///
    /// # Errors
    /// [`Error::EmptyCorpus`], [`Error::OneCharacter`], [`Error::VocabularyTooLarge`].
    pub fn new(text: &Text, fraction: f64) -> Result<Self> {
        let vocab = Vocabulary::of(&text.content);
        let name = text.name.clone();
        match *vocab.chars() {
            [] => return Err(Error::EmptyCorpus { name }),
            [only] => return Err(Error::OneCharacter { name, only }),
            _ if vocab.len() > MAX_VOCAB => {
                return Err(Error::VocabularyTooLarge {
                    name,
                    found: vocab.len(),
                    most: MAX_VOCAB,
                });
            }
            _ => {}
        }
        let tokens = vocab.encode(&text.content, &name)?;
        let train_len = tokens.len() - validation_len(tokens.len(), fraction);
        Ok(Self {
            name,
            sha256: text.sha256,
            vocab,
            tokens,
            train_len,
        })
    }

    /// Training tokens.
    pub fn train(&self) -> &[u16] {
        &self.tokens[..self.train_len]
    }

    /// Held-out tokens.
    pub fn validation(&self) -> &[u16] {
        &self.tokens[self.train_len..]
    }

    /// Checks that the parts are long enough for `batch` streams of windows of `window` characters.
    ///
    /// # Errors
    /// [`Error::TooShort`] with what is needed and what is there.
    pub fn check_length(&self, batch: usize, window: usize) -> Result<()> {
        let short = |part, have, need, why| Error::TooShort {
            name: self.name.clone(),
            part,
            have,
            need,
            why,
        };
        let need = batch * (window + 1);
        if self.train_len < need {
            let why = format!(
                "--batch {batch} streams of one --window of {window} characters and its target"
            );
            return Err(short("training part", self.train_len, need, why));
        }
        let validation = self.tokens.len() - self.train_len;
        if validation < 2 {
            return Err(short(
                "validation part",
                validation,
                2,
                "see --valid-fraction".to_owned(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &[u8]) -> Result<Text> {
        Text::from_bytes("t.txt".to_owned(), content.to_vec())
    }

    #[test]
    fn ids_are_ranks_and_the_last_tenth_is_held_out() {
        let corpus = Corpus::new(&text("héllo hello hello hé".as_bytes()).unwrap(), 0.1).unwrap();
        assert_eq!(corpus.vocab.chars(), [' ', 'e', 'h', 'l', 'o', 'é']);
        assert_eq!(&corpus.tokens[..5], [2, 5, 3, 3, 4]);
        assert_eq!(
            (corpus.train().len(), corpus.validation()),
            (18, &[2_u16, 5][..])
        );
    }

    #[test]
    fn bad_texts_name_what_is_wrong() {
        let error = text(b"ab\ncd\xff").unwrap_err();
        assert!(
            matches!(
                error,
                Error::NotUtf8 {
                    offset: 5,
                    line: 2,
                    ..
                }
            ),
            "{error}"
        );
        assert!(matches!(
            Corpus::new(&text(b"").unwrap(), 0.1),
            Err(Error::EmptyCorpus { .. })
        ));
        assert!(matches!(
            Corpus::new(&text(b"aaaa").unwrap(), 0.1),
            Err(Error::OneCharacter { only: 'a', .. })
        ));
        let corpus = Corpus::new(&text(b"abababababab").unwrap(), 0.2).unwrap();
        let error = corpus.check_length(2, 8).unwrap_err();
        assert!(
            matches!(
                error,
                Error::TooShort {
                    have: 10,
                    need: 18,
                    ..
                }
            ),
            "{error}"
        );
        assert!(corpus.check_length(2, 4).is_ok());
    }

    #[test]
    fn unknown_characters_are_named_with_a_way_out() {
        let vocab = Vocabulary::of("abc");
        let error = vocab.encode("abXc", "prefix").unwrap_err().to_string();
        assert!(error.contains("'X' (U+0058) at position 2"), "{error}");
        let error = vocab.encode("A", "prefix").unwrap_err().to_string();
        assert!(error.contains("it knows 'a'"), "{error}");
    }

    #[test]
    fn vocabularies_from_outside_are_checked() {
        assert!(Vocabulary::from_sorted(vec!['a', 'b']).is_some());
        assert!(Vocabulary::from_sorted(vec!['b', 'a']).is_none());
        assert!(Vocabulary::from_sorted(vec!['a', 'a']).is_none());
        assert!(Vocabulary::from_sorted(vec!['a']).is_none());
    }
}
