//! The last of several layers in two passes, so that a step begins with what the step before it has read last.
//!
//! A layer waits for the one below it, but not with the half of its product that reads its own h of the step before. Two tiles
//! are a pair; of half of the pairs that product is computed ahead of everything else, of the rest last of all:
//!
//! ```text
//! step t         own half, first pairs | layers below | lower half, all pairs | own half, last pairs  | head
//! step t + 1     own half, last pairs, from the end | layers below | lower half | own half, first pairs | head
//! ```
//!
//! Between the passes the sums stand in the session's memory, `[pairs, 2, N, U]`. A product in one pass adds its halves in
//! the same way, so the bits are the same.

use core::ops::Range;

use gatelet_simd::Simd;

use super::fixed::FixedSimd;
use super::int8::done_int8;
use super::products::{bytes, correction, products};
use super::{GATES, ROWS, done_f32, part, runs_f32, sweep, vectors};
use crate::kernel::{StreamF32, StreamInt8};
use crate::weights::layer::{Fused, LayerF32, LayerInt8};

/// A half of the columns.
#[derive(Clone, Copy)]
enum Half {
    /// Those of the layer below.
    Below,
    /// Those of the layer's own h.
    Own,
}

/// The pairs whose own half comes first in this step, and those whose own half comes last.
fn divided(pairs: usize, backward: bool) -> [Range<usize>; 2] {
    let middle = pairs / 2;
    match backward {
        false => [0..middle, middle..pairs],
        true => [middle..pairs, 0..middle],
    }
}

/// Pairs of tiles of `N` vectors.
pub(super) fn pairs<const U: usize, const N: usize>(cell: Fused, hidden: usize) -> usize {
    (hidden * cell.gates()).div_ceil(2 * N * U)
}

/// A half of both tiles of a pair; where the second is past the end, of the first twice.
#[inline(always)]
fn halves<T>(weights: &[T], pair: usize, of_tile: usize, half: Half) -> [&[T]; 2] {
    let [a, b] = [2 * pair, 2 * pair + 1].map(|tile| {
        let tile = part(weights, tile, of_tile);
        let (below, own) = tile.split_at_checked(tile.len() / 2).unwrap_or_default();
        match half {
            Half::Below => below,
            Half::Own => own,
        }
    });
    [a, if b.is_empty() { a } else { b }]
}

/// The sums of a tile.
#[inline(always)]
pub(super) fn kept<T, const U: usize, const N: usize>(
    sums: &mut [T],
    tile: usize,
) -> Option<&mut [[T; U]; N]> {
    let of_tile = sums.get_mut(tile * N * U..)?;
    of_tile.as_chunks_mut::<U>().0.first_chunk_mut()
}

/// The product of the layer's own h, for the pairs whose turn is first. `h: [hidden]` and padding.
#[inline(always)]
pub(crate) fn begin_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    h: &[f32],
    sums: &mut [f32],
) {
    match layer.cell {
        Fused::Lstm => begin_f32_of::<V, U, GATES, 2>(v, backward, layer, h, sums),
        Fused::Rnn => begin_f32_of::<V, U, ROWS, 4>(v, backward, layer, h, sums),
    }
}

#[inline(always)]
fn begin_f32_of<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    h: &[f32],
    sums: &mut [f32],
) {
    let [ahead, _] = divided(pairs::<U, N>(layer.cell, layer.hidden), backward);
    for pair in ahead.rev() {
        let found = pair_f32::<V, U, N, S>(v, layer, pair, Half::Own, h);
        keep_f32(v, found, pair, sums);
    }
}

/// A half of the products of a pair. `x`: that half's operand.
#[inline(always)]
fn pair_f32<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    layer: &LayerF32<'_>,
    pair: usize,
    half: Half,
    x: &[f32],
) -> [[V::F32; N]; 2] {
    let all = layer.weights.weights;
    let tiles = halves(all, pair, N * U * layer.columns, half);
    // Two streams of reads, which from afar are faster than one, even where registers do not hold the sums of both.
    runs_f32::<V, U, N, N, S, 2>(v, tiles, x)
}

/// Puts away a pair's sums.
#[inline(always)]
fn keep_f32<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    found: [[V::F32; N]; 2],
    pair: usize,
    sums: &mut [f32],
) {
    for (index, found) in found.into_iter().enumerate() {
        keep_tile_f32(v, found, 2 * pair + index, sums);
    }
}

/// Puts away a tile's sums.
#[inline(always)]
pub(super) fn keep_tile_f32<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    found: [V::F32; N],
    tile: usize,
    sums: &mut [f32],
) {
    if let Some(kept) = kept::<f32, U, N>(sums, tile) {
        for (to, sum) in kept.iter_mut().zip(found) {
            v.store_f32(sum, to);
        }
    }
}

/// What [`begin_f32`] has left of the layer's step.
#[inline(always)]
pub(crate) fn finish_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    match layer.cell {
        Fused::Lstm => finish_f32_of::<V, U, GATES, 2>(v, backward, layer, stream, sums),
        Fused::Rnn => finish_f32_of::<V, U, ROWS, 4>(v, backward, layer, stream, sums),
    }
}

#[inline(always)]
fn finish_f32_of<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    let (x, h) = stream
        .x
        .split_at_checked(layer.columns / 2)
        .unwrap_or_default();
    let pairs = pairs::<U, N>(layer.cell, layer.hidden);
    let [ahead, rest] = divided(pairs, backward);
    for pair in sweep(pairs, backward) {
        let found = pair_f32::<V, U, N, S>(v, layer, pair, Half::Below, x);
        match ahead.contains(&pair) {
            true => finish_pair_f32::<V, U, N>(v, found, pair, stream, sums),
            false => keep_f32(v, found, pair, sums),
        }
    }
    for pair in rest {
        let found = pair_f32::<V, U, N, S>(v, layer, pair, Half::Own, h);
        finish_pair_f32::<V, U, N>(v, found, pair, stream, sums);
    }
}

/// The cells of a pair, from the sums of one half and those that were put away of the other.
#[inline(always)]
fn finish_pair_f32<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    found: [[V::F32; N]; 2],
    pair: usize,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    for (index, found) in found.into_iter().enumerate() {
        let tile = 2 * pair + index;
        let addends = vectors::<f32, U, N>(stream.addend, tile);
        let (Some(kept), Some(addends)) = (kept::<f32, U, N>(sums, tile), addends) else {
            return;
        };
        let mut sums = found;
        for (sum, (other, addend)) in sums.iter_mut().zip(kept.iter().zip(addends)) {
            let product = v.add_f32(*sum, v.load_f32(other));
            *sum = v.add_f32(v.load_f32(addend), product);
        }
        done_f32(v, tile, [sums], stream);
    }
}

/// As [`begin_f32`]. Weights have 8 bits.
#[inline(always)]
pub(crate) fn begin_int8<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    h: &[i8],
    sums: &mut [i32],
) {
    match layer.cell {
        Fused::Lstm => begin_int8_of::<V, U, GATES, 2>(v, backward, layer, h, sums),
        Fused::Rnn => begin_int8_of::<V, U, ROWS, 4>(v, backward, layer, h, sums),
    }
}

#[inline(always)]
fn begin_int8_of<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    h: &[i8],
    sums: &mut [i32],
) {
    let [ahead, _] = divided(pairs::<U, N>(layer.cell, layer.hidden), backward);
    let correction = correction::<V, U>(h, false);
    for pair in ahead.rev() {
        let found = pair_int8::<V, U, N, S>(v, layer, pair, Half::Own, (h, correction));
        keep_int8(v, found, pair, sums);
    }
}

/// A half of the products of a pair. `(x, correction)`: that half's operand.
#[inline(always)]
fn pair_int8<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    pair: usize,
    half: Half,
    (x, correction): (&[i8], i32),
) -> [[V::I32; N]; 2] {
    let (all, of_row, _) = bytes(&layer.weights);
    let tiles = halves(all, pair, N * U * of_row, half);
    let mut sums = [[v.splat_i32(0); N]; 2];
    for (sums, tile) in sums.iter_mut().zip(tiles) {
        [*sums] = products::<V, U, N, S, 1, false>(v, tile, [x], [correction]);
    }
    sums
}

/// Puts away a pair's sums.
#[inline(always)]
fn keep_int8<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    found: [[V::I32; N]; 2],
    pair: usize,
    sums: &mut [i32],
) {
    for (index, found) in found.into_iter().enumerate() {
        keep_tile_int8(v, found, 2 * pair + index, sums);
    }
}

/// Puts away a tile's sums.
#[inline(always)]
pub(super) fn keep_tile_int8<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    found: [V::I32; N],
    tile: usize,
    sums: &mut [i32],
) {
    if let Some(kept) = kept::<i32, U, N>(sums, tile) {
        for (to, sum) in kept.iter_mut().zip(found) {
            v.store_i32(sum, to);
        }
    }
}

/// As [`finish_f32`]. Weights have 8 bits.
#[inline(always)]
pub(crate) fn finish_int8<V: FixedSimd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    stream: &mut StreamInt8<'_>,
    sums: &mut [i32],
) {
    match layer.cell {
        Fused::Lstm => finish_int8_of::<V, U, GATES, 2>(v, backward, layer, stream, sums),
        Fused::Rnn => finish_int8_of::<V, U, ROWS, 4>(v, backward, layer, stream, sums),
    }
}

#[inline(always)]
fn finish_int8_of<V: FixedSimd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    stream: &mut StreamInt8<'_>,
    sums: &mut [i32],
) {
    let (x, h) = stream
        .x
        .split_at_checked(layer.columns / 2)
        .unwrap_or_default();
    let [x, h] = [x, h].map(|x| (x, correction::<V, U>(x, false)));
    let pairs = pairs::<U, N>(layer.cell, layer.hidden);
    let [ahead, rest] = divided(pairs, backward);
    for pair in sweep(pairs, backward) {
        let found = pair_int8::<V, U, N, S>(v, layer, pair, Half::Below, x);
        match ahead.contains(&pair) {
            true => finish_pair_int8::<V, U, N>(v, layer, found, pair, stream, sums),
            false => keep_int8(v, found, pair, sums),
        }
    }
    for pair in rest {
        let found = pair_int8::<V, U, N, S>(v, layer, pair, Half::Own, h);
        finish_pair_int8::<V, U, N>(v, layer, found, pair, stream, sums);
    }
}

/// The cells of a pair, from the sums of one half and those that were put away of the other.
#[inline(always)]
pub(super) fn finish_pair_int8<V: FixedSimd<U>, const U: usize, const N: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    mut found: [[V::I32; N]; 2],
    pair: usize,
    stream: &mut StreamInt8<'_>,
    sums: &mut [i32],
) {
    let tiles = [2 * pair, 2 * pair + 1];
    for (found, tile) in found.iter_mut().zip(tiles) {
        let Some(kept) = kept::<i32, U, N>(sums, tile) else {
            return;
        };
        for (sum, other) in found.iter_mut().zip(kept) {
            *sum = v.add_i32(*sum, v.load_i32(other));
        }
    }
    done_int8::<V, U, N>(v, layer, tiles, found, stream);
}
