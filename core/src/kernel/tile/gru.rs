//! A step of a GRU of sigmoids and a tanh in one call: its products, and behind them its cells, a
//! vector of units at a time.
//!
//! ```text
//! sums        [ r | z ] = a + W [x ; h]      n_x = a_n + W_n x      n_h = b_h + U h, or U (r h)
//! cells       for every vector of units: h' from its four vectors of sums
//! ```
//!
//! Rows of r and z stand one after the other in tiles, so that those of a unit need not be in one tile: sums go through the
//! session's memory, which is near. Of a small GRU registers hold all sums (`small`): every number of x is read once for all
//! matrices, and only z, which is wanted last, goes through memory.

use gatelet_simd::slices::{put, take};
use gatelet_simd::{Simd, gates};

use super::fixed::FixedSimd;
use super::int8::rounding_shift;
use super::rows::add_products_f32;
use super::{ROWS, both_f32, from, from_mut};
use crate::cell::gru::LARGEST_U;
use crate::fixed::activation::Function;
use crate::fixed::{GRU_BITS, H_BITS, SIGMOID_BITS, TANH_BITS};
use crate::net::{Kind, Reset};
use crate::weights::layer::RecurrentF32;
use crate::weights::matrix::MatrixF32;

/// One step. `addend: [3 units]`, `x: [inputs + own]`, `sums: [4 units]`, `next: [own]`.
#[inline(always)]
pub(crate) fn gru_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    gru: &RecurrentF32<'_>,
    addend: &[f32],
    x: &[f32],
    sums: &mut [f32],
    next: &mut [f32],
) {
    let Kind::Gru { units, reset, .. } = gru.kind else {
        return;
    };
    if reset == Reset::After {
        // Vectors of the gates and of the units, in tiles of two; whether the last tile has but one.
        match (units.div_ceil(U), (2 * units).div_ceil(U)) {
            (1, 1) => return small::<V, U, 1, true, 1, true, 4>(v, gru, addend, x, sums, next),
            (1, 2) => return small::<V, U, 1, false, 1, true, 4>(v, gru, addend, x, sums, next),
            (2, 3) => return small::<V, U, 2, true, 1, false, 2>(v, gru, addend, x, sums, next),
            (2, 4) => return small::<V, U, 2, false, 1, false, 2>(v, gru, addend, x, sums, next),
            (3, 5) if V::REGISTERS >= 32 => {
                return small::<V, U, 3, true, 2, true, 2>(v, gru, addend, x, sums, next);
            }
            (3, 6) if V::REGISTERS >= 32 => {
                return small::<V, U, 3, false, 2, true, 2>(v, gru, addend, x, sums, next);
            }
            (3, 5) => return small::<V, U, 3, true, 2, true, 1>(v, gru, addend, x, sums, next),
            (3, 6) => return small::<V, U, 3, false, 2, true, 1>(v, gru, addend, x, sums, next),
            (4, 8) => return small::<V, U, 4, false, 2, false, 1>(v, gru, addend, x, sums, next),
            _ => {}
        }
    }
    let sums = sums.get_mut(..4 * units).unwrap_or_default();
    let (gates, rest) = sums.split_at_mut_checked(2 * units).unwrap_or_default();
    let (n, hidden) = rest.split_at_mut_checked(units).unwrap_or_default();
    let (read, own) = x.split_at_checked(gru.inputs).unwrap_or_default();
    let [of_gates, of_candidate, of_hidden] = &gru.matrices;
    add_products_f32(v, backward, of_gates, Some(addend), x, gates);
    let of_n = Some(from(addend, 2 * units));
    add_products_f32(v, backward, of_candidate, of_n, read, n);
    match reset {
        Reset::After => {
            add_products_f32(v, backward, of_hidden, Some(gru.bias), own, hidden);
        }
        Reset::Before => {
            for at in (0..units).step_by(U) {
                let r = v.one_and_exp_f32(v.load_part_f32(from(gates, at)));
                let h = v.load_part_f32(from(own, at));
                v.store_part_f32(v.div_f32(h, r), from_mut(next, at));
            }
            add_products_f32(v, backward, of_hidden, None, next, n);
        }
    }
    let (r, z) = gates.split_at_checked(units).unwrap_or_default();
    for at in (0..units).step_by(U) {
        let h = v.load_part_f32(from(own, at));
        let z = v.load_part_f32(from(z, at));
        let n = v.load_part_f32(from(n, at));
        let n = match reset {
            Reset::After => {
                let r = v.load_part_f32(from(r, at));
                let hidden = v.load_part_f32(from(hidden, at));
                gates::gru_candidate(v, r, n, hidden)
            }
            Reset::Before => n,
        };
        v.store_part_f32(gates::gru(v, z, n, h), from_mut(next, at));
    }
}

/// The integer cells with reset after, as `cell::gru::cells`. `sums: [4, units]`, `carried: [units]`, `next: [units]` or more.
#[inline(always)]
pub(crate) fn cells_int8<V: FixedSimd<U>, const U: usize>(
    v: V,
    sums: &[i32],
    carried: &mut [i16],
    next: &mut [i8],
) {
    let units = carried.len();
    let next = next.get_mut(..units).unwrap_or_default();
    let (low, high) = (i16::MIN.into(), i16::MAX.into());
    for at in (0..units).step_by(U) {
        let r = v.load_i32(&take(sums, at));
        let z = v.load_i32(&take(sums, units + at));
        let x = v.load_i32(&take(sums, 2 * units + at));
        let u = v.load_i32(&take(sums, 3 * units + at));
        let gates = [v.clamp_i32(r, low, high), v.clamp_i32(z, low, high)];
        let [r, keep] = v.piecewise(Function::Sigmoid, gates);
        let u = v.clamp_i32(u, -LARGEST_U, LARGEST_U);
        let n = v.add_i32(x, v.requantize(u, r, SIGMOID_BITS));
        let [n] = v.piecewise(Function::Tanh, [v.clamp_i32(n, low, high)]);
        let old = v.load_i16(&take(carried, at));
        let negative = v.mul_i16(keep, v.splat_i32(-1));
        let new = v.add_i32(v.splat_i32(1 << SIGMOID_BITS), negative);
        let candidate = v.shl_i32(v.mul_i16(new, n), GRU_BITS - TANH_BITS);
        let both = v.add_i32(v.mul_i16(keep, old), candidate);
        let state = v.clamp_i32(rounding_shift(v, both, SIGMOID_BITS), low, high);
        let h = rounding_shift(v, state, GRU_BITS - H_BITS);
        let (mut state_out, mut h_out) = ([0; U], [0; U]);
        v.store_i16(state, &mut state_out);
        v.store_i8(v.clamp_i32(h, i8::MIN.into(), i8::MAX.into()), &mut h_out);
        put(state_out, carried, at);
        put(h_out, next, at);
    }
}

/// The sums of two matrices' tiles.
type Sums<F, const A: usize, const B: usize> = ([[F; ROWS]; A], [[F; ROWS]; B]);

/// The products of as many columns of two matrices with the same operand. `a`, `b`: tiles, `[columns, 2, U]` each; with `A_ODD`
/// the last one's second vector is not computed. Four divides the columns, and `S` four: as many sets of sums take them in
/// turn.
#[inline(always)]
fn columns<
    V: Simd<U>,
    const U: usize,
    const A: usize,
    const A_ODD: bool,
    const B: usize,
    const B_ODD: bool,
    const S: usize,
>(
    v: V,
    (a, b): ([&[f32]; A], [&[f32]; B]),
    x: &[f32],
) -> Sums<V::F32, A, B> {
    let zero = v.splat_f32(0.0);
    let (mut sums_a, mut sums_b) = ([[[zero; ROWS]; A]; S], [[[zero; ROWS]; B]; S]);
    let fours = x.as_chunks::<4>().0;
    let mut tiles_a = [&[][..]; A];
    for (to, tile) in tiles_a.iter_mut().zip(a) {
        let columns = tile.as_chunks::<U>().0.as_chunks::<ROWS>().0;
        let Some(columns) = columns.as_chunks::<4>().0.get(..fours.len()) else {
            return ([[zero; ROWS]; A], [[zero; ROWS]; B]);
        };
        *to = columns;
    }
    let mut tiles_b = [&[][..]; B];
    for (to, tile) in tiles_b.iter_mut().zip(b) {
        let columns = tile.as_chunks::<U>().0.as_chunks::<ROWS>().0;
        let Some(columns) = columns.as_chunks::<4>().0.get(..fours.len()) else {
            return ([[zero; ROWS]; A], [[zero; ROWS]; B]);
        };
        *to = columns;
    }
    for (index, x) in fours.iter().enumerate() {
        for (column, x) in v.spread(x).into_iter().enumerate() {
            if let Some(sums) = sums_a.get_mut(column % S) {
                add_columns::<V, U, A, A_ODD>(v, tiles_a, (index, column), x, sums);
            }
            if let Some(sums) = sums_b.get_mut(column % S) {
                add_columns::<V, U, B, B_ODD>(v, tiles_b, (index, column), x, sums);
            }
        }
    }
    let mut len = S;
    while len > 1 {
        len /= 2;
        add_sets(v, &mut sums_a, len);
        add_sets(v, &mut sums_b, len);
    }
    match (sums_a.first(), sums_b.first()) {
        (Some(a), Some(b)) => (*a, *b),
        _ => ([[zero; ROWS]; A], [[zero; ROWS]; B]),
    }
}

/// Adds a column of every tile.
#[inline(always)]
fn add_columns<V: Simd<U>, const U: usize, const T: usize, const ODD: bool>(
    v: V,
    tiles: [&[[[[f32; U]; ROWS]; 4]]; T],
    (index, column): (usize, usize),
    x: V::F32,
    sums: &mut [[V::F32; ROWS]; T],
) {
    for (number, (sums, tile)) in sums.iter_mut().zip(tiles).enumerate() {
        let Some(weights) = tile.get(index).and_then(|columns| columns.get(column)) else {
            continue;
        };
        for (vector, (sum, w)) in sums.iter_mut().zip(weights).enumerate() {
            if !(ODD && number == T - 1 && vector == 1) {
                *sum = v.madd_f32(v.load_f32(w), x, *sum);
            }
        }
    }
}

/// Adds the second half of the first `2 len` sets to the first.
#[inline(always)]
fn add_sets<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    sets: &mut [[[V::F32; ROWS]; T]],
    len: usize,
) {
    let (left, right) = sets.split_at_mut_checked(len).unwrap_or_default();
    for (left, right) in left.iter_mut().zip(right) {
        for (left, right) in left.iter_mut().zip(right) {
            *left = both_f32(v, *left, *right);
        }
    }
}

/// The tiles of a matrix from column `first` on.
#[inline(always)]
fn tiles_of<'a, const U: usize, const T: usize>(
    matrix: &MatrixF32<'a>,
    first: usize,
) -> [&'a [f32]; T] {
    let mut tiles = [&[][..]; T];
    for (index, tile) in tiles.iter_mut().enumerate() {
        *tile = from(matrix.weights, ROWS * U * (index * matrix.columns + first));
    }
    tiles
}

/// A step of a GRU whose sums registers hold, with reset after. `A`, `A_ODD`: tiles of the gates, as in [`columns`]; `B`,
/// `B_ODD`: of the candidate.
#[inline(always)]
fn small<
    V: Simd<U>,
    const U: usize,
    const A: usize,
    const A_ODD: bool,
    const B: usize,
    const B_ODD: bool,
    const S: usize,
>(
    v: V,
    gru: &RecurrentF32<'_>,
    addend: &[f32],
    x: &[f32],
    sums: &mut [f32],
    next: &mut [f32],
) {
    let units = gru.kind.units();
    let [of_gates, of_candidate, of_hidden] = &gru.matrices;
    let Some((read, own)) = x.split_at_checked(gru.inputs) else {
        return;
    };
    let gates = tiles_of::<U, A>(of_gates, 0);
    let candidate = tiles_of::<U, B>(of_candidate, 0);
    let (mut all, of_n) = columns::<V, U, A, A_ODD, B, B_ODD, S>(v, (gates, candidate), read);
    let gates = tiles_of::<U, A>(of_gates, gru.inputs);
    let hidden = tiles_of::<U, B>(of_hidden, 0);
    for (index, sum) in all.as_flattened_mut().iter_mut().enumerate() {
        if !(A_ODD && index == 2 * A - 1) {
            *sum = v.add_f32(*sum, v.load_part_f32(from(addend, index * U)));
        }
    }
    let (products, of_h) = columns::<V, U, A, A_ODD, B, B_ODD, S>(v, (gates, hidden), own);
    let sums = sums.get_mut(..2 * units).unwrap_or_default();
    for (index, (sum, product)) in all
        .as_flattened_mut()
        .iter_mut()
        .zip(products.as_flattened())
        .enumerate()
    {
        if !(A_ODD && index == 2 * A - 1) {
            *sum = v.add_f32(*sum, *product);
            v.store_part_f32(*sum, from_mut(sums, index * U));
        }
    }
    let each = of_n.as_flattened().iter().zip(of_h.as_flattened());
    for (index, (r, (of_n, of_h))) in all.as_flattened().iter().zip(each).enumerate() {
        if B_ODD && index == 2 * B - 1 {
            break;
        }
        let at = index * U;
        let of_n = v.add_f32(*of_n, v.load_part_f32(from(addend, 2 * units + at)));
        let of_h = v.add_f32(*of_h, v.load_part_f32(from(gru.bias, at)));
        let n = gates::gru_candidate(v, *r, of_n, of_h);
        let z = v.load_part_f32(from(sums, units + at));
        let h = gates::gru(v, z, n, v.load_part_f32(from(own, at)));
        v.store_part_f32(h, from_mut(next, at));
    }
}
