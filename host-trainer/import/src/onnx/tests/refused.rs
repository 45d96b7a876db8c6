//! What is refused, and with which words.

use prost::Message;

use super::super::proto::{Attribute, Model, Node, Tensor};
use super::graph::{int, ints, model, named, node, strings, tensor, text, value};
use super::import;
use crate::draft::{Cell, Function, Kind};
use crate::onnx::read;
use crate::options::Options;

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

/// A simple cell has no gates: names of states make the difference.
#[test]
fn a_simple_cell_is_known_by_its_names() {
    let net = |h: &str, new: &str| {
        let mut net = model(vec![
            node("MatMul", &["a", "A"], &["a1"], Vec::new()),
            node("MatMul", &[h, "A"], &["b1"], Vec::new()),
            node("Add", &["a1", "b1"], &["sum"], Vec::new()),
            node("Tanh", &["sum"], &[new], Vec::new()),
        ]);
        if let Some(graph) = &mut net.graph {
            graph.initializer.push(tensor("A", &[3, 3]));
            graph.input = vec![value("a", &[1, 3]), value(h, &[1, 3])];
            graph.output = vec![value(new, &[])];
        }
        import(&net.encode_to_vec()).expect("a net")
    };
    let cell = net("h", "h_out");
    assert_eq!((cell.net.len(), cell.inputs.len()), (1, 1));
    assert!(matches!(
        cell.weights[0],
        crate::lower::Weights::Recurrent(_)
    ));
    let dense = net("frame", "frame_out");
    assert_eq!(dense.inputs.len(), 2);
    assert!(
        dense
            .weights
            .iter()
            .all(|of| !matches!(of, crate::lower::Weights::Recurrent(_)))
    );
}
