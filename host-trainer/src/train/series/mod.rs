//! Sequences of numbers as what a run learns from.
//!
//! ```text
//! data     -> sequences, some of them held out whole             crate `gatelet-series`
//! features -> x' = (x - m) 2^-e                                   [`scaling`]
//! an epoch -> sequences of about one length side by side          [`epoch`]
//! answers  -> a loss in the units of training, a figure in those of the data     [`tally`]
//! ```
//! Every sequence begins at the start state; a long one is gone through in windows with carried
//! state, as a text is.

pub mod answers;
mod chunk;
mod dataset;
pub mod described;
mod epoch;
mod fit;
pub mod options;
pub mod part;
pub mod scaling;
pub mod tally;

use std::sync::{Arc, Mutex, PoisonError};

use gatelet::net::Net;
use gatelet_series::{Augment, Set, Split, class_weights, leaks, scale, split, split_in_time};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use self::described::Described;
pub use self::fit::Given;
pub use self::part::Part;

use self::chunk::Chunk;
use self::epoch::{Cut, Order};
use self::options::{SeriesOptions, Task};
use self::scaling::{Scaling, Units};
use self::tally::Tally;
use super::dataset::Dataset;
use crate::error::{Error, Result};
use crate::net::{Loss, Packs, Shard};
use crate::train::config::Config;
use crate::train::learner::Learner;

/// Sequences that are judged side by side.
const JUDGED: usize = 32;
/// Loss of a net that knows nothing about numbers of about deviation 1, with room for rare ones.
const UNKNOWING: f64 = 4.0;

/// Sequences to learn from, and others to be judged by.
#[derive(Debug)]
pub struct Series {
    name: String,
    sha256: [u8; 32],
    options: SeriesOptions,
    /// Learnt from.
    train: Part,
    /// Held out, to choose the best net by.
    valid: Part,
    /// Held out beside, where the data comes with such a part.
    test: Part,
    scaling: Scaling,
    /// Means of the numbers asked for.
    means: Vec<f32>,
    weights: Vec<f32>,
    augment: Option<Augment>,
    /// The net that is gone on from, and its names.
    given: Option<Given>,
    order: Mutex<Option<(Cut, usize, Arc<Order>)>>,
}

impl Series {
    /// The data of `set`, which has that name, and of `valid` where that is another, split by a seed. `given` is a net to
    /// go on from.
    ///
    /// # Errors
    /// What the data says, or a split that cannot be.
    pub fn new(
        name: String,
        set: Set,
        valid: Option<Set>,
        (options, config): (&SeriesOptions, &Config),
        given: Option<Given>,
    ) -> Result<Self> {
        options.validate()?;
        let (set, tokens) = (Arc::new(set), options.tokens);
        let seed = options.split_seed.unwrap_or(config.seed);
        let mut sha = Sha256::new();
        sha.update(set.sha256());
        let (train, valid, test) = match valid {
            Some(valid) => {
                fit::alike(&set, &valid)?;
                leaks(&set, &valid)?;
                sha.update(valid.sha256());
                let valid = Arc::new(valid);
                let all = |set: &Arc<Set>| Part::new(set, (0..set.len()).collect(), tokens);
                (all(&set), all(&valid), Part::new(&set, Vec::new(), tokens))
            }
            None => {
                let fraction = config.valid_fraction;
                // Of one recording its end is held out.
                let is_alone = (1..set.len()).all(|k| set.origin(k) == set.origin(0));
                let Split { train, valid, test } = match is_alone && !set.is_split() {
                    true => split_in_time(&set, fraction, 0.0)?,
                    false => split(&set, fraction, 0.0, seed)?,
                };
                let part = |picked| Part::new(&set, picked, tokens);
                (part(train), part(valid), part(test))
            }
        };
        for part in [&train, &valid, &test] {
            part.check_all()?;
        }
        let (inputs, outputs) = scale(train.set(), train.picked())?;
        let is_of_classes = options.task.is_of_classes();
        let units = Scaling {
            inputs: match tokens {
                0 => Units::of(&inputs.mean, &inputs.deviation),
                _ => Units::default(),
            },
            outputs: match is_of_classes {
                true => Units::default(),
                false => Units::of(&outputs.mean, &outputs.deviation),
            },
        };
        let for_integers = given.as_ref().is_some_and(|given| given.for_integers);
        let units = match for_integers {
            false => units,
            true => Scaling {
                inputs: units.inputs.without_means(),
                outputs: Units::raw(units.outputs.mean.len()),
            },
        };
        let weights = match options.class_weights {
            true => class_weights(train.set(), train.picked()),
            false => Vec::new(),
        };
        let moves = options.noise > 0.0 || options.gain > 0.0 || options.shift > 0;
        let mut series = Self {
            name,
            sha256: sha.finalize().into(),
            augment: moves.then_some(Augment {
                noise: options.noise,
                gain: options.gain,
                shift: options.shift,
                seed: config.seed,
            }),
            options: options.clone(),
            train,
            valid,
            test,
            scaling: units,
            means: match is_of_classes {
                true => Vec::new(),
                false => outputs.mean,
            },
            weights,
            given,
            order: Mutex::new(None),
        };
        let net = series.net(config)?;
        fit::check(&net, &series.train, &series.options)?;
        series.scaling = std::mem::take(&mut series.scaling).foldable(&net);
        Ok(series)
    }

    /// What is held out beside the part that the best net is chosen by; often nothing.
    pub fn test(&self) -> &Part {
        &self.test
    }

    /// What the best net is chosen by.
    pub fn valid(&self) -> &Part {
        &self.valid
    }

    /// What is learnt from.
    pub fn train(&self) -> &Part {
        &self.train
    }

    /// The options of the data.
    pub fn options(&self) -> &SeriesOptions {
        &self.options
    }

    /// The units of training.
    pub fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// Names of classes or numbers; of a forecast `name+2` is two steps later.
    fn answers(&self) -> Vec<String> {
        let (set, ahead) = (&self.train.set, self.options.ahead);
        let later = |step| {
            set.targets()
                .iter()
                .map(move |name| format!("{name}+{step}"))
        };
        match self.options.task {
            Task::Classify | Task::Label => set.classes().to_vec(),
            Task::Forecast => (1..=ahead).flat_map(later).collect(),
            Task::Regress => set.targets().to_vec(),
        }
    }

    /// Nothing counted yet.
    pub fn tally(&self) -> Tally {
        match self.options.task.is_of_classes() {
            true => Tally::of_classes(self.train.set.outputs()),
            false => Tally::of_values(self.train.set.outputs()),
        }
    }

    fn cut(config: &Config) -> Cut {
        Cut {
            batch: config.batch,
            window: config.window,
            seed: config.seed,
        }
    }

    /// The order of an epoch, which is kept until another is asked for.
    fn order(&self, config: &Config, epoch: usize) -> Arc<Order> {
        let cut = Self::cut(config);
        let mut kept = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, at, order)) if (*of, *at) == (cut, epoch) => Arc::clone(order),
            _ => {
                let order = Arc::new(Order::of(&self.train.steps, cut, epoch));
                *kept = Some((cut, epoch, Arc::clone(&order)));
                order
            }
        }
    }

    /// The loss of values.
    fn loss(&self, config: &Config) -> Loss {
        match self.options.task.is_of_classes() {
            true => Loss::CrossEntropy {
                smoothing: config.label_smoothing,
            },
            false => self.options.loss.loss(),
        }
    }

    /// A batch of a part, from its start to its end; what was counted is added to `tally`.
    fn judge_batch(
        &self,
        packs: &Packs<f32>,
        (net, loss): (&Net, Loss),
        (part, batch): (&Part, &epoch::Together),
        tally: &mut Tally,
    ) -> Result<(f64, usize)> {
        let mut shard = Shard::new(net, batch.rows.len(), batch.steps);
        shard.set_loss(0, loss)?;
        let (mut sum, mut count) = (0.0, 0);
        for window in 0..batch.windows {
            let chunk = Chunk::read(part, (batch, window), &self.scaling, None)?;
            let mut into = shard.window();
            (0..batch.rows.len()).for_each(|row| chunk.write(row, row, &mut into));
            count += chunk.counted();
            sum += shard.forward_seen(packs, 0.0, &mut |seen| {
                if seen.output == 0 {
                    chunk.see(seen, &self.scaling.outputs, &self.means, tally);
                }
            });
            shard.carry();
        }
        Ok((sum, count))
    }

    /// The loss of a net on a part, in the units of training, and what was counted.
    ///
    /// # Errors
    /// What reading the part says.
    pub fn judged_on(
        &self,
        part: &Part,
        learner: &mut Learner<f32>,
        config: &Config,
    ) -> Result<(f64, Tally)> {
        let net = *learner.params().net();
        let packs = learner.packs()?;
        let loss = self.loss(config);
        let cut = Cut {
            batch: JUDGED,
            ..Self::cut(config)
        };
        let order = Order::by_length(&part.steps, cut);
        let one = |batch| {
            let mut tally = self.tally();
            let sums = self.judge_batch(packs, (&net, loss), (part, batch), &mut tally)?;
            Ok::<_, Error>((sums, tally))
        };
        let all: Vec<_> = order.batches.par_iter().map(one).collect::<Result<_>>()?;
        let (mut sum, mut count, mut tally) = (0.0, 0, self.tally());
        // In their order.
        for ((batch_sum, batch_count), batch_tally) in &all {
            sum += batch_sum;
            count += batch_count;
            tally.add(batch_tally);
        }
        Ok((sum / count.max(1) as f64, tally))
    }
}
