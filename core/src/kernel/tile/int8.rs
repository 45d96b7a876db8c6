//! The int8 half of the tile kernel: weights of 8 bits, or of 4, and the integer cells.

use super::gates::piecewise;
use super::lanes::Lanes;
use super::{GATES, ROWS, block, part, put, sweep, take, vectors};
use crate::activation::{SIGMOID, TANH};
use crate::dims::Cell;
use crate::kernel::StreamInt8;
use crate::layer::{H_BITS, HeadInt8, LayerInt8, MIN_CELL_BITS, SIGMOID_BITS, TANH_BITS};
use crate::matrix::MatrixInt8;
use crate::nibbles;

/// `tile x` for `B` operands at once. `tile: [columns / 4, N, U, 4]`, each weight with an offset of 128.
#[inline(always)]
fn products_int8<V, const U: usize, const N: usize, const S: usize, const B: usize>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Lanes<U>,
{
    let (quads, _) = tile.as_chunks::<4>();
    let (vectors, _) = quads.as_chunks::<U>();
    let (groups, _) = vectors.as_chunks::<N>();
    let (turns, rest) = groups.as_chunks::<S>();
    let operands = operands.map(|x| x.as_chunks::<4>().0.as_chunks::<S>());
    let mut each = operands.map(|(turns, _)| turns.iter());
    let mut sums = [[v.splat_i32(0); N]; B];
    let mut others = [[[v.splat_i32(0); N]; S]; B];
    for (sums, correction) in sums.iter_mut().zip(corrections) {
        *sums = [v.splat_i32(correction); N];
    }
    for turn in turns {
        for ((sums, others), operand) in sums.iter_mut().zip(&mut others).zip(&mut each) {
            let Some(xs) = operand.next() else { continue };
            for (s, ((group, &x), others)) in turn.iter().zip(xs).zip(others).enumerate() {
                let x = v.group(x);
                let sums = if s == 0 { &mut *sums } else { others };
                for (sum, w) in sums.iter_mut().zip(group) {
                    *sum = v.dot(*sum, w, x);
                }
            }
        }
    }
    for ((sums, others), (_, xs)) in sums.iter_mut().zip(&others).zip(operands) {
        for (group, &x) in rest.iter().zip(xs) {
            let x = v.group(x);
            for (sum, w) in sums.iter_mut().zip(group) {
                *sum = v.dot(*sum, w, x);
            }
        }
        for others in others.iter().skip(1) {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = v.add_i32(*sum, *other);
            }
        }
    }
    sums
}

/// `tile x` for `B` operands at once. `tile: [columns / 8 rounded up, N, U, 4]`, two weights to a byte, each with an offset
/// of 8: a byte's low half belongs to the group's first four columns.
#[inline(always)]
fn products_nibbles<V, const U: usize, const N: usize, const B: usize>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Lanes<U>,
{
    let (quads, _) = tile.as_chunks::<4>();
    let (vectors, _) = quads.as_chunks::<U>();
    let (groups, _) = vectors.as_chunks::<N>();
    let mut operands = operands.map(|x| x.as_chunks::<4>().0.iter());
    let mut sums = [[v.splat_i32(0); N]; B];
    let mut others = sums;
    for (sums, correction) in sums.iter_mut().zip(corrections) {
        *sums = [v.splat_i32(correction); N];
    }
    for group in groups {
        for ((sums, others), x) in sums.iter_mut().zip(&mut others).zip(&mut operands) {
            // Columns past the operand add nothing, whatever stands there.
            let mut quad = || v.group(x.next().copied().unwrap_or_default());
            let (first, second) = (quad(), quad());
            for ((sum, other), w) in sums.iter_mut().zip(others).zip(group) {
                let low = w.map(|quad| quad.map(|byte| byte & 15));
                let high = w.map(|quad| quad.map(|byte| byte >> 4));
                *sum = v.dot(*sum, &low, first);
                *other = v.dot(*other, &high, second);
            }
        }
    }
    for (sum, other) in sums.iter_mut().flatten().zip(others.into_iter().flatten()) {
        *sum = v.add_i32(*sum, other);
    }
    sums
}

/// The products of a tile whose weights have 4 bits if `FOUR`, otherwise 8.
#[inline(always)]
fn products<V, const U: usize, const N: usize, const S: usize, const B: usize, const FOUR: bool>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Lanes<U>,
{
    match FOUR {
        false => products_int8::<V, U, N, S, B>(v, tile, operands, corrections),
        true => products_nibbles::<V, U, N, B>(v, tile, operands, corrections),
    }
}

/// What the weights' offset adds to every row's product, negated: 128, or 8 with 4 bits, of which `SIGNED` has taken 128.
#[inline(always)]
fn correction<V: Lanes<U>, const U: usize>(x: &[i8], four: bool) -> i32 {
    let offset = match (four, V::SIGNED) {
        (false, false) => 128,
        (false, true) => return 0,
        (true, false) => 8,
        (true, true) => 8 - 128,
    };
    -offset * x.iter().map(|&x| i32::from(x)).sum::<i32>()
}

/// The bytes of a matrix in tiles, those of a row, and whether weights have 4 bits; none if it is not in tiles.
fn bytes<'a>(matrix: &MatrixInt8<'a>) -> (&'a [u8], usize, bool) {
    match *matrix {
        MatrixInt8::Tiles {
            weights, columns, ..
        } => (weights, columns, false),
        MatrixInt8::NibbleTiles {
            weights, columns, ..
        } => (weights, nibbles::tile_bytes(columns), true),
        _ => (&[], 0, false),
    }
}

/// A layer's step for all `streams`, `B` at a time and then one by one.
#[inline(always)]
pub(crate) fn layer_int8<V: Lanes<U>, const U: usize, const B: usize>(
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
fn layer_of<V: Lanes<U>, const U: usize, const B: usize, const FOUR: bool>(
    v: V,
    backward: bool,
    layer: &LayerInt8<'_>,
    streams: &mut [StreamInt8<'_>],
) {
    let (units, n) = match layer.cell {
        Cell::Lstm => (U, GATES),
        Cell::Rnn => (ROWS * U, ROWS),
    };
    for stream in &mut *streams {
        stream.correction = correction::<V, U>(stream.x, FOUR);
    }
    let (all, of_row, _) = bytes(&layer.weights);
    for tile in sweep(layer.hidden.div_ceil(units), backward) {
        let weights = part(all, tile, n * U * of_row);
        let (blocks, rest) = block::<_, B>(streams);
        for streams in blocks {
            match layer.cell {
                Cell::Lstm => lstm_int8::<V, U, 1, B, FOUR>(v, layer, tile, weights, streams),
                Cell::Rnn => rnn_int8::<V, U, 1, B, FOUR>(v, layer, tile, weights, streams),
            }
        }
        let (rest, _) = block::<_, 1>(rest);
        for streams in rest {
            match layer.cell {
                Cell::Lstm => lstm_int8::<V, U, 2, 1, FOUR>(v, layer, tile, weights, streams),
                Cell::Rnn => rnn_int8::<V, U, 4, 1, FOUR>(v, layer, tile, weights, streams),
            }
        }
    }
}

/// `sat16(addend + requantized sum)`: pre-activations, Q3.12.
#[inline(always)]
fn preactivations<V: Lanes<U>, const U: usize, const N: usize>(
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
fn rounding_shift<V: Lanes<U>, const U: usize>(v: V, x: V::I32, bits: u32) -> V::I32 {
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

/// As [`scalar::lstm_int8`](crate::kernel::Scalar), line by line.
#[inline(always)]
fn lstm_int8<V: Lanes<U>, const U: usize, const S: usize, const B: usize, const FOUR: bool>(
    v: V,
    layer: &LayerInt8<'_>,
    tile: usize,
    weights: &[u8],
    streams: &mut [StreamInt8<'_>; B],
) {
    let (operands, corrections) = operands_int8(streams);
    let sums = products::<V, U, GATES, S, B, FOUR>(v, weights, operands, corrections);
    let extra = layer.cell_bits - MIN_CELL_BITS;
    let (low, high) = (i32::from(i16::MIN), i32::from(i16::MAX));
    for (sums, stream) in sums.into_iter().zip(streams) {
        let [i, f, g, o] = preactivations(v, layer, tile, stream.addend, sums);
        let [i, f, o] = piecewise(v, &SIGMOID, [i, f, o]);
        let [g] = piecewise(v, &TANH, [g]);
        let c = v.load_i16(&take(stream.c, tile * U));
        let ig = v.shr_i32(v.shl_i32(v.mul_i16(i, g), 1), extra);
        let fc = v.add_i32(v.mul_i16(f, c), ig);
        let c = v.clamp_i32(rounding_shift(v, fc, SIGMOID_BITS), low, high);
        let [t] = piecewise(v, &TANH, [v.clamp_i32(v.shl_i32(c, extra), low, high)]);
        let h = rounding_shift(v, v.mul_i16(o, t), SIGMOID_BITS + TANH_BITS - H_BITS);
        let h = v.clamp_i32(h, i8::MIN.into(), i8::MAX.into());
        let (mut c_out, mut h_out) = ([0; U], [0; U]);
        v.store_i16(c, &mut c_out);
        v.store_i8(h, &mut h_out);
        put(c_out, stream.c, tile * U);
        put(h_out, stream.next, tile * U);
    }
}

/// As [`scalar::rnn_int8`](crate::kernel::Scalar).
#[inline(always)]
fn rnn_int8<V: Lanes<U>, const U: usize, const S: usize, const B: usize, const FOUR: bool>(
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
        for (index, t) in piecewise(v, &TANH, z).into_iter().enumerate() {
            let t = rounding_shift(v, t, TANH_BITS - H_BITS);
            let mut h = [0; U];
            v.store_i8(v.clamp_i32(t, i8::MIN.into(), i8::MAX.into()), &mut h);
            put(h, stream.next, (ROWS * tile + index) * U);
        }
    }
}

/// The logits of one operand, Q15.16.
#[inline(always)]
pub(crate) fn head_int8<V: Lanes<U>, const U: usize>(
    v: V,
    backward: bool,
    head: &HeadInt8<'_>,
    x: &[i8],
    logits: &mut [i32],
) {
    match bytes(&head.weights).2 {
        false => head_of::<V, U, false>(v, backward, head, x, logits),
        true => head_of::<V, U, true>(v, backward, head, x, logits),
    }
}

#[inline(always)]
fn head_of<V: Lanes<U>, const U: usize, const FOUR: bool>(
    v: V,
    backward: bool,
    head: &HeadInt8<'_>,
    x: &[i8],
    logits: &mut [i32],
) {
    let x = x.get(..head.columns).unwrap_or_default();
    let correction = correction::<V, U>(x, FOUR);
    let (all, of_row, _) = bytes(&head.weights);
    for tile in sweep(logits.len().div_ceil(ROWS * U), backward) {
        let weights = part(all, tile, ROWS * U * of_row);
        let sums = products::<V, U, ROWS, 4, 1, FOUR>(v, weights, [x], [correction]);
        let (m, bias) = (
            vectors::<i32, U, ROWS>(head.multipliers, tile),
            vectors::<i32, U, ROWS>(head.bias, tile),
        );
        let (Some(m), Some(bias)) = (m, bias) else {
            return;
        };
        let sums = sums.into_iter().flatten().enumerate();
        for ((index, sum), (m, bias)) in sums.zip(m.iter().zip(bias)) {
            let scaled = v.requantize(sum, v.load_i32(m), head.shift);
            let mut scores = [0; U];
            v.store_i32(v.add_i32(v.load_i32(bias), scaled), &mut scores);
            put(scores, logits, (ROWS * tile + index) * U);
        }
    }
}
