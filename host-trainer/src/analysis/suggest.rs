//! What can be written next, and how likely each of it is: what a keyboard shows.
//!
//! ```text
//! typed        characters: all of them          words: the complete ones, and the letters of the one under way
//! p            softmax of the logits after the last complete token, or at the start of a text
//! suggestions  every token but the unknown one; of those, while a word is under way, the words that begin with its
//!              letters.  Their probabilities are made to sum to 1
//! ```

use gatelet::{Kernel, Model, Session, TokenId, Tokenizer, WithKernel};

use crate::data::corpus::{Rules, Vocabulary, prepare};
use crate::error::{Error, Result};
use crate::evaluate::log_probability;
use crate::image::storage;
use crate::isa::isa;

/// What has been typed, as a model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The complete tokens.
    pub tokens: Vec<u16>,
    /// The letters of the word under way. Of characters there is none under way.
    pub begun: String,
}

impl Typed {
    /// `text`, prepared as the model's own text was; `place` names the text in an error.
    ///
    /// # Errors
    /// [`Error::UnknownCharacter`] for a character that is not in the vocabulary; a model of words has none.
    pub fn new(model: &Model<'_>, text: &str, place: &str) -> Result<Self> {
        let rules = Rules::of(model.rules(), &Vocabulary::needed(model)?);
        Self::prepared(model, &prepare(rules, text), place)
    }

    /// The same of a text that is prepared.
    ///
    /// # Errors
    /// As [`Typed::new`].
    pub fn prepared(model: &Model<'_>, text: &str, place: &str) -> Result<Self> {
        let vocab = model.vocab();
        if !vocab.is_words() {
            return Ok(Self {
                tokens: Vocabulary::needed(model)?.encode(text, place)?,
                begun: String::new(),
            });
        }
        let (mut tokens, mut tokenizer) = (Vec::new(), Tokenizer::new());
        for c in text.chars() {
            tokenizer.feed(c, &mut |token| {
                tokens.extend(vocab.id_of_word(token).map(|id| id.0));
            });
        }
        // One longer than any word it knows is the beginning of none.
        let letters = || &text[text.trim_end_matches(Tokenizer::in_word).len()..];
        let begun = tokenizer.unfinished().unwrap_or_else(letters).to_owned();
        Ok(Self { tokens, begun })
    }
}

/// Every token that can be written here with its probability, the likeliest first.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary; [`Error::NoProbabilities`].
pub fn suggest(model: Model<'_>, typed: &Typed) -> Result<Vec<(TokenId, f64)>> {
    isa()?.run(Suggest { model, typed })
}

struct Suggest<'a> {
    model: Model<'a>,
    typed: &'a Typed,
}

impl WithKernel for Suggest<'_> {
    type Output = Result<Vec<(TokenId, f64)>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        session.begin();
        for &id in &self.typed.tokens {
            session.read(TokenId(id)).map_err(Error::inference)?;
        }
        let logits = session.logits();
        let mut all: Vec<(usize, TokenId, f64)> = (0..logits.len())
            .map(|id| TokenId(id as u16))
            .map(|id| {
                let (log, before) = log_probability(&logits, id);
                (before, id, log.exp())
            })
            .collect();
        if all.iter().any(|&(_, _, p)| p.is_nan()) {
            return Err(Error::NoProbabilities);
        }
        all.sort_unstable_by_key(|&(before, id, _)| (before, id));
        // The unknown token is nothing that is written: what can be shares its probability, as on a device.
        let unknown = self.model.vocab().unknown();
        let hidden = all.iter().find(|&&(_, id, _)| Some(id) == unknown);
        let mut shared = 1.0 - hidden.map_or(0.0, |&(_, _, p)| p);
        all.retain(|&(_, id, _)| Some(id) != unknown);
        if !self.typed.begun.is_empty() {
            let fitting = self.model.vocab().with_prefix(&self.typed.begun);
            all.retain(|&(_, id, _)| fitting.contains(&id.0));
            shared = all.iter().map(|&(_, _, p)| p).sum();
        }
        Ok(all.into_iter().map(|(_, id, p)| (id, p / shared)).collect())
    }
}
