//! A draft that is being made of a graph of Keras' layers.

use super::function::Version;
use super::graph::{Graph, Source};
use super::json::{Object, axis, damaged, flag};
use super::weights::{Place, Store};
use crate::draft::{Kind, Layer};
use crate::error::{Error, Result, refused};

/// How a value lies in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[batch, steps, width]`; 0 steps are any number.
    Steps(usize),
    /// `[batch, width]`; `last` of what is there after many steps.
    Vector {
        /// Whether it is what the last step gave.
        last: bool,
    },
}

/// What a layer made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    /// The value of the draft.
    pub(super) value: usize,
    /// Numbers a step.
    pub(super) width: usize,
    /// How it lies in time.
    pub(super) form: Form,
    /// The layer that masks steps of it.
    pub(super) masked: Option<usize>,
}

/// A layer of Keras, or what one wraps.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    /// Its number in the graph.
    pub(super) number: usize,
    pub(super) name: &'a str,
    pub(super) class: &'a str,
    pub(super) config: &'a Object,
    pub(super) place: &'a Place,
}

/// A draft that is being made.
pub(super) struct Builder<'a> {
    pub(super) store: Store,
    pub(super) version: Version,
    pub(super) graph: &'a Graph<'a>,
    /// Whether a node is a start state, if it is an input.
    pub(super) states: Vec<bool>,
    /// Whether a node is an input.
    pub(super) inputs: Vec<bool>,
    pub(super) layers: Vec<Layer>,
    pub(super) made: Vec<Option<Made>>,
    pub(super) notes: Vec<String>,
}

/// What a layer of the draft is besides its kind.
#[derive(Default)]
pub(super) struct About {
    pub(super) tensors: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Builder<'_> {
    /// What a layer reads.
    pub(super) fn read(&self, layer: &str, source: Source) -> Result<Made> {
        let made = self.made.get(source.node).copied().flatten();
        let made = made.ok_or_else(|| damaged(format!("{layer} reads what is not there")))?;
        match source.tensor {
            0 => Ok(made),
            // h is what the layer gives.
            1 if self.returns_state(source.node) => Ok(Made {
                form: Form::Vector { last: true },
                ..made
            }),
            _ => {
                let what = "it reads a state of another layer that is not h, or that has none";
                Err(refused(
                    layer,
                    what,
                    "let it read what the other layer gives",
                ))
            }
        }
    }

    fn returns_state(&self, node: usize) -> bool {
        let node = &self.graph.nodes[node];
        flag(node.config, "return_state") && matches!(node.class, "LSTM" | "GRU" | "SimpleRNN")
    }

    /// A layer more; gives its value.
    pub(super) fn push(
        &mut self,
        name: &str,
        from: &str,
        kind: Kind,
        reads: &[usize],
        About { tensors, notes }: About,
    ) -> usize {
        self.layers.push(Layer {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            reads: reads.to_vec(),
            tensors,
            notes,
        });
        self.layers.len()
    }
}

/// Whether a layer works along the last axis.
pub(super) fn of_last_axis(of: Of<'_>, form: Form, default: i64) -> Result<bool> {
    let last = match form {
        Form::Steps(_) => 2,
        Form::Vector { .. } => 1,
    };
    let axis = axis(of.config, of.name)?.unwrap_or(default);
    Ok(axis == -1 || axis == last)
}

/// A recurrent layer that leaves out steps.
pub(super) fn masked(name: &str, by: &str) -> Error {
    let what =
        format!("steps that are masked by {by} would be left out, and a stream has no padding");
    let remedy = "take the mask out of the model (Masking, mask_zero) and save it again";
    refused(name, what, remedy)
}

/// Checks a tensor's shape.
pub(super) fn expect(name: &str, tensor: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(Error::Shape {
            name: name.to_owned(),
            tensor: tensor.to_owned(),
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        }),
    }
}
