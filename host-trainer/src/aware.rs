//! The device's own forward pass inside training: quantization-aware, bit for bit.
//!
//! ```text
//! weights    q and its multipliers, as the exporter makes them of the parameters (`quantize`), once an optimizer step
//! forward    acc = sum q h            a product of f32 numbers that are integers: exact below 2^24, in any order
//!            z, c, h, logit           core's integer specification; then real numbers on the tape
//! backward   as in `bptt`, with the weights s q and the activations that the device has: a rounding's derivative is 1
//!            (straight through, Bengio et al. 2013)
//! ```
//! So the loss that is trained is the image's, and an export of these parameters computes the states that this does.
//! h is on the tape as h / 128, c as c / 2^(15-e): powers of two, which change no bit of a product.

use gatelet::kernel::integer::{lstm_unit, preactivation, requantize, rnn_int8};
use gatelet::{Dims, Precision};
use pulp::{Arch, NullaryFnOnce};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Packed};
use crate::error::{Error, Result};
use crate::float_net::FloatNet;
use crate::learned::Learned;
use crate::params::{Cell, Params, Role, Shape};
use crate::quantize::{GATE_UNIT, HEAD_UNIT, Plan, quantize};
use crate::row_range::WeightBits;

/// Columns of a matrix whose sums are exact in f32: 127 x 128 x 1032 is below 2^24.
const MOST_COLUMNS: usize = 1032;

/// What a net is trained for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheme {
    /// Bits of the weights.
    pub bits: WeightBits,
    /// Integer bits of every layer's c.
    pub cell_bits: [u8; Dims::MAX_LAYERS],
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

/// From sums to pre-activations, and on to the state.
#[derive(Clone, Debug)]
pub(crate) struct Requantize {
    /// Q3.12: [vocab, gates*hidden] in a layer that takes rows, [gates*hidden] in a dense one.
    addends: Vec<i16>,
    /// [gates*hidden]
    multipliers: Vec<i32>,
    shift: u32,
    cell_bits: u32,
    cell: Cell,
    hidden: usize,
}

/// The head in integers.
#[derive(Clone, Debug)]
pub(crate) struct Head<F: Engine> {
    /// q of `W^T`: [hidden, vocab].
    forward: F::Packed,
    bias: Vec<i32>,
    multipliers: Vec<i32>,
    shift: u32,
}

/// A net in integers.
#[derive(Clone, Debug)]
pub(crate) struct Aware<F: Engine> {
    scheme: Scheme,
    dims: Dims,
    pub(crate) layers: Vec<Layer<F>>,
    pub(crate) head: Head<F>,
    /// The integers, and s q, in the trainer's order.
    integers: Params<F>,
    reals: Params<F>,
}

impl Scheme {
    /// Checks that a net of this shape can be trained so.
    ///
    /// # Errors
    /// [`Error::Some`], which says what cannot.
    pub fn check(&self, shape: Shape) -> Result<Dims> {
        let columns = (0..shape.layers).map(|layer| match shape.is_dense(layer) {
            true => shape.inputs(layer) + shape.hidden,
            false => shape.hidden,
        });
        let most = columns.max().unwrap_or(0);
        if most > MOST_COLUMNS {
            return Err(Error::Some(format!(
                "--qat: a layer reads {most} numbers, and sums are exact up to {MOST_COLUMNS}: fewer hidden units"
            )));
        }
        if shape.embedding + shape.projection > 0 {
            let what = "--qat: nets with an embedding or a projection are not trained for their integers yet: \
                        export the float checkpoint";
            return Err(Error::Some(what.to_owned()));
        }
        shape
            .dims(Precision::Int8)
            .map_err(|error| Error::Some(error.to_string()))
    }
}

impl<F: Engine> Aware<F> {
    /// Room for a net of this shape.
    ///
    /// # Errors
    /// As [`Scheme::check`].
    pub(crate) fn new(shape: Shape, scheme: Scheme) -> Result<Self> {
        let dims = scheme.check(shape)?;
        let (hidden, columns) = (shape.hidden, shape.gate_columns());
        let layer = |index: usize| {
            let dense = shape.is_dense(index);
            let rows = if dense { 1 } else { shape.vocab };
            Layer {
                recurrent: F::Packed::new(hidden, columns, false),
                input: dense.then(|| F::Packed::new(shape.inputs(index), columns, false)),
                step: Requantize {
                    addends: vec![0; rows * columns],
                    multipliers: vec![0; columns],
                    shift: 0,
                    cell_bits: scheme.cell_bits[index].into(),
                    cell: shape.cell,
                    hidden,
                },
            }
        };
        Ok(Self {
            scheme,
            dims,
            layers: (0..shape.layers).map(layer).collect(),
            head: Head {
                forward: F::Packed::new(hidden, shape.vocab, false),
                bias: vec![0; shape.vocab],
                multipliers: vec![0; shape.vocab],
                shift: 0,
            },
            integers: Params::zeros(shape),
            reals: Params::zeros(shape),
        })
    }

    /// Numbers in the order of the parameters, in that of an image.
    fn net(&self, numbers: &[F]) -> FloatNet {
        let mut floats = Params::<f32>::zeros(self.reals.shape);
        for (to, from) in floats.data.iter_mut().zip(numbers) {
            *to = from.to_f64() as f32;
        }
        FloatNet::new(&floats, &self.dims)
    }

    /// Ranges to begin with.
    pub(crate) fn ranges(&self, params: &Params<F>) -> Learned {
        Learned::of(&self.net(&params.data), &self.dims, &self.scheme.bits)
    }

    /// Learns ranges from the `gradient` of `params`; see [`Learned::update`].
    pub(crate) fn learn(
        &self,
        learned: &mut Learned,
        params: &Params<F>,
        gradient: &[F],
        steps: u64,
        rate: f64,
    ) {
        if learned.ranges.is_empty() {
            return;
        }
        let nets = (&self.net(&params.data), &self.net(gradient));
        learned.update(nets, &self.dims, &self.scheme.bits, steps, rate);
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
        let shape = params.shape;
        let net = self.net(&params.data);
        let plan = Plan {
            bits: self.scheme.bits,
            learned,
            ..Plan::default()
        };
        let int = quantize(&net, &self.dims, plan)?;
        let (gates, hidden) = (shape.cell.gates(), shape.hidden);
        let columns = gates * hidden;
        // Row `unit * gates + gate` of an image is column `gate * hidden + unit` here.
        let column = |row: usize| (row % gates) * hidden + row / gates;
        for (index, (layer, int)) in self.layers.iter_mut().zip(&int.layers).enumerate() {
            let inputs = if shape.is_dense(index) {
                shape.inputs(index)
            } else {
                0
            };
            let width = self.dims.columns(index);
            let own = width - self.dims.stride();
            for (row, weights) in int.matrix.weights.chunks_exact(width).enumerate() {
                let scale = int.matrix.scale(row, GATE_UNIT);
                let parts = [
                    (Role::Input, &weights[..inputs]),
                    (Role::Recurrent, &weights[own..own + hidden]),
                ];
                for (role, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
                    let integers = self.integers.tensor_mut(role, index);
                    let reals = self.reals.tensor_mut(role, index);
                    for (k, &q) in part.iter().enumerate() {
                        let at = k * columns + column(row);
                        integers[at] = F::from_f64(f64::from(q));
                        reals[at] = F::from_f64(f64::from(q) * scale);
                    }
                }
            }
            let step = &mut layer.step;
            for (to, from) in step
                .addends
                .chunks_exact_mut(columns)
                .zip(int.input.chunks_exact(columns))
            {
                from.iter()
                    .enumerate()
                    .for_each(|(row, &a)| to[column(row)] = a);
            }
            for (row, &m) in int.matrix.multipliers.iter().enumerate() {
                step.multipliers[column(row)] = m;
            }
            step.shift = int.matrix.shift.into();
            layer
                .recurrent
                .pack(self.integers.tensor(Role::Recurrent, index), false);
            if let Some(input) = &mut layer.input {
                input.pack(self.integers.tensor(Role::Input, index), false);
            }
        }
        let matrix = &int.head.matrix;
        let stride = self.dims.head_columns();
        let integers = self.integers.tensor_mut(Role::HeadWeight, 0);
        let reals = self.reals.tensor_mut(Role::HeadWeight, 0);
        for (row, weights) in matrix.weights.chunks_exact(stride).enumerate() {
            let scale = matrix.scale(row, HEAD_UNIT);
            for (k, &q) in weights[..hidden].iter().enumerate() {
                integers[row * hidden + k] = F::from_f64(f64::from(q));
                reals[row * hidden + k] = F::from_f64(f64::from(q) * scale);
            }
        }
        self.head
            .forward
            .pack(self.integers.tensor(Role::HeadWeight, 0), true);
        self.head.bias.copy_from_slice(&int.head.bias);
        self.head.multipliers.copy_from_slice(&matrix.multipliers);
        self.head.shift = matrix.shift.into();
        Ok(&self.reals)
    }
}

impl<F: Engine> Head<F> {
    /// Logits of rows of h.
    pub(crate) fn apply(&self, arch: Arch, h: &[F], logits: &mut [F]) {
        F::matmul(h, &self.forward, false, logits);
        let Self {
            bias,
            multipliers,
            shift,
            ..
        } = self;
        arch.dispatch(Logits {
            bias,
            multipliers,
            shift: *shift,
            logits,
        });
    }
}

/// Sums, each by 1/128, to logits.
struct Logits<'a, F> {
    bias: &'a [i32],
    multipliers: &'a [i32],
    shift: u32,
    logits: &'a mut [F],
}

impl<F: Engine> NullaryFnOnce for Logits<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for row in self.logits.chunks_exact_mut(self.bias.len()) {
            for (logit, (&b, &m)) in row.iter_mut().zip(self.bias.iter().zip(self.multipliers)) {
                let q = b + requantize(sum(*logit), m, self.shift);
                *logit = F::from_f64(f64::from(q) / HEAD_UNIT);
            }
        }
    }
}

/// A sum of products from what a product of real numbers gave.
#[inline(always)]
fn sum<F: Engine>(x: F) -> i32 {
    (x.to_f64() * 128.0) as i32
}

/// One step of a layer: `gates` holds its sums, each by 1/128, and gets the activations.
pub(crate) struct Step<'a, F> {
    pub(crate) by: &'a Requantize,
    /// The tokens of a layer that takes rows.
    pub(crate) ids: Option<&'a [u16]>,
    /// [rows, gates*hidden]
    pub(crate) gates: &'a mut [F],
    /// [rows, hidden], or empty
    pub(crate) c_before: &'a [F],
    /// [rows, hidden], or empty
    pub(crate) c: &'a mut [F],
    /// [rows, hidden], or empty
    pub(crate) tanh_c: &'a mut [F],
    /// [rows, hidden]
    pub(crate) h: &'a mut [F],
}

impl<F: Engine> NullaryFnOnce for Step<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Requantize {
            hidden: n,
            cell,
            shift,
            cell_bits,
            ..
        } = *self.by;
        let columns = self.by.multipliers.len();
        for (row, gates) in self.gates.chunks_exact_mut(columns).enumerate() {
            let start = self.ids.map_or(0, |ids| usize::from(ids[row]) * columns);
            let addends = &self.by.addends[start..start + columns];
            let h = &mut self.h[row * n..][..n];
            let scales = addends.iter().zip(&self.by.multipliers);
            match cell {
                Cell::Rnn => {
                    for ((gate, h), (&a, &m)) in gates.iter_mut().zip(h).zip(scales) {
                        let z = preactivation(a, sum(*gate), m, shift);
                        *h = real(rnn_int8(z).into(), 7);
                        *gate = *h;
                    }
                }
                Cell::Lstm => {
                    for (gate, (&a, &m)) in gates.iter_mut().zip(scales) {
                        let z = preactivation(a, sum(*gate), m, shift);
                        *gate = F::from_f64(f64::from(z));
                    }
                    let (i, rest) = gates.split_at_mut(n);
                    let (f, rest) = rest.split_at_mut(n);
                    let (g, o) = rest.split_at_mut(n);
                    let c_before = &self.c_before[row * n..][..n];
                    let c = &mut self.c[row * n..][..n];
                    let tanh_c = &mut self.tanh_c[row * n..][..n];
                    let bits = 15 - cell_bits as i32;
                    for u in 0..n {
                        let z = [i[u], f[u], g[u], o[u]].map(|z| z.to_f64() as i16);
                        let mut state = (c_before[u].to_f64() * power(bits)) as i16;
                        let unit = lstm_unit(z, &mut state, cell_bits);
                        c[u] = real(state.into(), bits);
                        (i[u], f[u], o[u]) = (
                            real(unit.i.into(), 13),
                            real(unit.f.into(), 13),
                            real(unit.o.into(), 13),
                        );
                        (g[u], tanh_c[u]) = (real(unit.g.into(), 11), real(unit.t.into(), 11));
                        h[u] = real(unit.h.into(), 7);
                    }
                }
            }
        }
    }
}

/// `2^bits`
#[inline(always)]
fn power(bits: i32) -> f64 {
    f64::from(1_u32 << bits)
}

/// An integer with so many fraction bits.
#[inline(always)]
fn real<F: Engine>(q: i32, bits: i32) -> F {
    F::from_f64(f64::from(q) / power(bits))
}
