//! How modules follow each other, as a user writes it.
//!
//! ```text
//! "gru 24, linear 3, sigmoid"            a type, its size, its name if one is needed
//! "lstm 20 x2 rnn, linear 1, add input"  two layers; a sum with the net's input
//! {"input": 6, "layers": [{"type": "GRU", "name": "rnn", "hidden": 24}, ...]}
//! ```
//! A layer reads what is before it, or the values that `reads` (JSON) or a sum names.

use super::modules::Gates;
use crate::draft::Function;
use crate::error::{Error, Result};
use crate::json::value::{self, Json};

/// How many layers a description has at most.
const LAYERS: usize = 256;
/// The longest description.
const LONGEST: usize = 1 << 16;

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Recurrent(Gates),
    Linear,
    Embedding,
    Norm,
    Function(Function),
    Softmax,
    /// Dropout and the like.
    Nothing,
    Add,
    Concat,
    /// A module that is no part of the net: a head for training only.
    Unused,
}

/// A layer of a description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// As it was written: `GRU`.
    pub(crate) written: String,
    pub(crate) name: Option<String>,
    /// Values by name; empty for what is before it.
    pub(crate) reads: Vec<String>,
    pub(crate) input: Option<usize>,
    pub(crate) units: Option<usize>,
    pub(crate) layers: Option<usize>,
    /// Of an RNN: tanh or relu.
    pub(crate) function: Option<Function>,
    /// Of a norm.
    pub(crate) epsilon: Option<f64>,
}

impl Item {
    pub(crate) fn new(what: What, written: &str) -> Self {
        Self {
            what,
            written: written.to_owned(),
            name: None,
            reads: Vec::new(),
            input: None,
            units: None,
            layers: None,
            function: None,
            epsilon: None,
        }
    }
}

/// A description.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    /// Numbers of the input, where it is said.
    pub(crate) input: Option<usize>,
    pub(crate) items: Vec<Item>,
    /// Names of the outputs; empty for the last value.
    pub(crate) outputs: Vec<String>,
}

fn wrong(what: impl Into<String>) -> Error {
    Error::Order(format!("--net: {}", what.into()))
}

/// Types that can be written.
const TYPES: &str = "gru, lstm, rnn, linear, embedding, batchnorm1d, sigmoid, tanh, relu, elu, \
                     hardsigmoid, softmax, dropout, add, concat, unused";

/// A type by its name, in any case.
fn what(written: &str) -> Result<What> {
    let name = written.to_ascii_lowercase();
    let hard = Function::HardSigmoid {
        slope: 1.0 / 6.0,
        offset: 0.5,
    };
    Ok(match name.trim_start_matches("nn.") {
        "gru" | "grucell" => What::Recurrent(Gates::Gru),
        "lstm" | "lstmcell" => What::Recurrent(Gates::Lstm),
        "rnn" | "rnncell" => What::Recurrent(Gates::Rnn),
        "linear" | "dense" => What::Linear,
        "embedding" => What::Embedding,
        "batchnorm1d" | "batchnorm" => What::Norm,
        "sigmoid" => What::Function(Function::Sigmoid),
        "tanh" => What::Function(Function::Tanh),
        "relu" => What::Function(Function::Relu),
        "elu" => What::Function(Function::Elu),
        "hardsigmoid" | "hard_sigmoid" => What::Function(hard),
        "softmax" => What::Softmax,
        "dropout" | "identity" => What::Nothing,
        "add" => What::Add,
        "concat" | "cat" => What::Concat,
        "unused" => What::Unused,
        _ => {
            let known = written.escape_debug();
            return Err(wrong(format!(
                "{known} is no type of a layer; there are {TYPES}"
            )));
        }
    })
}

/// Reads a description.
pub(crate) fn parse(text: &str) -> Result<Order> {
    if text.len() > LONGEST {
        return Err(wrong(format!("longer than {} KB", LONGEST >> 10)));
    }
    let order = match text.trim_start().starts_with('{') {
        true => of_json(&value::parse(text.as_bytes()).map_err(wrong)?)?,
        false => of_text(text)?,
    };
    match order.items.len() {
        0 => Err(wrong("no layer")),
        len if len > LAYERS => Err(wrong(format!("{len} layers, of at most {LAYERS}"))),
        _ => Ok(order),
    }
}

fn of_text(text: &str) -> Result<Order> {
    let mut items = Vec::new();
    for part in text.split(',') {
        let mut words = part.split_whitespace();
        let first = words
            .next()
            .ok_or_else(|| wrong("nothing between two commas"))?;
        let mut item = Item::new(what(first)?, first);
        for word in words {
            let number = word.parse::<usize>().ok();
            let times = word.strip_prefix('x').and_then(|n| n.parse::<usize>().ok());
            match (item.what, number, times) {
                (What::Add | What::Concat, _, _) => item.reads.push(word.to_owned()),
                (_, Some(units), _) if item.units.is_none() => item.units = Some(units),
                (What::Recurrent(_), _, Some(layers)) => item.layers = Some(layers),
                (What::Recurrent(Gates::Rnn), _, _) if word == "relu" => {
                    item.function = Some(Function::Relu);
                }
                (What::Recurrent(Gates::Rnn), _, _) if word == "tanh" => {
                    item.function = Some(Function::Tanh);
                }
                _ if item.name.is_none() => item.name = Some(word.to_owned()),
                _ => {
                    let (part, word) = (part.trim().escape_debug(), word.escape_debug());
                    let what = format!(
                        "{part}: what {word} means is not known; one layer is \
                                        written as `gru 24` or `gru 24 name`"
                    );
                    return Err(wrong(what));
                }
            }
        }
        // A sum of what is before it and the values that are named.
        if matches!(item.what, What::Add | What::Concat) {
            if item.reads.is_empty() {
                let what = format!("{first} needs the name of a value, as in `{first} input`");
                return Err(wrong(what));
            }
            item.reads.insert(0, String::new());
        }
        items.push(item);
    }
    Ok(Order {
        input: None,
        items,
        outputs: Vec::new(),
    })
}

/// Keys of a layer that change nothing in a stream, or are in the tensors.
const IGNORED: [&str; 9] = [
    "batch_first",
    "dropout",
    "bias",
    "p",
    "dim",
    "inplace",
    "momentum",
    "affine",
    "padding_idx",
];

fn of_json(json: &Json) -> Result<Order> {
    let Json::Map(entries) = json else {
        return Err(wrong("the description is no JSON object"));
    };
    let mut order = Order {
        input: None,
        items: Vec::new(),
        outputs: Vec::new(),
    };
    for (key, value) in entries {
        match key.as_str() {
            "input" => order.input = Some(count(key, value)?),
            "outputs" => order.outputs = names(key, value)?,
            "layers" => {
                let layers = value.items().ok_or_else(|| wrong("layers is no list"))?;
                order.items = layers.iter().map(item).collect::<Result<_>>()?;
            }
            _ => {
                let key = key.escape_debug();
                return Err(wrong(format!(
                    "the key {key} is not known; there are input, layers, outputs"
                )));
            }
        }
    }
    Ok(order)
}

fn count(key: &str, value: &Json) -> Result<usize> {
    value
        .count()
        .ok_or_else(|| wrong(format!("{key} is no number of things")))
}

fn text(key: &str, value: &Json) -> Result<String> {
    let text = value
        .text()
        .ok_or_else(|| wrong(format!("{key} is no text")))?;
    Ok(text.to_owned())
}

/// A name, or a list of names.
fn names(key: &str, value: &Json) -> Result<Vec<String>> {
    match value.items() {
        Some(all) => all.iter().map(|value| text(key, value)).collect(),
        None => Ok(vec![text(key, value)?]),
    }
}

fn item(json: &Json) -> Result<Item> {
    let (Json::Map(entries), Some(written)) = (json, json.get("type").and_then(Json::text)) else {
        return Err(wrong(
            "a layer is an object with a type, as {\"type\": \"GRU\"}",
        ));
    };
    let mut item = Item::new(what(written)?, written);
    for (key, value) in entries {
        match key.as_str() {
            "type" => {}
            "name" => item.name = Some(text(key, value)?),
            "reads" => item.reads = names(key, value)?,
            "input" | "input_size" | "in_features" | "num_embeddings" => {
                item.input = Some(count(key, value)?);
            }
            "hidden" | "hidden_size" | "output" | "out_features" | "units" | "num_features"
            | "embedding_dim" => item.units = Some(count(key, value)?),
            "layers" | "num_layers" => item.layers = Some(count(key, value)?),
            "eps" => item.epsilon = value.number(),
            "nonlinearity" => {
                item.function = Some(match text(key, value)?.as_str() {
                    "tanh" => Function::Tanh,
                    "relu" => Function::Relu,
                    other => {
                        let other = other.escape_debug();
                        return Err(wrong(format!("{other} is no nonlinearity of an RNN")));
                    }
                });
            }
            // Refused by the tensors, which show it; said here where they are not there.
            "bidirectional" if *value == Json::Bool(true) => {
                let name = item.name.clone().unwrap_or_else(|| written.to_owned());
                return Err(crate::error::refused(
                    &name,
                    "it is bidirectional: one direction needs the end of the sequence, and a \
                     stream has none",
                    "train it with bidirectional=False",
                ));
            }
            "bidirectional" => {}
            key if IGNORED.contains(&key) => {}
            _ => {
                let key = key.escape_debug();
                return Err(wrong(format!("{written}: the key {key} is not known")));
            }
        }
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_a_description_says() {
        let short = parse("gru 24 x2 rnn, linear 3, add input, RNN 4 relu").expect("an order");
        let long = parse(
            r#"{"layers": [{"type": "GRU", "hidden": 24, "layers": 2, "name": "rnn"},
                {"type": "Linear", "output": 3, "bias": true},
                {"type": "Add", "reads": ["", "input"]},
                {"type": "RNN", "hidden": 4, "nonlinearity": "relu"}]}"#,
        );
        let mut long = long.expect("an order");
        for (long, short) in long.items.iter_mut().zip(&short.items) {
            long.written.clone_from(&short.written);
        }
        assert_eq!(short, long);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("", "nothing between"),
            ("gru 3,", "nothing between"),
            ("grue 3", "grue is no type"),
            ("linear 3 a b", "what b means"),
            ("add", "needs the name"),
            ("{\"layers\": []}", "no layer"),
            (
                "{\"layers\": [{\"type\": \"Linear\", \"activation\": \"relu\"}]}",
                "activation",
            ),
            (
                "{\"layers\": [{\"type\": \"LSTM\", \"bidirectional\": true}]}",
                "bidirectional",
            ),
            (
                "{\"layers\": [{\"type\": \"LSTM\", \"hidden\": -1}]}",
                "hidden",
            ),
            (
                "{\"layers\": [{\"type\": \"RNN\", \"nonlinearity\": \"elu\"}]}",
                "elu",
            ),
            ("{\"inputs\": 1}", "inputs"),
            ("{", "EOF"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse(&"gru 3,".repeat(300)).is_err());
    }
}
