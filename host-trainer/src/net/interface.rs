//! What stands on either side of a net that is given numbers: names, and what its scores are of.

use gatelet::net::{Input, Net, Output};
use serde::{Deserialize, Serialize};

use super::front_end::FrontEnd;

/// Names of inputs and outputs, of a net that has any, and what makes its features of sound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Parts of the features, one after the other; of a net of tokens the tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<NamedInput>,
    /// All outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<NamedOutput>,
    /// What makes the features of samples, if they are made of such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_end: Option<FrontEnd>,
}

/// A part of the features that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedInput {
    /// The name.
    pub name: String,
    /// Features that it has; 1 for tokens.
    pub width: usize,
}

/// An output that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedOutput {
    /// The name.
    pub name: String,
    /// Whether the net it was taken from ends in a softmax over these scores, which is not part of
    /// the list of operations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub softmax: bool,
}

impl Interface {
    /// Whether nothing has a name, and nothing is made of samples.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty() && self.front_end.is_none()
    }

    /// Whether this is of a net.
    ///
    /// # Errors
    /// What is not.
    pub(crate) fn check(&self, net: &Net) -> Result<(), String> {
        let features = match net.input {
            Input::Tokens { .. } => 1,
            Input::Features { width, .. } => width,
        };
        if let Some(front) = &self.front_end
            && (net.takes_tokens() || front.0.features() != features)
        {
            return Err(format!(
                "interface.front_end gives {} numbers ({front}): the net reads {}",
                front.0.features(),
                if net.takes_tokens() { 0 } else { features }
            ));
        }
        let named = (self.inputs.iter()).try_fold(0_usize, |sum, of| sum.checked_add(of.width));
        if !self.inputs.is_empty() && named != Some(features) {
            return Err(format!(
                "interface.inputs have {named:?} numbers: the net has {features}"
            ));
        }
        let (named, outputs) = (self.outputs.len(), net.output_len());
        if named > 0 && named != outputs {
            return Err(format!(
                "interface.outputs has {named} names: the net has {outputs} outputs"
            ));
        }
        let all = self.inputs.iter().map(|of| &of.name);
        let mut all: Vec<&String> = all.chain(self.outputs.iter().map(|of| &of.name)).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        if all.len() != count || all.iter().any(|name| name.is_empty()) {
            return Err("interface: names have to differ, and none is empty".to_owned());
        }
        let values = |output: &Output| matches!(output, Output::Values(_));
        let outputs = net.outputs().zip(&self.outputs);
        match outputs
            .into_iter()
            .find(|(of, named)| named.softmax && values(of))
        {
            None => Ok(()),
            Some((_, NamedOutput { name, .. })) => Err(format!(
                "interface.outputs: {name:?} has a softmax, and is no scores"
            )),
        }
    }
}
