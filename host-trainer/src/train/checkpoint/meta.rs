//! What a checkpoint says beside its parameters: net, vocabulary, options, and where a run stands.

use serde::{Deserialize, Serialize};

use super::provenance::Provenance;
use crate::error::{Error, Result};
use crate::net::{Interface, Net};
use crate::train::Position;
use crate::train::config::Config;
use crate::train::series::described::Described;

/// Version of a checkpoint's metadata. Those before had sizes in place of operations.
pub const FORMAT: u32 = 6;

/// The metadata of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The net.
    #[serde(with = "crate::net::stored")]
    pub net: Net,
    /// Names of inputs and outputs.
    #[serde(default, skip_serializing_if = "Interface::is_empty")]
    pub interface: Interface,
    /// All characters in ascending order; the rank is the token id. Empty for words, and in a net
    /// without a vocabulary.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vocabulary: String,
    /// All words in the order of their bytes, instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// What it was trained on, of a net that learnt from sequences of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Described>,
    /// Options of the run that trained it; `None` for a net that comes from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Config>,
    /// Origin.
    pub provenance: Provenance,
    /// Where the run stands; only in `last.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

impl Meta {
    /// The options of the run.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] when no text was trained on.
    pub fn config(&self) -> Result<&Config> {
        self.config.as_ref().ok_or(Error::NoVocabulary)
    }
}

/// What a run needs to go on exactly where it stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    /// The optimizer's memory, as [`OptimizerConfig::slots`](crate::train::optim::OptimizerConfig::slots)
    /// names it.
    pub slots: Vec<Vec<f32>>,
    /// h of all streams: [batch, units] of each recurrent operation.
    pub h: Vec<f32>,
    /// c of all streams, or empty.
    pub c: Vec<f32>,
    /// The parameters with the lowest held-out loss, while a cooldown may still begin with them.
    pub best: Option<Vec<f32>>,
}
