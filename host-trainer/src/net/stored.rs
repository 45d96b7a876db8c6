//! A net in the JSON of a checkpoint.
//!
//! ```text
//! {"tokens":50,"operations":[{"kind":"gru","units":24,"reset":"before","reads":[0]}, ..],
//! "outputs":[{"scores":2}]}
//! ```
//! Values are counted as in an image: 0 is the input, 1 what the first operation makes. Weights
//! have no bits here; a cell's functions are named where they are not the usual ones:
//! `"gates":"hard_sigmoid"`, `"activation":"relu"`. How a net becomes integers is decided at its export.

use gatelet::net::{
    Activation, GateActivation, Input, Kind, Net, Operand, Operation, Output, Precision, Reset,
    RnnActivation, Value,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<usize>,
    operations: Vec<StoredOperation>,
    outputs: Vec<StoredOutput>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredOutput {
    Scores(u8),
    Values(u8),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOperation {
    kind: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    units: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gates: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reset: Option<String>,
    reads: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tied: Option<u8>,
}

fn is_zero(units: &usize) -> bool {
    *units == 0
}

const ACTIVATIONS: [Activation; 7] = [
    Activation::None,
    Activation::Relu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::Elu,
    Activation::Softmax,
];

/// What a kind is called besides its name: activation, gates, reset; the usual ones are not told.
fn words(kind: Kind) -> [Option<&'static str>; 3] {
    let relu = |function| match function {
        RnnActivation::Tanh => None,
        RnnActivation::Relu => Some(Activation::Relu.name()),
    };
    let hard = |gates| match gates {
        GateActivation::Sigmoid => None,
        GateActivation::HardSigmoid => Some(Activation::HardSigmoid.name()),
    };
    match kind {
        Kind::Rnn { activation, .. } => [relu(activation), None, None],
        Kind::Lstm { gates, .. } => [None, hard(gates), None],
        Kind::Gru {
            reset,
            gates,
            candidate,
            ..
        } => {
            let reset = (reset == Reset::Before).then_some("before");
            [relu(candidate), hard(gates), reset]
        }
        Kind::Dense { activation, .. } if activation != Activation::None => {
            [Some(activation.name()), None, None]
        }
        _ => [None; 3],
    }
}

/// Every kind of operation.
fn kinds() -> impl Iterator<Item = Kind> {
    let units = 1;
    let dense = ACTIVATIONS.map(|activation| Kind::Dense { units, activation });
    let others = [Kind::Embedding { units }, Kind::Add];
    Kind::CELLS.into_iter().chain(dense).chain(others)
}

impl From<&Operation> for StoredOperation {
    fn from(of: &Operation) -> Self {
        let [activation, gates, reset] = words(of.kind).map(|word| word.map(str::to_owned));
        Self {
            kind: of.kind.name().to_owned(),
            units: of.kind.units(),
            activation,
            gates,
            reset,
            reads: of.operand.parts().map(Value::code).collect(),
            tied: of.tied,
        }
    }
}

/// The value of a number.
fn value(code: u8) -> Value {
    match code {
        0 => Value::INPUT,
        code => Value::of(usize::from(code) - 1),
    }
}

impl StoredOperation {
    fn kind(&self) -> Result<Kind, String> {
        let told = [&self.activation, &self.gates, &self.reset].map(Option::as_deref);
        let of_name = || kinds().filter(|kind| kind.name() == self.kind);
        if let Some(kind) = of_name().find(|&kind| words(kind) == told) {
            return Ok(kind.with_units(self.units));
        }
        // The first word that no operation of this name has.
        let named = ["activation", "gates", "reset"].into_iter().zip(told);
        let mut named = named.enumerate().filter_map(|(k, (what, word))| {
            let known = of_name().any(|kind| words(kind)[k] == word);
            (!known).then_some((what, word.unwrap_or_default()))
        });
        let (what, word) = match of_name().next() {
            Some(_) => named.next().unwrap_or(("kind", &self.kind)),
            None => ("kind", &*self.kind),
        };
        Err(format!("an operation has the {what} {word:?}"))
    }

    fn operation(&self) -> Result<Operation, String> {
        let kind = self.kind()?;
        let reads: Vec<Value> = self.reads.iter().map(|&code| value(code)).collect();
        Ok(Operation {
            kind,
            operand: Operand::of(&reads),
            bits: 8,
            tied: self.tied,
        })
    }
}

/// Writes a net.
pub(crate) fn serialize<S: Serializer>(net: &Net, serializer: S) -> Result<S::Ok, S::Error> {
    let (tokens, features) = match net.input {
        Input::Tokens { vocab } => (Some(vocab), None),
        Input::Features { width, .. } => (None, Some(width)),
    };
    let output = |output| match output {
        Output::Scores(value) => StoredOutput::Scores(value.code()),
        Output::Values(value) => StoredOutput::Values(value.code()),
    };
    let stored = Stored {
        tokens,
        features,
        operations: net.operations().map(StoredOperation::from).collect(),
        outputs: net.outputs().map(output).collect(),
    };
    stored.serialize(serializer)
}

/// Reads a net, which is one that can be.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Net, D::Error> {
    let stored = Stored::deserialize(deserializer)?;
    let mut net = match (stored.tokens, stored.features) {
        (Some(vocab), None) => Net::tokens(Precision::F32, vocab),
        (None, Some(width)) => Net::features(Precision::F32, width),
        _ => return Err(D::Error::custom("a net is given either tokens or features")),
    };
    for operation in &stored.operations {
        let operation = operation.operation().map_err(D::Error::custom)?;
        net = net.with_operation(operation);
    }
    for output in stored.outputs {
        net = net.with_output(match output {
            StoredOutput::Scores(code) => Output::Scores(value(code)),
            StoredOutput::Values(code) => Output::Values(value(code)),
        });
    }
    net.checked().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holds(#[serde(with = "super")] Net);

    #[test]
    fn a_net_of_all_operations_comes_back() {
        let start = Net::tokens(Precision::F32, 9).then(Kind::Embedding { units: 4 });
        for kinds in kinds().collect::<Vec<_>>().chunks(4) {
            let mut net = start.with(Kind::lstm(4), Operand::two(Value::INPUT, Value::of(0)));
            for kind in kinds.iter().map(|kind| kind.with_units(4)) {
                net = match kind {
                    Kind::Embedding { .. } => net.with(kind, Operand::one(Value::INPUT)),
                    Kind::Add => net.with(kind, Operand::two(Value::of(0), Value::of(1))),
                    kind => net.then(kind),
                };
            }
            let net = net.scores().with_output(Output::Values(Value::of(2)));
            let net = net.checked().expect("a net");
            let text = serde_json::to_string(&Holds(net)).expect("JSON");
            assert_eq!(
                serde_json::from_str::<Holds>(&text).expect("a net"),
                Holds(net)
            );
        }
        let features = Net::features(Precision::F32, 3)
            .then(Kind::lstm(5))
            .values();
        let text = serde_json::to_string(&Holds(features)).expect("JSON");
        let operation = r#"{"kind":"lstm","units":5,"reads":[0]}"#;
        let plain =
            &format!(r#"{{"features":3,"operations":[{operation}],"outputs":[{{"values":1}}]}}"#);
        assert_eq!(&text, plain);
        assert_eq!(
            serde_json::from_str::<Holds>(plain).expect("a net"),
            Holds(features)
        );
    }

    #[test]
    fn what_is_no_net_is_named() {
        let net = |operation: &str| {
            let text =
                format!(r#"{{"tokens":9,"operations":[{operation}],"outputs":[{{"scores":1}}]}}"#);
            let read = serde_json::from_str::<Holds>(&text);
            read.expect_err("it is no net").to_string()
        };
        assert!(net(r#"{"kind":"conv","units":3,"reads":[0]}"#).contains("conv"));
        assert!(net(r#"{"kind":"gru","units":3,"reset":"now","reads":[0]}"#).contains("now"));
        assert!(net(r#"{"kind":"gru","units":3,"gates":"tanh","reads":[0]}"#).contains("tanh"));
        assert!(
            net(r#"{"kind":"rnn","units":3,"gates":"hard_sigmoid","reads":[0]}"#).contains("gates")
        );
        assert!(net(r#"{"kind":"lstm","units":0,"reads":[0]}"#).contains("units"));
        assert!(net(r#"{"kind":"lstm","units":3,"reads":[2]}"#).contains("operation"));
        assert!(net(r#"{"kind":"lstm","units":3,"reads":[0],"more":1}"#).contains("more"));
    }
}
