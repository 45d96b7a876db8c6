//! How many keystrokes a model of words saves who types a text with its suggestions.
//!
//! ```text
//! shown, before a word and after each of its letters:  the 3 likeliest words that begin with the letters typed so far
//! word w of n letters:  k = fewest letters after which w is shown
//!     followed by a space:   min(k + 1, n + 1) keystrokes        a suggestion that is taken costs one, its space included
//!     by a mark or the end:  min(k + 1, n)                       the mark takes that space's place
//! everything else (marks, line breaks, other spaces):  one keystroke a character
//! savings = 1 - keystrokes / characters
//! ```
//! Only words are shown: no marks, and never the unknown token. A word that the model does not know is typed in full, and
//! the model then reads the unknown token. The text is the prepared one: with --lower-case nobody types a capital. The
//! same pass gives how often a word is the first, or among the three, that are shown before its first letter.

use std::ops::Range;

use gatelet::{Kernel, Model, Session, TokenId, Tokenizer, WithKernel};
use serde::Serialize;

use crate::data::corpus::Reading;
use crate::data::corpus::words::is_word;
use crate::error::{Error, Result};
use crate::image::storage;
use crate::isa::isa;

/// Suggestions that are shown.
const SHOWN: usize = 3;

/// What typing a text came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Typing {
    /// Characters of the text.
    pub characters: usize,
    /// Keystrokes with suggestions.
    pub keystrokes: usize,
    /// Part of the keystrokes that the suggestions save.
    pub savings: f64,
    /// Words of the text.
    pub words: usize,
    /// Those that the model knows.
    pub known: usize,
    /// Part of all words that were the likeliest before their first letter.
    pub top1: f64,
    /// Part of all words that were among the three likeliest.
    pub top3: f64,
}

/// Types the tokens of `part` of a text, from the zero state.
///
/// # Errors
/// As [`Text::pass`](crate::data::corpus::Text::pass).
pub fn type_text(model: Model<'_>, text: &Reading<'_>, part: Range<usize>) -> Result<Typing> {
    isa()?.run(Job { model, text, part })
}

struct Job<'a> {
    model: Model<'a>,
    text: &'a Reading<'a>,
    part: Range<usize>,
}

impl WithKernel for Job<'_> {
    type Output = Result<Typing>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let session = Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        let mut typist = Typist {
            words: self.model.vocab().words().map(|w| w.to_string()).collect(),
            model: self.model,
            session,
            part: self.part,
            tokenizer: Tokenizer::new(),
            letters: 0,
            at: 0,
            shown: [0; 2],
            found: Typing::default(),
        };
        let (text, rules) = self.text.source();
        let pass = text.pass(rules, &mut |piece, read| {
            (self.text.progress())(read);
            for c in piece.chars() {
                typist.read(c)?;
            }
            Ok(typist.at < typist.part.end)
        });
        pass?;
        typist.end_word(false)?;
        let Typist { shown, found, .. } = typist;
        let part = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        Ok(Typing {
            savings: 1.0 - part(found.keystrokes, found.characters.max(1)),
            top1: part(shown[0], found.words),
            top3: part(shown[1], found.words),
            ..found
        })
    }
}

struct Typist<'m, 's, K: Kernel> {
    model: Model<'m>,
    session: Session<'m, 's, K>,
    /// By token id.
    words: Vec<String>,
    part: Range<usize>,
    tokenizer: Tokenizer,
    /// Characters of the word under way.
    letters: usize,
    /// Tokens before it.
    at: usize,
    /// Words that were the first, and among those shown, before their first letter.
    shown: [usize; 2],
    found: Typing,
}

impl<K: Kernel> Typist<'_, '_, K> {
    fn counts(&self) -> bool {
        self.part.contains(&self.at)
    }

    /// Takes the next character of the text.
    fn read(&mut self, c: char) -> Result<()> {
        if Tokenizer::in_word(c) {
            self.letters += 1;
            self.tokenizer.feed(c, &mut |_| {});
            return Ok(());
        }
        let space = c.is_whitespace() && c != '\n';
        let in_word = self.letters > 0;
        self.end_word(space)?;
        if space && in_word {
            return Ok(());
        }
        if self.counts() {
            self.found.characters += 1;
            self.found.keystrokes += 1;
        }
        let mut tokens = Vec::new();
        self.tokenizer
            .feed(c, &mut |token| tokens.push(token.to_owned()));
        tokens.iter().try_for_each(|token| self.step(token))
    }

    /// Ends the word under way, if there is one; `spaced` says that a space follows.
    fn end_word(&mut self, spaced: bool) -> Result<()> {
        let letters = std::mem::take(&mut self.letters);
        let mut tokens = Vec::new();
        self.tokenizer
            .finish(&mut |token| tokens.push(token.to_owned()));
        if letters > 0 && self.counts() {
            let full = letters + usize::from(spaced);
            self.found.characters += full;
            // A run of apostrophes is no word.
            let shown_after = match &*tokens {
                [word] if word != "'" => self.shown_after(word),
                _ => None,
            };
            self.found.keystrokes += shown_after.map_or(full, |k| full.min(k + 1));
        }
        tokens.iter().try_for_each(|token| self.step(token))
    }

    /// The fewest letters of a word after which it is shown.
    fn shown_after(&mut self, word: &str) -> Option<usize> {
        self.found.words += 1;
        let vocab = self.model.vocab();
        let id = vocab
            .id_of_word(word)
            .filter(|&id| vocab.unknown() != Some(id))?;
        self.found.known += 1;
        let logits = self.session.logits();
        let score = |id: usize| logits.get(TokenId(id as u16)).unwrap_or(f32::NEG_INFINITY);
        let own = score(id.index());
        // Likelier words, by how many letters they begin with in common.
        let mut likelier = vec![0_usize; word.chars().count() + 1];
        for (other, text) in self.words.iter().enumerate() {
            let before = score(other) > own || (score(other) == own && other < id.index());
            if before && vocab.unknown() != Some(TokenId(other as u16)) && is_word(text) {
                let common = word.chars().zip(text.chars());
                likelier[common.take_while(|(a, b)| a == b).count()] += 1;
            }
        }
        let mut left: usize = likelier.iter().sum();
        self.shown[0] += usize::from(left == 0);
        self.shown[1] += usize::from(left < SHOWN);
        for (letters, count) in likelier.into_iter().enumerate() {
            if left < SHOWN {
                return Some(letters);
            }
            left -= count;
        }
        None
    }

    /// Lets the model read a token.
    fn step(&mut self, token: &str) -> Result<()> {
        let id = self.model.vocab().id_of_word(token);
        if let Some(id) = id.filter(|_| self.counts()) {
            self.session.read(id).map_err(Error::inference)?;
        }
        self.at += 1;
        Ok(())
    }
}
