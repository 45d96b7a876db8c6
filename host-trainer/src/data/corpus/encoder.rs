//! A text's pieces to tokens.

use super::vocabulary::{CODE_POINTS, Vocabulary};
use super::words::WordEncoder;
use crate::error::Result;

/// A vocabulary as a table, for texts that are long and come in pieces.
#[derive(Clone, Debug)]
pub struct Encoder {
    vocab: Vocabulary,
    /// By code point: the id plus one; 0 is no token. As in [`Counts`](super::Counts), most of it is never touched.
    ids: Vec<u16>,
    /// At the level of words.
    words: Option<WordEncoder>,
    /// Tokens encoded so far.
    position: usize,
}

impl Encoder {
    /// At the start of a text.
    pub fn new(vocab: Vocabulary) -> Self {
        let words = match (vocab.words(), vocab.unknown()) {
            (words @ [_, ..], Some(unknown)) => Some(WordEncoder::new(words, unknown)),
            _ => None,
        };
        let mut ids = vec![0; if words.is_none() { CODE_POINTS } else { 0 }];
        for (id, &c) in (1..).zip(vocab.chars()) {
            ids[c as usize] = id;
        }
        Self {
            vocab,
            ids,
            words,
            position: 0,
        }
    }

    /// Back to the start of the text.
    pub fn rewind(&mut self) {
        self.position = 0;
        self.words.iter_mut().for_each(WordEncoder::rewind);
    }

    /// Passes over a piece of at most `most` tokens without encoding it, where that is possible, and says how many
    /// tokens it has. Words have to be encoded: where they end is known in the next piece only.
    pub fn skip(&mut self, piece: &str, most: usize) -> Option<usize> {
        if self.words.is_some() || most == 0 {
            return None;
        }
        let count = piece.chars().count();
        (count <= most).then(|| {
            self.position += count;
            count
        })
    }

    /// Puts the tokens that are complete with the next piece into `into`, in place of what it held.
    ///
    /// # Errors
    /// [`Error::UnknownCharacter`](crate::error::Error::UnknownCharacter), with its position in the text `place`.
    pub fn encode(&mut self, piece: &str, place: &str, into: &mut Vec<u16>) -> Result<()> {
        into.clear();
        if let Some(words) = &mut self.words {
            words.encode(piece, into);
            self.position += into.len();
            return Ok(());
        }
        let unknown = self.vocab.unknown().map_or(0, |id| id + 1);
        for c in piece.chars() {
            let id = match self.ids[c as usize] {
                0 => unknown,
                id => id,
            };
            let id = id
                .checked_sub(1)
                .ok_or_else(|| self.vocab.not_known(place, c, self.position + into.len()))?;
            into.push(id);
        }
        self.position += into.len();
        Ok(())
    }

    /// Puts what the text ends in into `into`, in place of what it held.
    pub fn finish(&mut self, into: &mut Vec<u16>) {
        into.clear();
        if let Some(words) = &mut self.words {
            words.finish(into);
        }
        self.position += into.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counts, Level};
    use super::*;

    #[test]
    fn an_encoder_agrees_with_its_vocabulary() {
        let text = "a truth universally é漢😀";
        let mut counts = Counts::new(Level::Char);
        counts.add(text);
        for most in [None, Some(6)] {
            let vocab = Vocabulary::choose("t", &counts, most).unwrap();
            let mut encoder = Encoder::new(vocab.clone());
            let (mut piece, mut all) = (Vec::new(), Vec::new());
            for part in ["a truth ", "", "universally é漢😀"] {
                encoder.encode(part, "t", &mut piece).unwrap();
                all.extend_from_slice(&piece);
            }
            assert_eq!(all, vocab.encode(text, "t").unwrap());
        }
        let mut encoder = Encoder::new(Vocabulary::of("ab"));
        let mut piece = Vec::new();
        encoder.encode("abab", "t", &mut piece).unwrap();
        let error = encoder
            .encode("abX", "t", &mut piece)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("t: character 'X' (U+0058) at position 6"),
            "{error}"
        );
    }
}
