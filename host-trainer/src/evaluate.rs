//! How well a model predicts a text, read in one go from the zero state; in a model of lines every line by itself.
//!
//! ```text
//! nats = mean over t of  -log softmax(logits after x_0..x_t)[x_{t+1}]          bits per character = nats / ln 2
//! top-k = fraction of t for which fewer than k characters score higher than x_{t+1}  (ties: the smaller id first)
//! ```

use std::ops::Range;

use gatelet::{Isa, Kernel, Logits, Model, Session, StateHash, TokenId, WithKernel};
use serde::Serialize;

use crate::data::corpus::Tokens;
use crate::error::{Error, Result};
use crate::image::storage;
use crate::isa::isa;

/// The scores of a model on a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Mean loss, nats a character.
    pub nats: f64,
    /// The same in bits.
    pub bpc: f64,
    /// Fraction of characters that were the likeliest.
    pub top1: f64,
    /// Fraction of characters among the three likeliest.
    pub top3: f64,
    /// Predictions made: characters less one.
    pub tokens: usize,
}

/// Natural logarithm of the softmax of `logits` at `target`, and how many tokens come before it.
pub fn log_probability(logits: &Logits<'_>, target: TokenId) -> (f64, usize) {
    let score = |id: usize| f64::from(logits.get(TokenId(id as u16)).unwrap_or(f32::NEG_INFINITY));
    let largest = (0..logits.len())
        .map(score)
        .fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = (0..logits.len())
        .map(|id| (score(id) - largest).exp())
        .sum();
    let own = score(target.index());
    let before = (0..logits.len())
        .filter(|&id| score(id) > own || (score(id) == own && id < target.index()))
        .count();
    (own - largest - sum.ln(), before)
}

struct Evaluate<'a> {
    model: Model<'a>,
    tokens: &'a dyn Tokens,
    part: Range<usize>,
}

impl WithKernel for Evaluate<'_> {
    type Output = Result<Scores>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        let (mut loss, mut top1, mut top3) = (0.0, 0_usize, 0_usize);
        let (mut last, mut tokens) = (None, 0_usize);
        self.tokens.read(self.part, &mut |piece| {
            for &id in piece {
                if let Some(last) = last.replace(TokenId(id)) {
                    let logits = session.read(last).map_err(Error::inference)?;
                    let (log_probability, before) = log_probability(&logits, TokenId(id));
                    loss -= log_probability;
                    top1 += usize::from(before < 1);
                    top3 += usize::from(before < 3);
                    tokens += 1;
                }
            }
            Ok(())
        })?;
        let count = tokens.max(1) as f64;
        let nats = loss / count;
        if !nats.is_finite() {
            return Err(Error::NoLoss { nats, tokens });
        }
        Ok(Scores {
            nats,
            bpc: nats / std::f64::consts::LN_2,
            top1: top1 as f64 / count,
            top3: top3 as f64 / count,
            tokens,
        })
    }
}

/// Scores `model` on `tokens`, at least two.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary; [`Error::NoLoss`].
pub fn evaluate(model: Model<'_>, tokens: &[u16]) -> Result<Scores> {
    evaluate_part(model, &tokens, 0..tokens.len())
}

/// The same on a part of a text that need not be in memory.
///
/// # Errors
/// As [`evaluate`], or what reading says.
pub fn evaluate_part(model: Model<'_>, tokens: &dyn Tokens, part: Range<usize>) -> Result<Scores> {
    isa()?.run(Evaluate {
        model,
        tokens,
        part,
    })
}

struct Trace<'a> {
    model: Model<'a>,
    tokens: &'a dyn Tokens,
    part: Range<usize>,
}

impl WithKernel for Trace<'_> {
    type Output = Result<(u64, usize)>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        session.begin();
        let (mut hash, mut steps) = (StateHash::new(), 0);
        self.tokens.read(self.part, &mut |piece| {
            for &id in piece {
                session.read(TokenId(id)).map_err(Error::inference)?;
                session.hash_into(&mut hash);
            }
            steps += piece.len();
            Ok(())
        })?;
        Ok((hash.finish(), steps))
    }
}

/// Hash of the state after every one of `tokens`, from the start of a text.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary.
pub fn trace(model: Model<'_>, isa: Isa, tokens: &[u16]) -> Result<u64> {
    let (hash, _) = trace_part(model, isa, &tokens, 0..tokens.len())?;
    Ok(hash)
}

/// The same on a part of a text that need not be in memory; also says how many tokens there were.
///
/// # Errors
/// As [`trace`], or what reading says.
pub fn trace_part(
    model: Model<'_>,
    isa: Isa,
    tokens: &dyn Tokens,
    part: Range<usize>,
) -> Result<(u64, usize)> {
    isa.run(Trace {
        model,
        tokens,
        part,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probability_is_that_of_a_softmax_and_ties_go_to_the_smaller_id() {
        let logits = Logits::of_f32(&[0.0, 1.0, 1.0, -2.0]);
        let sum = 1.0 + 2.0 * 1.0_f64.exp() + (-2.0_f64).exp();
        let (log, before) = log_probability(&logits, TokenId(2));
        assert!((log - (1.0 - sum.ln())).abs() < 1e-12);
        assert_eq!(before, 1);
        assert_eq!(log_probability(&logits, TokenId(3)).1, 3);
    }
}
