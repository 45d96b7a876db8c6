//! How large the numbers of a net get on a sequence, and how often its gates are at their ends.
//!
//! ```text
//! sigmoid    low: below 0.01            high: above 0.99
//! tanh       low: below -0.99           high: above 0.99
//! relu       low: 0                     high: never
//! ```
//! A gate that is nearly always at one end learns nothing more there, and an input that drives it
//! there is larger than what the net was trained on. In real numbers, from the net's own start.

use gatelet::net::{Kind, RnnActivation};
use serde::Serialize;

use crate::net::{Params, Start};
use crate::quantize::{Begin, Magnitudes, Sequence};

/// How near to an end counts.
const NEAR: f64 = 0.01;

/// A gate of all units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// `i`, `f`, `g`, `o`, `r`, `z`, `n`, or `h` of an RNN.
    pub name: &'static str,
    /// Part of its numbers at the low end.
    pub low: f64,
    /// Part of its numbers at the high end.
    pub high: f64,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Range {
    /// What it is: `gru 24`.
    pub name: String,
    /// The largest magnitude of its value.
    pub largest: f64,
    /// The largest magnitude of an LSTM's c, and what 99.9 % of them are within.
    pub cell: Option<[f64; 2]>,
    /// The gates of a recurrent operation.
    pub gates: Vec<Gate>,
}

/// A net over a sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranges {
    /// Steps that were read.
    pub steps: usize,
    /// The largest magnitude of each feature; none for tokens.
    pub features: Vec<f32>,
    /// The operations.
    pub operations: Vec<Range>,
}

/// What a gate's numbers come from.
#[derive(Clone, Copy)]
enum Function {
    Sigmoid,
    Tanh,
    Relu,
}

impl Function {
    const fn of(activation: RnnActivation) -> Self {
        match activation {
            RnnActivation::Tanh => Self::Tanh,
            RnnActivation::Relu => Self::Relu,
        }
    }

    /// Whether a number is at the low end, and at the high one.
    fn ends(self, x: f64) -> [bool; 2] {
        match self {
            Self::Sigmoid => [x < NEAR, x > 1.0 - NEAR],
            Self::Tanh => [x < NEAR - 1.0, x > 1.0 - NEAR],
            Self::Relu => [x <= 0.0, false],
        }
    }
}

/// The gates of an operation, in the order of their columns.
fn gates(kind: Kind) -> Vec<(&'static str, Function)> {
    use Function::{Sigmoid, Tanh};
    match kind {
        Kind::Lstm { .. } => vec![("i", Sigmoid), ("f", Sigmoid), ("g", Tanh), ("o", Sigmoid)],
        Kind::Gru { candidate, .. } => {
            let candidate = Function::of(candidate);
            vec![("r", Sigmoid), ("z", Sigmoid), ("n", candidate)]
        }
        Kind::Rnn { activation, .. } => vec![("h", Function::of(activation))],
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => Vec::new(),
    }
}

/// Runs a net over a sequence, of `width` features a step.
pub fn ranges(
    params: &Params<f32>,
    starts: &[Start],
    (sequence, width): (Sequence<'_>, usize),
) -> Ranges {
    let net = params.net();
    let kinds: Vec<Kind> = net.operations().map(|of| of.kind).collect();
    let functions: Vec<_> = kinds.iter().map(|&kind| gates(kind)).collect();
    // Of each gate: numbers at the low end, at the high end, and all.
    let mut counts: Vec<_> = functions
        .iter()
        .map(|of| vec![[0_usize; 3]; of.len()])
        .collect();
    let begin = Begin {
        starts,
        line_break: None,
    };
    let found = Magnitudes::seen(params, begin, &[sequence], &mut |shard| {
        shard.each_gate(|index, all| {
            let units = kinds[index].units();
            let gates = all.chunks_exact(units).zip(&functions[index]);
            for ((numbers, (_, function)), count) in gates.zip(&mut counts[index]) {
                for &x in numbers {
                    let [low, high] = function.ends(x);
                    count[0] += usize::from(low);
                    count[1] += usize::from(high);
                    count[2] += 1;
                }
            }
        });
    });
    let part = |count: usize, all: usize| count as f64 / all.max(1) as f64;
    let mut operations = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        let value = gatelet::net::Value::of(index);
        let given = net.outputs().zip(&found.outputs);
        // Of a head nothing but its output is kept.
        let given = given.filter(|(output, _)| output.value() == value);
        let largest = given.map(|of| *of.1).fold(found.values[index], f64::max);
        let c = found.cells[index];
        let named = functions[index].iter().zip(&counts[index]);
        operations.push(Range {
            name: kind.to_string(),
            largest,
            cell: matches!(kind, Kind::Lstm { .. }).then_some([c.largest, c.percentile_999]),
            gates: named
                .map(|(&(name, _), &[low, high, all])| Gate {
                    name,
                    low: part(low, all),
                    high: part(high, all),
                })
                .collect(),
        });
    }
    Ranges {
        steps: sequence.steps(width),
        features: found.features,
        operations,
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Activation, Net, Precision, Reset};

    use super::*;
    use crate::net::Role;

    /// Gates driven to their ends by their biases, in the order that the names say.
    #[test]
    fn gates_at_their_ends_are_counted_under_their_names() {
        let head = Kind::Dense {
            units: 1,
            activation: Activation::None,
        };
        let net = |kind| {
            Net::features(Precision::F32, 1)
                .then(kind)
                .then(head)
                .values()
        };
        let read = |params: &Params<f32>| ranges(params, &[], (Sequence::Features(&[0.5; 40]), 1));
        let ends = |found: &Ranges| -> Vec<(&str, f64, f64)> {
            let gates = found.operations[0].gates.iter();
            gates.map(|gate| (gate.name, gate.low, gate.high)).collect()
        };

        let mut lstm = Params::<f32>::zeros(net(Kind::lstm(2)));
        let bias = [100.0, 100.0, -100.0, -100.0, 0.0, 0.0, 100.0, 0.0];
        lstm.tensor_mut(0, Role::Bias).copy_from_slice(&bias);
        lstm.tensor_mut(1, Role::Bias).fill(-3.0);
        let found = read(&lstm);
        let want = [
            ("i", 0.0, 1.0),
            ("f", 1.0, 0.0),
            ("g", 0.0, 0.0),
            ("o", 0.0, 0.5),
        ];
        assert_eq!(ends(&found), want);
        assert_eq!(found.operations[1].largest, 3.0, "a head's output");
        assert_eq!((found.steps, &found.features[..]), (40, &[0.5][..]));
        assert_eq!(found.operations[0].cell, Some([0.0, 0.0]));

        let mut gru = Params::<f32>::zeros(net(Kind::gru(1, Reset::After)));
        let bias = gru.tensor_mut(0, Role::Bias);
        bias[..3].copy_from_slice(&[-100.0, 0.0, -100.0]);
        let want = [("r", 1.0, 0.0), ("z", 0.0, 0.0), ("n", 1.0, 0.0)];
        assert_eq!(ends(&read(&gru)), want);

        let relu = Kind::Rnn {
            units: 1,
            activation: RnnActivation::Relu,
        };
        let found = read(&Params::<f32>::zeros(net(relu)));
        assert_eq!(ends(&found), [("h", 1.0, 0.0)]);
    }
}
