//! Products of rows that stand one after the other, in f32, and activations of numbers in memory.
//!
//! Two vectors are a tile. Where the rows end with the first of them, the second is not computed.

use gatelet_simd::Simd;
use gatelet_simd::gates::{sigmoid_f32, tanh_f32};

use super::{ROWS, from, from_mut, runs_f32, sweep};
use crate::weights::matrix::MatrixF32;

/// tanh of every number, in place, or its sigmoid.
#[inline(always)]
pub(crate) fn activate<V: Simd<U>, const U: usize, const TANH: bool>(v: V, numbers: &mut [f32]) {
    let (vectors, rest) = numbers.as_chunks_mut::<U>();
    for x in vectors {
        let y = activated::<V, U, TANH>(v, v.load_f32(x));
        v.store_f32(y, x);
    }
    if !rest.is_empty() {
        let y = activated::<V, U, TANH>(v, v.load_part_f32(rest));
        v.store_part_f32(y, rest);
    }
}

#[inline(always)]
fn activated<V: Simd<U>, const U: usize, const TANH: bool>(v: V, z: V::F32) -> V::F32 {
    match TANH {
        true => tanh_f32(v, z),
        false => sigmoid_f32(v, z),
    }
}

/// Adds the products of one operand, to `bias` or to what `sums` hold: `sums: [rows]`. Three tiles at a time where registers hold
/// their sums: 96 characters are three tiles of AVX-512.
#[inline(always)]
pub(crate) fn add_products_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    matrix: &MatrixF32<'_>,
    bias: Option<&[f32]>,
    x: &[f32],
    sums: &mut [f32],
) {
    let x = x.get(..matrix.columns).unwrap_or_default();
    if sums.len() <= U {
        return part_of_tile::<V, U, 1>(v, matrix.weights, bias, x, sums);
    }
    let whole = sums.len() / (ROWS * U);
    let (first, last) = sums
        .split_at_mut_checked(whole * ROWS * U)
        .unwrap_or_default();
    if !backward && whole > 0 {
        whole_tiles::<V, U>(v, false, matrix, bias, x, first);
    }
    if !last.is_empty() {
        let tile = from(matrix.weights, whole * ROWS * U * matrix.columns);
        let bias = bias.map(|bias| from(bias, whole * ROWS * U));
        if last.len() > U {
            part_of_tile::<V, U, ROWS>(v, tile, bias, x, last);
        } else {
            part_of_tile::<V, U, 1>(v, tile, bias, x, last);
        }
    }
    if backward && whole > 0 {
        whole_tiles::<V, U>(v, true, matrix, bias, x, first);
    }
}

/// The tiles of which every row is there.
#[inline(always)]
fn whole_tiles<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    matrix: &MatrixF32<'_>,
    bias: Option<&[f32]>,
    x: &[f32],
    sums: &mut [f32],
) {
    let sums = sums.as_chunks_mut::<U>().0.as_chunks_mut::<ROWS>().0;
    let bias = bias.map(|bias| bias.as_chunks::<U>().0.as_chunks::<ROWS>().0);
    let of_tile = ROWS * U * matrix.columns;
    let together = if V::REGISTERS >= 32 { 3 } else { 1 };
    for block in sweep(sums.len().div_ceil(together), backward) {
        let first = block * together;
        let weights = from(matrix.weights, first * of_tile);
        let bias = bias.map(|bias| from(bias, first));
        let sums = from_mut(sums, first);
        match sums.first_chunk_mut::<3>() {
            Some(sums) if together == 3 => tiles_of(v, weights, of_tile, bias, x, sums),
            _ => {
                for (index, sums) in sums.iter_mut().take(together).enumerate() {
                    let bias = bias.map(|bias| from(bias, index));
                    let weights = from(weights, index * of_tile);
                    tiles_of(v, weights, of_tile, bias, x, core::array::from_mut(sums));
                }
            }
        }
    }
}

/// `T` tiles, which are the first in `weights`.
#[inline(always)]
fn tiles_of<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    weights: &[f32],
    of_tile: usize,
    bias: Option<&[[[f32; U]; ROWS]]>,
    x: &[f32],
    sums: &mut [[[f32; U]; ROWS]; T],
) {
    let mut tiles = [&[][..]; T];
    for (index, tile) in tiles.iter_mut().enumerate() {
        *tile = from(weights, index * of_tile);
    }
    let found = runs_f32::<V, U, ROWS, ROWS, 4, T>(v, tiles, x);
    let bias = bias.and_then(|bias| bias.first_chunk::<T>());
    for (index, (sums, found)) in sums.iter_mut().zip(found).enumerate() {
        let addends = *bias.and_then(|bias| bias.get(index)).unwrap_or(sums);
        for (sum, (found, addend)) in sums.iter_mut().zip(found.into_iter().zip(&addends)) {
            v.store_f32(v.add_f32(v.load_f32(addend), found), sum);
        }
    }
}

/// The first `N` vectors of a tile, of which not every row is there.
#[inline(always)]
fn part_of_tile<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    tile: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    sums: &mut [f32],
) {
    let [found] = runs_f32::<V, U, N, ROWS, 4, 1>(v, [tile], x);
    for (vector, sum) in found.into_iter().enumerate() {
        let addend = v.load_part_f32(from(bias.unwrap_or(sums), vector * U));
        v.store_part_f32(v.add_f32(addend, sum), from_mut(sums, vector * U));
    }
}
