//! What of a file is read at all: nodes that an output depends on, and no more messages than a net
//! has.

use std::collections::HashSet;

use super::proto::{Graph, Node};

/// The most messages in a file: nodes, attributes, tensors, names.
const MESSAGES: usize = 1 << 20;
/// How deep messages may lie in each other.
const DEPTH: usize = 40;

/// A variable-length number of at most 10 bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Fields that hold messages, by what holds them.
#[derive(Clone, Copy)]
enum Of {
    Model,
    Graph,
    Node,
    Attribute,
    Other,
}

impl Of {
    const fn field(self, tag: u64) -> Option<Self> {
        Some(match (self, tag) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Node, 5) => Self::Attribute,
            (Self::Model, 8) | (Self::Graph, 5 | 11 | 12) | (Self::Attribute, 5) => Self::Other,
            (Self::Node, 1 | 2) | (Self::Attribute, 9) => Self::Other,
            (Self::Other, 1 | 2) => Self::Other,
            _ => return None,
        })
    }
}

fn walk(mut bytes: &[u8], of: Of, depth: usize, left: &mut usize) -> Result<(), String> {
    if depth > DEPTH {
        return Err(format!("messages lie more than {DEPTH} deep"));
    }
    let damaged = || "a message ends too early".to_owned();
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or_else(damaged)?;
        let skip = match key & 7 {
            0 => {
                varint(&mut bytes).ok_or_else(damaged)?;
                0
            }
            1 => 8,
            2 => {
                let len = varint(&mut bytes).ok_or_else(damaged)?;
                usize::try_from(len).map_err(|_| damaged())?
            }
            5 => 4,
            // Groups, which ONNX has none of: prost judges them.
            _ => return Ok(()),
        };
        let (inside, rest) = bytes.split_at_checked(skip).ok_or_else(damaged)?;
        bytes = rest;
        let Some(inner) = of.field(key >> 3).filter(|_| key & 7 == 2) else {
            continue;
        };
        *left = left
            .checked_sub(1)
            .ok_or_else(|| format!("it has more than {MESSAGES} nodes, attributes and names"))?;
        if !matches!(inner, Of::Other) {
            walk(inside, inner, depth + 1, left)?;
        }
    }
    Ok(())
}

/// Counts the messages of a file before memory is taken for them.
///
/// # Errors
/// For a file with more than a million of them, or one that ends early.
pub(super) fn count(bytes: &[u8]) -> Result<(), String> {
    walk(bytes, Of::Model, 0, &mut MESSAGES.clone())
}

/// Names that a node reads, those of graphs inside included.
fn reads(node: &Node, depth: usize, names: &mut HashSet<String>) {
    names.extend(node.input.iter().cloned());
    let graphs = node.attribute.iter().filter_map(|of| of.g.as_ref());
    for graph in graphs.filter(|_| depth < DEPTH) {
        names.extend(graph.output.iter().map(|of| of.name().to_owned()));
        for node in &graph.node {
            reads(node, depth + 1, names);
        }
    }
}

/// Leaves out nodes and tensors that no output depends on.
pub(super) fn keep(graph: &mut Graph) {
    let outputs = graph.output.iter().map(|of| of.name().to_owned());
    let mut names: HashSet<String> = outputs.collect();
    let mut kept = vec![false; graph.node.len()];
    for (node, kept) in graph.node.iter().zip(&mut kept).rev() {
        *kept = node.output.iter().any(|name| names.contains(name));
        if *kept {
            reads(node, 0, &mut names);
        }
    }
    let mut of = kept.into_iter();
    graph.node.retain(|_| of.next().unwrap_or(false));
    let initializers = &mut graph.initializer;
    initializers.retain(|of| of.name.as_deref().is_some_and(|name| names.contains(name)));
}
