//! What keeps every sum of every kernel within its type, in whatever order it is taken.
//! docs/numerics.md has the proofs.
//!
//! ```text
//! int8   (m * largest + 2^(s-1)) >> s  <  2^30                     largest: |acc| of that many columns, at most
//! f32    sum_k |W[k]| X[k]  <  2^14 - 16   in every row            X: the most that the operand's numbers can be
//!                               2^28        in a net of features, whose numbers are up to 2^16
//! ```
//! X is 1 for h, the largest number of the table for an embedding, and for a projection what its
//! own rows can sum up to.

use crate::net::MAX_PARTS;
use crate::weights::int4;
use crate::weights::layer::{F32_LIMIT, REQUANTIZED_LIMIT};
use crate::weights::matrix::MatrixF32;

/// Whether the requantization of an accumulator of `columns` products with weights of so many bits,
/// rounding included, stays within an int32 with room for the addend.
pub(super) fn fits(multiplier: i32, (columns, bits): (usize, u32), shift: u8) -> bool {
    let weight = if bits == 4 { int4::LARGEST } else { i8::MAX };
    let largest = weight as u64 * 128 * columns as u64;
    let half = (1_u64 << (shift & 63)) >> 1;
    u64::try_from(multiplier).is_ok_and(|m| (m * largest + half) >> shift < REQUANTIZED_LIMIT)
}

/// Whether a number that is added to a row's sum of products is small enough.
pub(super) fn small(x: &f32) -> bool {
    x.abs() <= F32_LIMIT
}

/// The most that the numbers of an operand can be: `(end, bound)` for each of its values and an own h,
/// up to that padded column, and 1 behind them.
pub(super) type Bounds = heapless::Vec<(usize, f32), { MAX_PARTS + 1 }>;

/// The most that a row's products can sum up to, once that is below the limit.
///
/// # Errors
/// The first row that is not below it.
#[inline(never)]
pub(super) fn largest_sum(
    rows: usize,
    matrix: &MatrixF32<'_>,
    bounds: &Bounds,
    limit: f32,
) -> Result<f32, usize> {
    let mut largest = 0.0_f32;
    for row in 0..rows {
        let (mut at, step) = matrix
            .order
            .place(matrix.order.slot(row), matrix.columns, 1);
        let mut sum = 0.0;
        for column in 0..matrix.columns {
            let weight = matrix.weights.get(at).copied().unwrap_or_default();
            let bound = bounds.iter().find(|(end, _)| column < *end);
            sum += weight.abs() * bound.map_or(1.0, |(_, bound)| *bound);
            at += step;
        }
        // Infinity is not below it either.
        if sum >= limit {
            return Err(row);
        }
        if sum > largest {
            largest = sum;
        }
    }
    Ok(largest)
}

/// The largest magnitude of all.
#[inline(never)]
pub(super) fn largest(numbers: &[f32]) -> f32 {
    let larger = |most, x: &f32| if x.abs() > most { x.abs() } else { most };
    numbers.iter().fold(0.0, larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::requantize;
    use crate::net::MAX_SIZE;
    use crate::weights::layer::F32_SUM_LIMIT;

    /// The largest multiplier that loading accepts, for a right shift and a sum of products of that
    /// size at most.
    fn largest_multiplier(columns: usize, bits: u32, shift: u8) -> i32 {
        let (mut good, mut bad) = (0_i64, 1_i64 << 31);
        while good + 1 < bad {
            let middle = (good + bad) / 2;
            match fits(middle as i32, (columns, bits), shift) {
                true => good = middle,
                false => bad = middle,
            }
        }
        good as i32
    }

    /// At the edge of what is accepted a logit still fits an int32 with the largest bias of either
    /// sign, and one multiplier more is refused; for every shift, every number of columns a matrix
    /// can have, and both widths of weights.
    #[test]
    fn no_accepted_requantization_overflows() {
        let limit = REQUANTIZED_LIMIT as i64;
        let mut edges = 0;
        for columns in (4..=2 * MAX_SIZE).step_by(4) {
            for (shift, bits) in (8..=31).flat_map(|shift| [(shift, 8), (shift, 4)]) {
                let m = largest_multiplier(columns, bits, shift);
                let acc = if bits == 4 { 7 } else { 127 } * 128 * columns as i32;
                for acc in [acc, -acc] {
                    let product = i64::from(requantize(acc, m, shift.into()));
                    assert!(product.abs() < limit, "{columns} {bits} {shift}");
                    assert!(i32::try_from(product + limit).is_ok());
                    assert!(i32::try_from(product - limit).is_ok());
                }
                if let Some(more) = m.checked_add(1) {
                    edges += 1;
                    assert!(!fits(more, (columns, bits), shift));
                    // What is refused would reach the limit.
                    let exact = i64::from(acc) * i64::from(more);
                    assert!((exact + (1 << (shift - 1))) >> shift >= limit);
                }
            }
        }
        assert!(edges > 10_000, "{edges}");
    }

    #[test]
    fn what_is_negative_is_no_multiplier() {
        assert!(!fits(-1, (4, 8), 8) && fits(0, (4, 8), 8));
    }

    /// The roundings of sums that start at the largest bias do not reach what a logit must stay
    /// below, though each of them may be up.
    #[test]
    fn no_accepted_sum_rounds_up_to_the_limit_of_logits() {
        let mut accepted = 0;
        for columns in [4, 64, 512, 1024, 4096] {
            let (largest, ulp) = (F32_LIMIT / columns as f32, 1.0 / 512.0);
            for quarters in 0..4096 {
                let weight = largest - quarters as f32 * ulp / 4.0;
                let weights = &[weight; 4096][..columns];
                let row = MatrixF32::rows(columns, weights);
                if largest_sum(1, &row, &Bounds::new(), F32_SUM_LIMIT).is_ok() {
                    accepted += 1;
                    let sum = weights.iter().fold(F32_LIMIT, |sum, weight| sum + weight);
                    assert!(sum < 2.0 * F32_LIMIT, "{columns} times {weight}: {sum}");
                }
            }
        }
        assert!(accepted > 1000, "{accepted}");
    }

    #[test]
    fn numbers_up_to_the_limit_are_small() {
        let next = f32::from_bits(F32_LIMIT.to_bits() + 1);
        assert!([0.0, F32_LIMIT, -F32_LIMIT].iter().all(small));
        assert!(![next, -next, f32::INFINITY, f32::NAN].iter().any(small));
    }
}
