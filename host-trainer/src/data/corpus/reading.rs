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

use super::{Encoder, Pass, Rules, Text, Tokens, Vocabulary};
use crate::error::Result;

/// Tokens straight from a text, for who reads it in order: nothing is kept, each reading is a pass.
pub struct Reading<'a> {
    text: &'a Text,
    rules: Rules,
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
            rules: Rules::of(rules, &vocab),
            encoder: RefCell::new(Encoder::new(vocab)),
            sha256: RefCell::new(None),
            progress,
        }
    }

    /// The text and what is done to it.
    pub(crate) fn source(&self) -> (&'a Text, Rules) {
        (self.text, self.rules)
    }

    /// Told the bytes read in a pass.
    pub(crate) fn progress(&self) -> &'a dyn Fn(u64) {
        self.progress
    }

    /// Counts the tokens of the text, as the rules leave it, and gives the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As [`Text::pass`].
    pub fn measure(&self) -> Result<(usize, [u8; 32])> {
        let mut encoder = self.encoder.borrow_mut();
        encoder.rewind();
        let (mut ids, mut len) = (Vec::new(), 0);
        let pass = self.text.pass(self.rules, &mut |piece, read| {
            (self.progress)(read);
            // Characters are only counted here; one that is not known is found when it is read.
            len += match encoder.skip(piece, usize::MAX) {
                Some(count) => count,
                None => {
                    encoder.encode(piece, &self.text.name, &mut ids)?;
                    ids.len()
                }
            };
            Ok(true)
        })?;
        encoder.finish(&mut ids);
        len += ids.len();
        match pass {
            Pass::Whole(seen) => {
                self.check(seen.sha256)?;
                Ok((len, seen.sha256))
            }
            Pass::Stopped => Err(self.text.changed()),
        }
    }

    /// Remembers the hash of a pass; refuses another one.
    fn check(&self, found: [u8; 32]) -> Result<()> {
        match *self.sha256.borrow_mut().get_or_insert(found) {
            before if before == found => Ok(()),
            _ => Err(self.text.changed()),
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
            if let Some(count) = encoder.skip(piece, range.start.saturating_sub(at)) {
                at += count;
                return Ok(true);
            }
            encoder.encode(piece, &self.text.name, &mut ids)?;
            hand_on(&ids, &mut at, &range, each)?;
            Ok(at < range.end)
        })?;
        match pass {
            Pass::Whole(seen) => {
                encoder.finish(&mut ids);
                hand_on(&ids, &mut at, &range, each)?;
                self.check(seen.sha256)
            }
            Pass::Stopped => Ok(()),
        }
    }
}

/// Hands the tokens `ids`, which stand from `at` on, to `each` as far as they are in `range`.
fn hand_on(
    ids: &[u16],
    at: &mut usize,
    range: &Range<usize>,
    each: &mut dyn FnMut(&[u16]) -> Result<()>,
) -> Result<()> {
    let start = *at;
    *at += ids.len();
    let wanted = range.start.max(start) - start..range.end.min(*at).max(start) - start;
    match ids.get(wanted) {
        Some(wanted) if !wanted.is_empty() => each(wanted),
        _ => Ok(()),
    }
}
