//! The weights of a net as the products of a window read them.
//!
//! ```text
//! layer 0      table W_x + b, a row for each token       W_h     W_h^T
//! dense layer  W_x   W_x^T   bias                         W_h     W_h^T       above the first, and with an embedding
//! GRU          b_hn besides
//! embedding    T, a row for each token
//! projection   P^T   P       bias
//! head         W^T   W       bias
//! ```
//! They are packed once an optimizer step, and then read once every time step. A net that is trained for a device has its
//! integers beside them ([`aware`](crate::aware)); these are then what the integers stand for.

use crate::aware::{Aware, Scheme};
use crate::engine::{Engine, Packed};
use crate::error::Result;
use crate::learned::Learned;
use crate::params::{Cell, Params, Role, Shape};

/// A layer's matrices.
#[derive(Clone, Debug)]
pub(crate) struct LayerPacks<F: Engine> {
    /// `W_h`: [hidden, gates*hidden].
    pub(crate) recurrent: F::Packed,
    /// `W_h^T`.
    pub(crate) recurrent_back: F::Packed,
    /// `W_x` and `W_x^T` of a dense layer.
    pub(crate) input: Option<(F::Packed, F::Packed)>,
    /// Bias of the recurrent product, or empty.
    pub(crate) recurrent_bias: Vec<F>,
    /// [vocab, gates*hidden] in a layer that takes rows, the bias [1, gates*hidden] in a dense one.
    pub(crate) rows: Vec<F>,
}

/// A product `x W^T + b`, forward and back.
#[derive(Clone, Debug)]
pub(crate) struct Linear<F: Engine> {
    /// `W^T`: [inputs, outputs].
    pub(crate) forward: F::Packed,
    /// `W`: [outputs, inputs].
    pub(crate) back: F::Packed,
    /// [outputs]
    pub(crate) bias: Vec<F>,
}

impl<F: Engine> Linear<F> {
    fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            forward: F::Packed::new(inputs, outputs, false),
            back: F::Packed::new(outputs, inputs, false),
            bias: vec![F::zero(); outputs],
        }
    }

    /// `weights`: [outputs, inputs].
    fn pack(&mut self, weights: &[F], bias: &[F]) {
        self.forward.pack(weights, true);
        self.back.pack(weights, false);
        self.bias.copy_from_slice(bias);
    }

    /// `y = x W^T + b` for rows of `x`; `scratch` as [`Engine::matmul`].
    pub(crate) fn apply(&self, x: &[F], y: &mut [F], scratch: &mut [F]) {
        y.chunks_exact_mut(self.bias.len())
            .for_each(|row| row.copy_from_slice(&self.bias));
        F::matmul(x, &self.forward, true, y, scratch);
    }
}

/// All matrices.
#[derive(Clone, Debug)]
pub struct Packs<F: Engine> {
    pub(crate) layers: Vec<LayerPacks<F>>,
    /// [vocab, embedding], or empty; of a device x / 128.
    pub(crate) embedding: Vec<F>,
    pub(crate) projection: Option<Linear<F>>,
    pub(crate) head: Linear<F>,
    /// How the device computes; `None` for a net of real numbers.
    pub(crate) aware: Option<Box<Aware<F>>>,
}

impl<F: Engine> Packs<F> {
    /// Room for the weights of a net of this shape.
    pub fn new(shape: Shape) -> Self {
        let (hidden, columns, vocab) = (shape.hidden, shape.gate_columns(), shape.vocab);
        let layer = |layer| {
            let dense = shape.is_dense(layer);
            LayerPacks {
                recurrent: F::Packed::new(hidden, columns, shape.cell == Cell::Lstm),
                recurrent_back: F::Packed::new(columns, hidden, false),
                recurrent_bias: vec![F::zero(); shape.range(Role::RecurrentBias, layer).len()],
                input: dense.then(|| {
                    let inputs = shape.inputs(layer);
                    (
                        F::Packed::new(inputs, columns, false),
                        F::Packed::new(columns, inputs, false),
                    )
                }),
                rows: vec![F::zero(); if dense { 1 } else { vocab } * columns],
            }
        };
        Self {
            layers: (0..shape.layers).map(layer).collect(),
            embedding: vec![F::zero(); vocab * shape.embedding],
            projection: (shape.projection > 0).then(|| Linear::new(hidden, shape.projection)),
            head: Linear::new(shape.head_inputs(), vocab),
            aware: None,
        }
    }

    /// The same for a net that is trained for its device.
    ///
    /// # Errors
    /// As [`Scheme::check`].
    pub fn aware(shape: Shape, scheme: Scheme) -> Result<Self> {
        Ok(Self {
            aware: Some(Box::new(Aware::new(shape, scheme)?)),
            ..Self::new(shape)
        })
    }

    /// The weights of `params`.
    pub fn of(params: &Params<F>) -> Self {
        let mut packs = Self::new(params.shape);
        packs.pack(params);
        packs
    }

    /// Takes the weights of `params`, which has the shape that these packs were made for; for a device, as integers
    /// with `learned` ranges of rows, if there are such.
    ///
    /// # Errors
    /// [`Error::Quantize`](crate::error::Error::Quantize) for weights that have no integers; real numbers always fit.
    pub fn update(&mut self, params: &Params<F>, learned: Option<&Learned>) -> Result<()> {
        match self.aware.take() {
            None => self.pack(params),
            Some(mut aware) => {
                let reals = aware.pack(params, learned).map(|reals| self.pack(reals));
                self.embedding.copy_from_slice(&aware.embedding);
                self.aware = Some(aware);
                reals?;
            }
        }
        Ok(())
    }

    /// Takes real numbers.
    pub fn pack(&mut self, params: &Params<F>) {
        let columns = params.shape.gate_columns();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let recurrent = params.tensor(Role::Recurrent, index);
            layer.recurrent.pack(recurrent, false);
            layer.recurrent_back.pack(recurrent, true);
            let bias = params.tensor(Role::RecurrentBias, index);
            layer.recurrent_bias.copy_from_slice(bias);
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
        let tensor = |role| params.tensor(role, 0);
        self.embedding.copy_from_slice(tensor(Role::Embedding));
        if let Some(projection) = &mut self.projection {
            projection.pack(tensor(Role::Projection), tensor(Role::ProjectionBias));
        }
        let head = (tensor(Role::HeadWeight), tensor(Role::HeadBias));
        self.head.pack(head.0, head.1);
    }
}
