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
use gatelet::net::{Input, Kind, Net, Precision};
use gatelet::{KnownAnswer, Layout, Provenance, Scalar, TextRules};

use super::KNOWN_ANSWER;
use super::order::{Floats, Of};
use super::steps::Steps;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::image::{Image, storage};
use crate::net::Params;
use crate::quantize::{self, EMBEDDING_UNIT, GATE_UNIT, HEAD_UNIT, IntMatrix, SHIFT};

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
            _ => GATE_UNIT,
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

/// The image of a net that is given features, with a known answer over the first examples of
/// `data`. `bits` has the bits of each operation's weights in an int8 image; none are 8 everywhere.
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
