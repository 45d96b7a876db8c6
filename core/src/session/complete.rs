//! The next few letters: beam search over snapshots.
//!
//! ```text
//! hypotheses = [ the current state, nothing added ]
//! until LEN tokens are added:
//!     for every open hypothesis: restore its state, step its newest token, list its WIDTH likeliest next tokens
//!     keep the WIDTH best of everything listed and of the finished hypotheses, by probability
//!     a hypothesis whose next token ends a word is finished
//! answer: the best finished hypothesis, or the best open one
//! ```
//!
//! With `WIDTH = 1` this is the greedy completion. Probabilities are integers, so every device completes alike.
//!
//! A model of words needs no search: the letters of a word under way leave a range of ids, and the likeliest in it are its
//! completions ([`words_with`]).

use crate::kernel::Kernel;
use crate::net::TokenId;
use crate::session::Session;
use crate::session::error::SnapshotError;
use crate::text::logits::{Logits, Softmax, Suggestion};
use crate::text::vocab::Vocab;

/// The `N` likeliest tokens of a model of words whose text begins with `prefix`, the likeliest first. The probabilities
/// are those among the words that begin so: what is known already is not guessed again.
///
/// `logits` are those after the last finished word, `prefix` is what has been typed of the next
/// ([`Tokenizer::unfinished`](crate::Tokenizer::unfinished)), or nothing.
pub fn words_with<const N: usize>(
    logits: &Logits<'_>,
    vocab: &Vocab<'_>,
    prefix: &str,
) -> heapless::Vec<Suggestion, N> {
    logits.within(vocab.with_prefix(prefix)).top()
}

/// Tokens that continue a text, with how likely they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion<const LEN: usize> {
    /// The tokens to be added, in order; at least one.
    pub tokens: heapless::Vec<TokenId, LEN>,
    /// Probability of all of them (and, for a whole word, of its end) in thousandths, rounded down.
    pub permille: u16,
    /// Whether the completion ends where a word does, and not for want of room.
    pub whole: bool,
}

/// A beam of `WIDTH` hypotheses of at most `LEN` tokens, on snapshots of `WORDS` words
/// ([`Net::snapshot_words`](crate::net::Net::snapshot_words)). It owns its memory, so that
/// a caller can see what it costs.
#[derive(Clone, Debug)]
pub struct Completer<const WIDTH: usize, const LEN: usize, const WORDS: usize> {
    beam: heapless::Vec<Hypothesis<LEN, WORDS>, WIDTH>,
    next: heapless::Vec<Hypothesis<LEN, WORDS>, WIDTH>,
    origin: [u32; WORDS],
}

#[derive(Clone, Debug)]
struct Hypothesis<const LEN: usize, const WORDS: usize> {
    /// The state before the newest token.
    state: [u32; WORDS],
    tokens: heapless::Vec<TokenId, LEN>,
    /// log2 of the probability, Q16.
    score: i64,
    finished: bool,
}

/// One way to go on: which hypothesis, with which token, at what probability.
#[derive(Clone, Copy)]
struct Candidate {
    parent: usize,
    /// `None` keeps a hypothesis as it is.
    token: Option<TokenId>,
    score: i64,
}

impl<const WIDTH: usize, const LEN: usize, const WORDS: usize> Default
    for Completer<WIDTH, LEN, WORDS>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const WIDTH: usize, const LEN: usize, const WORDS: usize> Completer<WIDTH, LEN, WORDS> {
    /// Empty.
    pub const fn new() -> Self {
        Completer {
            beam: heapless::Vec::new(),
            next: heapless::Vec::new(),
            origin: [0; WORDS],
        }
    }

    /// The most likely continuation of what `session` has seen, to the end of a word.
    ///
    /// `ends_word` says which tokens end a word; such a token is not part of the completion, except as its only one,
    /// when the word is complete already. The session's state is the same afterwards. `None` only if `LEN` or `WIDTH`
    /// is 0. The cost is at most `WIDTH * (LEN - 1)` steps.
    ///
    /// # Errors
    /// When `WORDS` is not the length of a snapshot of the session's model.
    pub fn complete<K: Kernel>(
        &mut self,
        session: &mut Session<'_, '_, K>,
        ends_word: impl Fn(TokenId) -> bool,
    ) -> Result<Option<Completion<LEN>>, SnapshotError> {
        session.snapshot(&mut self.origin)?;
        let result = self.search(session, &ends_word);
        session.restore(&self.origin)?;
        result?;
        let whole = self.beam.iter().find(|h| h.finished);
        Ok(whole.or(self.beam.first()).and_then(|best| {
            (!best.tokens.is_empty()).then(|| Completion {
                tokens: best.tokens.clone(),
                permille: permille(best.score),
                whole: best.finished,
            })
        }))
    }

    fn search<K: Kernel>(
        &mut self,
        session: &mut Session<'_, '_, K>,
        ends_word: &impl Fn(TokenId) -> bool,
    ) -> Result<(), SnapshotError> {
        self.beam.clear();
        let _ = self.beam.push(Hypothesis {
            state: self.origin,
            tokens: heapless::Vec::new(),
            score: 0,
            finished: false,
        });
        for _ in 0..LEN {
            let mut candidates: heapless::Vec<Candidate, WIDTH> = heapless::Vec::new();
            for (parent, hypothesis) in self.beam.iter_mut().enumerate() {
                if hypothesis.finished {
                    offer(
                        &mut candidates,
                        Candidate {
                            parent,
                            token: None,
                            score: hypothesis.score,
                        },
                    );
                    continue;
                }
                advance(session, hypothesis)?;
                let logits = session.logits();
                let softmax = Softmax::new(&logits, 1 << 16);
                for (id, score) in logits.ranked::<WIDTH>() {
                    offer(
                        &mut candidates,
                        Candidate {
                            parent,
                            token: Some(id),
                            score: hypothesis.score + softmax.log2_probability(score),
                        },
                    );
                }
            }
            self.next.clear();
            for candidate in &candidates {
                if let Some(parent) = self.beam.get(candidate.parent) {
                    let mut hypothesis = parent.clone();
                    hypothesis.extend(candidate, ends_word);
                    let _ = self.next.push(hypothesis);
                }
            }
            core::mem::swap(&mut self.beam, &mut self.next);
            if self.beam.iter().all(|h| h.finished) {
                break;
            }
        }
        Ok(())
    }
}

impl<const LEN: usize, const WORDS: usize> Hypothesis<LEN, WORDS> {
    fn extend(&mut self, candidate: &Candidate, ends_word: &impl Fn(TokenId) -> bool) {
        self.score = candidate.score;
        if let Some(id) = candidate.token {
            self.finished = ends_word(id);
            if !self.finished || self.tokens.is_empty() {
                // At most LEN rounds add at most LEN tokens.
                let _ = self.tokens.push(id);
            }
        }
    }
}

/// Brings the session to the state after the hypothesis' newest token, and keeps that state in the hypothesis.
fn advance<K: Kernel, const LEN: usize, const WORDS: usize>(
    session: &mut Session<'_, '_, K>,
    hypothesis: &mut Hypothesis<LEN, WORDS>,
) -> Result<(), SnapshotError> {
    match hypothesis.tokens.last() {
        // The tokens come from the session's own logits, so the step cannot refuse them.
        Some(&newest) => {
            session.restore_state(&hypothesis.state)?;
            let _ = session.read(newest);
            session.snapshot(&mut hypothesis.state)
        }
        None => Ok(()),
    }
}

/// Inserts a candidate into the sorted list of the best.
fn offer<const WIDTH: usize>(best: &mut heapless::Vec<Candidate, WIDTH>, mut candidate: Candidate) {
    for place in best.iter_mut() {
        if candidate.score > place.score {
            core::mem::swap(place, &mut candidate);
        }
    }
    let _ = best.push(candidate);
}

/// 1000 * 2^score, score in Q16 and at most 0.
fn permille(score: i64) -> u16 {
    let below = score.min(0).unsigned_abs();
    ((u64::from(crate::text::logits::exp2_negative(below)) * 1000) >> 24) as u16
}
