//! The order of an epoch: sequences of about one length side by side, each from its start.
//!
//! ```text
//! shuffle all;  in groups of some batches, order by length;  cut into batches;  shuffle those
//! a batch       its sequences begin together and run to the end of the longest, window after window
//! steps         of a batch's windows: the shortest of a few lengths that holds its longest, at most --window
//! ```
//! What comes after a sequence's end is asked nothing: it moves no parameter. Nothing is put before
//! a sequence or between its steps, so no state is other than on a device.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

/// Batches among which sequences are ordered by length.
const GROUP: usize = 8;
/// Different numbers of steps that windows have.
const LENGTHS: usize = 8;

/// What sequences are cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Sequences side by side.
    pub batch: usize,
    /// Steps of a window, at most.
    pub window: usize,
    /// Of the order.
    pub seed: u64,
}

/// Sequences that are gone through together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Together {
    /// Sequences, by their place in the part.
    pub rows: Vec<usize>,
    /// Steps of each of its windows.
    pub steps: usize,
    /// How many it has.
    pub windows: usize,
}

/// The order of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Batches.
    pub batches: Vec<Together>,
    /// Windows up to the end of each.
    ends: Vec<usize>,
}

/// A few numbers of steps, the longest last, one of which each sequence gets.
fn lengths(steps: &[usize], window: usize) -> Vec<usize> {
    let mut sorted: Vec<usize> = steps.iter().map(|&n| n.clamp(1, window)).collect();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    let part = |k: usize| sorted.get(last * k / LENGTHS).copied();
    let mut found: Vec<usize> = (1..=LENGTHS).filter_map(part).collect();
    found.dedup();
    found
}

impl Order {
    /// The order of an epoch of sequences with so many steps each.
    pub(super) fn of(steps: &[usize], cut: Cut, epoch: usize) -> Self {
        let mut rng = Pcg64::seed_from_u64(
            cut.seed
                .wrapping_add((epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        );
        let mut all: Vec<usize> = (0..steps.len()).collect();
        all.shuffle(&mut rng);
        for group in all.chunks_mut(GROUP * cut.batch) {
            group.sort_by_key(|&k| steps[k]);
        }
        let mut order = Self::batches(&all, steps, cut);
        order.shuffle(&mut rng);
        Self::from_batches(order)
    }

    /// All sequences once, those of about one length together: to be judged by.
    pub(super) fn by_length(steps: &[usize], cut: Cut) -> Self {
        let mut all: Vec<usize> = (0..steps.len()).collect();
        all.sort_by_key(|&k| steps[k]);
        Self::from_batches(Self::batches(&all, steps, cut))
    }

    fn batches(all: &[usize], steps: &[usize], cut: Cut) -> Vec<Together> {
        let lengths = lengths(steps, cut.window);
        let together = |rows: &[usize]| {
            let longest = rows.iter().map(|&k| steps[k]).max().unwrap_or(1).max(1);
            let fits = lengths.iter().find(|&&length| length >= longest);
            let steps = fits.copied().unwrap_or(cut.window);
            Together {
                rows: rows.to_vec(),
                steps,
                windows: longest.div_ceil(steps),
            }
        };
        all.chunks(cut.batch.max(1)).map(together).collect()
    }

    fn from_batches(batches: Vec<Together>) -> Self {
        let mut end = 0;
        let ends = batches.iter().map(|batch| {
            end += batch.windows;
            end
        });
        Self {
            ends: ends.collect(),
            batches,
        }
    }

    /// Windows in all.
    pub(super) fn windows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The batch that window `window` belongs to, and the number of it in the batch.
    pub(super) fn window(&self, window: usize) -> Option<(&Together, usize)> {
        let index = self.ends.partition_point(|&end| end <= window);
        let batch = self.batches.get(index)?;
        Some((batch, batch.windows - (self.ends[index] - window)))
    }
}

/// The most windows that an epoch may have: every batch has one of the longest.
pub(super) fn most_windows(steps: &[usize], cut: Cut) -> usize {
    let longest = steps.iter().copied().max().unwrap_or(1).max(1);
    let least = lengths(steps, cut.window).first().copied().unwrap_or(1);
    steps.len().div_ceil(cut.batch.max(1)) * longest.div_ceil(least.min(cut.window).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Cut = Cut {
        batch: 4,
        window: 10,
        seed: 7,
    };

    #[test]
    fn an_epoch_has_every_step_of_every_sequence_once() {
        let steps: Vec<usize> = (0..37).map(|k| 1 + k * 7 % 33).collect();
        for epoch in 0..3 {
            let order = Order::of(&steps, CUT, epoch);
            let mut seen = vec![0; steps.len()];
            for window in 0..order.windows() {
                let (batch, number) = order.window(window).unwrap();
                assert!(batch.steps <= CUT.window && number < batch.windows);
                for &row in &batch.rows {
                    let from = number * batch.steps;
                    seen[row] += batch.steps.min(steps[row].saturating_sub(from));
                }
            }
            assert_eq!(seen, steps);
            assert!(order.windows() <= most_windows(&steps, CUT));
            assert_eq!(order.window(order.windows()), None);
        }
    }

    #[test]
    fn epochs_differ_and_are_the_same_again() {
        let steps = vec![9; 40];
        let of = |epoch| Order::of(&steps, CUT, epoch);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn windows_have_few_lengths_and_little_beyond_the_end() {
        let steps: Vec<usize> = (0..200).map(|k| 5 + k % 25).collect();
        let cut = Cut { window: 64, ..CUT };
        let order = Order::of(&steps, cut, 0);
        let mut lengths: Vec<usize> = order.batches.iter().map(|batch| batch.steps).collect();
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() <= LENGTHS, "{lengths:?}");
        let room: usize = order.batches.iter().map(|b| b.rows.len() * b.steps).sum();
        let used: usize = steps.iter().sum();
        assert!(room < used * 6 / 5, "{room} {used}");
    }
}
