//! What a configuration of Keras says, key by key; what is not there is as if it were null.

use serde_json::{Map, Value};

use crate::error::{Error, Result, refused};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// The file is not what a file of Keras is. What it calls things stays on one line.
pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: "Keras",
        what: what.into().replace(char::is_control, "\u{fffd}"),
    }
}

/// A string.
pub(super) fn text<'a>(of: &'a Object, key: &str) -> Option<&'a str> {
    of.get(key).and_then(Value::as_str)
}

/// An object.
pub(super) fn object<'a>(of: &'a Object, key: &str) -> Option<&'a Object> {
    of.get(key).and_then(Value::as_object)
}

/// A list; an empty one where there is none.
pub(super) fn list<'a>(of: &'a Object, key: &str) -> &'a [Value] {
    let list = of.get(key).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A flag that is said and set.
pub(super) fn flag(of: &Object, key: &str) -> bool {
    of.get(key).and_then(Value::as_bool) == Some(true)
}

/// A real number.
pub(super) fn real(of: &Object, key: &str) -> Option<f64> {
    of.get(key).and_then(Value::as_f64)
}

/// A size that a layer cannot do without.
pub(super) fn size(of: &Object, key: &str, layer: &str) -> Result<usize> {
    let number = of.get(key).and_then(Value::as_u64);
    let number = number.and_then(|number| usize::try_from(number).ok());
    let size = number.filter(|size| *size > 0);
    size.ok_or_else(|| damaged(format!("the configuration of {layer} has no {key}")))
}

/// An axis, which Keras writes as a number or as a list of one.
pub(super) fn axis(of: &Object, layer: &str) -> Result<Option<i64>> {
    match of.get("axis") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_i64()),
        Some(Value::Array(all)) if all.is_empty() => Ok(None),
        Some(Value::Array(all)) if all.len() == 1 => Ok(all[0].as_i64()),
        Some(_) => {
            let what = "it works along several axes";
            Err(refused(layer, what, "let it work along the last axis"))
        }
    }
}

/// The sizes of a shape; 0 stands for one that is not fixed.
pub(super) fn shape(of: &Value) -> Option<Vec<usize>> {
    let size = |value: &Value| match value {
        Value::Null => Some(0),
        value => value.as_u64().and_then(|size| usize::try_from(size).ok()),
    };
    of.as_array()?.iter().map(size).collect()
}
