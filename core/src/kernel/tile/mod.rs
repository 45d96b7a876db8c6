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
//! An LSTM of few tiles takes them side by side (`single.rs`), and a GRU is one call (`gru.rs`).
//!
//! `B` sessions at once share each load of weights (`Kernel::layer_f32_batch`).

pub(crate) mod fixed;
pub(crate) mod gru;
pub(crate) mod int8;
pub(crate) mod pipelined;
mod products;
mod rows;
pub(crate) mod single;
#[cfg(test)]
mod tests;
pub(crate) mod two_pass;

use gatelet_simd::Simd;
use gatelet_simd::gates::tanh_f32;
use gatelet_simd::slices::take;

pub(crate) use self::int8::{add_products_int8, layer_int8};
pub(crate) use self::rows::{activate, add_products_f32};
use crate::kernel::StreamF32;
use crate::weights::layer::{Fused, LayerF32};

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

/// The numbers from `at` on.
#[inline(always)]
fn from<T>(numbers: &[T], at: usize) -> &[T] {
    numbers.get(at..).unwrap_or_default()
}

/// As [`from`], to change.
#[inline(always)]
fn from_mut<T>(numbers: &mut [T], at: usize) -> &mut [T] {
    numbers.get_mut(at..).unwrap_or_default()
}

/// `N` vectors of addends: part `tile` of `numbers`.
#[inline(always)]
fn vectors<T, const U: usize, const N: usize>(numbers: &[T], tile: usize) -> Option<&[[T; U]; N]> {
    let (vectors, _) = part(numbers, tile, N * U).as_chunks::<U>();
    vectors.first_chunk()
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
    column: &[[f32; U]],
    x: V::F32,
) -> [V::F32; N] {
    for (sum, w) in sums.iter_mut().zip(column) {
        *sum = v.madd_f32(v.load_f32(w), x, *sum);
    }
    sums
}

/// `run x` for `T` runs of as many columns, side by side: the first `N` vectors of tiles of `M`. `run: [columns, M, U]`; four
/// divides the columns, and `S` four: as many sets of sums take the columns in turn, so that one addition does not wait for
/// the last.
#[inline(always)]
fn runs_f32<
    V: Simd<U>,
    const U: usize,
    const N: usize,
    const M: usize,
    const S: usize,
    const T: usize,
>(
    v: V,
    runs: [&[f32]; T],
    x: &[f32],
) -> [[V::F32; N]; T] {
    let mut sets = [[[v.splat_f32(0.0); N]; S]; T];
    let mut runs = runs.map(|run| run.as_chunks::<U>().0.as_chunks::<M>().0.as_chunks::<4>().0);
    let mut fours = x.as_chunks::<4>().0;
    for run in &mut runs {
        fours = fours.get(..run.len()).unwrap_or(fours);
    }
    for run in &mut runs {
        *run = run.get(..fours.len()).unwrap_or_default();
    }
    let mut each = runs.map(|run| run.iter());
    for x in fours {
        let x = v.spread(x);
        for (sets, run) in sets.iter_mut().zip(&mut each) {
            let Some(columns) = run.next() else { continue };
            let turns = columns.as_chunks::<S>().0.iter().zip(x.as_chunks::<S>().0);
            for (columns, x) in turns {
                for (sums, (column, &x)) in sets.iter_mut().zip(columns.iter().zip(x)) {
                    *sums = add_f32(v, *sums, column, x);
                }
            }
        }
    }
    let mut all = [[v.splat_f32(0.0); N]; T];
    for (all, mut sets) in all.iter_mut().zip(sets) {
        // In pairs, which do not wait for one another.
        let mut len = S;
        while len > 1 {
            len /= 2;
            let (left, right) = sets.split_at_mut_checked(len).unwrap_or_default();
            for (left, right) in left.iter_mut().zip(right) {
                *left = both_f32(v, *left, *right);
            }
        }
        if let Some(sums) = sets.first() {
            *all = *sums;
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
    let [sums] = runs_f32::<V, U, N, N, S, 1>(v, [run], x);
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
            *c = v.load_part_f32(from(stream.c, (first + index) * U));
        }
        let [c, h] = v.lstm_f32(gates, c);
        for (index, each) in c.into_iter().zip(h).enumerate() {
            store_f32(v, each, first + index, stream);
        }
        return;
    }
    for (index, sum) in sums.into_iter().flatten().enumerate() {
        v.store_part_f32(
            tanh_f32(v, sum),
            from_mut(stream.next, (N * first + index) * U),
        );
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
    v.store_part_f32(c, from_mut(stream.c, tile * U));
    v.store_part_f32(h, from_mut(stream.next, tile * U));
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
        let c = v.load_part_f32(from(stream.c, tile * U));
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
