//! Recurrent layers.
//!
//! ```text
//! LSTM          kernel [inputs, 4 units], gates i f c o as ours; bias [4 units]
//! GRU           kernel [inputs, 3 units], gates z r h, ours r z n; bias [3 units] where r
//!               multiplies h, [2, 3 units] (of x, of h) where it multiplies the product
//! CuDNNLSTM     bias [8 units], CuDNNGRU: [6 units]; the first half of x, the second of h. The
//!               columns of a gate, row after row, are [units, inputs] already
//! ```

use gatelet::net::{MAX_SIZE, Reset};
use serde_json::Value;

use super::builder::{About, Builder, Form, Made, Of, expect, masked};
use super::function::{Act, function};
use super::graph::{Node, known};
use super::hdf5::Tensor;
use super::json::{Object, damaged, flag, list, object, real, size, text};
use super::weights::{Place, Snake};
use crate::draft::{Cell, Function, Kind, Matrix, Recurrent, blocks};
use crate::error::{Result, refused};

impl Builder<'_> {
    pub(super) fn recurrent(&mut self, of: Of<'_>, node: &Node<'_>, read: Made) -> Result<Made> {
        let Form::Steps(steps) = read.form else {
            return Err(damaged(format!("{} reads a vector without steps", of.name)));
        };
        if let Some(by) = read.masked {
            return Err(masked(of.name, &self.graph.nodes[by].name));
        }
        if node.masked {
            return Err(masked(of.name, "a mask that it is given"));
        }
        if flag(of.config, "go_backwards") {
            let what = "go_backwards: it reads the sequence from its end, and a stream has none";
            return Err(refused(of.name, what, "train it forwards"));
        }
        let mut notes = self.states(of, node)?;
        let flags = [
            ("stateful", "stateful: a stream carries the state anyway"),
            (
                "time_major",
                "time_major: a stream has one axis less, so both are the same",
            ),
            (
                "unit_forget_bias",
                "unit_forget_bias: it only says what the bias began with",
            ),
        ];
        let said = flags.iter().filter(|(key, _)| flag(of.config, key));
        notes.extend(said.map(|(_, note)| (*note).to_owned()));
        let dropped = ["dropout", "recurrent_dropout"].iter();
        if dropped
            .clone()
            .any(|key| real(of.config, key).unwrap_or(0.0) != 0.0)
        {
            notes.push("dropout left out: it acts in training only".to_owned());
        }
        let sequences = flag(of.config, "return_sequences");
        if !sequences && steps != 1 {
            let note =
                "return_sequences=False: the file's net gives its last step, a stream every one";
            notes.push(note.to_owned());
        }
        let mut made = read;
        for (class, config, place) in self.cells(of)? {
            let name = place.layer(of.name);
            let cell = Of {
                class,
                config,
                name: &name,
                place: &place,
                ..of
            };
            made = self.cell(cell, of.class, made, std::mem::take(&mut notes))?;
        }
        made.form = match (sequences, steps) {
            (true, _) => read.form,
            (false, steps) => Form::Vector { last: steps != 1 },
        };
        Ok(made)
    }

    /// States that the layer is given: none, or inputs of the net, which the stream carries.
    fn states(&self, of: Of<'_>, node: &Node<'_>) -> Result<Vec<String>> {
        let is_input = |node: usize| self.inputs[node] && self.states[node];
        let ours = node.state.iter().all(|source| is_input(source.node));
        if !ours {
            let what = "its initial_state is computed by other layers (an encoder)";
            let remedy = "import encoder and decoder as two nets, and set the state between them";
            return Err(refused(of.name, what, remedy));
        }
        Ok(match node.state.is_empty() {
            true => Vec::new(),
            false => vec!["initial_state: the inputs become the carried state".to_owned()],
        })
    }

    /// The cells of a layer, with their configurations and places.
    fn cells<'a>(&self, of: Of<'a>) -> Result<Vec<(&'a str, &'a Object, Place)>> {
        let place = match of.class {
            "CuDNNLSTM" | "CuDNNGRU" => of.place.clone(),
            _ => of.place.within("cell"),
        };
        if of.class != "RNN" {
            let class = of.class.strip_prefix("CuDNN").unwrap_or(of.class);
            return Ok(vec![(class, of.config, place)]);
        }
        let cell = |value: &'a Value| {
            let all = value.as_object()?;
            Some((text(all, "class_name")?, object(all, "config")?, all))
        };
        let missing = || damaged(format!("{} has no cell", of.name));
        let (class, config, all) = of.config.get("cell").and_then(cell).ok_or_else(missing)?;
        known(of.name, class, all)?;
        if class != "StackedRNNCells" {
            return Ok(vec![(named(of, class)?, config, place)]);
        }
        let mut snake = Snake::default();
        let mut cells = Vec::new();
        for value in list(config, "cells") {
            let (class, config, all) = cell(value).ok_or_else(missing)?;
            known(of.name, class, all)?;
            let name = text(config, "name").unwrap_or_default();
            let place = place.cell(&snake.name(class), name);
            cells.push((named(of, class)?, config, place));
        }
        match cells.is_empty() {
            true => Err(missing()),
            false => Ok(cells),
        }
    }

    fn cell(&mut self, of: Of<'_>, from: &str, read: Made, mut notes: Vec<String>) -> Result<Made> {
        let units = size(of.config, "units", of.name)?;
        if units > MAX_SIZE {
            let what = format!("it has {units} units, of at most {MAX_SIZE}");
            return Err(refused(of.name, what, "train a smaller layer"));
        }
        let biased = of.config.get("use_bias") != Some(&Value::Bool(false));
        let roles = ["kernel", "recurrent_kernel", "bias"];
        let roles = if biased { &roles[..] } else { &roles[..2] };
        let tensors = self.store.take(of.name, of.place, roles)?;
        let names: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        let [kernel, recurrent, bias @ ..] = &tensors[..] else {
            return Err(damaged(format!("{} has no weights", of.name)));
        };
        let mut cell = self.kind(of, bias.first(), units)?;
        let gates = cell.gates();
        let rows = gates * units;
        expect(of.name, &kernel.name, &kernel.shape, &[read.width, rows])?;
        expect(of.name, &recurrent.name, &recurrent.shape, &[units, rows])?;
        let cudnn = bias.first().is_some_and(|bias| bias.shape == [2 * rows]);
        let (input, recurrent) = match cudnn {
            true => {
                let note = "weights of CuDNN: kernels transposed, its two biases taken apart";
                notes.push(note.to_owned());
                (cudnn_blocks(kernel, gates), cudnn_blocks(recurrent, gates))
            }
            false => (transposed(kernel), transposed(recurrent)),
        };
        let input = Matrix::new(rows, read.width, input).unwrap_or_default();
        let recurrent = Matrix::new(rows, units, recurrent).unwrap_or_default();
        let (x, h) = match bias.first() {
            None => (vec![0.0; rows], vec![0.0; rows]),
            Some(bias) if bias.data.len() == 2 * rows => {
                let (x, h) = bias.data.split_at(rows);
                (x.to_vec(), h.to_vec())
            }
            Some(bias) => {
                expect(of.name, &bias.name, &bias.shape, &[rows])?;
                (bias.data.clone(), vec![0.0; rows])
            }
        };
        let mut made = Recurrent {
            cell,
            input,
            recurrent,
            bias: x.iter().zip(&h).map(|(x, h)| x + h).collect(),
            hidden_bias: Vec::new(),
            h: Vec::new(),
            c: Vec::new(),
        };
        if let Cell::Gru { reset, .. } = &mut cell {
            if matches!(reset, Reset::After) {
                made.bias[2 * units..].copy_from_slice(&x[2 * units..]);
                made.hidden_bias = h[2 * units..].to_vec();
            }
            let order = [1, 0, 2];
            made.input = made.input.blocks(&order);
            made.recurrent = made.recurrent.blocks(&order);
            made.bias = blocks(&made.bias, &order);
            notes.push("gates z r h in the order r z n".to_owned());
        }
        let about = About {
            tensors: names,
            notes,
        };
        let kind = Kind::Recurrent(Box::new(made));
        Ok(Made {
            value: self.push(of.name, from, kind, &[read.value], about),
            width: units,
            ..read
        })
    }

    /// The cell of a class, with its activations.
    fn kind(&self, of: Of<'_>, bias: Option<&Tensor>, units: usize) -> Result<Cell> {
        let cudnn = bias.is_some_and(|bias| bias.shape.len() == 1) && {
            let gates = if of.class == "LSTM" { 8 } else { 6 };
            of.class != "SimpleRNN" && bias.is_some_and(|bias| bias.data.len() == gates * units)
        };
        let named = |key: &str, cudnn_default: Function| match of.config.get(key) {
            None if cudnn => Ok(cudnn_default),
            None => Err(damaged(format!(
                "the configuration of {} has no {key}",
                of.name
            ))),
            value => match function(of.name, value, self.version)? {
                Act::Of(function) => Ok(function),
                Act::Softmax => {
                    let what = format!("its {key} is softmax, which no cell has");
                    Err(refused(of.name, what, "train with tanh or relu"))
                }
            },
        };
        let candidate = named("activation", Function::Tanh)?;
        if of.class == "SimpleRNN" {
            return Ok(Cell::Rnn {
                function: candidate,
            });
        }
        let gate = named("recurrent_activation", Function::Sigmoid)?;
        if of.class == "LSTM" {
            return Ok(Cell::Lstm {
                gate,
                candidate,
                output: candidate,
            });
        }
        let two = bias.is_some_and(|bias| bias.shape.len() == 2) || cudnn;
        let reset = match of.config.get("reset_after").and_then(Value::as_bool) {
            Some(true) => Reset::After,
            Some(false) if cudnn => {
                let what = "its weights are of CuDNN, and reset_after is false";
                return Err(refused(
                    of.name,
                    what,
                    "set reset_after in the configuration",
                ));
            }
            Some(false) => Reset::Before,
            None if two => Reset::After,
            None => Reset::Before,
        };
        if let (Reset::After, false, Some(bias)) = (reset, cudnn, bias) {
            expect(of.name, &bias.name, &bias.shape, &[2, 3 * units])?;
        }
        Ok(Cell::Gru {
            reset,
            gate,
            candidate,
        })
    }
}

/// The class of a cell, as its layer is called.
fn named<'a>(of: Of<'_>, class: &'a str) -> Result<&'a str> {
    match class {
        "LSTMCell" | "GRUCell" | "SimpleRNNCell" => Ok(class.trim_end_matches("Cell")),
        _ => {
            let what = format!("its cell is {class}, which Gatelet has not");
            Err(refused(
                of.name,
                what,
                "train with LSTMCell, GRUCell or SimpleRNNCell",
            ))
        }
    }
}

/// `[inputs, rows]` as `[rows, inputs]`.
fn transposed(kernel: &Tensor) -> Vec<f32> {
    let [inputs, rows] = kernel.shape[..] else {
        return Vec::new();
    };
    let matrix = Matrix::new(inputs, rows, kernel.data.clone());
    matrix.unwrap_or_default().transposed().data
}

/// The blocks of columns of `[inputs, gates units]`, one after the other, each row after row.
fn cudnn_blocks(kernel: &Tensor, gates: usize) -> Vec<f32> {
    let columns = kernel.data.len() / kernel.shape.first().copied().unwrap_or(1).max(1);
    let units = (columns / gates).max(1);
    let block = |gate: usize| {
        let rows = kernel.data.chunks_exact(columns.max(1));
        rows.flat_map(move |row| row.iter().skip(gate * units).take(units))
    };
    (0..gates).flat_map(block).copied().collect()
}
