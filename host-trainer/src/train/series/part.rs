//! Some of the sequences of a set: what is learnt from, or held out.

use std::sync::Arc;

use gatelet_series::{Set, WantedBuffer};

use crate::error::Result;

/// Some of the sequences of a set.
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) set: Arc<Set>,
    pub(super) picked: Vec<usize>,
    /// Of each that is picked.
    pub(super) steps: Vec<usize>,
}

impl Part {
    pub(super) fn new(set: &Arc<Set>, picked: Vec<usize>) -> Self {
        Self {
            set: Arc::clone(set),
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

    /// Features of its first sequences as they are, [steps, width] each, so many steps in all.
    ///
    /// # Errors
    /// What reading them says.
    pub fn features(&self, most: usize) -> Result<Vec<Vec<f32>>> {
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
        Ok(all)
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
