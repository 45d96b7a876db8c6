//! int8 products of a tile: weights of 8 bits, or of 4.

use gatelet_simd::Simd;

use crate::weights::int4;
use crate::weights::matrix::MatrixInt8;

/// A tile's groups of columns: `[groups, N, U, 4]`.
#[inline(always)]
fn groups<const U: usize, const N: usize>(tile: &[u8]) -> &[[[[u8; 4]; U]; N]] {
    let (quads, _) = tile.as_chunks::<4>();
    let (vectors, _) = quads.as_chunks::<U>();
    vectors.as_chunks::<N>().0
}

/// `tile x` for `B` operands at once. `tile: [columns / 4, N, U, 4]`, each weight with an offset of 128.
#[inline(always)]
fn products_int8<V, const U: usize, const N: usize, const S: usize, const B: usize>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Simd<U>,
{
    let groups = groups::<U, N>(tile);
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

/// The weights in the halves of bytes that `shift` brings down.
#[inline(always)]
fn half<const U: usize>(w: &[[u8; 4]; U], shift: u32) -> [[u8; 4]; U] {
    // A loop: a closure would not be compiled for the instruction set, and so might not be inlined.
    let mut half = *w;
    for byte in half.as_flattened_mut() {
        *byte = *byte >> shift & 15;
    }
    half
}

/// `tile x` for `B` operands at once. `tile: [columns / 8 rounded up, N, U, 4]`, two weights to a byte, each with an offset
/// of 8: a byte's low half belongs to the group's first four columns.
#[inline(always)]
fn products_int4<V, const U: usize, const N: usize, const B: usize>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Simd<U>,
{
    let groups = groups::<U, N>(tile);
    let operands = operands.map(|x| x.as_chunks::<4>().0.as_chunks::<2>());
    let mut each = operands.map(|(pairs, _)| pairs.iter());
    let mut sums = [[v.splat_i32(0); N]; B];
    let mut others = [[v.splat_i32(0); N]; B];
    for (sums, correction) in sums.iter_mut().zip(corrections) {
        *sums = [v.splat_i32(correction); N];
    }
    for group in groups {
        for ((sums, others), operand) in sums.iter_mut().zip(&mut others).zip(&mut each) {
            let Some(&[first, second]) = operand.next() else {
                continue;
            };
            let (first, second) = (v.group(first), v.group(second));
            // As values: through the references every turn would store them.
            let (mut low, mut high) = (*sums, *others);
            for ((low, high), w) in low.iter_mut().zip(&mut high).zip(group) {
                *low = v.dot(*low, &half(w, 0), first);
                *high = v.dot(*high, &half(w, 4), second);
            }
            (*sums, *others) = (low, high);
        }
    }
    for ((sums, others), (pairs, rest)) in sums.iter_mut().zip(&others).zip(operands) {
        // Four columns at the end that stand alone; what is beside them is past the operand.
        for (group, &x) in groups.iter().skip(pairs.len()).zip(rest) {
            let x = v.group(x);
            for (sum, w) in sums.iter_mut().zip(group) {
                *sum = v.dot(*sum, &half(w, 0), x);
            }
        }
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = v.add_i32(*sum, *other);
        }
    }
    sums
}

/// The products of a tile whose weights have 4 bits if `FOUR`, otherwise 8.
#[inline(always)]
pub(super) fn products<
    V,
    const U: usize,
    const N: usize,
    const S: usize,
    const B: usize,
    const FOUR: bool,
>(
    v: V,
    tile: &[u8],
    operands: [&[i8]; B],
    corrections: [i32; B],
) -> [[V::I32; N]; B]
where
    V: Simd<U>,
{
    match FOUR {
        false => products_int8::<V, U, N, S, B>(v, tile, operands, corrections),
        true => products_int4::<V, U, N, B>(v, tile, operands, corrections),
    }
}

/// What the weights' offset adds to every row's product, negated: 128, or 8 with 4 bits, of which `SIGNED` has taken 128.
#[inline(always)]
pub(super) fn correction<V: Simd<U>, const U: usize>(x: &[i8], four: bool) -> i32 {
    let offset = match (four, V::SIGNED) {
        (false, false) => 128,
        (false, true) => return 0,
        (true, false) => 8,
        (true, true) => 8 - 128,
    };
    -offset * x.iter().map(|&x| i32::from(x)).sum::<i32>()
}

/// The bytes of a matrix in tiles, those of a row, and whether weights have 4 bits; none if it is not in tiles.
pub(super) fn bytes<'a>(matrix: &MatrixInt8<'a>) -> (&'a [u8], usize, bool) {
    match *matrix {
        MatrixInt8::Tiles {
            weights, columns, ..
        } => (weights, columns, false),
        MatrixInt8::Int4Tiles {
            weights, columns, ..
        } => (weights, int4::tile_bytes(columns), true),
        _ => (&[], 0, false),
    }
}
