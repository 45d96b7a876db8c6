//! The integer cells of four tiles of an LSTM, 64 units, with permutations of bytes (VBMI).
//!
//! ```text
//! c' = sat16( round( f c + (2 i g >> extra) >> 13 ) )      h' = sat8( round( o tanh(c') >> 17 ) )
//! ```
//!
//! Two vectors of 32-bit lanes are done in one of 16. The high byte of a pre-activation chooses a
//! segment. Of 64 pre-activations these bytes fill a vector, by which four permutations look up one
//! byte of the segments' lines: the first for all, the others where the two high bits of the index
//! say so.
//!
//! Packing saturates, and works within quarters of a vector, which unpacking undoes; only what is
//! stored is put in order.

use core::arch::x86_64::*;

use gatelet_simd::Simd;
use gatelet_simd::x86_64::Avx512;

use crate::fixed::activation;
use crate::fixed::{H_BITS, SIGMOID_BITS, TANH_BITS};
use crate::kernel::tile::fixed::LstmTiles;

/// Odd bytes.
const ODD: __mmask64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Lanes of 32 bits.
type Wide = [__m512i; 4];
/// Lanes of 16 bits: tiles 0 and 1, 2 and 3, in the order of packing.
type Packed = [__m512i; 2];

/// Those of `lines.rs`, byte by byte: the low ones, the high ones.
#[repr(align(64))]
struct Bytes {
    intercepts: [[u8; 256]; 2],
    negated_slopes: [[u8; 256]; 2],
}

static SIGMOID: Bytes = Bytes::new(&activation::SIGMOID);
static TANH: Bytes = Bytes::new(&activation::TANH);

impl Bytes {
    /// Those of a table.
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new(table: &[u32; 256]) -> Self {
        let mut bytes = Bytes {
            intercepts: [[0; 256]; 2],
            negated_slopes: [[0; 256]; 2],
        };
        let mut index = 0;
        while index < 256 {
            let intercept = (table[index] >> 16) as u16;
            let slope = (table[index] as u16).wrapping_neg();
            [bytes.intercepts[0][index], bytes.intercepts[1][index]] = intercept.to_le_bytes();
            [
                bytes.negated_slopes[0][index],
                bytes.negated_slopes[1][index],
            ] = slope.to_le_bytes();
            index += 1;
        }
        bytes
    }

    /// The lines' values.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn at(&self, [a, b]: Packed) -> Packed {
        let index = _mm512_mask_blend_epi8(ODD, _mm512_srli_epi16::<8>(a), b);
        let bit_6 = _mm512_movepi8_mask(_mm512_add_epi8(index, index));
        let bit_7 = _mm512_movepi8_mask(index);
        let quarters = [bit_6, bit_7, bit_6 & bit_7];
        let [slope_a, slope_b] = words(&self.negated_slopes, index, quarters);
        let [intercept_a, intercept_b] = words(&self.intercepts, index, quarters);
        let not = _mm512_set1_epi32(-1);
        let steep_a = _mm512_mulhi_epi16(_mm512_xor_si512(a, not), slope_a);
        let steep_b = _mm512_mulhi_epi16(_mm512_xor_si512(b, not), slope_b);
        [
            _mm512_add_epi16(intercept_a, steep_a),
            _mm512_add_epi16(intercept_b, steep_b),
        ]
    }
}

/// Words of which a table has the low and the high bytes: those for the even bytes of `index`,
/// those for the odd ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn words(tables: &[[u8; 256]; 2], index: __m512i, quarters: [__mmask64; 3]) -> Packed {
    let low = looked_up(&tables[0], index, quarters);
    let high = looked_up(&tables[1], index, quarters);
    [
        _mm512_mask_blend_epi8(ODD, low, _mm512_slli_epi16::<8>(high)),
        _mm512_mask_blend_epi8(ODD, _mm512_srli_epi16::<8>(low), high),
    ]
}

/// Bytes of a table. `quarters`: where bit 6 of the index is set, where bit 7, where both.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn looked_up(table: &[u8; 256], index: __m512i, quarters: [__mmask64; 3]) -> __m512i {
    let (parts, _) = table.as_chunks::<64>();
    let mut found = index;
    for (part, quarter) in parts
        .iter()
        .zip([!0, quarters[0], quarters[1], quarters[2]])
    {
        // SAFETY: a load of 64 bytes through a reference to as many.
        let part = unsafe { _mm512_loadu_si512(part.as_ptr().cast()) };
        found = _mm512_mask_permutexvar_epi8(found, quarter, index, part);
    }
    found
}

/// Four vectors in two, saturated.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn pack([a, b, c, d]: Wide) -> Packed {
    [_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)]
}

/// Lanes of 32 bits: what was packed, with `high` above it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn unpack(low: Packed, high: Packed) -> Wide {
    [
        _mm512_unpacklo_epi16(low[0], high[0]),
        _mm512_unpackhi_epi16(low[0], high[0]),
        _mm512_unpacklo_epi16(low[1], high[1]),
        _mm512_unpackhi_epi16(low[1], high[1]),
    ]
}

/// The cells, from the sums of the products.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx512vbmi")]
pub(super) fn lstm(v: Avx512, tiles: LstmTiles<'_, 16>) {
    let i = SIGMOID.at(preactivations::<0>(v, &tiles));
    let f = SIGMOID.at(preactivations::<1>(v, &tiles));
    let g = TANH.at(preactivations::<2>(v, &tiles));
    let o = SIGMOID.at(preactivations::<3>(v, &tiles));
    // A product adds that of what stands above its factors, which is nothing above one of them.
    let nothing = [_mm512_setzero_si512(); 2];
    let (mut c, i, g) = (unpack(f, nothing), unpack(i, nothing), unpack(g, g));
    let extra = _mm512_set1_epi32(tiles.extra as i32);
    let mut t = c;
    for (((c, t), before), (i, g)) in c
        .iter_mut()
        .zip(&mut t)
        .zip(&*tiles.c)
        .zip(i.into_iter().zip(g))
    {
        // SAFETY: a load of 16 numbers through a reference to as many.
        let before = unsafe { _mm256_loadu_si256(before.as_ptr().cast()) };
        let ig = _mm512_slli_epi32::<1>(_mm512_madd_epi16(i, g));
        let fc = _mm512_madd_epi16(*c, _mm512_cvtepi16_epi32(before));
        let sum = _mm512_add_epi32(fc, _mm512_srav_epi32(ig, extra));
        *c = rounded::<SIGMOID_BITS>(sum);
        *t = _mm512_sllv_epi32(*c, extra);
    }
    let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let (pairs, _) = tiles.c.as_chunks_mut::<2>();
    for (pair, c) in pairs.iter_mut().zip(pack(c)) {
        let c = _mm512_permutexvar_epi64(order, c);
        // SAFETY: a store of 32 numbers through a reference to as many.
        unsafe { _mm512_storeu_si512(pair.as_mut_ptr().cast(), c) };
    }
    let t = TANH.at(pack(t));
    let (mut h, t) = (unpack(o, nothing), unpack(t, t));
    for (h, t) in h.iter_mut().zip(t) {
        *h = rounded::<{ SIGMOID_BITS + TANH_BITS - H_BITS }>(_mm512_madd_epi16(*h, t));
    }
    let [a, b] = pack(h);
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let h = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(a, b));
    // SAFETY: a store of 64 numbers through a reference to as many.
    unsafe { _mm512_storeu_si512(tiles.h.as_mut_ptr().cast(), h) };
}

/// The pre-activations of gate `G`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
fn preactivations<const G: usize>(v: Avx512, of: &LstmTiles<'_, 16>) -> Packed {
    let mut z = [_mm512_setzero_si512(); 4];
    let tiles = of.sums.iter().zip(of.multipliers).zip(of.addends);
    for (z, ((sums, multipliers), addends)) in z.iter_mut().zip(tiles) {
        let gate = (sums.get(G), multipliers.get(G), addends.get(G));
        let (Some(sums), Some(multipliers), Some(addends)) = gate else {
            continue;
        };
        // SAFETY: loads of 16 numbers through references to as many.
        let (sum, m, addend) = unsafe {
            (
                _mm512_loadu_si512(sums.as_ptr().cast()),
                _mm512_loadu_si512(multipliers.as_ptr().cast()),
                _mm256_loadu_si256(addends.as_ptr().cast()),
            )
        };
        let scaled = v.requantize(sum, m, of.shift);
        *z = _mm512_add_epi32(_mm512_cvtepi16_epi32(addend), scaled);
    }
    pack(z)
}

/// Adds half a unit of the result, then shifts right arithmetically.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded<const BITS: u32>(x: __m512i) -> __m512i {
    _mm512_srai_epi32::<BITS>(_mm512_add_epi32(x, _mm512_set1_epi32(1 << (BITS - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::activation::piecewise;

    /// Whether this machine has what is tested here.
    fn here() -> bool {
        Avx512::new().is_some_and(Avx512::permutes_bytes)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn both(bytes: &Bytes, z: &[i16; 64]) -> [i16; 64] {
        let mut y = [0; 64];
        let (from, _) = z.as_chunks::<32>();
        // SAFETY: loads of 32 numbers through references to as many.
        let z = unsafe {
            [
                _mm512_loadu_si512(from[0].as_ptr().cast()),
                _mm512_loadu_si512(from[1].as_ptr().cast()),
            ]
        };
        for (to, y) in y.as_chunks_mut::<32>().0.iter_mut().zip(bytes.at(z)) {
            // SAFETY: a store of 32 numbers through a reference to as many.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), y) };
        }
        y
    }

    #[test]
    fn activations_are_the_same_for_all_inputs() {
        if !here() {
            return;
        }
        for (bytes, table) in [(&SIGMOID, &activation::SIGMOID), (&TANH, &activation::TANH)] {
            for start in (0..=u16::MAX).step_by(32) {
                // In one half upwards, in the other downwards.
                let z: [i16; 64] = core::array::from_fn(|lane| {
                    let up = start.wrapping_add(lane as u16) as i16;
                    if lane < 32 { up } else { !up }
                });
                // SAFETY: the machine has the instructions.
                let y = unsafe { both(bytes, &z) };
                for (z, y) in z.into_iter().zip(y) {
                    assert_eq!(y, piecewise(table, z), "{z}");
                }
            }
        }
    }
}
