//! Fixed-point activations with AVX-512, in lanes of 16 bits.

use core::arch::x86_64::*;

use crate::fixed::activation;

/// The lines of a table's segments, taken apart: with T = intercept 2^16 + slope,
///
/// ```text
/// (z slope + T) >> 16 = intercept + ((z + 1) slope >> 16) = intercept + (!z (-slope) >> 16)
/// ```
///
/// which 16 bits hold for every z.
#[repr(align(64))]
pub(super) struct Lines {
    intercepts: [i16; 256],
    negated_slopes: [i16; 256],
}

pub(super) static SIGMOID: Lines = Lines::new(&activation::SIGMOID);
pub(super) static TANH: Lines = Lines::new(&activation::TANH);

impl Lines {
    /// Those of a table.
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new(table: &[u32; 256]) -> Self {
        let mut lines = Lines {
            intercepts: [0; 256],
            negated_slopes: [0; 256],
        };
        let mut index = 0;
        while index < 256 {
            lines.intercepts[index] = (table[index] >> 16) as i16;
            lines.negated_slopes[index] = -(table[index] as i16);
            index += 1;
        }
        lines
    }

    /// The lines' values at two vectors of z.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn at(&self, [even, odd]: [__m512i; 2]) -> [__m512i; 2] {
        let z = _mm512_mask_blend_epi16(0xaaaa_aaaa, even, _mm512_slli_epi32::<16>(odd));
        let line = _mm512_srli_epi16::<8>(z);
        let quarter = [
            _mm512_movepi16_mask(_mm512_add_epi16(z, z)),
            _mm512_movepi16_mask(z),
        ];
        let slope = found(&self.negated_slopes, line, quarter);
        let steep = _mm512_mulhi_epi16(_mm512_xor_si512(z, _mm512_set1_epi32(-1)), slope);
        let y = _mm512_add_epi16(found(&self.intercepts, line, quarter), steep);
        [
            _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(y)),
            _mm512_srai_epi32::<16>(y),
        ]
    }
}

/// Words of a table: a permutation looks 64 up by six bits of the index, and two bits more choose
/// among four.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn found(table: &[i16; 256], index: __m512i, [bit_6, bit_7]: [__mmask32; 2]) -> __m512i {
    let (words, _) = table.as_chunks::<32>();
    let (pairs, _) = words.as_chunks::<2>();
    let mut parts = [index; 4];
    for (part, [low, high]) in parts.iter_mut().zip(pairs) {
        // SAFETY: a load of 32 words through a reference to as many.
        let (low, high) = unsafe {
            (
                _mm512_loadu_si512(low.as_ptr().cast()),
                _mm512_loadu_si512(high.as_ptr().cast()),
            )
        };
        *part = _mm512_permutex2var_epi16(low, index, high);
    }
    let [a, b, c, d] = parts;
    let (ab, cd) = (
        _mm512_mask_blend_epi16(bit_6, a, b),
        _mm512_mask_blend_epi16(bit_6, c, d),
    );
    _mm512_mask_blend_epi16(bit_7, ab, cd)
}
