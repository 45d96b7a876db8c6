//! Samples of several contestants in turn, and their medians.
//!
//! ```text
//! once:   double each contestant's repetitions until a sample is long enough for the clock
//! rounds: for every contestant: run it untimed, so that its data is in the caches again, then take one sample
//! ```
//! Megabytes that others have pushed out of the third-level cache are not back after two readings: with samples of 100
//! microseconds after two steps an f32 step of 2 x 512 units took 180 microseconds, alone it takes 150.
//!
//! On a machine whose speed drifts, absolute times say little; contestants that took turns met the same weather.

use std::time::Duration;

/// Does something `n` times and says how long that took.
pub type Repeat<'a> = Box<dyn FnMut(u32) -> Duration + 'a>;

/// Most repetitions before a sample.
const MOST_UNTIMED: u32 = 16;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples of each contestant.
    pub rounds: usize,
    /// The least length of a sample.
    pub sample: Duration,
}

impl Effort {
    /// For figures that are quoted.
    pub const FULL: Self = Self {
        rounds: 101,
        sample: Duration::from_millis(1),
    };
    /// For a look.
    pub const QUICK: Self = Self {
        rounds: 15,
        sample: Duration::from_micros(200),
    };
}

/// The median seconds of one repetition of each contestant, in their order.
pub fn medians(contestants: &mut [Repeat<'_>], effort: Effort) -> Vec<f64> {
    let repetitions: Vec<u32> = contestants
        .iter_mut()
        .map(|contestant| long_enough(contestant, effort.sample))
        .collect();
    let mut samples = vec![Vec::with_capacity(effort.rounds); contestants.len()];
    for _ in 0..effort.rounds {
        for ((contestant, &n), samples) in
            contestants.iter_mut().zip(&repetitions).zip(&mut samples)
        {
            contestant(n.clamp(2, MOST_UNTIMED));
            samples.push(contestant(n).as_secs_f64() / f64::from(n));
        }
    }
    samples.into_iter().map(median).collect()
}

/// Repetitions that take at least `sample`.
fn long_enough(contestant: &mut Repeat<'_>, sample: Duration) -> u32 {
    let mut n = 1;
    while contestant(n) < sample && n < u32::MAX / 2 {
        n *= 2;
    }
    n
}

/// The median; of an even number of samples, the upper one of the middle two. NaN of none.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn medians_of_a_made_up_clock() {
        // Takes 3 microseconds a repetition, and once in a while a hundred times that.
        let mut calls = 0;
        let steady: Repeat<'_> = Box::new(|n| Duration::from_micros(u64::from(n) * 7));
        let disturbed: Repeat<'_> = Box::new(move |n| {
            calls += 1;
            let factor = if calls % 9 == 0 { 100 } else { 1 };
            Duration::from_micros(3 * u64::from(n) * factor)
        });
        let found = medians(&mut [steady, disturbed], Effort::QUICK);
        assert!((found[0] - 7e-6).abs() < 1e-12, "{found:?}");
        assert!((found[1] - 3e-6).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn contestants_take_turns_with_samples_that_are_long_enough() {
        let log = RefCell::new(Vec::new());
        let contestant = |name: char, nanoseconds: u64| -> Repeat<'_> {
            let log = &log;
            Box::new(move |n| {
                log.borrow_mut().push((name, n));
                Duration::from_nanos(nanoseconds * u64::from(n))
            })
        };
        let effort = Effort {
            rounds: 3,
            sample: Duration::from_micros(200),
        };
        medians(&mut [contestant('a', 200), contestant('b', 9_000)], effort);
        let log = log.borrow();
        // 1024 * 200 ns and 32 * 9 microseconds are the first doublings of at least 200 microseconds.
        let round = [('a', 16), ('a', 1024), ('b', 16), ('b', 32)];
        let rounds = round.repeat(3);
        assert_eq!(&log[log.len() - rounds.len()..], rounds);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }
}
