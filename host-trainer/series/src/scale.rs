//! What is learnt of the training part alone: mean and deviation of numbers, weights of classes.

use std::collections::HashSet;

use crate::error::Result;
use crate::set::Set;
use crate::wanted::{Wanted, WantedBuffer};

/// Mean and deviation of each number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// `[numbers]`
    pub mean: Vec<f32>,
    /// `[numbers]`; 1 of one that never changes.
    pub deviation: Vec<f32>,
}

/// Numbers seen so far (Welford, "Note on a Method for Calculating Corrected Sums of Squares and
/// Products", 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f32) {
        if x.is_nan() {
            return;
        }
        let x = f64::from(x);
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
    }

    fn deviation(&self) -> f32 {
        let deviation = (self.squares / self.count.max(1) as f64).sqrt() as f32;
        if deviation > 0.0 { deviation } else { 1.0 }
    }
}

fn scaled(moments: &[Moments]) -> Scale {
    Scale {
        mean: moments.iter().map(|of| of.mean as f32).collect(),
        deviation: moments.iter().map(Moments::deviation).collect(),
    }
}

fn add(moments: &mut [Moments], numbers: &[f32]) {
    if moments.is_empty() {
        return;
    }
    for row in numbers.chunks_exact(moments.len()) {
        for (of, &x) in moments.iter_mut().zip(row) {
            of.add(x);
        }
    }
}

/// Steps that are read at once.
const CHUNK: usize = 1 << 12;

/// The scale of the inputs, and that of the numbers asked (of nothing where classes are), over some
/// sequences. A step that several windows have counts once.
///
/// # Errors
/// As [`Set::read`].
pub fn scale(set: &Set, of: &[usize]) -> Result<(Scale, Scale)> {
    let width = set.width();
    let asked = if set.classes().is_empty() {
        set.outputs()
    } else {
        0
    };
    let mut inputs = vec![Moments::default(); width];
    let mut outputs = vec![Moments::default(); asked];
    let mut of = of.to_vec();
    of.sort_unstable();
    of.dedup();
    let (mut room, mut numbers) = (WantedBuffer::new(), Vec::new());
    // The step up to which the last window's sequence is done.
    let mut done = (usize::MAX, 0);
    for k in of {
        let (origin, start) = (set.origin(k), set.start(k));
        let new = done.0 != origin;
        let mut from = if new { 0 } else { done.1.max(start) - start };
        let steps = set.steps(k);
        while from < steps {
            let count = (steps - from).min((CHUNK / width).max(1));
            numbers.resize(count * width, 0.0);
            set.read(k, from, &mut numbers, &mut room)?;
            add(&mut inputs, &numbers);
            if let Wanted::Values(values) = room.wanted() {
                add(&mut outputs, values);
            }
            from += count;
        }
        match room.wanted() {
            Wanted::Value(values) if new => add(&mut outputs, values),
            _ => {}
        }
        done = (origin, start + steps);
    }
    Ok((scaled(&inputs), scaled(&outputs)))
}

/// How often each class is in some sequences, or in their labelled steps.
pub fn class_counts(set: &Set, of: &[usize]) -> Vec<u64> {
    let mut counts = vec![0_u64; set.classes().len()];
    // Labels were counted of whole sequences, which a split keeps together.
    let mut origins = HashSet::new();
    for &k in of {
        if let Some(class) = set.class(k) {
            counts[usize::from(class)] += 1;
        }
        origins.insert(set.origin(k));
    }
    for origin in origins {
        for &(label, count) in &set.sequences[origin].labels {
            counts[usize::from(set.place(label))] += count;
        }
    }
    counts
}

/// A weight of each class, the inverse of how often it is in some sequences; their mean over these
/// sequences (or their labelled steps) is 1. A class that is not in them has 1.
pub fn class_weights(set: &Set, of: &[usize]) -> Vec<f32> {
    let counts = class_counts(set, of);
    let all: u64 = counts.iter().sum();
    let there = counts.iter().filter(|count| **count > 0).count();
    let weight = |&count: &u64| match count {
        0 => 1.0,
        count => (all as f64 / (there as f64 * count as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}
