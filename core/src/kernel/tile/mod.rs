//! The tile kernel, once, over vectors whose every lane is a row. `order.rs` says how tiles lie in memory.
//!
//! ```text
//! for every tile of N vectors (the gates of U units; 2 U rows of the head):
//!     sums = addends
//!     for every column k:  x = x[k] in all lanes;  for v in 0..N:  sums[v] += tile[k][v] * x
//!     activations, cell update and the new h from the registers that hold the sums
//! ```
//!
//! The weights are read once, and nothing else takes time. The first and the second half of a tile's columns are read side by side:
//! two streams of reads, and eight independent chains of additions. Steps alternate between the first and the last tile
//! as the one to start from: what the last step read last is still in the cache then. Of several layers the last is begun
//! first (`ahead.rs`). No result depends on any of it.
//!
//! `B` sessions at once share each load of weights (`Kernel::layer_f32_batch`).

pub(crate) mod ahead;
pub(crate) mod dense;
mod gates;
mod int8;
pub(crate) mod lanes;
mod products;

use core::array;

use self::gates::{cells_f32, tanh_f32};
pub(crate) use self::int8::{head_int8, layer_int8};
use self::lanes::Lanes;
use crate::dims::Cell;
use crate::kernel::StreamF32;
use crate::layer::{HeadF32, LayerF32};

/// Vectors of an LSTM's tile.
const GATES: usize = 4;
/// Vectors of an RNN's or the head's tile.
const ROWS: usize = 2;

/// The numbers of the tiles, the first or the last first.
#[inline(always)]
fn sweep(tiles: usize, backward: bool) -> impl Iterator<Item = usize> {
    (0..tiles).map(move |tile| if backward { tiles - 1 - tile } else { tile })
}

/// Part `index` of `numbers`, when each part has `len` of them.
#[inline(always)]
fn part<T>(numbers: &[T], index: usize, len: usize) -> &[T] {
    numbers
        .get(index * len..(index + 1) * len)
        .unwrap_or_default()
}

/// `N` vectors of addends: part `tile` of `numbers`.
#[inline(always)]
fn vectors<T, const U: usize, const N: usize>(numbers: &[T], tile: usize) -> Option<&[[T; U]; N]> {
    let (vectors, _) = part(numbers, tile, N * U).as_chunks::<U>();
    vectors.first_chunk()
}

/// Elements `at..at + U`, with zeros past the end.
#[inline(always)]
fn take<T: Copy + Default, const U: usize>(from: &[T], at: usize) -> [T; U] {
    let from = from.get(at..).unwrap_or_default();
    match from.first_chunk() {
        Some(all) => *all,
        None => {
            let mut some = [T::default(); U];
            for (to, from) in some.iter_mut().zip(from) {
                *to = *from;
            }
            some
        }
    }
}

/// Puts elements where [`take`] takes them from.
#[inline(always)]
fn put<T: Copy, const U: usize>(elements: [T; U], to: &mut [T], at: usize) {
    let to = to.get_mut(at..).unwrap_or_default();
    match to.first_chunk_mut() {
        Some(all) => *all = elements,
        None => {
            for (to, from) in to.iter_mut().zip(elements) {
                *to = from;
            }
        }
    }
}

/// `sums + columns x` for `S` columns: set s of the sums gets column s.
#[inline(always)]
fn add_f32<V: Lanes<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    mut sums: [[V::F32; N]; S],
    columns: &[[[f32; U]; N]; S],
    x: &[f32; S],
) -> [[V::F32; N]; S] {
    for (sums, (column, &x)) in sums.iter_mut().zip(columns.iter().zip(x)) {
        let x = v.splat_f32(x);
        for (sum, w) in sums.iter_mut().zip(column) {
            *sum = v.madd_f32(v.load_f32(w), x, *sum);
        }
    }
    sums
}

/// `sums + run x` for two runs of columns side by side. `run: [columns, N, U]`; `S` divides the columns.
#[inline(always)]
fn runs_f32<V: Lanes<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    runs: [&[f32]; 2],
    x: [&[f32]; 2],
    sums: [[V::F32; N]; 2],
) -> [[V::F32; N]; 2] {
    let [a, b] = runs.map(|run| run.as_chunks::<U>().0.as_chunks::<N>().0.as_chunks::<S>().0);
    let [x_a, x_b] = x.map(|x| x.as_chunks::<S>().0);
    let [mut sums_a, mut sums_b] = [[[v.splat_f32(0.0); N]; S]; 2];
    for ((a, b), (x_a, x_b)) in a.iter().zip(b).zip(x_a.iter().zip(x_b)) {
        sums_a = add_f32(v, sums_a, a, x_a);
        sums_b = add_f32(v, sums_b, b, x_b);
    }
    let mut all = sums;
    for (all, sets) in all.iter_mut().zip([sums_a, sums_b]) {
        for set in sets {
            for (all, sum) in all.iter_mut().zip(set) {
                *all = v.add_f32(*all, sum);
            }
        }
    }
    all
}

/// `sums + tile x` for `B` operands at once. `tile: [columns, N, U]`, `2 S` divides the columns.
#[inline(always)]
fn products_f32<V: Lanes<U>, const U: usize, const N: usize, const S: usize, const B: usize>(
    v: V,
    tile: &[f32],
    operands: [&[f32]; B],
    mut sums: [[V::F32; N]; B],
) -> [[V::F32; N]; B] {
    if let ([x], [sums]) = (operands.as_slice(), sums.as_mut_slice()) {
        let (low, high) = tile.split_at_checked(tile.len() / 2).unwrap_or_default();
        let (x_low, x_high) = x.split_at_checked(x.len() / 2).unwrap_or_default();
        let each = [*sums, [v.splat_f32(0.0); N]];
        let [lows, highs] = runs_f32::<V, U, N, S>(v, [low, high], [x_low, x_high], each);
        for (sum, (low, high)) in sums.iter_mut().zip(lows.into_iter().zip(highs)) {
            *sum = v.add_f32(low, high);
        }
    } else {
        let columns = tile.as_chunks::<U>().0.as_chunks::<N>().0;
        let mut operands = operands.map(|x| x.iter());
        for column in columns {
            for (sums, operand) in sums.iter_mut().zip(&mut operands) {
                let Some(&x) = operand.next() else { continue };
                [*sums] = add_f32(v, [*sums], array::from_ref(column), &[x]);
            }
        }
    }
    sums
}

/// The first `B` streams of a batch, in an array.
#[inline(always)]
fn block<T, const B: usize>(streams: &mut [T]) -> (&mut [[T; B]], &mut [T]) {
    streams.as_chunks_mut::<B>()
}

/// A layer's step for all `streams`, `B` at a time and then one by one.
#[inline(always)]
pub(crate) fn layer_f32<V: Lanes<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    streams: &mut [StreamF32<'_>],
) {
    let (units, n) = match layer.cell {
        Cell::Lstm => (U, GATES),
        Cell::Rnn => (ROWS * U, ROWS),
    };
    for tile in sweep(layer.hidden.div_ceil(units), backward) {
        let weights = part(layer.weights.weights, tile, n * U * layer.columns);
        let (blocks, rest) = block::<_, B>(streams);
        for streams in blocks {
            match layer.cell {
                Cell::Lstm => lstm_f32::<V, U, 1, B>(v, tile, weights, streams),
                Cell::Rnn => rnn_f32::<V, U, 1, B>(v, tile, weights, streams),
            }
        }
        let (rest, _) = block::<_, 1>(rest);
        for streams in rest {
            match layer.cell {
                Cell::Lstm => lstm_f32::<V, U, 1, 1>(v, tile, weights, streams),
                Cell::Rnn => rnn_f32::<V, U, 2, 1>(v, tile, weights, streams),
            }
        }
    }
}

/// The cells of one stream's tile, from its pre-activations: four gates of an LSTM, otherwise rows of an RNN.
#[inline(always)]
fn done_f32<V: Lanes<U>, const U: usize, const N: usize>(
    v: V,
    tile: usize,
    sums: [V::F32; N],
    stream: &mut StreamF32<'_>,
) {
    if let Some(&gates) = sums.first_chunk::<GATES>() {
        let (mut gates, mut c) = ([gates], [v.load_f32(&take(stream.c, tile * U))]);
        let [t] = cells_f32(v, &mut gates, &mut c);
        let ([[.., o]], [c]) = (gates, c);
        store_f32(v, (c, v.mul_f32(o, t)), tile, stream);
        return;
    }
    for (index, sum) in sums.into_iter().enumerate() {
        let mut h = [0.0; U];
        v.store_f32(tanh_f32(v, sum), &mut h);
        put(h, stream.next, (N * tile + index) * U);
    }
}

/// Stores a tile's cell state and h.
#[inline(always)]
fn store_f32<V: Lanes<U>, const U: usize>(
    v: V,
    (c, h): (V::F32, V::F32),
    tile: usize,
    stream: &mut StreamF32<'_>,
) {
    let (mut c_out, mut h_out) = ([0.0; U], [0.0; U]);
    v.store_f32(c, &mut c_out);
    v.store_f32(h, &mut h_out);
    put(c_out, stream.c, tile * U);
    put(h_out, stream.next, tile * U);
}

#[inline(always)]
fn lstm_f32<V: Lanes<U>, const U: usize, const S: usize, const B: usize>(
    v: V,
    tile: usize,
    weights: &[f32],
    streams: &mut [StreamF32<'_>; B],
) {
    let mut sums = [[v.splat_f32(0.0); GATES]; B];
    let mut operands = [&[][..]; B];
    for ((sums, x), stream) in sums.iter_mut().zip(&mut operands).zip(&*streams) {
        *x = stream.x;
        let Some(addends) = vectors::<f32, U, GATES>(stream.addend, tile) else {
            return;
        };
        for (sum, addend) in sums.iter_mut().zip(addends) {
            *sum = v.load_f32(addend);
        }
    }
    let sums = products_f32::<V, U, GATES, S, B>(v, weights, operands, sums);
    let (mut gates, mut c) = (sums, [v.splat_f32(0.0); B]);
    for (c, stream) in c.iter_mut().zip(&*streams) {
        *c = v.load_f32(&take(stream.c, tile * U));
    }
    let t = cells_f32(v, &mut gates, &mut c);
    for (([.., o], (c, t)), stream) in gates.into_iter().zip(c.into_iter().zip(t)).zip(streams) {
        store_f32(v, (c, v.mul_f32(o, t)), tile, stream);
    }
}

#[inline(always)]
fn rnn_f32<V: Lanes<U>, const U: usize, const S: usize, const B: usize>(
    v: V,
    tile: usize,
    weights: &[f32],
    streams: &mut [StreamF32<'_>; B],
) {
    let mut sums = [[v.splat_f32(0.0); ROWS]; B];
    let mut operands = [&[][..]; B];
    for ((sums, x), stream) in sums.iter_mut().zip(&mut operands).zip(&*streams) {
        *x = stream.x;
        let Some(addends) = vectors::<f32, U, ROWS>(stream.addend, tile) else {
            return;
        };
        for (sum, addend) in sums.iter_mut().zip(addends) {
            *sum = v.load_f32(addend);
        }
    }
    let sums = products_f32::<V, U, ROWS, S, B>(v, weights, operands, sums);
    for (sums, stream) in sums.into_iter().zip(streams) {
        done_f32(v, tile, sums, stream);
    }
}

/// The logits of one operand.
#[inline(always)]
pub(crate) fn head_f32<V: Lanes<U>, const U: usize>(
    v: V,
    backward: bool,
    head: &HeadF32<'_>,
    x: &[f32],
    logits: &mut [f32],
) {
    for tile in sweep(logits.len().div_ceil(ROWS * U), backward) {
        let weights = part(head.weights.weights, tile, ROWS * U * head.columns);
        let Some(bias) = vectors::<f32, U, ROWS>(head.bias, tile) else {
            return;
        };
        let mut sums = [[v.splat_f32(0.0); ROWS]];
        for (sum, bias) in sums.iter_mut().flatten().zip(bias) {
            *sum = v.load_f32(bias);
        }
        let x = x.get(..head.columns).unwrap_or_default();
        let sums = products_f32::<V, U, ROWS, 2, 1>(v, weights, [x], sums);
        for (index, sum) in sums.into_iter().flatten().enumerate() {
            let mut scores = [0.0; U];
            v.store_f32(sum, &mut scores);
            put(scores, logits, (ROWS * tile + index) * U);
        }
    }
}
