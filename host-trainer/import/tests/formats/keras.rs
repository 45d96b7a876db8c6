//! Files of Keras 2 and 3, made by `make_keras.py`.
#![cfg(feature = "keras")]

use std::io::{Cursor, Read, Write};
use std::path::Path;

use crate::compare::{damaged, import, path, refused_file, same};
use gatelet_import::draft::{Cell, Function, Kind};
use gatelet_import::{Imported, Options, lower};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

fn right(file: &str) -> Imported {
    same("keras", file, None)
}

fn notes(net: &Imported, name: &str) -> String {
    let row = net.rows.iter().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("no row {name}: {:?}", net.rows))
        .notes
        .join("; ")
}

/// Normalisation, dropout, wrapped layers and cells: three cells, dense, a cell, two dense.
#[test]
fn what_is_wrapped_or_folded() {
    for file in ["chain.keras", "chain2.keras"] {
        let net = right(file);
        assert_eq!(net.net.len(), 7, "{file}");
        assert!(net.outputs[0].softmax);
        assert!(net.rows.iter().any(|row| row.name.ends_with("/lstm_cell")));
    }
    for file in ["norm.keras", "norm2.keras"] {
        assert_eq!(right(file).net.len(), 1, "{file}");
    }
}

#[test]
fn several_inputs_and_outputs() {
    for file in ["heads.h5", "heads.keras", "heads2.h5"] {
        let net = right(file);
        let inputs: Vec<_> = net
            .inputs
            .iter()
            .map(|port| (&*port.name, port.width))
            .collect();
        assert_eq!(inputs, [("sound", 5), ("knobs", 2)], "{file}");
        let outputs: Vec<_> = net.outputs.iter().map(|port| &*port.name).collect();
        assert_eq!(outputs, ["gains", "chance"], "{file}");
    }
}

#[test]
fn tokens_and_cells_without_biases() {
    let net = right("words.keras");
    assert!(net.net.takes_tokens());
    assert_eq!(net.net.len(), 4);
}

/// Inputs that are the state of a layer are the state that a stream carries.
#[test]
fn states_are_carried() {
    for file in ["state.h5", "state2.h5"] {
        let net = right(file);
        assert_eq!((net.inputs.len(), net.outputs.len()), (1, 1), "{file}");
        assert!(notes(&net, "cell").contains("initial_state"), "{file}");
        assert_eq!(net.notes.len(), 4, "{file}: {:?}", net.notes);
    }
    let net = right("last.keras");
    assert!(notes(&net, "gru").contains("stateful"), "{:?}", net.rows);
}

#[test]
fn models_inside_of_models() {
    for file in ["nested.keras", "nested2.h5"] {
        let net = right(file);
        assert!(
            net.rows.iter().any(|row| row.name.starts_with("inner/")),
            "{file}"
        );
    }
}

/// Kernels of CuDNN lie transposed, with two biases; the configuration is the list of layers.
#[test]
fn weights_of_cudnn() {
    let net = right("cudnn2.h5");
    assert!(notes(&net, "lstm").contains("CuDNN") && notes(&net, "gru").contains("CuDNN"));
    assert_eq!(net.rows[0].from, "CuDNNLSTM");
}

/// The slope of hard_sigmoid is 1/6 in Keras 3 and 0.2 in Keras 2.
#[test]
fn hard_sigmoid_is_of_its_version() {
    right("vector.keras");
    right("vector2.h5");
    for (file, slope) in [("hard.keras", 1.0 / 6.0), ("hard2.h5", 0.2)] {
        let path = path("keras", file);
        let bytes = gatelet_import::bytes(&path).expect(file);
        let draft = gatelet_import::read(&bytes, &path, Options::default()).expect(file);
        let Kind::Recurrent(of) = &draft.layers[0].kind else {
            panic!("{file}: {:?}", draft.layers[0].kind);
        };
        let Cell::Gru { gate, .. } = of.cell else {
            panic!("{file}: {:?}", of.cell);
        };
        assert_eq!(gate, Function::HardSigmoid { slope, offset: 0.5 }, "{file}");
        let named = "hard_sigmoid, which Gatelet's cell has not";
        match lower(draft) {
            Ok(_) => drop(right(file)),
            Err(error) => assert!(error.to_string().contains(named), "{file}: {error}"),
        }
    }
}

#[test]
fn weights_alone_and_shared_layers_are_refused() {
    let alone = refused_file("keras", "alone.weights.h5", None);
    assert!(
        alone.contains("weights only") && alone.contains("model.save"),
        "{alone}"
    );
    let shared = refused_file("keras", "shared2.h5", None);
    assert!(shared.starts_with("dense: 2 places share it"), "{shared}");
    let goldens = import("keras", "golden.safetensors", None).expect_err("no net");
    assert!(!goldens.to_string().is_empty());
}

/// `plain.keras` with something else in its configuration.
fn changed(from: &str, to: &str) -> Result<Imported, gatelet_import::Error> {
    let bytes = std::fs::read(path("keras", "plain.keras")).expect("the file");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut made = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..archive.len() {
        let mut member = archive.by_index(number).expect("a member");
        let name = member.name().expect("a name").to_string();
        let mut data = Vec::new();
        member.read_to_end(&mut data).expect("its bytes");
        if name == "config.json" {
            let text = String::from_utf8(data).expect("text");
            assert!(text.contains(from), "{from} is not in {text}");
            data = text.replacen(from, to, 1).into_bytes();
        }
        made.start_file(name, SimpleFileOptions::default())
            .expect("a member");
        made.write_all(&data).expect("its bytes");
    }
    let bytes = made.finish().expect("a zip").into_inner();
    gatelet_import::read(&bytes, Path::new("x.keras"), Options::default()).and_then(lower)
}

#[test]
fn what_cannot_come_along_is_named() {
    let drop = r#""module": "keras.layers", "class_name": "Dropout""#;
    let class = |name: &str| drop.replace("Dropout", name);
    let gru = r#""class_name": "GRU""#;
    let tanh = r#""activation": "tanh""#;
    let cases = [
        (
            drop,
            class("LayerNormalization"),
            "drop: LayerNormalization: it divides",
        ),
        (
            drop,
            class("Bidirectional"),
            "drop: Bidirectional: it also reads",
        ),
        (
            drop,
            class("RepeatVector"),
            "drop: RepeatVector: it repeats",
        ),
        (
            drop,
            class("Flatten"),
            "drop: Flatten: it puts all steps of 4 numbers",
        ),
        (drop, class("Conv1D"), "drop: Conv1D: it is a convolution"),
        (
            drop,
            class("LeakyReLU"),
            "drop: LeakyReLU: there is no operation",
        ),
        (drop, class("Lambda"), "drop: Lambda is code of Python"),
        (drop, class("Reshape"), "drop: Reshape: it puts all steps"),
        (
            drop,
            drop.replace("keras.layers", "mine"),
            "drop: Dropout is code of Python",
        ),
        (
            drop,
            class("Mine>Dropout"),
            "drop: Mine>Dropout is code of Python",
        ),
        (
            gru,
            r#""class_name": "Masking""#.into(),
            "gru: steps that are masked by gru",
        ),
        (
            r#""go_backwards": false"#,
            r#""go_backwards": true"#.into(),
            "gru: go_backwards",
        ),
        (
            tanh,
            r#""activation": "gelu""#.into(),
            "gru: its activation is gelu",
        ),
        (r#""units": 4"#, r#""units": 5"#.into(), "gru: the tensor"),
        (
            r#""units": 4"#,
            r#""units": 4000000000"#.into(),
            "gru: it has 4000000000 units",
        ),
        (
            "null, null, 3",
            "null, null, 2".into(),
            "[3, 12], not [2, 12]",
        ),
        (
            "null, null, 3",
            "null, null, 4e15".into(),
            "does not say the shape",
        ),
        (
            "null, null, 3",
            "null, null, 400000".into(),
            "input is [any, 400000]",
        ),
        (
            "null, null, 3",
            "null, 8, 8, 3".into(),
            "input is [8, 8, 3]",
        ),
        (
            r#""class_name": "Sequential""#,
            r#""class_name": "Mine""#.into(),
            "Mine: it is a model",
        ),
        (r#""layers""#, r#""levels""#.into(), "no inputs"),
    ];
    assert!(changed("false", "false").is_ok());
    for (from, to, text) in cases {
        let error = changed(from, &to).expect_err(text).to_string();
        assert!(error.contains(text), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let looped = refused_file("keras", "loop2.h5", None);
    assert!(looped.contains("has no tensor"), "{looped}");
    let huge = refused_file("keras", "huge2.h5", None);
    assert!(huge.contains("more than the file can hold"), "{huge}");
    for file in ["plain.keras", "norm2.keras", "vector2.h5", "cudnn2.h5"] {
        damaged("keras", file, None);
    }
}
