//! Presets: net and recipe in one word.
//!
//! ```text
//! preset  ->  Config          options given on the command line replace single values
//! text    ->  epochs = characters / length of the training part, 1..=300
//!             evaluations: one an epoch, or twenty where there are fewer epochs
//! ```
//! What a net learns is decided by how many characters it is trained on and not by how often a text is read, so a
//! preset names characters: a long text is read less often. A short one is not read for ever; early stopping ends the
//! run when it has been learnt by heart. What it comes to is an ordinary set of options, and those are recorded.

use crate::config::Config;
use crate::optim::Schedule;
use crate::params::Cell;

/// Net and recipe in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// For the smallest boards, and to try a text out: an LSTM of 64 units.
    Tiny,
    /// The default model's size, for a Cortex-M4: an LSTM of 128 units.
    Small,
    /// What fills half of a megabyte of flash: an LSTM of 256 units.
    Medium,
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Medium => "medium",
        })
    }
}

/// Passes over a short text, at most.
const MOST_EPOCHS: usize = 300;
/// Evaluations of a run, at least.
const EVALUATIONS: u64 = 20;

/// What presets differ in. Rates by held-out nats on `corpora/novels.txt`: docs/training.md.
struct Recipe {
    hidden: usize,
    layers: usize,
    lr: f64,
    /// Characters to train on, in millions.
    millions: usize,
    weight_decay: f64,
    dropout: f64,
    recurrent_dropout: f64,
}

impl Preset {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Tiny, Self::Small, Self::Medium];

    fn recipe(self) -> Recipe {
        match self {
            Self::Tiny => Recipe {
                hidden: 64,
                layers: 1,
                lr: 3e-2,
                millions: 60,
                weight_decay: 0.01,
                dropout: 0.0,
                recurrent_dropout: 0.0,
            },
            Self::Small => Recipe {
                hidden: 128,
                layers: 1,
                lr: 6e-3,
                millions: 100,
                weight_decay: 0.01,
                dropout: 0.1,
                recurrent_dropout: 0.05,
            },
            Self::Medium => Recipe {
                hidden: 256,
                layers: 1,
                lr: 1e-2,
                millions: 100,
                weight_decay: 0.01,
                dropout: 0.1,
                recurrent_dropout: 0.05,
            },
        }
    }

    /// The options, for a text that is not known yet.
    pub fn config(self) -> Config {
        let recipe = self.recipe();
        Config {
            cell: Cell::Lstm,
            hidden: recipe.hidden,
            layers: recipe.layers,
            lr: recipe.lr,
            schedule: Schedule::Cosine,
            weight_decay: recipe.weight_decay,
            dropout: recipe.dropout,
            recurrent_dropout: recipe.recurrent_dropout,
            patience: 30,
            ..Config::default()
        }
    }

    /// Characters a net is trained on, unless the text is too short for it.
    pub fn characters(self) -> usize {
        self.recipe().millions * 1_000_000
    }

    /// Passes over a training part of `characters`.
    pub fn epochs(self, characters: usize) -> usize {
        self.characters()
            .div_ceil(characters.max(1))
            .clamp(1, MOST_EPOCHS)
    }
}

/// Optimizer steps between evaluations for a run of `config` on a training part of `characters`: 0, which is once an
/// epoch, or fewer steps where there are not enough epochs.
pub fn eval_every(config: &Config, characters: usize) -> u64 {
    if config.epochs as u64 >= EVALUATIONS {
        return 0;
    }
    let windows = characters / (config.batch * config.window).max(1);
    (windows as u64 * config.epochs as u64 / EVALUATIONS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_in_range_and_grow() {
        let hidden = Preset::ALL.map(|preset| {
            let config = preset.config();
            config.validate().unwrap();
            config.hidden
        });
        assert!(hidden.is_sorted_by(|a, b| a < b), "{hidden:?}");
    }

    #[test]
    fn a_long_text_is_read_less_often() {
        let small = Preset::Small;
        assert_eq!(small.epochs(1_000_000), 100);
        assert_eq!(small.epochs(99_999_999), 2);
        assert_eq!(small.epochs(5_000_000_000), 1);
        assert_eq!(small.epochs(1000), MOST_EPOCHS);
        assert_eq!(small.epochs(0), MOST_EPOCHS);
    }

    #[test]
    fn there_are_enough_evaluations() {
        let with = |epochs| Config {
            epochs,
            batch: 10,
            window: 100,
            ..Config::default()
        };
        assert_eq!(eval_every(&with(20), 1_000_000), 0);
        assert_eq!(eval_every(&with(2), 1_000_000), 100);
        assert_eq!(eval_every(&with(1), 1000), 1);
    }
}
