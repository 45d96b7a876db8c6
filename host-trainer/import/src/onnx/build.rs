//! From operations over elements to a draft: slices and concatenations where elements are read
//! apart or side by side.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::reader::{Kind, Op, Reader};
use super::states::Given;
use super::tensor::{Element, Source};
use crate::draft::{Draft, Input, Kind as Layer, Layer as Drafted, Output};
use crate::error::{Result, refused};

/// The most pieces that a value is put together of.
const PIECES: usize = 4096;

struct Builder {
    layers: Vec<Drafted>,
    /// The value that each operation makes.
    values: BTreeMap<usize, usize>,
    /// Where each input that is read begins among the features.
    first: BTreeMap<usize, usize>,
    features: usize,
    made: HashMap<Rc<Vec<Element>>, usize>,
    widths: Vec<usize>,
}

/// A name of the file that acts on no terminal.
fn visible(name: &str) -> String {
    gatelet::visible::line(name).to_string()
}

/// Which operations an output depends on.
fn needed(ops: &[Op], outputs: &[Given]) -> Vec<bool> {
    let mut needed = vec![false; ops.len()];
    let mut ask: Vec<Rc<Vec<Element>>> = outputs.iter().map(|of| of.elements.clone()).collect();
    while let Some(all) = ask.pop() {
        for element in &*all {
            if let Source::Op(op) | Source::Cell(op) = element.source
                && !std::mem::replace(&mut needed[op], true)
            {
                ask.extend(ops[op].reads.iter().cloned());
            }
        }
    }
    needed
}

/// The inputs that are features, or the one that is a token and how many tokens there are.
fn inputs(
    reader: &Reader,
    needed: &[bool],
    outputs: &[Given],
) -> Result<(Vec<usize>, Option<usize>)> {
    let mut read: BTreeMap<usize, String> = BTreeMap::new();
    let mut tokens = None;
    let mut states = BTreeMap::new();
    let ops = reader.ops.iter().zip(needed).filter(|(_, needed)| **needed);
    let given = outputs.iter().map(|of| (&of.name, &of.elements));
    let reads = ops
        .clone()
        .flat_map(|(op, _)| op.reads.iter().map(move |of| (&op.name, of)));
    for (name, all) in reads.chain(given) {
        for element in &**all {
            if let Source::Input(input) = element.source {
                read.entry(input).or_insert_with(|| name.clone());
            }
        }
    }
    for (op, _) in ops {
        for element in op.start.iter().flatten() {
            if let Source::Input(input) = element.source {
                states.insert(input, op.name.clone());
            }
        }
        if let Kind::Layer(Layer::Embedding { table }) = &op.kind {
            tokens = tokens.or(Some(table.rows));
        }
    }
    for (input, op) in &states {
        if let Some(reader_of) = read.get(input) {
            let what = format!("it is the state of {op}, and {reader_of} reads it too");
            let remedy = "only the cell itself may read its old state (no peepholes)";
            return Err(refused(&reader.inputs[*input].0, what, remedy));
        }
    }
    let read: Vec<usize> = read.into_keys().collect();
    if tokens.is_some() && read.len() > 1 {
        let name = &reader.inputs[read[1]].0;
        let what = "it is an input beside one of tokens";
        return Err(refused(
            name,
            what,
            "a net is given tokens or features, not both",
        ));
    }
    if read.is_empty() {
        let what = "no output depends on an input";
        return Err(refused("the graph", what, "check the file"));
    }
    Ok((read, tokens))
}

/// Makes the draft.
///
/// # Errors
/// For a product of two values that is no cell, and for states that are read as values.
pub(super) fn draft(mut reader: Reader, outputs: Vec<Given>) -> Result<Draft> {
    let needed = needed(&reader.ops, &outputs);
    let multiply = |(op, needed): &(&Op, &bool)| **needed && matches!(op.kind, Kind::Multiply);
    if let Some((op, _)) = reader.ops.iter().zip(&needed).find(multiply) {
        return Err(refused(
            &op.name,
            "it multiplies two values of the net, and is no part of an LSTM or GRU that is known",
            "export the recurrent layer whole, or a single step with its states as inputs and \
             outputs",
        ));
    }
    let (read, tokens) = inputs(&reader, &needed, &outputs)?;
    let mut first = BTreeMap::new();
    let mut features = 0;
    for input in &read {
        first.insert(*input, features);
        features += reader.inputs[*input].1;
    }
    let mut names = Vec::new();
    for (k, (name, width)) in reader.inputs.clone().iter().enumerate() {
        let state = reader.ops.iter().flat_map(|op| op.start.iter().flatten());
        let mut state = state.filter(|of| of.source == Source::Input(k));
        if first.contains_key(&k) {
            names.push((visible(name), *width));
        } else if state.next().is_none() {
            let note = format!("the input {name} was left out: no output depends on it");
            reader.note(note);
        }
    }
    let mut builder = Builder {
        layers: Vec::new(),
        values: BTreeMap::new(),
        first,
        features,
        made: HashMap::new(),
        widths: reader.ops.iter().map(|op| op.width).collect(),
    };
    for (k, op) in reader.ops.into_iter().enumerate() {
        let (true, Kind::Layer(kind)) = (needed[k], op.kind) else {
            continue;
        };
        let mut reads = Vec::new();
        for of in &op.reads {
            reads.push(builder.value(&op.name, of)?);
        }
        builder.layers.push(Drafted {
            name: op.name,
            from: op.from,
            kind,
            reads,
            tensors: op.tensors,
            notes: op.notes,
        });
        builder.values.insert(k, builder.layers.len());
    }
    let mut given = Vec::new();
    for output in outputs {
        let value = builder.value(&output.name, &output.elements)?;
        given.push(Output {
            name: visible(&output.name),
            value,
        });
    }
    Ok(Draft {
        format: "ONNX",
        input: match (tokens, names.pop()) {
            (Some(vocab), Some((name, _))) => Input::Tokens { name, vocab },
            (_, last) => Input::Features(names.into_iter().chain(last).collect()),
        },
        layers: builder.layers,
        outputs: given,
        notes: reader.notes,
    })
}

impl Builder {
    /// The value that these elements are, made of slices where it must be.
    fn value(&mut self, name: &str, of: &Rc<Vec<Element>>) -> Result<usize> {
        if let Some(value) = self.made.get(of) {
            return Ok(*value);
        }
        let mut pieces: Vec<(Element, usize)> = Vec::new();
        for element in &**of {
            match pieces.last_mut() {
                Some((first, len))
                    if first.source == element.source && first.index + *len == element.index =>
                {
                    *len += 1;
                }
                _ => pieces.push((*element, 1)),
            }
        }
        if pieces.len() > PIECES {
            let what = format!("it reads {} pieces of other values", pieces.len());
            return Err(refused(name, what, "keep the features in one order"));
        }
        let mut values = Vec::new();
        for (first, len) in pieces {
            let (value, start, width) = match first.source {
                Source::Input(input) => match self.first.get(&input) {
                    Some(start) => (0, start + first.index, self.features),
                    None => (0, self.features, self.features),
                },
                Source::Op(op) => match self.values.get(&op) {
                    Some(value) => (*value, first.index, self.widths[op]),
                    None => {
                        let what = "it reads what was not made before it";
                        return Err(refused(name, what, "check the file"));
                    }
                },
                Source::Cell(_) => {
                    let what = "it reads the state c of an LSTM as a value";
                    return Err(refused(name, what, "only h leaves a cell: read h instead"));
                }
            };
            values.push(match (start, len) {
                (0, len) if len == width => value,
                _ => self.layer(name, "Slice", Layer::Slice { start, len }, vec![value]),
            });
        }
        let value = match values[..] {
            [one] => one,
            _ => self.layer(name, "Concat", Layer::Concat, values),
        };
        self.made.insert(of.clone(), value);
        Ok(value)
    }

    fn layer(&mut self, name: &str, from: &str, kind: Layer, reads: Vec<usize>) -> usize {
        self.layers.push(Drafted {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            reads,
            tensors: Vec::new(),
            notes: Vec::new(),
        });
        self.layers.len()
    }
}
