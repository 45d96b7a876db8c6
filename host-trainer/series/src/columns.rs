//! Which columns are inputs, and which are asked.

use std::collections::HashMap;
use std::path::Path;

use gatelet::net::MAX_SIZE;

use crate::error::{Error, Result};
use crate::options::{Options, Task};
use crate::place::listed;

/// What rows hold beside the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing: a sequence has a class.
    Class,
    /// The number of a label.
    Label,
    /// So many numbers.
    Rows(usize),
    /// Nothing: a sequence has so many numbers.
    Once(usize),
}

impl Asked {
    /// Numbers of a row beside the inputs.
    pub(crate) const fn columns(self) -> usize {
        match self {
            Self::Class | Self::Once(_) => 0,
            Self::Label => 1,
            Self::Rows(count) => count,
        }
    }
}

/// Columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Inputs.
    pub(crate) features: Vec<usize>,
    /// What is asked; of a class, a column of texts.
    pub(crate) targets: Vec<usize>,
}

/// The names of a file's columns.
pub(crate) struct Names<'a> {
    names: &'a [String],
    path: &'a Path,
    /// The first and the second column of each name.
    places: HashMap<&'a str, (usize, Option<usize>)>,
}

impl<'a> Names<'a> {
    /// Those of a file.
    pub(crate) fn new(names: &'a [String], path: &'a Path) -> Self {
        let mut places = HashMap::with_capacity(names.len());
        for (k, name) in names.iter().enumerate() {
            let place = places.entry(name.as_str()).or_insert((k, None));
            if place.0 != k && place.1.is_none() {
                place.1 = Some(k);
            }
        }
        Self {
            names,
            path,
            places,
        }
    }

    /// The column of a name.
    pub(crate) fn find(&self, name: &str) -> Result<usize> {
        match self.places.get(name) {
            Some(&(k, None)) => Ok(k),
            Some(&(first, Some(second))) => Err(Error::Repeated {
                path: self.path.to_owned(),
                column: name.to_owned(),
                first: first + 1,
                second: second + 1,
            }),
            None => Err(Error::NoColumn {
                path: self.path.to_owned(),
                column: name.to_owned(),
                there: listed(self.names.iter().map(String::as_str)),
            }),
        }
    }

    /// Columns of several names.
    pub(crate) fn all(&self, names: &[String]) -> Result<Vec<usize>> {
        names.iter().map(|name| self.find(name)).collect()
    }

    /// Inputs and what is asked; `used` columns have another use.
    pub(crate) fn choose(&self, options: &Options, used: &[usize]) -> Result<Chosen> {
        let mut targets = self.all(&options.target)?;
        let forecast = matches!(options.task, Task::Forecast { .. });
        let features = match options.features.as_slice() {
            [] => self.rest(|k| used.contains(&k) || !forecast && targets.contains(&k))?,
            names => self.all(names)?,
        };
        if features.len() > MAX_SIZE {
            return Err(Error::Wide {
                path: self.path.to_owned(),
                columns: features.len(),
            });
        }
        if features.is_empty() {
            return Err(Error::Empty {
                path: self.path.to_owned(),
                what: "no column is left for inputs",
            });
        }
        if forecast && targets.is_empty() {
            targets.clone_from(&features);
        }
        if let Some(both) = features.iter().find(|k| !forecast && targets.contains(k)) {
            return Err(Error::form(
                self.path,
                format_args!(
                    "the column {} cannot be an input and what is asked",
                    crate::place::shown(&self.names[*both])
                ),
            ));
        }
        Ok(Chosen { features, targets })
    }

    /// Every column but those that are left out, and those without a name.
    fn rest(&self, out: impl Fn(usize) -> bool) -> Result<Vec<usize>> {
        let rest = (0..self.names.len()).filter(|&k| !out(k) && !self.names[k].is_empty());
        // A table is not looked through by name when it is far too wide anyway.
        let rest: Vec<usize> = rest.collect();
        match rest.len() > MAX_SIZE {
            true => Ok(rest),
            false => rest
                .into_iter()
                .map(|k| self.find(&self.names[k]))
                .collect(),
        }
    }

    /// Names of columns.
    pub(crate) fn names(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().map(|&k| self.names[k].clone()).collect()
    }
}
