//! What a net gives: scores of how good it is, and outputs.

use super::team::Part;
use super::{Data, Learner};
use crate::engine::Engine;
use crate::error::Result;
use crate::net::{Seen, Shard};

/// Examples that are looked at a time: all rows of a large test need not be in memory.
const LOOKED_AT: usize = 128;

/// What looks at outputs: the first example of a window, what the net gives, targets of the steps
/// and rows of the window.
type Look<'a, F> = &'a mut dyn FnMut(usize, Seen<'_, F>, &[u16], usize);

/// How good a net is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean loss of what counts, in nats.
    pub nats: f64,
    /// Part of the targets that are the likeliest token of their step; ties count as wrong.
    pub accuracy: f64,
}

impl<F: Engine> Learner<F> {
    /// Runs all examples, [`LOOKED_AT`] at a time.
    fn look(&mut self, data: &dyn Data<F>, see: Look<'_, F>) -> Result<f64> {
        self.packs()?;
        let (net, steps) = (*self.params.net(), data.steps());
        let mut shard = Shard::new(&net, LOOKED_AT.min(data.len()).max(1), steps);
        for (output, &loss) in self.losses.iter().enumerate() {
            shard.set_loss(output, loss)?;
        }
        shard.break_lines(self.line_break);
        let rows = shard.rows();
        let mut part = Part {
            shard,
            first_row: 0,
            room: Vec::new(),
            loss: 0.0,
        };
        let all: Vec<usize> = (0..data.len()).collect();
        let mut loss = 0.0;
        for (chunk, examples) in all.chunks(rows).enumerate() {
            part.shard.reset();
            part.fill(data, examples)?;
            let targets: Vec<Vec<u16>> = {
                let window = part.shard.window();
                window.targets.iter().map(|of| of.tokens.clone()).collect()
            };
            loss += part
                .shard
                .forward_seen(&self.packs, F::zero(), &mut |seen| {
                    see(chunk * rows, seen, &targets[seen.output], rows);
                });
        }
        Ok(loss)
    }

    /// Scores the net on all examples; the accuracy is that of its first output, if it gives
    /// scores.
    ///
    /// # Errors
    /// What reading the examples says.
    pub fn score(&mut self, data: &dyn Data<F>) -> Result<Score> {
        let width = self.params.net().output_width(0);
        let (mut right, mut asked) = (0, 0);
        let loss = self.look(data, &mut |_, seen, targets, _| {
            if seen.output > 0 {
                return;
            }
            let rows = seen.numbers.chunks_exact(width);
            for (scores, &target) in rows.zip(targets.iter().skip(seen.first)) {
                if let Some(&own) = scores.get(usize::from(target)) {
                    let others = scores.iter().enumerate();
                    let mut others = others.filter(|&(k, _)| k != usize::from(target));
                    right += usize::from(others.all(|(_, &other)| other < own));
                    asked += 1;
                }
            }
        })?;
        let count: usize = (0..data.len()).map(|example| data.counted(example)).sum();
        Ok(Score {
            nats: loss / count.max(1) as f64,
            accuracy: f64::from(right as u32) / f64::from(asked.max(1) as u32),
        })
    }

    /// What output `output` gives at the last step of every example: [examples, numbers]; scores,
    /// or values.
    ///
    /// # Errors
    /// What reading the examples says.
    pub fn outputs(&mut self, data: &dyn Data<F>, output: usize) -> Result<Vec<F>> {
        let width = self.params.net().output_width(output);
        let steps = data.steps();
        let mut all = vec![F::zero(); data.len() * width];
        self.look(data, &mut |first, seen, _, rows| {
            if seen.output != output {
                return;
            }
            for (index, numbers) in seen.numbers.chunks_exact(width).enumerate() {
                let (t, row) = ((seen.first + index) / rows, (seen.first + index) % rows);
                let to = all.chunks_exact_mut(width).nth(first + row);
                if let Some(to) = to.filter(|_| t + 1 == steps) {
                    to.copy_from_slice(numbers);
                }
            }
        })?;
        Ok(all)
    }
}

/// The part of the rows of `outputs` ([rows, columns]) whose largest number is that of the row's
/// answer.
pub fn top1<F: Engine>(outputs: &[F], columns: usize, answers: impl Iterator<Item = u16>) -> f64 {
    let (mut right, mut rows) = (0, 0);
    for (row, answer) in outputs.chunks_exact(columns).zip(answers) {
        let answer = usize::from(answer);
        let beaten = |k: usize| k == answer || row[k] < row[answer];
        right += usize::from((0..columns).all(beaten));
        rows += 1;
    }
    right as f64 / rows.max(1) as f64
}

/// The part of all outputs that are on the right side of one half: above it for the row's answer,
/// and not for the others.
pub fn binary_accuracy<F: Engine>(
    outputs: &[F],
    columns: usize,
    answers: impl Iterator<Item = u16>,
) -> f64 {
    let half = F::from_f64(0.5);
    let (mut right, mut count) = (0, 0);
    for (row, answer) in outputs.chunks_exact(columns).zip(answers) {
        let good = |&(k, &y): &(usize, &F)| (y > half) == (k == usize::from(answer));
        right += row.iter().enumerate().filter(good).count();
        count += columns;
    }
    right as f64 / count.max(1) as f64
}
