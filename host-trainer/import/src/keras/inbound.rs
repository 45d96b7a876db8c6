//! What a layer of a functional model is called with, as Keras 2 and Keras 3 write it.

use serde_json::Value;

use super::json::{damaged, object, text};
use crate::error::{Result, refused};

/// A tensor of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) layer: &'a str,
    pub(super) tensor: usize,
}

/// What a layer is called with.
#[derive(Debug)]
pub(super) struct Call<T> {
    /// What it reads.
    pub(super) reads: Vec<T>,
    /// `initial_state` of a recurrent layer.
    pub(super) state: Vec<T>,
    /// Whether it is given a mask.
    pub(super) masked: bool,
}

impl<T> Default for Call<T> {
    fn default() -> Self {
        Self {
            reads: Vec::new(),
            state: Vec::new(),
            masked: false,
        }
    }
}

impl<T> Call<T> {
    /// The same of something else.
    pub(super) fn map<U>(&self, of: impl Fn(&T) -> Result<U>) -> Result<Call<U>> {
        Ok(Call {
            reads: self.reads.iter().map(&of).collect::<Result<_>>()?,
            state: self.state.iter().map(&of).collect::<Result<_>>()?,
            masked: self.masked,
        })
    }
}

/// `[name, node, tensor]`, perhaps with more behind it.
fn triple(value: &Value) -> Option<Reference<'_>> {
    match value.as_array()?.as_slice() {
        [Value::String(layer), node, tensor, ..] if node.is_u64() => Some(Reference {
            layer,
            tensor: usize::try_from(tensor.as_u64()?).ok()?,
        }),
        _ => None,
    }
}

/// The tensor that Keras 3 writes as an object.
fn keras_tensor(value: &Value) -> Option<Reference<'_>> {
    let value = value.as_object()?;
    if text(value, "class_name") != Some("__keras_tensor__") {
        return None;
    }
    triple(object(value, "config")?.get("keras_history")?)
}

/// All tensors in a value, however deep; serde_json bounds the depth of what it reads.
fn collect<'a>(value: &'a Value, all: &mut Vec<Reference<'a>>) {
    if let Some(reference) = keras_tensor(value).or_else(|| triple(value)) {
        all.push(reference);
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, all)),
        Value::Object(values) => values.values().for_each(|value| collect(value, all)),
        _ => {}
    }
}

/// The tensors that `input_layers` or `output_layers` name: one, a list, or a dictionary.
pub(super) fn references(value: Option<&Value>) -> Result<Vec<Reference<'_>>> {
    let mut all = Vec::new();
    collect(value.unwrap_or(&Value::Null), &mut all);
    match all.is_empty() {
        true => Err(damaged("the model names no inputs or no outputs")),
        false => Ok(all),
    }
}

/// What the inbound nodes of a layer say; more than one is a layer that is shared.
pub(super) fn call<'a>(layer: &str, nodes: &'a [Value]) -> Result<Call<Reference<'a>>> {
    let mut call = Call::default();
    let node = match nodes {
        [] => return Ok(call),
        [node] => node,
        all => {
            let what = format!("{} places share it", all.len());
            let remedy = "give each place a layer of its own, with the same weights";
            return Err(refused(layer, what, remedy));
        }
    };
    match node {
        Value::Object(node) => {
            collect(node.get("args").unwrap_or(&Value::Null), &mut call.reads);
            let kwargs = object(node, "kwargs").into_iter().flatten();
            kwargs.for_each(|(name, value)| named(name, value, &mut call));
        }
        Value::Array(node) => {
            // One tensor stands alone where a layer of Python's operators was called.
            let alone = matches!(node.first(), Some(Value::String(_)));
            let tensors = if alone { &nodes[..1] } else { node.as_slice() };
            for tensor in tensors {
                collect(tensor, &mut call.reads);
                let kwargs = tensor.as_array().and_then(|all| all.get(3)?.as_object());
                let kwargs = kwargs.into_iter().flatten();
                kwargs.for_each(|(name, value)| named(name, value, &mut call));
            }
        }
        _ => return Err(damaged(format!("what {layer} reads cannot be understood"))),
    }
    Ok(call)
}

/// An argument with a name.
fn named<'a>(name: &str, value: &'a Value, call: &mut Call<Reference<'a>>) {
    let mut all = Vec::new();
    collect(value, &mut all);
    match name {
        "initial_state" => call.state.extend(all),
        "mask" => call.masked |= !all.is_empty(),
        _ => call.reads.extend(all),
    }
}
