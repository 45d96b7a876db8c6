//! Training on sequences that have nothing to do with each other, as in a course: each starts at the zero state.
//!
//! ```text
//! batch:     rows of one length, x_0 .. x_{T-1} -> y_0 .. y_{T-1}; a target that is IGNORED does not count
//! step:      shards of 16 rows: reset, forward, backward;  gradient = their sum, in their order
//!            mean over the targets that count; clip; optimizer
//! score:     loss, and how often the likeliest token is the target
//! ```
//! [`train`](crate::train) reads one long text and carries the state from window to window; here nothing is carried.
//! The result does not depend on the number of threads: rows are cut into shards by their number alone.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::net::{IGNORED, Packs, Params, Shard};
use crate::optim::{OptimizerConfig, Updater};

/// Rows of a shard: enough to keep a matrix kernel busy, few enough to share among cores.
const ROWS: usize = 16;
/// Shards that are scored at a time: all rows of a large test need not be in memory.
const SCORED: usize = 8;

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

    /// Adds a row: after `inputs` the last token of `tokens` is to be predicted, and nothing before it.
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

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.inputs.len() / self.steps.max(1)
    }

    /// Targets that count.
    pub fn counted(&self) -> usize {
        self.targets.iter().filter(|&&t| t != IGNORED).count()
    }

    /// Input and target of a step; a row past the last is empty.
    fn at(&self, row: usize, t: usize) -> (u16, u16) {
        let at = row * self.steps + t;
        match (self.inputs.get(at), self.targets.get(at)) {
            (Some(&input), Some(&target)) => (input, target),
            _ => (0, IGNORED),
        }
    }
}

/// What one step of training saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Mean loss of the targets in nats, before the update.
    pub nats: f64,
    /// Global norm of the gradient, before it was clipped.
    pub norm: f64,
}

/// How good a net is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean loss in nats.
    pub nats: f64,
    /// Part of the targets that are the likeliest token; ties count as wrong.
    pub accuracy: f64,
}

/// A net in training.
#[derive(Clone, Debug)]
pub struct Learner {
    params: Params<f32>,
    packs: Packs<f32>,
    updater: Updater<f32>,
    shards: Vec<Shard<f32>>,
    /// Steps that the shards are made for.
    steps: usize,
    gradient: Vec<f32>,
    done: u64,
}

impl Learner {
    /// Goes on from these parameters.
    pub fn new(params: Params<f32>, updates: OptimizerConfig) -> Self {
        Self {
            packs: Packs::of(&params),
            updater: Updater::new(updates, params.net()),
            shards: Vec::new(),
            steps: 0,
            gradient: vec![0.0; params.data.len()],
            done: 0,
            params,
        }
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &Params<f32> {
        &self.params
    }

    /// At least `count` shards for rows of `steps` steps.
    fn prepare(&mut self, steps: usize, count: usize) {
        if self.steps != steps {
            (self.steps, self.shards) = (steps, Vec::new());
        }
        while self.shards.len() < count {
            let shard = Shard::new(self.params.net(), ROWS, steps);
            self.shards.push(shard);
        }
    }

    /// Trains on a batch, which has to have tokens of the vocabulary and a target that counts.
    ///
    /// # Errors
    /// [`Error::Diverged`] when loss or gradient is not finite; the parameters are then as before.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) -> Result<Step> {
        let (shards, count) = (batch.rows().div_ceil(ROWS), batch.counted().max(1));
        self.prepare(batch.steps, shards);
        let (packs, scale) = (&self.packs, 1.0 / count as f32);
        let losses: Vec<f64> = self.shards[..shards]
            .par_iter_mut()
            .enumerate()
            .map(|(index, shard)| {
                shard.reset();
                shard.load(|row, t| batch.at(index * ROWS + row, t));
                let loss = shard.forward(packs, scale);
                shard.backward(packs);
                loss
            })
            .collect();
        self.gradient.fill(0.0);
        for shard in &self.shards[..shards] {
            let pairs = self.gradient.iter_mut().zip(&shard.gradient.data);
            pairs.for_each(|(sum, x)| *sum += x);
        }
        let nats = losses.iter().sum::<f64>() / count as f64;
        let norm = self.updater.norm(&self.gradient);
        if !(nats.is_finite() && norm.is_finite()) {
            return Err(Error::Diverged {
                loss: if nats.is_finite() { norm } else { nats },
                step: self.done,
                epoch: 1,
                kept: "try a lower learning rate, or a lower clip".to_owned(),
            });
        }
        let (weights, gradient) = (&mut self.params.data, &self.gradient);
        self.updater.update(weights, gradient, norm, learning_rate);
        self.packs.pack(&self.params);
        self.done += 1;
        Ok(Step { nats, norm })
    }

    /// Scores the net on a batch.
    pub fn score(&mut self, batch: &Batch) -> Score {
        let vocab = self.params.net().vocab();
        self.prepare(batch.steps, batch.rows().div_ceil(ROWS).min(SCORED));
        let packs = &self.packs;
        let (mut nats, mut right) = (0.0, 0);
        for first in (0..batch.rows()).step_by(ROWS * SCORED) {
            let sums: Vec<(f64, usize)> = self
                .shards
                .par_iter_mut()
                .enumerate()
                .map(|(index, shard)| {
                    let from = first + index * ROWS;
                    shard.reset();
                    shard.load(|row, t| batch.at(from + row, t));
                    let mut hits = 0;
                    let loss = shard.forward_seen(packs, 0.0, &mut |seen| {
                        let rows = seen.numbers.chunks_exact(vocab).zip(seen.first..);
                        let right = rows.filter(|(scores, at)| {
                            let (_, target) = batch.at(from + at % ROWS, at / ROWS);
                            is_likeliest(scores, target)
                        });
                        hits += right.count();
                    });
                    (loss, hits)
                })
                .collect();
            nats += sums.iter().map(|sum| sum.0).sum::<f64>();
            right += sums.iter().map(|sum| sum.1).sum::<usize>();
        }
        let count = batch.counted().max(1) as f64;
        Score {
            nats: nats / count,
            accuracy: right as f64 / count,
        }
    }
}

/// Whether `target` has the highest of the scores.
fn is_likeliest(scores: &[f32], target: u16) -> bool {
    let Some(&own) = scores.get(usize::from(target)) else {
        return false;
    };
    let others = scores
        .iter()
        .enumerate()
        .filter(|&(v, _)| v != usize::from(target));
    others.into_iter().all(|(_, &p)| p < own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::net::Role;
    use crate::optim::Optimizer;
    use crate::shape::Cell;
    use crate::unroll::Unrolled;

    fn params(cell: Cell) -> Params<f32> {
        let config = Config {
            cell,
            hidden: 9,
            ..Config::default()
        };
        Params::init(config.shape(6).net(), 3)
    }

    /// Rows whose target is the token at a place of the row that its first token names.
    fn rows(count: usize, steps: usize) -> Batch {
        let mut batch = Batch::new(steps);
        for row in 0..count {
            let mut tokens: Vec<u16> = (0..steps).map(|t| ((row * 5 + t * t) % 4) as u16).collect();
            tokens.push(4 + tokens[0] % 2);
            batch.push_last(&tokens);
        }
        batch
    }

    #[test]
    fn loss_and_accuracy_are_those_of_one_row_at_a_time() {
        for cell in Cell::ALL {
            let params = params(cell);
            // 150 rows: more than are scored at a time, and no multiple of a shard.
            let (batch, steps) = (rows(150, 5), 5);
            let (mut nats, mut right) = (0.0, 0);
            for row in 0..150 {
                let net = Unrolled::new(params.cast(), &batch.inputs[row * steps..][..steps]);
                let p = net.probabilities(steps - 1);
                let target = usize::from(batch.targets[row * steps + steps - 1]);
                nats -= p[target].ln() / 150.0;
                right += usize::from(p.iter().all(|&other| other <= p[target]));
            }
            let mut learner = Learner::new(params, OptimizerConfig::of(Optimizer::Adam));
            let score = learner.score(&batch);
            assert!((score.nats - nats).abs() < 1e-5, "{cell}: {score:?} {nats}");
            assert_eq!(score.accuracy, right as f64 / 150.0, "{cell}");
            // The loss of a step is that of the net before it.
            let step = learner.step(&batch, 0.0).expect("it is finite");
            assert!((step.nats - nats).abs() < 1e-5);
        }
    }

    #[test]
    fn rows_are_learnt_whatever_the_number_of_threads() {
        let train = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| {
                let mut updates = OptimizerConfig::of(Optimizer::Adam);
                updates.clip = 1.0;
                let mut learner = Learner::new(params(Cell::Lstm), updates);
                let before = learner.score(&rows(40, 7));
                for step in 0..150 {
                    // Another length now and then: nothing may be left of the one before.
                    let steps = if step % 3 == 0 { 4 } else { 7 };
                    learner.step(&rows(40, steps), 0.01).expect("it is finite");
                }
                (
                    before,
                    learner.score(&rows(40, 7)),
                    learner.params().clone(),
                )
            })
        };
        let (before, after, params) = train(1);
        assert!(before.accuracy < 0.6, "{before:?}");
        assert_eq!(after.accuracy, 1.0, "{after:?}");
        assert_eq!(params, train(3).2);
    }

    #[test]
    fn targets_that_do_not_count_teach_nothing() {
        let mut learner = Learner::new(params(Cell::Rnn), OptimizerConfig::of(Optimizer::Sgd));
        let mut batch = Batch::new(3);
        batch.push(&[1, 2, 3], &[IGNORED; 3]);
        let step = learner.step(&batch, 0.1).expect("it is finite");
        assert_eq!(
            step,
            Step {
                nats: 0.0,
                norm: 0.0
            }
        );
        assert_eq!(learner.params(), &params(Cell::Rnn));
    }

    #[test]
    fn a_net_that_is_not_finite_stays_and_says_so() {
        let mut broken = params(Cell::Rnn);
        *broken
            .tensor_mut(1, Role::Bias)
            .last_mut()
            .expect("it has one") = f32::NAN;
        let mut learner = Learner::new(broken, OptimizerConfig::of(Optimizer::Adam));
        let mut batch = Batch::new(2);
        batch.push(&[0, 1], &[1, 2]);
        assert!(matches!(
            learner.step(&batch, 0.1),
            Err(Error::Diverged { .. })
        ));
        assert!(learner.params().data[1].is_finite());
    }

    #[test]
    #[should_panic(expected = "a row's length")]
    fn rows_have_one_length() {
        Batch::new(3).push_last(&[1, 2, 3]);
    }
}
