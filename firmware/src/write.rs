//! The board writes by itself: sampled tokens become part of the line.
//!
//! ```text
//! characters   y = sample(logits);  type y
//! words        a word under way ends: a space;  y = sample(logits)
//!              a word:  type it and a space, which steps the net          after . , ; : ! ? )  a space before it
//!              a mark:  . , ; : ! ? ) take the place of the space before them;  type it
//! ```
//!
//! `gatelet generate --seed S --prompt LINE --length N` draws the same tokens from the same image:
//! the sampler is core's, integers only, and starts from the seed where a person has last typed.
//! Going on without a key between is one text.

use core::marker::PhantomData;

use gatelet::{Kernel, Sampler, TokenId, Tokenizer};

use crate::line::{AHEAD, CLOSING, LINE_CAPACITY, Line};
use crate::tokens::are_words;

/// How it is sampled: constants, so that a firmware without top-k and top-p does not hold the code
/// that cuts (3 KiB).
pub trait Writing {
    /// The first seed.
    const SEED: u64;
    /// As of [`Sampler::with_temperature`].
    const TEMPERATURE: f32;
    /// As of [`Sampler::with_top_k`].
    const TOP_K: usize;
    /// As of [`Sampler::with_top_p`].
    const TOP_P: f32;
    /// Tokens written at a time.
    const TOKENS: usize;
    /// The same for the banner: numbers with a point are not formatted on the board.
    const SAID: &'static str;
}

/// The sampler with the settings of `S`. Numbers out of range, which `build.rs` refuses, are left
/// out.
fn set<S: Writing>(sampler: Sampler) -> Sampler {
    sampler
        .with_temperature(S::TEMPERATURE)
        .and_then(|sampler| sampler.with_top_k(S::TOP_K))
        .and_then(|sampler| sampler.with_top_p(S::TOP_P))
        .unwrap_or(sampler)
}

/// Draws tokens into lines.
#[derive(Debug)]
pub struct Writer<S> {
    seed: u64,
    /// Under way since a person has last typed.
    sampler: Option<Sampler>,
    settings: PhantomData<S>,
}

impl<S: Writing> Default for Writer<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Writing> Writer<S> {
    /// At the first seed.
    pub const fn new() -> Self {
        Writer {
            seed: S::SEED,
            sampler: None,
            settings: PhantomData,
        }
    }

    /// The seed in use.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The next text starts from the seed.
    pub fn start_again(&mut self) {
        self.sampler = None;
    }

    /// The next text starts from the next seed.
    pub fn next_seed(&mut self) {
        self.seed = self.seed.wrapping_add(1);
        self.start_again();
    }

    /// Writes a token; false when the line has no room for the longest one.
    pub fn write<K: Kernel, const DEPTH: usize, const WORDS: usize>(
        &mut self,
        line: &mut Line<'_, '_, K, DEPTH, WORDS>,
    ) -> bool {
        let words = are_words(&line.model().vocab());
        // A word, the spaces around it, and the one that ends the word before.
        let need = if words { AHEAD + 1 } else { 1 };
        if LINE_CAPACITY - line.chars().count() < need {
            return false;
        }
        if words && line.unfinished() != Some("") {
            line.type_char(' ');
        }
        // The settings again at every draw: constants that the compiler sees, where those in memory
        // are numbers like others.
        let mut sampler = set::<S>(self.sampler.unwrap_or(Sampler::new(self.seed)));
        let id = sampler.sample(&line.logits());
        self.sampler = Some(sampler);
        match words {
            true => type_word(line, id),
            false => {
                let character = line.model().vocab().char_of(id);
                character.is_some_and(|character| line.type_char(character))
            }
        }
    }
}

/// Types a word or a mark so that exactly this token has ended behind it.
fn type_word<K: Kernel, const DEPTH: usize, const WORDS: usize>(
    line: &mut Line<'_, '_, K, DEPTH, WORDS>,
    id: TokenId,
) -> bool {
    let Some(token) = line.model().vocab().word(id) else {
        return false;
    };
    let word = token.chars().all(Tokenizer::in_word);
    let last = line.chars().next_back();
    if word && last.is_some_and(|last| CLOSING.contains(&last)) {
        line.type_char(' ');
    }
    if last == Some(' ') && token.chars().all(|mark| CLOSING.contains(&mark)) {
        // The word before it is under way again, and ends with the mark.
        line.pop();
    }
    let rest = word.then_some(' ');
    token.chars().chain(rest).all(|c| line.type_char(c))
}
