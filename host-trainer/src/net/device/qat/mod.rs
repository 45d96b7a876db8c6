//! The device's own forward pass inside training: quantization-aware, bit for bit, for any net.
//!
//! ```text
//! weights    q and its multipliers, as the exporter makes them of the parameters (`integers`), once an optimizer step
//! features   the device's columns, high and low part
//! forward    acc = sum q h            a product of f32 numbers that are integers: exact below 2^24, in any order
//!            z, c, h, logit           core's integer specification; then real numbers on the tape
//! backward   as in real numbers, with the weights s q and the activations that the device has: a rounding's
//!            derivative is 1 (straight through, Bengio et al. 2013)
//! ```
//! So the loss that is trained is the image's, and an export of these parameters computes the
//! states that this does. h is on the tape as h / 128, c as c / 2^(15-e): powers of two, which
//! change no bit of a product. A GRU carries H / 2^15, which products read as h / 128. Every other
//! value is there as the device has it too, q / 128, which stands for its step times as much:
//! gradients of the matrices that read it are multiplied by the step (`Reads`). Gradients of
//! values are those of what they stand for.

use gatelet::net::{Kind, Net, Operation, Reset};
use serde::{Deserialize, Serialize};

mod features;
mod forward;
mod gru;
mod requantize;

pub(crate) use self::features::Columns;
pub(crate) use self::forward::{Dense, Recurrent, Step, Sum};
pub(crate) use self::gru::read;

use self::forward::Input;
use self::requantize::{Requantize, real};
use super::integers::{Integers, Plan, Whole};
use super::learned::Learned;
use super::order::{Floats, Matrix, Order};
use super::scheme::{MOST_COLUMNS, Scheme, is_relu};
use crate::engine::{Engine, Packed};
use crate::error::{Error, Result};
use crate::net::{Params, Role};

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

/// An operation in integers.
#[derive(Clone, Debug)]
pub(crate) enum Device<F: Engine> {
    /// q / 128: [vocab, units].
    Table(Vec<F>),
    Recurrent(Recurrent<F>),
    Dense(Dense<F>),
    Sum(Sum),
}

/// What the numbers stand for that an operation reads, times what they are; empty for all 1.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads<F> {
    /// Of its operand, a number each.
    pub(crate) operand: Vec<F>,
    /// Of its own value.
    pub(crate) own: f32,
}

/// A net in integers.
#[derive(Clone, Debug)]
pub(crate) struct Quantized<F: Engine> {
    pub(crate) scheme: Scheme,
    pub(crate) operations: Vec<Device<F>>,
    pub(crate) reads: Vec<Reads<F>>,
    orders: Vec<Order>,
    /// The weights of which all this was made, in the order of an image.
    floats: Vec<Floats>,
    integers: Vec<Integers>,
    /// The gradient of the weights, in the order of an image, and how it gets there.
    gradient: Vec<Floats>,
    inverted: Vec<Order>,
    /// The integers, and what they stand for, in the trainer's order.
    numbers: Params<F>,
    reals: Params<F>,
    /// Second columns of an operation's weights: [second columns, columns].
    second: Vec<F>,
}

impl Scheme {
    /// Checks that a net can be trained so.
    ///
    /// # Errors
    /// [`Error::Some`], which says what cannot.
    pub fn check_exact(&self, net: &Net) -> Result<()> {
        let orders = Order::all(net, self);
        let matrices = orders.iter().flat_map(Order::matrices);
        let read = |matrix: &Matrix| matrix.parts.iter().map(|part| part.reads.len()).sum();
        let products = matrices.filter(|(_, of)| of.parts.iter().all(|p| p.role != Role::Table));
        let most: usize = products.map(|(_, matrix)| read(matrix)).max().unwrap_or(0);
        match most {
            ..=MOST_COLUMNS => Ok(()),
            _ => Err(Error::Some(format!(
                "--qat: a layer reads {most} numbers, and sums are exact up to {MOST_COLUMNS}: fewer hidden units"
            ))),
        }
    }
}

impl<F: Engine> Device<F> {
    /// Room for operation `index`.
    fn new(net: &Net, index: usize, order: &Order, scheme: &Scheme) -> Self {
        let (kind, units) = (order.kind, order.kind.units());
        let inputs = crate::net::inputs(net, index);
        let reads_features = net.operation(index).is_some_and(|of| {
            of.operand
                .parts()
                .any(|part| part == gatelet::net::Value::INPUT)
        });
        let doubled = if reads_features {
            scheme.doubled.len()
        } else {
            0
        };
        let columns = kind.gates() * units;
        match kind {
            Kind::Embedding { .. } => Self::Table(vec![F::zero(); net.vocab() * units]),
            Kind::Add => Self::Sum(Sum {
                multipliers: vec![0; order.sums.len()],
                shift: 0,
            }),
            Kind::Dense { activation, .. } => Self::Dense(Dense {
                input: Input::new(inputs, doubled, units),
                activation,
                bias: vec![0; units],
                multipliers: vec![0; units],
                shift: 0,
                step: order.own.into(),
            }),
            Kind::Rnn { .. } | Kind::Lstm { .. } | Kind::Gru { .. } => {
                let resets_h = matches!(
                    kind,
                    Kind::Gru {
                        reset: Reset::Before,
                        ..
                    }
                );
                let own = if resets_h { 2 * units } else { columns };
                let rows = if net.reads_token(index) {
                    net.vocab()
                } else {
                    1
                };
                Self::Recurrent(Recurrent {
                    recurrent: F::Packed::new(units, own, false),
                    candidate: resets_h.then(|| F::Packed::new(units, units, false)),
                    input: (inputs > 0).then(|| Input::new(inputs, doubled, columns)),
                    step: Requantize::new(order, rows, scheme.state_bits[index]),
                })
            }
        }
    }
}

impl<F: Engine> Reads<F> {
    /// Of operation `index`.
    fn new(net: &Net, index: usize, scheme: &Scheme) -> Self {
        let mut operand = Vec::new();
        let parts = net.operation(index).map(|of| of.operand);
        for value in parts.iter().flat_map(|of| of.parts()) {
            match value.operation() {
                None => {
                    let first = scheme.columns().take(scheme.features.len());
                    operand.extend(first.map(|(_, step)| F::from_f64(step.into())));
                }
                Some(of) => {
                    let step = F::from_f64(scheme.steps[of].into());
                    operand.extend(std::iter::repeat_n(step, net.width(value)));
                }
            }
        }
        if operand.iter().all(|step| *step == F::one()) {
            operand.clear();
        }
        Self {
            operand,
            own: scheme.steps[index],
        }
    }

    /// Multiplies the gradient of weights, [inputs, columns], by what each number stands for.
    pub(crate) fn by_rows(&self, gradient: &mut [F]) {
        if self.operand.is_empty() {
            return;
        }
        let columns = gradient.len() / self.operand.len();
        let rows = gradient.chunks_exact_mut(columns);
        for (row, &step) in rows.zip(&self.operand) {
            row.iter_mut().for_each(|g| *g *= step);
        }
    }

    /// The same of weights that are [units, inputs].
    pub(crate) fn by_columns(&self, gradient: &mut [F]) {
        if self.operand.is_empty() {
            return;
        }
        for row in gradient.chunks_exact_mut(self.operand.len()) {
            let pairs = row.iter_mut().zip(&self.operand);
            pairs.for_each(|(g, &step)| *g *= step);
        }
    }

    /// The inverse of [`Reads::by_columns`]: of a gradient that more is added to.
    pub(crate) fn undo_columns(&self, gradient: &mut [F]) {
        if self.operand.is_empty() {
            return;
        }
        for row in gradient.chunks_exact_mut(self.operand.len()) {
            let pairs = row.iter_mut().zip(&self.operand);
            pairs.for_each(|(g, &step)| *g = *g / step);
        }
    }
}

impl<F: Engine> Quantized<F> {
    /// Room for a net.
    ///
    /// # Errors
    /// As [`Scheme::check_exact`], or [`Error::Some`] for a scheme of another net.
    pub(crate) fn new(net: &Net, scheme: Scheme) -> Result<Self> {
        scheme.check(net).map_err(Error::Some)?;
        scheme.check_exact(net)?;
        scheme
            .int8(net)
            .map_err(|error| Error::Some(error.to_string()))?;
        let relu = |of: &Operation| matches!(of.kind, Kind::Gru { .. }) && is_relu(of.kind);
        if let Some(index) = net.operations().position(relu) {
            return Err(Error::Some(format!(
                "operation {index} is a GRU whose candidate is a relu, which is not trained for \
                 integers: export the net as it is, or train it with tanh"
            )));
        }
        let orders = Order::all(net, &scheme);
        let all = orders.iter().enumerate();
        let operations = all
            .map(|(index, order)| Device::new(net, index, order, &scheme))
            .collect();
        let reads = (0..net.len()).map(|index| Reads::new(net, index, &scheme));
        Ok(Self {
            operations,
            reads: reads.collect(),
            floats: vec![Floats::default(); orders.len()],
            integers: vec![Integers::default(); orders.len()],
            gradient: vec![Floats::default(); orders.len()],
            inverted: orders.iter().cloned().map(Order::inverted).collect(),
            orders,
            numbers: Params::zeros(*net),
            reals: Params::zeros(*net),
            second: Vec::new(),
            scheme,
        })
    }

    /// The features of a window as the device has them.
    pub(crate) fn take_features(&self, features: &[F], to: &mut Columns<F>) {
        if !to.is_of(&self.scheme) {
            *to = Columns::new(&self.scheme);
        }
        to.take(features);
    }

    /// Ranges to begin with.
    pub(crate) fn ranges(&self, params: &Params<F>) -> Learned {
        let mut floats = self.floats.clone();
        take(&mut floats, &self.orders, params, &params.data);
        Learned::of(&self.orders, &floats, self.scheme.bits)
    }

    /// Learns ranges from the `gradient` of the weights that were [packed](Quantized::pack) last; see
    /// [`Learned::update`].
    pub(crate) fn learn(&mut self, learned: &mut Learned, gradient: &[F], steps: u64, rate: f64) {
        if learned.ranges.is_empty() {
            return;
        }
        take(&mut self.gradient, &self.inverted, &self.reals, gradient);
        let both = (&self.floats[..], &self.gradient[..]);
        learned.update(&self.orders, both, self.scheme.bits, steps, rate);
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
        take(&mut self.floats, &self.orders, params, &params.data);
        let whole = Whole {
            orders: &self.orders,
            floats: &self.floats,
        };
        let plan = Plan {
            scheme: &self.scheme,
            learned,
        };
        whole.take(plan, &mut self.integers)?;
        for index in 0..self.orders.len() {
            self.spread(index);
            self.pack_operation(index);
        }
        Ok(&self.reals)
    }

    /// An operation's integers, and what they stand for, in the trainer's order.
    fn spread(&mut self, index: usize) {
        let (order, int) = (&self.orders[index], &self.integers[index]);
        for (at, matrix) in order.matrices() {
            let of = &int.matrices[at];
            for part in &matrix.parts {
                let numbers = self.numbers.tensor_mut(index, part.role);
                matrix.each(part, order.divisor(), of, |place, q, _| {
                    numbers[place] = F::from_f64(f64::from(q));
                });
                let reals = self.reals.tensor_mut(index, part.role);
                matrix.each(part, order.divisor(), of, |place, _, real| {
                    reals[place] = F::from_f64(real);
                });
            }
        }
    }

    /// An operation's matrices, as products read them.
    fn pack_operation(&mut self, index: usize) {
        let (order, int) = (&self.orders[index], &self.integers[index]);
        let numbers = |role| self.numbers.tensor(index, role);
        match &mut self.operations[index] {
            Device::Sum(sum) => {
                sum.multipliers
                    .copy_from_slice(&int.matrices[0].multipliers);
                sum.shift = int.matrices[0].shift.into();
            }
            Device::Table(table) => {
                let of = &int.matrices[0];
                let units = order.kind.units();
                let columns = of.weights.len() / of.multipliers.len().max(1);
                let rows = of.weights.chunks_exact(columns).zip(&of.multipliers);
                for (to, (row, &m)) in table.chunks_exact_mut(units).zip(rows) {
                    for (x, &e) in to.iter_mut().zip(row) {
                        let embedded = gatelet::kernel::integer::embedded(e, m, of.shift.into());
                        *x = real(embedded.into(), 7);
                    }
                }
            }
            Device::Dense(dense) => {
                // A tied one's are the embedding's, which comes before it.
                dense.input.first.pack(numbers(Role::Weight), true);
                dense.take(int);
                second(order, int, &mut self.second);
                if let Some(packed) = &mut dense.input.second {
                    packed.pack(&self.second, false);
                }
            }
            Device::Recurrent(to) => {
                to.step.take(order, int);
                to.recurrent.pack(numbers(Role::Recurrent), false);
                if let Some(candidate) = &mut to.candidate {
                    candidate.pack(numbers(Role::Candidate), false);
                }
                if let Some(input) = &mut to.input {
                    input.first.pack(numbers(Role::Input), false);
                    second(order, int, &mut self.second);
                    if let Some(packed) = &mut input.second {
                        packed.pack(&self.second, false);
                    }
                }
            }
        }
    }
}

/// The weights of second columns: [second columns, gate columns or units].
fn second<F: Engine>(order: &Order, int: &Integers, to: &mut Vec<F>) {
    to.clear();
    let columns = match order.slots.len() {
        0 => order.kind.units(),
        slots => slots,
    };
    for (at, matrix) in order.matrices() {
        for part in matrix
            .parts
            .iter()
            .filter(|part| part.first < part.reads.len())
        {
            to.resize((part.reads.len() - part.first) * columns, F::zero());
            let rows = int.matrices[at].weights.chunks_exact(matrix.columns);
            for (row, weights) in rows.enumerate() {
                let own = &weights[part.start..][part.first..part.reads.len()];
                for (k, &q) in own.iter().enumerate() {
                    to[k * columns + matrix.column(row)] = F::from_f64(f64::from(q));
                }
            }
        }
    }
}

/// Takes numbers in the order of `params`.
fn take<F: Engine>(to: &mut [Floats], orders: &[Order], params: &Params<F>, numbers: &[F]) {
    for (index, (to, order)) in to.iter_mut().zip(orders).enumerate() {
        to.take(order, (params.tensors(), index), numbers);
    }
}
