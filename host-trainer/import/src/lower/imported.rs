//! What an import gives: the operations, their weights, and where everything came from.

use gatelet::net::Net;

use crate::draft::{Matrix, Recurrent};

/// The weights of an operation, in the order of [`draft`](crate::draft).
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// `[vocab, units]`.
    Embedding(Matrix),
    /// A recurrent cell.
    Recurrent(Recurrent),
    /// A dense operation.
    Dense {
        /// `[units, inputs]`.
        weight: Matrix,
        /// `[units]`.
        bias: Vec<f32>,
    },
    /// A sum has none.
    Add,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Numbers at every step; of tokens 1.
    pub width: usize,
    /// Whether the file's net ends in a softmax over it.
    pub softmax: bool,
}

/// A line of the table of what was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The operation, or nothing for a layer that became part of another.
    pub operation: Option<usize>,
    /// The layer's name in the file.
    pub name: String,
    /// What it is called there.
    pub from: String,
    /// The tensors that its numbers came from.
    pub tensors: Vec<String>,
    /// What was folded or left out, and why that is safe.
    pub notes: Vec<String>,
}

/// A net of a file as Gatelet's operations, with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The file's format.
    pub format: &'static str,
    /// The operations, in f32.
    pub net: Net,
    /// The weights of each.
    pub weights: Vec<Weights>,
    /// What it is given; several stand side by side.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// Where everything came from.
    pub rows: Vec<Row>,
    /// What concerns the file as a whole.
    pub notes: Vec<String>,
}
