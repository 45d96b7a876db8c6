//! Nets of tests/make_onnx.py against what they give, and what is refused.

use std::path::{Path, PathBuf};

use super::proto::{Attribute, Dimension, Graph, Model, Node, Opset, Shape, Tensor, TensorType};
use super::proto::{Type, ValueInfo};
use super::*;
use crate::draft::{Cell, Function, Kind};
use crate::lower::{Imported, lower};
use crate::plain::Plain;

/// Relative to the largest output, and to 1 where that is less.
const BOUND: f64 = 1e-5;

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    folder.join(name)
}

fn import(bytes: &[u8]) -> Result<Imported> {
    read(bytes, Options::default()).and_then(lower)
}

/// An array of float32, and how many there are of its first axis.
fn numbers(name: &str) -> (usize, Vec<f32>) {
    let bytes = std::fs::read(path(name)).expect(name);
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8_lossy(&bytes[10..header]).into_owned();
    assert!(text.contains("'<f4'"), "{name}: {text}");
    let shape = text.split("'shape': (").nth(1).expect("a shape");
    let first = shape.split(',').next().expect("an axis");
    let (all, _) = bytes[header..].as_chunks::<4>();
    let all = all.iter().map(|x| f32::from_le_bytes(*x)).collect();
    (first.parse().expect("a size"), all)
}

/// Imports a net and checks every output of every step.
fn same(name: &str, input: &str) -> Imported {
    let bytes = std::fs::read(path(&format!("{name}.onnx"))).expect(name);
    let net = import(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let ((steps, x), (rows, y)) = (numbers(input), numbers(&format!("{name}.npy")));
    assert!(steps >= 40 && rows == steps);
    let (inputs, outputs) = (x.len() / steps, y.len() / steps);
    let most = y
        .iter()
        .fold(1.0_f64, |most, y| most.max(f64::from(y.abs())));
    let mut plain = Plain::new(&net);
    for step in 0..steps {
        let x = &x[step * inputs..][..inputs];
        let got = plain.step(x, x[0] as usize);
        assert_eq!(got.len(), outputs, "{name}");
        for (got, right) in got.iter().zip(&y[step * outputs..]) {
            let error = (got - f64::from(*right)).abs() / most;
            assert!(error < BOUND, "{name}, step {step}: {got}, not {right}");
        }
    }
    net
}

fn notes(net: &Imported) -> String {
    let rows = net.rows.iter().flat_map(|row| &row.notes);
    let all: Vec<&str> = net.notes.iter().chain(rows).map(String::as_str).collect();
    all.join("\n")
}

#[test]
fn nets_of_both_exporters() {
    for name in ["last", "last_dynamo"] {
        let net = same(name, "x.npy");
        assert_eq!(net.net.len(), 3, "{name}");
        assert!(net.outputs[0].softmax);
        assert!(
            notes(&net).contains("the last step only"),
            "{}",
            notes(&net)
        );
    }
    for name in ["heads", "heads_dynamo"] {
        let net = same(name, "x.npy");
        let outputs: Vec<&str> = net.outputs.iter().map(|port| &*port.name).collect();
        assert_eq!(outputs, ["gain", "voice"], "{name}");
        assert!(
            notes(&net).contains("the output c was left out"),
            "{}",
            notes(&net)
        );
    }
}

#[test]
fn cells_in_parts_are_put_together() {
    for name in ["step", "step_dynamo"] {
        let net = same(name, "x.npy");
        assert_eq!(net.net.len(), 3, "{name}");
        assert!(notes(&net).contains("put together"), "{}", notes(&net));
        assert!(notes(&net).contains("the input state and the output state_new"));
    }
    assert_eq!(same("before", "x.npy").net.len(), 1);
}

#[test]
fn nets_that_were_written_node_by_node() {
    let net = same("states", "x.npy");
    assert_eq!(net.inputs.len(), 1);
    assert_eq!(net.net.len(), 3);
    assert_eq!(same("plain", "x.npy").net.len(), 2);
    assert!(same("reset", "x.npy").outputs[0].softmax);
    assert_eq!(same("dense", "x.npy").net.len(), 3);
    assert!(same("words", "tokens.npy").net.takes_tokens());
}

/// Whatever is cut off or changed: no panic, and what is refused is refused in one line.
#[test]
fn damaged_files() {
    for name in ["states", "heads", "step_dynamo", "plain", "dense"] {
        let bytes = std::fs::read(path(&format!("{name}.onnx"))).expect(name);
        let try_it = |bytes: &[u8]| {
            if let Err(error) = import(bytes) {
                assert!(!error.to_string().contains('\n'), "{name}: {error}");
            }
        };
        let step = bytes.len().div_ceil(1000);
        for at in (0..bytes.len()).step_by(step) {
            try_it(&bytes[..at]);
            for change in [0xff, 0x01, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                try_it(&changed);
            }
        }
    }
}

fn text(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn node(op: &str, input: &[&str], output: &[&str], attribute: Vec<Attribute>) -> Node {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Node {
        input: all(input),
        output: all(output),
        name: text(&format!("the {op}")),
        op_type: text(op),
        attribute,
        domain: None,
    }
}

fn named(name: &str) -> Attribute {
    Attribute {
        name: text(name),
        ..Attribute::default()
    }
}

fn int(name: &str, i: i64) -> Attribute {
    Attribute {
        i: Some(i),
        ..named(name)
    }
}

fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        ints: ints.to_vec(),
        ..named(name)
    }
}

fn strings(name: &str, all: &[&str]) -> Attribute {
    Attribute {
        s: all.first().map(|of| of.as_bytes().to_vec()),
        strings: all.iter().map(|of| of.as_bytes().to_vec()).collect(),
        ..named(name)
    }
}

fn tensor(name: &str, dims: &[i64]) -> Tensor {
    let count: i64 = dims.iter().product();
    let number = |k: i64| ((k * 37 % 19) - 9) as f32 / 20.0;
    Tensor {
        dims: dims.to_vec(),
        data_type: Some(1),
        float_data: (0..count).map(number).collect(),
        name: text(name),
        ..Tensor::default()
    }
}

fn value(name: &str, dims: &[i64]) -> ValueInfo {
    let dim = |len: &i64| Dimension {
        dim_value: Some(*len).filter(|len| *len > 0),
    };
    let shape = Some(Shape {
        dim: dims.iter().map(dim).collect(),
    });
    let tensor_type = Some(TensorType {
        elem_type: Some(1),
        shape,
    });
    ValueInfo {
        name: text(name),
        r#type: Some(Type { tensor_type }),
    }
}

/// A graph of nodes over x, `[time, 1, 4]`, with weights of cells of 3 units; y is its output.
fn model(node: Vec<Node>) -> Model {
    let of = |prefix: &str, gates: i64, inputs: i64| {
        [
            tensor(&format!("{prefix}W"), &[1, gates * 3, inputs]),
            tensor(&format!("{prefix}R"), &[1, gates * 3, 3]),
            tensor(&format!("{prefix}B"), &[1, gates * 6]),
        ]
    };
    let mut initializer: Vec<Tensor> = [of("l", 4, 4), of("g", 3, 4), of("n", 3, 3)].concat();
    initializer.push(tensor("P", &[1, 9]));
    initializer.push(tensor("V", &[3, 2]));
    initializer.push(Tensor {
        data_type: Some(7),
        int64_data: vec![0],
        float_data: Vec::new(),
        ..tensor("zero", &[1])
    });
    Model {
        opset_import: vec![Opset {
            domain: None,
            version: Some(17),
        }],
        graph: Some(Graph {
            node,
            initializer,
            input: vec![value("x", &[0, 1, 4])],
            output: vec![value("y", &[])],
        }),
    }
}

/// The line with which a model is refused.
fn refusal(model: &Model) -> String {
    let error = import(&model.encode_to_vec())
        .expect_err("a refusal")
        .to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn lstm(attribute: Vec<Attribute>) -> Node {
    node("LSTM", &["x", "lW", "lR", "lB"], &["y"], attribute)
}

fn gru(output: &str) -> Node {
    node("GRU", &["x", "gW", "gR", "gB"], &[output], Vec::new())
}

#[test]
fn attributes_of_cells() {
    let clip = Attribute {
        f: Some(3.0),
        ..named("clip")
    };
    let of = |attribute| refusal(&model(vec![lstm(vec![attribute])]));
    for (attribute, says) in [
        (
            strings("direction", &["bidirectional"]),
            "it is bidirectional",
        ),
        (strings("direction", &["reverse"]), "it is reverse"),
        (clip, "it clips"),
        (int("input_forget", 1), "input_forget"),
        (int("hidden_size", 4), "its hidden_size is 4"),
        (
            strings("activations", &["Sigmoid", "Elu", "Tanh"]),
            "its activation Elu",
        ),
    ] {
        let line = of(attribute);
        assert!(
            line.starts_with("the LSTM (LSTM): ") && line.contains(says),
            "{line}"
        );
    }
    let peepholes = ["x", "lW", "lR", "lB", "", "", "", "P"];
    let line = refusal(&model(vec![node("LSTM", &peepholes, &["y"], Vec::new())]));
    assert!(line.contains("peepholes"), "{line}");
    let lens = ["x", "lW", "lR", "lB", "zero"];
    let line = refusal(&model(vec![node("LSTM", &lens, &["y"], Vec::new())]));
    assert!(line.contains("sequence_lens"), "{line}");
}

#[test]
fn functions_of_gates_are_read() {
    let floats = |name, of| Attribute {
        floats: vec![of],
        ..named(name)
    };
    let attribute = vec![
        strings("activations", &["HardSigmoid", "Relu"]),
        floats("activation_alpha", 0.3),
        floats("activation_beta", 0.45),
        int("linear_before_reset", 1),
    ];
    let net = model(vec![node(
        "GRU",
        &["x", "gW", "gR", "gB"],
        &["y"],
        attribute,
    )]);
    let draft = read(&net.encode_to_vec(), Options::default()).expect("a draft");
    let [layer] = &draft.layers[..] else {
        panic!("{:?}", draft.layers);
    };
    let Kind::Recurrent(of) = &layer.kind else {
        panic!("{layer:?}");
    };
    let gate = Function::HardSigmoid {
        slope: 0.3,
        offset: 0.45,
    };
    let right = Cell::Gru {
        reset: gatelet::net::Reset::After,
        gate,
        candidate: Function::Relu,
    };
    assert_eq!(of.cell, right);
    assert_eq!((of.bias.len(), of.hidden_bias.len()), (9, 3));
}

#[test]
fn what_cannot_come_along_is_named() {
    let behind = |op: &str, more: &[&str], attribute: Vec<Attribute>| {
        let reads = [&["h"], more].concat();
        refusal(&model(vec![gru("h"), node(op, &reads, &["y"], attribute)]))
    };
    for (line, says) in [
        (
            behind("Flatten", &[], vec![int("axis", 0)]),
            "several steps",
        ),
        (behind("Conv", &["V"], Vec::new()), "convolution"),
        (
            behind("LayerNormalization", &["V"], Vec::new()),
            "the step itself",
        ),
        (behind("Loop", &[], Vec::new()), "a loop"),
        (behind("Mul", &["h"], Vec::new()), "multiplies two values"),
        (behind("MatMul", &["h"], Vec::new()), "attention"),
        (behind("Softmax", &[], vec![int("axis", 0)]), "softmax"),
        (
            behind("Gather", &["zero"], vec![int("axis", 0)]),
            "unrolled",
        ),
        (
            behind("Concat", &["h"], vec![int("axis", 0)]),
            "one behind the other",
        ),
        (behind("NoSuch", &[], Vec::new()), "no such operation"),
    ] {
        assert!(line.contains(says) && line.contains("; "), "{line}");
        assert!(line.starts_with("the "), "{line}");
    }
    let mut foreign = model(vec![gru("y")]);
    if let Some(graph) = &mut foreign.graph {
        graph.node[0].domain = text("com.example");
    }
    assert!(refusal(&foreign).contains("com.example"));
}

#[test]
fn time_is_one() {
    let next =
        |h: &str, start: &str| node("GRU", &[h, "nW", "nR", "nB", "", start], &["y"], Vec::new());
    let last = node("GRU", &["x", "gW", "gR", "gB"], &["h", "end"], Vec::new());
    let squeeze = node("Squeeze", &["h", "one"], &["s"], vec![ints("axes", &[1])]);
    // An encoder's end as a decoder's start, and as its input.
    let started = model(vec![last.clone(), squeeze.clone(), next("s", "end")]);
    let line = refusal(&started);
    assert!(line.contains("start state initial_h is computed"), "{line}");
    let line = refusal(&model(vec![last.clone(), next("end", "")]));
    assert!(line.contains("an encoder and its decoder"), "{line}");
    // The end beside every step.
    let line = refusal(&model(vec![
        last,
        squeeze,
        node("Add", &["s", "end"], &["y"], Vec::new()),
    ]));
    assert!(
        line.contains("the last step of a sequence beside every step"),
        "{line}"
    );
}

#[test]
fn files_that_lack_something() {
    let mut inputs = model(vec![gru("y")]);
    if let Some(graph) = &mut inputs.graph {
        graph.initializer.retain(|of| of.name() != "gR");
        graph.input.push(value("gR", &[1, 9, 3]));
    }
    let line = refusal(&inputs);
    assert!(
        line.contains("weights R are an input of the graph"),
        "{line}"
    );

    let mut outside = model(vec![gru("y")]);
    if let Some(graph) = &mut outside.graph {
        graph
            .initializer
            .iter_mut()
            .for_each(|of| of.data_location = Some(1));
    }
    assert!(refusal(&outside).contains("in another file"));

    let mut short = model(vec![gru("y")]);
    if let Some(graph) = &mut short.graph {
        graph
            .initializer
            .iter_mut()
            .for_each(|of| of.float_data.truncate(5));
    }
    let line = refusal(&short);
    assert!(
        line.contains("of the shape [1, 9, 4] has 5 numbers"),
        "{line}"
    );

    let mut given = model(vec![node(
        "LSTM",
        &["x", "lW", "lR", "lB", "", "h", "c"],
        &["y"],
        Vec::new(),
    )]);
    if let Some(graph) = &mut given.graph {
        graph
            .input
            .extend([value("h", &[1, 1, 3]), value("c", &[1, 1, 3])]);
    }
    let line = refusal(&given);
    assert!(
        line.contains("the input c, which no output gives back"),
        "{line}"
    );
}

/// A small file cannot ask for much.
#[test]
fn numbers_that_grow_are_bounded() {
    let mut nodes = vec![node("Concat", &["x", "x"], &["v0"], vec![int("axis", 2)])];
    for k in 0..40 {
        let (from, to) = (format!("v{k}"), format!("v{}", k + 1));
        nodes.push(node(
            "Concat",
            &[&from, &from],
            &[&to],
            vec![int("axis", 2)],
        ));
    }
    nodes.push(node("Relu", &["v40"], &["y"], Vec::new()));
    assert!(refusal(&model(nodes)).contains("too many here"));
    let many: Vec<u8> = [
        [0x3a, 0x80, 0x80, 0x80, 0x01].as_slice(),
        &[0x0a, 0].repeat(1 << 20),
    ]
    .concat();
    assert!(
        import(&many)
            .expect_err("a refusal")
            .to_string()
            .contains("more than 1048576")
    );
    let mut huge = model(vec![node("ConstantOfShape", &["size"], &["c"], Vec::new())]);
    if let Some(graph) = &mut huge.graph {
        graph
            .node
            .push(node("Add", &["x", "c"], &["y"], Vec::new()));
        graph.initializer.push(Tensor {
            data_type: Some(7),
            int64_data: vec![1 << 40, 0, 4],
            float_data: Vec::new(),
            ..tensor("size", &[3])
        });
    }
    assert!(refusal(&huge).contains("too many here"));
}
