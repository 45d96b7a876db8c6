//! The image of any trained net: f32, int8 or 4 bits.
//!
//! ```text
//! row of weights   [ parts of the operand | own h ], each padded to a multiple of 4, the gates of a unit
//!                  next to each other; of a GRU's r and z one gate behind the other
//! int8 value       q stands for q s / 128, with a step s for each value:
//!                  feature 128 / scale    embedding, dense (none, relu), sum: the power of sqrt 2 that holds it
//!                  relu RNN 2^e           all others 1
//! ```
//! What an operation makes is divided by its step in its own weights, and weights that read a value
//! are multiplied by its step. Steps, and integer bits of an LSTM's c, come from the largest
//! magnitudes while the net reads some of its data in f32.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, OutputSpec};
use gatelet::net::{Activation, Input, Kind, Net, Precision, RnnActivation, Value};
use gatelet::{KnownAnswer, Layout, Provenance, Scalar, TextRules};

use super::KNOWN_ANSWER;
use crate::error::{Error, Result};
use crate::float_net::padded;
use crate::image::{Image, storage};
use crate::learner::Data;
use crate::net::{Packs, Params, Role, Shard};
use crate::quantize::{self, EMBEDDING_UNIT, GATE_UNIT, HEAD_UNIT, IntMatrix, SHIFT};
use crate::ranges::half_power;

/// Examples that are read for the magnitudes, at most.
const READ: usize = 256;

/// How a net becomes integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// Of each feature: what it is multiplied by to be an integer.
    pub features: Vec<f32>,
    /// Of each operation: what 128 of its value's integers stand for.
    pub values: Vec<f32>,
    /// Of each operation: integer bits of its state.
    pub state_bits: Vec<u8>,
}

/// The power of the root of two that holds a magnitude, within +-127/128.
fn holding(largest: f64) -> f32 {
    let largest = (largest * 128.0 / 127.0).max(1e-6);
    half_power((2.0 * largest.log2()).ceil() as i32)
}

impl Steps {
    /// Those that hold what the net does on the first examples of `data`.
    ///
    /// # Errors
    /// What reading the examples says.
    pub fn of(params: &Params<f32>, data: &dyn Data<f32>) -> Result<Self> {
        let net = *params.net();
        let packs = Packs::of(params);
        let mut shard = Shard::new(&net, 1, data.steps());
        let width = net.width(Value::INPUT);
        let (mut features, mut largest) = (vec![0.0_f32; width], vec![(0.0, 0.0); net.len()]);
        for example in 0..data.len().min(READ) {
            let mut window = shard.window();
            data.fill(example, 0, &mut window, &mut Vec::new())?;
            for (index, x) in window.features.iter().enumerate() {
                let most = &mut features[index % width];
                *most = most.max(x.abs());
            }
            shard.reset();
            shard.forward(&packs, 0.0);
            shard.largest(&mut largest);
        }
        let mut values: Vec<f32> = Vec::new();
        let mut state_bits = Vec::new();
        for (operation, &(value, cell)) in net.operations().zip(&largest) {
            let bits = |magnitude: f64, least: u8| {
                let bits = magnitude.max(1.0).log2().ceil() as u8;
                bits.clamp(least, 7)
            };
            let (step, bits) = match operation.kind {
                Kind::Rnn {
                    activation: RnnActivation::Relu,
                    ..
                } => {
                    let bits = bits(value * 128.0 / 127.0, 0);
                    (f32::from(1_u8 << bits), bits)
                }
                Kind::Rnn { .. } => (1.0, 3),
                Kind::Lstm { .. } => (1.0, bits(cell, 3)),
                Kind::Gru { .. } => (1.0, 0),
                Kind::Embedding { .. } | Kind::Add => (holding(value), 0),
                Kind::Dense { activation, .. } => match activation {
                    Activation::None | Activation::Relu => (holding(value), 0),
                    Activation::Tanh | Activation::Sigmoid | Activation::HardSigmoid => (1.0, 0),
                },
            };
            values.push(step);
            state_bits.push(bits);
        }
        // A head that nothing reads has its scores as they are.
        for (index, step) in values.iter_mut().enumerate() {
            let value = Value::of(index);
            let mut readers = net.operations().flat_map(|of| of.operand.parts());
            let is_dense = matches!(
                net.operation(index).map(|of| of.kind),
                Some(Kind::Dense { .. })
            );
            if is_dense && !readers.any(|part| part == value) {
                *step = 1.0;
            }
        }
        let scale = |&most: &f32| 127.0 / most.max(1e-6);
        Ok(Self {
            features: features.iter().map(scale).collect(),
            values,
            state_bits,
        })
    }

    /// The steps of an f32 image.
    fn none(net: &Net) -> Self {
        Self {
            features: vec![128.0; net.width(Value::INPUT)],
            values: vec![1.0; net.len()],
            state_bits: vec![0; net.len()],
        }
    }

    /// The step of number `index` of a value.
    fn of_number(&self, value: Value, index: usize) -> f32 {
        match value.operation() {
            None => 128.0 / self.features[index],
            Some(operation) => self.values[operation],
        }
    }
}

/// Which rows a matrix has, `first..first + gates` of every unit, and which columns.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    gates: usize,
    input: bool,
    own: bool,
}

/// The numbers of an operation in the order of an image.
#[derive(Default)]
struct Floats {
    /// `[rows, columns]` each, and their columns: weights, candidate, hidden.
    matrices: [(Vec<f32>, usize); 3],
    input: Vec<f32>,
    bias: Vec<f32>,
}

/// An operation of a net, with its numbers and steps.
struct Of<'a> {
    params: &'a Params<f32>,
    steps: &'a Steps,
    index: usize,
    kind: Kind,
}

impl Of<'_> {
    /// The number of the trainer's gate columns that a row of a block is.
    fn column(&self, block: Block, row: usize) -> usize {
        let units = self.kind.units();
        match block.gates {
            2 => block.first * units + row,
            gates => (block.first + row % gates) * units + row / gates,
        }
    }

    /// A matrix of a recurrent operation.
    fn recurrent(&self, block: Block) -> (Vec<f32>, usize) {
        let (net, units) = (self.params.net(), self.kind.units());
        let tensor = |role| self.params.tensor(self.index, role);
        let all = self.kind.gates() * units;
        let candidate = tensor(Role::Candidate);
        let operand = net.operation(self.index).map(|of| of.operand);
        let (mut weights, mut columns) = (Vec::new(), 0);
        for row in 0..block.gates * units {
            let column = self.column(block, row);
            let start = weights.len();
            let mut at = 0;
            let parts = operand
                .iter()
                .flat_map(|of| of.parts())
                .filter(|_| block.input);
            for part in parts {
                let width = net.width(part);
                for k in 0..width {
                    let w = tensor(Role::Input)[(at + k) * all + column];
                    weights.push(w * self.steps.of_number(part, k));
                }
                weights.resize(weights.len() + padded(width) - width, 0.0);
                at += width;
            }
            if block.own {
                let own = self.steps.values[self.index];
                for k in 0..units {
                    let w = match block.first == 2 && !candidate.is_empty() {
                        true => candidate[k * units + column - 2 * units],
                        false => {
                            let recurrent = tensor(Role::Recurrent);
                            recurrent[k * (recurrent.len() / units) + column]
                        }
                    };
                    weights.push(w * own);
                }
                weights.resize(weights.len() + padded(units) - units, 0.0);
            }
            columns = weights.len() - start;
        }
        (weights, columns)
    }

    /// Rows of tokens with the bias, or the bias, in an image's order.
    fn addends(&self) -> Vec<f32> {
        let tensor = |role| self.params.tensor(self.index, role);
        let (rows, bias) = (tensor(Role::Rows), tensor(Role::Bias));
        let gates = match self.kind {
            Kind::Gru { .. } => 2,
            kind => kind.gates(),
        };
        let whole = Block {
            first: 0,
            gates,
            input: false,
            own: false,
        };
        let columns: Vec<usize> = match self.kind {
            Kind::Gru { .. } => (0..bias.len()).collect(),
            _ => (0..bias.len()).map(|row| self.column(whole, row)).collect(),
        };
        let count = (rows.len() / bias.len()).max(1);
        let number = |id: usize, column: usize| {
            let row = rows.get(id * bias.len() + column).copied().unwrap_or(0.0);
            row + bias[column]
        };
        let of_token = |id| columns.iter().map(move |&column| number(id, column));
        (0..count).flat_map(of_token).collect()
    }

    /// All numbers.
    fn floats(&self) -> Floats {
        let (net, units) = (self.params.net(), self.kind.units());
        let tensor = |role| self.params.tensor(self.index, role);
        let own = self.steps.values[self.index];
        let operation = net.operation(self.index);
        match self.kind {
            Kind::Add => Floats::default(),
            Kind::Embedding { .. } => {
                let columns = padded(units);
                let mut table = vec![0.0; net.vocab() * columns];
                let rows = tensor(Role::Table).chunks_exact(units);
                for (to, from) in table.chunks_exact_mut(columns).zip(rows) {
                    to.iter_mut().zip(from).for_each(|(to, x)| *to = x / own);
                }
                Floats {
                    matrices: [(table, columns), Default::default(), Default::default()],
                    ..Floats::default()
                }
            }
            Kind::Dense { .. } => {
                let inputs = tensor(Role::Weight).len() / units;
                let mut weights = Vec::new();
                let tied = operation.is_some_and(|of| of.tied.is_some());
                let rows = tensor(Role::Weight).chunks_exact(inputs);
                for row in rows.filter(|_| !tied) {
                    let mut row = row.iter();
                    for part in operation.iter().flat_map(|of| of.operand.parts()) {
                        let width = net.width(part);
                        for (k, w) in row.by_ref().take(width).enumerate() {
                            weights.push(w * self.steps.of_number(part, k) / own);
                        }
                        weights.resize(weights.len() + padded(width) - width, 0.0);
                    }
                }
                let columns = weights.len() / units;
                Floats {
                    matrices: [(weights, columns), Default::default(), Default::default()],
                    bias: tensor(Role::Bias).iter().map(|b| b / own).collect(),
                    ..Floats::default()
                }
            }
            Kind::Rnn { .. } | Kind::Lstm { .. } => {
                let whole = Block {
                    first: 0,
                    gates: self.kind.gates(),
                    input: true,
                    own: true,
                };
                Floats {
                    matrices: [
                        self.recurrent(whole),
                        Default::default(),
                        Default::default(),
                    ],
                    input: self.addends(),
                    ..Floats::default()
                }
            }
            Kind::Gru { .. } => {
                let block = |first, gates, input, own| Block {
                    first,
                    gates,
                    input,
                    own,
                };
                let candidate = match tensor(Role::Input).is_empty() {
                    true => Default::default(),
                    false => self.recurrent(block(2, 1, true, false)),
                };
                let gates = self.recurrent(block(0, 2, true, true));
                Floats {
                    matrices: [gates, candidate, self.recurrent(block(2, 1, false, true))],
                    input: self.addends(),
                    bias: tensor(Role::RecurrentBias).to_vec(),
                }
            }
        }
    }
}

/// The numbers of an operation in integers.
#[derive(Default)]
struct Integers {
    matrices: [IntMatrix; 3],
    input: Vec<i16>,
    bias: Vec<i32>,
}

impl Of<'_> {
    fn integers(&self, floats: &Floats) -> Result<Integers> {
        let net = self.params.net();
        let operation = net.operation(self.index);
        let name = format!("operation {}", self.index);
        let unit = match self.kind {
            Kind::Embedding { .. } => EMBEDDING_UNIT,
            Kind::Dense { .. } | Kind::Add => HEAD_UNIT,
            Kind::Rnn { .. } | Kind::Lstm { .. } | Kind::Gru { .. } => GATE_UNIT,
        };
        let bits = operation.map_or(8, |of| of.bits);
        let mut integers = Integers::default();
        for (to, (values, columns)) in integers.matrices.iter_mut().zip(&floats.matrices) {
            if *columns > 0 {
                *to = quantize::matrix((values, *columns), bits, unit, &name)?;
            }
        }
        if let (Some(table), Some(of)) = (operation.and_then(|of| of.tied), operation) {
            // The weights of the table, which is divided by its step, and what they read.
            let table = usize::from(table);
            let of_table = Of {
                index: table,
                kind: net.operation(table).map_or(Kind::Add, |of| of.kind),
                ..*self
            };
            let step = self.steps.values[table] * self.steps.of_number(of.operand.part(0), 0);
            let unit = HEAD_UNIT * f64::from(step / self.steps.values[self.index]);
            let [(values, columns), ..] = &of_table.floats().matrices;
            integers.matrices[0] = quantize::multipliers((values, *columns), unit, &name)?;
        }
        if let (Kind::Add, Some(of)) = (self.kind, operation) {
            let own = self.steps.values[self.index];
            for part in of.operand.parts() {
                let ratio = |k| self.steps.of_number(part, k) / own * f32::from(SHIFT).exp2();
                let ratios = (0..net.width(part)).map(|k| ratio(k).round() as i32);
                integers.matrices[0].multipliers.extend(ratios);
            }
            integers.matrices[0].shift = SHIFT;
        }
        let input = floats.input.iter();
        let limits = (f32::from(i16::MIN), f32::from(i16::MAX));
        let of_gate = |x: &f32| (x * GATE_UNIT as f32).round().clamp(limits.0, limits.1) as i16;
        integers.input = input.map(of_gate).collect();
        quantize::bias(
            &floats.bias,
            unit,
            format_args!("{name}"),
            &mut integers.bias,
        )?;
        Ok(integers)
    }
}

fn numbers<'a, T>(all: &'a [T], of: impl Fn(&'a [T]) -> Numbers<'a>) -> Numbers<'a> {
    match all {
        [] => Numbers::None,
        all => of(all),
    }
}

impl Floats {
    fn spec(&self) -> OperationSpec<'_> {
        let [weights, candidate, hidden] = [0, 1, 2].map(|k| match &*self.matrices[k].0 {
            [] => MatrixSpec::default(),
            weights => MatrixSpec::f32(weights),
        });
        OperationSpec {
            weights,
            candidate,
            hidden,
            input: numbers(&self.input, Numbers::F32),
            bias: numbers(&self.bias, Numbers::F32),
            ..OperationSpec::default()
        }
    }
}

impl Integers {
    fn spec(&self, state_bits: u8) -> OperationSpec<'_> {
        let [weights, candidate, hidden] = [0, 1, 2].map(|k| {
            let of: &IntMatrix = &self.matrices[k];
            MatrixSpec {
                weights: numbers(&of.weights, Numbers::I8),
                multipliers: &of.multipliers,
                shift: of.shift,
            }
        });
        OperationSpec {
            weights,
            candidate,
            hidden,
            input: numbers(&self.input, Numbers::I16),
            bias: numbers(&self.bias, Numbers::I32),
            state_bits,
            ..OperationSpec::default()
        }
    }
}

/// The image of a net that is given features, with a known answer over the first examples of `data`.
/// `bits` has the bits of each operation's weights in an int8 image; none are 8 everywhere.
///
/// # Errors
/// [`Error::Quantize`] for weights that have no integers, [`Error::Export`], or what reading the
/// examples says. A net of tokens has a vocabulary: [`export`](super::export) makes its image.
pub fn image_of(
    params: &Params<f32>,
    data: &dyn Data<f32>,
    precision: Precision,
    bits: &[u8],
    provenance: Provenance<'_>,
) -> Result<Image> {
    let failed = |what: &dyn std::fmt::Display| Error::Export(what.to_string());
    let Input::Features { width, .. } = params.net().input else {
        return Err(failed(&"a net of tokens is exported with its text"));
    };
    let mut net = Net::features(precision, width);
    for (index, operation) in params.net().operations().enumerate() {
        net = net.with_operation(*operation);
        let bits = bits.get(index).filter(|_| precision == Precision::Int8);
        net = net.with_bits(index, bits.copied().unwrap_or(8));
    }
    net = params.net().outputs().fold(net, Net::with_output);
    let net = net.checked().map_err(|error| failed(&error))?;
    let steps = match precision {
        Precision::F32 => Steps::none(&net),
        Precision::Int8 => Steps::of(params, data)?,
    };
    let mut of_net = Params::zeros(net);
    of_net.data.copy_from_slice(&params.data);
    let all: Vec<Of<'_>> = net
        .operations()
        .enumerate()
        .map(|(index, of)| Of {
            params: &of_net,
            steps: &steps,
            index,
            kind: of.kind,
        })
        .collect();
    let floats: Vec<Floats> = all.iter().map(Of::floats).collect();
    let integers: Vec<Integers> = match precision {
        Precision::F32 => Vec::new(),
        Precision::Int8 => {
            let pairs = all.iter().zip(&floats);
            pairs
                .map(|(of, floats)| of.integers(floats))
                .collect::<Result<_>>()?
        }
    };
    let operations: Vec<OperationSpec<'_>> = match precision {
        Precision::F32 => floats.iter().map(Floats::spec).collect(),
        Precision::Int8 => {
            let pairs = integers.iter().zip(&steps.state_bits);
            pairs.map(|(of, &bits)| of.spec(bits)).collect()
        }
    };
    let mut outputs = [OutputSpec::default(); gatelet::net::MAX_OUTPUTS];
    for (to, output) in outputs.iter_mut().zip(net.outputs()) {
        let step = output
            .value()
            .operation()
            .map_or(1.0, |of| steps.values[of]);
        if let gatelet::net::Output::Values(_) = output {
            to.scale = step;
        }
    }
    let known = known_features(data, width)?;
    let mut spec = ImageSpec {
        net,
        layout: Layout::Rows,
        vocab: gatelet::format::VocabSpec::None,
        features: FeatureSpec {
            scales: if precision == Precision::F32 {
                &[]
            } else {
                &steps.features
            },
            doubled: &[],
        },
        operations: &operations,
        outputs,
        provenance,
        known_answer: KnownAnswer {
            tokens: &[],
            features: &known,
            hash: 0,
        },
        rules: TextRules::default(),
    };
    let first = Image::write(&spec).map_err(|error| failed(&error))?;
    let model = first.model().map_err(|error| failed(&error))?;
    let hash = model.known_answer_hash(Scalar, &mut storage(&net));
    spec.known_answer.hash = hash.map_err(|error| failed(&error))?;
    Image::write(&spec).map_err(|error| failed(&error))
}

/// The features of the first steps of the data.
fn known_features(data: &dyn Data<f32>, width: usize) -> Result<Vec<f32>> {
    let most = KNOWN_ANSWER.min(gatelet::format::MAX_KNOWN_FEATURES / width.max(1)) * width;
    let steps = data.steps();
    let mut room = vec![0.0; steps * width];
    let mut all = Vec::new();
    for example in 0..data.len() {
        if all.len() >= most {
            break;
        }
        let mut window = crate::net::Window {
            rows: 1,
            tokens: &mut [],
            features: &mut room,
            targets: &mut [],
        };
        data.fill(example, 0, &mut window, &mut Vec::new())?;
        all.extend_from_slice(&room);
    }
    all.truncate(most);
    Ok(all)
}
