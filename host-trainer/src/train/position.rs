//! Where a run stands, and why it has ended.

use serde::{Deserialize, Serialize};

use crate::train::config::Config;
use crate::train::optim::{Cooldown, Plateau, Schedule};

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs done.
    pub epoch: usize,
    /// Windows done in the current epoch.
    pub window: usize,
    /// Optimizer steps done.
    pub step: u64,
    /// Characters trained on.
    pub characters: u64,
    /// Sum of the training losses since the last evaluation, in nats.
    pub loss_sum: f64,
    /// Characters in that sum.
    pub loss_count: u64,
    /// Lowest held-out loss.
    pub best_nats: Option<f64>,
    /// Evaluations since then.
    pub evaluations_since_best: usize,
    /// What the plateau schedule has come to.
    #[serde(default)]
    pub plateau: Plateau,
    /// The end of a run whose patience is exhausted, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Cooldown>,
    /// Global norm of the last gradient.
    pub gradient_norm: f64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Seconds spent training.
    pub seconds: f64,
    /// Characters and seconds at the last evaluation.
    pub evaluated_at: (u64, f64),
    /// Why the run has ended, if it has.
    pub ended: Option<End>,
}

/// Why a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All epochs done.
    Finished,
    /// No better evaluation within the patience.
    Early,
    /// The time limit is reached.
    Time,
    /// Stopped from outside; may be resumed.
    Interrupted,
}

impl End {
    /// Why a run that stands at `position`, at an evaluation, ends here, if it does.
    pub(crate) fn of(position: &Position, config: &Config) -> Option<Self> {
        let (finished, time) = limits(position, config);
        let early = match position.cooldown {
            Some(cooldown) => cooldown.is_over(position.step),
            None => exhausted(position, config) && cooldown(position, config).is_none(),
        };
        match (finished, time, early) {
            (true, ..) => Some(Self::Finished),
            (_, true, _) => Some(Self::Time),
            (.., true) => Some(Self::Early),
            _ => None,
        }
    }
}

/// Whether all epochs or characters are done, and whether the time is up.
pub(super) fn limits(position: &Position, config: &Config) -> (bool, bool) {
    let time = |minutes| position.seconds >= 60.0 * minutes;
    let characters = |most| position.characters >= most;
    (
        position.epoch >= config.epochs || config.characters.is_some_and(characters),
        config.minutes.is_some_and(time),
    )
}

/// Whether there was no better evaluation for as many as the patience is.
pub(super) fn exhausted(position: &Position, config: &Config) -> bool {
    config.patience > 0 && position.evaluations_since_best >= config.patience
}

/// Whether a cooldown may still begin. One of a net that is trained for integers begins where the
/// run stands: the ranges of its rows belong to its parameters.
pub(super) fn may_cool_down(position: &Position, config: &Config) -> bool {
    let falls = config.schedule != Schedule::Constant && config.qat.is_none();
    falls && config.patience > 0 && position.cooldown.is_none()
}

/// The cooldown of a run whose patience is exhausted at `position`.
pub(super) fn cooldown(position: &Position, config: &Config) -> Option<Cooldown> {
    Cooldown::new(config.schedule, config.lr, position.lr, position.step)
}
