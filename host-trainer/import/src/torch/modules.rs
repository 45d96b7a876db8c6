//! Which modules a state dict belongs to: tensors by the first part of their names, `rnn` of
//! `rnn.weight_ih_l0`, and what a module is by the last part and the shapes.
//!
//! ```text
//! weight_ih_l0  [gates*hidden, input]     gates: 1 of an RNN, 3 of a GRU, 4 of an LSTM
//! weight_hh_l0  [gates*hidden, hidden]
//! bias_ih_l0, bias_hh_l0  [gates*hidden]
//! weight [output, input], bias [output]   Linear; without a bias it may be an Embedding
//! weight, bias, running_mean, running_var [n]     BatchNorm1d
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::state::{State, Tensor};
use crate::error::{Error, Result, refused};

/// A recurrent cell by its number of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gates {
    Rnn,
    Gru,
    Lstm,
}

impl Gates {
    /// Its name in PyTorch.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rnn => "RNN",
            Self::Gru => "GRU",
            Self::Lstm => "LSTM",
        }
    }
}

/// A layer of a recurrent module; the tensors by their places in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) input: usize,
    pub(crate) recurrent: usize,
    /// Of the input and of h: both or none.
    pub(crate) biases: Option<[usize; 2]>,
}

/// What a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Recurrent {
        gates: Gates,
        input: usize,
        hidden: usize,
        layers: Vec<Layer>,
    },
    /// Without a bias it may be an embedding.
    Linear {
        /// `[rows, columns]`.
        weight: usize,
        rows: usize,
        columns: usize,
        bias: Option<usize>,
    },
    Norm {
        units: usize,
        mean: usize,
        variance: usize,
        /// Factor and offset.
        affine: Option<[usize; 2]>,
    },
    /// What cannot come along: what it is, and a way out.
    Other(String, &'static str),
}

/// A module of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name; empty where the state dict is of one module alone.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl Module {
    /// How many numbers it reads, and how many it makes.
    pub(crate) const fn widths(&self) -> (usize, usize) {
        match &self.kind {
            Kind::Recurrent { input, hidden, .. } => (*input, *hidden),
            Kind::Linear { rows, columns, .. } => (*columns, *rows),
            Kind::Norm { units, .. } => (*units, *units),
            Kind::Other(..) => (0, 0),
        }
    }

    /// Its name, or its type where it has none.
    pub(crate) fn title(&self) -> String {
        match (&self.kind, self.name.as_str()) {
            (Kind::Recurrent { gates, .. }, "") => gates.name().to_lowercase(),
            (_, "") => "the module".to_owned(),
            (_, name) => name.to_owned(),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, (input, output)) = (&self.name, self.widths());
        let space = if name.is_empty() { "" } else { " " };
        match &self.kind {
            Kind::Recurrent { gates, layers, .. } => {
                write!(to, "{}{space}{name} {input} -> {output}", gates.name())?;
                match layers.len() {
                    1 => Ok(()),
                    many => write!(to, " of {many} layers"),
                }
            }
            Kind::Linear { bias: None, .. } => {
                write!(to, "Linear or Embedding {name} {input} -> {output}")
            }
            Kind::Linear { .. } => write!(to, "Linear {name} {input} -> {output}"),
            Kind::Norm { .. } => write!(to, "BatchNorm1d {name} {output}"),
            Kind::Other(what, _) => write!(to, "{name} ({what})"),
        }
    }
}

/// Tensors of a module, by the last part of their names.
type Group = BTreeMap<String, usize>;

/// The modules of a state dict, in its order.
pub(crate) fn modules(state: &State) -> Result<Vec<Module>> {
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (index, tensor) in state.tensors.iter().enumerate() {
        let (prefix, leaf) = tensor.name.rsplit_once('.').unwrap_or(("", &tensor.name));
        // Of weights that are computed from others: rnn.parametrizations.weight_hh_l0.original0.
        let prefix = prefix
            .split_once(".parametrizations")
            .map_or(prefix, |(name, _)| name);
        let place = *places.entry(prefix).or_insert(groups.len());
        if place == groups.len() {
            groups.push((prefix.to_owned(), Group::new()));
        }
        if let Some((_, group)) = groups.get_mut(place) {
            group.insert(leaf.to_owned(), index);
        }
    }
    groups
        .into_iter()
        .map(|(name, group)| {
            let kind = kind(state, &name, &group)?;
            Ok(Module { name, kind })
        })
        .collect()
}

fn other(what: impl Into<String>, remedy: &'static str) -> Result<Kind> {
    Ok(Kind::Other(what.into(), remedy))
}

fn kind(state: &State, name: &str, group: &Group) -> Result<Kind> {
    let any = |part: &str| group.keys().any(|leaf| leaf.contains(part));
    if any("_reverse") {
        return other(
            "it is bidirectional: one direction needs the end of the sequence, and a stream has none",
            "train it with bidirectional=False",
        );
    }
    if any("weight_hr") {
        let remedy = "train it without proj_size; a Linear behind it can take its place";
        return other(
            "its h is projected (proj_size), which no operation does",
            remedy,
        );
    }
    if any("original") || any("weight_g") || any("weight_v") || any("_raw") || any("_orig") {
        return other(
            "its weights are computed from others (weight norm, pruning)",
            "remove that before saving, as with torch.nn.utils.parametrize.remove_parametrizations",
        );
    }
    if any("weight_ih") || any("weight_hh") {
        return recurrent(state, name, group);
    }
    if any("in_proj") {
        let remedy = "take a net of recurrent and linear layers";
        return other("it is attention, which needs the whole sequence", remedy);
    }
    if any("_packed_params") || any("zero_point") {
        let remedy = "save the net before it is quantized; Gatelet quantizes it by itself";
        return other("it is quantized", remedy);
    }
    if let (Some(mean), Some(variance)) = (group.get("running_mean"), group.get("running_var")) {
        return norm(state, name, group, [*mean, *variance]);
    }
    let Some((index, tensor)) = of(state, group, "weight") else {
        return other("a tensor of no known layer", "remove it before saving");
    };
    let bias = group.get("bias").copied();
    if let Some(leaf) = group
        .keys()
        .find(|leaf| !matches!(leaf.as_str(), "weight" | "bias"))
    {
        return other(
            format!("a module with an unknown tensor {leaf}"),
            "leave it out of the net",
        );
    }
    match (tensor.shape.as_slice(), bias) {
        (&[rows, columns], bias) => {
            if let Some((_, bias)) = of(state, group, "bias") {
                bias.expect(name, &[rows])?;
            }
            Ok(Kind::Linear {
                weight: index,
                rows,
                columns,
                bias,
            })
        }
        ([_], Some(_)) => other(
            "it is a LayerNorm or another norm over each step's numbers",
            "train it with BatchNorm1d, which becomes part of the weights, or without a norm",
        ),
        ([_], None) => other(
            "it is a PReLU or a norm without an offset",
            "train it with ReLU",
        ),
        (shape, _) if shape.len() > 2 => other(
            format!("its weight has {} axes: a convolution", shape.len()),
            "leave the convolution to the program around the net, and import what is behind it",
        ),
        _ => other("a tensor of no known layer", "remove it before saving"),
    }
}

fn of<'a>(state: &'a State, group: &Group, leaf: &str) -> Option<(usize, &'a Tensor)> {
    let index = *group.get(leaf)?;
    Some((index, state.tensors.get(index)?))
}

fn norm(state: &State, name: &str, group: &Group, running: [usize; 2]) -> Result<Kind> {
    let units = match state
        .tensors
        .get(running[0])
        .map(|mean| mean.shape.as_slice())
    {
        Some([units]) => *units,
        _ => {
            return other(
                "a norm whose mean has no single axis",
                "leave it out of the net",
            );
        }
    };
    let affine = match (group.get("weight"), group.get("bias")) {
        (Some(factor), Some(offset)) => Some([*factor, *offset]),
        (None, None) => None,
        _ => return other("a norm with half of its weights", "check the file"),
    };
    for index in affine.iter().flatten().chain(&running) {
        if let Some(tensor) = state.tensors.get(*index) {
            tensor.expect(name, &[units])?;
        }
    }
    Ok(Kind::Norm {
        units,
        mean: running[0],
        variance: running[1],
        affine,
    })
}

fn recurrent(state: &State, name: &str, group: &Group) -> Result<Kind> {
    // A cell (LSTMCell) has one layer, and no number behind its names.
    let cell = group.contains_key("weight_ih") || group.contains_key("weight_hh");
    let suffix = |layer: usize| {
        if cell {
            String::new()
        } else {
            format!("_l{layer}")
        }
    };
    let mut layers = Vec::new();
    let (mut gates, mut width, mut used) = (None, 0, 0);
    while used < group.len() && (layers.is_empty() || !cell) {
        let suffix = suffix(layers.len());
        let need = |role: &str| {
            let leaf = format!("{role}{suffix}");
            of(state, group, &leaf).ok_or_else(|| Error::Missing {
                name: name.to_owned(),
                tensor: format!("{name}.{leaf}").trim_start_matches('.').to_owned(),
                remedy: "save the whole state dict".to_owned(),
            })
        };
        let (input, of_input) = need("weight_ih")?;
        let (recurrent, of_h) = need("weight_hh")?;
        let &[rows, hidden] = of_h.shape.as_slice() else {
            return Err(refused(
                name,
                "its weight_hh is no matrix",
                "check the file",
            ));
        };
        let found = match hidden.checked_mul(4) {
            Some(four) if hidden > 0 && rows == four => Gates::Lstm,
            Some(_) if hidden > 0 && rows == 3 * hidden => Gates::Gru,
            Some(_) if hidden > 0 && rows == hidden => Gates::Rnn,
            _ => {
                let what = format!(
                    "its weight_hh has the shape [{rows}, {hidden}]: rows of no RNN, GRU or LSTM"
                );
                return Err(refused(name, what, "check the file"));
            }
        };
        let columns = of_input.shape.get(1).copied().unwrap_or(0);
        let (first_gates, first_width, units) = *gates.get_or_insert((found, columns, hidden));
        of_h.expect(name, &[rows_of(first_gates) * units, units])?;
        let right = if layers.is_empty() {
            first_width
        } else {
            units
        };
        of_input.expect(name, &[rows, right])?;
        let bias = ["bias_ih", "bias_hh"].map(|role| of(state, group, &format!("{role}{suffix}")));
        used += 2;
        let biases = match bias {
            [Some((first, a)), Some((second, b))] => {
                a.expect(name, &[rows])?;
                b.expect(name, &[rows])?;
                used += 2;
                Some([first, second])
            }
            [None, None] => None,
            _ => {
                let what = "it has one of its two biases, and not the other";
                return Err(refused(name, what, "save the whole state dict"));
            }
        };
        width = first_width;
        layers.push(Layer {
            input,
            recurrent,
            biases,
        });
    }
    let Some((gates, _, hidden)) = gates.filter(|_| used == group.len()) else {
        return other(
            "a recurrent module with tensors of no known role",
            "check the file",
        );
    };
    Ok(Kind::Recurrent {
        gates,
        input: width,
        hidden,
        layers,
    })
}

/// Rows for each unit.
pub(crate) const fn rows_of(gates: Gates) -> usize {
    match gates {
        Gates::Rnn => 1,
        Gates::Gru => 3,
        Gates::Lstm => 4,
    }
}
