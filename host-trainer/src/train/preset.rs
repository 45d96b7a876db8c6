//! Presets: net and recipe in one word.
//!
//! ```text
//! preset  ->  Config                                options given on the command line replace single values
//! text    ->  what of the recipe follows it         [`crate::train::recipe`]
//! ```
//! What a net learns is decided by how many characters it is trained on and not by how often a text is read, so a
//! preset names characters: a long text is read less often, and cut where one pass would be more. A short one is not
//! read for ever. What it comes to is an ordinary set of options, and those are recorded.

use crate::train::config::Config;
use crate::train::layers::Cell;

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

/// What presets differ in. Rates by held-out nats on `corpora/novels.txt`: docs/training.md.
struct Recipe {
    hidden: usize,
    /// Learning rate on a long text.
    lr: f64,
    /// Characters to train on, in millions.
    millions: usize,
    /// Dropout on a long text.
    dropout: f64,
}

impl Preset {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Tiny, Self::Small, Self::Medium];

    fn recipe(self) -> Recipe {
        match self {
            Self::Tiny => Recipe {
                hidden: 64,
                lr: 3e-2,
                millions: 60,
                dropout: 0.0,
            },
            Self::Small => Recipe {
                hidden: 128,
                lr: 6e-3,
                millions: 100,
                dropout: 0.1,
            },
            Self::Medium => Recipe {
                hidden: 256,
                lr: 1e-2,
                millions: 100,
                dropout: 0.1,
            },
        }
    }

    /// The options, for a text that is not known yet.
    pub fn config(self) -> Config {
        let recipe = self.recipe();
        Config {
            cell: Cell::Lstm,
            hidden: recipe.hidden,
            lr: recipe.lr,
            dropout: recipe.dropout,
            recurrent_dropout: recipe.dropout / 2.0,
            ..Config::default()
        }
    }

    /// Characters a net is trained on, unless the text is too short for it.
    pub fn characters(self) -> usize {
        self.recipe().millions * 1_000_000
    }

    /// Learning rate on a long text.
    pub fn rate(self) -> f64 {
        self.recipe().lr
    }

    /// Dropout on a long text.
    pub fn dropout(self) -> f64 {
        self.recipe().dropout
    }
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
}
