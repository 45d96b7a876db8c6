//! The one training loop: windows of data go through shards, their gradients into an update.
//!
//! ```text
//! a step     shards of the batch's rows: fill, forward, backward;  gradient = their sum, in their order
//!            mean over the steps that count;  clip, optimizer;  weights packed anew
//! an epoch   the examples in an order that a seed decides, in batches
//! ```
//! A batch is cut into shards by its size alone: the result does not depend on the number of
//! threads. What is learnt from is behind [`Data`]: a long text whose state is carried from window
//! to window ([`train`](crate::train)), sequences that have nothing to do with each other
//! ([`sequences`](crate::data::sequences)), rows of numbers ([`rows`](crate::data::rows)).
//!
//! ```
//! use gatelet::net::{Activation, Kind, Net, Precision};
//! use gatelet_trainer::train::learner::Learner;
//! use gatelet_trainer::net::Params;
//! use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};
//! use gatelet_trainer::data::rows::Rows;
//!
//! // Either or: what a net of one layer cannot learn.
//! let dense = |units| Kind::Dense { units, activation: Activation::Sigmoid };
//! let net = Net::features(Precision::F32, 2).then(dense(8)).then(dense(1)).values();
//! let mut rows = Rows::new(2, 1);
//! for bits in 0..4_u8 {
//!     let [a, b] = [bits & 1, bits >> 1].map(f32::from);
//!     rows.push(&[a, b], &[f32::from(a != b)]);
//! }
//! let adam = OptimizerConfig::of(Optimizer::Adam);
//! let mut learner = Learner::new(Params::<f32>::glorot(net, 1), adam);
//! for epoch in 0..1000 {
//!     learner.epoch(&rows, 4, 0.05, epoch)?;
//! }
//! let outputs = learner.outputs(&rows, 0)?;
//! assert!(outputs[0] < 0.1 && outputs[1] > 0.9);
//! # Ok::<(), gatelet_trainer::error::Error>(())
//! ```

mod look;
mod team;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use rayon::prelude::*;

use crate::data::Data;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::net::device::learned::Learned;
use crate::net::dropout::Dropout;
use crate::net::{Loss, Packs, Params};
use crate::quantize::Scheme;
use crate::train::optim::{OptimizerConfig, Updater};

pub use self::look::{Score, binary_accuracy, top1};
pub(crate) use self::team::{Job, Team};

/// What one step of training saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Mean loss of what counts, in nats, before the update.
    pub nats: f64,
    /// Global norm of the gradient, before it was clipped.
    pub norm: f64,
}

/// Lengths of windows whose shards are kept: sequences differ in length.
const TEAMS: usize = 8;

/// A net in training.
#[derive(Clone, Debug)]
pub struct Learner<F: Engine> {
    params: Params<F>,
    /// The parameters as products read them; packed when they have changed.
    packs: Packs<F>,
    packed: bool,
    /// Ranges of rows, of a net that is trained for integers.
    pub(crate) learned: Option<Learned>,
    updater: Updater<F>,
    /// Shards of the batches before, by their steps, the last used at the end; none at first.
    teams: Vec<Team<F>>,
    /// Those that a data set evaluates with, if it keeps them.
    pub(crate) evaluation: Option<Team<F>>,
    /// What the shards are told.
    losses: Vec<Loss>,
    /// Of the classes of the first output; or none.
    weights: Vec<F>,
    dropout: [Option<Dropout>; 2],
    line_break: Option<u16>,
    gradient: Vec<F>,
}

impl<F: Engine> Learner<F> {
    /// Goes on from these parameters. Outputs have their [usual](Loss::usual) losses.
    pub fn new(params: Params<F>, updates: OptimizerConfig) -> Self {
        let packs = Packs::new(params.net());
        Self::with_packs(params, packs, updates)
    }

    /// Goes on from the parameters of a float net, for the integers of a scheme
    /// ([`quantize::qat`](crate::net::device::qat)).
    ///
    /// # Errors
    /// [`Error::Some`] for a scheme of another net, or sums that are not exact.
    pub fn qat(params: Params<F>, scheme: Scheme, updates: OptimizerConfig) -> Result<Self> {
        let packs = Packs::qat(params.net(), scheme)?;
        let mut learner = Self::with_packs(params, packs, updates);
        learner.learned = learner.ranges();
        Ok(learner)
    }

    /// Ranges of the rows with 4 bits, of a net that is trained for integers.
    pub fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }

    /// The same with the packs of a net that may be trained for integers.
    pub(crate) fn with_packs(params: Params<F>, packs: Packs<F>, updates: OptimizerConfig) -> Self {
        let net = params.net();
        Self {
            packs,
            packed: false,
            learned: None,
            updater: Updater::new(updates, net),
            teams: Vec::new(),
            evaluation: None,
            losses: net.outputs().map(|of| Loss::usual(net, of)).collect(),
            weights: Vec::new(),
            dropout: [None; 2],
            line_break: None,
            gradient: vec![F::zero(); params.data.len()],
            params,
        }
    }

    /// From now on output `output` has this loss.
    ///
    /// # Errors
    /// As [`Loss::check`].
    pub fn set_loss(&mut self, output: usize, loss: Loss) -> Result<()> {
        let net = *self.params.net();
        if let (Some(own), Some(of)) = (self.losses.get_mut(output), net.output(output)) {
            loss.check(&net, of)?;
            *own = loss;
        }
        self.teams.clear();
        Ok(())
    }

    /// From now on the gradients of the classes of the first output count so much each.
    pub fn weigh_classes(&mut self, weights: Vec<F>) {
        self.weights = weights;
        self.teams.clear();
    }

    /// From now on drops outputs and what is read from h.
    pub(crate) fn drop_out(&mut self, output: Option<Dropout>, recurrent: Option<Dropout>) {
        self.dropout = [output, recurrent];
        self.teams.clear();
    }

    /// From now on the state is zero before every step of this token.
    pub(crate) fn break_lines(&mut self, line_break: Option<u16>) {
        self.line_break = line_break;
        self.teams.clear();
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &Params<F> {
        &self.params
    }

    /// The same, to change.
    pub fn params_mut(&mut self) -> &mut Params<F> {
        self.packed = false;
        &mut self.params
    }

    /// The optimizer.
    pub fn updater(&self) -> &Updater<F> {
        &self.updater
    }

    /// The same, to change.
    pub fn updater_mut(&mut self) -> &mut Updater<F> {
        &mut self.updater
    }

    /// How the device computes, of a net that is trained for one.
    pub(crate) fn ranges(&self) -> Option<Learned> {
        let qat = self.packs.qat.as_deref();
        qat.map(|qat| qat.ranges(&self.params))
    }

    /// The weights, brought up to date.
    pub(crate) fn packs(&mut self) -> Result<&Packs<F>> {
        if !self.packed {
            self.packs.update(&self.params, self.learned.as_ref())?;
            self.packed = true;
        }
        Ok(&self.packs)
    }

    /// Shards for so many rows and steps at least.
    pub(crate) fn prepare(&mut self, rows: usize, steps: usize) -> Result<&mut Team<F>> {
        let rows = self.teams.last().map_or(rows, |team| rows.max(team.rows));
        let fits = |team: &Team<F>| team.steps == steps && team.rows == rows;
        if let Some(found) = self.teams.iter().position(fits) {
            self.teams[found..].rotate_left(1);
        } else {
            let mut team = Team::new(self.params.net(), rows, steps);
            for (shard, first_row) in team.shards_mut() {
                let [output, recurrent] = self.dropout;
                shard.drop_out(output, recurrent, first_row);
                shard.break_lines(self.line_break);
                for (output, &loss) in self.losses.iter().enumerate() {
                    shard.set_loss(output, loss)?;
                }
                shard.weigh_classes(0, &self.weights);
            }
            self.teams.retain(|other| other.rows == rows);
            if self.teams.len() == TEAMS {
                self.teams.remove(0);
            }
            self.teams.push(team);
        }
        let none = || Error::Some("no shards".to_owned());
        self.teams.last_mut().ok_or_else(none)
    }

    /// The shards that were used last.
    pub(crate) fn team(&self) -> Option<&Team<F>> {
        self.teams.last()
    }

    /// The gradient of the mean loss of a window of `examples`; the sum of the losses and the
    /// gradient's norm. `first` says that it begins at the start state.
    pub(crate) fn gradient(
        &mut self,
        data: &dyn Data<F>,
        examples: &[usize],
        first: bool,
    ) -> Result<(f64, f64)> {
        let count: usize = examples.iter().map(|&example| data.counted(example)).sum();
        let job = Job {
            first,
            scale: F::one() / F::from_f64(count.max(1) as f64),
            step: self.updater.steps(),
        };
        self.packs()?;
        self.prepare(examples.len(), data.steps())?;
        let Some(team) = self.teams.last_mut() else {
            return Ok((0.0, 0.0));
        };
        let sum = team.run(&self.packs, (data, examples), job)?;
        Ok((sum, self.sum_gradients()))
    }

    /// Adds the shards' gradients in their order; returns the global norm.
    fn sum_gradients(&mut self) -> f64 {
        const TILE: usize = 8192;
        let parts = self.teams.last().map_or(&[][..], |team| &team.parts);
        self.gradient
            .par_chunks_mut(TILE)
            .enumerate()
            .for_each(|(tile, sums)| {
                let range = tile * TILE..tile * TILE + sums.len();
                let mut addends = parts
                    .iter()
                    .map(|part| &part.shard.gradient.data[range.clone()]);
                match (addends.next(), addends.next()) {
                    (Some(first), Some(second)) => {
                        let pairs = first.iter().zip(second);
                        sums.iter_mut()
                            .zip(pairs)
                            .for_each(|(s, (&a, &b))| *s = a + b);
                    }
                    (first, _) => sums.copy_from_slice(first.unwrap_or_default()),
                }
                for addend in addends {
                    sums.iter_mut().zip(addend).for_each(|(sum, &x)| *sum += x);
                }
            });
        self.updater.norm(&self.gradient)
    }

    /// One step down the gradient that was computed last, whose norm is `norm`.
    pub(crate) fn update(&mut self, norm: f64, rate: f64) {
        if let (Some(qat), Some(learned)) = (&mut self.packs.qat, &mut self.learned) {
            let steps = self.updater.steps() + 1;
            qat.learn(learned, &self.gradient, steps, rate);
        }
        let (weights, gradient) = (&mut self.params.data, &self.gradient);
        self.updater.update(weights, gradient, norm, rate);
        self.packed = false;
    }

    /// Counts a step without one.
    pub(crate) fn skip(&mut self) {
        self.updater.skip();
    }

    /// Trains on all examples as one batch, each from the start state.
    ///
    /// # Errors
    /// As [`Learner::step_on`].
    pub fn step(&mut self, data: &dyn Data<F>, rate: f64) -> Result<Step> {
        let all: Vec<usize> = (0..data.len()).collect();
        self.step_on(data, &all, rate)
    }

    /// Trains on some of the examples, each from the start state.
    ///
    /// # Errors
    /// [`Error::Diverged`] when loss or gradient is not finite; the parameters are then as before. Or
    /// what reading the examples says.
    pub fn step_on(&mut self, data: &dyn Data<F>, examples: &[usize], rate: f64) -> Result<Step> {
        let count: usize = examples.iter().map(|&example| data.counted(example)).sum();
        let (sum, norm) = self.gradient(data, examples, true)?;
        let nats = sum / count.max(1) as f64;
        if !(nats.is_finite() && norm.is_finite()) {
            return Err(Error::Diverged {
                loss: if nats.is_finite() { norm } else { nats },
                step: self.updater.steps(),
                epoch: 1,
                kept: "try a lower learning rate, or a lower clip".to_owned(),
            });
        }
        self.update(norm, rate);
        Ok(Step { nats, norm })
    }

    /// Trains on all of them once, in batches. Returns the mean loss in nats, each batch's before
    /// its update.
    ///
    /// # Errors
    /// As [`Learner::step_on`].
    pub fn epoch(&mut self, data: &dyn Data<F>, batch: usize, rate: f64, seed: u64) -> Result<f64> {
        let mut order: Vec<usize> = (0..data.len()).collect();
        order.shuffle(&mut Pcg64::seed_from_u64(seed));
        let (mut sum, mut count) = (0.0, 0);
        for examples in order.chunks(batch) {
            let counted: usize = examples.iter().map(|&example| data.counted(example)).sum();
            sum += self.step_on(data, examples, rate)?.nats * counted as f64;
            count += counted;
        }
        Ok(sum / count.max(1) as f64)
    }
}

#[cfg(test)]
mod tests;
