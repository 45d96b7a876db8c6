//! Sentences whose last word is decided by their first, any number of words before: a task with a lag to choose.
//!
//! ```text
//! lag 10:   her heart  beat and so slow loud  the rest of  -> her
//!           his heart  loud then and still so  the rest of  -> his
//! words:    pronoun, "heart", lag - 5 fillers drawn from eight, "the rest of", the same pronoun
//! ```
//! What is between says nothing about the pronoun, so that a net has to carry it over the whole lag, or is right as
//! often as a coin. Nothing else is to be learnt: every other word has no loss.

use rand::{Rng, RngExt};

use crate::data::sequences::Batch;

/// The words; a word's place is its token.
pub const WORDS: [&str; 14] = [
    "her", "his", "heart", "the", "rest", "of", "beat", "and", "then", "so", "loud", "still",
    "again", "slow",
];
/// Words that are no pronoun and no filler stand before this place.
const FILLERS: u16 = 6;
/// Shortest lag there is.
pub const SHORTEST: usize = 5;

/// The tokens of a sentence: `lag` words and the one to be predicted. Lags below [`SHORTEST`] are taken as that.
pub fn sentence(rng: &mut impl Rng, lag: usize) -> Vec<u16> {
    let pronoun = rng.random_range(0..2);
    let mut tokens = vec![pronoun, 2];
    tokens.extend((SHORTEST..lag).map(|_| rng.random_range(FILLERS..WORDS.len() as u16)));
    tokens.extend([3, 4, 5, pronoun]);
    tokens
}

/// `rows` sentences of a lag.
pub fn batch(rng: &mut impl Rng, lag: usize, rows: usize) -> Batch {
    let mut batch = Batch::new(lag.max(SHORTEST));
    (0..rows).for_each(|_| batch.push_last(&sentence(rng, lag)));
    batch
}

/// A sentence to be read.
pub fn text(tokens: &[u16]) -> String {
    let words = tokens.iter().filter_map(|&id| WORDS.get(usize::from(id)));
    words.copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn the_last_word_is_the_first_and_nothing_else_says_so() {
        let mut rng = Pcg64::seed_from_u64(1);
        let mut pronouns = [0; 2];
        for lag in 0..60 {
            let tokens = sentence(&mut rng, lag);
            assert_eq!(tokens.len(), lag.max(SHORTEST) + 1);
            assert_eq!(tokens.first(), tokens.last());
            let between = &tokens[1..tokens.len() - 1];
            assert!(
                between.iter().all(|&id| (2..14).contains(&id)),
                "{tokens:?}"
            );
            pronouns[usize::from(tokens[0])] += 1;
        }
        assert!(pronouns.iter().all(|&n| n > 15), "{pronouns:?}");
        assert_eq!(batch(&mut rng, 3, 7).rows(), 7);
        assert_eq!(batch(&mut rng, 30, 7).counted(), 7);
        assert!(text(&sentence(&mut rng, 8)).contains(" the rest of h"));
    }
}
