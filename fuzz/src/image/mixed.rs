//! Small nets of any operations, with tokens or features in, any outputs, and states to start from.

use gatelet::format::{
    FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, OutputSpec, VocabSpec,
};
use gatelet::net::{
    Activation, Input, Kind, Net, Operand, Operation, Output, Reset, RnnActivation, Value,
};
use gatelet::{KnownAnswer, Layout, Precision, Provenance, TextRules};

use super::aligned::written;
use super::numbers::{Affine, Maker, Size};
use crate::entropy::Entropy;

/// The most that the numbers of a value may be in f32, where it is not about 1.
const FEATURE: f32 = 65_536.0;
const LARGE: f32 = 32_768.0;

fn units(entropy: &mut Entropy<'_>) -> usize {
    match entropy.below(16) {
        0 => entropy.one(&[15, 16, 17, 33]),
        _ => 1 + entropy.below(9),
    }
}

fn activation(entropy: &mut Entropy<'_>) -> Activation {
    entropy.one(&[
        Activation::None,
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid,
    ])
}

/// An operation more, behind the others.
fn with_operation(net: Net, entropy: &mut Entropy<'_>) -> Net {
    let (index, units) = (net.len(), units(entropy));
    // A token can be read by cells only, and first.
    let values = if net.takes_tokens() { 1 } else { 0 }..=index;
    let values: Vec<Value> = match index {
        0 => vec![Value::INPUT],
        _ => values
            .map(|code| match code {
                0 => Value::INPUT,
                operation => Value::of(operation - 1),
            })
            .collect(),
    };
    let last = values.last().copied().unwrap_or(Value::INPUT);
    let other = entropy.one(&values);
    let cells = net.takes_tokens() && index == 0;
    let kind = match entropy.below(if cells { 5 } else { 8 }) {
        0 => Kind::Lstm { units },
        1 | 2 => Kind::Rnn {
            units,
            activation: entropy.one(&[RnnActivation::Tanh, RnnActivation::Relu]),
        },
        3 | 4 => Kind::Gru {
            units,
            reset: entropy.one(&[Reset::After, Reset::Before]),
        },
        7 if net.width(last) == net.width(other) => Kind::Add,
        _ => Kind::Dense {
            units,
            activation: activation(entropy),
        },
    };
    let both = kind == Kind::Add || (index > 0 && entropy.rarely(3));
    let operand = match both {
        true => Operand::two(last, other),
        false => Operand::one(last),
    };
    let four = kind.gates() > 0 && net.precision == Precision::Int8 && entropy.rarely(4);
    net.with_operation(Operation {
        kind,
        operand,
        bits: if four { 4 } else { 8 },
        tied: None,
    })
}

/// A net that can be.
fn net(entropy: &mut Entropy<'_>) -> Net {
    let precision = entropy.one(&[Precision::F32, Precision::Int8, Precision::Int8]);
    let input = match entropy.below(3) {
        0 => Input::Tokens {
            vocab: 2 + entropy.below(8),
        },
        _ => {
            let width = 1 + entropy.below(9);
            let doubled = match precision {
                Precision::F32 => 0,
                Precision::Int8 => entropy.below(width + 1),
            };
            Input::Features { width, doubled }
        }
    };
    let mut net = Net::new(precision, input);
    if net.takes_tokens() && entropy.rarely(3) {
        net = net.then(Kind::Embedding {
            units: 1 + entropy.below(9),
        });
    }
    for _ in 0..1 + entropy.below(4) {
        net = with_operation(net, entropy);
    }
    for _ in 0..1 + entropy.below(3) {
        let value = Value::of(entropy.below(net.len()));
        net = net.with_output(match net.width(value) > 1 && entropy.rarely(2) {
            true => Output::Scores(value),
            false => Output::Values(value),
        });
    }
    // An output may be what no output can be, such as an embedding: the net is then taken without.
    match net.checked() {
        Ok(net) => net,
        Err(_) => Net::features(precision, 2)
            .then(Kind::Lstm { units: 3 })
            .values(),
    }
}

/// The numbers of an operation.
struct Made {
    matrices: [Option<Affine>; 3],
    input: (Vec<f32>, Vec<i16>),
    bias: (Vec<f32>, Vec<i32>),
    /// Of a sum.
    multipliers: (Vec<i32>, u8),
    start: (Vec<f32>, Vec<i8>),
    start_cell: (Vec<f32>, Vec<i16>),
    state_bits: u8,
}

impl Made {
    fn new(maker: &mut Maker<'_, '_>, net: &Net, (index, of): (usize, &Operation)) -> Self {
        let (kind, units, bits) = (of.kind, of.kind.units(), u32::from(of.bits));
        let own = Value::of(index);
        let read: Vec<Value> = of.operand.parts().collect();
        let all: Vec<Value> = match kind.is_recurrent() {
            true => read.iter().copied().chain([own]).collect(),
            false => read.clone(),
        };
        let bound = all
            .iter()
            .map(|value| bound(net, *value))
            .fold(2.0, f32::max);
        let bound = if net.precision == Precision::F32 {
            bound
        } else {
            1.0
        };
        let matrix = |maker: &mut Maker<'_, '_>, rows: usize, values: &[Value]| {
            let used = used(net, values);
            Some(maker.affine(rows, (used.len(), bits), |k| used[k], bound))
        };
        let matrices = match kind {
            Kind::Embedding { .. } => {
                // A large table would leave nothing for the weights that it is multiplied with.
                let size = std::mem::replace(&mut maker.size, Size::Usual);
                let table = matrix(maker, net.vocab(), &[own]);
                maker.size = size;
                [table, None, None]
            }
            Kind::Gru { .. } => {
                let gates = matrix(maker, 2 * units, &all);
                let columns = net.input_columns(index);
                let candidate = (columns > 0).then(|| matrix(maker, units, &read)).flatten();
                [gates, candidate, matrix(maker, units, &[own])]
            }
            Kind::Add => [None, None, None],
            _ => [matrix(maker, kind.gates() * units, &all), None, None],
        };
        let inputs = if net.reads_token(index) {
            net.vocab()
        } else {
            1
        };
        let rows = if kind.is_recurrent() {
            inputs * kind.gates() * units
        } else {
            0
        };
        let (real, integers) = maker.addends(rows, (4096.0, 32_767));
        let input = (
            real,
            integers.iter().map(|&a| a.min(32_767) as i16).collect(),
        );
        let biased = match kind {
            Kind::Dense { .. }
            | Kind::Gru {
                reset: Reset::After,
                ..
            } => units,
            _ => 0,
        };
        let one = if kind.is_recurrent() {
            4096.0
        } else {
            65_536.0
        };
        let (real, integers) = maker.addends(biased, (one, 1 << 30));
        let bias = (real, integers.iter().map(|&b| b as i32).collect());
        let shift = 8 + maker.entropy.below(24) as u8;
        let ratios = match kind {
            Kind::Add => 2 * net.width(own),
            _ => 0,
        };
        let ratio = |_| ((maker.entropy.random() % 3) << shift >> 1).min(i32::MAX as u64) as i32;
        let multipliers = ((0..ratios).map(ratio).collect(), shift);
        let starts = if maker.entropy.rarely(3) && kind.is_recurrent() {
            units
        } else {
            0
        };
        let memory = matches!(kind, Kind::Lstm { .. }) as usize * starts;
        let carried = match (kind, net.precision) {
            (Kind::Gru { .. }, Precision::Int8) => starts,
            _ => memory,
        };
        let mut start = |count: usize| -> Vec<i16> {
            (0..count).map(|_| maker.entropy.random() as i16).collect()
        };
        let (h, c) = (start(starts), start(carried));
        Self {
            matrices,
            input,
            bias,
            multipliers,
            start: (
                h.iter().map(|&h| f32::from(h) / 32_768.0).collect(),
                h.iter().map(|&h| (h >> 8) as i8).collect(),
            ),
            start_cell: (c.iter().map(|&c| f32::from(c) / 16.0).collect(), c),
            state_bits: match kind {
                Kind::Lstm { .. } => 3 + maker.entropy.below(5) as u8,
                Kind::Rnn {
                    activation: RnnActivation::Relu,
                    ..
                } => maker.entropy.below(8) as u8,
                Kind::Rnn { .. } => 3,
                _ => 0,
            },
        }
    }

    fn spec(&self, kind: Kind, float: bool) -> OperationSpec<'_> {
        let [weights, candidate, hidden] = self.matrices.each_ref().map(|matrix| {
            matrix
                .as_ref()
                .map_or(MatrixSpec::default(), |of| of.spec(float))
        });
        let weights = match (kind, float) {
            (Kind::Add, false) => MatrixSpec {
                weights: Numbers::None,
                multipliers: &self.multipliers.0,
                shift: self.multipliers.1,
            },
            _ => weights,
        };
        OperationSpec {
            weights,
            candidate,
            hidden,
            input: match (self.input.0.is_empty(), float) {
                (true, _) => Numbers::None,
                (_, true) => Numbers::F32(&self.input.0),
                (_, false) => Numbers::I16(&self.input.1),
            },
            bias: match (self.bias.0.is_empty(), float) {
                (true, _) => Numbers::None,
                (_, true) => Numbers::F32(&self.bias.0),
                (_, false) => Numbers::I32(&self.bias.1),
            },
            state_bits: if float { 0 } else { self.state_bits },
            start_hidden: match (self.start.0.is_empty(), float) {
                (true, _) => Numbers::None,
                (_, true) => Numbers::F32(&self.start.0),
                (_, false) => Numbers::I8(&self.start.1),
            },
            start_cell: match (self.start_cell.0.is_empty(), float) {
                (true, _) => Numbers::None,
                (_, true) => Numbers::F32(&self.start_cell.0),
                (_, false) => Numbers::I16(&self.start_cell.1),
            },
        }
    }
}

/// The most that a number of a value may be in f32.
fn bound(net: &Net, value: Value) -> f32 {
    let kind = value
        .operation()
        .and_then(|index| net.operation(index))
        .map(|of| of.kind);
    match kind {
        None => FEATURE,
        Some(Kind::Lstm { .. } | Kind::Gru { .. }) => 2.0,
        Some(Kind::Rnn {
            activation: RnnActivation::Tanh,
            ..
        }) => 2.0,
        _ => LARGE,
    }
}

/// Which columns of these values side by side are no padding.
fn used(net: &Net, values: &[Value]) -> Vec<bool> {
    let mut used = Vec::new();
    for &value in values {
        let end = used.len() + net.stride(value);
        used.extend(vec![true; net.width(value)]);
        used.resize(end, false);
    }
    used
}

/// An image of random numbers.
///
/// # Panics
/// When the writer refuses it.
pub(super) fn image(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let net = net(entropy);
    let layout = entropy.one(&Layout::ALL);
    let layout = layout.check(&net).map_or(Layout::Rows, |()| layout);
    let size = Size::any(entropy);
    let mut maker = Maker {
        entropy,
        layout,
        size,
    };
    let made: Vec<Made> = net
        .operations()
        .enumerate()
        .map(|operation| Made::new(&mut maker, &net, operation))
        .collect();
    let float = net.precision == Precision::F32;
    let operations: Vec<OperationSpec<'_>> = made
        .iter()
        .zip(net.operations())
        .map(|(made, of)| made.spec(of.kind, float))
        .collect();
    let entropy = maker.entropy;
    let (mut tokens, mut features): (Vec<u16>, Vec<f32>) = (Vec::new(), Vec::new());
    let (mut scales, mut doubled): (Vec<f32>, Vec<u16>) = (Vec::new(), Vec::new());
    let steps = entropy.one(&[0, 1, 6]);
    match net.input {
        Input::Tokens { vocab } => {
            tokens.extend((0..steps).map(|_| entropy.below(vocab) as u16));
        }
        Input::Features {
            width,
            doubled: twice,
        } => {
            let number = |_| entropy.random() as i16 as f32 / 64.0;
            features.extend((0..steps * width).map(number));
            if !float {
                scales.extend((0..width).map(|_| entropy.one(&[1.0, 63.5, 1e-3, 3e38, 1e-38])));
                doubled.extend((0..width as u16).rev().take(twice).rev());
            }
        }
    }
    let mut outputs = [OutputSpec::default(); 4];
    for (spec, output) in outputs.iter_mut().zip(net.outputs()) {
        if let (Output::Values(_), false) = (output, float) {
            spec.scale = entropy.one(&[1.0, 0.25, 1e6]);
        }
    }
    let spec = ImageSpec {
        net,
        layout,
        vocab: VocabSpec::None,
        features: FeatureSpec {
            scales: &scales,
            doubled: &doubled,
        },
        operations: &operations,
        outputs,
        provenance: Provenance::default(),
        known_answer: KnownAnswer {
            tokens: &tokens,
            features: &features,
            hash: entropy.random(),
        },
        rules: TextRules::default(),
    };
    written(&spec)
}
