//! The weights of a net as the products of a window read them.
//!
//! ```text
//! layer 0      table W_x + b, a row for each token       W_h     W_h^T
//! layer l > 0  W_x   W_x^T   bias                         W_h     W_h^T
//! head         W^T   W       bias
//! ```
//! They are packed once an optimizer step, and then read once every time step.

use crate::engine::{Engine, Packed};
use crate::params::{Cell, Params, Role, Shape};

/// A layer's matrices.
#[derive(Clone, Debug)]
pub(crate) struct LayerPacks<F: Engine> {
    /// `W_h`: [hidden, gates*hidden].
    pub(crate) recurrent: F::Packed,
    /// `W_h^T`.
    pub(crate) recurrent_back: F::Packed,
    /// `W_x` and `W_x^T` above the first layer.
    pub(crate) input: Option<(F::Packed, F::Packed)>,
    /// [vocab, gates*hidden] in the first layer, the bias [1, gates*hidden] above it.
    pub(crate) rows: Vec<F>,
}

/// All matrices.
#[derive(Clone, Debug)]
pub struct Packs<F: Engine> {
    pub(crate) layers: Vec<LayerPacks<F>>,
    /// `W^T`: [hidden, vocab].
    pub(crate) head: F::Packed,
    /// `W`: [vocab, hidden].
    pub(crate) head_back: F::Packed,
    /// [vocab]
    pub(crate) head_bias: Vec<F>,
}

impl<F: Engine> Packs<F> {
    /// Room for the weights of a net of this shape.
    pub fn new(shape: Shape) -> Self {
        let (hidden, columns, vocab) = (shape.hidden, shape.gate_columns(), shape.vocab);
        let layer = |layer| LayerPacks {
            recurrent: F::Packed::new(hidden, columns, shape.cell == Cell::Lstm),
            recurrent_back: F::Packed::new(columns, hidden, false),
            input: (layer > 0).then(|| {
                (
                    F::Packed::new(hidden, columns, false),
                    F::Packed::new(columns, hidden, false),
                )
            }),
            rows: vec![F::zero(); if layer == 0 { vocab } else { 1 } * columns],
        };
        Self {
            layers: (0..shape.layers).map(layer).collect(),
            head: F::Packed::new(hidden, vocab, false),
            head_back: F::Packed::new(vocab, hidden, false),
            head_bias: vec![F::zero(); vocab],
        }
    }

    /// The weights of `params`.
    pub fn of(params: &Params<F>) -> Self {
        let mut packs = Self::new(params.shape);
        packs.pack(params);
        packs
    }

    /// Takes the weights of `params`, which has the shape that these packs were made for.
    pub fn pack(&mut self, params: &Params<F>) {
        let columns = params.shape.gate_columns();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let recurrent = params.tensor(Role::Recurrent, index);
            layer.recurrent.pack(recurrent, false);
            layer.recurrent_back.pack(recurrent, true);
            let (input, bias) = (
                params.tensor(Role::Input, index),
                params.tensor(Role::Bias, index),
            );
            match &mut layer.input {
                Some((forward, back)) => {
                    forward.pack(input, false);
                    back.pack(input, true);
                    layer.rows.copy_from_slice(bias);
                }
                None => {
                    let rows = layer.rows.chunks_exact_mut(columns);
                    for (row, weights) in rows.zip(input.chunks_exact(columns)) {
                        for ((sum, &w), &b) in row.iter_mut().zip(weights).zip(bias) {
                            *sum = w + b;
                        }
                    }
                }
            }
        }
        let head = params.tensor(Role::HeadWeight, 0);
        self.head.pack(head, true);
        self.head_back.pack(head, false);
        self.head_bias
            .copy_from_slice(params.tensor(Role::HeadBias, 0));
    }
}
