//! What takes sums of products, which are real numbers on the tape, to the device's integers.

use crate::engine::Engine;
use crate::float_net::Block;
use crate::shape::Cell;

/// From sums to pre-activations, and on to the state.
#[derive(Clone, Debug)]
pub(crate) struct Requantize {
    /// Q3.12: [vocab, gates*hidden] in a layer that takes rows, [gates*hidden] in a dense one.
    pub(super) addends: Vec<i16>,
    /// A matrix each.
    pub(super) scales: Vec<Scales>,
    /// [hidden], Q19.12: bias of the recurrent product of a GRU; else empty.
    pub(super) recurrent_bias: Vec<i32>,
    pub(super) cell_bits: u32,
    pub(super) cell: Cell,
    pub(super) hidden: usize,
}

/// What the sums of one of a layer's matrices are multiplied by.
#[derive(Clone, Debug)]
pub(crate) struct Scales {
    /// [gates*hidden], of the gates that the matrix has.
    pub(super) multipliers: Vec<i32>,
    pub(super) shift: u32,
}

impl Scales {
    /// Room for those of a matrix.
    pub(super) fn of(block: Block) -> Self {
        Self {
            multipliers: vec![0; block.rows()],
            shift: 0,
        }
    }
}

/// A sum of products from what a product of real numbers gave.
#[inline(always)]
pub(super) fn sum<F: Engine>(x: F) -> i32 {
    (x.to_f64() * 128.0) as i32
}

/// `2^bits`
#[inline(always)]
pub(super) fn power(bits: i32) -> f64 {
    f64::from(1_u32 << bits)
}

/// An integer with so many fraction bits.
#[inline(always)]
pub(super) fn real<F: Engine>(q: i32, bits: i32) -> F {
    F::from_f64(f64::from(q) / power(bits))
}
