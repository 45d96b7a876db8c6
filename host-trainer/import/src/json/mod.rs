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
mod state;
pub(crate) mod value;

use crate::draft::Draft;
use crate::error::{Error, Result, refused};
use crate::options::Options;
use crate::torch;
use state::state_dict;

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
