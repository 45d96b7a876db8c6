//! A layer that stands alone: its products and its cells apart, with the sums in the session's memory between them.
//!
//! ```text
//! products    sums[tile] = tile h                     for every tile; they wait for nothing but h
//! cells       z = addends + sums[tile], the cells     for every tile; they read no weights, and none waits for another
//! ```
//!
//! A session computes the products of its new h beside the head, whose weights are then read before or after them (`session/advance.rs`).
//! The sums are those of a step in one pass, so the bits are the same.

use gatelet_simd::Simd;

use super::fixed::{FixedSimd, LstmTiles};
use super::pipelined::{finish_pair_int8, keep_tile_f32, keep_tile_int8, kept, pairs};
use super::products::{bytes, correction, products};
use super::{GATES, ROWS, done_f32, part, run_f32, sweep, vectors};
use crate::fixed::MIN_CELL_BITS;
use crate::kernel::{StreamF32, StreamInt8};
use crate::weights::layer::{Fused, LayerF32, LayerInt8};

/// Tiles of `N` vectors.
fn tiles<const U: usize, const N: usize>(cell: Fused, hidden: usize) -> usize {
    (hidden * cell.gates()).div_ceil(N * U)
}

/// The sums of all tiles. `h: [columns]`.
#[inline(always)]
pub(crate) fn products_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    h: &[f32],
    sums: &mut [f32],
) {
    match layer.cell {
        Fused::Lstm => products_f32_of::<V, U, GATES, 2>(v, backward, layer, h, sums),
        Fused::Rnn => products_f32_of::<V, U, ROWS, 4>(v, backward, layer, h, sums),
    }
}

#[inline(always)]
fn products_f32_of<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    h: &[f32],
    sums: &mut [f32],
) {
    for tile in sweep(tiles::<U, N>(layer.cell, layer.hidden), backward) {
        let weights = part(layer.weights.weights, tile, N * U * layer.columns);
        let found = run_f32::<V, U, N, S>(v, weights, h);
        keep_tile_f32(v, found, tile, sums);
    }
}

/// The cells of all tiles, from their sums.
#[inline(always)]
pub(crate) fn cells_f32<V: Simd<U>, const U: usize>(
    v: V,
    layer: &LayerF32<'_>,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    match layer.cell {
        Fused::Lstm => cells_f32_of::<V, U, GATES>(v, layer, stream, sums),
        Fused::Rnn => cells_f32_of::<V, U, ROWS>(v, layer, stream, sums),
    }
}

#[inline(always)]
fn cells_f32_of<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    layer: &LayerF32<'_>,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    let tiles = tiles::<U, N>(layer.cell, layer.hidden);
    let fours = if V::TOGETHER { tiles / 4 } else { 0 };
    for four in 0..fours {
        cells_of_tiles::<V, U, N, 4>(v, 4 * four, stream, sums);
    }
    for tile in 4 * fours..tiles {
        cells_of_tiles::<V, U, N, 1>(v, tile, stream, sums);
    }
}

/// The cells of `T` tiles, from `first` on.
#[inline(always)]
fn cells_of_tiles<V: Simd<U>, const U: usize, const N: usize, const T: usize>(
    v: V,
    first: usize,
    stream: &mut StreamF32<'_>,
    sums: &mut [f32],
) {
    let mut all = [[v.splat_f32(0.0); N]; T];
    for (index, all) in all.iter_mut().enumerate() {
        let tile = first + index;
        let addends = vectors::<f32, U, N>(stream.addend, tile);
        let (Some(kept), Some(addends)) = (kept::<f32, U, N>(sums, tile), addends) else {
            return;
        };
        for (z, (addend, kept)) in all.iter_mut().zip(addends.iter().zip(kept)) {
            *z = v.add_f32(v.load_f32(addend), v.load_f32(kept));
        }
    }
    done_f32(v, first, all, stream);
}

/// As [`products_f32`]. Weights have 8 bits.
#[inline(always)]
pub(crate) fn products_int8<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    h: &[i8],
    sums: &mut [i32],
) {
    match layer.cell {
        Fused::Lstm => products_int8_of::<V, U, GATES, 2>(v, backward, layer, h, sums),
        Fused::Rnn => products_int8_of::<V, U, ROWS, 4>(v, backward, layer, h, sums),
    }
}

#[inline(always)]
fn products_int8_of<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    h: &[i8],
    sums: &mut [i32],
) {
    let (all, of_row, _) = bytes(&layer.weights);
    let correction = correction::<V, U>(h, false);
    for tile in sweep(tiles::<U, N>(layer.cell, layer.hidden), backward) {
        let weights = part(all, tile, N * U * of_row);
        let [found] = products::<V, U, N, S, 1, false>(v, weights, [h], [correction]);
        keep_tile_int8(v, found, tile, sums);
    }
}

/// As [`cells_f32`], four tiles at a time where the instruction set has a way of its own, otherwise two.
#[inline(always)]
pub(crate) fn cells_int8<V: FixedSimd<U>, const U: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    stream: &mut StreamInt8<'_>,
    sums: &mut [i32],
) {
    match layer.cell {
        Fused::Lstm => cells_int8_of::<V, U, GATES>(v, layer, stream, sums),
        Fused::Rnn => cells_int8_of::<V, U, ROWS>(v, layer, stream, sums),
    }
}

#[inline(always)]
fn cells_int8_of<V: FixedSimd<U>, const U: usize, const N: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    stream: &mut StreamInt8<'_>,
    sums: &mut [i32],
) {
    let done = match layer.cell {
        Fused::Lstm => fours::<V, U>(v, layer, stream, sums),
        Fused::Rnn => 0,
    };
    for pair in 2 * done..pairs::<U, N>(layer.cell, layer.hidden) {
        // All of their sums were put away.
        let nothing = [[v.splat_i32(0); N]; 2];
        finish_pair_int8::<V, U, N>(v, layer, nothing, pair, stream, sums);
    }
}

/// The cells of four tiles of an LSTM at a time, as often as there are so many: how often.
#[inline(always)]
fn fours<V: FixedSimd<U>, const U: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    stream: &mut StreamInt8<'_>,
    sums: &[i32],
) -> usize {
    let sums = by_tile::<i32, U>(sums).iter();
    let multipliers = by_tile::<i32, U>(layer.multipliers).iter();
    let addends = by_tile::<i16, U>(stream.addend).iter();
    let c = stream.c.as_chunks_mut::<U>().0.as_chunks_mut::<4>().0;
    let h = stream.next.as_chunks_mut::<U>().0.as_chunks_mut::<4>().0;
    let mut done = 0;
    for ((sums, multipliers), (addends, (c, h))) in
        sums.zip(multipliers).zip(addends.zip(c.iter_mut().zip(h)))
    {
        let tiles = LstmTiles {
            sums,
            multipliers,
            shift: layer.shift,
            addends,
            extra: layer.cell_bits - MIN_CELL_BITS,
            c,
            h,
        };
        if !v.lstm_int8(tiles) {
            break;
        }
        done += 1;
    }
    done
}

/// The gates of four tiles at a time: `[tiles / 4, 4, gates, U]`.
#[inline(always)]
fn by_tile<T, const U: usize>(numbers: &[T]) -> &[[[[T; U]; GATES]; 4]] {
    let (gates, _) = numbers.as_chunks::<U>().0.as_chunks::<GATES>();
    gates.as_chunks::<4>().0
}
