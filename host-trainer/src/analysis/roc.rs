//! How well the scores of a class tell it from the others, at every threshold.

use serde::Serialize;

/// Bins of the log-odds of a class, and their width.
const BINS: usize = 401;
const BIN: f64 = 0.1;

/// How well scores of a class tell it from the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    /// Area below the curve: 1 is perfect, 0.5 a guess; none without answers on both sides.
    pub area: Option<f64>,
    /// Part of the others taken for it, part of it that is found, as the score asked for falls.
    pub points: Vec<(f64, f64)>,
}

/// How often each class had log-odds in each bin, where it was (first) and was not asked for.
#[derive(Clone, Debug)]
pub(super) struct Odds(Vec<[u32; 2]>);

impl Odds {
    /// Of so many classes, none counted.
    pub(super) fn new(classes: usize) -> Self {
        Self(vec![[0; 2]; classes * BINS])
    }

    /// Counts the logarithms of an answer's probabilities.
    pub(super) fn add(&mut self, log: &[f64], asked: u16) {
        for (k, &log_p) in log.iter().enumerate() {
            // ln p / (1 - p)
            let odds = log_p - (-log_p.exp_m1()).max(f64::MIN_POSITIVE).ln();
            let middle = (BINS / 2) as f64;
            let bin = (odds / BIN).round().clamp(-middle, middle) + middle;
            let side = usize::from(k != usize::from(asked));
            if let Some(of) = self.0.get_mut(k * BINS + bin as usize) {
                of[side] += 1;
            }
        }
    }

    /// The same with what another has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (to, from) in self.0.iter_mut().zip(&other.0) {
            (to[0], to[1]) = (to[0] + from[0], to[1] + from[1]);
        }
    }

    /// From the largest scores down; the answers of one bin are a straight line.
    pub(super) fn roc(&self, class: usize) -> Roc {
        let bins = &self.0[class * BINS..][..BINS];
        let all = [0, 1].map(|side| bins.iter().map(|bin| f64::from(bin[side])).sum::<f64>());
        if all.contains(&0.0) {
            return Roc {
                area: None,
                points: Vec::new(),
            };
        }
        let (mut points, mut area, mut at) = (vec![(0.0, 0.0)], 0.0, [0.0; 2]);
        for bin in bins.iter().rev().filter(|bin| **bin != [0, 0]) {
            let [hits, others] = bin.map(f64::from);
            area += others * (at[0] + hits / 2.0);
            at = [at[0] + hits, at[1] + others];
            points.push((at[1] / all[1], at[0] / all[0]));
        }
        Roc {
            area: Some(area / (all[0] * all[1])),
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_part_of_pairs_in_the_right_order() {
        let mut odds = Odds::new(2);
        // Class 0: asked for at 0.9, 0.6, 0.3; not at 0.7, 0.1, 0.05.
        for (p, asked) in [
            (0.9_f64, 0),
            (0.6, 0),
            (0.3, 0),
            (0.7, 1),
            (0.1, 1),
            (0.05, 1),
        ] {
            odds.add(&[p.ln(), (1.0 - p).ln()], asked);
        }
        for class in 0..2 {
            let roc = odds.roc(class);
            assert!((roc.area.unwrap() - 7.0 / 9.0).abs() < 1e-12, "{roc:?}");
            assert_eq!(roc.points.first(), Some(&(0.0, 0.0)));
            assert_eq!(roc.points.last(), Some(&(1.0, 1.0)));
        }
        let mut sure = Odds::new(2);
        sure.add(&[0.0, -800.0], 0);
        assert_eq!(sure.roc(0).area, None);
        sure.add(&[-800.0, 0.0], 1);
        assert_eq!(sure.roc(0).area, Some(1.0));
    }
}
