//! Rows of numbers with what is asked of each: what a net without memory learns from.
//!
//! ```text
//! x_0 .. x_n -> one class of the first output's scores, or numbers of its values
//! ```

use crate::data::Data;
use crate::engine::Engine;
use crate::error::Result;
use crate::net::{IGNORED, Window};

/// Rows of one length, each a window of one step. Of outputs but the first nothing is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows<F> {
    width: usize,
    asked: usize,
    /// [rows, width]
    inputs: Vec<F>,
    /// [rows, asked]; of classes empty.
    numbers: Vec<F>,
    /// [rows]; of numbers [`IGNORED`].
    classes: Vec<u16>,
}

impl<F: Engine> Rows<F> {
    /// None yet, of `width` numbers in and `asked` numbers out, or 0 for a class.
    pub fn new(width: usize, asked: usize) -> Self {
        Self {
            width,
            asked,
            ..Self::default()
        }
    }

    /// Adds a row with the numbers that are asked of it.
    ///
    /// # Panics
    /// When there are not as many as there have to be.
    pub fn push(&mut self, inputs: &[F], numbers: &[F]) {
        let lengths = (inputs.len(), numbers.len());
        assert_eq!(lengths, (self.width, self.asked), "a row's length");
        self.inputs.extend_from_slice(inputs);
        self.numbers.extend_from_slice(numbers);
        self.classes.push(IGNORED);
    }

    /// Adds a row of zeros but for 1 at some `places`, as often as they are named, with its class.
    ///
    /// # Panics
    /// When a place is past the row's end, or numbers are asked for.
    pub fn push_hot(&mut self, places: impl IntoIterator<Item = usize>, class: u16) {
        assert_eq!(self.asked, 0, "a class is not what is asked for");
        let start = self.inputs.len();
        self.inputs.resize(start + self.width, F::zero());
        for place in places {
            self.inputs[start + place] += F::one();
        }
        self.classes.push(class);
    }

    /// The inputs of a row, to change.
    pub fn inputs_mut(&mut self, row: usize) -> &mut [F] {
        &mut self.inputs[row * self.width..][..self.width]
    }
}

impl<F: Engine> Data<F> for Rows<F> {
    fn len(&self) -> usize {
        self.classes.len()
    }

    fn steps(&self) -> usize {
        1
    }

    fn counted(&self, _example: usize) -> usize {
        1
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, F>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        window.ignore(row);
        let inputs = &self.inputs[example * self.width..][..self.width];
        window.features[row * self.width..][..self.width].copy_from_slice(inputs);
        let Some(first) = window.targets.first_mut() else {
            return Ok(());
        };
        if let Some(target) = first.tokens.get_mut(row) {
            *target = self.classes[example];
        }
        if let Some(counts) = first.counts.get_mut(row) {
            *counts = true;
            let numbers = &self.numbers[example * self.asked..][..self.asked];
            first.numbers[row * self.asked..][..self.asked].copy_from_slice(numbers);
        }
        Ok(())
    }
}
