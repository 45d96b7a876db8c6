//! What a model answers to sequences, step by step, as a board does: of floats or of integers.

use gatelet::{Isa, Kernel, Model, Session, TokenId, WithKernel};
use gatelet_series::{Wanted, WantedBuffer};
use rayon::prelude::*;

use super::part::Part;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::image::storage;

/// Steps that are read at a time.
const READ: usize = 4096;

/// Told of every step of a sequence: its number, what went in, what the first output gives, and
/// what was asked.
pub type See<'s> = &'s mut dyn FnMut(usize, &[f32], &[f32], Answer<'_>);

/// What is asked of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer<'a> {
    /// Nothing.
    None,
    /// A class.
    Class(u16),
    /// Numbers; NaN where none is asked.
    Numbers(&'a [f32]),
}

struct Steps<'a, 's> {
    model: &'a Model<'a>,
    part: &'a Part,
    k: usize,
    see: See<'s>,
}

/// What is asked of step `t` of a piece that `ends` with its sequence or not.
fn asked(wanted: Wanted<'_>, t: usize, last: bool, outputs: usize) -> Answer<'_> {
    match wanted {
        Wanted::Class(class) if last => Answer::Class(class),
        Wanted::Value(values) if last => Answer::Numbers(values),
        Wanted::Class(_) | Wanted::Value(_) => Answer::None,
        Wanted::Labels(labels) => match labels.get(t) {
            Some(&label) if label != Wanted::UNLABELLED => Answer::Class(label),
            _ => Answer::None,
        },
        Wanted::Values(values) => values
            .get(t * outputs..(t + 1) * outputs)
            .map_or(Answer::None, Answer::Numbers),
    }
}

impl WithKernel for Steps<'_, '_> {
    type Output = Result<()>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Steps {
            model,
            part,
            k,
            see,
        } = self;
        let (set, steps) = (part.set(), part.set().steps(k));
        let (width, outputs) = (set.width(), set.outputs());
        let mut memory = storage(model.net());
        let session = Session::new(model, kernel, &mut memory);
        let mut session = session.map_err(|error| Error::Export(error.to_string()))?;
        let (mut inputs, mut wanted) = (Vec::new(), WantedBuffer::new());
        let mut given = Vec::with_capacity(outputs);
        for from in (0..steps).step_by(READ) {
            let there = READ.min(steps - from);
            inputs.resize(there * width, 0.0);
            set.read(k, from, &mut inputs, &mut wanted)?;
            part.check(k, from, &inputs)?;
            for (t, numbers) in inputs.chunks_exact(width).enumerate() {
                let step = from + t;
                let done = match part.tokens {
                    0 => session.step(numbers).map(drop),
                    _ => session.step(TokenId(numbers[0] as u16)).map(drop),
                };
                done.map_err(|error| Error::Step {
                    step,
                    what: error.to_string(),
                })?;
                given.clear();
                given.extend(session.values(0));
                let of = asked(wanted.wanted(), t, step + 1 == steps, outputs);
                see(step, numbers, &given, of);
            }
        }
        Ok(())
    }
}

/// Shows what a model answers to each step of sequence `k` of a part's set.
///
/// # Errors
/// What reading it says, or a step that the net does not take.
pub fn each_step(
    model: &Model<'_>,
    isa: Isa,
    (part, k): (&Part, usize),
    see: See<'_>,
) -> Result<()> {
    isa.run(Steps {
        model,
        part,
        k,
        see,
    })
}

/// Counts a model's answers to a part; `begin` has nothing counted, `means` are those of the
/// numbers asked for.
///
/// # Errors
/// As [`each_step`].
pub fn count(
    model: &Model<'_>,
    isa: Isa,
    part: &Part,
    (begin, means): (&Tally, &[f32]),
) -> Result<Tally> {
    let one = |&k: &usize| {
        let mut tally = begin.clone();
        each_step(
            model,
            isa,
            (part, k),
            &mut |_, _, given, asked| match asked {
                Answer::None => {}
                Answer::Class(class) => tally.class(given, class),
                Answer::Numbers(numbers) => tally.values(given, numbers, means),
            },
        )?;
        Ok(tally)
    };
    let all: Vec<Tally> = part.picked().par_iter().map(one).collect::<Result<_>>()?;
    let mut sum = begin.clone();
    // In their order.
    all.iter().for_each(|tally| sum.add(tally));
    Ok(sum)
}
