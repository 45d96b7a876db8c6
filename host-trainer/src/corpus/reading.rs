//! Tokens straight from a text: how a large one is evaluated and exported, which read in order.
//!
//! ```text
//! read(range):  one pass over the text;  pieces before the range are counted, those in it encoded, and it stops after it
//! ```
//!
//! Every pass that comes to the end has to find the same hash.

use std::cell::RefCell;
use std::ops::Range;

use gatelet::TextRules;

use super::{Encoder, Pass, Text, Tokens, Vocabulary, changed};
use crate::error::Result;

/// Tokens straight from a text, for who reads it in order: nothing is kept, each reading is a pass.
pub struct Reading<'a> {
    text: &'a Text,
    rules: TextRules,
    encoder: RefCell<Encoder>,
    /// The hash of the first whole pass.
    sha256: RefCell<Option<[u8; 32]>>,
    /// Told the bytes read in a pass.
    progress: &'a dyn Fn(u64),
}

impl<'a> Reading<'a> {
    /// `text` in the tokens of a model; `progress` is told the bytes read in a pass.
    pub fn new(
        text: &'a Text,
        rules: TextRules,
        vocab: Vocabulary,
        progress: &'a dyn Fn(u64),
    ) -> Self {
        Self {
            text,
            rules,
            encoder: RefCell::new(Encoder::new(vocab)),
            sha256: RefCell::new(None),
            progress,
        }
    }

    /// Counts the characters of the text, as the rules leave it, and gives the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As [`Text::pass`].
    pub fn measure(&self) -> Result<(usize, [u8; 32])> {
        let mut len = 0;
        let pass = self.text.pass(self.rules, &mut |piece, read| {
            (self.progress)(read);
            len += piece.chars().count();
            Ok(true)
        })?;
        match pass {
            Pass::Whole(sha256) => {
                self.check(sha256)?;
                Ok((len, sha256))
            }
            Pass::Stopped => Err(changed(self.text)),
        }
    }

    /// Remembers the hash of a pass; refuses another one.
    fn check(&self, found: [u8; 32]) -> Result<()> {
        match *self.sha256.borrow_mut().get_or_insert(found) {
            before if before == found => Ok(()),
            _ => Err(changed(self.text)),
        }
    }
}

impl Tokens for Reading<'_> {
    /// # Errors
    /// As [`Text::pass`]; [`UnknownCharacter`](crate::error::Error::UnknownCharacter) for a character of `range` or before it in the same piece.
    fn read(&self, range: Range<usize>, each: &mut dyn FnMut(&[u16]) -> Result<()>) -> Result<()> {
        let mut encoder = self.encoder.borrow_mut();
        encoder.rewind();
        let (mut ids, mut at) = (Vec::new(), 0);
        let pass = self.text.pass(self.rules, &mut |piece, read| {
            (self.progress)(read);
            let start = at;
            if range.start > start {
                let count = piece.chars().count();
                if start + count <= range.start {
                    encoder.skip(count);
                    at += count;
                    return Ok(true);
                }
            }
            encoder.encode(piece, &self.text.name, &mut ids)?;
            at += ids.len();
            let wanted = range.start.max(start) - start..range.end.min(at).max(start) - start;
            if !wanted.is_empty() {
                each(&ids[wanted])?;
            }
            Ok(at < range.end)
        })?;
        match pass {
            Pass::Whole(sha256) => self.check(sha256),
            Pass::Stopped => Ok(()),
        }
    }
}
