//! From logits to tokens: the greedy choice, the most likely few, and seeded sampling. Integers only.
//!
//! Probabilities are those of a softmax in base 2, from logits in Q15.16 (f32 logits are rounded to that first):
//!
//! ```text
//! w_v = 2^(-(max - logit_v) log2(e) / T)        Q24, by exponent and a table of 2^-(k/32) with linear interpolation
//! p_v = w_v / sum w
//! ```
//! Every device draws the same characters from the same seed. Ties go to the smaller id.

use core::cmp::Ordering;
use core::fmt::{self, Display, Formatter};

use crate::vocab::TokenId;

/// The scores of the next token, one per token of the vocabulary.
#[derive(Clone, Copy, Debug)]
pub enum Logits<'a> {
    /// Of an f32 model.
    F32(&'a [f32]),
    /// Of an int8 model; scale 1/65,536.
    Q16(&'a [i32]),
}

/// A likely next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Suggestion {
    /// The token.
    pub id: TokenId,
    /// Its probability in thousandths, rounded.
    pub permille: u16,
}

impl Logits<'_> {
    /// Tokens in the vocabulary.
    pub fn len(&self) -> usize {
        match self {
            Logits::F32(scores) => scores.len(),
            Logits::Q16(scores) => scores.len(),
        }
    }

    /// Whether there are no scores; never true for the logits of a session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a token, in nats.
    pub fn get(&self, id: TokenId) -> Option<f32> {
        match self {
            Logits::F32(scores) => scores.get(id.index()).copied(),
            Logits::Q16(scores) => scores.get(id.index()).map(|&q| q as f32 / 65_536.0),
        }
    }

    /// The score of a token in Q15.16; f32 scores are rounded, and saturate.
    pub fn q16(&self, id: TokenId) -> Option<i32> {
        match self {
            Logits::F32(scores) => scores.get(id.index()).map(|&x| to_q16(x)),
            Logits::Q16(scores) => scores.get(id.index()).copied(),
        }
    }

    /// All tokens with their scores in Q15.16, in the order of their ids.
    fn scores(&self) -> impl Iterator<Item = (TokenId, i32)> {
        let (floats, fixed): (&[f32], &[i32]) = match self {
            Logits::F32(scores) => (scores, &[]),
            Logits::Q16(scores) => (&[], scores),
        };
        let scores = floats
            .iter()
            .map(|&x| to_q16(x))
            .chain(fixed.iter().copied());
        (0..=u16::MAX).map(TokenId).zip(scores)
    }

    /// The most likely token.
    pub fn argmax(&self) -> TokenId {
        self.best().0
    }

    /// The likeliest token and its score; of several, the first.
    fn best(&self) -> (TokenId, i32) {
        match self {
            Logits::F32(_) => self
                .scores()
                .reduce(|best, next| if better(next, best) { next } else { best })
                .unwrap_or_default(),
            Logits::Q16(scores) => {
                let highest = highest(scores);
                let best = scores.iter().position(|&score| score == highest);
                (TokenId(best.unwrap_or(0) as u16), highest)
            }
        }
    }

    /// The `N` most likely tokens, the likeliest first.
    pub fn top<const N: usize>(&self) -> heapless::Vec<Suggestion, N> {
        let scale = Softmax::new(self, 1 << 16);
        let mut top = heapless::Vec::new();
        for (id, score) in self.ranked::<N>() {
            let thousandths = 1000 * u64::from(scale.weight(score));
            let permille = (thousandths + scale.sum / 2).checked_div(scale.sum);
            // The vector has room for N, which is what `ranked` yields at most.
            let _ = top.push(Suggestion {
                id,
                permille: permille.unwrap_or(0) as u16,
            });
        }
        top
    }

    /// The `N` most likely tokens with their scores, the likeliest first: insertion into a short sorted list.
    pub(crate) fn ranked<const N: usize>(&self) -> heapless::Vec<(TokenId, i32), N> {
        let mut ranked: heapless::Vec<(TokenId, i32), N> = heapless::Vec::new();
        for mut candidate in self.scores() {
            for place in ranked.iter_mut() {
                if better(candidate, *place) {
                    core::mem::swap(place, &mut candidate);
                }
            }
            // Full: the least likely of N + 1 falls out.
            let _ = ranked.push(candidate);
        }
        ranked
    }
}

/// Higher scores first; among equals, smaller ids.
fn better(a: (TokenId, i32), b: (TokenId, i32)) -> bool {
    match a.1.cmp(&b.1) {
        Ordering::Greater => true,
        Ordering::Equal => a.0 < b.0,
        Ordering::Less => false,
    }
}

/// The largest of all, by fours: on a microcontroller with a compiler told to save flash, one by one takes twice as long.
fn highest(scores: &[i32]) -> i32 {
    let (fours, rest) = scores.as_chunks::<4>();
    let mut highest = i32::MIN;
    for &[a, b, c, d] in fours {
        highest = highest.max(a).max(b).max(c).max(d);
    }
    for &score in rest {
        highest = highest.max(score);
    }
    highest
}

/// Rounds to Q15.16. The cast saturates, and turns NaN to 0.
fn to_q16(x: f32) -> i32 {
    let scaled = x * 65_536.0;
    (scaled + 0.5f32.copysign(scaled)) as i32
}

/// The weights of a softmax at one temperature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softmax {
    max: i32,
    /// log2(e) / T, Q16.
    rate: u64,
    /// Sum of the weights of all tokens, Q24.
    pub(crate) sum: u64,
}

impl Softmax {
    /// log2(e) in Q16.
    const LOG2_E: u64 = 94_548;

    /// `inverse_temperature` in Q16.
    pub(crate) fn new(logits: &Logits<'_>, inverse_temperature: u32) -> Self {
        let mut softmax = Softmax {
            max: logits.best().1,
            rate: (Self::LOG2_E * u64::from(inverse_temperature)) >> 16,
            sum: 0,
        };
        softmax.sum = logits
            .scores()
            .map(|(_, score)| u64::from(softmax.weight(score)))
            .sum();
        softmax
    }

    /// The weight of a token with this score, Q24; that of the best token is one.
    pub(crate) fn weight(&self, score: i32) -> u32 {
        let below = u64::from(self.max.abs_diff(score));
        exp2_negative(below.saturating_mul(self.rate) >> 16)
    }

    /// log2 of the probability of a token with this score, Q16, at most 0.
    pub(crate) fn log2_probability(&self, score: i32) -> i64 {
        let below = u64::from(self.max.abs_diff(score));
        let log2_weight = -((below.saturating_mul(self.rate) >> 16) as i64);
        log2_weight - (log2_q16(self.sum) - (24 << 16))
    }
}

/// 2^-(k/32) in Q24, k = 0..=32.
static EXP2: [u32; 33] = exp2_table();

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn exp2_table() -> [u32; 33] {
    // 2^(-1/32): the product of 32 of them is one half.
    const STEP: f64 = 0.978_572_062_087_700_1;
    let mut table = [0; 33];
    let (mut k, mut value) = (0, (1 << 24) as f64);
    while k < 33 {
        table[k] = (value + 0.5) as u32;
        value *= STEP;
        k += 1;
    }
    table
}

/// 2^-x in Q24 for x in Q16; relative error below 0.00006.
pub(crate) fn exp2_negative(x: u64) -> u32 {
    let whole = x >> 16;
    if whole > 24 {
        return 0;
    }
    let fraction = (x & 0xffff) as usize;
    let (segment, within) = (fraction >> 11, (fraction & 0x7ff) as u32);
    let high = EXP2.get(segment).copied().unwrap_or(0);
    let low = EXP2.get(segment + 1).copied().unwrap_or(0);
    let value = high - (((high - low) * within) >> 11);
    value >> (whole as u32 & 31)
}

/// log2 of an integer above 0 in Q16, by repeated squaring of the mantissa; exact to one unit.
fn log2_q16(value: u64) -> i64 {
    let Some(whole) = value.checked_ilog2() else {
        return 0;
    };
    // The mantissa in Q31, 1 <= m < 2.
    let mut mantissa = ((value << (63 - whole)) >> 32) as u32;
    let mut log = i64::from(whole);
    for _ in 0..16 {
        let square = (u64::from(mantissa) * u64::from(mantissa)) >> 31;
        let carry = square >> 32;
        mantissa = (square >> carry) as u32;
        log = 2 * log + carry as i64;
    }
    log
}

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
/// let logits = Logits::Q16(&[0, 3 << 16, 1 << 16]);
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
    use std::vec::Vec;

    const Q: f64 = 65_536.0;

    fn softmax(logits: &[i32], temperature: f64) -> Vec<f64> {
        let weights: Vec<f64> = logits
            .iter()
            .map(|&l| (f64::from(l) / Q / temperature).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|w| w / sum).collect()
    }

    fn logits() -> [i32; 7] {
        [1.5, -2.0, 0.25, 3.0, 3.0, -40.0, 2.2].map(|x: f64| (x * Q) as i32)
    }

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let scores = logits();
        let exact = softmax(&scores, 1.0);
        let scale = Softmax::new(&Logits::Q16(&scores), 1 << 16);
        for (&score, exact) in scores.iter().zip(&exact) {
            let found = f64::from(scale.weight(score)) / scale.sum as f64;
            assert!((found - exact).abs() < 1e-4, "{found} {exact}");
            let log2 = scale.log2_probability(score) as f64 / Q;
            assert!(
                (log2 - exact.log2()).abs() < 1e-3,
                "{log2} {}",
                exact.log2()
            );
        }
    }

    #[test]
    fn the_top_are_sorted_and_ties_go_to_the_smaller_id() {
        let scores = logits();
        let top = Logits::Q16(&scores).top::<3>();
        assert!(top.iter().map(|s| s.id.0).eq([3, 4, 6]));
        let exact = softmax(&scores, 1.0);
        for s in &top {
            let exact = exact[s.id.index()] * 1000.0;
            assert!(
                (f64::from(s.permille) - exact).abs() <= 0.6,
                "{s:?} {exact}"
            );
        }
        assert_eq!(Logits::Q16(&scores).top::<10>().len(), 7);
        assert_eq!(Logits::F32(&[0.1, 0.5, 0.5]).argmax(), TokenId(1));
    }

    #[test]
    fn frequencies_follow_the_temperature() {
        let scores = logits();
        for temperature in [0.5_f32, 1.0, 2.0] {
            let mut sampler = Sampler::new(3).with_temperature(temperature).unwrap();
            let mut counts = [0_u32; 7];
            let draws = 40_000;
            for _ in 0..draws {
                counts[sampler.sample(&Logits::Q16(&scores)).index()] += 1;
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
                .map(|_| sampler.sample(&Logits::Q16(&scores)).0)
                .collect()
        };
        assert!(draw(1, 1).iter().all(|&id| id == 3));
        let two = draw(1, 2);
        assert!(two.iter().all(|id| [3, 4].contains(id)) && two.contains(&3) && two.contains(&4));
        assert_eq!(draw(9, 7), draw(9, 7));
        assert_ne!(draw(9, 7), draw(10, 7));
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
        assert_eq!({ greedy }.sample(&Logits::Q16(&logits())), TokenId(3));
    }

    #[test]
    fn extreme_scores_do_not_overflow() {
        let scores = [i32::MIN, i32::MAX, 0];
        let logits = Logits::Q16(&scores);
        let mut cold = Sampler::new(1).with_temperature(0.01).unwrap();
        assert_eq!(cold.sample(&logits), TokenId(1));
        assert_eq!(logits.top::<1>()[0].permille, 1000);
        assert_eq!(Logits::F32(&[f32::NAN, f32::INFINITY]).argmax(), TokenId(1));
    }
}
