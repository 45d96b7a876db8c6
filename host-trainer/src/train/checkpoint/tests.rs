//! Reading back what was written, and refusing what was not.

use super::*;
use crate::train::Position;
use crate::train::config::Config;

fn example() -> Checkpoint {
    of_cell(Cell::Lstm)
}

fn of_cell(cell: Cell) -> Checkpoint {
    let shape = Shape {
        cell,
        layers: 2,
        hidden: 3,
        vocab: 4,
        ..Shape::PLAIN
    };
    let config = Config {
        cell,
        hidden: 3,
        layers: 2,
        ..Config::default()
    };
    let provenance = Provenance {
        corpus: "a.txt".into(),
        corpus_sha256: "00".repeat(32),
        command: "gatelet train a.txt".into(),
        trainer: "gatelet-trainer 0".into(),
        seed: 1,
        nats: Some(1.5),
        epoch: 2,
        characters: 10,
        unigram_nats: None,
        changes: Vec::new(),
    };
    let meta = Meta {
        format: FORMAT,
        net: shape.net(),
        interface: Interface::default(),
        vocabulary: "abcd".into(),
        words: Vec::new(),
        series: None,
        config: Some(config),
        provenance,
        position: None,
    };
    Checkpoint {
        meta,
        vocab: Some(Vocabulary::of("abcd")),
        starts: Vec::new(),
        params: Params::init(shape.net(), 1),
        learned: None,
        resume: None,
    }
}

#[test]
fn a_checkpoint_comes_back_and_has_the_same_bytes_each_time() {
    let checkpoint = example();
    let bytes = checkpoint.to_bytes().unwrap();
    assert_eq!(bytes, checkpoint.to_bytes().unwrap());
    assert_eq!(
        Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap(),
        checkpoint
    );
}

#[test]
fn weights_are_transposed_as_pytorch_has_them() {
    let checkpoint = example();
    let bytes = checkpoint.to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weight = read_tensor(&file, "rnn.weight_ih_l0", &[12, 4]).unwrap();
    let own = checkpoint.params.tensor(0, Role::Rows);
    assert_eq!(
        weight[5 * 4 + 2],
        own[2 * 12 + 5],
        "gate row 5, character 2"
    );
}

/// PyTorch adds two biases to a gate; only the one of a GRU's recurrent candidate stays by itself.
#[test]
fn a_gru_keeps_the_bias_of_its_recurrent_candidate() {
    let mut checkpoint = of_cell(Cell::Gru);
    let numbers = checkpoint.params.data.iter_mut().enumerate();
    numbers.for_each(|(i, x)| *x = i as f32);
    let bytes = checkpoint.to_bytes().unwrap();
    assert_eq!(
        Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap(),
        checkpoint
    );
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let bias = read_tensor(&file, "rnn.bias_hh_l1", &[9]).unwrap();
    assert_eq!(bias[..6], [0.0; 6]);
    assert_eq!(bias[6..], *checkpoint.params.tensor(1, Role::RecurrentBias));
    // As PyTorch has them: numbers in both biases of r and z.
    let unsealed = checkpoint.unsealed().unwrap();
    let at = unsealed.windows(12).position(|w| w == bytes_of(&bias[6..]));
    let mut changed = unsealed.clone();
    let r = at.unwrap() - 24;
    changed[r..r + 4].copy_from_slice(&0.5_f32.to_le_bytes());
    let read = Checkpoint::from_bytes(&changed, Path::new("x")).unwrap();
    checkpoint.params.tensor_mut(1, Role::Bias)[0] += 0.5;
    assert_eq!(read, checkpoint);
}

#[test]
fn wrong_tensors_are_named() {
    let bytes = example().unsealed().unwrap();
    let text = |from: &str, to: &str| {
        let at = bytes
            .windows(from.len())
            .position(|w| w == from.as_bytes())
            .unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        Checkpoint::from_bytes(&changed, Path::new("x"))
            .unwrap_err()
            .to_string()
    };
    let error = text("head.bias", "head.bOas");
    assert!(
        error.contains("tensor head.bias is missing (expected shape [4])"),
        "{error}"
    );
    let error = text("[12,3]", "[3,12]");
    assert!(
        error.contains("has shape [3, 12], expected [12, 3]"),
        "{error}"
    );
    for cut in [0, 7, 100, bytes.len() - 1] {
        assert!(Checkpoint::from_bytes(&bytes[..cut], Path::new("x")).is_err());
    }
}

/// Every optimizer's memory comes back, under names that do not change; Adam's are those of earlier versions.
#[test]
fn the_memory_of_every_optimizer_comes_back() {
    use crate::train::optim::Optimizer::{Adam, AdamW, RmsProp, Sgd};
    for (optimizer, momentum, names) in [
        (AdamW, 0.0, &["mean", "square"][..]),
        (Adam, 0.0, &["mean", "square"]),
        (Sgd, 0.0, &[]),
        (Sgd, 0.9, &["momentum"]),
        (RmsProp, 0.0, &["square"]),
        (RmsProp, 0.9, &["square", "momentum"]),
    ] {
        let mut checkpoint = example();
        let count = checkpoint.params.data.len();
        checkpoint.meta.config = Some(Config {
            momentum,
            batch: 5,
            ..checkpoint
                .config()
                .unwrap()
                .clone()
                .with_optimizer(optimizer)
        });
        checkpoint.meta.position = Some(Position::default());
        let slot = |first: usize| (first..first + count).map(|i| i as f32).collect();
        checkpoint.resume = Some(Resume {
            slots: (0..names.len()).map(|i| slot(1000 * i)).collect(),
            h: vec![0.25; 2 * 5 * 3],
            c: vec![0.5; 2 * 5 * 3],
            best: (momentum > 0.0).then(|| slot(7)),
        });
        let bytes = checkpoint.to_bytes().unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (index, name) in names.iter().enumerate() {
            let read = read_tensor(&file, &format!("optimizer.{name}"), &[count]).unwrap();
            assert_eq!(read[0], 1000.0 * index as f32, "{optimizer}: {name}");
        }
        let other = Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap();
        assert_eq!(other, checkpoint, "{optimizer}");
    }
}

#[test]
fn a_checkpoint_without_its_optimizers_memory_is_refused() {
    let mut checkpoint = example();
    checkpoint.meta.position = Some(Position::default());
    let error = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap(), Path::new("x"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("tensor optimizer.mean is missing"),
        "{error}"
    );
}

/// A net of other operations than the command line's comes back; the tools for texts refuse it.
#[test]
fn a_net_of_any_operations_comes_back() {
    use gatelet::net::{Activation, Operand, Precision, Reset, Value};

    let net = Net::tokens(Precision::F32, 4)
        .then(Kind::Embedding { units: 3 })
        .with(Kind::lstm(2), Operand::two(Value::INPUT, Value::of(0)))
        .then(Kind::gru(3, Reset::Before))
        .then(Kind::Dense {
            units: 4,
            activation: Activation::None,
        })
        .scores();
    let mut checkpoint = example();
    checkpoint.meta.net = net;
    checkpoint.params = Params::init(net, 5);
    let bytes = checkpoint.to_bytes().unwrap();
    let read = Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap();
    assert_eq!(read, checkpoint);
    let error = Checkpoint::of_text(&bytes, Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("equal layers"), "{error}");
}

#[test]
fn older_formats_are_refused_in_a_sentence() {
    let mut checkpoint = example();
    checkpoint.meta.format = 5;
    let bytes = checkpoint.to_bytes().unwrap();
    let error = Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("this program reads 6: train the net again"),
        "{said}"
    );
}

/// A net of features with names, a softmax and start states, as an importer makes it.
#[test]
fn a_net_without_a_vocabulary_comes_back() {
    use gatelet::net::{Activation, Precision, RnnActivation};

    let dense = |units| Kind::Dense {
        units,
        activation: Activation::None,
    };
    let rnn = Kind::Rnn {
        units: 2,
        activation: RnnActivation::Relu,
    };
    let net = Net::features(Precision::F32, 3).then(Kind::lstm(4));
    let net = net.then(rnn).then(dense(3)).scores();
    let named = |name: &str, width| NamedInput {
        name: name.to_owned(),
        width,
    };
    let interface = Interface {
        inputs: vec![named("sound", 2), named("speed", 1)],
        outputs: vec![NamedOutput {
            name: "class".to_owned(),
            softmax: true,
        }],
        front_end: Some("logmel:3,high=4000".parse().unwrap()),
    };
    let starts = vec![
        Start {
            operation: 0,
            h: vec![0.5; 4],
            c: vec![-1.5; 4],
        },
        Start {
            operation: 1,
            h: vec![2.0; 2],
            c: Vec::new(),
        },
    ];
    let from = || example().meta.provenance;
    let made = |interface: &Interface, starts: &[Start]| {
        let params = Params::init(net, 5);
        Checkpoint::of_net(params, interface.clone(), starts.to_vec(), from())
    };
    let checkpoint = made(&interface, &starts).unwrap();
    let bytes = checkpoint.to_bytes().unwrap();
    let read = Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap();
    assert_eq!(read, checkpoint);
    let error = Checkpoint::of_text(&bytes, Path::new("x")).unwrap_err();
    assert!(error.to_string().contains("no vocabulary"), "{error}");
    let said =
        |interface: &Interface, starts: &[Start]| made(interface, starts).unwrap_err().to_string();
    let wide = Interface {
        inputs: vec![named("sound", 4)],
        ..interface.clone()
    };
    assert!(said(&wide, &[]).contains("the net has 3"));
    let twice = Interface {
        inputs: vec![named("class", 3)],
        ..interface.clone()
    };
    assert!(said(&twice, &[]).contains("names have to differ"));
    let narrow = Interface {
        front_end: Some("logmel:2,high=4000".parse().unwrap()),
        ..interface.clone()
    };
    assert!(said(&narrow, &[]).contains("gives 2 numbers"));
    let image = crate::quantize::export::f32_image(&checkpoint).unwrap();
    let front = image.model().unwrap().front_end();
    assert_eq!(front, interface.front_end.map(|front| front.0));
    let first = starts[0].clone();
    let said = |start| said(&interface, &[start]);
    let head = Start {
        operation: 2,
        ..first.clone()
    };
    assert!(said(head).contains("operation 2"));
    let bare = Start {
        c: Vec::new(),
        ..first.clone()
    };
    assert!(said(bare).contains("(4, 0)"));
    let bad = Start {
        h: vec![f32::NAN; 4],
        ..first
    };
    assert!(said(bad).contains("NaN"));
}
