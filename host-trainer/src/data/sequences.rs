//! Sequences that have nothing to do with each other, as in a course: each starts at the zero
//! state.
//!
//! ```text
//! rows of one length    x_0 .. x_{T-1} -> y_0 .. y_{T-1}; a target that is IGNORED does not count
//! ```

use crate::data::Data;
use crate::engine::Engine;
use crate::error::Result;
use crate::net::{IGNORED, Window};

/// Sequences of one length with what is to be predicted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Steps of a row.
    steps: usize,
    /// [rows, steps]
    inputs: Vec<u16>,
    /// [rows, steps]: a token, or [`IGNORED`].
    targets: Vec<u16>,
}

impl Batch {
    /// No rows yet, of `steps` steps each.
    pub fn new(steps: usize) -> Self {
        Self {
            steps: steps.max(1),
            ..Self::default()
        }
    }

    /// Adds a row: after `inputs` the last token of `tokens` is to be predicted, and nothing before
    /// it.
    ///
    /// # Panics
    /// When `tokens` are not one more than the steps.
    pub fn push_last(&mut self, tokens: &[u16]) {
        let (&target, inputs) = tokens.split_last().expect("a row has a target");
        let mut targets = vec![IGNORED; inputs.len()];
        if let Some(last) = targets.last_mut() {
            *last = target;
        }
        self.push(inputs, &targets);
    }

    /// Adds a row with a target, or [`IGNORED`], for every step.
    ///
    /// # Panics
    /// When either is not of the batch's length.
    pub fn push(&mut self, inputs: &[u16], targets: &[u16]) {
        let lengths = (inputs.len(), targets.len());
        assert_eq!(lengths, (self.steps, self.steps), "a row's length");
        self.inputs.extend_from_slice(inputs);
        self.targets.extend_from_slice(targets);
    }

    /// Adds a row that has an answer after its last step.
    ///
    /// # Panics
    /// When it is not of the batch's length.
    pub fn push_answer(&mut self, tokens: &[u16], answer: u16) {
        self.push_last(&[tokens, &[answer]].concat());
    }

    /// The inputs of a row.
    pub fn inputs(&self, row: usize) -> &[u16] {
        &self.inputs[row * self.steps..][..self.steps]
    }

    /// What is to be predicted after a row's last step.
    pub fn answer(&self, row: usize) -> u16 {
        self.targets[(row + 1) * self.steps - 1]
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.inputs.len() / self.steps.max(1)
    }

    /// Targets that count.
    pub fn counted(&self) -> usize {
        self.targets.iter().filter(|&&t| t != IGNORED).count()
    }
}

impl<F: Engine> Data<F> for Batch {
    fn len(&self) -> usize {
        self.rows()
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn counted(&self, example: usize) -> usize {
        let targets = &self.targets[example * self.steps..][..self.steps];
        targets.iter().filter(|&&target| target != IGNORED).count()
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, F>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        window.ignore(row);
        let own = example * self.steps..(example + 1) * self.steps;
        let steps = self.inputs[own.clone()].iter().zip(&self.targets[own]);
        for (t, (&input, &target)) in steps.enumerate() {
            let at = t * window.rows + row;
            window.tokens[at] = input;
            if let Some(targets) = window.targets.first_mut() {
                targets.tokens[at] = target;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a row's length")]
    fn rows_have_one_length() {
        Batch::new(3).push_last(&[1, 2, 3]);
    }

    #[test]
    fn a_row_has_its_answer_at_its_end() {
        let mut batch = Batch::new(3);
        batch.push_answer(&[4, 5, 6], 2);
        batch.push(&[1, 2, 3], &[2, IGNORED, 1]);
        assert_eq!((batch.inputs(0), batch.answer(0)), (&[4, 5, 6][..], 2));
        assert_eq!((batch.answer(1), batch.rows(), batch.counted()), (1, 2, 3));
        assert_eq!(Data::<f32>::counted(&batch, 1), 2);
    }
}
