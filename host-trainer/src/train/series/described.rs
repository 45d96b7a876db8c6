//! What a checkpoint says of the sequences that its net was trained on.

use gatelet::net::Net;
use serde::{Deserialize, Serialize};

use super::options::Task;
use super::scaling::Scaling;

/// What a checkpoint says of the data that its net was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// What was asked.
    pub task: Task,
    /// Names of the features.
    pub features: Vec<String>,
    /// Names of the classes, or of the numbers asked for.
    pub answers: Vec<String>,
    /// Samples a second of recordings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Mean of each number asked for, on the training part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<f32>,
    /// The units of its parameters, where those are not the data's: only in `last.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

impl Described {
    /// Checks that it is of a net.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self, net: &Net) -> std::result::Result<(), String> {
        let outputs = net.output_width(0);
        if self.answers.len() != outputs {
            let names = self.answers.len();
            return Err(format!(
                "series.answers: {names} names of {outputs} numbers"
            ));
        }
        if !self.means.is_empty() && self.means.len() != outputs {
            let means = self.means.len();
            return Err(format!("series.means: {means} of {outputs} numbers"));
        }
        let scaling = self.scaling.as_ref();
        scaling.map_or(Ok(()), |scaling| scaling.check(net))
    }
}
