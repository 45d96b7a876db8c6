//! A golden file of `nets.py` or `integers.py`: its tensors, and the net that its metadata
//! describes.

use gatelet::format::{FeatureSpec, ImageSpec, KnownAnswer, OperationSpec, Provenance, VocabSpec};
use gatelet::net::{
    Activation, GateActivation, Input, Kind, Net, Operand, Output, Precision, Reset, RnnActivation,
    Value,
};
use gatelet::{Layout, TextRules};
use gatelet_trainer::image::Image;
use safetensors::SafeTensors;
use serde_json::Value as Json;

/// A file of golden vectors.
pub(crate) struct Golden {
    bytes: Vec<u8>,
    /// What the script says of the net.
    description: Json,
}

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let path = format!("{}/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).expect("the golden file");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let metadata = header.metadata().as_ref().expect("metadata");
        let description = serde_json::from_str(&metadata["net"]).expect("JSON");
        Golden { bytes, description }
    }

    /// A tensor's numbers, row-major; none if there is no such tensor.
    pub(crate) fn find(&self, name: &str) -> Option<Vec<f32>> {
        self.words(name, f32::from_le_bytes)
    }

    pub(crate) fn tensor(&self, name: &str) -> Vec<f32> {
        self.find(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The same of a tensor of int32.
    pub(crate) fn find_integers(&self, name: &str) -> Option<Vec<i32>> {
        self.words(name, i32::from_le_bytes)
    }

    pub(crate) fn integers(&self, name: &str) -> Vec<i32> {
        let found = self.find_integers(name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    fn words<T>(&self, name: &str, of: fn([u8; 4]) -> T) -> Option<Vec<T>> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let view = file.tensor(name).ok()?;
        let (words, _) = view.data().as_chunks::<4>();
        Some(words.iter().map(|&word| of(word)).collect())
    }

    /// The framework's name and version.
    pub(crate) fn framework(&self) -> &str {
        self.description["framework"].as_str().expect("a name")
    }

    /// What the script says of operation `index`.
    pub(crate) fn operation(&self, index: usize) -> &Json {
        &self.description["operations"][index]
    }

    /// The net.
    pub(crate) fn net(&self, precision: Precision) -> Net {
        let input = &self.description["input"];
        let number = |key: &str| input[key].as_u64().map(|n| n as usize);
        let mut net = match number("tokens") {
            Some(vocab) => Net::tokens(precision, vocab),
            None => {
                let width = number("features").expect("a width");
                let doubled = number("doubled").unwrap_or_default();
                Net::new(precision, Input::Features { width, doubled })
            }
        };
        let operations = self.description["operations"].as_array().expect("a list");
        for (index, of) in operations.iter().enumerate() {
            net = net.with(kind(of), Operand::of(&values(&of["reads"])));
            if of["bits"].as_u64() == Some(4) {
                net = net.with_bits(index, 4);
            }
        }
        for value in values(&self.description["outputs"]) {
            net = net.with_output(Output::Values(value));
        }
        net.checked().expect("a net that can be")
    }
}

/// The image of a net in rows, from the numbers of its operations.
pub(crate) fn image(
    net: Net,
    features: FeatureSpec<'_>,
    operations: &[OperationSpec<'_>],
) -> Image {
    let spec = ImageSpec {
        net,
        layout: Layout::Rows,
        vocab: VocabSpec::None,
        features,
        operations,
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules: TextRules::default(),
    };
    Image::write(&spec).expect("parts that fit together")
}

fn values(list: &Json) -> Vec<Value> {
    let code = |code: &Json| match code.as_u64().expect("the code of a value") {
        0 => Value::INPUT,
        code => Value::of(code as usize - 1),
    };
    list.as_array().expect("a list").iter().map(code).collect()
}

fn kind(of: &Json) -> Kind {
    let units = of["units"].as_u64().unwrap_or_default() as usize;
    let word = |key: &str| of[key].as_str().unwrap_or_default();
    let gates = match word("gates") {
        "hard_sigmoid" => GateActivation::HardSigmoid,
        _ => GateActivation::Sigmoid,
    };
    let function = match word("activation") {
        "relu" => RnnActivation::Relu,
        _ => RnnActivation::Tanh,
    };
    match word("kind") {
        "embedding" => Kind::Embedding { units },
        "lstm" => Kind::Lstm { units, gates },
        "gru" => Kind::Gru {
            units,
            reset: match word("reset") {
                "after" => Reset::After,
                _ => Reset::Before,
            },
            gates,
            candidate: function,
        },
        "rnn" => Kind::Rnn {
            units,
            activation: function,
        },
        "dense" => Kind::Dense {
            units,
            activation: match word("activation") {
                "relu" => Activation::Relu,
                "tanh" => Activation::Tanh,
                "sigmoid" => Activation::Sigmoid,
                "hard_sigmoid" => Activation::HardSigmoid,
                _ => Activation::None,
            },
        },
        "add" => Kind::Add,
        other => panic!("{other:?} is no operation"),
    }
}

/// A row of what operation `index` reads, with each value padded to its stride.
pub(crate) fn padded<T: Copy + Default>(net: &Net, index: usize, row: &[T]) -> Vec<T> {
    let operation = net.operation(index).expect("it is one of the net's");
    let (mut columns, mut rest) = (Vec::new(), row);
    for value in operation.operand.parts() {
        let (numbers, behind) = rest.split_at(net.width(value));
        let end = columns.len() + net.stride(value);
        columns.extend(numbers);
        columns.resize(end, T::default());
        rest = behind;
    }
    assert!(rest.is_empty(), "a row of other values");
    columns
}
