//! Which tokens a net takes for which: the likeliest next character, or word, against the one that
//! came.
//!
//! ```text
//! for every t of the held-out text:   row x_{t+1}, column argmax(logits after x_0..x_t)
//! shown: the most frequent tokens, and in the last column all others;  a row sums to 1
//! ```
//! The same pass counts how often the next token was the likeliest or among the three likeliest. It runs in core's
//! session, as on the device.

use std::collections::HashMap;

use gatelet::{Kernel, Model, Session, TokenId, WithKernel};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::evaluate::{Scores, log_probability};
use crate::image::storage;
use crate::isa::isa;

/// What was taken for what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The most frequent tokens, the most frequent first: characters, or words.
    pub tokens: Vec<String>,
    /// Part of the text that each of them is.
    pub frequency: Vec<f64>,
    /// [tokens, tokens + 1], row by row: part of the row's token that was predicted as the column's; the last
    /// column is every other token.
    pub parts: Vec<f64>,
    /// Scores on the same text.
    pub scores: Scores,
}

/// A pair of tokens and how often one is taken for the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// The token that came.
    pub actual: String,
    /// The one that was likelier.
    pub predicted: String,
    /// Part of `actual` that this happened to.
    pub part: f64,
}

impl Confusion {
    /// The commonest mistakes: those that concern the most tokens of the text.
    pub fn mistakes(&self, count: usize) -> Vec<Mistake> {
        let n = self.tokens.len();
        let mut all: Vec<(f64, Mistake)> = Vec::new();
        for (row, actual) in self.tokens.iter().enumerate() {
            for (column, predicted) in self.tokens.iter().enumerate() {
                let part = self.parts[row * (n + 1) + column];
                if row != column && part > 0.0 {
                    let mistake = Mistake {
                        actual: actual.clone(),
                        predicted: predicted.clone(),
                        part,
                    };
                    all.push((part * self.frequency[row], mistake));
                }
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.into_iter().take(count).map(|(_, m)| m).collect()
    }
}

struct Count<'a> {
    model: Model<'a>,
    tokens: &'a [u16],
}

/// Counts of (actual, predicted), and the scores. Of thousands of words few pairs occur.
type Counted = (HashMap<(usize, usize), u64>, Scores);

impl WithKernel for Count<'_> {
    type Output = Result<Counted>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        let mut pairs = HashMap::new();
        let (mut loss, mut top1, mut top3) = (0.0, 0_usize, 0_usize);
        for pair in self.tokens.windows(2) {
            let logits = session.read(TokenId(pair[0])).map_err(Error::inference)?;
            let (log_probability, before) = log_probability(&logits, TokenId(pair[1]));
            loss -= log_probability;
            top1 += usize::from(before < 1);
            top3 += usize::from(before < 3);
            let of = (usize::from(pair[1]), logits.argmax().index());
            *pairs.entry(of).or_insert(0) += 1;
        }
        let tokens = self.tokens.len().saturating_sub(1);
        let count = tokens.max(1) as f64;
        let scores = Scores {
            nats: loss / count,
            bpc: loss / count / std::f64::consts::LN_2,
            top1: top1 as f64 / count,
            top3: top3 as f64 / count,
            tokens,
        };
        Ok((pairs, scores))
    }
}

/// Counts on `tokens`, at least two, and shows the `most` most frequent ones.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary.
pub fn measure(model: Model<'_>, tokens: &[u16], most: usize) -> Result<Confusion> {
    let (pairs, scores) = isa()?.run(Count { model, tokens })?;
    let vocab = model.net().vocab();
    let mut totals = vec![0_u64; vocab];
    for (&(actual, _), &count) in &pairs {
        totals[actual] += count;
    }
    let mut ids: Vec<usize> = (0..vocab).filter(|&id| totals[id] > 0).collect();
    ids.sort_by_key(|&id| (std::cmp::Reverse(totals[id]), id));
    ids.truncate(most);
    let mut parts = Vec::with_capacity(ids.len() * (ids.len() + 1));
    for &row in &ids {
        let total = totals[row] as f64;
        let shown: Vec<f64> = ids
            .iter()
            .map(|&column| pairs.get(&(row, column)).copied().unwrap_or(0) as f64 / total)
            .collect();
        let rest = 1.0 - shown.iter().sum::<f64>();
        parts.extend(shown);
        parts.push(rest.max(0.0));
    }
    let all: u64 = totals.iter().sum();
    let name = |&id: &usize| {
        let (vocab, id) = (model.vocab(), TokenId(id as u16));
        let word = vocab.word(id).map(|word| word.to_string());
        word.or_else(|| vocab.char_of(id).map(String::from))
    };
    Ok(Confusion {
        tokens: ids.iter().filter_map(name).collect(),
        frequency: ids
            .iter()
            .map(|&id| totals[id] as f64 / all as f64)
            .collect(),
        parts,
        scores,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::quantize::export::random;
    use gatelet::Precision;
    use gatelet::net::Kind;
    use gatelet_random::stacked;

    #[test]
    fn rows_sum_to_one_and_the_scores_are_those_of_an_evaluation() {
        let net = stacked(Precision::F32, 12, 1, Kind::lstm(8));
        let image = random(&net, 3, "test").unwrap();
        let image = image.for_isa(isa().unwrap()).unwrap();
        let model = image.model().unwrap();
        let tokens: Vec<u16> = (0..400_u32).map(|i| (i * i % 11 % 7) as u16).collect();
        let confusion = measure(model, &tokens, 3).unwrap();
        assert_eq!(confusion.scores, evaluate(model, &tokens).unwrap());
        assert_eq!((confusion.tokens.len(), confusion.parts.len()), (3, 3 * 4));
        for row in confusion.parts.chunks_exact(4) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(confusion.frequency.is_sorted_by(|a, b| a >= b));
        // All of the diagonal is what was right.
        let all = measure(model, &tokens, 12).unwrap();
        let n = all.tokens.len();
        let right: f64 = (0..n)
            .map(|i| all.frequency[i] * all.parts[i * (n + 1) + i])
            .sum();
        assert!((right - all.scores.top1).abs() < 1e-12);
        let mistakes = all.mistakes(4);
        assert!(mistakes.len() <= 4 && mistakes.iter().all(|m| m.actual != m.predicted));
    }
}
