//! The options of a training run, and their ranges.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::optim::{AdamConfig, Schedule};
use crate::params::{Cell, Shape};

/// Everything that decides the result of a training run besides the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Kind of cell.
    pub cell: Cell,
    /// Hidden units a layer.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// Passes over the training part.
    pub epochs: usize,
    /// Seed of the start and of the window offsets.
    pub seed: u64,
    /// Streams that are trained side by side.
    pub batch: usize,
    /// Steps that gradients travel back.
    pub window: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Largest global norm of the gradient.
    #[serde(deserialize_with = "infinite_if_null")]
    pub clip: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Last fraction of the text, held out.
    pub valid_fraction: f64,
    /// Evaluations without a better one after which training stops; 0 never stops early.
    pub patience: usize,
    /// Optimizer steps between evaluations; 0 means once an epoch.
    pub eval_every: u64,
    /// Time limit in minutes; the schedule ends with it.
    pub minutes: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            hidden: 128,
            layers: 1,
            epochs: 20,
            seed: 1,
            batch: 32,
            window: 64,
            lr: 4e-3,
            schedule: Schedule::Cosine,
            warmup: 100,
            clip: 1.0,
            weight_decay: 0.01,
            valid_fraction: 0.1,
            patience: 10,
            eval_every: 0,
            minutes: None,
        }
    }
}

impl Config {
    /// The net's shape for a vocabulary of `vocab` characters.
    pub fn shape(&self, vocab: usize) -> Shape {
        Shape {
            cell: self.cell,
            layers: self.layers,
            hidden: self.hidden,
            vocab,
        }
    }

    /// The optimizer's constants.
    pub fn adam(&self) -> AdamConfig {
        AdamConfig {
            weight_decay: self.weight_decay,
            clip: self.clip,
            ..AdamConfig::default()
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Option`] for the first option outside its range.
    pub fn validate(&self) -> Result<()> {
        let check = |good: bool, option, found: &dyn ToString, rule| {
            if good {
                Ok(())
            } else {
                Err(Error::Option {
                    option,
                    found: found.to_string(),
                    rule,
                })
            }
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        check(
            (1..=1024).contains(&self.hidden),
            "hidden",
            &self.hidden,
            "it has to be from 1 to 1024",
        )?;
        check(
            (1..=4).contains(&self.layers),
            "layers",
            &self.layers,
            "it has to be from 1 to 4",
        )?;
        check(
            (1..=1_000_000).contains(&self.epochs),
            "epochs",
            &self.epochs,
            "it has to be from 1 to 1000000",
        )?;
        check(
            (1..=4096).contains(&self.batch),
            "batch",
            &self.batch,
            "it has to be from 1 to 4096",
        )?;
        check(
            (1..=4096).contains(&self.window),
            "window",
            &self.window,
            "it has to be from 1 to 4096",
        )?;
        check(
            positive(self.lr) && self.lr <= 10.0,
            "lr",
            &self.lr,
            "it has to be a number above 0, at most 10",
        )?;
        check(
            self.clip > 0.0,
            "clip",
            &self.clip,
            "it has to be a number above 0 (inf turns clipping off)",
        )?;
        let decay = (0.0..1.0).contains(&self.weight_decay);
        check(
            decay,
            "weight-decay",
            &self.weight_decay,
            "it has to be at least 0 and below 1",
        )?;
        let fraction = self.valid_fraction > 0.0 && self.valid_fraction < 1.0;
        check(
            fraction,
            "valid-fraction",
            &self.valid_fraction,
            "it has to be above 0 and below 1",
        )?;
        let minutes = self.minutes.unwrap_or(1.0);
        check(
            positive(minutes),
            "minutes",
            &minutes,
            "it has to be a number above 0",
        )
    }
}

/// JSON has no infinity: it is written as null.
fn infinite_if_null<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_infinite_comes_back() {
        let config = Config {
            clip: f64::INFINITY,
            ..Config::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn each_option_is_checked() {
        let good = Config::default();
        good.validate().unwrap();
        let bad: [fn(&mut Config); 13] = [
            |c| c.hidden = 0,
            |c| c.hidden = 1025,
            |c| c.layers = 0,
            |c| c.layers = 5,
            |c| c.epochs = 0,
            |c| c.batch = 0,
            |c| c.window = 0,
            |c| c.lr = f64::NAN,
            |c| c.lr = -1.0,
            |c| c.clip = f64::NAN,
            |c| c.weight_decay = -0.1,
            |c| c.valid_fraction = 1.0,
            |c| c.minutes = Some(0.0),
        ];
        for (index, change) in bad.iter().enumerate() {
            let mut config = good.clone();
            change(&mut config);
            assert!(config.validate().is_err(), "change {index}");
        }
    }
}
