//! Graphs of a few nodes.

use super::super::proto::{Attribute, Dimension, Graph, Model, Node, Opset, Shape, Tensor};
use super::super::proto::{TensorType, Type, ValueInfo};

pub(super) fn text(name: &str) -> Option<String> {
    Some(name.to_owned())
}

pub(super) fn node(op: &str, input: &[&str], output: &[&str], attribute: Vec<Attribute>) -> Node {
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

pub(super) fn named(name: &str) -> Attribute {
    Attribute {
        name: text(name),
        ..Attribute::default()
    }
}

pub(super) fn int(name: &str, i: i64) -> Attribute {
    Attribute {
        i: Some(i),
        ..named(name)
    }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        ints: ints.to_vec(),
        ..named(name)
    }
}

pub(super) fn strings(name: &str, all: &[&str]) -> Attribute {
    Attribute {
        s: all.first().map(|of| of.as_bytes().to_vec()),
        strings: all.iter().map(|of| of.as_bytes().to_vec()).collect(),
        ..named(name)
    }
}

pub(super) fn tensor(name: &str, dims: &[i64]) -> Tensor {
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

pub(super) fn value(name: &str, dims: &[i64]) -> ValueInfo {
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
pub(super) fn model(node: Vec<Node>) -> Model {
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
