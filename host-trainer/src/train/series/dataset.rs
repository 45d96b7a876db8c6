//! Sequences as a data set: nets for them, windows of an epoch, and how they are judged.

use gatelet::net::Net;
use gatelet_series::class_counts;

use super::chunk::Chunk;
use super::epoch::most_windows;
use super::fit;
use super::{Described, Series, UNKNOWING};
use crate::error::{Error, Result};
use crate::net::{Interface, NamedInput, NamedOutput, Params};
use crate::train::checkpoint::Meta;
use crate::train::config::Config;
use crate::train::dataset::{Dataset, Judged, Use};
use crate::train::learner::Learner;
use crate::train::terms::Terms;

impl Dataset for Series {
    fn name(&self) -> &str {
        &self.name
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    fn train_len(&self) -> usize {
        self.train.steps.iter().sum()
    }

    fn net(&self, config: &Config) -> Result<Net> {
        if let Some(given) = &self.given {
            return Ok(given.net);
        }
        fit::net(&self.train, &self.options, config)
    }

    fn check(&self, _config: &Config) -> Result<()> {
        let parts = [("to learn from", &self.train), ("held out", &self.valid)];
        for (what, part) in parts {
            if part.picked.is_empty() {
                return Err(Error::Some(format!(
                    "{}: there is no sequence {what}: {} in all; see --valid-fraction and --valid",
                    self.name,
                    self.train.set.len()
                )));
            }
        }
        Ok(())
    }

    fn describe(&self, meta: &mut Meta) {
        let named = NamedOutput {
            name: match self.options.task.is_of_classes() {
                true => "scores".to_owned(),
                false => "values".to_owned(),
            },
            softmax: false,
        };
        meta.interface = match &self.given {
            Some(given) => given.interface.clone(),
            None => Interface {
                inputs: vec![NamedInput {
                    name: match self.options.tokens {
                        0 => "features".to_owned(),
                        _ => "tokens".to_owned(),
                    },
                    width: self.train.set.width(),
                }],
                outputs: vec![named],
                front_end: self.options.front_end,
            },
        };
        meta.series = Some(Described {
            task: self.options.task,
            features: self.train.set.features().to_vec(),
            answers: self.answers(),
            rate: self.train.set.rate(),
            means: self.means.clone(),
            scaling: (!self.scaling.is_raw()).then(|| self.scaling.clone()),
        });
    }

    fn set_up(&self, learner: &mut Learner<f32>, config: &Config) -> Result<()> {
        learner.weigh_classes(self.weights.clone());
        learner.set_loss(0, self.loss(config))
    }

    fn for_training(&self, params: &mut Params<f32>) {
        self.scaling.unfold(params);
    }

    fn windows(&self, config: &Config, epoch: usize) -> usize {
        self.order(config, epoch).windows()
    }

    fn most_windows(&self, config: &Config) -> usize {
        most_windows(&self.train.steps, Self::cut(config))
    }

    fn steps(&self, config: &Config, (epoch, window): (usize, usize)) -> usize {
        let order = self.order(config, epoch);
        let found = order.window(window);
        found.map_or(config.window, |(batch, _)| batch.steps)
    }

    fn window(
        &self,
        config: &Config,
        (epoch, window): (usize, usize),
        use_it: Use<'_>,
    ) -> Result<()> {
        let order = self.order(config, epoch);
        let Some(at) = order.window(window) else {
            return Ok(());
        };
        let augment = self.augment.as_ref().map(|augment| (augment, epoch as u64));
        let chunk = Chunk::read(&self.train, at, &self.scaling, augment)?;
        use_it(&chunk, at.0.rows.len(), at.1 == 0)
    }

    fn judge(&self, learner: &mut Learner<f32>, config: &Config) -> Result<Judged> {
        let (loss, tally) = self.judged_on(&self.valid, learner, config)?;
        Ok(Judged {
            loss,
            figure: Some(tally.figure()),
        })
    }

    fn terms(&self) -> Terms {
        self.options.task.terms()
    }

    fn unknowing(&self) -> f64 {
        match self.options.task.is_of_classes() {
            true => (self.train.set.outputs() as f64)
                .ln()
                .max(f64::MIN_POSITIVE),
            false => UNKNOWING,
        }
    }

    /// Of classes, the loss of how often each occurs.
    fn baseline(&self) -> Result<Option<f64>> {
        if !self.options.task.is_of_classes() {
            return Ok(None);
        }
        let counts = class_counts(self.train.set(), self.train.picked());
        let all: u64 = counts.iter().sum();
        let parts = counts.iter().filter(|&&count| count > 0);
        let parts = parts.map(|&count| count as f64 / all as f64);
        Ok(Some(parts.map(|p| -p * p.ln()).sum()))
    }
}
