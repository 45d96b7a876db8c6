//! Where the weights of a layer lie.
//!
//! ```text
//! .keras   layers/dense_1/vars/0   by class, counted in the order of layers, whatever their names;
//!          cell/vars and layer/vars of wrappers; layers/sequential/layers/... inside of models
//! .h5      model_weights/NAME      by the layer's name; its weight_names end in kernel, bias, ...
//! ```

use std::collections::HashMap;

use super::hdf5::{File, Tensor};
use super::json::damaged;
use crate::error::{Error, Result};

/// Where a layer's weights lie, in either kind of file.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// In a `.keras`: the group that holds `vars`.
    path: String,
    /// In a `.h5`: the group of the layer, or of the outermost model around it.
    group: String,
    /// In a `.h5`: names that the names of the weights have between the slashes.
    inner: Vec<String>,
}

impl Place {
    /// A layer of the model whose place this is.
    pub(super) fn inside(&self, counted: &str, name: &str) -> Self {
        let path = match &*self.path {
            "" => format!("layers/{counted}"),
            path => format!("{path}/layers/{counted}"),
        };
        let mut place = Self {
            path,
            ..self.clone()
        };
        match place.group.is_empty() {
            true => name.clone_into(&mut place.group),
            false => place.inner.push(name.to_owned()),
        }
        place
    }

    /// What a wrapper wraps.
    pub(super) fn within(&self, child: &str) -> Self {
        Self {
            path: format!("{}/{child}", self.path),
            ..self.clone()
        }
    }

    /// One of several cells that a layer has.
    pub(super) fn cell(&self, counted: &str, name: &str) -> Self {
        let mut place = self.within(&format!("cells/{counted}"));
        place.inner.push(name.to_owned());
        place
    }

    /// The name of a layer, with those of the models around it.
    pub(super) fn layer(&self, name: &str) -> String {
        match self.inner.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{}", self.group, self.inner.join("/")),
        }
    }
}

/// The names that Keras counts layers of a model by.
#[derive(Debug, Default)]
pub(super) struct Snake {
    used: HashMap<String, usize>,
}

impl Snake {
    /// `SimpleRNN` is `simple_rnn`, the second one `simple_rnn_1`.
    pub(super) fn name(&mut self, class: &str) -> String {
        let name = snake(class);
        let used = self.used.entry(name.clone()).or_default();
        *used += 1;
        match *used {
            1 => name,
            more => format!("{name}_{}", more - 1),
        }
    }
}

/// As Keras does it: `(.)([A-Z][a-z]+)`, then `([a-z])([A-Z])`, with `_` between.
fn snake(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut name = String::new();
    for (k, c) in letters.iter().enumerate() {
        let before = k.checked_sub(1).and_then(|k| letters.get(k));
        let after = letters.get(k + 1);
        let starts = c.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase);
        let rises = c.is_ascii_uppercase() && before.is_some_and(char::is_ascii_lowercase);
        if before.is_some() && (starts || rises) {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// The weights of a file.
pub(super) enum Store {
    /// Of a `.keras`.
    Counted(File),
    /// Of a `.h5`.
    Named(File),
}

/// What to do when a weight is missing.
const REMEDY: &str = "save the whole model again with model.save(\"net.keras\")";

impl Store {
    /// The weights of a layer that play these roles (`kernel`, `bias`), which is also their order.
    pub(super) fn take(&self, layer: &str, place: &Place, roles: &[&str]) -> Result<Vec<Tensor>> {
        let missing = |tensor: String| Error::Missing {
            name: layer.to_owned(),
            tensor,
            remedy: REMEDY.to_owned(),
        };
        let mut all = Vec::new();
        match self {
            Self::Counted(file) => {
                for number in 0..roles.len() {
                    let path = format!("{}/vars/{number}", place.path);
                    let tensor = file.tensor(layer, &path, &path)?;
                    all.push(tensor.ok_or_else(|| missing(path))?);
                }
            }
            Self::Named(file) => {
                let group = format!("model_weights/{}", place.group);
                let names = file.texts(&group, "weight_names")?.unwrap_or_default();
                for role in roles {
                    let name = named(&names, place, role)
                        .map_err(|()| damaged(format!("{layer} has two tensors {role}")))?;
                    let name = name.ok_or_else(|| missing((*role).to_owned()))?;
                    let tensor = file.tensor(layer, &format!("{group}/{name}"), name)?;
                    all.push(tensor.ok_or_else(|| missing(name.to_owned()))?);
                }
            }
        }
        Ok(all)
    }
}

/// The weight of a role among those of a layer: the last word of its name, without `:0`.
fn named<'a>(
    names: &'a [String],
    place: &Place,
    role: &str,
) -> std::result::Result<Option<&'a str>, ()> {
    let mut all = names.iter().filter(|name| {
        let mut words: Vec<&str> = name.split('/').collect();
        let last = words.pop().unwrap_or_default();
        let last = last.rsplit_once(':').map_or(last, |(last, _)| last);
        last == role
            && place
                .inner
                .iter()
                .all(|inner| words.contains(&inner.as_str()))
    });
    let name = all.next().map(String::as_str);
    match all.next() {
        None => Ok(name),
        Some(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_as_keras_counts_them() {
        let names = [
            ("SimpleRNN", "simple_rnn"),
            ("LSTM", "lstm"),
            ("GRU", "gru"),
            ("ReLU", "re_lu"),
            ("TimeDistributed", "time_distributed"),
            ("CuDNNLSTM", "cu_dnnlstm"),
            ("LSTMCell", "lstm_cell"),
            ("Conv1D", "conv1d"),
            ("SpatialDropout1D", "spatial_dropout1d"),
        ];
        for (class, name) in names {
            assert_eq!(snake(class), name);
        }
        let mut all = Snake::default();
        assert_eq!(
            [all.name("GRU"), all.name("LSTM"), all.name("GRU")],
            ["gru", "lstm", "gru_1"]
        );
    }
}
