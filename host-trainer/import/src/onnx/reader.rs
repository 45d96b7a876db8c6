//! Walks a graph once and notes what its nodes do to the numbers of a step.
//!
//! ```text
//! for each node: look up what it reads -> what it makes, as constants, sizes or elements
//! a cell, a product, a function: an operation of the list, whose numbers are new elements
//! all that only moves numbers: the same elements, elsewhere
//! ```
//! Which axes of the inputs are batch or time is not known at first: all of a fixed size belong to
//! a step. A node that needs it otherwise stops the walk with what it learnt, and another begins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::outer::Outers;
use super::proto::{Graph, Node};
use super::step::Step;
use super::tensor::{Axis, Data, Element, Num, Origin, Source, Tensor, elements};
use crate::draft::Kind as Layer;
use crate::error::refused;

/// What an operation does.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Layer(Layer),
    /// The product of two values, number by number: part of a cell, or nothing that can come along.
    Multiply,
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) kind: Kind,
    pub(super) reads: Vec<Rc<Vec<Element>>>,
    pub(super) width: usize,
    pub(super) tensors: Vec<String>,
    pub(super) notes: Vec<String>,
    /// h and c at the start, where inputs of the graph give them.
    pub(super) start: [Vec<Element>; 2],
}

/// What earlier walks learnt about the axes of the inputs.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) outer: BTreeSet<Origin>,
    pub(super) fixed: BTreeMap<Origin, usize>,
}

/// The most numbers that a tensor made here may have, and all of them together.
const MOST: usize = 1 << 24;
const MOST_OF_ALL: usize = 1 << 26;
/// The most axes of a value, and inputs and outputs of a graph.
const AXES: usize = 64;
pub(super) const PORTS: usize = 256;
/// How deep graphs may lie in nodes.
const DEPTH: usize = 16;

pub(super) struct Reader {
    pub(super) opset: i64,
    pub(super) outers: Outers,
    pub(super) ops: Vec<Op>,
    pub(super) notes: Vec<String>,
    /// Names and widths of the inputs.
    pub(super) inputs: Vec<(String, usize)>,
    values: HashMap<String, Tensor>,
    /// Inputs of the graph that no node can read, and why.
    unread: HashMap<String, &'static str>,
    spent: usize,
    /// What the search for cells took.
    pub(super) searched: std::cell::Cell<usize>,
    depth: usize,
}

/// What axes would hold if those of 0 were of 1.
pub(super) fn volume(axes: &[Axis]) -> usize {
    let lens = axes.iter().filter_map(Axis::len);
    lens.fold(1, |all, len| all.saturating_mul(len.max(1)))
}

/// Names of tensors that a value was made of, each once, and not too many.
pub(super) fn together(all: &[&Tensor]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in all.iter().flat_map(|tensor| &tensor.names) {
        if names.len() < 16 && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

impl Reader {
    pub(super) fn new(opset: i64) -> Self {
        Self {
            opset,
            outers: Outers::default(),
            ops: Vec::new(),
            notes: Vec::new(),
            inputs: Vec::new(),
            values: HashMap::new(),
            unread: HashMap::new(),
            spent: 0,
            searched: std::cell::Cell::new(0),
            depth: 0,
        }
    }

    /// Names the inputs of the graph, `constants` apart.
    pub(super) fn begin(
        &mut self,
        graph: &Graph,
        constants: &HashMap<String, Tensor>,
        known: &Known,
    ) -> Step<()> {
        self.values.clone_from(constants);
        let given = |name: &str| constants.contains_key(name);
        let inputs = graph.input.iter().filter(|input| !given(input.name()));
        if inputs.clone().count() > PORTS {
            let what = format!("it has more than {PORTS} inputs without values");
            return Err(refused("the graph", what, "make its weights initializers").into());
        }
        for (index, input) in inputs.enumerate() {
            let name = input.name().to_owned();
            let of = input.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
            let Some(shape) = of.and_then(|of| of.shape.as_ref()) else {
                self.inputs.push((name.clone(), 0));
                self.unread.insert(name, "no shape in the file");
                continue;
            };
            if shape.dim.len() > AXES {
                let what = format!("this input has {} axes", shape.dim.len());
                return Err(refused(&name, what, "check the file with onnx.checker").into());
            }
            let mut axes = Vec::new();
            for (axis, dim) in shape.dim.iter().enumerate() {
                let origin = (index, axis);
                let given = dim.dim_value.filter(|len| *len > 0);
                let len = given.and_then(|len| usize::try_from(len).ok());
                let len = known.fixed.get(&origin).copied().or(len);
                axes.push(match len.filter(|_| !known.outer.contains(&origin)) {
                    Some(len) => Axis::Fixed {
                        len,
                        origin: Some(origin),
                    },
                    None => Axis::Outer(vec![self.outers.add(len, origin)]),
                });
            }
            let dims = axes.iter().filter_map(Axis::len);
            let width = dims.fold(1_usize, usize::saturating_mul);
            if width > 1 << 16 {
                self.inputs.push((name.clone(), 0));
                self.unread
                    .insert(name, "more numbers than a step can have");
                continue;
            }
            let all = elements(Source::Input(index), width);
            self.values
                .insert(name.clone(), Tensor::elements(axes, all));
            self.inputs.push((name, width));
        }
        Ok(())
    }

    /// Walks the nodes of a graph, or of a branch of one.
    pub(super) fn walk(&mut self, graph: &Graph) -> Step<()> {
        for node in &graph.node {
            let made = self.node(node)?;
            for (name, made) in node.output.iter().zip(made) {
                if let Some(made) = made.filter(|_| !name.is_empty()) {
                    self.check(node, &made)?;
                    self.values.insert(name.clone(), made);
                }
            }
        }
        Ok(())
    }

    /// A branch of an If.
    pub(super) fn branch(&mut self, node: &Node, graph: &Graph) -> Step<Vec<Option<Tensor>>> {
        if self.depth >= DEPTH {
            return node.wrong(format!("more than {DEPTH} graphs lie in each other"));
        }
        self.depth += 1;
        for tensor in &graph.initializer {
            let tensor = super::constant::constant(tensor, &node.label())?;
            let name = tensor.names.first().cloned().unwrap_or_default();
            self.values.insert(name, tensor);
        }
        self.walk(graph)?;
        self.depth -= 1;
        let outputs = graph.output.iter();
        let made = outputs.map(|output| self.values.get(output.name()).cloned());
        Ok(made.collect())
    }

    /// Bounds what a node made: its axes, its numbers, and what it takes of memory.
    fn check(&mut self, node: &Node, made: &Tensor) -> Step<()> {
        if made.axes.len() > AXES || volume(&made.axes) > 1 << 32 {
            return node.wrong(format!("it makes a tensor of {} axes", made.axes.len()));
        }
        let each = match made.data {
            Data::Floats(_) => 1,
            Data::Elements(_) => 16,
            Data::Ints(_) => 64,
        };
        self.spend(node, made.count().saturating_mul(each))
    }

    /// Counts numbers that are made, so that a small file cannot make many.
    pub(super) fn spend(&mut self, node: &Node, numbers: usize) -> Step<()> {
        self.spent = self.spent.saturating_add(numbers).saturating_add(1);
        if numbers > MOST || self.spent > MOST_OF_ALL {
            let what = format!("it makes a tensor of {numbers} numbers, too many here");
            return node.refuse(what, "simplify the graph before (onnxsim, onnxslim)");
        }
        Ok(())
    }

    /// Input `k` of a node; nothing where it has none.
    pub(super) fn optional(&self, node: &Node, k: usize) -> Step<Option<Tensor>> {
        let Some(name) = node.input.get(k).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        match self.values.get(name) {
            Some(tensor) => Ok(Some(tensor.clone())),
            None if self.unread.contains_key(name) => {
                let why = self.unread[name];
                let what = format!("it reads {name}, an input of the graph that has {why}");
                node.refuse(what, "make weights initializers; give other inputs a shape")
            }
            None => node.wrong(format!("it reads {name}, which nothing before it makes")),
        }
    }

    pub(super) fn input(&self, node: &Node, k: usize) -> Step<Tensor> {
        match self.optional(node, k)? {
            Some(tensor) => Ok(tensor),
            None => node.wrong(format!("it has no input {k}")),
        }
    }

    /// What an output of the graph is.
    pub(super) fn output(&self, name: &str) -> Option<&Tensor> {
        self.values.get(name)
    }

    /// Whole numbers that a node is told: as an attribute in old opsets, as an input in new ones.
    pub(super) fn numbers(&self, node: &Node, attribute: &str, k: usize) -> Step<Option<Vec<Num>>> {
        if let Some(of) = node.attribute(attribute) {
            let all = of.ints.iter().map(|x| Num::Known(*x));
            return Ok(Some(all.collect()));
        }
        let Some(tensor) = self.optional(node, k)? else {
            return Ok(None);
        };
        match tensor.as_ints() {
            Some(all) => Ok(Some(all.to_vec())),
            None => node.refuse(
                format!("its {attribute} come from the net's numbers, not from the file"),
                "export the model with fixed sizes",
            ),
        }
    }

    /// As [`numbers`](Self::numbers), all of them known.
    pub(super) fn known(&self, node: &Node, name: &str, k: usize) -> Step<Option<Vec<i64>>> {
        let Some(all) = self.numbers(node, name, k)? else {
            return Ok(None);
        };
        let all: Option<Vec<i64>> = all.iter().map(|num| self.outers.known(num)).collect();
        match all {
            Some(all) => Ok(Some(all)),
            None => node.refuse(
                format!("its {name} depend on how long the sequence is"),
                "export the model with fixed sizes",
            ),
        }
    }

    /// An axis counted from the end where it is negative.
    pub(super) fn axis(&self, node: &Node, axis: i64, rank: usize) -> Step<usize> {
        let len = i64::try_from(rank).unwrap_or(i64::MAX);
        let axis = if axis < 0 {
            axis.saturating_add(len)
        } else {
            axis
        };
        match usize::try_from(axis).ok().filter(|axis| *axis < rank) {
            Some(axis) => Ok(axis),
            None => node.wrong(format!("it names axis {axis} of {rank}")),
        }
    }

    /// Adds an operation, and gives its elements.
    pub(super) fn push(
        &mut self,
        node: &Node,
        kind: Kind,
        reads: Vec<Rc<Vec<Element>>>,
        width: usize,
    ) -> Vec<Element> {
        self.ops.push(Op {
            name: node.label(),
            from: node.op().to_owned(),
            kind,
            reads,
            width,
            tensors: Vec::new(),
            notes: Vec::new(),
            start: [Vec::new(), Vec::new()],
        });
        elements(Source::Op(self.ops.len() - 1), width)
    }

    /// Says once what was left out of the whole file.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = gatelet::visible::line(&note.into()).to_string();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
