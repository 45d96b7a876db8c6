//! The net of a file while it is made: what each tensor is in it.

use super::flat::damaged;
use super::model::{Model, Tensor};
use crate::draft::{Kind, Layer};
use crate::error::{Result, refused};

/// What a tensor is in the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A value of the draft.
    Value(usize),
    /// A constant: the tensor that holds its numbers.
    Constant(usize),
    /// Part of a shape.
    Shape,
}

/// A draft that is being made.
pub(super) struct Graph<'a> {
    pub(super) model: Model<'a>,
    pub(super) slots: Vec<Option<Slot>>,
    pub(super) layers: Vec<Layer>,
    pub(super) notes: Vec<String>,
}

impl<'a> Graph<'a> {
    pub(super) fn set(&mut self, tensor: usize, slot: Slot) {
        if self.slots.len() <= tensor {
            self.slots.resize(tensor + 1, None);
        }
        self.slots[tensor] = Some(slot);
    }

    pub(super) fn slot(&self, tensor: usize) -> Result<Slot> {
        match self.slots.get(tensor).copied().flatten() {
            Some(slot) => Ok(slot),
            None => {
                let found = self.model.tensor(tensor)?;
                match found.constant() {
                    true => Ok(Slot::Constant(tensor)),
                    false => Err(damaged(format!("{} is used before it is made", found.name))),
                }
            }
        }
    }

    /// The value that a tensor is.
    pub(super) fn value(&self, tensor: usize, layer: &str) -> Result<usize> {
        match self.slot(tensor)? {
            Slot::Value(value) => Ok(value),
            _ => {
                let what = "it reads a constant where it should read the net's numbers";
                Err(refused(
                    layer,
                    what,
                    "take the constant part out of the net",
                ))
            }
        }
    }

    /// A constant tensor, whatever was made f32 before it.
    pub(super) fn constant(&self, tensor: usize, layer: &str) -> Result<Tensor<'a>> {
        match self.slot(tensor)? {
            Slot::Constant(of) => self.model.tensor(of),
            _ => {
                let what = "its weights are made by other operators of the graph";
                Err(refused(
                    layer,
                    what,
                    "convert the net so that weights are constants",
                ))
            }
        }
    }

    /// A layer more, and its value.
    pub(super) fn push(
        &mut self,
        name: &str,
        from: &str,
        kind: Kind,
        reads: Vec<usize>,
        tensors: &[String],
        note: &str,
    ) -> usize {
        self.layers.push(Layer {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            reads,
            tensors: tensors.to_vec(),
            notes: Some(note)
                .filter(|note| !note.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
        });
        self.layers.len()
    }

    /// Adds a note on the file, once.
    pub(super) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
    }
}
