//! What is heard, of the scores of every step.
//!
//! ```text
//! p        softmax of the scores of a step
//! level    l += (p - l) (1 - exp(-step / smooth))      a mean over about the last `smooth` seconds
//! heard    the class of the greatest level, where that is at least `threshold`
//! ```
//! What is heard stays so for `hold` seconds; it is said when it becomes another class, and when it
//! is heard again after nothing was. The firmware's spotter has a rule of its own, in integers: it
//! knows which class stands for all else, and says a word once. Here any classes are told apart.

use crate::net::softmax;

/// How scores become what is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The least probability of what is heard.
    pub threshold: f32,
    /// Seconds over which probabilities are averaged; 0: not at all.
    pub smooth: f64,
    /// Seconds for which nothing else is heard.
    pub hold: f64,
}

/// A class that is heard from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Its number.
    pub class: usize,
    /// Its smoothed probability.
    pub probability: f32,
}

/// What has been heard so far.
#[derive(Clone, Debug)]
pub struct Decision {
    threshold: f32,
    /// Part of a step's probabilities in a level.
    weight: f32,
    /// Steps for which nothing else is heard.
    hold: u64,
    /// `[classes]`
    levels: Vec<f32>,
    /// Probabilities of the last step: `[classes]`.
    last: Vec<f32>,
    heard: Option<usize>,
    /// Steps until something else may be heard.
    rest: u64,
}

impl Decision {
    /// Nothing heard yet, and all of so many classes alike. `step` is how long a step takes, in
    /// seconds.
    pub fn new(rule: Rule, classes: usize, step: f64) -> Self {
        let weight = match rule.smooth > 0.0 {
            true => 1.0 - (-step / rule.smooth).exp(),
            false => 1.0,
        };
        Self {
            threshold: rule.threshold,
            weight: weight as f32,
            hold: (rule.hold / step).round() as u64,
            levels: vec![1.0 / classes.max(1) as f32; classes],
            last: vec![0.0; classes],
            heard: None,
            rest: 0,
        }
    }

    /// Takes the scores of a step in: what is heard from this step on, if that is new.
    pub fn step(&mut self, scores: &[f32]) -> Option<Heard> {
        self.last.copy_from_slice(scores);
        softmax(&mut self.last);
        for (level, p) in self.levels.iter_mut().zip(&self.last) {
            *level += (p - *level) * self.weight;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        let (class, probability) = self.likeliest();
        let before = self.heard;
        self.heard = (probability >= self.threshold).then_some(class);
        (self.heard.is_some() && self.heard != before).then(|| {
            self.rest = self.hold.saturating_sub(1);
            Heard { class, probability }
        })
    }

    /// The likeliest class, and its smoothed probability.
    pub fn likeliest(&self) -> (usize, f32) {
        let all = self.levels.iter().copied().enumerate();
        all.fold((0, 0.0), |most, of| if of.1 > most.1 { of } else { most })
    }

    /// The smoothed probability of every class.
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Rule = Rule {
        threshold: 0.6,
        smooth: 0.0,
        hold: 0.0,
    };

    /// The steps of a hundredth of a second at which something is heard, and what. A letter is the
    /// class that is sure; a dot is none.
    fn heard(rule: Rule, steps: &str) -> Vec<(usize, usize)> {
        let mut decision = Decision::new(rule, 3, 0.01);
        let scores = |letter: char| {
            let of = |class| if letter == class { 9.0 } else { 0.0 };
            ['a', 'b', 'c'].map(of)
        };
        let steps = steps.chars().enumerate();
        steps
            .filter_map(|(k, letter)| Some((k, decision.step(&scores(letter))?.class)))
            .collect()
    }

    #[test]
    fn what_changes_is_said_once() {
        assert_eq!(heard(PLAIN, "..aaa..bbbb"), [(2, 0), (7, 1)]);
        // Again after nothing was.
        assert_eq!(heard(PLAIN, "aa..aa"), [(0, 0), (4, 0)]);
        assert_eq!(heard(PLAIN, "......"), []);
    }

    #[test]
    fn what_does_not_last_is_smoothed_away() {
        let rule = Rule {
            smooth: 0.05,
            ..PLAIN
        };
        let text = ["aaaaaaaaaa", "b", "aaaaaaaaaa", "bbbbbbbbbb"].concat();
        let found = heard(rule, &text);
        assert!(matches!(found[..], [(1..6, 0), (22..28, 1)]), "{found:?}");
    }

    #[test]
    fn what_is_heard_is_held() {
        let rule = Rule {
            hold: 0.04,
            ..PLAIN
        };
        assert_eq!(heard(rule, "abababccc"), [(0, 0), (5, 1)]);
        assert_eq!(heard(rule, "a...bbbbb"), [(0, 0), (4, 1)]);
    }

    #[test]
    fn levels_are_probabilities() {
        let rule = Rule {
            smooth: 0.03,
            ..PLAIN
        };
        let mut decision = Decision::new(rule, 4, 0.016);
        for k in 0..40_i16 {
            let scores = [0, 7, 13, 19].map(|by| f32::from((k * by) % 11));
            let heard = decision.step(&scores);
            let sum: f32 = decision.levels().iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            let (class, most) = decision.likeliest();
            assert!(decision.levels().iter().all(|&level| level <= most));
            if let Some(heard) = heard {
                assert_eq!((heard.class, heard.probability), (class, most));
                assert!(most >= rule.threshold);
            }
        }
    }
}
