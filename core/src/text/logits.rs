//! Scores, their order, and the softmax of them. Integers only.
//!
//! Probabilities are those of a softmax in base 2, from logits in Q15.16 (f32 logits are rounded to that first):
//!
//! ```text
//! w_v = 2^(-(max - logit_v) log2(e) / T)        Q24, by exponent and a table of 2^-(k/32) with linear interpolation
//! p_v = w_v / sum w
//! ```
//! Ties go to the smaller id.

use core::cmp::Ordering;
use core::ops::Range;

use crate::fixed::real_q16;
use crate::net::TokenId;

/// The scores of the next token, one per token of the vocabulary.
///
/// A model's unknown token has a score too, for [`Logits::get`]; but it is no character, so choices and probabilities
/// are those of the others.
#[derive(Clone, Copy, Debug)]
pub struct Logits<'a> {
    scores: Scores<'a>,
    /// The id of the first score.
    first: u16,
    /// Never chosen.
    hidden: Option<TokenId>,
}

/// `[vocab]` numbers.
#[derive(Clone, Copy, Debug)]
enum Scores<'a> {
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

impl<'a> Logits<'a> {
    /// Scores of an f32 model: `[vocab]`, in nats.
    pub const fn of_f32(scores: &'a [f32]) -> Self {
        Logits {
            scores: Scores::F32(scores),
            first: 0,
            hidden: None,
        }
    }

    /// Scores of an int8 model: `[vocab]`, Q15.16.
    pub const fn of_q16(scores: &'a [i32]) -> Self {
        Logits {
            scores: Scores::Q16(scores),
            first: 0,
            hidden: None,
        }
    }

    /// The same scores, of which one token is never chosen.
    pub const fn hiding(self, hidden: Option<TokenId>) -> Self {
        Logits { hidden, ..self }
    }

    /// The scores of some of the tokens, as if there were no others: choices and probabilities are among them.
    pub fn within(self, ids: Range<u16>) -> Self {
        let at = |id: u16| usize::from(id.saturating_sub(self.first)).min(self.len());
        let range = at(ids.start)..at(ids.end);
        let scores = match self.scores {
            Scores::F32(scores) => Scores::F32(scores.get(range).unwrap_or_default()),
            Scores::Q16(scores) => Scores::Q16(scores.get(range).unwrap_or_default()),
        };
        Logits {
            scores,
            first: ids.start.max(self.first),
            ..self
        }
    }

    /// The scores as numbers, from the first to the last.
    pub fn numbers(&self) -> impl Iterator<Item = f32> + use<'a> {
        let (reals, integers) = match self.scores {
            Scores::F32(scores) => (scores, &[][..]),
            Scores::Q16(scores) => (&[][..], scores),
        };
        let integers = integers.iter().map(|&score| real_q16(score));
        reals.iter().copied().chain(integers)
    }

    /// Tokens that have a score: the whole vocabulary, but for [`Logits::within`].
    pub fn len(&self) -> usize {
        match self.scores {
            Scores::F32(scores) => scores.len(),
            Scores::Q16(scores) => scores.len(),
        }
    }

    /// Whether there are no scores; never true for the logits of a session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a token's score.
    fn place(&self, id: TokenId) -> Option<usize> {
        id.index().checked_sub(self.first.into())
    }

    /// The score of a token, in nats.
    pub fn get(&self, id: TokenId) -> Option<f32> {
        let place = self.place(id)?;
        match self.scores {
            Scores::F32(scores) => scores.get(place).copied(),
            Scores::Q16(scores) => scores.get(place).map(|&q| real_q16(q)),
        }
    }

    /// The score of a token in Q15.16; f32 scores are rounded, and saturate.
    pub fn q16(&self, id: TokenId) -> Option<i32> {
        let place = self.place(id)?;
        match self.scores {
            Scores::F32(scores) => scores.get(place).map(|&x| to_q16(x)),
            Scores::Q16(scores) => scores.get(place).copied(),
        }
    }

    /// All tokens that may be chosen with their scores in Q15.16, in the order of their ids.
    pub(crate) fn scores(&self) -> impl Iterator<Item = (TokenId, i32)> {
        let (floats, fixed): (&[f32], &[i32]) = match self.scores {
            Scores::F32(scores) => (scores, &[]),
            Scores::Q16(scores) => (&[], scores),
        };
        let hidden = self.hidden;
        let scores = floats
            .iter()
            .map(|&x| to_q16(x))
            .chain(fixed.iter().copied());
        (self.first..=u16::MAX)
            .map(TokenId)
            .zip(scores)
            .filter(move |&(id, _)| Some(id) != hidden)
    }

    /// The most likely token.
    pub fn argmax(&self) -> TokenId {
        self.best().0
    }

    /// The likeliest token and its score; of several, the first.
    fn best(&self) -> (TokenId, i32) {
        match self.scores {
            Scores::F32(_) => self
                .scores()
                .reduce(|best, next| if better(next, best) { next } else { best })
                .unwrap_or_default(),
            Scores::Q16(scores) => {
                // What stands before and after the token that is not chosen; without one, all of it and nothing.
                let hidden = self.hidden.and_then(|id| self.place(id));
                let hidden = hidden.unwrap_or(scores.len());
                let before = scores.get(..hidden).unwrap_or(scores);
                let after = scores.get(hidden + 1..).unwrap_or_default();
                let behind = match after.is_empty() {
                    true => None,
                    false => highest(after).map(|(place, score)| (hidden + 1 + place, score)),
                };
                let best = match (highest(before), behind) {
                    (Some(first), Some(second)) if second.1 > first.1 => Some(second),
                    (first, second) => first.or(second),
                };
                let (place, score) = best.unwrap_or((0, i32::MIN));
                (TokenId(self.first + place as u16), score)
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
pub(crate) fn better(a: (TokenId, i32), b: (TokenId, i32)) -> bool {
    match a.1.cmp(&b.1) {
        Ordering::Greater => true,
        Ordering::Equal => a.0 < b.0,
        Ordering::Less => false,
    }
}

/// The place of the largest of all, and what it is; of several, the first. By fours: on a
/// microcontroller with a compiler told to save flash, one by one takes twice as long.
fn highest(scores: &[i32]) -> Option<(usize, i32)> {
    let (fours, rest) = scores.as_chunks::<4>();
    let (mut highest, mut start) = (i32::MIN, 0);
    for (index, &[a, b, c, d]) in fours.iter().enumerate() {
        let of = a.max(b).max(c).max(d);
        if of > highest {
            (highest, start) = (of, 4 * index);
        }
    }
    for (index, &score) in rest.iter().enumerate() {
        if score > highest {
            (highest, start) = (score, 4 * fours.len() + index);
        }
    }
    let mut here = scores.get(start..).unwrap_or_default().iter();
    let place = here.position(|&score| score == highest)?;
    Some((start + place, highest))
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

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const Q: f64 = 65_536.0;

    pub(crate) fn softmax(logits: &[i32], temperature: f64) -> Vec<f64> {
        let weights: Vec<f64> = logits
            .iter()
            .map(|&l| (f64::from(l) / Q / temperature).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|w| w / sum).collect()
    }

    pub(crate) fn logits() -> [i32; 7] {
        [1.5, -2.0, 0.25, 3.0, 3.0, -40.0, 2.2].map(|x: f64| (x * Q) as i32)
    }

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let scores = logits();
        let exact = softmax(&scores, 1.0);
        let scale = Softmax::new(&Logits::of_q16(&scores), 1 << 16);
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
        let top = Logits::of_q16(&scores).top::<3>();
        assert!(top.iter().map(|s| s.id.0).eq([3, 4, 6]));
        let exact = softmax(&scores, 1.0);
        for s in &top {
            let exact = exact[s.id.index()] * 1000.0;
            assert!(
                (f64::from(s.permille) - exact).abs() <= 0.6,
                "{s:?} {exact}"
            );
        }
        assert_eq!(Logits::of_q16(&scores).top::<10>().len(), 7);
        assert_eq!(Logits::of_f32(&[0.1, 0.5, 0.5]).argmax(), TokenId(1));
    }

    #[test]
    fn within_some_ids_there_are_no_others() {
        let fixed = logits();
        let floats = fixed.map(|q| (f64::from(q) / Q) as f32);
        for (from, to) in (0..=7).flat_map(|from| (from..=7).map(move |to| (from, to))) {
            for all in [Logits::of_q16(&fixed), Logits::of_f32(&floats)] {
                let all = all.hiding(Some(TokenId(3)));
                let some = all.within(from..to);
                assert_eq!(some.len(), usize::from(to - from));
                for id in (0..8).map(TokenId) {
                    let inside = (from..to).contains(&id.0);
                    assert_eq!(some.get(id), all.get(id).filter(|_| inside));
                    assert_eq!(some.q16(id), all.q16(id).filter(|_| inside));
                }
                let mut expected: Vec<_> = all.scores().collect();
                expected.retain(|(id, _)| (from..to).contains(&id.0));
                expected.sort_by_key(|&(id, score)| (core::cmp::Reverse(score), id));
                let found = some.ranked::<7>();
                assert_eq!(found.as_slice(), expected);
                if let Some(best) = expected.first() {
                    assert_eq!(some.argmax(), best.0);
                    let permille: u32 = some.top::<7>().iter().map(|s| u32::from(s.permille)).sum();
                    assert!(permille.abs_diff(1000) <= 4, "{permille}");
                }
                // Of some, some.
                assert_eq!(
                    some.within(2..4).len(),
                    usize::from(to.min(4).saturating_sub(from.max(2)))
                );
            }
        }
    }

    #[test]
    fn a_hidden_token_has_a_score_but_is_never_chosen() {
        let fixed = logits();
        let floats = fixed.map(|q| (f64::from(q) / Q) as f32);
        for id in 0..7 {
            let hidden = TokenId(id);
            for all in [Logits::of_q16(&fixed), Logits::of_f32(&floats)] {
                let some = all.hiding(Some(hidden));
                assert_eq!(some.get(hidden), all.get(hidden));
                let top = some.top::<7>();
                assert_eq!(top.len(), 6);
                assert!(top.iter().all(|s| s.id != hidden));
                assert_eq!(some.argmax(), top[0].id, "{id}");
                let permille: u32 = top.iter().map(|s| u32::from(s.permille)).sum();
                assert!(permille.abs_diff(1000) <= 4, "{permille}");
            }
        }
    }
}
