//! The weights of a net as the products of a window read them.
//!
//! ```text
//! embedding    T, a row for each token
//! recurrent    V + b, a row for each token, or b      W_x   W_x^T      W_h   W_h^T
//!              GRU: b_hn, or U and U^T besides
//! dense        W^T   W   b
//! ```
//! They are packed once an optimizer step, and then read once every time step. A net that is
//! trained for a device has its integers beside them ([`qat`](crate::net::device::qat)); these are then what
//! the integers stand for.

use gatelet::net::{Fused, Kind, Net};

use super::tensors::inputs;
use super::{Params, Role};
use crate::engine::{Engine, Packed};
use crate::error::Result;
use crate::net::device::Scheme;
use crate::net::device::learned::Learned;
use crate::net::device::qat::{Device, Quantized};

/// A matrix `[k, n]`, forward and back.
#[derive(Clone, Debug)]
pub(crate) struct Pair<F: Engine> {
    /// `W`: [k, n].
    pub(crate) forward: F::Packed,
    /// `W^T`: [n, k].
    pub(crate) back: F::Packed,
}

impl<F: Engine> Pair<F> {
    /// Room for one; `gates` as [`Packed::new`].
    fn new(k: usize, n: usize, gates: bool) -> Self {
        Self {
            forward: F::Packed::new(k, n, gates),
            back: F::Packed::new(n, k, false),
        }
    }

    /// Takes `[k, n]`, or `[n, k]` to be read transposed.
    fn pack(&mut self, matrix: &[F], transposed: bool) {
        self.forward.pack(matrix, transposed);
        self.back.pack(matrix, !transposed);
    }
}

/// The matrices of a recurrent operation.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent<F: Engine> {
    /// `W_h`.
    pub(crate) recurrent: Pair<F>,
    /// What multiplies something made of h: `U` of a GRU that resets h.
    pub(crate) candidate: Option<Pair<F>>,
    /// `W_x`, where something is multiplied.
    pub(crate) input: Option<Pair<F>>,
    /// Bias of the recurrent product, or empty.
    pub(crate) recurrent_bias: Vec<F>,
    /// [vocab, gates*units] where the token is read, else the bias: [1, gates*units].
    pub(crate) rows: Vec<F>,
}

/// A product `x W^T + b`, forward and back.
#[derive(Clone, Debug)]
pub(crate) struct Linear<F: Engine> {
    /// `W^T`: [inputs, units], and `W`.
    pub(crate) weights: Pair<F>,
    /// [units]
    pub(crate) bias: Vec<F>,
}

impl<F: Engine> Linear<F> {
    /// `y = x W^T + b` for rows of `x`; `scratch` as [`Engine::matmul`].
    pub(crate) fn apply(&self, x: &[F], y: &mut [F], scratch: &mut [F]) {
        y.chunks_exact_mut(self.bias.len())
            .for_each(|row| row.copy_from_slice(&self.bias));
        F::matmul(x, &self.weights.forward, true, y, scratch);
    }
}

/// The weights of one operation.
#[derive(Clone, Debug)]
pub(crate) enum Pack<F: Engine> {
    /// [vocab, units]; of a device x / 128.
    Table(Vec<F>),
    Recurrent(Recurrent<F>),
    Dense(Linear<F>),
    /// Of an addition.
    Nothing,
}

impl<F: Engine> Pack<F> {
    /// Room for the weights of an operation.
    fn new(net: &Net, index: usize, kind: Kind) -> Self {
        let (inputs, units) = (inputs(net, index), kind.units());
        let columns = kind.gates() * units;
        match kind {
            Kind::Embedding { .. } => Self::Table(vec![F::zero(); net.vocab() * units]),
            Kind::Add => Self::Nothing,
            Kind::Dense { .. } => Self::Dense(Linear {
                weights: Pair::new(inputs, units, false),
                bias: vec![F::zero(); units],
            }),
            kind => {
                let form = kind.cell();
                let [own, made] = form.map_or([0; 2], |form| form.own_rows());
                let biases = form.map_or(0, |form| form.bias);
                let rows = if net.reads_token(index) {
                    net.vocab()
                } else {
                    1
                };
                let lstm = kind.fused() == Some(Fused::Lstm);
                Self::Recurrent(Recurrent {
                    recurrent: Pair::new(units, own * units, lstm),
                    candidate: (made > 0).then(|| Pair::new(units, made * units, false)),
                    input: (inputs > 0).then(|| Pair::new(inputs, columns, false)),
                    recurrent_bias: vec![F::zero(); biases * units],
                    rows: vec![F::zero(); rows * columns],
                })
            }
        }
    }

    /// Takes the numbers of operation `index`.
    fn pack(&mut self, params: &Params<F>, index: usize) {
        let tensor = |role| params.tensor(index, role);
        match self {
            Self::Nothing => {}
            Self::Table(table) => table.copy_from_slice(tensor(Role::Table)),
            Self::Dense(linear) => {
                linear.weights.pack(tensor(Role::Weight), true);
                linear.bias.copy_from_slice(tensor(Role::Bias));
            }
            Self::Recurrent(to) => {
                to.recurrent.pack(tensor(Role::Recurrent), false);
                if let Some(candidate) = &mut to.candidate {
                    candidate.pack(tensor(Role::Candidate), false);
                }
                let bias = tensor(Role::RecurrentBias);
                to.recurrent_bias.copy_from_slice(bias);
                if let Some(input) = &mut to.input {
                    input.pack(tensor(Role::Input), false);
                }
                let (rows, bias) = (tensor(Role::Rows), tensor(Role::Bias));
                if rows.is_empty() {
                    to.rows.copy_from_slice(bias);
                    return;
                }
                let columns = bias.len();
                let sums = to.rows.chunks_exact_mut(columns);
                for (sums, weights) in sums.zip(rows.chunks_exact(columns)) {
                    for ((sum, &w), &b) in sums.iter_mut().zip(weights).zip(bias) {
                        *sum = w + b;
                    }
                }
            }
        }
    }
}

/// All matrices.
#[derive(Clone, Debug)]
pub struct Packs<F: Engine> {
    /// One for each operation.
    pub(crate) operations: Vec<Pack<F>>,
    /// How the device computes; `None` for a net of real numbers.
    pub(crate) qat: Option<Box<Quantized<F>>>,
}

impl<F: Engine> Packs<F> {
    /// Room for the weights of a net.
    pub fn new(net: &Net) -> Self {
        let operations = net.operations().enumerate();
        let operations = operations.map(|(index, of)| Pack::new(net, index, of.kind));
        Self {
            operations: operations.collect(),
            qat: None,
        }
    }

    /// The same for a net that is trained for its device.
    ///
    /// # Errors
    /// As [`Scheme::check_exact`].
    pub fn qat(net: &Net, scheme: Scheme) -> Result<Self> {
        Ok(Self {
            qat: Some(Box::new(Quantized::new(net, scheme)?)),
            ..Self::new(net)
        })
    }

    /// The weights of `params`.
    pub fn of(params: &Params<F>) -> Self {
        let mut packs = Self::new(params.net());
        packs.pack(params);
        packs
    }

    /// Takes the weights of `params`, whose net these packs were made for; for a device, as
    /// integers with `learned` ranges of rows, if there are such.
    ///
    /// # Errors
    /// [`Error::Quantize`](crate::error::Error::Quantize) for weights that have no integers; real
    /// numbers always fit.
    pub fn update(&mut self, params: &Params<F>, learned: Option<&Learned>) -> Result<()> {
        match self.qat.take() {
            None => self.pack(params),
            Some(mut qat) => {
                let reals = qat.pack(params, learned).map(|reals| self.pack(reals));
                for (pack, device) in self.operations.iter_mut().zip(&qat.operations) {
                    if let (Pack::Table(table), Device::Table(of_device)) = (pack, device) {
                        table.copy_from_slice(of_device);
                    }
                }
                self.qat = Some(qat);
                reals?;
            }
        }
        Ok(())
    }

    /// Takes real numbers.
    pub fn pack(&mut self, params: &Params<F>) {
        for (index, pack) in self.operations.iter_mut().enumerate() {
            pack.pack(params, index);
        }
    }
}
