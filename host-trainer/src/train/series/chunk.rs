//! Some steps of the sequences of a batch, read and in the units of training.

use gatelet_series::{Augment, Wanted, WantedBuffer};
use rayon::prelude::*;

use super::epoch::Together;
use super::part::Part;
use super::scaling::{Scaling, Units};
use super::tally::Tally;
use crate::data::Data;
use crate::error::Result;
use crate::net::{IGNORED, Seen, Window};

/// What is asked of the steps of a row, in the units of the data.
#[derive(Debug)]
enum Asked {
    /// A class for each, or [`IGNORED`].
    Classes(Vec<u16>),
    /// Numbers for each, and which of the steps count.
    Numbers(Vec<f32>, Vec<bool>),
}

/// A row of a window.
#[derive(Debug)]
struct Row {
    /// [steps that there are, width], in the units of training; tokens are as they are.
    inputs: Vec<f32>,
    asked: Asked,
    counted: usize,
}

/// Whether all of some numbers are asked for.
fn counts(numbers: &[f32]) -> bool {
    !numbers.iter().any(|x| x.is_nan())
}

impl Part {
    /// `there` steps of sequence `k` from step `from` on, of the `steps` that it has, begun `shift`
    /// steps later.
    fn row(
        &self,
        k: usize,
        (from, there, steps): (usize, usize, usize),
        (shift, scaling): (i64, &Scaling),
    ) -> Result<Row> {
        let mut inputs = vec![0.0; there * self.set.width()];
        let mut wanted = WantedBuffer::new();
        if there > 0 {
            self.set
                .read_shifted(k, from, shift, &mut inputs, &mut wanted)?;
        }
        self.check(k, from, &inputs)?;
        scaling.inputs.scale(&mut inputs);
        let ends = there > 0 && from + there == steps;
        let outputs = self.set.outputs();
        let asked = match wanted.wanted() {
            _ if there == 0 => Asked::Classes(Vec::new()),
            Wanted::Class(class) => {
                let mut classes = vec![IGNORED; there];
                if let Some(last) = classes.last_mut().filter(|_| ends) {
                    *last = class;
                }
                Asked::Classes(classes)
            }
            // A step without a label has the number of one that does not count.
            Wanted::Labels(labels) => Asked::Classes(labels.to_vec()),
            Wanted::Values(values) => {
                let each = values.chunks_exact(outputs).map(counts);
                Asked::Numbers(values.to_vec(), each.collect())
            }
            Wanted::Value(values) => {
                let mut all = vec![f32::NAN; there * outputs];
                if let Some(last) = all.rchunks_exact_mut(outputs).next().filter(|_| ends) {
                    last.copy_from_slice(values);
                }
                let each = all.chunks_exact(outputs).map(counts).collect();
                Asked::Numbers(all, each)
            }
        };
        let counted = match &asked {
            Asked::Classes(classes) => classes.iter().filter(|&&class| class != IGNORED).count(),
            Asked::Numbers(_, counts) => counts.iter().filter(|&&counts| counts).count(),
        };
        Ok(Row {
            inputs,
            asked,
            counted,
        })
    }
}

/// A label that does not count is one and the same for both.
const _: () = assert!(Wanted::UNLABELLED == IGNORED);

/// A window of a batch.
#[derive(Debug)]
pub(super) struct Chunk<'p> {
    part: &'p Part,
    scaling: &'p Scaling,
    steps: usize,
    rows: Vec<Row>,
}

impl<'p> Chunk<'p> {
    /// Window `window` of a batch of a part; features are moved by `augment` in its epoch.
    pub(super) fn read(
        part: &'p Part,
        (batch, window): (&Together, usize),
        scaling: &'p Scaling,
        augment: Option<(&Augment, u64)>,
    ) -> Result<Self> {
        let from = window * batch.steps;
        let one = |&row: &usize| {
            let (k, steps) = (part.picked[row], part.steps[row]);
            let there = batch.steps.min(steps.saturating_sub(from));
            let shift = augment.map_or(0, |(augment, epoch)| augment.shift(epoch, k));
            let mut row = part.row(k, (from, there, steps), (shift, scaling))?;
            if let Some((augment, epoch)) = augment {
                augment.apply(epoch, k, from, &mut row.inputs, part.set.width());
            }
            Ok(row)
        };
        Ok(Self {
            rows: batch.rows.par_iter().map(one).collect::<Result<_>>()?,
            part,
            scaling,
            steps: batch.steps,
        })
    }

    /// Answers that count.
    pub(super) fn counted(&self) -> usize {
        self.rows.iter().map(|row| row.counted).sum()
    }

    /// Writes a row of the batch as row `row` of a window.
    pub(super) fn write(&self, example: usize, row: usize, window: &mut Window<'_, f32>) {
        window.ignore(row);
        let Row { inputs, asked, .. } = &self.rows[example];
        let width = self.part.set.width();
        for t in 0..self.steps {
            let at = t * window.rows + row;
            // After the end there is nothing, or the first token: nothing is asked of it either.
            let there = inputs.get(t * width..(t + 1) * width);
            if self.part.tokens > 0 {
                window.tokens[at] = there.map_or(0, |token| token[0] as u16);
                continue;
            }
            let to = &mut window.features[at * width..][..width];
            match there {
                Some(from) => to.copy_from_slice(from),
                None => to.fill(0.0),
            }
        }
        let Some(targets) = window.targets.first_mut() else {
            return;
        };
        match asked {
            Asked::Classes(classes) => {
                for (t, &class) in classes.iter().enumerate() {
                    targets.tokens[t * window.rows + row] = class;
                }
            }
            Asked::Numbers(numbers, counts) => {
                let outputs = self.part.set.outputs();
                for (t, &counts) in counts.iter().enumerate().filter(|(_, counts)| **counts) {
                    let at = t * window.rows + row;
                    let to = &mut targets.numbers[at * outputs..][..outputs];
                    to.copy_from_slice(&numbers[t * outputs..][..outputs]);
                    self.scaling.outputs.scale(to);
                    targets.counts[at] = counts;
                }
            }
        }
    }

    /// Counts what a net gave, where it was asked.
    pub(super) fn see(&self, seen: Seen<'_, f32>, units: &Units, means: &[f32], tally: &mut Tally) {
        let (outputs, rows) = (self.part.set.outputs(), self.rows.len());
        let mut found = vec![0.0; outputs];
        for (index, numbers) in seen.numbers.chunks_exact(outputs).enumerate() {
            let (t, row) = ((seen.first + index) / rows, (seen.first + index) % rows);
            match &self.rows[row].asked {
                Asked::Classes(classes) => {
                    if let Some(&class) = classes.get(t).filter(|&&class| class != IGNORED) {
                        tally.class(numbers, class);
                    }
                }
                Asked::Numbers(asked, counts) if counts.get(t) == Some(&true) => {
                    found.copy_from_slice(numbers);
                    units.unscale(&mut found);
                    tally.values(&found, &asked[t * outputs..][..outputs], means);
                }
                Asked::Numbers(..) => {}
            }
        }
    }
}

impl Data<f32> for Chunk<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn counted(&self, example: usize) -> usize {
        self.rows[example].counted
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        self.write(example, row, window);
        Ok(())
    }
}
