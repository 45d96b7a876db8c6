//! A draft of a state dict's modules in the order of a description.

use super::guess;
use super::modules::{Kind as Found, Module, modules};
use super::order::{Item, Order, What};
use super::state::State;
use crate::draft::{Draft, Input, Kind, Layer, Output};
use crate::error::{Error, Result, refused};

/// The name of the net's input in a description.
const INPUT: [&str; 2] = ["input", "x"];
/// A draft that is being made.
pub(super) struct Builder<'a> {
    pub(super) state: &'a State,
    modules: Vec<Module>,
    used: Vec<bool>,
    /// By name: the input, and what each layer makes.
    pub(super) values: Vec<(String, usize)>,
    /// Numbers of each value.
    widths: Vec<usize>,
    pub(super) layers: Vec<Layer>,
}

/// The net of a state dict; its order is found where none is given.
pub(crate) fn build(mut state: State, order: Option<&Order>) -> Result<Draft> {
    let modules = modules(&state)?;
    let found;
    let order = match order {
        Some(order) => order,
        None => {
            let (order, notes) = guess::order(&modules, state.ordered)?;
            state.notes.extend(notes);
            found = order;
            &found
        }
    };
    let notes = std::mem::take(&mut state.notes);
    let mut builder = Builder {
        state: &state,
        used: vec![false; modules.len()],
        modules,
        values: Vec::new(),
        widths: Vec::new(),
        layers: Vec::new(),
    };
    let input = builder.input(order)?;
    for item in &order.items {
        builder.item(item)?;
    }
    builder.unused()?;
    let names = match order.outputs.as_slice() {
        [] => vec![String::new()],
        names => names.to_vec(),
    };
    let outputs = names.iter().map(|name| {
        Ok(Output {
            name: if name.is_empty() {
                "output".to_owned()
            } else {
                name.clone()
            },
            value: builder.value(name)?,
        })
    });
    Ok(Draft {
        format: state.format,
        input,
        outputs: outputs.collect::<Result<_>>()?,
        layers: builder.layers,
        notes,
    })
}

impl Builder<'_> {
    /// What the net is given: an embedding's tokens, or as many numbers as the first module reads.
    fn input(&mut self, order: &Order) -> Result<Input> {
        let modular = |item: &&Item| {
            matches!(
                item.what,
                What::Recurrent(_) | What::Linear | What::Embedding | What::Norm
            )
        };
        let first = order.items.iter().find(modular);
        let module = match first {
            Some(item) => Some(&self.modules[self.find(item, order.input)?]),
            None => None,
        };
        let input = match (
            first.map(|item| item.what),
            module.map(|module| &module.kind),
        ) {
            (Some(What::Embedding), Some(Found::Linear { rows, .. })) => Input::Tokens {
                name: "input".to_owned(),
                vocab: *rows,
            },
            _ => {
                let width = order.input.or(module.map(|module| module.widths().0));
                let ask = "--net: how many numbers the net is given is not known; write the \
                           description as JSON with \"input\"";
                let width = width.ok_or_else(|| Error::Order(ask.to_owned()))?;
                Input::Features(vec![("input".to_owned(), width)])
            }
        };
        self.widths.push(match &input {
            Input::Tokens { .. } => 1,
            Input::Features(all) => all.iter().map(|(_, width)| width).sum(),
        });
        self.values.extend(INPUT.map(|name| (name.to_owned(), 0)));
        Ok(input)
    }

    /// A value by its name; the last one without a name.
    fn value(&self, name: &str) -> Result<usize> {
        if name.is_empty() {
            return Ok(self.layers.len());
        }
        let found = self.values.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = self.values.iter().map(|(name, _)| name.as_str()).collect();
            let known = known.join(", ");
            let name = name.escape_debug();
            Error::Order(format!(
                "--net: no layer before is called {name}; there are {known}"
            ))
        })
    }

    /// The module of an item that reads `width` numbers.
    fn find(&self, item: &Item, width: Option<usize>) -> Result<usize> {
        let right = |module: &Module| match (item.what, &module.kind) {
            (What::Recurrent(gates), Found::Recurrent { gates: found, .. }) => gates == *found,
            (What::Linear, Found::Linear { .. }) | (What::Norm, Found::Norm { .. }) => true,
            (What::Embedding, Found::Linear { bias, .. }) => bias.is_none(),
            _ => false,
        };
        let all = || (0..self.modules.len()).filter(|k| !self.used[*k]);
        if let Some(name) = &item.name {
            let ending = format!(".{name}");
            let exact = all().find(|k| self.modules[*k].name == *name);
            let mut ends = all().filter(|k| self.modules[*k].name.ends_with(&ending));
            let found = match (exact, ends.next(), ends.next()) {
                (Some(exact), ..) => exact,
                (None, Some(one), None) => one,
                _ => {
                    let what = format!("there is no unused module {}", name.escape_debug());
                    return Err(self.misfit(&what));
                }
            };
            let module = &self.modules[found];
            if let Found::Other(what, remedy) = &module.kind {
                return Err(refused(&module.title(), what.as_str(), *remedy));
            }
            if !right(module) {
                return Err(self.misfit(&format!("{module} is no {}", item.written)));
            }
            return Ok(found);
        }
        let fits = |module: &Module| {
            let (input, output) = match item.what {
                What::Embedding => (width.unwrap_or(1), module.widths().0),
                _ => module.widths(),
            };
            let reads = item.what == What::Embedding || width.is_none_or(|width| width == input);
            reads && item.units.is_none_or(|units| units == output)
        };
        let of_type: Vec<usize> = all().filter(|k| right(&self.modules[*k])).collect();
        let fit: Vec<usize> = of_type
            .iter()
            .copied()
            .filter(|k| fits(&self.modules[*k]))
            .collect();
        match (fit.as_slice(), of_type.as_slice()) {
            ([one], _) => Ok(*one),
            ([first, ..], _) if self.state.ordered => Ok(*first),
            ([_, ..], _) => {
                let names: Vec<String> = fit.iter().map(|k| self.modules[*k].title()).collect();
                let what = format!(
                    "{} can be {}: write the name too, as in `{} {}`",
                    item.written,
                    names.join(" or "),
                    item.written,
                    names[0]
                );
                Err(self.misfit(&what))
            }
            // The only one of its type: its shapes say what is wrong.
            ([], [one]) => Ok(*one),
            _ => {
                let of = |what: Option<usize>| what.map_or(String::new(), |n| format!(" {n}"));
                let what = format!(
                    "no unused {}{} reads the{} numbers before it",
                    item.written,
                    of(item.units),
                    of(width)
                );
                Err(self.misfit(&what))
            }
        }
    }

    fn misfit(&self, why: &str) -> Error {
        guess::misfit(&self.modules, why)
    }

    /// A layer more, and its value.
    pub(super) fn push(&mut self, layer: Layer, width: usize) {
        self.layers.push(layer);
        self.widths.push(width);
        let name = self
            .layers
            .last()
            .map_or(String::new(), |layer| layer.name.clone());
        self.values.push((name, self.layers.len()));
    }

    /// A name that no layer has yet.
    fn free(&self, name: &str) -> String {
        let taken = |name: &str| self.values.iter().any(|(known, _)| known == name);
        let mut all = (2..).map(|k| format!("{name}_{k}"));
        match taken(name) {
            false => name.to_owned(),
            true => all.find(|name| !taken(name)).unwrap_or_default(),
        }
    }

    fn item(&mut self, item: &Item) -> Result<()> {
        let names = match item.reads.as_slice() {
            [] => vec![String::new()],
            names => names.to_vec(),
        };
        let reads = names
            .iter()
            .map(|name| self.value(name))
            .collect::<Result<Vec<_>>>()?;
        let width: usize = reads.iter().map(|value| self.widths[*value]).sum();
        let kind = match item.what {
            What::Unused => return self.leave_out(item),
            What::Recurrent(_) | What::Linear | What::Embedding | What::Norm => {
                return self.module(item, reads, width);
            }
            What::Function(function) => Kind::Activation(function),
            What::Softmax => Kind::Softmax,
            What::Nothing => Kind::Identity,
            What::Add => Kind::Add,
            What::Concat => Kind::Concat,
        };
        let width = match item.what {
            What::Add => self.widths[reads[0]],
            _ => width,
        };
        let name = item.name.clone();
        let name = name.unwrap_or_else(|| self.free(&item.written.to_lowercase()));
        let notes = match item.what {
            What::Nothing => vec!["does nothing outside of training".to_owned()],
            _ => Vec::new(),
        };
        let layer = Layer {
            name,
            from: item.written.clone(),
            kind,
            reads,
            tensors: Vec::new(),
            notes,
        };
        self.push(layer, width);
        Ok(())
    }

    fn leave_out(&mut self, item: &Item) -> Result<()> {
        let name = item.name.as_deref().unwrap_or_default();
        let found = self.modules.iter().position(|module| module.name == name);
        let found = found.ok_or_else(|| {
            self.misfit(&format!(
                "there is no module {} to leave out",
                name.escape_debug()
            ))
        })?;
        self.used[found] = true;
        Ok(())
    }

    /// An error if a module is no part of the net: what it would add would be missing in silence.
    fn unused(&self) -> Result<()> {
        let left = self
            .modules
            .iter()
            .zip(&self.used)
            .filter(|(_, used)| !**used);
        let left: Vec<String> = left.take(8).map(|(module, _)| module.to_string()).collect();
        match left.as_slice() {
            [] => Ok(()),
            _ => Err(Error::Order(format!(
                "the order leaves out {}; add it where it belongs, or write `unused NAME` for \
                 what only training needs",
                left.join(", ")
            ))),
        }
    }

    /// A layer with weights.
    fn module(&mut self, item: &Item, reads: Vec<usize>, width: usize) -> Result<()> {
        let index = self.find(item, Some(width))?;
        self.used[index] = true;
        let module = self.modules[index].clone();
        let name = module.title();
        let (input, output) = match item.what {
            What::Embedding => (module.widths().1, module.widths().0),
            _ => module.widths(),
        };
        let tensor = match &module.kind {
            Found::Recurrent { layers, .. } => layers.first().map(|layer| layer.input),
            Found::Linear { weight, .. } => Some(*weight),
            Found::Norm { mean, .. } => Some(*mean),
            Found::Other(..) => None,
        };
        let read = if item.what == What::Embedding {
            input
        } else {
            width
        };
        for (what, said, found) in [
            ("reads", item.input, input),
            ("reads", Some(read), input),
            ("makes", item.units, output),
        ] {
            if let (Some(said), Some(tensor)) = (said.filter(|said| *said != found), tensor) {
                let tensor = &self.state.tensors[tensor];
                return Err(Error::Shape {
                    name,
                    tensor: tensor.name.clone(),
                    found: format!("{:?}, which {what} {found}", tensor.shape),
                    expected: format!("one of a layer that {what} {said} numbers"),
                });
            }
        }
        match &module.kind {
            Found::Recurrent { gates, layers, .. } => {
                if let Some(said) = item.layers.filter(|said| *said != layers.len()) {
                    let what = format!("it has {} layers, not {said}", layers.len());
                    return Err(refused(&name, what, "correct the order that was given"));
                }
                self.recurrent(item, &name, *gates, layers, reads, output)
            }
            Found::Linear {
                weight,
                bias,
                rows,
                columns,
            } => self.linear(item, &name, (*weight, *bias), (*rows, *columns), reads),
            Found::Norm {
                mean,
                variance,
                affine,
                ..
            } => self.norm(item, &name, [*mean, *variance], *affine, reads),
            Found::Other(what, remedy) => Err(refused(&name, what.as_str(), *remedy)),
        }
    }
}
