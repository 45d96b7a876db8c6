//! Activations.

use serde_json::Value;

use super::graph::known;
use super::json::{Object, axis, object, real, text};
use super::refuse;
use crate::draft::Function;
use crate::error::{Result, refused};

/// An activation of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    /// Number by number.
    Of(Function),
    /// Over all numbers.
    Softmax,
}

/// The version of Keras that wrote a file, which decides the slope of hard_sigmoid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 1 or 2: `0.2 x + 0.5`.
    Two,
    /// 3: `x / 6 + 0.5`.
    Three,
    /// Not said, or none of these.
    Unknown,
}

impl Version {
    /// `2.2.4-tf`, `3.15.1`.
    pub(super) fn of(text: &str) -> Self {
        match text.split('.').next() {
            Some("1" | "2") => Self::Two,
            Some("3") => Self::Three,
            _ => Self::Unknown,
        }
    }
}

/// An activation by its name, or as Keras 3 writes a function or a layer.
pub(super) fn function(layer: &str, value: Option<&Value>, version: Version) -> Result<Act> {
    let name = match value {
        None | Some(Value::Null) => "linear",
        Some(Value::String(name)) => name,
        Some(Value::Object(all)) => {
            let class = text(all, "class_name").unwrap_or_default();
            if let Some(config) = object(all, "config") {
                known(layer, class, all)?;
                return activation(layer, class, config, version);
            }
            let registered = text(all, "registered_name").unwrap_or_default();
            match text(all, "config").filter(|_| !registered.contains('>')) {
                Some(name) => name,
                None => return Err(refuse::class(layer, "Lambda")),
            }
        }
        Some(_) => "of an unknown kind",
    };
    let slope = match version {
        Version::Two => Some(0.2),
        Version::Three => Some(1.0 / 6.0),
        Version::Unknown => None,
    };
    Ok(Act::Of(match (name, slope) {
        ("softmax", _) => return Ok(Act::Softmax),
        ("linear" | "identity", _) => Function::Linear,
        ("relu", _) => Function::Relu,
        ("tanh", _) => Function::Tanh,
        ("sigmoid", _) => Function::Sigmoid,
        ("elu", _) => Function::Elu,
        ("hard_sigmoid", Some(slope)) => Function::HardSigmoid { slope, offset: 0.5 },
        ("hard_sigmoid", None) => {
            let what = "its hard_sigmoid is another in Keras 2 and 3, and the file does not say \
                        which wrote it";
            return Err(refused(
                layer,
                what,
                "save the model again with the version it is of",
            ));
        }
        _ => {
            let what = format!(
                "its activation is {}, which Gatelet has not",
                name.escape_debug()
            );
            let remedy = "train with relu, tanh, sigmoid or hard_sigmoid (softmax at the end)";
            return Err(refused(layer, what, remedy));
        }
    }))
}

/// An activation that is a layer.
pub(super) fn activation(
    layer: &str,
    class: &str,
    config: &Object,
    version: Version,
) -> Result<Act> {
    let zero = |key: &str| real(config, key).is_none_or(|number| number == 0.0);
    match class {
        "Activation" => function(layer, config.get("activation"), version),
        "ReLU" => {
            let unbounded = config.get("max_value").is_none_or(Value::is_null);
            if !(unbounded && zero("negative_slope") && zero("threshold")) {
                let what = "its relu has an upper bound, a slope below zero or a threshold";
                return Err(refused(layer, what, "train with a plain relu"));
            }
            Ok(Act::Of(Function::Relu))
        }
        "Softmax" => match axis(config, layer)? {
            None | Some(-1) => Ok(Act::Softmax),
            Some(axis) => {
                let what = format!("its softmax goes along axis {axis}");
                Err(refused(layer, what, "let it go along the last axis"))
            }
        },
        _ => Err(refuse::class(layer, class)),
    }
}
