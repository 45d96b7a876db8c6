//! The tile kernel, once, over vectors whose every lane is a row. `order.rs` says how tiles lie in memory.
//!
//! ```text
//! for every tile of N vectors (the gates of U units; 2 U rows of the head):
//!     sums = addends
//!     for every column k:  x = x[k] in all lanes;  for v in 0..N:  sums[v] += tile[k][v] * x
//!     activations, cell update and the new h from the registers that hold the sums
//! ```
//!
//! The weights are read once, and little else is: x four numbers at a time. Neighbouring columns belong to different sets of sums: eight
//! independent chains of additions. Steps alternate between the first and the last tile as the one to start from: what the last
//! step read last is still in the cache then. The products of a layer that stands alone are computed before their step (`two_pass.rs`), of several layers
//! the last is begun first (`pipelined.rs`). No result depends on any of it.
//!
//! `B` sessions at once share each load of weights (`Kernel::layer_f32_batch`).

pub(crate) mod fixed;
pub(crate) mod int8;
pub(crate) mod pipelined;
mod products;
#[cfg(test)]
mod tests;
pub(crate) mod two_pass;

use gatelet_simd::Simd;
use gatelet_simd::gates::{sigmoid_f32, tanh_f32};
use gatelet_simd::slices::{put, take};

pub(crate) use self::int8::{add_products_int8, layer_int8};
use crate::kernel::StreamF32;
use crate::weights::layer::{Fused, LayerF32};
use crate::weights::matrix::MatrixF32;

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

/// tanh of every number, in place, or its sigmoid.
#[inline(always)]
pub(crate) fn activate<V: Simd<U>, const U: usize, const TANH: bool>(v: V, numbers: &mut [f32]) {
    let (vectors, rest) = numbers.as_chunks_mut::<U>();
    for x in vectors {
        activate_vector::<V, U, TANH>(v, x);
    }
    if !rest.is_empty() {
        let mut last = take(rest, 0);
        activate_vector::<V, U, TANH>(v, &mut last);
        put(last, rest, 0);
    }
}

#[inline(always)]
fn activate_vector<V: Simd<U>, const U: usize, const TANH: bool>(v: V, x: &mut [f32; U]) {
    let z = v.load_f32(x);
    let y = match TANH {
        true => tanh_f32(v, z),
        false => sigmoid_f32(v, z),
    };
    v.store_f32(y, x);
}

/// What products of a tile are added to: a bias, which has a number for every slot, or sums so far.
#[inline(always)]
fn addends<T: Copy + Default, const U: usize, const N: usize>(
    bias: Option<&[T]>,
    sums: &[T],
    tile: usize,
) -> [[T; U]; N] {
    let from = bias.unwrap_or(sums);
    match vectors(from, tile) {
        Some(whole) => *whole,
        None => core::array::from_fn(|index| take(from, (N * tile + index) * U)),
    }
}

/// `sums + column x`.
#[inline(always)]
fn add_f32<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    mut sums: [V::F32; N],
    column: &[[f32; U]; N],
    x: V::F32,
) -> [V::F32; N] {
    for (sum, w) in sums.iter_mut().zip(column) {
        *sum = v.madd_f32(v.load_f32(w), x, *sum);
    }
    sums
}

/// `run x` for `T` runs of as many columns, side by side. `run: [columns, N, U]`; four divides the columns, and `S` four: as many sets of
/// sums take the columns in turn, so that one addition does not wait for the last.
#[inline(always)]
fn runs_f32<V: Simd<U>, const U: usize, const N: usize, const S: usize, const T: usize>(
    v: V,
    runs: [&[f32]; T],
    x: &[f32],
) -> [[V::F32; N]; T] {
    let mut sets = [[[v.splat_f32(0.0); N]; S]; T];
    let mut runs = runs.map(|run| run.as_chunks::<U>().0.as_chunks::<N>().0.as_chunks::<4>().0);
    for x in x.as_chunks::<4>().0 {
        let x = v.spread(x);
        for (sets, run) in sets.iter_mut().zip(&mut runs) {
            let Some((columns, rest)) = run.split_first() else {
                continue;
            };
            *run = rest;
            let turns = columns.as_chunks::<S>().0.iter().zip(x.as_chunks::<S>().0);
            for (columns, x) in turns {
                for (sums, (column, &x)) in sets.iter_mut().zip(columns.iter().zip(x)) {
                    *sums = add_f32(v, *sums, column, x);
                }
            }
        }
    }
    let mut all = [[v.splat_f32(0.0); N]; T];
    for (all, sets) in all.iter_mut().zip(sets) {
        for sums in sets {
            *all = both_f32(v, *all, sums);
        }
    }
    all
}

/// One run.
#[inline(always)]
fn run_f32<V: Simd<U>, const U: usize, const N: usize, const S: usize>(
    v: V,
    run: &[f32],
    x: &[f32],
) -> [V::F32; N] {
    let [sums] = runs_f32::<V, U, N, S, 1>(v, [run], x);
    sums
}

/// `a + b`.
#[inline(always)]
fn both_f32<V: Simd<U>, const U: usize, const N: usize>(
    v: V,
    mut a: [V::F32; N],
    b: [V::F32; N],
) -> [V::F32; N] {
    for (a, b) in a.iter_mut().zip(b) {
        *a = v.add_f32(*a, b);
    }
    a
}

/// `sums + tile x` for `B` operands at once. `tile: [columns, N, U]`; the first `below` columns belong to what is under the layer.
#[inline(always)]
fn products_f32<V: Simd<U>, const U: usize, const N: usize, const S: usize, const B: usize>(
    v: V,
    (tile, below): (&[f32], usize),
    operands: [&[f32]; B],
    mut sums: [[V::F32; N]; B],
) -> [[V::F32; N]; B] {
    if let ([x], [sums]) = (operands.as_slice(), sums.as_mut_slice()) {
        let (low, own) = tile.split_at_checked(below * N * U).unwrap_or_default();
        let (x_low, x_own) = x.split_at_checked(below).unwrap_or_default();
        let mut found = run_f32::<V, U, N, S>(v, own, x_own);
        if below > 0 {
            found = both_f32(v, run_f32::<V, U, N, S>(v, low, x_low), found);
        }
        *sums = both_f32(v, *sums, found);
    } else {
        let columns = tile.as_chunks::<U>().0.as_chunks::<N>().0;
        let mut operands = operands.map(|x| x.iter());
        for column in columns {
            for (sums, operand) in sums.iter_mut().zip(&mut operands) {
                let Some(&x) = operand.next() else { continue };
                *sums = add_f32(v, *sums, column, v.splat_f32(x));
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
pub(crate) fn layer_f32<V: Simd<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    streams: &mut [StreamF32<'_>],
) {
    let (units, n) = match layer.cell {
        Fused::Lstm => (U, GATES),
        Fused::Rnn => (ROWS * U, ROWS),
    };
    for tile in sweep(layer.hidden.div_ceil(units), backward) {
        let weights = part(layer.weights.weights, tile, n * U * layer.columns);
        let weights = (weights, layer.below());
        let (blocks, rest) = block::<_, B>(streams);
        for streams in blocks {
            match layer.cell {
                Fused::Lstm => lstm_f32::<V, U, 1, B>(v, tile, weights, streams),
                Fused::Rnn => rnn_f32::<V, U, 1, B>(v, tile, weights, streams),
            }
        }
        let (rest, _) = block::<_, 1>(rest);
        for streams in rest {
            match layer.cell {
                Fused::Lstm => lstm_f32::<V, U, 2, 1>(v, tile, weights, streams),
                Fused::Rnn => rnn_f32::<V, U, 4, 1>(v, tile, weights, streams),
            }
        }
    }
}

/// The cells of `T` of one stream's tiles, from their pre-activations: four gates of an LSTM, otherwise rows of an RNN.
#[inline(always)]
fn done_f32<V: Simd<U>, const U: usize, const N: usize, const T: usize>(
    v: V,
    first: usize,
    sums: [[V::F32; N]; T],
    stream: &mut StreamF32<'_>,
) {
    if N == GATES {
        let (mut gates, mut c) = ([[v.splat_f32(0.0); GATES]; T], [v.splat_f32(0.0); T]);
        for (index, ((gates, sums), c)) in gates.iter_mut().zip(sums).zip(&mut c).enumerate() {
            for (gate, sum) in gates.iter_mut().zip(sums) {
                *gate = sum;
            }
            *c = v.load_f32(&take(stream.c, (first + index) * U));
        }
        let [c, h] = v.lstm_f32(gates, c);
        for (index, each) in c.into_iter().zip(h).enumerate() {
            store_f32(v, each, first + index, stream);
        }
        return;
    }
    for (index, sum) in sums.into_iter().flatten().enumerate() {
        let mut h = [0.0; U];
        v.store_f32(tanh_f32(v, sum), &mut h);
        put(h, stream.next, (N * first + index) * U);
    }
}

/// Stores a tile's cell state and h.
#[inline(always)]
fn store_f32<V: Simd<U>, const U: usize>(
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
fn lstm_f32<V: Simd<U>, const U: usize, const S: usize, const B: usize>(
    v: V,
    tile: usize,
    weights: (&[f32], usize),
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
    for (gates, stream) in sums.into_iter().zip(streams) {
        let c = v.load_f32(&take(stream.c, tile * U));
        let [[c], [h]] = v.lstm_f32([gates], [c]);
        store_f32(v, (c, h), tile, stream);
    }
}

#[inline(always)]
fn rnn_f32<V: Simd<U>, const U: usize, const S: usize, const B: usize>(
    v: V,
    tile: usize,
    weights: (&[f32], usize),
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
        done_f32(v, tile, [sums], stream);
    }
}

/// Adds the products of one operand, to `bias` or to what `sums` hold; three tiles at a time where registers hold their sums: 96
/// characters are three tiles of AVX-512.
#[inline(always)]
pub(crate) fn add_products_f32<V: Simd<U>, const U: usize>(
    v: V,
    backward: bool,
    matrix: &MatrixF32<'_>,
    bias: Option<&[f32]>,
    x: &[f32],
    sums: &mut [f32],
) {
    let tiles = sums.len().div_ceil(ROWS * U);
    let together = if V::REGISTERS >= 32 { 3 } else { 1 };
    for block in sweep(tiles.div_ceil(together), backward) {
        let first = block * together;
        if first + 3 <= tiles && together == 3 {
            tiles_of::<V, U, 3>(v, first, matrix, bias, x, sums);
        } else {
            for tile in first..tiles.min(first + together) {
                tiles_of::<V, U, 1>(v, tile, matrix, bias, x, sums);
            }
        }
    }
}

/// `T` tiles of a matrix from tile `first` on.
#[inline(always)]
fn tiles_of<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    first: usize,
    matrix: &MatrixF32<'_>,
    bias: Option<&[f32]>,
    x: &[f32],
    sums: &mut [f32],
) {
    let mut tiles = [&[][..]; T];
    for (index, tile) in tiles.iter_mut().enumerate() {
        let weights = matrix.weights;
        *tile = part(weights, first + index, ROWS * U * matrix.columns);
    }
    let x = x.get(..matrix.columns).unwrap_or_default();
    let found = runs_f32::<V, U, ROWS, 4, T>(v, tiles, x);
    for (index, found) in found.into_iter().enumerate() {
        let tile = first + index;
        let addends: [[f32; U]; ROWS] = addends(bias, sums, tile);
        for (index, (sum, mut total)) in found.into_iter().zip(addends).enumerate() {
            v.store_f32(v.add_f32(v.load_f32(&total), sum), &mut total);
            put(total, sums, (ROWS * tile + index) * U);
        }
    }
}
