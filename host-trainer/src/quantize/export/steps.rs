//! What the integers of a net's values stand for, from what the net does on data.

use gatelet::net::{Activation, Kind, Net, Value};

use crate::data::Data;
use crate::error::Result;
use crate::net::{Packs, Params, Shard};
use crate::quantize::ranges::half_power;

/// Examples that are read for the magnitudes, at most.
const READ: usize = 256;

/// How a net becomes integers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Steps {
    /// Of each feature: what it is multiplied by to be an integer.
    pub(super) features: Vec<f32>,
    /// Of each operation: what 128 of its value's integers stand for.
    pub(super) values: Vec<f32>,
    /// Of each operation: integer bits of its state.
    pub(super) state_bits: Vec<u8>,
}

/// The power of the root of two that holds a magnitude, within +-127/128.
fn holding(largest: f64) -> f32 {
    let largest = (largest * 128.0 / 127.0).max(1e-6);
    half_power((2.0 * largest.log2()).ceil() as i32)
}

impl Steps {
    /// Those that hold what the net does on the first examples of `data`.
    ///
    /// # Errors
    /// What reading the examples says.
    pub(super) fn of(params: &Params<f32>, data: &dyn Data<f32>) -> Result<Self> {
        let net = *params.net();
        let packs = Packs::of(params);
        let mut shard = Shard::new(&net, 1, data.steps());
        let width = net.width(Value::INPUT);
        let (mut features, mut largest) = (vec![0.0_f32; width], vec![(0.0, 0.0); net.len()]);
        for example in 0..data.len().min(READ) {
            let mut window = shard.window();
            data.fill(example, 0, &mut window, &mut Vec::new())?;
            for (index, x) in window.features.iter().enumerate() {
                let most = &mut features[index % width];
                *most = most.max(x.abs());
            }
            shard.reset();
            shard.forward(&packs, 0.0);
            shard.largest(&mut largest);
        }
        let mut values: Vec<f32> = Vec::new();
        let mut state_bits = Vec::new();
        for (operation, &(value, cell)) in net.operations().zip(&largest) {
            let bits = |magnitude: f64, least: u8| {
                let bits = magnitude.max(1.0).log2().ceil() as u8;
                bits.clamp(least, 7)
            };
            let (step, bits) = match operation.kind {
                kind if kind.cell().is_some_and(|form| form.unbounded) => {
                    let bits = bits(value * 128.0 / 127.0, 0);
                    (f32::from(1_u8 << bits), bits)
                }
                Kind::Rnn { .. } => (1.0, 3),
                Kind::Lstm { .. } => (1.0, bits(cell, 3)),
                Kind::Gru { .. } => (1.0, 0),
                Kind::Embedding { .. } | Kind::Add => (holding(value), 0),
                Kind::Dense { activation, .. } => match activation {
                    Activation::None | Activation::Relu | Activation::Elu => (holding(value), 0),
                    Activation::Tanh | Activation::Sigmoid | Activation::HardSigmoid => (1.0, 0),
                },
            };
            values.push(step);
            state_bits.push(bits);
        }
        // A head that nothing reads has its scores as they are.
        for (index, step) in values.iter_mut().enumerate() {
            let value = Value::of(index);
            let mut readers = net.operations().flat_map(|of| of.operand.parts());
            let is_dense = matches!(
                net.operation(index).map(|of| of.kind),
                Some(Kind::Dense { .. })
            );
            if is_dense && !readers.any(|part| part == value) {
                *step = 1.0;
            }
        }
        let scale = |&most: &f32| 127.0 / most.max(1e-6);
        Ok(Self {
            features: features.iter().map(scale).collect(),
            values,
            state_bits,
        })
    }

    /// The steps of an f32 image.
    pub(super) fn none(net: &Net) -> Self {
        Self {
            features: vec![128.0; net.width(Value::INPUT)],
            values: vec![1.0; net.len()],
            state_bits: vec![0; net.len()],
        }
    }

    /// The step of number `index` of a value.
    pub(super) fn of_number(&self, value: Value, index: usize) -> f32 {
        match value.operation() {
            None => 128.0 / self.features[index],
            Some(operation) => self.values[operation],
        }
    }
}
