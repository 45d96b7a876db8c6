//! A net of sound that hears samples as they come.
//!
//! ```text
//! samples --front end, or one a step--> net --> scores of a step --[Decision]--> what is heard
//! ```
//! The steps are the engine's own ([`Session::push_samples`]), as a board makes them: however the
//! samples are divided, their scores are those of `gatelet run` over the whole recording.

mod decision;

use gatelet::front::FrontEnd;
use gatelet::net::{Input, Output};
use gatelet::{Isa, Kernel, Model, Session, WithKernel};

pub use self::decision::{Decision, Heard, Rule};
use crate::data::front::integers;
use crate::error::{Error, Result};

/// What a net of sound takes, and how often it gives scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ear {
    /// What makes its features of samples; none: a sample is a step.
    front: Option<FrontEnd>,
    /// Samples a second.
    pub rate: u32,
}

impl Ear {
    /// That of a model. `rate` is that of its samples, in Hz, for a net without a front end.
    ///
    /// # Errors
    /// Why it hears nothing, and what there is for such a net.
    pub fn of(model: &Model<'_>, rate: Option<u32>) -> std::result::Result<Self, String> {
        let net = model.net();
        let width = match net.input {
            Input::Tokens { .. } => {
                return Err(
                    "the net reads tokens, no sound: gatelet predict and gatelet generate are for \
                     such nets"
                        .to_owned(),
                );
            }
            Input::Features { width, .. } => width,
        };
        if !matches!(net.output(0), Some(Output::Scores(_))) {
            return Err(
                "the net gives values, and to listen is to tell classes apart: \
                        gatelet run writes what it gives"
                    .to_owned(),
            );
        }
        match (model.front_end(), rate) {
            (Some(front), _) => Ok(Self {
                front: Some(front),
                rate: front.rate,
            }),
            (None, _) if width != 1 => Err(format!(
                "the net has no front end and takes {width} numbers a step, and a sample is one: \
                 gatelet run is for such nets, and gatelet train --front-end trains one that hears"
            )),
            (None, Some(rate)) => Ok(Self { front: None, rate }),
            (None, None) => Err(
                "the net has no front end, and does not say how many samples a second it takes: \
                 --rate HZ"
                    .to_owned(),
            ),
        }
    }

    /// Samples of a step.
    pub fn hop(&self) -> u64 {
        self.front.map_or(1, |front| front.hop.into())
    }

    /// Seconds of so many steps.
    pub fn seconds(&self, steps: u64) -> f64 {
        (steps * self.hop()) as f64 / f64::from(self.rate)
    }
}

/// Gives `model` all samples of `input`, within 1, and calls `each` with the scores of every step.
/// Returns how many samples there were.
///
/// # Errors
/// Those of `input` and `each`, and [`Error::Inference`].
pub fn listen(
    model: Model<'_>,
    isa: Isa,
    input: &mut dyn Iterator<Item = Result<Vec<f32>>>,
    each: &mut dyn FnMut(&[f32]) -> Result<()>,
) -> Result<u64> {
    isa.run(Listening {
        model: &model,
        input,
        each,
    })
}

struct Listening<'a> {
    model: &'a Model<'a>,
    input: &'a mut dyn Iterator<Item = Result<Vec<f32>>>,
    each: &'a mut dyn FnMut(&[f32]) -> Result<()>,
}

impl WithKernel for Listening<'_> {
    type Output = Result<u64>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut memory = vec![0; self.model.session_words()];
        let session = Session::new(self.model, kernel, &mut memory);
        let mut session = session.map_err(Error::inference)?;
        let width = self.model.net().output_width(0).max(1);
        let (mut count, mut scores) = (0, Vec::new());
        for samples in self.input {
            let samples = samples?;
            count += samples.len() as u64;
            scores.clear();
            if self.model.front_end().is_some() {
                let steps = session.push_samples(&integers(&samples), |session| {
                    scores.extend(session.values(0));
                });
                steps.map_err(Error::inference)?;
            } else {
                for &sample in &samples {
                    session.step(&[sample][..]).map_err(Error::inference)?;
                    scores.extend(session.values(0));
                }
            }
            scores.chunks_exact(width).try_for_each(&mut *self.each)?;
        }
        Ok(count)
    }
}
