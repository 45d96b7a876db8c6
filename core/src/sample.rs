//! From logits to tokens: the greedy choice, and seeded sampling. Integers only (`logits.rs` has the softmax), so every
//! device draws the same characters from the same seed.

use core::fmt::{self, Display, Formatter};

use crate::logits::{Logits, Softmax, better};
use crate::vocab::TokenId;

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
}

impl Display for SamplerError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SamplerError::Temperature { found } => write!(
                f,
                "the temperature is {found}, but must be 0 (always the likeliest) or 0.01 to 100"
            ),
            SamplerError::TopK => f.write_str("top-k is 0, but must be at least 1"),
        }
    }
}

/// Draws tokens from logits: greedy, with a temperature, from the k likeliest; reproducible from a seed.
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
}

impl Sampler {
    /// At temperature 1, from the whole vocabulary.
    pub const fn new(seed: u64) -> Self {
        Sampler {
            random: seed,
            inverse_temperature: Some(1 << 16),
            top_k: usize::MAX,
        }
    }

    /// Always the likeliest token.
    pub const fn greedy() -> Self {
        Sampler {
            random: 0,
            inverse_temperature: None,
            top_k: usize::MAX,
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

    /// Draws a token.
    pub fn sample(&mut self, logits: &Logits<'_>) -> TokenId {
        let Some(inverse_temperature) = self.inverse_temperature else {
            return logits.argmax();
        };
        let softmax = Softmax::new(logits, inverse_temperature);
        let last = self.last_kept(logits);
        let kept = || {
            let keep =
                move |&candidate: &(TokenId, i32)| last.is_none_or(|l| !better(l, candidate));
            logits.scores().filter(keep)
        };
        let sum: u64 = kept()
            .map(|(_, score)| u64::from(softmax.weight(score)))
            .sum();
        // 24 random bits times a sum below 2^38: no overflow, and as fine as the weights are.
        let mut left = ((self.next_random() >> 40) * sum) >> 24;
        for (id, score) in kept() {
            let weight = u64::from(softmax.weight(score));
            if left < weight {
                return id;
            }
            left -= weight;
        }
        logits.argmax()
    }

    /// The k-th likeliest token, or `None` if all are kept: k passes, each for the best one below the one before.
    fn last_kept(&self, logits: &Logits<'_>) -> Option<(TokenId, i32)> {
        if self.top_k >= logits.len() {
            return None;
        }
        let mut last: Option<(TokenId, i32)> = None;
        for _ in 0..self.top_k {
            last = logits
                .scores()
                .filter(|&candidate| last.is_none_or(|l| better(l, candidate)))
                .reduce(|best, next| if better(next, best) { next } else { best });
        }
        last
    }

    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.random;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::logits::tests::{logits, softmax};
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
