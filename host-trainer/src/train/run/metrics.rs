//! What a run measures at each evaluation.

use serde::{Deserialize, Serialize};

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// Characters trained on.
    pub characters: u64,
    /// Mean training loss since the line before, nats a character.
    pub train_nats: f64,
    /// Held-out loss, nats a character.
    pub valid_nats: f64,
    /// The same in bits.
    pub valid_bpc: f64,
    /// How good the net is at its task on what is held out, where that is another number than the
    /// loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<f64>,
    /// Whether this was the lowest so far.
    pub best: bool,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Global norm of the last gradient, before clipping.
    pub gradient_norm: f64,
    /// Time spent training so far, in seconds.
    pub seconds: f64,
    /// Characters a second since the line before.
    pub characters_per_second: f64,
}
