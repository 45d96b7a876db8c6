//! Where a net comes from: its text, the command that makes it again, and what was changed on the way.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a net comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The text's path as it was given.
    pub corpus: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub corpus_sha256: String,
    /// The command that trains this net again.
    pub command: String,
    /// Name and version of the trainer.
    pub trainer: String,
    /// Seed.
    pub seed: u64,
    /// Lowest held-out loss of the run so far, nats a character; `None` before the first
    /// evaluation.
    pub nats: Option<f64>,
    /// Epoch of that evaluation, from 1.
    pub epoch: usize,
    /// Loss of predicting each token by how often it occurs in the text, or each class by how often
    /// it is learnt from, in nats: what a net has to be below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unigram_nats: Option<f64>,
    /// Characters seen in training up to these parameters.
    pub characters: u64,
    /// Options that were changed when the run was resumed, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Bytes of a hash in hexadecimal; zeros if it is none.
fn hash_bytes(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = hex
            .get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0);
    }
    bytes
}

impl Provenance {
    /// The same as an image has it; the losses are not known yet.
    pub(crate) fn of_image(&self) -> gatelet::Provenance<'_> {
        gatelet::Provenance {
            corpus: &self.corpus,
            corpus_sha256: hash_bytes(&self.corpus_sha256),
            command: &self.command,
            trainer: &self.trainer,
            seed: self.seed,
            nats_f32: self.nats.map_or(f32::NAN, |nats| nats as f32),
            nats: f32::NAN,
            heldout_tokens: 0,
        }
    }
}

/// An option that holds another value from some step on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Optimizer steps done when it was changed.
    pub step: u64,
    /// The option, without its dashes.
    pub option: String,
    /// Value before.
    pub from: Value,
    /// Value from here on.
    pub to: Value,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "--{} {} instead of {}, from step {} on",
            self.option,
            typed(&self.to),
            typed(&self.from),
            self.step
        )
    }
}

/// A value as it is typed.
pub(crate) fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
