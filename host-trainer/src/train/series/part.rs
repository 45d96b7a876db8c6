//! Some of the sequences of a set: what is learnt from, or held out.

use std::sync::Arc;

use gatelet_series::{Set, WantedBuffer};

use crate::error::{Error, Result};
use crate::quantize::Sequence;

/// Steps that are read at a time.
const READ: usize = 4096;

/// Some of the sequences of a set.
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) set: Arc<Set>,
    /// The tokens that there are, where a step is one; or 0.
    pub(super) tokens: usize,
    pub(super) picked: Vec<usize>,
    /// Of each that is picked.
    pub(super) steps: Vec<usize>,
}

impl Part {
    pub(super) fn new(set: &Arc<Set>, picked: Vec<usize>, tokens: usize) -> Self {
        Self {
            set: Arc::clone(set),
            tokens,
            steps: picked.iter().map(|&k| set.steps(k)).collect(),
            picked,
        }
    }

    /// The set.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// Which of its sequences these are.
    pub fn picked(&self) -> &[usize] {
        &self.picked
    }

    /// What goes in of its first sequences as it is, so many steps in all.
    ///
    /// # Errors
    /// What reading them says.
    pub fn inputs(&self, most: usize) -> Result<Inputs> {
        let (mut all, mut left, mut wanted) = (Vec::new(), most, WantedBuffer::new());
        for (&k, &steps) in self.picked.iter().zip(&self.steps) {
            let mut inputs = vec![0.0; steps.min(left) * self.set.width()];
            if inputs.is_empty() {
                break;
            }
            self.set.read(k, 0, &mut inputs, &mut wanted)?;
            left -= steps.min(left);
            all.push(inputs);
        }
        if self.tokens == 0 {
            return Ok(Inputs::Features(all));
        }
        let tokens = |numbers: &Vec<f32>| numbers.iter().map(|&x| x as u16).collect();
        Ok(Inputs::Tokens(all.iter().map(tokens).collect()))
    }

    /// Checks steps of sequence `k` from step `from` on: where they are tokens, each is a whole
    /// number below their count.
    pub(super) fn check(&self, k: usize, from: usize, inputs: &[f32]) -> Result<()> {
        let tokens = self.tokens;
        let good = |x: f32| x.fract() == 0.0 && (0.0..tokens as f32).contains(&x);
        let wrong = inputs.iter().position(|&x| tokens > 0 && !good(x));
        wrong.map_or(Ok(()), |at| {
            Err(Error::Some(format!(
                "{}, step {}: {} is no token: with --tokens {tokens} it has to be a whole number \
                 from 0 to {}",
                self.set.name(k),
                self.set.start(k) + from + at,
                inputs[at],
                tokens - 1
            )))
        })
    }

    /// The same of all steps of all its sequences.
    pub(super) fn check_all(&self) -> Result<()> {
        if self.tokens == 0 {
            return Ok(());
        }
        let features = self.set.features();
        if features.len() != 1 {
            return Err(Error::Some(format!(
                "--tokens: one column is a token, and {} go in ({}): name it with --features",
                features.len(),
                features.join(", ")
            )));
        }
        let (mut inputs, mut wanted) = (Vec::new(), WantedBuffer::new());
        for (&k, &steps) in self.picked.iter().zip(&self.steps) {
            for from in (0..steps).step_by(READ) {
                inputs.resize(READ.min(steps - from), 0.0);
                self.set.read(k, from, &mut inputs, &mut wanted)?;
                self.check(k, from, &inputs)?;
            }
        }
        Ok(())
    }

    /// Steps of the shortest and of the longest.
    pub fn steps_of_all(&self) -> (usize, usize) {
        let least = self.steps.iter().copied().min().unwrap_or(0);
        (least, self.longest())
    }

    /// Steps of the longest.
    pub fn longest(&self) -> usize {
        self.steps.iter().copied().max().unwrap_or(0)
    }
}

/// What goes into a net, a sequence each.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// `[steps, width]`
    Features(Vec<Vec<f32>>),
    /// `[steps]`
    Tokens(Vec<Vec<u16>>),
}

impl Inputs {
    /// The sequences, as integers are chosen on them.
    pub fn sequences(&self) -> Vec<Sequence<'_>> {
        match self {
            Self::Features(all) => all.iter().map(|of| Sequence::Features(of)).collect(),
            Self::Tokens(all) => all.iter().map(|of| Sequence::Tokens(of)).collect(),
        }
    }
}
