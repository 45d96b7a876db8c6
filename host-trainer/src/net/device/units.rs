//! Units of the results of integer products, and what fits them.

use gatelet::matrix::PAIRS_MIN_SHIFT_INT4;

use crate::net::device::row_range;

/// What a result's one is, in steps of a pre-activation and of a logit.
pub(crate) const GATE_UNIT: f64 = 4096.0;
pub(crate) const HEAD_UNIT: f64 = 65_536.0;
/// The same of an embedding, whose rows are multiplied by no operand.
pub(crate) const EMBEDDING_UNIT: f64 = 128.0 * 128.0;

/// What a requantized product, with the half that rounds it, stays below.
pub(super) const REQUANTIZED: f64 = (1_u32 << 30) as f64;

/// The range of a row of `columns` weights that always fits, with 4 bits in the layout pairs too; `unit` of a result's one, as [`GATE_UNIT`].
pub(crate) fn most_range(columns: usize, unit: f64) -> f32 {
    let of_sums = 0.9 * REQUANTIZED / (unit * columns as f64);
    let multiplier = 0.9 * f64::from(i32::MAX) / f64::from(PAIRS_MIN_SHIFT_INT4).exp2();
    let of_multiplier = f64::from(row_range::largest(4)) * multiplier * 128.0 / unit;
    of_sums.min(of_multiplier) as f32
}
