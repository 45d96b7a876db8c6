//! What takes sums of products, which are real numbers on the tape, to the device's integers.

use gatelet::kernel::integer::requantize;
use gatelet::net::Kind;

use crate::engine::Engine;
use crate::net::device::integers::{IntMatrix, Integers};
use crate::net::device::order::{Matrix, Order};

/// From sums to the state of a recurrent operation.
#[derive(Clone, Debug)]
pub(crate) struct Requantize {
    pub(crate) kind: Kind,
    /// Q3.12: [vocab, gates*units] where the token is read, else [gates*units].
    pub(super) addends: Vec<i16>,
    /// Of weights, candidate and hidden, as in [`Order`].
    pub(super) scales: [Scales; 3],
    /// [units], Q19.12: bias of the recurrent product of a GRU; else empty.
    pub(super) recurrent_bias: Vec<i32>,
    pub(super) state_bits: u32,
}

/// What the sums of a matrix are multiplied by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scales {
    /// Of each gate column of the matrix, or unit; of a matrix that is not there none.
    pub(super) multipliers: Vec<i32>,
    pub(super) shift: u32,
}

impl Scales {
    /// Room for those of a matrix.
    fn new(matrix: Option<&Matrix>) -> Self {
        Self {
            multipliers: vec![0; matrix.map_or(0, |matrix| matrix.rows)],
            shift: 0,
        }
    }

    /// Takes a matrix' multipliers, whose first column is number `first`.
    fn take(&mut self, matrix: &Matrix, first: usize, of: &IntMatrix) {
        for (row, &m) in of.multipliers.iter().enumerate() {
            self.multipliers[matrix.column(row) - first] = m;
        }
        self.shift = of.shift.into();
    }

    /// `round(acc m >> s)` of column `at`; 0 of a matrix that is not there.
    #[inline(always)]
    pub(super) fn apply(&self, at: usize, acc: i32) -> i32 {
        match self.multipliers.get(at) {
            Some(&m) => requantize(acc, m, self.shift),
            None => 0,
        }
    }
}

impl Requantize {
    /// Room for a recurrent operation's, of so many rows of addends.
    pub(super) fn new(order: &Order, rows: usize, state_bits: u8) -> Self {
        let [a, b, c] = &order.matrices;
        let biases = match order.kind {
            Kind::Gru { .. } => order.kind.units(),
            _ => 0,
        };
        Self {
            kind: order.kind,
            addends: vec![0; rows * order.slots.len()],
            scales: [a, b, c].map(|matrix| Scales::new(matrix.as_ref())),
            recurrent_bias: vec![0; biases],
            state_bits: state_bits.into(),
        }
    }

    /// Takes an operation's integers.
    pub(super) fn take(&mut self, order: &Order, int: &Integers) {
        for (at, matrix) in order.matrices() {
            // Of a GRU all but the gates are of the third gate alone.
            let first = if at > 0 { 2 * order.kind.units() } else { 0 };
            self.scales[at].take(matrix, first, &int.matrices[at]);
        }
        let columns = order.slots.len();
        let addends = self.addends.chunks_exact_mut(columns);
        for (to, from) in addends.zip(int.input.chunks_exact(columns)) {
            for (&slot, &a) in order.slots.iter().zip(from) {
                to[slot] = a;
            }
        }
        let biases = self.recurrent_bias.iter_mut().zip(&int.bias);
        biases.for_each(|(to, &b)| *to = b);
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
