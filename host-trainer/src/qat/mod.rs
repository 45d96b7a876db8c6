//! The device's own forward pass inside training: quantization-aware, bit for bit.
//!
//! ```text
//! weights    q and its multipliers, as the exporter makes them of the parameters (`quantize`), once an optimizer step
//! forward    acc = sum q h            a product of f32 numbers that are integers: exact below 2^24, in any order
//!            z, c, h, logit           core's integer specification; then real numbers on the tape
//! backward   as in `bptt`, with the weights s q and the activations that the device has: a rounding's derivative is 1
//!            (straight through, Bengio et al. 2013)
//! ```
//! So the loss that is trained is the image's, and an export of these parameters computes the
//! states that this does. h is on the tape as h / 128, c as c / 2^(15-e): powers of two, which
//! change no bit of a product. A GRU carries H / 2^15, which products read as h / 128. Embedding
//! and projection are there as the device has them too, x / 128 and p / 128, which stand for their
//! ranges times as much: gradients of the matrices that read them are multiplied by the ranges.

use gatelet::Dims;
use gatelet::kernel::integer::embedded;
use serde::{Deserialize, Serialize};

mod forward;
mod gru;
mod requantize;

pub(crate) use self::forward::{Affine, Step};
pub(crate) use self::gru::read;
pub(crate) use self::requantize::{Requantize, Scales};

use crate::engine::{Engine, Packed};
use crate::error::{Error, Result};
use crate::float_net::{Block, FloatNet, by_input, padded};
use crate::learned::Learned;
use crate::net::{Net, Params, Role};
use crate::quantize::{
    EMBEDDING_UNIT, GATE_UNIT, HEAD_UNIT, IntMatrix, IntNet, Plan, Ranges, by_ranges,
};
use crate::row_range::WeightBits;
use crate::shape::{Cell, Shape};

/// Columns of a matrix whose sums are exact in f32: 127 x 128 x 1032 is below 2^24.
const MOST_COLUMNS: usize = 1032;

/// What a net is trained for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheme {
    /// Bits of the weights.
    pub bits: WeightBits,
    /// Integer bits of every layer's c.
    pub cell_bits: [u8; Dims::MAX_LAYERS],
    /// Ranges of embedding and projection.
    #[serde(default)]
    pub ranges: Ranges,
}

/// Quantization-aware training: where it began, and for which integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Qat {
    /// The float checkpoint, as it was given.
    pub from: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub from_sha256: String,
    /// Its held-out loss in nats, as training measures it.
    pub nats: Option<f64>,
    /// What the images of this run hold.
    pub scheme: Scheme,
}

/// A layer in integers, in the trainer's order of columns.
#[derive(Clone, Debug)]
pub(crate) struct Layer<F: Engine> {
    /// q of `W_h`, as real numbers: [hidden, gates*hidden].
    pub(crate) recurrent: F::Packed,
    /// q of `W_x`, of a dense layer.
    pub(crate) input: Option<F::Packed>,
    pub(crate) step: Requantize,
}

/// A net in integers.
#[derive(Clone, Debug)]
pub(crate) struct Quantized<F: Engine> {
    pub(crate) scheme: Scheme,
    pub(crate) layers: Vec<Layer<F>>,
    /// x / 128: [vocab, embedding], or empty.
    pub(crate) embedding: Vec<F>,
    pub(crate) projection: Option<Affine<F>>,
    pub(crate) head: Affine<F>,
    /// The weights of which all this was made, in the order of an image and [by ranges](by_ranges).
    packed: FloatNet,
    int: IntNet,
    /// The gradient of the weights, in the order of an image.
    gradient: FloatNet,
    /// The integers, and what they stand for, in the trainer's order.
    integers: Params<F>,
    reals: Params<F>,
}

impl Scheme {
    /// Checks that a net of this shape can be trained so.
    ///
    /// # Errors
    /// [`Error::Some`], which says what cannot.
    pub fn check(&self, shape: Shape) -> Result<()> {
        let columns = (0..shape.layers).map(|layer| match shape.is_dense(layer) {
            true => shape.inputs(layer) + shape.hidden,
            false => shape.hidden,
        });
        let most = columns.max().unwrap_or(0);
        match most {
            ..=MOST_COLUMNS => Ok(()),
            _ => Err(Error::Some(format!(
                "--qat: a layer reads {most} numbers, and sums are exact up to {MOST_COLUMNS}: fewer hidden units"
            ))),
        }
    }
}

impl<F: Engine> Quantized<F> {
    /// Room for a net of this shape.
    ///
    /// # Errors
    /// As [`Scheme::check`].
    pub(crate) fn new(net: &Net, scheme: Scheme) -> Result<Self> {
        let shape = Shape::needed(net)?;
        scheme.check(shape)?;
        let packed = FloatNet::zeros(shape);
        let (hidden, columns) = (shape.hidden, shape.gate_columns());
        let layer = |index: usize| {
            let dense = shape.is_dense(index);
            let rows = if dense { 1 } else { shape.vocab };
            Layer {
                recurrent: F::Packed::new(hidden, columns, false),
                input: dense.then(|| F::Packed::new(shape.inputs(index), columns, false)),
                step: Requantize {
                    addends: vec![0; rows * columns],
                    scales: Block::of(shape, index).map(Scales::of).collect(),
                    recurrent_bias: vec![0; shape.recurrent_biases()],
                    cell_bits: scheme.cell_bits[index].into(),
                    cell: shape.cell,
                    hidden,
                },
            }
        };
        Ok(Self {
            scheme,
            layers: (0..shape.layers).map(layer).collect(),
            embedding: vec![F::zero(); shape.vocab * shape.embedding],
            projection: (shape.projection > 0).then(|| Affine::new(hidden, shape.projection)),
            head: Affine::new(shape.head_inputs(), shape.vocab),
            int: IntNet::empty(&packed),
            gradient: packed.clone(),
            packed,
            integers: Params::zeros(*net),
            reals: Params::zeros(*net),
        })
    }

    /// Ranges to begin with.
    pub(crate) fn ranges(&self, params: &Params<F>) -> Learned {
        let mut net = self.packed.clone();
        net.take(params.shape(), params.tensors(), &params.data);
        by_ranges(&mut net, self.scheme.ranges);
        Learned::of(&net, &self.scheme.bits)
    }

    /// Learns ranges from the `gradient` of the weights that were [packed](Quantized::pack) last; see
    /// [`Learned::update`].
    pub(crate) fn learn(&mut self, learned: &mut Learned, gradient: &[F], steps: u64, rate: f64) {
        if learned.ranges.is_empty() {
            return;
        }
        let Scheme { bits, ranges, .. } = &self.scheme;
        self.gradient
            .take(self.reals.shape(), self.reals.tensors(), gradient);
        by_input(&mut self.gradient.layers, 1.0 / ranges.embedding);
        let nets = (&self.packed, &self.gradient);
        let projection = f64::from(ranges.projection);
        learned.update(nets, bits, projection, steps, rate);
    }

    /// Takes the weights of `params`; returns them as the device has them.
    ///
    /// # Errors
    /// [`Error::Quantize`].
    pub(crate) fn pack(
        &mut self,
        params: &Params<F>,
        learned: Option<&Learned>,
    ) -> Result<&Params<F>> {
        let plan = Plan {
            bits: self.scheme.bits,
            ranges: self.scheme.ranges,
            learned,
        };
        self.packed
            .take(params.shape(), params.tensors(), &params.data);
        by_ranges(&mut self.packed, plan.ranges);
        // Out of the way of the rest, which is written from it.
        let mut int = std::mem::take(&mut self.int);
        let taken = int.take(&self.packed, plan);
        if taken.is_ok() {
            self.pack_table(&int);
            for index in 0..self.layers.len() {
                self.pack_layer(&int, index);
            }
            self.pack_ends(&int);
        }
        self.int = int;
        taken.map(|()| &self.reals)
    }

    /// The embedding: its integers, and every token's row as the first layer reads it.
    fn pack_table(&mut self, int: &IntNet) {
        let Some(table) = &int.embedding else {
            return;
        };
        let width = self.reals.shape().embedding;
        let range = f64::from(self.scheme.ranges.embedding);
        self.spread((0, Role::Table, width), table, EMBEDDING_UNIT, range);
        let rows = table.weights.chunks_exact(padded(width));
        let rows = rows.zip(&table.multipliers);
        for (to, (row, &m)) in self.embedding.chunks_exact_mut(width).zip(rows) {
            for (x, &e) in to.iter_mut().zip(row) {
                *x = requantize::real(embedded(e, m, table.shift.into()).into(), 7);
            }
        }
    }

    /// A layer's matrices and its input.
    fn pack_layer(&mut self, int: &IntNet, index: usize) {
        let (shape, int) = (self.reals.shape(), &int.layers[index]);
        let (gates, hidden, columns) = (shape.cell.gates(), shape.hidden, shape.gate_columns());
        let operation = shape.layer(index);
        // What one of an input's units stands for is in the weights.
        let range = match index {
            0 => f64::from(self.scheme.ranges.embedding),
            _ => 1.0,
        };
        let layer = &mut self.layers[index];
        let matrices = int.matrices.iter().zip(&mut layer.step.scales);
        for (block, (matrix, scales)) in Block::of(shape, index).zip(matrices) {
            let rows = matrix.weights.chunks_exact(block.columns());
            for (row, weights) in rows.enumerate() {
                let (scale, column) = (matrix.scale(row, GATE_UNIT), block.column(row));
                let (x, h) = weights.split_at(block.own());
                let parts = [
                    (Role::Input, scale / range, &x[..block.inputs]),
                    (Role::Recurrent, scale, &h[..hidden.min(h.len())]),
                ];
                for (role, scale, part) in parts.into_iter().filter(|part| !part.2.is_empty()) {
                    let integers = self.integers.tensor_mut(operation, role);
                    let reals = self.reals.tensor_mut(operation, role);
                    for (k, &q) in part.iter().enumerate() {
                        let at = k * columns + column;
                        integers[at] = F::from_f64(f64::from(q));
                        reals[at] = F::from_f64(f64::from(q) * scale);
                    }
                }
                scales.multipliers[column - block.first * hidden] = matrix.multipliers[row];
            }
            scales.shift = matrix.shift.into();
        }
        // Row `unit * gates + gate` of an image is column `gate * hidden + unit` here.
        let column = |row: usize| match shape.cell {
            Cell::Gru => row,
            Cell::Rnn | Cell::Lstm => (row % gates) * hidden + row / gates,
        };
        let addends = layer.step.addends.chunks_exact_mut(columns);
        for (to, from) in addends.zip(int.input.chunks_exact(columns)) {
            from.iter()
                .enumerate()
                .for_each(|(row, &a)| to[column(row)] = a);
        }
        let bias = &mut layer.step.recurrent_bias;
        bias.copy_from_slice(&int.recurrent_bias);
        let integers = |role| self.integers.tensor(operation, role);
        layer.recurrent.pack(integers(Role::Recurrent), false);
        if let Some(input) = &mut layer.input {
            input.pack(integers(Role::Input), false);
        }
    }

    /// Projection and head.
    fn pack_ends(&mut self, int: &IntNet) {
        let (shape, range) = (self.reals.shape(), f64::from(self.scheme.ranges.projection));
        if let Some(from) = &int.projection {
            let tensor = (shape.projected(), Role::Weight, shape.hidden);
            self.spread(tensor, &from.matrix, HEAD_UNIT, range);
        }
        if let (Some(from), Some(projection)) = (&int.projection, &mut self.projection) {
            projection.pack(from, self.integers.tensor(shape.projected(), Role::Weight));
        }
        if !shape.tied {
            let tensor = (shape.head(), Role::Weight, shape.head_inputs());
            self.spread(tensor, &int.head.matrix, HEAD_UNIT * range, 1.0);
        }
        // A tied head's are the embedding's.
        self.head
            .pack(&int.head, self.integers.tensor(shape.head(), Role::Weight));
    }

    /// A matrix with rows of `width` numbers: its integers, and `times` what they stand for.
    fn spread(
        &mut self,
        (operation, role, width): (usize, Role, usize),
        matrix: &IntMatrix,
        unit: f64,
        times: f64,
    ) {
        let integers = self
            .integers
            .tensor_mut(operation, role)
            .chunks_exact_mut(width);
        let reals = self
            .reals
            .tensor_mut(operation, role)
            .chunks_exact_mut(width);
        let rows = matrix.weights.chunks_exact(padded(width));
        for (row, ((integers, reals), weights)) in integers.zip(reals).zip(rows).enumerate() {
            let scale = matrix.scale(row, unit) * times;
            for ((integer, real), &q) in integers.iter_mut().zip(reals).zip(weights) {
                *integer = F::from_f64(f64::from(q));
                *real = F::from_f64(f64::from(q) * scale);
            }
        }
    }
}
