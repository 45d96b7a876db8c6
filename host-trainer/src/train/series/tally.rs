//! How good answers are: what a task counts, over sequences that a net has not learnt from.
//!
//! ```text
//! classes    part of the answers that are right: an answer a sequence, or one a step
//! values     sum (y - t)^2 / sum (t - m)^2        error to signal; m the mean of t on the training part
//! ```
//! The error to signal of a net that always says the mean is 1.

use serde::Serialize;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// Of classes: how often each (row) was taken for each (column), row by row.
    pub confusion: Vec<u64>,
    /// Classes, or 0 for values.
    pub classes: usize,
    /// Of values: sums of each output.
    pub errors: Vec<Errors>,
}

/// Sums of errors of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Errors {
    /// Numbers that were asked for.
    pub count: u64,
    /// Of absolute errors.
    pub absolute: f64,
    /// Of squared errors.
    pub squared: f64,
    /// Of squared distances of what was asked for from the mean of the training part.
    pub signal: f64,
}

/// Precision and recall of a class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OfClass {
    /// Part of what was taken for it that is of it.
    pub precision: f64,
    /// Part of what is of it that was taken for it.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// How many are of it.
    pub count: u64,
}

/// The largest score; of equal ones the first.
pub(crate) fn largest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (k, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = k;
        }
    }
    best
}

impl Tally {
    /// Nothing counted, of so many classes.
    pub fn of_classes(classes: usize) -> Self {
        Self {
            confusion: vec![0; classes * classes],
            classes,
            errors: Vec::new(),
        }
    }

    /// Nothing counted, of so many values.
    pub fn of_values(outputs: usize) -> Self {
        Self {
            errors: vec![Errors::default(); outputs],
            ..Self::default()
        }
    }

    /// Scores where a class was asked for.
    pub fn class(&mut self, scores: &[f32], class: u16) {
        let at = usize::from(class) * self.classes + largest(scores);
        if let Some(count) = self.confusion.get_mut(at) {
            *count += 1;
        }
    }

    /// Values where others were asked for; `mean` is theirs on the training part.
    pub fn values(&mut self, found: &[f32], asked: &[f32], mean: &[f32]) {
        for (k, sums) in self.errors.iter_mut().enumerate() {
            let (Some(&y), Some(&t)) = (found.get(k), asked.get(k)) else {
                continue;
            };
            if t.is_nan() {
                continue;
            }
            let error = f64::from(y) - f64::from(t);
            let signal = f64::from(t) - f64::from(mean.get(k).copied().unwrap_or(0.0));
            sums.count += 1;
            sums.absolute += error.abs();
            sums.squared += error * error;
            sums.signal += signal * signal;
        }
    }

    /// The same with what another has counted.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.confusion.iter_mut().zip(&other.confusion) {
            *to += from;
        }
        for (to, from) in self.errors.iter_mut().zip(&other.errors) {
            to.count += from.count;
            to.absolute += from.absolute;
            to.squared += from.squared;
            to.signal += from.signal;
        }
    }

    /// Answers that were counted.
    pub fn count(&self) -> u64 {
        match self.classes {
            0 => self.errors.iter().map(|of| of.count).sum(),
            _ => self.confusion.iter().sum(),
        }
    }

    /// Accuracy of classes, error to signal of values.
    pub fn figure(&self) -> f64 {
        match self.classes {
            0 => {
                let squared: f64 = self.errors.iter().map(|of| of.squared).sum();
                let signal: f64 = self.errors.iter().map(|of| of.signal).sum();
                squared / signal.max(f64::MIN_POSITIVE)
            }
            classes => {
                let right: u64 = self.confusion.iter().step_by(classes + 1).sum();
                right as f64 / self.count().max(1) as f64
            }
        }
    }

    /// Precision, recall and F1 of every class.
    pub fn of_each(&self) -> Vec<OfClass> {
        let n = self.classes;
        let part = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let of = |k: usize| {
            let right = self.confusion[k * n + k];
            let count: u64 = self.confusion[k * n..][..n].iter().sum();
            let taken: u64 = self.confusion.iter().skip(k).step_by(n).sum();
            OfClass {
                precision: part(right, taken),
                recall: part(right, count),
                f1: part(2 * right, taken + count),
                count,
            }
        };
        (0..n).map(of).collect()
    }

    /// Mean of the classes' F1, of those that there are any of.
    pub fn macro_f1(&self) -> f64 {
        let each = self.of_each();
        let there: Vec<f64> = each
            .iter()
            .filter(|of| of.count > 0)
            .map(|of| of.f1)
            .collect();
        there.iter().sum::<f64>() / there.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_counted_by_what_they_are_taken_for() {
        let mut tally = Tally::of_classes(3);
        for (scores, class) in [
            ([2.0, 1.0, 0.0], 0),
            ([0.0, 1.0, 0.0], 0),
            ([0.0, 1.0, 0.5], 1),
            ([0.0, 3.0, 0.5], 1),
        ] {
            tally.class(&scores, class);
        }
        assert_eq!((tally.count(), tally.figure()), (4, 0.75));
        let each = tally.of_each();
        assert_eq!((each[0].precision, each[0].recall), (1.0, 0.5));
        assert!((each[1].precision - 2.0 / 3.0).abs() < 1e-12 && each[1].recall == 1.0);
        assert_eq!((each[2].f1, each[2].count), (0.0, 0));
        // A class that is nowhere says nothing of the net.
        let f1 = (2.0 / 3.0 + 0.8) / 2.0;
        assert!((tally.macro_f1() - f1).abs() < 1e-12);
    }

    #[test]
    fn errors_are_told_by_the_signal_and_what_is_not_asked_does_not_count() {
        let mut tally = Tally::of_values(2);
        tally.values(&[1.0, 5.0], &[2.0, f32::NAN], &[0.0, 0.0]);
        tally.values(&[0.0, 5.0], &[-2.0, 5.0], &[0.0, 4.0]);
        let [a, b] = [tally.errors[0], tally.errors[1]];
        assert_eq!(
            (a.count, a.absolute, a.squared, a.signal),
            (2, 3.0, 5.0, 8.0)
        );
        assert_eq!((b.count, b.squared, b.signal), (1, 0.0, 1.0));
        assert!((tally.figure() - 5.0 / 9.0).abs() < 1e-12);
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!((twice.count(), twice.figure()), (6, tally.figure()));
    }
}
