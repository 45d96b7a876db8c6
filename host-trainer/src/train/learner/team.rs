//! The shards of a batch at their work.

use rayon::prelude::*;

use crate::data::Data;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::net::{Net, Packs, Shard};

/// Rows of a shard, at most: enough to keep a matrix kernel busy, few enough to share among cores.
const SHARD_ROWS: usize = 16;

/// Rows of each shard for a batch.
fn shard_rows(batch: usize) -> Vec<usize> {
    let count = batch
        .div_ceil(SHARD_ROWS)
        .max(if batch >= 8 { 2 } else { 1 });
    (0..count)
        .map(|i| batch / count + usize::from(i < batch % count))
        .collect()
}

/// A shard at its work.
#[derive(Clone, Debug)]
pub(super) struct Part<F: Engine> {
    pub(super) shard: Shard<F>,
    /// The batch's row that is the shard's first.
    pub(super) first_row: usize,
    pub(super) room: Vec<u16>,
    /// Sum of the losses of what it last did, in nats.
    pub(super) loss: f64,
}

impl<F: Engine> Part<F> {
    /// Fills its window with its rows of `examples`; rows past the last count for nothing.
    pub(super) fn fill(&mut self, data: &dyn Data<F>, examples: &[usize]) -> Result<()> {
        let rows = self.shard.rows();
        let mut window = self.shard.window();
        for row in 0..rows {
            match examples.get(self.first_row + row) {
                Some(&example) => data.fill(example, row, &mut window, &mut self.room)?,
                None => window.ignore(row),
            }
        }
        Ok(())
    }
}

/// How a window is gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<F> {
    /// Whether it begins at the start state, and not where the window before it ended.
    pub(crate) first: bool,
    /// Of the gradient; 0 without a way back.
    pub(crate) scale: F,
    /// Optimizer steps done, which masks are made of.
    pub(crate) step: u64,
}

/// The shards of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Team<F: Engine> {
    pub(super) parts: Vec<Part<F>>,
    pub(super) rows: usize,
    pub(super) steps: usize,
}

impl<F: Engine> Team<F> {
    /// Shards for windows of so many rows and steps.
    pub(crate) fn new(net: &Net, rows: usize, steps: usize) -> Self {
        let mut first_row = 0;
        let part = |rows| {
            let part = Part {
                shard: Shard::new(net, rows, steps),
                first_row,
                room: Vec::with_capacity(steps + 1),
                loss: 0.0,
            };
            first_row += rows;
            part
        };
        Self {
            parts: shard_rows(rows).into_iter().map(part).collect(),
            rows,
            steps,
        }
    }

    /// The shards.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard<F>> {
        self.parts.iter().map(|part| &part.shard)
    }

    /// The same, to change, each with the batch's row that is its first.
    pub(crate) fn shards_mut(&mut self) -> impl Iterator<Item = (&mut Shard<F>, usize)> {
        self.parts
            .iter_mut()
            .map(|part| (&mut part.shard, part.first_row))
    }

    /// One window of `examples`, and back if the scale is not 0; the sum of the losses in nats.
    pub(crate) fn run(
        &mut self,
        packs: &Packs<F>,
        (data, examples): (&dyn Data<F>, &[usize]),
        job: Job<F>,
    ) -> Result<f64> {
        self.parts.par_iter_mut().try_for_each(|part| {
            if job.first {
                part.shard.reset();
            }
            part.fill(data, examples)?;
            part.shard.choose_masks(job.step);
            part.loss = part.shard.forward(packs, job.scale);
            if job.scale != F::zero() {
                part.shard.backward(packs);
            }
            part.shard.carry();
            Ok::<(), Error>(())
        })?;
        // In their order.
        Ok(self.parts.iter().map(|part| part.loss).sum())
    }
}
