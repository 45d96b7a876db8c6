//! The integers of an operation, from its numbers in the order of an image.
//!
//! ```text
//! row scale   s_r as in `row_range`                  q[r,k] = round(W[r,k] / s_r), within +-127 or +-7
//! multiplier  m_r = round(s_r / 128 * unit * 2^shift)      unit = 2^12 for gates (Q3.12), 2^16 for dense (Q15.16)
//! addends     round(4096 (V[id] + b)), saturated to int16
//! tied        weights of the table, multipliers of its rows' scales by what the operation reads
//! sum         m = step of what is added / own step * 2^shift, a number each
//! ```
//! `shift` is 24, or less where a multiplier would not fit 31 bits.

use std::fmt::Arguments;

use gatelet::net::Kind;
use pulp::Arch;
use rayon::prelude::*;

use super::learned::Learned;
use super::order::{Floats, Matrix, Order, Part};
use super::row_range;
use super::scheme::Scheme;
use super::units::{GATE_UNIT, HEAD_UNIT, REQUANTIZED};
use crate::error::{Error, Result};
use crate::net::Params;

/// A scheme, and what was learnt with the weights.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The scheme.
    pub scheme: &'a Scheme,
    /// Ranges of the rows with 4 bits; otherwise those with the least error are taken.
    pub learned: Option<&'a Learned>,
}

impl<'a> From<&'a Scheme> for Plan<'a> {
    fn from(scheme: &'a Scheme) -> Self {
        Self {
            scheme,
            learned: None,
        }
    }
}

/// Shift of the requantization, unless a row is too large for it.
pub(crate) const SHIFT: u8 = 24;
/// Smallest shift an image may have.
const MIN_SHIFT: u8 = 8;

/// A weight matrix in integers, one scale a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IntMatrix {
    /// `[rows, columns]`, -127..=127 or -7..=7; of a tied operation none.
    pub(crate) weights: Vec<i8>,
    /// `[rows]`.
    pub(crate) multipliers: Vec<i32>,
    /// Right shift that belongs to the multipliers.
    pub(crate) shift: u8,
    /// `[rows]`, from which the multipliers are rounded; kept so that the next weights allocate
    /// nothing.
    scales: Vec<f32>,
}

impl IntMatrix {
    /// What one step of a row's weights stands for, by the multiplier that the device has; `unit`
    /// of a result's one.
    pub(crate) fn scale(&self, row: usize, unit: f64) -> f64 {
        f64::from(self.multipliers[row]) * 128.0 / unit / f64::from(self.shift).exp2()
    }
}

/// An operation in integers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Integers {
    /// Weights, candidate, hidden, as in [`Order`]. Of a sum the multipliers alone, of both operands
    /// one behind the other.
    pub(crate) matrices: [IntMatrix; 3],
    /// As [`Floats::input`], Q3.12.
    pub(crate) input: Vec<i16>,
    /// As [`Floats::bias`]: Q15.16 of dense operations, Q19.12 of a GRU.
    pub(crate) bias: Vec<i32>,
    /// Addends that did not fit Q3.12.
    pub(crate) saturated: usize,
}

/// The limit of a multiplier and, times the largest accumulator of weights of so many bits, of the
/// requantized product (`core` checks both).
fn fits(multiplier: f64, (columns, bits): (usize, u8), shift: u8) -> bool {
    let weight = f64::from(row_range::largest(bits));
    let requantized = multiplier * (weight * 128.0 * columns as f64) / f64::from(shift).exp2();
    multiplier <= f64::from(i32::MAX) && requantized + 0.5 < REQUANTIZED
}

/// Weights of so many bits, and the ranges of their rows if those were learnt.
#[derive(Clone, Copy)]
struct Rows<'a> {
    bits: u8,
    ranges: Option<&'a [f32]>,
}

impl Rows<'_> {
    const EIGHT: Self = Self {
        bits: 8,
        ranges: None,
    };

    /// Scales of rows of `columns` numbers.
    fn scales(&self, values: &[f32], columns: usize, scales: &mut Vec<f32>) {
        if let Some(ranges) = self.ranges {
            let largest = row_range::largest(self.bits);
            scales.clear();
            scales.extend(ranges.iter().map(|range| range / largest));
            return;
        }
        let (arch, bits) = (Arch::new(), self.bits);
        let rows = values.par_chunks_exact(columns);
        let step = |row| row_range::step(arch, row, bits);
        rows.map(step).collect_into_vec(scales);
    }
}

/// A matrix of f32 numbers on its way to integers.
#[derive(Clone, Copy)]
struct Quantize<'a> {
    /// `[rows, columns]`
    values: &'a [f32],
    columns: usize,
    rows: Rows<'a>,
    /// Of a result's one, with what an operand of 128 stands for.
    unit: f64,
    /// For the error.
    name: Arguments<'a>,
}

impl Quantize<'_> {
    /// Multipliers of the rows and their shift.
    fn multipliers(&self, to: &mut IntMatrix) -> Result<()> {
        let (columns, bits, unit) = (self.columns, self.rows.bits, self.unit);
        let exact =
            |scale: f32, shift: u8| f64::from(scale) / 128.0 * unit * f64::from(shift).exp2();
        self.rows.scales(self.values, columns, &mut to.scales);
        let largest = to.scales.iter().fold(0.0_f32, |max, &s| max.max(s));
        let shift = (MIN_SHIFT..=SHIFT)
            .rev()
            .find(|&shift| fits(exact(largest, shift).round(), (columns, bits), shift));
        to.shift = shift.ok_or_else(|| Error::Quantize {
            name: self.name.to_string(),
            largest: largest * row_range::largest(bits),
        })?;
        to.multipliers.clear();
        let rows = to.scales.iter();
        to.multipliers
            .extend(rows.map(|&scale| exact(scale, to.shift).round() as i32));
        Ok(())
    }

    /// Multipliers, shift and weights.
    fn take(&self, to: &mut IntMatrix) -> Result<()> {
        self.multipliers(to)?;
        let most = row_range::largest(self.rows.bits);
        to.weights.resize(self.values.len(), 0);
        let rows = (to.weights.par_chunks_exact_mut(self.columns))
            .zip(self.values.par_chunks_exact(self.columns))
            .zip(&to.scales);
        rows.for_each(|((to, row), &scale)| {
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            for (q, w) in to.iter_mut().zip(row) {
                *q = (w * inverse).round().clamp(-most, most) as i8;
            }
        });
        Ok(())
    }
}

/// A bias in steps of 1/`unit`.
fn bias(values: &[f32], unit: f64, name: Arguments<'_>, to: &mut Vec<i32>) -> Result<()> {
    let limit = f64::from(1 << 30);
    to.clear();
    for &b in values {
        let q = (f64::from(b) * unit).round();
        if q.is_nan() || q.abs() > limit {
            let name = format!("{name}'s bias");
            return Err(Error::Quantize { name, largest: b });
        }
        to.push(q as i32);
    }
    Ok(())
}

/// The operations of a net with their numbers, in the order of an image.
#[derive(Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) orders: &'a [Order],
    pub(crate) floats: &'a [Floats],
}

impl Whole<'_> {
    /// Quantizes all operations, of which `to` has room for one each. Allocates the first time only.
    ///
    /// # Errors
    /// [`Error::Quantize`] when a matrix has numbers so large that no shift fits.
    pub(crate) fn take(&self, plan: Plan<'_>, to: &mut [Integers]) -> Result<()> {
        // The learnt ranges of a matrix follow those of the matrices before it.
        let mut learned = plan.learned.map(|learned: &Learned| &learned.ranges[..]);
        for (index, to) in to.iter_mut().enumerate() {
            let (order, floats) = (&self.orders[index], &self.floats[index]);
            let name = format_args!("operation {index}");
            let bits = plan.scheme.bits.of(index);
            for (at, matrix) in order.matrices() {
                let ranges = (learned.as_mut())
                    .filter(|_| bits == 4)
                    .and_then(|all| all.split_off(..matrix.rows));
                let quantize = Quantize {
                    values: &floats.matrices[at],
                    columns: matrix.columns,
                    rows: Rows { bits, ranges },
                    unit: matrix.unit,
                    name,
                };
                quantize.take(&mut to.matrices[at])?;
            }
            if let Some(tied) = order.tied {
                let table = self.orders[tied.table].matrices[0].as_ref();
                let quantize = Quantize {
                    values: &self.floats[tied.table].matrices[0],
                    columns: table.map_or(0, |table| table.columns),
                    rows: Rows::EIGHT,
                    unit: tied.unit,
                    name,
                };
                quantize.multipliers(&mut to.matrices[0])?;
            }
            if let Kind::Add = order.kind {
                let ratio = |step: &f32| (step / order.own * f32::from(SHIFT).exp2()).round();
                let matrix = &mut to.matrices[0];
                matrix.multipliers.clear();
                let ratios = order.sums.iter().map(|step| ratio(step) as i32);
                matrix.multipliers.extend(ratios);
                matrix.shift = SHIFT;
            }
            let q = |x: &f32| (x * GATE_UNIT as f32).round();
            let fits = |x: &f32| (-32768.0..=32767.0).contains(&q(x));
            let input = floats.input.iter();
            to.input.clear();
            to.input
                .extend(input.map(|x| q(x).clamp(-32768.0, 32767.0) as i16));
            to.saturated = floats.input.iter().filter(|x| !fits(x)).count();
            let unit = match order.kind {
                Kind::Gru { .. } => GATE_UNIT,
                _ => HEAD_UNIT,
            };
            bias(&floats.bias, unit, name, &mut to.bias)?;
        }
        Ok(())
    }
}

impl Matrix {
    /// Shows the numbers of a part but for those of second columns: place in the tensor, integer,
    /// and what that stands for; `divisor` as [`Order::divisor`].
    pub(crate) fn each(
        &self,
        part: &Part,
        divisor: f32,
        of: &IntMatrix,
        mut see: impl FnMut(usize, i8, f64),
    ) {
        for (row, weights) in of.weights.chunks_exact(self.columns).enumerate() {
            let scale = of.scale(row, self.unit) * f64::from(divisor);
            for (k, &step) in part.steps.iter().take(part.first).enumerate() {
                let q = weights[part.start + k];
                let real = f64::from(q) * (scale / f64::from(step));
                see(self.place(part, row, k), q, real);
            }
        }
    }
}

/// The parameters with the weights of operation `index` as the device has them.
pub(crate) fn put_on_device(to: &mut Params<f32>, index: usize, order: &Order, of: &Integers) {
    for (at, matrix) in order.matrices() {
        for part in &matrix.parts {
            let tensor = to.tensor_mut(index, part.role);
            matrix.each(part, order.divisor(), &of.matrices[at], |place, _, real| {
                tensor[place] = real as f32;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Net, Precision, RnnActivation};

    use super::super::order::Floats;
    use super::*;
    use crate::net::Role;

    /// Rows of four numbers with 8 bits.
    fn matrix(values: &[f32]) -> Result<IntMatrix> {
        let mut to = IntMatrix::default();
        let quantize = Quantize {
            values,
            columns: 4,
            rows: Rows::EIGHT,
            unit: 4096.0,
            name: format_args!("operation 0"),
        };
        quantize.take(&mut to).map(|()| to)
    }

    #[test]
    fn a_row_uses_all_of_its_range_and_comes_back_within_half_a_step() {
        let values = [
            0.5, -0.25, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, -3.0, 1.0, 0.02,
        ];
        let q = matrix(&values).unwrap();
        assert_eq!((q.weights[0], q.weights[8], q.weights[9]), (127, 127, -127));
        assert_eq!((q.multipliers[1], q.shift), (0, 24));
        for (index, &value) in values.iter().enumerate() {
            let scale = q.scale(index / 4, 4096.0);
            let found = f64::from(q.weights[index]) * scale;
            assert!((found - f64::from(value)).abs() <= 0.5 * scale + 1e-6);
        }
    }

    #[test]
    fn large_weights_take_a_smaller_shift_and_absurd_ones_are_refused() {
        let q = matrix(&[1000.0, 0.0, 0.0, 0.0]).unwrap();
        assert!(q.shift < 24 && q.multipliers[0] > 0);
        let error = matrix(&[1e9, 0.0, 0.0, 0.0]).unwrap_err().to_string();
        assert!(error.contains("operation 0"), "{error}");
    }

    #[test]
    fn inputs_beyond_eight_saturate_and_are_counted() {
        let rnn = Kind::Rnn {
            units: 2,
            activation: RnnActivation::Tanh,
        };
        let net = Net::tokens(Precision::F32, 2).then(rnn);
        let mut params = Params::<f32>::zeros(net);
        let rows = params.tensor_mut(0, Role::Rows);
        rows.copy_from_slice(&[9.0, 7.5, -9.0, -8.0]);
        let scheme = Scheme::plain(&net);
        let orders = Order::all(&net, &scheme);
        let floats = Floats::all(&params, &orders);
        let whole = Whole {
            orders: &orders,
            floats: &floats,
        };
        let mut all = vec![Integers::default(); 1];
        whole.take((&scheme).into(), &mut all).unwrap();
        assert_eq!(all[0].input, [32767, 30720, -32768, -32768]);
        assert_eq!(all[0].saturated, 2);
    }
}
