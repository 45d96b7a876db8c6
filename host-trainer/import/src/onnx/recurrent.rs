//! LSTM, GRU and RNN.
//!
//! ```text
//! X [time, batch, n]   W [1, gates*H, n]   R [1, gates*H, H]   B [1, 2*gates*H]: of W, then of R
//! Y [time, 1, batch, H]   Y_h, Y_c [1, batch, H]       layout 1: the batch stands first
//! gates: i o f g of an LSTM, z r n of a GRU
//! ```

use gatelet::net::Reset;

use super::outer::Role;
use super::proto::Node;
use super::reader::{Kind, Reader};
use super::step::Step;
use super::tensor::{Axis, Element, Num, Source, Tensor, elements};
use crate::draft::{Cell, Function, Kind as Layer, Matrix, Recurrent, blocks};

/// What stands at the start of a sequence.
enum Start {
    Numbers(Vec<f32>),
    Inputs(Vec<Element>),
}

impl Reader {
    pub(super) fn recurrent(&mut self, node: &Node) -> Step<Vec<Option<Tensor>>> {
        let cell = self.cell(node)?;
        let gates = cell.gates();
        let x = self.input(node, 0)?;
        let (w, w_names) = self.weights(node, 1, "W")?;
        let (r, r_names) = self.weights(node, 2, "R")?;
        let units = r.columns;
        self.spend(node, w.data.len() + r.data.len())?;
        let says = node.int("hidden_size");
        if says.is_some_and(|says| usize::try_from(says) != Ok(units)) || r.rows != gates * units {
            let (rows, says) = (r.rows, says.unwrap_or(-1));
            return node.wrong(format!(
                "its R has the shape [1, {rows}, {units}], its hidden_size is {says}"
            ));
        }
        if w.rows != r.rows {
            return node.wrong(format!("its W has {} rows and its R {}", w.rows, r.rows));
        }
        let mut names = [w_names, r_names].concat();
        let (bias, hidden_bias) = self.bias(node, cell, units, &mut names)?;
        let order: &[usize] = match cell {
            Cell::Rnn { .. } => &[0],
            Cell::Lstm { .. } => &[0, 2, 3, 1],
            Cell::Gru { .. } => &[1, 0, 2],
        };
        let layout = node.int("layout").unwrap_or(0);
        let (time, batch) = self.axes_of(node, &x, layout, w.columns)?;
        let Some(of) = x.as_elements().filter(|of| of.len() == w.columns) else {
            let (have, need) = (x.count(), w.columns);
            return node.wrong(format!(
                "its W reads {need} numbers, of {have} that there are"
            ));
        };
        let step = matches!(time, Axis::Fixed { .. });
        if x.last {
            return node.refuse(
                "it reads the last step of another sequence",
                "a stream does not know its last step: an encoder and its decoder are two nets",
            );
        }
        let mut recurrent = Recurrent {
            cell,
            input: w.blocks(order),
            recurrent: r.blocks(order),
            bias: blocks(&bias, order),
            hidden_bias,
            h: Vec::new(),
            c: Vec::new(),
        };
        let mut start = [Vec::new(), Vec::new()];
        let lstm = matches!(cell, Cell::Lstm { .. });
        for (k, what) in ["initial_h", "initial_c"].into_iter().enumerate() {
            if k == 1 && !lstm {
                continue;
            }
            match self.start(node, 5 + k, what, units, layout)? {
                Start::Inputs(of) => start[k] = of,
                Start::Numbers(of) if k == 0 => recurrent.h = of,
                Start::Numbers(of) => recurrent.c = of,
            }
        }
        let kind = Kind::Layer(Layer::Recurrent(Box::new(recurrent)));
        let h = self.push(node, kind, vec![of.clone()], units);
        let made = self.ops.len() - 1;
        let op = &mut self.ops[made];
        (op.tensors, op.start) = (names, start);
        let c = elements(Source::Cell(made), units);
        let (one, all) = (Axis::ONE, Axis::fixed(units));
        let (y, end) = match layout {
            0 => (
                vec![time, one.clone(), batch.clone(), all.clone()],
                vec![one, batch, all],
            ),
            _ => (
                vec![batch.clone(), time, one.clone(), all.clone()],
                vec![batch, one, all],
            ),
        };
        let state = |of| Tensor {
            last: !step,
            state: true,
            ..Tensor::elements(end.clone(), of)
        };
        let mut outputs = vec![Some(Tensor::elements(y, h.clone())), Some(state(h))];
        if lstm {
            outputs.push(Some(state(c)));
        }
        Ok(outputs)
    }

    /// The time and batch axes of X.
    fn axes_of(&mut self, node: &Node, x: &Tensor, layout: i64, n: usize) -> Step<(Axis, Axis)> {
        let [first, second, features] = &x.axes[..] else {
            let rank = x.axes.len();
            return node.wrong(format!("its X has {rank} axes, not 3"));
        };
        let (time, batch) = match layout {
            0 => (first, second),
            _ => (second, first),
        };
        self.outers.must_be(time)?;
        self.outers.must_be(batch)?;
        self.outers.must_have(features, n)?;
        for (axis, role) in [(time, Role::Time), (batch, Role::Batch)] {
            match axis {
                Axis::Outer(ids) => {
                    let [id] = ids[..] else {
                        return node.refuse(
                            "it runs over batch and time put together",
                            "a stream has one time",
                        );
                    };
                    self.outers.is(node, id, role)?;
                }
                Axis::Fixed { len: 1, .. } => {}
                Axis::Fixed { len, .. } => {
                    return node.refuse(
                        format!("it runs over {len} numbers of one step as if they were time"),
                        "a stream has one time: make the axis an input's",
                    );
                }
            }
        }
        if let Some(lens) = self.optional(node, 4)? {
            let size = self.outers.num(time);
            let all = lens.as_ints().unwrap_or_default();
            let known = self.outers.known(&size);
            let whole = |num: &Num| *num == size || known.is_some_and(|t| *num == Num::Known(t));
            if all.is_empty() || !all.iter().all(whole) {
                return node.refuse(
                    "its sequence_lens may be shorter than the sequence",
                    "a stream has no padding: export the model without sequence_lens",
                );
            }
        }
        Ok((time.clone(), batch.clone()))
    }

    fn cell(&mut self, node: &Node) -> Step<Cell> {
        let direction = node
            .text("direction")
            .unwrap_or_else(|| "forward".to_owned());
        if direction != "forward" {
            return node.refuse(
                format!("it is {direction}: it needs the whole sequence before its first output"),
                "a stream has no end: train it with direction forward",
            );
        }
        if node.float("clip").is_some_and(|clip| clip != 0.0) {
            return node.refuse(
                "it clips the sums of its gates (clip), which Gatelet's cells do not",
                "train it without clip",
            );
        }
        if node.int("input_forget").unwrap_or(0) != 0 {
            return node.refuse(
                "it couples input and forget gate (input_forget)",
                "train it with input_forget 0",
            );
        }
        if !matches!(node.int("layout").unwrap_or(0), 0 | 1) {
            return node.wrong("its layout is neither 0 nor 1");
        }
        if node.op() == "LSTM"
            && let Some(peepholes) = self.optional(node, 7)?
            && peepholes
                .as_floats()
                .is_none_or(|all| all.iter().any(|p| *p != 0.0))
        {
            return node.refuse(
                "it has peepholes (P), from c to its gates",
                "train it without peepholes",
            );
        }
        let defaults: &[&str] = match node.op() {
            "LSTM" => &["Sigmoid", "Tanh", "Tanh"],
            "GRU" => &["Sigmoid", "Tanh"],
            _ => &["Tanh"],
        };
        let functions = functions(node, defaults)?;
        Ok(match functions[..] {
            [gate, candidate, output] => Cell::Lstm {
                gate,
                candidate,
                output,
            },
            [gate, candidate] => Cell::Gru {
                reset: match node.int("linear_before_reset").unwrap_or(0) {
                    0 => Reset::Before,
                    _ => Reset::After,
                },
                gate,
                candidate,
            },
            _ => Cell::Rnn {
                function: functions.first().copied().unwrap_or_default(),
            },
        })
    }

    /// A constant tensor `[1, rows, columns]`.
    fn weights(&self, node: &Node, k: usize, name: &str) -> Step<(Matrix, Vec<String>)> {
        let tensor = self.input(node, k)?;
        let Some(data) = tensor.as_floats() else {
            return node.refuse(
                format!("its weights {name} are an input of the graph, or computed"),
                "only constant weights can come along: make them initializers",
            );
        };
        let matrix = match tensor.dims()[..] {
            [1, rows, columns] if tensor.axes.len() == 3 => {
                Matrix::new(rows, columns, data.to_vec())
            }
            _ => None,
        };
        match matrix {
            Some(matrix) => Ok((matrix, tensor.names)),
            None => {
                let dims = tensor.dims();
                node.wrong(format!(
                    "its {name} has the shape {dims:?}, not [1, rows, columns]"
                ))
            }
        }
    }

    /// Both biases added, and apart what a GRU's reset multiplies.
    fn bias(
        &self,
        node: &Node,
        cell: Cell,
        units: usize,
        names: &mut Vec<String>,
    ) -> Step<(Vec<f32>, Vec<f32>)> {
        let rows = cell.gates() * units;
        let after = matches!(
            cell,
            Cell::Gru {
                reset: Reset::After,
                ..
            }
        );
        let all = match self.optional(node, 3)? {
            None => vec![0.0; 2 * rows],
            Some(tensor) => {
                let Some(all) = tensor.as_floats() else {
                    return node.refuse(
                        "its bias B is an input of the graph, or computed",
                        "only constant weights can come along: make them initializers",
                    );
                };
                if all.len() != 2 * rows {
                    let have = all.len();
                    return node.wrong(format!("its B has {have} numbers, not {}", 2 * rows));
                }
                names.extend(tensor.names.clone());
                all.to_vec()
            }
        };
        let (of_w, of_r) = all.split_at(rows);
        let mut bias: Vec<f32> = of_w.iter().zip(of_r).map(|(w, r)| w + r).collect();
        let mut hidden = Vec::new();
        if after {
            hidden = of_r[2 * units..].to_vec();
            bias[2 * units..].copy_from_slice(&of_w[2 * units..]);
        }
        Ok((bias, hidden))
    }

    /// h or c at the start: constants, or inputs of the graph.
    fn start(
        &mut self,
        node: &Node,
        k: usize,
        what: &str,
        units: usize,
        layout: i64,
    ) -> Step<Start> {
        let Some(tensor) = self.optional(node, k)? else {
            return Ok(Start::Numbers(Vec::new()));
        };
        let batch = if layout == 0 { 1 } else { 0 };
        if let (Some(axis), Some(_)) = (tensor.axes.get(batch), tensor.as_elements()) {
            self.outers.must_be(axis)?;
        }
        if let Some(axis) = tensor.axes.get(2) {
            self.outers.must_have(axis, units)?;
        }
        let wrong = tensor.axes.len() != 3
            || tensor.axes[2].len() != Some(units)
            || tensor.axes[1 - batch].len() != Some(1);
        if wrong {
            let dims = tensor.dims();
            return node.wrong(format!("its {what} has the shape {dims:?}"));
        }
        if let Some(of) = tensor.as_elements() {
            let input = |of: &Element| matches!(of.source, Source::Input(_));
            if of.len() != units || !of.iter().all(input) {
                return node.refuse(
                    format!("its start state {what} is computed by the net"),
                    "a stream starts from a constant state, or the one it left",
                );
            }
            return Ok(Start::Inputs(of.to_vec()));
        }
        let Some(all) = tensor.floats(&self.outers) else {
            return node.wrong(format!("its {what} is no constant"));
        };
        // The last entry of a batch is the stream.
        let last = all[all.len().saturating_sub(units)..].to_vec();
        if all.chunks(units.max(1)).any(|entry| entry != last) {
            self.note(format!(
                "{}: the entries of a batch start from different states; the last is taken",
                node.label()
            ));
        }
        Ok(Start::Numbers(match last.iter().all(|x| *x == 0.0) {
            true => Vec::new(),
            false => last,
        }))
    }
}

/// The functions of a cell's gates, as its attributes say.
fn functions(node: &Node, defaults: &[&str]) -> Step<Vec<Function>> {
    let names: Vec<String> = match node.attribute("activations") {
        Some(of) if !of.strings.is_empty() => {
            let all = of.strings.iter();
            all.map(|name| String::from_utf8_lossy(name).into_owned())
                .collect()
        }
        _ => defaults.iter().map(|name| (*name).to_owned()).collect(),
    };
    if names.len() != defaults.len() {
        let (have, need) = (names.len(), defaults.len());
        return node.wrong(format!("it names {have} activations, not {need}"));
    }
    let list = |name| {
        node.attribute(name)
            .map(|of| of.floats.clone())
            .unwrap_or_default()
    };
    let (mut alpha, mut beta) = (
        list("activation_alpha").into_iter(),
        list("activation_beta").into_iter(),
    );
    let mut functions = Vec::new();
    for name in names {
        functions.push(match name.to_ascii_lowercase().as_str() {
            "sigmoid" => Function::Sigmoid,
            "tanh" => Function::Tanh,
            "relu" => Function::Relu,
            "hardsigmoid" => Function::HardSigmoid {
                slope: alpha.next().unwrap_or(0.2),
                offset: beta.next().unwrap_or(0.5),
            },
            _ => {
                return node.refuse(
                    format!("its activation {name} is none of Gatelet's cells"),
                    "train it again with the usual activations (sigmoid, tanh)",
                );
            }
        });
    }
    Ok(functions)
}
