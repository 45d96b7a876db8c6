//! From the configuration of a model to its layers in the order of computation.
//!
//! ```text
//! Sequential          layers one after the other
//! Functional, Model   inbound_nodes: [[name, node, tensor, kwargs], ...] in Keras 2,
//!                     {args, kwargs} with keras_history: [name, node, tensor] in Keras 3
//! a model inside      its layers, where it stands
//! ```

use std::collections::HashMap;

use serde_json::Value;

use super::inbound::{Call, Reference, call, references};
use super::json::{Object, damaged, list, object, shape, text};
use super::weights::{Place, Snake};
use crate::error::{Error, Result, refused};

/// Layers of all models of a file together: no image holds that many operations.
const MAX_LAYERS: usize = 1024;
/// Bytes of a name.
const MAX_NAME: usize = 256;
/// Recurrent layers.
pub(super) const RECURRENT: [&str; 6] =
    ["LSTM", "GRU", "SimpleRNN", "RNN", "CuDNNLSTM", "CuDNNGRU"];
/// Models inside of models.
const MAX_DEPTH: usize = 8;

/// What a layer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The layer's number in [`Graph::nodes`].
    pub(super) node: usize,
    /// Which of its tensors: 0, or a state of a recurrent layer.
    pub(super) tensor: usize,
}

/// A layer.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Its name; inside of a model with the model's before it.
    pub(super) name: String,
    /// Its class.
    pub(super) class: &'a str,
    /// Its configuration.
    pub(super) config: &'a Object,
    /// Where its weights lie.
    pub(super) place: Place,
    /// What it reads.
    pub(super) reads: Vec<Source>,
    /// Where the states of a recurrent layer come from, if not from the step before.
    pub(super) state: Vec<Source>,
    /// Whether it is given a mask by name.
    pub(super) masked: bool,
}

/// A model's layers, each after those that it reads.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// The inputs, in the model's order, with their shapes without the batch; 0 is any size.
    pub(super) inputs: Vec<(usize, Vec<usize>)>,
    /// The outputs.
    pub(super) outputs: Vec<Source>,
}

/// A layer as a model lists it.
struct Entry<'a> {
    name: &'a str,
    class: &'a str,
    config: &'a Object,
    place: Place,
    all: &'a Object,
}

impl<'a> Graph<'a> {
    /// The layers of a model: `{class_name, config}`.
    pub(super) fn of(model: &'a Object) -> Result<Self> {
        let mut graph = Self::default();
        graph.outputs = graph.model(model, &Place::default(), None, 0)?;
        if graph.inputs.is_empty() || graph.outputs.is_empty() {
            return Err(damaged("the model has no inputs or no outputs"));
        }
        Ok(graph)
    }

    /// Takes the layers of a model; gives what it makes. Of a model inside of another, `given` is
    /// what it reads.
    fn model(
        &mut self,
        model: &'a Object,
        place: &Place,
        given: Option<&[Source]>,
        depth: usize,
    ) -> Result<Vec<Source>> {
        if depth > MAX_DEPTH {
            return Err(damaged("models inside of models have no end"));
        }
        let class = text(model, "class_name").unwrap_or_default();
        let config = model.get("config");
        // Before Keras 2.2.3 the configuration of a Sequential was the list itself.
        let layers = match config {
            Some(Value::Array(all)) => all.as_slice(),
            Some(Value::Object(config)) => list(config, "layers"),
            _ => return Err(damaged("the model has no configuration")),
        };
        let entries = entries(layers, place)?;
        match (class, config) {
            ("Sequential", config) => {
                let shape = config.and_then(|config| config.get("build_input_shape"));
                self.sequential(&entries, shape, given, depth)
            }
            ("Functional" | "Model", Some(Value::Object(config))) => {
                self.functional(&entries, config, given, depth)
            }
            _ => {
                let what = "it is a model of a class of its own, whose Python code is not run";
                let remedy = "build it with Sequential or the functional API";
                Err(refused(class, what, remedy))
            }
        }
    }

    fn sequential(
        &mut self,
        entries: &[Entry<'a>],
        built: Option<&Value>,
        given: Option<&[Source]>,
        depth: usize,
    ) -> Result<Vec<Source>> {
        let mut made = given.map(<[Source]>::to_vec);
        for entry in entries {
            if entry.class == "InputLayer" {
                if made.is_none() {
                    made = Some(vec![self.input(entry)?]);
                }
                continue;
            }
            let reads = match made.take() {
                Some(reads) => reads,
                None => vec![self.implied(entry, built)?],
            };
            let call = Call {
                reads,
                ..Call::default()
            };
            let mut all = self.entry(entry, call, depth)?;
            all.truncate(1);
            made = Some(all);
        }
        Ok(made.unwrap_or_default())
    }

    fn functional(
        &mut self,
        entries: &[Entry<'a>],
        config: &'a Object,
        given: Option<&[Source]>,
        depth: usize,
    ) -> Result<Vec<Source>> {
        let mut numbers = HashMap::new();
        let mut calls = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            if numbers.insert(entry.name, number).is_some() {
                let name = entry.name;
                return Err(damaged(format!("two layers have the name {name}")));
            }
            calls.push(call(entry.name, list(entry.all, "inbound_nodes"))?);
        }
        let number = |reference: &Reference<'_>| {
            let name = reference.layer;
            let number = numbers.get(name).copied();
            number.ok_or_else(|| damaged(format!("there is no layer {name:?}")))
        };
        let mut made: Vec<Option<Vec<Source>>> = entries.iter().map(|_| None).collect();
        let inputs = references(config.get("input_layers"))?;
        for (k, input) in inputs.iter().enumerate() {
            let number = number(input)?;
            let entry = &entries[number];
            if entry.class != "InputLayer" {
                let name = entry.name;
                return Err(damaged(format!("{name} is an input and no InputLayer")));
            }
            let source = match given {
                None => self.input(entry)?,
                Some(given) => *given.get(k).ok_or_else(|| {
                    damaged(format!("nothing is given to {} of a model", entry.name))
                })?,
            };
            made[number] = Some(vec![source]);
        }
        let outputs = references(config.get("output_layers"))?;
        // Depth first: a layer is made when all that it reads is.
        let mut stack = Vec::new();
        for output in &outputs {
            stack.push(number(output)?);
        }
        stack.reverse();
        let mut open = vec![false; entries.len()];
        while let Some(&top) = stack.last() {
            if made[top].is_some() {
                stack.pop();
                continue;
            }
            let call = &calls[top];
            let mut missing = Vec::new();
            for reference in call.reads.iter().chain(&call.state) {
                let number = number(reference)?;
                if made[number].is_none() {
                    missing.push(number);
                }
            }
            let entry = &entries[top];
            if missing.is_empty() {
                let call = call.map(|reference| {
                    let all = made[number(reference)?].as_deref().unwrap_or_default();
                    source(all, reference)
                })?;
                made[top] = Some(self.entry(entry, call, depth)?);
            } else if std::mem::replace(&mut open[top], true) {
                let name = entry.name;
                return Err(damaged(format!("{name} reads what it makes itself")));
            } else {
                missing.reverse();
                stack.extend(missing);
            }
        }
        let source = |output| {
            let all = made[number(output)?].as_deref().unwrap_or_default();
            source(all, output)
        };
        outputs.iter().map(source).collect()
    }

    /// Takes a layer, or all of a model; gives what it makes.
    fn entry(
        &mut self,
        entry: &Entry<'a>,
        call: Call<Source>,
        depth: usize,
    ) -> Result<Vec<Source>> {
        if matches!(entry.class, "Sequential" | "Functional" | "Model") {
            if !call.state.is_empty() || call.masked {
                let what = "it is a model inside of a model that is given states or a mask";
                return Err(refused(
                    entry.name,
                    what,
                    "put its layers into the outer one",
                ));
            }
            return self.model(entry.all, &entry.place, Some(&call.reads), depth + 1);
        }
        let Call {
            mut reads,
            mut state,
            masked,
        } = call;
        if RECURRENT.contains(&entry.class) && state.is_empty() && reads.len() > 1 {
            // Keras 2 lists the states behind what is read.
            state = reads.split_off(1);
        }
        if self.nodes.len() >= MAX_LAYERS {
            let what = format!("it is past the {MAX_LAYERS} layers that are read");
            return Err(refused(entry.name, what, "take a smaller net"));
        }
        self.nodes.push(Node {
            name: entry.place.layer(entry.name),
            class: entry.class,
            config: entry.config,
            place: entry.place.clone(),
            reads,
            state,
            masked,
        });
        // Any tensor of it: a recurrent layer makes its states too.
        Ok((0..3)
            .map(|tensor| Source {
                node: self.nodes.len() - 1,
                tensor,
            })
            .collect())
    }

    /// Takes an InputLayer.
    fn input(&mut self, entry: &Entry<'a>) -> Result<Source> {
        let given = ["batch_shape", "batch_input_shape"];
        let shape = given.iter().find_map(|key| entry.config.get(*key));
        self.entry(entry, Call::default(), 0)?;
        self.shaped(entry.name, shape)
    }

    /// The input of a Sequential that has no InputLayer, which its first layer says.
    fn implied(&mut self, first: &Entry<'a>, built: Option<&Value>) -> Result<Source> {
        let config = first.config.get("batch_input_shape");
        let own = || object(first.all, "build_config")?.get("input_shape");
        let shape = config.or(built).or_else(own);
        self.nodes.push(Node {
            name: "input".to_owned(),
            class: "InputLayer",
            config: first.config,
            place: Place::default(),
            reads: Vec::new(),
            state: Vec::new(),
            masked: false,
        });
        self.shaped(first.name, shape)
    }

    /// The node before is an input of this shape, with the batch.
    fn shaped(&mut self, name: &str, with_batch: Option<&Value>) -> Result<Source> {
        let sizes = with_batch.and_then(shape);
        let Some((_, sizes)) = sizes.as_deref().and_then(<[usize]>::split_first) else {
            let what = "the file does not say the shape of the net's input";
            let remedy = "build the model with an Input layer and save it again";
            return Err(refused(name, what, remedy));
        };
        let node = self.nodes.len() - 1;
        self.inputs.push((node, sizes.to_vec()));
        Ok(Source { node, tensor: 0 })
    }
}

/// What a reference means, of what its layer makes.
fn source(made: &[Source], reference: &Reference<'_>) -> Result<Source> {
    let source = made.get(reference.tensor).copied();
    let name = reference.layer;
    source.ok_or_else(|| damaged(format!("{name} has no tensor {}", reference.tensor)))
}

/// The layers that a model lists; custom ones are refused here.
fn entries<'a>(layers: &'a [Value], place: &Place) -> Result<Vec<Entry<'a>>> {
    let mut snake = Snake::default();
    let mut entries = Vec::new();
    if layers.len() > MAX_LAYERS {
        let all = layers.len();
        return Err(damaged(format!("{all} layers are more than any net has")));
    }
    for layer in layers {
        let all = layer.as_object();
        let config = all.and_then(|all| object(all, "config").or(Some(all)));
        let (Some(all), Some(config)) = (all, config) else {
            return Err(damaged("a layer is no object of a configuration"));
        };
        let Some(class) = text(all, "class_name") else {
            return Err(damaged("a layer of the configuration has no class_name"));
        };
        let name = text(config, "name").or_else(|| text(all, "name"));
        let name = name.unwrap_or(class);
        known(name, class, all)?;
        let module = text(all, "module").unwrap_or_default();
        // Operations such as x + y are listed with the layers and have no weights.
        let operation = module.contains(".ops.");
        let path = if operation {
            String::new()
        } else {
            snake.name(class)
        };
        entries.push(Entry {
            name,
            class,
            config,
            place: place.inside(&path, name),
            all,
        });
    }
    Ok(entries)
}

/// Refuses what is code of somebody's own, and names that no message could show.
pub(super) fn known(name: &str, class: &str, all: &Object) -> Result<()> {
    let shown = |name: &str| name.len() <= MAX_NAME && !name.contains(char::is_control);
    if !(shown(name) && shown(class)) {
        return Err(damaged("a layer has no name that could be shown"));
    }
    let module = match all.get("module") {
        // Files before Keras 2.12 name no modules.
        None => "keras",
        module => module.and_then(Value::as_str).unwrap_or_default(),
    };
    let own = ["keras", "tf_keras", "builtins"];
    let own = own.iter().any(|own| {
        let rest = module.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let registered = text(all, "registered_name").unwrap_or_default();
    if own && !class.contains('>') && !registered.contains('>') {
        return Ok(());
    }
    Err(custom(name, class))
}

/// A layer that is code.
pub(super) fn custom(name: &str, class: &str) -> Error {
    let what = format!("{class} is code of Python, which is never run");
    refused(
        name,
        what,
        "build the net from layers of Keras and copy the weights",
    )
}
