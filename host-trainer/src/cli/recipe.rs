//! The options of `gatelet train` that say how a net is trained.
//!
//! ```text
//! base    = the preset's options, or the defaults
//! base    = base with the optimizer that is given, whose constants come with it
//! base    = base with what follows the amount of text               [`crate::train::recipe`]
//! options = every option given, over base
//! ```

use std::fmt::Display;

use crate::analysis::footprint::{self, Contents};
use crate::error::{Error, Result};
use crate::train::config::Config;
use crate::train::optim::{Optimizer, Schedule};
use crate::train::preset::Preset;
use crate::train::recipe::Given;
use crate::units::grouped;

/// How a net is trained.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Recipe {
    /// Net and recipe in one word; options given beside it replace its own
    #[arg(long, help_heading = "Net")]
    preset: Option<Preset>,

    /// Rule of the update [default: adamw]
    #[arg(long, help_heading = RECIPE)]
    optimizer: Option<Optimizer>,
    /// Highest learning rate [default: by text and units; sgd 1, rmsprop 0.008]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    lr: Option<f64>,
    /// How the learning rate changes [default: cosine]
    #[arg(long, help_heading = RECIPE)]
    schedule: Option<Schedule>,
    /// Steps of linear warm-up [default: one in 50, 100 at most]
    #[arg(long, value_name = "STEPS", help_heading = RECIPE)]
    warmup: Option<u64>,
    /// Factor of the learning rate on a plateau [default: 0.5]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    plateau_factor: Option<f64>,
    /// Evaluations without a better one that make a plateau [default: 3]
    #[arg(long, value_name = "N", help_heading = RECIPE)]
    plateau_patience: Option<usize>,
    /// Part of the last step that is made again: sgd, rmsprop [default: sgd 0.9, rmsprop 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    momentum: Option<f64>,
    /// Decay of the mean of the gradient: adamw, adam [default: 0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    beta1: Option<f64>,
    /// Decay of the mean of its square: adamw, adam, rmsprop [default: 0.999; rmsprop 0.99]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    beta2: Option<f64>,
    /// Added to the root of that mean [default: 1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    epsilon: Option<f64>,
    /// Largest global norm of the gradient; inf turns clipping off [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = RECIPE)]
    clip: Option<f64>,

    /// Weight decay, decoupled for adamw, L2 for the others [default: 0.01; adam, sgd, rmsprop 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true, help_heading = REGULARIZATION)]
    weight_decay: Option<f64>,
    /// Whether biases decay too, as they do in PyTorch [default: true]
    #[arg(long, value_name = "BOOL", help_heading = REGULARIZATION)]
    decay_biases: Option<bool>,
    /// Part of a layer's outputs that the next layer, or the head, does not see [default: by text and net]
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = REGULARIZATION)]
    dropout: Option<f64>,
    /// Part of h that does not reach the next step, the same for a whole window [default: half of --dropout]
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = REGULARIZATION)]
    recurrent_dropout: Option<f64>,
    /// Part of the distribution asked for that is spread over all characters [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true, help_heading = REGULARIZATION)]
    label_smoothing: Option<f64>,
}

const RECIPE: &str = "Recipe";
const REGULARIZATION: &str = "Regularization";

/// Options of this file that a run keeps; the optimizer first, because others follow from it.
pub(super) const OPTIONS: &[&str] = &[
    "optimizer",
    "lr",
    "schedule",
    "warmup",
    "plateau-factor",
    "plateau-patience",
    "momentum",
    "beta1",
    "beta2",
    "epsilon",
    "clip",
    "weight-decay",
    "decay-biases",
    "dropout",
    "recurrent-dropout",
    "label-smoothing",
];

impl Recipe {
    /// The preset, if one is named, with its options.
    pub(super) fn preset(&self) -> Option<(Preset, Config)> {
        self.preset.map(|preset| (preset, preset.config()))
    }

    /// What the options of a new run are given over.
    pub(super) fn base(&self) -> Config {
        self.preset.map_or_else(Config::default, Preset::config)
    }

    /// The options given, over `base`.
    pub(super) fn config(&self, base: Config) -> Config {
        let base = match self.optimizer {
            Some(optimizer) if optimizer != base.optimizer => base.with_optimizer(optimizer),
            _ => base,
        };
        Config {
            lr: self.lr.unwrap_or(base.lr),
            schedule: self.schedule.unwrap_or(base.schedule),
            warmup: self.warmup.unwrap_or(base.warmup),
            plateau_factor: self.plateau_factor.unwrap_or(base.plateau_factor),
            plateau_patience: self.plateau_patience.unwrap_or(base.plateau_patience),
            momentum: self.momentum.unwrap_or(base.momentum),
            beta1: self.beta1.unwrap_or(base.beta1),
            beta2: self.beta2.unwrap_or(base.beta2),
            epsilon: self.epsilon.unwrap_or(base.epsilon),
            clip: self.clip.unwrap_or(base.clip),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            decay_biases: self.decay_biases.unwrap_or(base.decay_biases),
            dropout: self.dropout.unwrap_or(base.dropout),
            recurrent_dropout: self.recurrent_dropout.unwrap_or(base.recurrent_dropout),
            label_smoothing: self.label_smoothing.unwrap_or(base.label_smoothing),
            ..base
        }
    }

    /// What is given of the numbers that otherwise follow the text; `given` has those of the other options.
    pub(super) fn given(&self, given: Given) -> Given {
        Given {
            lr: self.lr,
            warmup: self.warmup,
            dropout: self.dropout,
            recurrent_dropout: self.recurrent_dropout,
            ..given
        }
    }

    /// Refuses options that do not act on `config`.
    ///
    /// # Errors
    /// [`Error::Option`].
    pub(super) fn check(&self, config: &Config) -> Result<()> {
        use Optimizer::{Adam, AdamW, RmsProp, Sgd};
        let of = |optimizers: &[Optimizer]| optimizers.contains(&config.optimizer);
        let plateau = config.schedule == Schedule::Plateau;
        let goes = |option, given: Option<f64>, good: bool, rule| match given {
            Some(found) if !good => Err(Error::Option {
                option,
                found: found.to_string(),
                rule,
            }),
            _ => Ok(()),
        };
        let adam = "it has to go with --optimizer adamw or adam";
        let momentum = "it has to go with --optimizer sgd or rmsprop";
        let square = "it has to go with --optimizer adamw, adam or rmsprop";
        let schedule = "it has to go with --schedule plateau";
        let patience = self.plateau_patience.map(|n| n as f64);
        goes("momentum", self.momentum, of(&[Sgd, RmsProp]), momentum)?;
        goes("beta1", self.beta1, of(&[AdamW, Adam]), adam)?;
        goes("beta2", self.beta2, of(&[AdamW, Adam, RmsProp]), square)?;
        goes("epsilon", self.epsilon, of(&[AdamW, Adam, RmsProp]), square)?;
        goes("plateau-factor", self.plateau_factor, plateau, schedule)?;
        goes("plateau-patience", patience, plateau, schedule)
    }
}

/// The options of this file that differ from what they are when they are not given, as they are typed.
pub(super) fn words(c: &Config) -> Vec<String> {
    let d = Config::default().with_optimizer(c.optimizer);
    let mut words = Vec::new();
    let mut option = |differs: bool, name: &str, value: &dyn Display| {
        if differs {
            words.push(format!("--{name} {value}"));
        }
    };
    option(
        c.optimizer != Config::default().optimizer,
        "optimizer",
        &c.optimizer,
    );
    option(true, "lr", &c.lr);
    option(c.schedule != d.schedule, "schedule", &c.schedule);
    option(true, "warmup", &c.warmup);
    option(
        c.plateau_factor != d.plateau_factor,
        "plateau-factor",
        &c.plateau_factor,
    );
    option(
        c.plateau_patience != d.plateau_patience,
        "plateau-patience",
        &c.plateau_patience,
    );
    option(c.momentum != d.momentum, "momentum", &c.momentum);
    option(c.beta1 != d.beta1, "beta1", &c.beta1);
    option(c.beta2 != d.beta2, "beta2", &c.beta2);
    option(c.epsilon != d.epsilon, "epsilon", &c.epsilon);
    option(c.clip != d.clip, "clip", &c.clip);
    option(
        c.weight_decay != d.weight_decay,
        "weight-decay",
        &c.weight_decay,
    );
    option(
        c.decay_biases != d.decay_biases,
        "decay-biases",
        &c.decay_biases,
    );
    option(true, "dropout", &c.dropout);
    option(true, "recurrent-dropout", &c.recurrent_dropout);
    option(
        c.label_smoothing != d.label_smoothing,
        "label-smoothing",
        &c.label_smoothing,
    );
    words
}

/// What of `c` follows the text, without what is `given`, as it is typed.
pub(super) fn followed(c: &Config, given: &Given) -> Vec<String> {
    let mut words = Vec::new();
    let mut option = |given: bool, name: &str, value: &dyn Display| {
        if !given {
            words.push(format!("--{name} {value}"));
        }
    };
    option(given.epochs.is_some(), "epochs", &c.epochs);
    let characters = c.characters.unwrap_or_default();
    let said = given.characters.is_some() || c.characters.is_none();
    option(said, "characters", &characters);
    option(given.batch.is_some(), "batch", &c.batch);
    option(given.window.is_some(), "window", &c.window);
    option(given.lr.is_some(), "lr", &c.lr);
    option(given.warmup.is_some(), "warmup", &c.warmup);
    option(given.dropout.is_some(), "dropout", &c.dropout);
    let recurrent = given.recurrent_dropout.is_some();
    option(recurrent, "recurrent-dropout", &c.recurrent_dropout);
    option(given.patience.is_some(), "patience", &c.patience);
    let every = given.eval_every.is_some() || c.eval_every == 0;
    option(every, "eval-every", &c.eval_every);
    words
}

/// What the presets come to, for the help.
pub(super) fn presets() -> String {
    const VOCAB: usize = 96;
    let mut text = format!(
        "Presets: what the int8 image needs in flash, RAM and multiply-accumulates a character (here for a\n\
         text of {VOCAB} different characters; each run says its own), and how much is trained on.\n"
    );
    for preset in Preset::ALL {
        let (config, name) = (preset.config(), preset.to_string());
        // About as long as a recorded command is.
        let command = "x".repeat(220);
        let contents = Contents::of_text(&[], "", &command);
        // A preset's shape is in range.
        let Ok(need) = footprint::int8(&config.shape(VOCAB).net(), contents) else {
            continue;
        };
        text += &format!(
            "  {name:<7} {} {} x {:<4} flash {:>3} KiB  RAM {:>5} bytes  {:>7} MACs  {:>3} M characters\n",
            config.cell,
            config.layers,
            config.hidden,
            need.flash_bytes.div_ceil(1024),
            grouped(need.ram_bytes),
            grouped(need.macs_per_step),
            preset.characters() / 1_000_000,
        );
    }
    text
}
