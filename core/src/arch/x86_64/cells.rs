//! The integer cells of four tiles of an LSTM, 64 units, with permutations of bytes (VBMI): the lines of `kernel/tile/int8.rs`, two
//! vectors of 32-bit lanes at a time in one of 16.
//!
//! The high byte of a pre-activation chooses a segment. Of 64 pre-activations these bytes fill a vector, by which four permutations
//! look up one byte of the segments' lines: the first for all, the others where the two high bits of the index say so.
//!
//! Packing saturates, and works within quarters of a vector, which unpacking undoes; only what is stored is put in order.

use core::arch::x86_64::*;

use super::avx512::requantized;
use crate::kernel::tile::int8::Four;
use crate::layer::{H_BITS, SIGMOID_BITS, TANH_BITS};

/// Odd bytes.
const ODD: __mmask64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Lanes of 32 bits.
type Wide = [__m512i; 4];
/// Lanes of 16 bits: tiles 0 and 1, 2 and 3, in the order of packing.
type Packed = [__m512i; 2];

/// The lines of `Lines` in `avx512.rs`, byte by byte: the low ones, the high ones.
#[repr(align(64))]
struct Bytes {
    intercepts: [[u8; 256]; 2],
    negated_slopes: [[u8; 256]; 2],
}

static SIGMOID: Bytes = Bytes::new(&crate::activation::SIGMOID);
static TANH: Bytes = Bytes::new(&crate::activation::TANH);

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

/// Words of which a table has the low and the high bytes: those for the even bytes of `index`, those for the odd ones.
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
pub(super) fn cells(four: Four<'_, 16>) {
    let i = SIGMOID.at(preactivations::<0>(&four));
    let f = SIGMOID.at(preactivations::<1>(&four));
    let g = TANH.at(preactivations::<2>(&four));
    let o = SIGMOID.at(preactivations::<3>(&four));
    // A product adds that of what stands above its factors, which is nothing above one of them.
    let nothing = [_mm512_setzero_si512(); 2];
    let (mut c, i, g) = (unpack(f, nothing), unpack(i, nothing), unpack(g, g));
    let extra = _mm512_set1_epi32(four.extra as i32);
    let mut t = c;
    for (((c, t), before), (i, g)) in c
        .iter_mut()
        .zip(&mut t)
        .zip(&*four.c)
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
    let (pairs, _) = four.c.as_chunks_mut::<2>();
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
    unsafe { _mm512_storeu_si512(four.h.as_mut_ptr().cast(), h) };
}

/// The pre-activations of gate `G`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
fn preactivations<const G: usize>(four: &Four<'_, 16>) -> Packed {
    let mut z = [_mm512_setzero_si512(); 4];
    let tiles = four.sums.iter().zip(four.multipliers).zip(four.addends);
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
        let scaled = requantized(sum, m, four.shift);
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
    use crate::activation::{self, piecewise};
    use crate::arch::x86_64::Features;
    use crate::kernel::scalar::{lstm_unit, preactivation};
    use crate::layer::MIN_CELL_BITS;

    /// Whether this machine has what is tested here.
    fn here() -> bool {
        let features = Features::read();
        features.avx512() && features.vbmi()
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

    /// Numbers with all bits in use.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> i32 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 32) as i32
        }
    }

    #[test]
    fn cells_are_those_of_the_specification() {
        if !here() {
            return;
        }
        let mut numbers = Numbers(3);
        for (shift, extra) in (8..=31).flat_map(|shift| (0..=4).map(move |extra| (shift, extra))) {
            // From sums that hardly move a gate to such as saturate every one.
            for width in [16, 12, 8] {
                let all = |f: &mut dyn FnMut() -> i32| -> [[[i32; 16]; 4]; 4] {
                    core::array::from_fn(|_| {
                        core::array::from_fn(|_| core::array::from_fn(|_| f()))
                    })
                };
                let sums = all(&mut || numbers.next() >> width);
                // As large as the result's 32 bits allow.
                let multipliers = all(&mut || (numbers.next() as u32 >> 1) as i32 >> (31 - shift));
                let addends =
                    all(&mut || numbers.next() >> 16).map(|t| t.map(|g| g.map(|a| a as i16)));
                let before: [[i16; 16]; 4] = core::array::from_fn(|_| {
                    core::array::from_fn(|_| (numbers.next() >> 16) as i16)
                });
                let (mut c, mut h) = (before, [[0; 16]; 4]);
                let four = Four {
                    sums: &sums,
                    multipliers: &multipliers,
                    shift,
                    addends: &addends,
                    extra,
                    c: &mut c,
                    h: &mut h,
                };
                // SAFETY: the machine has the instructions.
                unsafe { cells(four) };
                for (tile, lane) in (0..4).flat_map(|tile| (0..16).map(move |lane| (tile, lane))) {
                    let z = core::array::from_fn(|gate| {
                        let (sum, m) = (sums[tile][gate][lane], multipliers[tile][gate][lane]);
                        preactivation(addends[tile][gate][lane], sum, m, shift)
                    });
                    let mut expected = before[tile][lane];
                    let unit = lstm_unit(z, &mut expected, extra + MIN_CELL_BITS);
                    let found = (c[tile][lane], h[tile][lane]);
                    assert_eq!(
                        found,
                        (expected, unit.h),
                        "shift {shift}, extra {extra}: {z:?}"
                    );
                }
            }
        }
    }
}
