//! Files of PyTorch, made by `make_torch.py`.

use crate::compare::{damaged, refused, same};

const DEEP: &str = r#"{"input": 4, "layers": [
    {"type": "BatchNorm1d", "name": "norm"},
    {"type": "Dropout", "p": 0.5},
    {"type": "LSTM", "name": "rnn", "input": 4, "hidden": 6, "layers": 2, "batch_first": true},
    {"type": "Linear", "name": "fc1", "input": 6, "output": 5},
    {"type": "ReLU"},
    {"type": "Linear", "name": "fc2", "input": 5, "output": 3},
    {"type": "Softmax", "dim": 1}]}"#;
const HEADS: &str = r#"{"input": 3, "outputs": ["chance", "gains"], "layers": [
    {"type": "GRU", "name": "first"},
    {"type": "GRU", "name": "second", "reads": ["first", "input"]},
    {"type": "Add", "name": "sum", "reads": ["second", "input"]},
    {"type": "Linear", "name": "voice"},
    {"type": "Sigmoid", "name": "chance"},
    {"type": "Linear", "name": "gains", "reads": ["sum", "first"]}]}"#;

fn right(file: &str, order: Option<&str>) -> gatelet_import::Imported {
    same("torch", file, order)
}

#[test]
fn nets_give_what_pytorch_gives() {
    let gru = right("gru.pt", None);
    assert_eq!(gru.net.len(), 3);
    assert!(gru.notes[0].contains("gru 5, linear 2"), "{:?}", gru.notes);
    right("gru.pt", Some("gru 5 x2, linear 2"));
    right("deep.safetensors", Some(DEEP));
    right(
        "deep.safetensors",
        Some("batchnorm 4, dropout, lstm 6 x2, linear 5, relu, linear 3, softmax"),
    );
    right(
        "words.safetensors",
        Some("embedding 3, rnn 4 relu, linear 7"),
    );
    let trained = right("trained.pth", None);
    assert!(
        trained
            .notes
            .iter()
            .any(|note| note.contains("model_state_dict"))
    );
    assert!(trained.notes.iter().any(|note| note.contains("bf16")));
    right("strided.pt", None);
    right("cell.safetensors", None);
    right("heads.safetensors", Some(HEADS));
}

/// A state dict of one module, whose tensors have no prefix.
#[test]
fn a_module_alone_has_no_name() {
    let net = crate::compare::import("torch", "alone.pt", None).expect("a net");
    assert_eq!((net.net.len(), net.rows[0].name.as_str()), (1, "lstm"));
}

#[test]
fn what_cannot_come_along_is_named() {
    for (file, order, parts) in [
        ("bidirectional.pt", None, ["rnn: ", "bidirectional"]),
        ("projected.pt", None, ["rnn: ", "proj_size"]),
        ("module.pt", None, ["asks for __main__.Net", "state_dict()"]),
        (
            "legacy.pt",
            None,
            ["without a zip", "torch.save(torch.load("],
        ),
        ("script.pt", None, ["TorchScript", "torch.jit.load"]),
        ("call.pt", None, [".system", "nothing was run"]),
        ("packed.pt", None, ["m/byteorder", "compressed"]),
        ("norm.pt", None, ["norm: ", "LayerNorm"]),
        ("conv.pt", None, ["conv: ", "convolution"]),
        ("weight_norm.pt", None, ["fc: ", "weight norm"]),
        (
            "rnn.pt",
            None,
            ["tanh or relu", "--net \"rnn 2 tanh, linear 1\""],
        ),
        (
            "two.pt",
            None,
            ["between a and b", "--net \"gru 2, linear 2, linear 1\""],
        ),
        (
            "words.safetensors",
            None,
            ["tanh or relu", "embedding 3, rnn 4 tanh, linear 7"],
        ),
        (
            "own.safetensors",
            None,
            ["checkpoint of Gatelet", "no import"],
        ),
        ("integers.safetensors", Some("gru 1"), ["rnn: ", "i8"]),
        (
            "deep.safetensors",
            None,
            ["LSTM rnn 4 -> 6 of 2 layers", "Linear fc1 6 -> 5"],
        ),
        ("gru.pt", Some("gru 5"), ["leaves out", "Linear head"]),
        ("gru.pt", Some("gru 6, linear 2"), ["rnn: ", "makes 6"]),
        (
            "gru.pt",
            Some("gru 5 x3, linear 2"),
            ["rnn: ", "2 layers, not 3"],
        ),
        (
            "gru.pt",
            Some("lstm 5, linear 2"),
            ["no unused lstm 5", "GRU rnn"],
        ),
        (
            "gru.pt",
            Some("gru 5, linear 2, linear 3"),
            ["no unused linear 3", "Linear head"],
        ),
        ("gru.pt", Some("gru 5, add rnm, linear 2"), ["rnm", "rnn"]),
        (
            "two.pt",
            Some("gru 2, linear 2 b, linear a"),
            ["b: ", "makes 1"],
        ),
        (
            "two.pt",
            Some("gru 2, linear 2, linear 1, tanh, linear 1"),
            ["no unused", "linear"],
        ),
    ] {
        let bytes = std::fs::read(crate::compare::path("torch", file)).expect(file);
        let error = refused(file, &bytes, order);
        for part in parts {
            assert!(error.contains(part), "{file} {order:?}: {error}");
        }
    }
    // Left out on purpose.
    let order = Some("gru 2, linear 2 a, unused b");
    let net = crate::compare::import("torch", "two.pt", order).expect("a net");
    assert_eq!(net.net.len(), 2);
}

#[test]
fn damaged_files_are_refused() {
    damaged("torch", "gru.pt", None);
    damaged("torch", "strided.pt", None);
    damaged("torch", "trained.pth", None);
    damaged("torch", "deep.safetensors", Some(DEEP));
    damaged("torch", "script.pt", None);
}
