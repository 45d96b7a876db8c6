//! The int8 half of the tile kernel: layers, with the integer cells, and the head.

use gatelet_simd::slices::{put, take};

use super::fixed::FixedSimd;
use super::products::{bytes, correction, products};
use super::{GATES, ROWS, addends, block, part, sweep, vectors};
use crate::fixed::activation::Function;
use crate::fixed::{H_BITS, MIN_CELL_BITS, SIGMOID_BITS, TANH_BITS};
use crate::kernel::StreamInt8;
use crate::weights::layer::{Fused, LayerInt8, ProductInt8};

/// Bytes that leave room for tables in a first-level cache, which has 32 KiB or more.
const NEAR: usize = 24 << 10;

/// A layer's step for all `streams`, `B` at a time and then one by one.
///
/// The cells of an LSTM for one stream are done for two tiles at a time, which read the tables of the activations once;
/// for one where the weights of two would push the tables out of the nearest cache, and those of one do not. What a large
/// tile has beside its weights is asked for before them.
#[inline(always)]
pub(crate) fn layer_int8<V: FixedSimd<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    streams: &mut [StreamInt8<'_>],
) {
    match bytes(&layer.weights).2 {
        false => layer_of::<V, U, B, false>(v, backward, layer, streams),
        true => layer_of::<V, U, B, true>(v, backward, layer, streams),
    }
}

#[inline(always)]
fn layer_of<V: FixedSimd<U>, const U: usize, const B: usize, const FOUR: bool>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    streams: &mut [StreamInt8<'_>],
) {
    let (units, n) = match layer.cell {
        Fused::Lstm => (U, GATES),
        Fused::Rnn => (ROWS * U, ROWS),
    };
    for stream in &mut *streams {
        stream.correction = correction::<V, U>(stream.x, FOUR);
    }
    let (all, of_row, _) = bytes(&layer.weights);
    let of_tile = n * U * of_row;
    let alone = (NEAR / 2 + 1..=NEAR).contains(&of_tile);
    if let (Fused::Lstm, [stream], false) = (layer.cell, &mut *streams, alone) {
        for pair in sweep(layer.hidden.div_ceil(2 * U), backward) {
            if of_tile > NEAR {
                let len = 2 * GATES * U;
                v.prefetch(part(layer.multipliers, pair, len));
                v.prefetch(part(stream.addend, pair, len));
            }
            let tiles = [2 * pair, 2 * pair + 1].map(|tile| (tile, part(all, tile, of_tile)));
            lstm_pair::<V, U, FOUR>(v, layer, tiles, stream);
        }
        return;
    }
    for tile in sweep(layer.hidden.div_ceil(units), backward) {
        let weights = part(all, tile, of_tile);
        let (blocks, rest) = block::<_, B>(streams);
        for streams in blocks {
            match layer.cell {
                Fused::Lstm => lstm_streams::<V, U, 1, B, FOUR>(v, layer, tile, weights, streams),
                Fused::Rnn => rnn_int8::<V, U, 1, B, FOUR>(v, layer, tile, weights, streams),
            }
        }
        let (rest, _) = block::<_, 1>(rest);
        for streams in rest {
            match layer.cell {
                Fused::Lstm => lstm_streams::<V, U, 2, 1, FOUR>(v, layer, tile, weights, streams),
                Fused::Rnn => rnn_int8::<V, U, 4, 1, FOUR>(v, layer, tile, weights, streams),
            }
        }
    }
}

/// `sat16(addend + requantized sum)`: pre-activations, Q3.12.
#[inline(always)]
fn preactivations<V: FixedSimd<U>, const U: usize, const N: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    tile: usize,
    addend: &[i16],
    sums: [V::I32; N],
) -> [V::I32; N] {
    let mut z = sums;
    let (m, a) = (
        vectors::<i32, U, N>(layer.multipliers, tile),
        vectors::<i16, U, N>(addend, tile),
    );
    if let (Some(m), Some(a)) = (m, a) {
        for (z, (m, a)) in z.iter_mut().zip(m.iter().zip(a)) {
            let scaled = v.requantize(*z, v.load_i32(m), layer.shift);
            let sum = v.add_i32(v.load_i16(a), scaled);
            *z = v.clamp_i32(sum, i16::MIN.into(), i16::MAX.into());
        }
    }
    z
}

/// Adds half a unit of the result, then shifts right arithmetically.
#[inline(always)]
pub(super) fn rounding_shift<V: FixedSimd<U>, const U: usize>(
    v: V,
    x: V::I32,
    bits: u32,
) -> V::I32 {
    v.shr_i32(v.add_i32(x, v.splat_i32(1 << (bits - 1))), bits)
}

/// Operands and corrections of `B` streams.
#[inline(always)]
fn operands_int8<'a, const B: usize>(streams: &[StreamInt8<'a>; B]) -> ([&'a [i8]; B], [i32; B]) {
    let (mut operands, mut corrections) = ([&[][..]; B], [0; B]);
    for ((x, correction), stream) in operands.iter_mut().zip(&mut corrections).zip(streams) {
        (*x, *correction) = (stream.x, stream.correction);
    }
    (operands, corrections)
}

/// The cells of `T` tiles, as `cell::lstm::lstm_int8`, line by line. `gates`: the pre-activations i, f, g
/// and o of each; `c`: the cell state before, which becomes the one after. The new h.
#[inline(always)]
fn cells<V: FixedSimd<U>, const U: usize, const T: usize>(
    v: V,
    extra: u32,
    gates: [[V::I32; GATES]; T],
    c: &mut [V::I32; T],
) -> [V::I32; T] {
    let (low, high) = (i32::from(i16::MIN), i32::from(i16::MAX));
    let [mut i, mut f, mut g, mut o] = [*c; GATES];
    let each = i.iter_mut().zip(&mut f).zip(g.iter_mut().zip(&mut o));
    for (((i, f), (g, o)), gates) in each.zip(gates) {
        [*i, *f, *g, *o] = gates;
    }
    let i = v.piecewise(Function::Sigmoid, i);
    let f = v.piecewise(Function::Sigmoid, f);
    let g = v.piecewise(Function::Tanh, g);
    let o = v.piecewise(Function::Sigmoid, o);
    let mut h = g;
    for ((c, t), ((i, f), g)) in c.iter_mut().zip(&mut h).zip(i.into_iter().zip(f).zip(g)) {
        let ig = v.shr_i32(v.shl_i32(v.mul_i16(i, g), 1), extra);
        let fc = v.add_i32(v.mul_i16(f, *c), ig);
        *c = v.clamp_i32(rounding_shift(v, fc, SIGMOID_BITS), low, high);
        *t = v.clamp_i32(v.shl_i32(*c, extra), low, high);
    }
    let mut h = v.piecewise(Function::Tanh, h);
    for (h, o) in h.iter_mut().zip(o) {
        let y = rounding_shift(v, v.mul_i16(o, *h), SIGMOID_BITS + TANH_BITS - H_BITS);
        *h = v.clamp_i32(y, i8::MIN.into(), i8::MAX.into());
    }
    h
}

/// Stores a tile's cell state and h.
#[inline(always)]
fn store<V: FixedSimd<U>, const U: usize>(
    v: V,
    (c, h): (V::I32, V::I32),
    tile: usize,
    stream: &mut StreamInt8<'_>,
) {
    let (mut c_out, mut h_out) = ([0; U], [0; U]);
    v.store_i16(c, &mut c_out);
    v.store_i8(h, &mut h_out);
    put(c_out, stream.c, tile * U);
    put(h_out, stream.next, tile * U);
}

/// Two tiles of an LSTM for one stream; what is past the end is empty.
#[inline(always)]
fn lstm_pair<V: FixedSimd<U>, const U: usize, const FOUR: bool>(
    v: V,
    layer: &LayerInt8<'_>,
    tiles: [(usize, &[u8]); 2],
    stream: &mut StreamInt8<'_>,
) {
    let mut gates = [[v.splat_i32(0); GATES]; 2];
    for (gates, (tile, weights)) in gates.iter_mut().zip(tiles) {
        let (x, correction) = ([stream.x], [stream.correction]);
        let [sums] = products::<V, U, GATES, 2, 1, FOUR>(v, weights, x, correction);
        *gates = preactivations(v, layer, tile, stream.addend, sums);
    }
    lstm_cells(v, layer, tiles.map(|(tile, _)| tile), gates, stream);
}

/// The cells of two tiles of an LSTM, from their pre-activations.
#[inline(always)]
fn lstm_cells<V: FixedSimd<U>, const U: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    tiles: [usize; 2],
    gates: [[V::I32; GATES]; 2],
    stream: &mut StreamInt8<'_>,
) {
    let mut c = [v.splat_i32(0); 2];
    for (c, tile) in c.iter_mut().zip(tiles) {
        *c = v.load_i16(&take(stream.c, tile * U));
    }
    let h = cells(v, layer.cell_bits - MIN_CELL_BITS, gates, &mut c);
    for ((c, h), tile) in c.into_iter().zip(h).zip(tiles) {
        store(v, (c, h), tile, stream);
    }
}

/// Rows of an RNN, from their pre-activations.
#[inline(always)]
fn rnn_cells<V: FixedSimd<U>, const U: usize, const N: usize>(
    v: V,
    tile: usize,
    z: [V::I32; N],
    stream: &mut StreamInt8<'_>,
) {
    for (index, t) in v.piecewise(Function::Tanh, z).into_iter().enumerate() {
        let t = rounding_shift(v, t, TANH_BITS - H_BITS);
        let mut h = [0; U];
        v.store_i8(v.clamp_i32(t, i8::MIN.into(), i8::MAX.into()), &mut h);
        put(h, stream.next, (N * tile + index) * U);
    }
}

/// The cells of two tiles for one stream, from their sums: four gates of an LSTM, otherwise rows of an RNN.
#[inline(always)]
pub(super) fn done_int8<V: FixedSimd<U>, const U: usize, const N: usize>(
    v: V,
    layer: &LayerInt8<'_>,
    tiles: [usize; 2],
    mut sums: [[V::I32; N]; 2],
    stream: &mut StreamInt8<'_>,
) {
    for (sums, tile) in sums.iter_mut().zip(tiles) {
        *sums = preactivations(v, layer, tile, stream.addend, *sums);
    }
    let [a, b] = sums;
    if let (Some(&a), Some(&b)) = (a.first_chunk::<GATES>(), b.first_chunk::<GATES>()) {
        lstm_cells(v, layer, tiles, [a, b], stream);
        return;
    }
    for (z, tile) in sums.into_iter().zip(tiles) {
        rnn_cells(v, tile, z, stream);
    }
}

/// A tile of an LSTM for `B` streams.
#[inline(always)]
fn lstm_streams<
    V: FixedSimd<U>,
    const U: usize,
    const S: usize,
    const B: usize,
    const FOUR: bool,
>(
    v: V,
    layer: &LayerInt8<'_>,
    tile: usize,
    weights: &[u8],
    streams: &mut [StreamInt8<'_>; B],
) {
    let (operands, corrections) = operands_int8(streams);
    let mut gates = products::<V, U, GATES, S, B, FOUR>(v, weights, operands, corrections);
    let mut c = [v.splat_i32(0); B];
    for ((gates, c), stream) in gates.iter_mut().zip(&mut c).zip(&*streams) {
        *gates = preactivations(v, layer, tile, stream.addend, *gates);
        *c = v.load_i16(&take(stream.c, tile * U));
    }
    let h = cells(v, layer.cell_bits - MIN_CELL_BITS, gates, &mut c);
    for ((c, h), stream) in c.into_iter().zip(h).zip(streams) {
        store(v, (c, h), tile, stream);
    }
}

/// As `cell::rnn::rnn_int8`.
#[inline(always)]
fn rnn_int8<V: FixedSimd<U>, const U: usize, const S: usize, const B: usize, const FOUR: bool>(
    v: V,
    layer: &LayerInt8<'_>,
    tile: usize,
    weights: &[u8],
    streams: &mut [StreamInt8<'_>; B],
) {
    let (operands, corrections) = operands_int8(streams);
    let sums = products::<V, U, ROWS, S, B, FOUR>(v, weights, operands, corrections);
    for (sums, stream) in sums.into_iter().zip(streams) {
        let z: [V::I32; ROWS] = preactivations(v, layer, tile, stream.addend, sums);
        rnn_cells(v, tile, z, stream);
    }
}

/// Adds the requantized products of one operand: to `bias`, or to what `sums` hold.
#[inline(always)]
pub(crate) fn add_products_int8<V: FixedSimd<U>, const U: usize>(
    v: V,
    backward: bool,
    product: &ProductInt8<'_>,
    bias: Option<&[i32]>,
    x: &[i8],
    sums: &mut [i32],
) {
    match bytes(&product.weights).2 {
        false => add_products_of::<V, U, false>(v, backward, product, bias, x, sums),
        true => add_products_of::<V, U, true>(v, backward, product, bias, x, sums),
    }
}

#[inline(always)]
fn add_products_of<V: FixedSimd<U>, const U: usize, const FOUR: bool>(
    v: V,
    backward: bool,
    product: &ProductInt8<'_>,
    bias: Option<&[i32]>,
    x: &[i8],
    sums: &mut [i32],
) {
    let x = x.get(..product.weights.columns()).unwrap_or_default();
    let correction = correction::<V, U>(x, FOUR);
    let (all, of_row, _) = bytes(&product.weights);
    for tile in sweep(sums.len().div_ceil(ROWS * U), backward) {
        let weights = part(all, tile, ROWS * U * of_row);
        let found = products::<V, U, ROWS, 4, 1, FOUR>(v, weights, [x], [correction]);
        let Some(m) = vectors::<i32, U, ROWS>(product.multipliers, tile) else {
            return;
        };
        let addends: [[i32; U]; ROWS] = addends(bias, sums, tile);
        let found = found.into_iter().flatten().zip(m);
        for (index, ((found, m), mut total)) in found.zip(addends).enumerate() {
            let scaled = v.requantize(found, v.load_i32(m), product.shift);
            v.store_i32(v.add_i32(v.load_i32(&total), scaled), &mut total);
            put(total, sums, (ROWS * tile + index) * U);
        }
    }
}
