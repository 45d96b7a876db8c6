//! RTNeural's JSON of a Keras net, with what AIDA-X adds to it.
//!
//! ```text
//! dense   [kernel [input, units], bias [units]]
//! lstm    [kernel [input, 4*units], recurrent [units, 4*units], bias [4*units]]     i f g o
//! gru     [kernel [input, 3*units], recurrent [units, 3*units], bias [2, 3*units]]  z r n
//! y = out_gain (net(in_gain x) + in_skip in_gain x), gains in dB
//! ```
//! The shape that a layer declares is checked against each of its tensors.

use gatelet::net::Reset;

use super::value::Json;
use crate::draft::{Cell, Draft, Function, Input, Kind, Layer, Matrix, Output, Recurrent, blocks};
use crate::error::{Error, Result, refused};

const FORMAT: &str = "RTNeural";

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: FORMAT,
        what: what.into(),
    }
}

/// The last axis of a declared shape: `[null, null, 8]`.
fn last(shape: Option<&Json>) -> Option<usize> {
    match shape? {
        Json::Numbers(all) => Json::Number(*all.last()?).count(),
        list => list.items()?.last()?.count(),
    }
}

/// A net that is being made.
struct Reader {
    layers: Vec<Layer>,
    width: usize,
}

/// Reads a file.
pub(super) fn read(json: &Json) -> Result<Draft> {
    let width = last(json.get("in_shape")).ok_or_else(|| damaged("in_shape has no last axis"))?;
    let layers = json.get("layers").and_then(Json::items);
    let layers = layers.ok_or_else(|| damaged("layers is no list"))?;
    let mut reader = Reader {
        layers: Vec::new(),
        width,
    };
    let gain = |key: &str| {
        json.get(key)
            .and_then(Json::number)
            .filter(|gain| *gain != 0.0)
    };
    if let Some(gain) = gain("in_gain") {
        reader.gain("in_gain", gain, width);
    }
    let skipped = reader.layers.len();
    for (index, layer) in layers.iter().enumerate() {
        reader.layer(index, layer)?;
    }
    match json.get("in_skip").and_then(Json::number).unwrap_or(0.0) {
        0.0 => {}
        1.0 if reader.width == 1 => {
            let net = reader.layers.len();
            let first = Kind::Slice { start: 0, len: 1 };
            reader.push("in_skip", "in_skip", first, vec![skipped], 1);
            let add = vec![net, net + 1];
            reader.push("sum", "in_skip", Kind::Add, add, 1);
        }
        skip => {
            let what = format!("in_skip is {skip} of a net of {} outputs", reader.width);
            return Err(refused(
                "the file",
                what,
                "in_skip is 0, or 1 with one output",
            ));
        }
    }
    if let Some(gain) = gain("out_gain") {
        reader.gain("out_gain", gain, reader.width);
    }
    Ok(Draft {
        format: FORMAT,
        input: Input::Features(vec![("input".to_owned(), width)]),
        outputs: vec![Output {
            name: "output".to_owned(),
            value: reader.layers.len(),
        }],
        layers: reader.layers,
        notes: Vec::new(),
    })
}

/// A layer of the file, and what it is called in messages.
struct Declared<'a> {
    name: String,
    kind: &'a str,
    units: usize,
    weights: &'a [Json],
}

impl Declared<'_> {
    /// A tensor of exactly this shape.
    fn tensor(&self, index: usize, shape: &[usize]) -> Result<Vec<f32>> {
        let tensor = format!("weights[{index}]");
        let json = self.weights.get(index).ok_or_else(|| Error::Missing {
            name: self.name.clone(),
            tensor: tensor.clone(),
            remedy: "save the net again with its weights".to_owned(),
        })?;
        let (found, numbers) = json
            .tensor()
            .ok_or_else(|| damaged(format!("{}: {tensor} is no tensor of numbers", self.name)))?;
        match found == shape {
            true => Ok(numbers),
            false => Err(Error::Shape {
                name: format!("{} (declared with {} units)", self.name, self.units),
                tensor,
                found: format!("{found:?}"),
                expected: format!("{shape:?}"),
            }),
        }
    }

    /// A matrix that the file holds with its columns as rows.
    fn matrix(&self, index: usize, rows: usize, columns: usize) -> Result<Matrix> {
        let numbers = self.tensor(index, &[rows, columns])?;
        let matrix = Matrix::new(rows, columns, numbers);
        let matrix = matrix.ok_or_else(|| damaged(format!("{}: no matrix", self.name)))?;
        Ok(matrix.transposed())
    }
}

impl Reader {
    fn push(&mut self, name: &str, from: &str, kind: Kind, reads: Vec<usize>, width: usize) {
        let tensors = match &kind {
            Kind::Recurrent(_) => 3,
            Kind::Dense { .. } => 2,
            _ => 0,
        };
        self.layers.push(Layer {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            reads,
            tensors: (0..tensors).map(|k| format!("weights[{k}]")).collect(),
            notes: Vec::new(),
        });
        self.width = width;
    }

    /// A layer that reads what is before it.
    fn next(&mut self, of: &Declared<'_>, kind: Kind) {
        let reads = vec![self.layers.len()];
        self.push(&of.name, of.kind, kind, reads, of.units);
    }

    /// `10^(gain / 20) x`.
    fn gain(&mut self, name: &str, decibels: f64, width: usize) {
        let factor = 10_f64.powf(decibels / 20.0) as f32;
        let kind = Kind::Affine {
            factor: vec![factor],
            offset: vec![0.0],
        };
        let reads = vec![self.layers.len()];
        self.push(name, name, kind, reads, width);
    }

    fn layer(&mut self, index: usize, json: &Json) -> Result<()> {
        let name = format!("layers[{index}]");
        let wrong = |what: &str| damaged(format!("{name}: {what}"));
        let kind = json.get("type").and_then(Json::text);
        let kind = kind.ok_or_else(|| wrong("it has no type"))?;
        let units = last(json.get("shape")).filter(|units| *units > 0);
        let units = units.ok_or_else(|| wrong("its shape has no last axis"))?;
        let weights = json
            .get("weights")
            .and_then(Json::items)
            .unwrap_or_default();
        let activation = json
            .get("activation")
            .and_then(Json::text)
            .unwrap_or_default();
        let of = Declared {
            name: format!("{name} ({})", kind.escape_debug()),
            kind,
            units,
            weights,
        };
        match kind {
            "dense" | "time-distributed-dense" => {
                self.dense(&of)?;
                self.activation(&of, activation)
            }
            "activation" => {
                if units != self.width {
                    let what = format!("it declares {units} units and is given {}", self.width);
                    return Err(refused(&of.name, what, "check the file"));
                }
                self.activation(&of, activation)
            }
            "lstm" | "gru" => {
                if !matches!(activation, "" | "tanh") {
                    let what = format!(
                        "its activation is {}, where RTNeural computes tanh",
                        activation.escape_debug()
                    );
                    return Err(refused(&of.name, what, "train it with tanh"));
                }
                self.recurrent(&of)
            }
            "batchnorm" => self.norm(&of, json.get("epsilon").and_then(Json::number)),
            _ => {
                let what = match kind.starts_with("conv") {
                    true => "it is a convolution, which is no operation of Gatelet",
                    false => "no operation of Gatelet does this",
                };
                Err(refused(
                    &of.name,
                    what,
                    "train a net of dense, lstm and gru layers",
                ))
            }
        }
    }

    fn dense(&mut self, of: &Declared<'_>) -> Result<()> {
        let kind = Kind::Dense {
            weight: of.matrix(0, self.width, of.units)?,
            bias: match of.weights.len() {
                1 => vec![0.0; of.units],
                _ => of.tensor(1, &[of.units])?,
            },
            function: Function::Linear,
        };
        self.next(of, kind);
        Ok(())
    }

    fn activation(&mut self, of: &Declared<'_>, name: &str) -> Result<()> {
        let kind = match name {
            "" | "linear" => return Ok(()),
            "tanh" => Kind::Activation(Function::Tanh),
            "relu" => Kind::Activation(Function::Relu),
            "sigmoid" => Kind::Activation(Function::Sigmoid),
            "elu" => Kind::Activation(Function::Elu),
            "softmax" => Kind::Softmax,
            other => {
                let what = format!("its activation is {}", other.escape_debug());
                let remedy = "train it with tanh, relu, elu, sigmoid, or softmax at the end";
                return Err(refused(&of.name, what, remedy));
            }
        };
        let reads = vec![self.layers.len()];
        self.push(&of.name, name, kind, reads, of.units);
        Ok(())
    }

    fn recurrent(&mut self, of: &Declared<'_>) -> Result<()> {
        let units = of.units;
        let lstm = of.kind == "lstm";
        let rows = units.saturating_mul(if lstm { 4 } else { 3 });
        let input = of.matrix(0, self.width, rows)?;
        let recurrent = of.matrix(1, units, rows)?;
        let all = match lstm {
            true => Recurrent {
                cell: Cell::Lstm {
                    gate: Function::Sigmoid,
                    candidate: Function::Tanh,
                    output: Function::Tanh,
                },
                input,
                recurrent,
                bias: of.tensor(2, &[rows])?,
                hidden_bias: Vec::new(),
                h: Vec::new(),
                c: Vec::new(),
            },
            false => {
                // z r n becomes r z n.
                const ORDER: [usize; 3] = [1, 0, 2];
                let both = of.tensor(2, &[2, rows])?;
                let (first, second) = both.split_at(rows);
                let (mut bias, own) = (blocks(first, &ORDER), blocks(second, &ORDER));
                let added = bias.iter_mut().zip(&own).take(2 * units);
                added.for_each(|(b, own)| *b += own);
                Recurrent {
                    cell: Cell::Gru {
                        reset: Reset::After,
                        gate: Function::Sigmoid,
                        candidate: Function::Tanh,
                    },
                    input: input.blocks(&ORDER),
                    recurrent: recurrent.blocks(&ORDER),
                    bias,
                    hidden_bias: own[2 * units..].to_vec(),
                    h: Vec::new(),
                    c: Vec::new(),
                }
            }
        };
        self.next(of, Kind::Recurrent(Box::new(all)));
        Ok(())
    }

    /// `[gamma, beta,] mean, variance`.
    fn norm(&mut self, of: &Declared<'_>, epsilon: Option<f64>) -> Result<()> {
        let epsilon = epsilon.ok_or_else(|| damaged(format!("{}: no epsilon", of.name)))?;
        let shape = [of.units];
        let first = of.weights.len().saturating_sub(2);
        let (mean, variance) = (of.tensor(first, &shape)?, of.tensor(first + 1, &shape)?);
        let (mut factor, mut offset) = match first {
            2 => (of.tensor(0, &shape)?, of.tensor(1, &shape)?),
            _ => (vec![1.0; of.units], vec![0.0; of.units]),
        };
        let moments = mean.iter().zip(&variance);
        for ((f, o), (mean, variance)) in factor.iter_mut().zip(&mut offset).zip(moments) {
            let by = f64::from(*f) / (f64::from(*variance) + epsilon).sqrt();
            *o = (f64::from(*o) - f64::from(*mean) * by) as f32;
            *f = by as f32;
        }
        self.next(of, Kind::Affine { factor, offset });
        Ok(())
    }
}
