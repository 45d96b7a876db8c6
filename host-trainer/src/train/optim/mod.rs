//! From a gradient to an update: the optimizers, the learning rate over a run, and clipping.
//!
//! ```text
//! norm = sqrt(sum g^2)                      g <- g min(1, clip / norm)
//! w, slots <- rule(w, g, slots, lr)         element by element: adam, sgd, rmsprop
//! ```
//! Every rule is PyTorch's of the same name, with the same defaults. Weight decay is decoupled in AdamW and an L2 term
//! of the gradient in the others, as there; it takes in biases, as there, unless they are left out.

mod adam;
mod norm;
mod rmsprop;
mod schedule;
mod sgd;
mod updater;

use pulp::Arch;
use serde::{Deserialize, Serialize};

pub use norm::global_norm;
pub use schedule::{Cooldown, Plateau, PlateauConfig, Schedule};
pub use updater::Updater;

/// Elements one task works on: fixed, so that sums have one order whatever the number of threads.
const TILE: usize = 8192;

/// The rule of the update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    #[default]
    AdamW,
    /// Adam; weight decay is an L2 term.
    Adam,
    /// Stochastic gradient descent with momentum.
    Sgd,
    /// Steps in units of the gradient's running root mean square.
    RmsProp,
}

impl Optimizer {
    /// A highest learning rate to start from. Where each comes from is in docs/training.md.
    pub fn learning_rate(self) -> f64 {
        match self {
            Self::AdamW | Self::Adam => 4e-3,
            Self::Sgd => 1.0,
            Self::RmsProp => 8e-3,
        }
    }
}

impl std::fmt::Display for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AdamW => "adamw",
            Self::Adam => "adam",
            Self::Sgd => "sgd",
            Self::RmsProp => "rmsprop",
        })
    }
}

/// Constants of the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// The rule.
    pub optimizer: Optimizer,
    /// Part of the last step that is made again: SGD and RMSprop.
    pub momentum: f64,
    /// Decay of the mean of the gradient: Adam and AdamW.
    pub beta1: f64,
    /// Decay of the mean of its square: Adam, AdamW, and RMSprop (alpha in PyTorch).
    pub beta2: f64,
    /// Added to the root: all but SGD.
    pub epsilon: f64,
    /// Weight decay: decoupled for AdamW, L2 for the others.
    pub weight_decay: f64,
    /// Whether biases decay too.
    pub decay_biases: bool,
    /// Largest global norm of the gradient; infinite means no clipping.
    pub clip: f64,
}

impl OptimizerConfig {
    /// The optimizer's constants in PyTorch; SGD with the momentum of 0.9 that it is hardly ever used without.
    pub fn of(optimizer: Optimizer) -> Self {
        Self {
            optimizer,
            momentum: if optimizer == Optimizer::Sgd {
                0.9
            } else {
                0.0
            },
            beta1: 0.9,
            beta2: if optimizer == Optimizer::RmsProp {
                0.99
            } else {
                0.999
            },
            epsilon: 1e-8,
            weight_decay: if optimizer == Optimizer::AdamW {
                0.01
            } else {
                0.0
            },
            decay_biases: true,
            clip: 1.0,
        }
    }

    /// Names of what the optimizer remembers, each of the parameters' length.
    pub fn slots(&self) -> &'static [&'static str] {
        match (self.optimizer, self.momentum > 0.0) {
            (Optimizer::AdamW | Optimizer::Adam, _) => &["mean", "square"],
            (Optimizer::Sgd, false) => &[],
            (Optimizer::Sgd, true) => &["momentum"],
            (Optimizer::RmsProp, false) => &["square"],
            (Optimizer::RmsProp, true) => &["square", "momentum"],
        }
    }
}

/// What is the same for every element of one update.
#[derive(Clone, Copy)]
struct Common<F> {
    /// Factor of the gradient: clipping.
    scale: F,
    /// Factor of the weights: decoupled decay.
    keep: F,
    /// Times the weight, added to the gradient: L2 decay.
    l2: F,
}

/// One update's rule: elementwise over a tile.
trait Rule<F>: Copy + Sync {
    /// Updates `weights` by `gradient` and the slots, all of one length; unused slots are empty.
    fn apply(
        self,
        arch: Arch,
        common: Common<F>,
        weights: &mut [F],
        gradient: &[F],
        slots: [&mut [F]; 2],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_pytorch() {
        let (adamw, rmsprop) = (
            OptimizerConfig::of(Optimizer::AdamW),
            OptimizerConfig::of(Optimizer::RmsProp),
        );
        assert_eq!(
            (adamw.beta1, adamw.beta2, adamw.epsilon, adamw.weight_decay),
            (0.9, 0.999, 1e-8, 0.01)
        );
        assert_eq!(
            (rmsprop.beta2, rmsprop.momentum, rmsprop.weight_decay),
            (0.99, 0.0, 0.0)
        );
        assert_eq!(OptimizerConfig::of(Optimizer::Adam).weight_decay, 0.0);
        assert_eq!(OptimizerConfig::of(Optimizer::Sgd).weight_decay, 0.0);
    }
}
