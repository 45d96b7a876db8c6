//! Amplifiers of PyTorch trainers (`SimpleRNN`): `y = lin(rec(x)) + x[..skip]`.
//!
//! ```text
//! rec     LSTM, GRU or RNN over the sample and the knobs
//! skip    so many of the first inputs are added to the outputs; one is added to all of them
//! ```

use super::state::state_dict;
use super::value::Json;
use crate::draft::{Draft, Kind, Layer, Output};
use crate::error::{Error, Result, refused};
use crate::torch::{Gates, Item, Order, What, build};

const FORMAT: &str = "amplifier JSON";

/// Reads the two parts of a file.
pub(super) fn read(data: &Json, state: &Json) -> Result<Draft> {
    let model = data
        .get("model")
        .and_then(Json::text)
        .unwrap_or("SimpleRNN");
    if model != "SimpleRNN" {
        let what = format!("it is a {}, not a SimpleRNN", model.escape_debug());
        return Err(refused(
            "model_data",
            what,
            "train a SimpleRNN of LSTM or GRU",
        ));
    }
    let count = |key: &str| {
        let value = data.get(key).and_then(Json::count);
        value.ok_or_else(|| Error::Damaged {
            format: FORMAT,
            what: format!("model_data has no number {key}"),
        })
    };
    let unit = data
        .get("unit_type")
        .and_then(Json::text)
        .unwrap_or_default();
    let gates = match unit {
        "LSTM" => Gates::Lstm,
        "GRU" => Gates::Gru,
        "RNN" => Gates::Rnn,
        other => {
            let what = format!("unit_type is {other:?}");
            return Err(refused("model_data", what, "there are LSTM, GRU and RNN"));
        }
    };
    let (inputs, outputs) = (count("input_size")?, count("output_size")?);
    let skip = match data.get("skip") {
        Some(Json::Bool(skip)) => usize::from(*skip),
        _ => count("skip")?,
    };
    let mut recurrent = Item::new(What::Recurrent(gates), unit);
    recurrent.name = Some("rec".to_owned());
    recurrent.units = Some(count("hidden_size")?);
    recurrent.layers = Some(count("num_layers").unwrap_or(1));
    let mut linear = Item::new(What::Linear, "Linear");
    linear.name = Some("lin".to_owned());
    linear.units = Some(outputs);
    let order = Order {
        input: Some(inputs),
        items: vec![recurrent, linear],
        outputs: Vec::new(),
    };
    let mut draft = build(state_dict(state, FORMAT)?, Some(&order))?;
    if skip > 0 {
        add(&mut draft, skip, inputs, outputs)?;
    }
    Ok(draft)
}

/// Adds the first inputs to the outputs.
fn add(draft: &mut Draft, skip: usize, inputs: usize, outputs: usize) -> Result<()> {
    if skip > inputs || (skip != outputs && skip != 1) {
        let what = format!("skip adds {skip} of {inputs} inputs to {outputs} outputs");
        return Err(refused(
            "model_data",
            what,
            "skip is 0, 1 or the number of outputs",
        ));
    }
    let last = draft.layers.len();
    let mut push = |name: &str, kind, reads: Vec<usize>, note: Option<String>| {
        draft.layers.push(Layer {
            name: name.to_owned(),
            from: "skip".to_owned(),
            kind,
            reads,
            tensors: Vec::new(),
            notes: note.into_iter().collect(),
        });
        draft.layers.len()
    };
    let mut added = push(
        "skip",
        Kind::Slice {
            start: 0,
            len: skip,
        },
        vec![0],
        None,
    );
    if skip != outputs {
        added = push("skip to all", Kind::Concat, vec![added; outputs], None);
    }
    let note = format!("skip is {skip}: as much of the input is added to the output");
    let value = push("sum", Kind::Add, vec![last, added], Some(note));
    draft.outputs = vec![Output {
        name: "output".to_owned(),
        value,
    }];
    Ok(())
}
