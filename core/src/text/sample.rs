//! From logits to tokens: the greedy choice, and seeded sampling. Integers only (`logits.rs` has the softmax), so every
//! device draws the same characters from the same seed.
//!
//! ```text
//! candidates, the likeliest first:  the k first of all;  of these, the fewest whose weights are at least p of their sum
//! drawn:                            a candidate, with a probability in proportion to its weight
//! ```
//! Nothing is sorted: both cuts are found by halving the range of scores (`cut`).

use core::fmt::{self, Display, Formatter};

use crate::net::TokenId;
use crate::text::logits::{Logits, Softmax, better};

/// A setting of a [`Sampler`] that is out of range.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SamplerError {
    /// The temperature is not 0, and not in 0.01..=100 (or is no number).
    Temperature {
        /// What was given.
        found: f32,
    },
    /// Top-k of 0.
    TopK,
    /// Top-p is not in 0.001..=1 (or is no number).
    TopP {
        /// What was given.
        found: f32,
    },
}

impl Display for SamplerError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SamplerError::Temperature { found } => write!(
                f,
                "the temperature is {found}, but must be 0 (always the likeliest) or 0.01 to 100"
            ),
            SamplerError::TopK => f.write_str("top-k is 0, but must be at least 1"),
            SamplerError::TopP { found } => write!(
                f,
                "top-p is {found}, but must be 0.001 to 1 (1 keeps every token)"
            ),
        }
    }
}

impl core::error::Error for SamplerError {}

/// Draws tokens from logits: greedy, with a temperature, from the k likeliest, from the nucleus; reproducible from a seed.
///
/// ```
/// # use gatelet::{Logits, Sampler, TokenId};
/// let logits = Logits::of_q16(&[0, 3 << 16, 1 << 16]);
/// assert_eq!(Sampler::greedy().sample(&logits), TokenId(1));
/// let mut sampler = Sampler::new(7).with_temperature(0.8)?.with_top_k(2)?;
/// assert_ne!(sampler.sample(&logits), TokenId(0)); // the third likeliest is never drawn
/// # Ok::<(), gatelet::SamplerError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// SplitMix64 (Steele, Lea, Flood 2014).
    random: u64,
    /// 1 / T in Q16; `None` is greedy.
    inverse_temperature: Option<u32>,
    top_k: usize,
    /// The part of the weights that the nucleus has at least, Q16; 2^16 is no cut.
    top_p: u32,
}

/// All of the weights, Q16.
const ALL: u32 = 1 << 16;

impl Sampler {
    /// At temperature 1, from the whole vocabulary.
    pub const fn new(seed: u64) -> Self {
        Sampler {
            random: seed,
            inverse_temperature: Some(1 << 16),
            top_k: usize::MAX,
            top_p: ALL,
        }
    }

    /// Always the likeliest token.
    pub const fn greedy() -> Self {
        Sampler {
            random: 0,
            inverse_temperature: None,
            top_k: usize::MAX,
            top_p: ALL,
        }
    }

    /// Divides the logits by `temperature`: below 1 bolder, above 1 more varied, 0 greedy.
    ///
    /// # Errors
    /// Unless it is 0 or in 0.01..=100.
    pub fn with_temperature(mut self, temperature: f32) -> Result<Self, SamplerError> {
        self.inverse_temperature = if temperature == 0.0 {
            None
        } else if (0.01..=100.0).contains(&temperature) {
            Some((65_536.0 / temperature + 0.5) as u32)
        } else {
            return Err(SamplerError::Temperature { found: temperature });
        };
        Ok(self)
    }

    /// Draws from the `k` likeliest tokens only.
    ///
    /// # Errors
    /// When `k` is 0.
    pub fn with_top_k(mut self, k: usize) -> Result<Self, SamplerError> {
        if k == 0 {
            return Err(SamplerError::TopK);
        }
        self.top_k = k;
        Ok(self)
    }

    /// Draws from the nucleus only: the fewest of the likeliest tokens whose probabilities, after temperature and top-k, sum
    /// up to at least `p` (Holtzman et al. 2020).
    ///
    /// # Errors
    /// Unless it is in 0.001..=1.
    pub fn with_top_p(mut self, p: f32) -> Result<Self, SamplerError> {
        if !(0.001..=1.0).contains(&p) {
            return Err(SamplerError::TopP { found: p });
        }
        self.top_p = (p * 65_536.0 + 0.5) as u32;
        Ok(self)
    }

    /// Draws a token.
    pub fn sample(&mut self, logits: &Logits<'_>) -> TokenId {
        let Some(inverse_temperature) = self.inverse_temperature else {
            return logits.argmax();
        };
        let softmax = Softmax::new(logits, inverse_temperature);
        let weight = |score| u64::from(softmax.weight(score));
        let mut last = None;
        if self.top_k < logits.len() {
            last = cut(logits, last, self.top_k as u64, |_| 1);
        }
        if self.top_p < ALL {
            let sum: u64 = kept(logits, last).map(|(_, score)| weight(score)).sum();
            // Below 2^38 times at most 2^16.
            let need = (sum * u64::from(self.top_p)).div_ceil(u64::from(ALL));
            last = cut(logits, last, need, weight);
        }
        let sum: u64 = kept(logits, last).map(|(_, score)| weight(score)).sum();
        // 24 random bits times a sum below 2^38: no overflow, and as fine as the weights are.
        let mut left = ((self.next_random() >> 40) * sum) >> 24;
        for (id, score) in kept(logits, last) {
            match left.checked_sub(weight(score)) {
                Some(rest) => left = rest,
                None => return id,
            }
        }
        logits.argmax()
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.random;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The tokens from the likeliest to `last`, in the order of their ids; all of them without a last one.
fn kept(logits: &Logits<'_>, last: Option<(TokenId, i32)>) -> impl Iterator<Item = (TokenId, i32)> {
    logits
        .scores()
        .filter(move |&candidate| last.is_none_or(|last| !better(last, candidate)))
}

/// The last of the fewest likeliest tokens, none of them after `last`, whose amounts sum up to at least `need`.
///
/// ```text
/// the highest score s at which the amounts of all scores from s upwards are enough, by halving
/// of the tokens with that score, those with the smallest ids
/// ```
fn cut(
    logits: &Logits<'_>,
    last: Option<(TokenId, i32)>,
    need: u64,
    amount: impl Fn(i32) -> u64,
) -> Option<(TokenId, i32)> {
    let sum_from = |lowest: i32| -> u64 {
        kept(logits, last)
            .filter(|&(_, score)| score >= lowest)
            .map(|(_, score)| amount(score))
            .sum()
    };
    let scores = || kept(logits, last).map(|(_, score)| score);
    let (mut enough, mut too_high) = (scores().min()?, i64::from(scores().max()?) + 1);
    while i64::from(enough) + 1 < too_high {
        let middle = i64::midpoint(enough.into(), too_high) as i32;
        if sum_from(middle) >= need {
            enough = middle;
        } else {
            too_high = middle.into();
        }
    }
    let above = sum_from(enough.saturating_add(1));
    let mut sum = if enough == i32::MAX { 0 } else { above };
    kept(logits, last)
        .filter(|&(_, score)| score == enough)
        .find(|&(_, score)| {
            sum += amount(score);
            sum >= need
        })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::text::logits::tests::{logits, softmax};
    use std::vec::Vec;

    #[test]
    fn frequencies_follow_the_temperature() {
        let scores = logits();
        for temperature in [0.5_f32, 1.0, 2.0] {
            let mut sampler = Sampler::new(3).with_temperature(temperature).unwrap();
            let mut counts = [0_u32; 7];
            let draws = 40_000;
            for _ in 0..draws {
                counts[sampler.sample(&Logits::of_q16(&scores)).index()] += 1;
            }
            for (count, p) in counts.iter().zip(softmax(&scores, temperature.into())) {
                let sigma = (p * (1.0 - p) / f64::from(draws)).sqrt();
                let found = f64::from(*count) / f64::from(draws);
                assert!(
                    (found - p).abs() <= 5.0 * sigma + 1e-5,
                    "{temperature}: {found} {p}"
                );
            }
        }
    }

    #[test]
    fn top_k_keeps_k_and_the_seed_decides() {
        let scores = logits();
        let draw = |seed, k| -> Vec<u16> {
            let mut sampler = Sampler::new(seed).with_top_k(k).unwrap();
            (0..300)
                .map(|_| sampler.sample(&Logits::of_q16(&scores)).0)
                .collect()
        };
        assert!(draw(1, 1).iter().all(|&id| id == 3));
        let two = draw(1, 2);
        assert!(two.iter().all(|id| [3, 4].contains(id)) && two.contains(&3) && two.contains(&4));
        assert_eq!(draw(9, 7), draw(9, 7));
        assert_ne!(draw(9, 7), draw(10, 7));
    }

    /// The fewest likeliest with at least `need`, by sorting.
    fn by_sorting(scores: &[i32], need: u64, amount: impl Fn(i32) -> u64) -> Option<u16> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by_key(|&i| (core::cmp::Reverse(scores[i]), i));
        let mut sum = 0;
        let found = order.into_iter().find(|&i| {
            sum += amount(scores[i]);
            sum >= need
        });
        found.map(|i| i as u16)
    }

    #[test]
    fn a_cut_is_the_one_of_a_sorted_list() {
        let mut random = Sampler::new(11);
        for round in 0..400 {
            // Few different scores, so that many are equal; now and then the extremes.
            let scores: Vec<i32> = (0..1 + round % 23)
                .map(|_| match random.next_random() % 12 {
                    0 => i32::MIN,
                    1 => i32::MAX,
                    n => n as i32 * 70_000 - 300_000,
                })
                .collect();
            let logits = Logits::of_q16(&scores);
            let amount = |score: i32| u64::from(score.unsigned_abs() % 7);
            let total: u64 = scores.iter().map(|&score| amount(score)).sum();
            for need in [1, total / 3, total / 2, total] {
                let found = cut(&logits, None, need.max(1), amount).map(|(id, _)| id.0);
                assert_eq!(
                    found,
                    by_sorting(&scores, need.max(1), amount),
                    "{scores:?} {need}"
                );
            }
            for k in 1..=scores.len() as u64 {
                let found = cut(&logits, None, k, |_| 1).map(|(id, _)| id.0);
                assert_eq!(found, by_sorting(&scores, k, |_| 1), "{scores:?} {k}");
            }
        }
    }

    #[test]
    fn the_nucleus_is_the_fewest_that_are_enough() {
        let scores = logits();
        let p = softmax(&scores, 1.0);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by_key(|&i| (core::cmp::Reverse(scores[i]), i));
        for keep in 1..order.len() {
            // Between the sums of `keep - 1` and `keep` tokens, away from both.
            let below: f64 = order[..keep - 1].iter().map(|&i| p[i]).sum();
            let middle = below + p[order[keep - 1]] / 2.0;
            if middle < 0.002 || p[order[keep - 1]] < 1e-3 {
                continue;
            }
            let mut sampler = Sampler::new(4).with_top_p(middle as f32).unwrap();
            let mut drawn: Vec<usize> = (0..4_000)
                .map(|_| sampler.sample(&Logits::of_q16(&scores)).index())
                .collect();
            drawn.sort_unstable();
            drawn.dedup();
            let mut nucleus = order[..keep].to_vec();
            nucleus.sort_unstable();
            assert_eq!(drawn, nucleus, "{middle}");
        }
    }

    #[test]
    fn a_hidden_token_is_never_drawn() {
        let scores = logits();
        // The likeliest, at every setting.
        let logits = Logits::of_q16(&scores).hiding(Some(TokenId(3)));
        for k in [1, 2, 6, 7, 9] {
            let mut sampler = Sampler::new(5).with_top_k(k).unwrap();
            assert!(
                (0..300).all(|_| sampler.sample(&logits) != TokenId(3)),
                "{k}"
            );
        }
        assert_eq!(Sampler::greedy().sample(&logits), TokenId(4));
    }

    #[test]
    fn bad_settings_are_refused() {
        for t in [-1.0, f32::NAN, f32::INFINITY, 0.001] {
            assert!(Sampler::new(0).with_temperature(t).is_err(), "{t}");
        }
        assert_eq!(
            Sampler::new(0).with_top_k(0).unwrap_err(),
            SamplerError::TopK
        );
        for p in [0.0, -0.5, 1.1, f32::NAN] {
            assert!(Sampler::new(0).with_top_p(p).is_err(), "{p}");
        }
        let greedy = Sampler::new(0).with_temperature(0.0).unwrap();
        assert_eq!({ greedy }.sample(&Logits::of_q16(&logits())), TokenId(3));
    }

    #[test]
    fn extreme_scores_do_not_overflow() {
        let scores = [i32::MIN, i32::MAX, 0];
        let logits = Logits::of_q16(&scores);
        let mut cold = Sampler::new(1).with_temperature(0.01).unwrap();
        assert_eq!(cold.sample(&logits), TokenId(1));
        assert_eq!(logits.top::<1>()[0].permille, 1000);
        assert_eq!(
            Logits::of_f32(&[f32::NAN, f32::INFINITY]).argmax(),
            TokenId(1)
        );
    }
}
