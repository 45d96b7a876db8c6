//! What a net is given and what it gives; states among them are carried by the stream.

use gatelet::net::MAX_SIZE;

use super::builder::{About, Builder, Form, Made};
use super::graph::{Graph, Source};
use super::json::{damaged, size};
use crate::draft::{Input, Kind, Output};
use crate::error::{Error, Result, refused};

/// Which nodes are the start state of recurrent layers and nothing else, if they are inputs.
pub(super) fn states(graph: &Graph<'_>) -> Vec<bool> {
    let mut states = vec![false; graph.nodes.len()];
    for source in graph.nodes.iter().flat_map(|node| &node.state) {
        states[source.node] = true;
    }
    let reads = graph.nodes.iter().flat_map(|node| &node.reads);
    for source in reads.chain(&graph.outputs) {
        states[source.node] = false;
    }
    states
}

impl Builder<'_> {
    /// What the net is given.
    pub(super) fn ports(&mut self) -> Result<Input> {
        let graph = self.graph;
        let inputs = graph.inputs.iter().filter(|(node, _)| !self.states[*node]);
        let inputs: Vec<&(usize, Vec<usize>)> = inputs.collect();
        for (node, _) in &graph.inputs {
            if self.states[*node] {
                let name = &graph.nodes[*node].name;
                let note =
                    format!("{name}: a start state, which the stream carries; zeros at first");
                self.notes.push(note);
            }
        }
        let embedding = graph.nodes.iter().find(|node| {
            let first = node.reads.first();
            let reads = |input: &usize| first.is_some_and(|source| source.node == *input);
            node.class == "Embedding" && inputs.iter().any(|(input, _)| reads(input))
        });
        if let Some(embedding) = embedding {
            let [(node, shape)] = inputs[..] else {
                let what = "the net takes tokens and something else beside them";
                return Err(refused(
                    &embedding.name,
                    what,
                    "give it one input of tokens",
                ));
            };
            let form = match shape[..] {
                [] | [1] => Form::Vector { last: false },
                [steps] => Form::Steps(steps),
                _ => return Err(rank(&graph.nodes[*node].name, shape)),
            };
            let name = graph.nodes[*node].name.clone();
            self.made[*node] = Some(Made {
                value: 0,
                width: 1,
                form,
                masked: None,
            });
            let vocab = size(embedding.config, "input_dim", &embedding.name)?;
            return Ok(Input::Tokens { name, vocab });
        }
        let mut all = Vec::new();
        let (mut start, mut vectors) = (0, 0);
        for (node, shape) in &inputs {
            let name = &graph.nodes[*node].name;
            let (form, width) = match shape[..] {
                [steps, width] => (Form::Steps(steps), width),
                [width] => (Form::Vector { last: false }, width),
                _ => return Err(rank(name, shape)),
            };
            if !(1..=MAX_SIZE).contains(&width) {
                return Err(rank(name, shape));
            }
            vectors += usize::from(matches!(form, Form::Vector { .. }));
            let value = if inputs.len() == 1 {
                0
            } else {
                let kind = Kind::Slice { start, len: width };
                self.push(name, "InputLayer", kind, &[0], About::default())
            };
            start += width;
            self.made[*node] = Some(Made {
                value,
                width,
                form,
                masked: None,
            });
            all.push((name.clone(), width));
        }
        if vectors > 0 && vectors < all.len() {
            let note = "an input without steps is given at every step, beside the others";
            self.notes.push(note.to_owned());
        }
        Ok(Input::Features(all))
    }

    /// What the net gives.
    pub(super) fn outputs(&mut self) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        for source in &self.graph.outputs {
            let node = &self.graph.nodes[source.node];
            let own = Source {
                tensor: 0,
                ..*source
            };
            let carried = !node.state.is_empty() || self.graph.outputs.contains(&own);
            if source.tensor > 1 || source.tensor == 1 && carried {
                let name = &node.name;
                let note = format!("{name}: its state is no output, the stream carries it");
                self.notes.push(note);
                continue;
            }
            outputs.push(Output {
                name: node.name.clone(),
                value: self.read(&node.name, *source)?.value,
            });
        }
        match outputs.is_empty() {
            true => Err(damaged("the model gives nothing but states")),
            false => Ok(outputs),
        }
    }
}

/// An input that is no vector at every step.
fn rank(name: &str, shape: &[usize]) -> Error {
    let any = |size: &usize| match size {
        0 => "any".to_owned(),
        size => size.to_string(),
    };
    let shape: Vec<String> = shape.iter().map(any).collect();
    let what = format!(
        "the shape of an input is [{}], and a net takes one vector of 1 to {MAX_SIZE} numbers or \
         one token at every step",
        shape.join(", ")
    );
    refused(name, what, "give it steps and features")
}
