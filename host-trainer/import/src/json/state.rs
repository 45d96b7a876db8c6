//! State dicts of PyTorch as JSON.

use super::value::Json;
use crate::error::{Error, Result};
use crate::torch::{Numbers, State, Tensor};

/// A state dict whose tensors are lists.
pub(super) fn state_dict(json: &Json, format: &'static str) -> Result<State> {
    let Json::Map(entries) = json else {
        return Err(Error::Unknown);
    };
    let is = |(name, value): &(String, Json)| {
        let lists = matches!(value, Json::List(_) | Json::Numbers(_));
        lists && (name.contains("weight") || name.contains("bias"))
    };
    if !entries.iter().any(is) {
        return Err(Error::Unknown);
    }
    let tensors = entries.iter().map(|(name, value)| {
        let (shape, numbers) = value.tensor().ok_or_else(|| Error::Damaged {
            format,
            what: format!(
                "{name} is no tensor: a list in it is longer than those beside it, or \
                           holds what is no number"
            ),
        })?;
        Ok(Tensor {
            name: name.clone(),
            shape,
            numbers: Numbers::Real(numbers),
        })
    });
    Ok(State {
        format,
        tensors: tensors.collect::<Result<_>>()?,
        ordered: true,
        notes: Vec::new(),
    })
}
