//! JSON: RTNeural's nets, state dicts of PyTorch, what guitar-amplifier trainers write, and NAM.
//!
//! ```text
//! {"in_shape": ..., "layers": [...]}            RTNeural, in Keras' order
//! {"model_data": {...}, "state_dict": {...}}    amplifier trainers, in PyTorch's order
//! {"architecture": "LSTM", "weights": [...]}    NAM
//! {"lstm.weight_ih_l0": [[...]], ...}           a state dict
//! ```

mod amplifier;
mod nam;
mod rtneural;
pub(crate) mod value;

use crate::Options;
use crate::draft::Draft;
use crate::error::{Error, Result, refused};
use crate::torch::{self, Numbers, State, Tensor};
use value::Json;

/// Reads a file.
pub(crate) fn read(bytes: &[u8], options: Options<'_>) -> Result<Draft> {
    let json = value::parse(bytes).map_err(|what| Error::Damaged {
        format: "JSON",
        what,
    })?;
    let has = |key: &str| json.get(key).is_some();
    if has("architecture") {
        return nam::read(&json);
    }
    if let (Some(data), Some(state)) = (json.get("model_data"), json.get("state_dict")) {
        return amplifier::read(data, state);
    }
    if has("in_shape") && has("layers") {
        return rtneural::read(&json);
    }
    if has("class_name") && has("config") {
        let what = "it is the architecture of a Keras net, without its weights";
        return Err(refused(
            "the file",
            what,
            "save it whole: model.save(\"net.keras\")",
        ));
    }
    if has("layers") {
        let what = "it describes an order of layers (or a net without in_shape), not weights";
        let remedy = "give it with --net, beside the file of the weights";
        return Err(refused("the file", what, remedy));
    }
    let state = json.get("state_dict").unwrap_or(&json);
    torch::draft(state_dict(state, "PyTorch JSON")?, options)
}

/// A state dict whose tensors are lists.
fn state_dict(json: &Json, format: &'static str) -> Result<State> {
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
