//! Neural Amp Modeler's LSTM files: all numbers in one list.
//!
//! ```text
//! of each layer   [W_ih | W_hh] [4*hidden, input + hidden], gates i f g o; bias [4*hidden];
//!                 h at the start [hidden]; c at the start [hidden]
//! then            the head: weight [hidden], bias
//! ```

use super::value::Json;
use crate::draft::{Cell, Draft, Function, Input, Kind, Layer, Matrix, Output, Recurrent};
use crate::error::{Error, Result, refused};

const FORMAT: &str = "NAM";

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: FORMAT,
        what: what.into(),
    }
}

/// Reads a file.
pub(super) fn read(json: &Json) -> Result<Draft> {
    let architecture = json
        .get("architecture")
        .and_then(Json::text)
        .unwrap_or_default();
    if architecture != "LSTM" {
        let what = format!(
            "the architecture {} is none of recurrent layers",
            architecture.escape_debug()
        );
        return Err(refused("the file", what, "train NAM's LSTM"));
    }
    let config = json
        .get("config")
        .ok_or_else(|| damaged("there is no config"))?;
    let count = |key: &str| {
        let value = config.get(key).and_then(Json::count).filter(|n| *n > 0);
        value.ok_or_else(|| damaged(format!("config has no number {key}")))
    };
    let (inputs, hidden, layers) = (
        count("input_size")?,
        count("hidden_size")?,
        count("num_layers")?,
    );
    let (_, numbers) = match json.get("weights").and_then(Json::tensor) {
        Some((shape, numbers)) if shape.len() == 1 => (shape, numbers),
        _ => return Err(damaged("weights is no list of numbers")),
    };
    let size = |input: usize| {
        let columns = input.checked_add(hidden)?.checked_add(1)?;
        let rows = hidden.checked_mul(4)?;
        columns.checked_mul(rows)?.checked_add(2 * hidden)
    };
    let whole = || {
        let others = size(hidden)?.checked_mul(layers - 1)?;
        size(inputs)?.checked_add(others)?.checked_add(hidden + 1)
    };
    let whole = whole().ok_or_else(|| damaged("its sizes are too large"))?;
    if numbers.len() != whole {
        return Err(Error::Shape {
            name: "the LSTM of config".to_owned(),
            tensor: "weights".to_owned(),
            found: format!("[{}]", numbers.len()),
            expected: format!("[{whole}]"),
        });
    }
    let mut rest = numbers.as_slice();
    let mut take = |len: usize| {
        let (taken, left) = rest.split_at_checked(len).unwrap_or_default();
        rest = left;
        taken.to_vec()
    };
    let mut all = Vec::new();
    for index in 0..layers {
        let input = if index == 0 { inputs } else { hidden };
        let both = take(4 * hidden * (input + hidden));
        let rows = both.chunks_exact(input + hidden);
        let matrix = |columns, data| {
            Matrix::new(4 * hidden, columns, data).ok_or_else(|| damaged("weights is too short"))
        };
        let of_input = rows
            .clone()
            .flat_map(|row| &row[..input])
            .copied()
            .collect();
        let of_h = rows.flat_map(|row| &row[input..]).copied().collect();
        let recurrent = Recurrent {
            cell: Cell::Lstm {
                gate: Function::Sigmoid,
                candidate: Function::Tanh,
                output: Function::Tanh,
            },
            input: matrix(input, of_input)?,
            recurrent: matrix(hidden, of_h)?,
            bias: take(4 * hidden),
            hidden_bias: Vec::new(),
            h: take(hidden),
            c: take(hidden),
        };
        let note = "h and c start as the file says, not at zero";
        all.push(layer(
            &format!("lstm {index}"),
            "LSTM",
            Kind::Recurrent(Box::new(recurrent)),
            index,
            note,
        ));
    }
    let weight = Matrix::new(1, hidden, take(hidden)).unwrap_or_default();
    let head = Kind::Dense {
        weight,
        bias: take(1),
        function: Function::Linear,
    };
    all.push(layer("head", "Linear", head, layers, ""));
    let rate = json.get("sample_rate").and_then(Json::number);
    let mut notes = vec![
        "loudness and gain in the metadata are for a player to use; they are no part of the net"
            .to_owned(),
    ];
    notes.extend(rate.map(|rate| format!("it was trained at {rate} samples a second")));
    Ok(Draft {
        format: FORMAT,
        input: Input::Features(vec![("input".to_owned(), inputs)]),
        outputs: vec![Output {
            name: "output".to_owned(),
            value: all.len(),
        }],
        layers: all,
        notes,
    })
}

fn layer(name: &str, from: &str, kind: Kind, reads: usize, note: &str) -> Layer {
    Layer {
        name: name.to_owned(),
        from: from.to_owned(),
        kind,
        reads: vec![reads],
        tensors: vec!["weights".to_owned()],
        notes: Some(note.to_owned())
            .filter(|note| !note.is_empty())
            .into_iter()
            .collect(),
    }
}
