//! An HDF5 file: attributes and tensors by path, with a bound on what is read.

use std::cell::Cell;

use hdf5_reader::error::Error as H5Error;
use hdf5_reader::group::Group;
use hdf5_reader::messages::datatype::Datatype;
use hdf5_reader::{Attribute, Hdf5File, OpenOptions};

use super::archive::budget;
use super::json::damaged;
use crate::error::{Error, Result, refused};

/// Attributes that one long list of names is cut into; each holds up to 64 KB.
const PARTS: usize = 64;

/// A tensor of the file.
#[derive(Debug)]
pub(super) struct Tensor {
    /// Its path, without the groups that only say where weights lie.
    pub(super) name: String,
    /// Its shape.
    pub(super) shape: Vec<usize>,
    /// Its numbers, the last axis fastest.
    pub(super) data: Vec<f32>,
}

/// An open file.
pub(super) struct File {
    file: Hdf5File,
    /// Bytes that may still be read.
    left: Cell<usize>,
}

/// Nothing where a name is not in the file.
fn found<T>(of: std::result::Result<T, H5Error>) -> Result<Option<T>> {
    match of {
        Ok(of) => Ok(Some(of)),
        Err(
            H5Error::GroupNotFound(_) | H5Error::DatasetNotFound(_) | H5Error::AttributeNotFound(_),
        ) => Ok(None),
        Err(H5Error::Context { source, .. }) => found(Err(*source)),
        Err(error) => Err(wrong(&error)),
    }
}

fn wrong(error: &H5Error) -> Error {
    damaged(error.to_string())
}

impl File {
    /// Reads what a file begins with.
    pub(super) fn open(bytes: &[u8]) -> Result<Self> {
        let left = budget(bytes.len());
        let options = OpenOptions::default()
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(left)
            .with_max_read_bytes(left)
            .with_max_object_header_bytes(bytes.len());
        let file = Hdf5File::from_bytes_with_options(bytes, options);
        Ok(Self {
            file: file.map_err(|error| wrong(&error))?,
            left: Cell::new(left),
        })
    }

    /// A group, if there is one.
    pub(super) fn group(&self, path: &str) -> Result<Option<Group>> {
        found(self.file.group(path))
    }

    fn attribute(&self, path: &str, name: &str) -> Result<Option<Attribute>> {
        match self.group(path)? {
            None => Ok(None),
            Some(group) => found(group.attribute(name)),
        }
    }

    /// An attribute that is a text.
    pub(super) fn text(&self, path: &str, name: &str) -> Result<Option<String>> {
        let Some(attribute) = self.attribute(path, name)? else {
            return Ok(None);
        };
        let text = attribute.read_string().map_err(|error| wrong(&error))?;
        Ok(Some(text))
    }

    /// An attribute that is a list of texts; Keras cuts long ones into `name0`, `name1` and so on.
    pub(super) fn texts(&self, path: &str, name: &str) -> Result<Option<Vec<String>>> {
        let of = |attribute: Attribute| {
            let names = match attribute.num_elements() {
                Ok(0) => Ok(Vec::new()),
                _ => attribute.read_strings(),
            };
            let names = names.map_err(|error| wrong(&error))?;
            match names.iter().any(|name| name.contains(char::is_control)) {
                true => Err(damaged(format!("{name} holds what is no name"))),
                false => Ok(names),
            }
        };
        if let Some(attribute) = self.attribute(path, name)? {
            return of(attribute).map(Some);
        }
        let mut all: Option<Vec<String>> = None;
        for part in 0..PARTS {
            let Some(attribute) = self.attribute(path, &format!("{name}{part}"))? else {
                break;
            };
            all.get_or_insert_default().extend(of(attribute)?);
        }
        Ok(all)
    }

    /// A tensor, if there is one; `layer` is for messages.
    pub(super) fn tensor(&self, layer: &str, path: &str, name: &str) -> Result<Option<Tensor>> {
        let (group, own) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(group) = self.group(group)? else {
            return Ok(None);
        };
        let Some(set) = found(group.dataset(own))? else {
            return Ok(None);
        };
        let size = |size: &u64| usize::try_from(*size).ok();
        let shape: Option<Vec<usize>> = set.shape().iter().map(size).collect();
        let bytes = |shape: &Vec<usize>| {
            let mut sizes = shape.iter();
            sizes.try_fold(8_usize, |all, size| all.checked_mul(*size))
        };
        let left = |shape: &Vec<usize>| self.left.get().checked_sub(bytes(shape)?);
        let (Some(left), Some(shape)) = (shape.as_ref().and_then(left), shape.clone()) else {
            let shape = set.shape();
            return Err(damaged(format!(
                "{name} is declared as {shape:?}, more than the file can hold"
            )));
        };
        self.left.set(left);
        let data = match set.dtype() {
            Datatype::FloatingPoint { size: 4, .. } => {
                let array = set.read_array::<f32>().map_err(|error| wrong(&error))?;
                array.iter().copied().collect()
            }
            Datatype::FloatingPoint { size: 8, .. } => {
                let array = set.read_array::<f64>().map_err(|error| wrong(&error))?;
                array
                    .iter()
                    .map(|number| *number as f32)
                    .collect::<Vec<_>>()
            }
            _ => {
                let what = format!("the tensor {name} does not hold numbers of 32 or 64 bits");
                return Err(refused(
                    layer,
                    what,
                    "save the model with weights in float32",
                ));
            }
        };
        Ok(Some(Tensor {
            name: name.to_owned(),
            shape,
            data,
        }))
    }
}
