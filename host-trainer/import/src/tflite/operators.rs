//! Operators become layers, in the order in which they are run.
//!
//! ```text
//! identity     RESHAPE, TRANSPOSE, SQUEEZE, EXPAND_DIMS of axes of 1; QUANTIZE, DEQUANTIZE; the last
//!              step of a sequence (STRIDED_SLICE)
//! affine       ADD, SUB, MUL with a constant
//! nothing      what computes a shape: it changes no number
//! ```

use super::flat::{FORMAT, damaged};
use super::graph::{Graph, Slot};
use super::lstm;
use super::model::{Kind as Type, Model, Operator, Tensor};
use crate::draft::{Draft, Function, Input, Kind, Output};
use crate::error::{Result, refused};

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Draft> {
    let model = Model::new(bytes)?;
    let (inputs, outputs) = (model.inputs()?, model.outputs()?);
    let operators = model.operators()?;
    let mut graph = Graph {
        model,
        slots: Vec::new(),
        layers: Vec::new(),
        notes: Vec::new(),
    };
    let features = graph.inputs(&inputs)?;
    for (index, operator) in operators.iter().enumerate() {
        graph.operator(index, operator)?;
    }
    let outputs = outputs.iter().map(|tensor| {
        let named = graph.model.tensor(*tensor)?;
        Ok(Output {
            name: plain(&named.name).to_owned(),
            value: graph.value(*tensor, &named.name)?,
        })
    });
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    if outputs.is_empty() {
        return Err(damaged("the graph has no outputs"));
    }
    Ok(Draft {
        format: FORMAT,
        input: Input::Features(features),
        layers: graph.layers,
        outputs,
        notes: graph.notes,
    })
}

/// A name without what the converter puts around it: `serving_default_x:0`.
fn plain(name: &str) -> &str {
    let name = name.strip_prefix("serving_default_").unwrap_or(name);
    name.strip_suffix(":0").unwrap_or(name)
}

/// The function of a fused activation.
fn fused(layer: &str, code: u8) -> Result<Function> {
    Ok(match code {
        0 => Function::Linear,
        1 => Function::Relu,
        4 => Function::Tanh,
        other => {
            let name = match other {
                2 => "RELU_N1_TO_1".to_owned(),
                3 => "RELU6".to_owned(),
                other => format!("number {other}"),
            };
            let what = format!("its fused activation is {name}");
            return Err(refused(layer, what, "train it with relu, tanh or none"));
        }
    })
}

impl<'a> Graph<'a> {
    /// The inputs side by side, and a slice for each where there are several.
    fn inputs(&mut self, inputs: &[usize]) -> Result<Vec<(String, usize)>> {
        let mut features: Vec<(String, usize)> = Vec::new();
        let mut start: usize = 0;
        for input in inputs {
            let tensor = self.model.tensor(*input)?;
            let name = plain(&tensor.name).to_owned();
            if !matches!(tensor.kind, Type::F32) && !tensor.kind.quantized() {
                let what = "an input of the graph is of whole numbers or another type";
                return Err(refused(&name, what, "import a net of real inputs"));
            }
            let width = tensor.shape.last().copied().unwrap_or(1);
            let value = match inputs.len() {
                1 => 0,
                _ => {
                    let kind = Kind::Slice { start, len: width };
                    self.push(&name, "input", kind, vec![0], &[], "")
                }
            };
            start = start.saturating_add(width);
            self.set(*input, Slot::Value(value));
            features.push((name, width));
        }
        match features.is_empty() {
            true => Err(damaged("the graph has no inputs")),
            false => Ok(features),
        }
    }

    fn operator(&mut self, index: usize, of: &Operator<'a>) -> Result<()> {
        let output = of.output()?;
        let tensor = self.model.tensor(output)?;
        // Its place and what it is, for messages; its tensor's name can be that of all the graph.
        let name = format!("operator {index} ({})", of.name);
        if self.shapes(of, &tensor)? {
            self.set(output, Slot::Shape);
            return Ok(());
        }
        if tensor.kind.quantized() {
            self.note(
                "the file computes in integers; its weights were made real numbers again by their \
                 scales, and its scales of activations are not used: gatelet export finds its own",
            );
        }
        let value = match of.name.as_str() {
            "UNIDIRECTIONAL_SEQUENCE_LSTM" => lstm::read(self, &name, of)?,
            "FULLY_CONNECTED" => self.dense(&name, of)?,
            "LOGISTIC" => self.function(&name, of, Function::Sigmoid)?,
            "TANH" => self.function(&name, of, Function::Tanh)?,
            "RELU" => self.function(&name, of, Function::Relu)?,
            "SOFTMAX" => {
                let beta = of.float(0)?;
                if beta != 1.0 {
                    let what = format!("its beta is {beta}");
                    return Err(refused(&name, what, "convert a net with a plain softmax"));
                }
                let read = self.value(of.input(0)?, &name)?;
                self.push(&name, &of.name, Kind::Softmax, vec![read], &[], "")
            }
            "RESHAPE" | "TRANSPOSE" | "SQUEEZE" | "EXPAND_DIMS" => {
                self.same_numbers(&name, of, &tensor)?;
                self.identity(&name, of, "")?
            }
            "QUANTIZE" | "DEQUANTIZE" => {
                let input = of.input(0)?;
                if let Slot::Constant(of) = self.slot(input)? {
                    self.set(output, Slot::Constant(of));
                    return Ok(());
                }
                self.identity(&name, of, "")?
            }
            "STRIDED_SLICE" => {
                self.last_step(&name, of)?;
                let note = "the last step of a sequence: a stream gives every step";
                self.identity(&name, of, note)?
            }
            "CONCATENATION" => self.concat(&name, of, &tensor)?,
            "ADD" | "SUB" | "MUL" => self.arithmetic(&name, of)?,
            other => return Err(refuse(&name, other)),
        };
        self.set(output, Slot::Value(value));
        Ok(())
    }

    /// Whether an operator computes a shape: from constants and other parts of shapes, or of one.
    fn shapes(&self, of: &Operator<'_>, output: &Tensor<'_>) -> Result<bool> {
        if !matches!(output.kind, Type::I32 | Type::I64) {
            return Ok(false);
        }
        let mut inputs = of.inputs.iter().flatten().map(|tensor| self.slot(*tensor));
        Ok(of.name == "SHAPE" || inputs.all(|slot| !matches!(slot, Ok(Slot::Value(_)) | Err(_))))
    }

    fn identity(&mut self, name: &str, of: &Operator<'_>, note: &str) -> Result<usize> {
        let read = self.value(of.input(0)?, name)?;
        Ok(self.push(name, &of.name, Kind::Identity, vec![read], &[], note))
    }

    fn function(&mut self, name: &str, of: &Operator<'_>, function: Function) -> Result<usize> {
        let read = self.value(of.input(0)?, name)?;
        let kind = Kind::Activation(function);
        Ok(self.push(name, &of.name, kind, vec![read], &[], ""))
    }

    /// A function that is part of an operator.
    fn fused(&mut self, name: &str, value: usize, code: u8) -> Result<usize> {
        match fused(name, code)? {
            Function::Linear => Ok(value),
            function => {
                let kind = Kind::Activation(function);
                Ok(self.push(name, "fused activation", kind, vec![value], &[], ""))
            }
        }
    }

    fn dense(&mut self, name: &str, of: &Operator<'_>) -> Result<usize> {
        let read = self.value(of.input(0)?, name)?;
        if of.byte(1)? != 0 {
            let what = "its weights are in an order for one processor";
            return Err(refused(name, what, "convert the net with plain weights"));
        }
        let tensor = self.constant(of.input(1)?, name)?;
        let weight = self.model.matrix(name, &tensor)?;
        let mut tensors = vec![tensor.name];
        let bias = match of.inputs.get(2).copied().flatten() {
            Some(bias) => {
                let tensor = self.constant(bias, name)?;
                tensors.push(tensor.name.clone());
                self.model.numbers(&tensor)?
            }
            None => vec![0.0; weight.rows],
        };
        let kind = Kind::Dense {
            weight,
            bias,
            function: Function::Linear,
        };
        let value = self.push(name, &of.name, kind, vec![read], &tensors, "");
        self.fused(name, value, of.byte(0)?)
    }

    /// An error where a reshape or transpose mixes steps and numbers.
    fn same_numbers(&self, name: &str, of: &Operator<'_>, output: &Tensor<'_>) -> Result<()> {
        let input = self.model.tensor(of.input(0)?)?;
        let remedy = "end the recurrent part with a layer over each step, or with the last step";
        let (before, after) = (input.long_axes(), output.long_axes());
        if before != after && !input.open && !output.open {
            let what = format!(
                "it makes {:?} of {:?}: steps and numbers are mixed, for a sequence of one length",
                output.shape, input.shape
            );
            return Err(refused(name, what, remedy));
        }
        if of.name == "TRANSPOSE" {
            let order = self
                .constant(of.input(1)?, name)?
                .ints()
                .unwrap_or_default();
            let long = |axis: &&i64| {
                let len = usize::try_from(**axis)
                    .ok()
                    .and_then(|axis| input.shape.get(axis));
                len.is_none_or(|len| *len != 1)
            };
            let long: Vec<i64> = order.iter().filter(long).copied().collect();
            // An open axis is given as 1 too: the numbers' axis stays the last then.
            let last = i64::try_from(input.shape.len()).unwrap_or(i64::MAX) - 1;
            if order.is_empty() || !long.is_sorted() || (input.open && order.last() != Some(&last))
            {
                let what = "it puts steps and numbers in another order";
                return Err(refused(name, what, remedy));
            }
        }
        Ok(())
    }

    /// An error unless it takes the last step of a sequence, whole.
    fn last_step(&self, name: &str, of: &Operator<'_>) -> Result<()> {
        let input = self.model.tensor(of.input(0)?)?;
        let begin = self
            .constant(of.input(1)?, name)?
            .ints()
            .unwrap_or_default();
        let (begins, ends, shrinks) = (of.int(0)?, of.int(1)?, of.int(4)?);
        let axes = input.shape.len().min(31);
        let steps = axes.checked_sub(2);
        let whole = (0..axes)
            .filter(|axis| Some(*axis) != axis_of(shrinks))
            .all(|axis| begins >> axis & 1 == 1 && ends >> axis & 1 == 1);
        let last = axis_of(shrinks).is_some_and(|axis| {
            let len = input.shape.get(axis).map_or(0, |len| *len as i64);
            let at = begin.get(axis).copied().unwrap_or(0);
            steps.is_some_and(|last| axis <= last) && (at == -1 || at == len - 1)
        });
        match whole && last && of.int(2)? == 0 && of.int(3)? == 0 {
            true => Ok(()),
            false => {
                let what = "it takes other steps or numbers than the last step";
                Err(refused(name, what, "import the net up to here"))
            }
        }
    }

    fn concat(&mut self, name: &str, of: &Operator<'_>, output: &Tensor<'_>) -> Result<usize> {
        let axis = i64::from(of.int(0)?);
        let axes = i64::try_from(output.shape.len()).unwrap_or(0);
        if axis != -1 && axis != axes - 1 {
            let what = format!("it joins along axis {axis}, not along the numbers of a step");
            return Err(refused(name, what, "import the net up to here"));
        }
        let reads = of
            .inputs
            .iter()
            .flatten()
            .map(|tensor| self.value(*tensor, name));
        let reads = reads.collect::<Result<Vec<_>>>()?;
        let value = self.push(name, &of.name, Kind::Concat, reads, &[], "");
        self.fused(name, value, of.byte(1)?)
    }

    /// A sum of two values, or a constant added, taken away or multiplied.
    fn arithmetic(&mut self, name: &str, of: &Operator<'_>) -> Result<usize> {
        let (a, b) = (of.input(0)?, of.input(1)?);
        let (kind, reads, tensors) = match (self.slot(a)?, self.slot(b)?) {
            (Slot::Value(a), Slot::Value(b)) if of.name == "ADD" => {
                (Kind::Add, vec![a, b], Vec::new())
            }
            (Slot::Value(value), Slot::Constant(by)) | (Slot::Constant(by), Slot::Value(value)) => {
                let tensor = self.model.tensor(by)?;
                let long = tensor.long_axes();
                if long.len() > 1 || (long.len() == 1 && tensor.shape.last() != long.first()) {
                    let what = "its constant is another for each step";
                    return Err(refused(name, what, "use one constant for all steps"));
                }
                let numbers = self.model.numbers(&tensor)?;
                let reversed = self.slot(a)? == Slot::Constant(by);
                let sign = if of.name == "SUB" { -1.0 } else { 1.0 };
                let count = numbers.len();
                let (factor, offset) = match (of.name.as_str(), reversed) {
                    ("MUL", _) => (numbers, vec![0.0; count]),
                    ("SUB", true) => (vec![-1.0; count], numbers),
                    _ => (vec![1.0; count], numbers.iter().map(|x| sign * x).collect()),
                };
                (
                    Kind::Affine { factor, offset },
                    vec![value],
                    vec![tensor.name],
                )
            }
            _ => {
                let what = format!(
                    "{} of two values: a cell that was taken apart, or a gate between layers",
                    of.name
                );
                return Err(refused(name, what, WHOLE));
            }
        };
        let value = self.push(name, &of.name, kind, reads, &tensors, "");
        self.fused(name, value, of.byte(0)?)
    }
}

/// The only axis of a mask.
fn axis_of(mask: i32) -> Option<usize> {
    (mask.count_ones() == 1).then_some(mask.trailing_zeros() as usize)
}

/// What to do where a cell is not one operator.
const WHOLE: &str = "convert it so that UNIDIRECTIONAL_SEQUENCE_LSTM stays one operator (Keras 2's \
                     LSTM does), or import the .keras, .h5 or ONNX file";

/// Why an operator cannot come along.
fn refuse(name: &str, operator: &str) -> crate::Error {
    match operator {
        "WHILE" => refused(
            name,
            "it is a loop: a recurrent layer that was taken apart",
            WHOLE,
        ),
        "UNPACK" | "SPLIT" | "SPLIT_V" | "PACK" => {
            let what = "it takes a recurrent layer apart, step by step or gate by gate";
            refused(name, what, WHOLE)
        }
        "REVERSE_V2"
        | "REVERSE_SEQUENCE"
        | "BIDIRECTIONAL_SEQUENCE_LSTM"
        | "BIDIRECTIONAL_SEQUENCE_RNN" => {
            let what = "it runs backwards (bidirectional, go_backwards): that needs the end of the \
                        sequence, and a stream has none";
            refused(name, what, "train the net in one direction")
        }
        _ => {
            let remedy = "take it out of the net, or import what is before it";
            refused(name, "no operation of Gatelet does this", remedy)
        }
    }
}
