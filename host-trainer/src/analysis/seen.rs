//! One sequence as a net goes through it: when its answer is there, and how good the answers are.

use gatelet::{Isa, Model};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::train::series::Part;
use crate::train::series::answers::{Answer, each_step};
use crate::train::series::options::Task;
use crate::train::series::tally::{Errors, Tally, largest};

/// Parts of a sequence at which its answer is looked at.
pub const PARTS: usize = 10;

/// What was seen of one sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Nats of the classes asked for.
    pub nats: f64,
    /// Classes that were asked for, and those that were right.
    pub answers: u64,
    /// See `answers`.
    pub right: u64,
    /// The class asked for last, and the likeliest at the last step.
    pub class: Option<u16>,
    /// See `class`.
    pub taken: u16,
    /// Part of the sequence after which `taken` did not change.
    pub decided: f64,
    /// The likeliest class after each tenth of the sequence.
    pub early: [u16; PARTS],
    /// Errors of each number.
    pub errors: Vec<Errors>,
    /// Squared errors, and their count, of saying that the last value stays.
    pub stays: Vec<(f64, u64)>,
}

/// Logarithms of the probabilities that scores are.
pub(super) fn log_parts(scores: &[f32]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let apart = |&x: &f32| f64::from(x) - f64::from(most);
    let sum: f64 = scores.iter().map(|x| apart(x).exp()).sum();
    scores.iter().map(|x| apart(x) - sum.ln()).collect()
}

/// Told of each step: what was given, its logarithms where a class was asked for, and what was.
pub(super) type Tell<'t> = &'t mut dyn FnMut(&[f32], &[f64], Answer<'_>);

/// Goes through sequence `k`; `columns` are those of a forecast, which are asked for one step
/// later first.
pub(super) fn look(
    model: &Model<'_>,
    isa: Isa,
    (part, k): (&Part, usize),
    columns: usize,
    tell: Tell<'_>,
) -> Result<Seen> {
    let steps = part.set().steps(k).max(1);
    let (mut seen, mut since, mut last) = (Seen::default(), 0, Vec::new());
    each_step(model, isa, (part, k), &mut |step, _, given, asked| {
        let best = largest(given) as u16;
        if best != seen.taken {
            (seen.taken, since) = (best, step);
        }
        // The first step at which so many tenths have been heard.
        for (tenth, early) in seen.early.iter_mut().enumerate() {
            let heard = (steps * (tenth + 1)).div_ceil(PARTS);
            if heard == step + 1 {
                *early = best;
            }
        }
        match asked {
            Answer::Class(class) => {
                let log = log_parts(given);
                seen.nats -= log.get(usize::from(class)).copied().unwrap_or(0.0);
                seen.answers += 1;
                seen.right += u64::from(class == best);
                seen.class = Some(class);
                tell(given, &log, asked);
            }
            Answer::Numbers(numbers) => {
                if columns > 0 {
                    seen.stays.resize(numbers.len(), (0.0, 0));
                    for (at, (sum, &y)) in seen.stays.iter_mut().zip(numbers).enumerate() {
                        let before: Option<&f32> = last.get(at % columns);
                        let error = before.map_or(f64::NAN, |&x| f64::from(y) - f64::from(x));
                        if error.is_finite() {
                            *sum = (sum.0 + error * error, sum.1 + 1);
                        }
                    }
                    last.clear();
                    last.extend_from_slice(&numbers[..columns.min(numbers.len())]);
                }
                tell(given, &[], asked);
            }
            Answer::None => last.clear(),
        }
    })?;
    seen.decided = (since + 1) as f64 / steps as f64;
    Ok(seen)
}

/// One sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// The step of the file's sequence at which it begins.
    pub start: usize,
    /// Steps.
    pub steps: usize,
    /// Nats an answer of classes; squared errors by the signal of the whole part of values.
    pub loss: f64,
    /// Part of its answers that is right, of classes.
    pub right: Option<f64>,
    /// Its class and what it was taken for, of a class a sequence.
    pub taken: Option<[u16; 2]>,
}

/// The part of a run's data that is looked at, and what is asked there.
pub(super) struct Asked<'a> {
    pub part: &'a Part,
    pub empty: &'a Tally,
    pub means: &'a [f32],
    pub answers: &'a [String],
    pub task: Task,
}

/// The model of an image.
pub(super) fn model(image: &Image) -> Result<Model<'_>> {
    image
        .model()
        .map_err(|error| Error::Export(error.to_string()))
}
