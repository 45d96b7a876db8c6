//! AVX-512 with VNNI: sixteen rows a vector.

use core::arch::x86_64::*;

use super::Features;
use crate::kernel::tile::lanes::Lanes;

/// AVX-512 F, DQ, BW, VL and VNNI: a value exists only where the processor and the operating system have them.
#[derive(Clone, Copy, Debug)]
pub struct Avx512 {
    /// Whether weights are read from the end.
    pub(crate) backward: bool,
    _found: (),
}

impl Avx512 {
    /// The kernel, if this machine has the instructions.
    pub fn new() -> Option<Self> {
        Features::read().avx512().then_some(Avx512 {
            backward: false,
            _found: (),
        })
    }
}

tile_kernel!(Avx512, "avx512", lanes: 16, layout: Tiles16, batch: 4,
    target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni"));

impl Lanes<16> for Avx512 {
    type F32 = __m512;
    type I32 = __m512i;
    type Group = __m512i;

    operations! {
        fn splat_f32(self, x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn load_f32(self, from: &[f32; 16]) -> __m512 { _mm512_loadu_ps(from.as_ptr()) }
        fn store_f32(self, x: __m512, to: &mut [f32; 16]) { _mm512_storeu_ps(to.as_mut_ptr(), x) }
        fn add_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        fn mul_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn div_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        fn min_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        fn max_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        fn madd_f32(self, a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn exp2(self, n: __m512) -> __m512 {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }

        fn splat_i32(self, x: i32) -> __m512i { _mm512_set1_epi32(x) }
        fn load_i32(self, from: &[i32; 16]) -> __m512i { _mm512_loadu_si512(from.as_ptr().cast()) }
        fn load_i16(self, from: &[i16; 16]) -> __m512i {
            _mm512_cvtepi16_epi32(_mm256_loadu_si256(from.as_ptr().cast()))
        }
        fn store_i32(self, x: __m512i, to: &mut [i32; 16]) {
            _mm512_storeu_si512(to.as_mut_ptr().cast(), x)
        }
        fn store_i16(self, x: __m512i, to: &mut [i16; 16]) {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(x))
        }
        fn store_i8(self, x: __m512i, to: &mut [i8; 16]) {
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(x))
        }
        fn add_i32(self, a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        fn mul_i16(self, a: __m512i, b: __m512i) -> __m512i { _mm512_madd_epi16(a, b) }
        fn shl_i32(self, x: __m512i, bits: u32) -> __m512i {
            _mm512_sll_epi32(x, _mm_cvtsi32_si128(bits as i32))
        }
        fn shr_i32(self, x: __m512i, bits: u32) -> __m512i {
            _mm512_sra_epi32(x, _mm_cvtsi32_si128(bits as i32))
        }
        fn low_half(self, x: __m512i) -> __m512i { _mm512_and_si512(x, _mm512_set1_epi32(0xffff)) }
        fn clamp_i32(self, x: __m512i, min: i32, max: i32) -> __m512i {
            _mm512_max_epi32(_mm512_min_epi32(x, _mm512_set1_epi32(max)), _mm512_set1_epi32(min))
        }
        // Even lanes, then odd ones shifted down; the odd results are shifted to where they belong and not up again.
        fn requantize(self, acc: __m512i, m: __m512i, shift: u32) -> __m512i {
            let half = _mm512_set1_epi64(1 << ((shift - 1) & 63));
            let even = _mm512_add_epi64(_mm512_mul_epi32(acc, m), half);
            let (acc, m) = (_mm512_srli_epi64::<32>(acc), _mm512_srli_epi64::<32>(m));
            let odd = _mm512_add_epi64(_mm512_mul_epi32(acc, m), half);
            let even = _mm512_srl_epi64(even, _mm_cvtsi32_si128(shift as i32));
            let odd = _mm512_sll_epi64(odd, _mm_cvtsi32_si128(32 - shift as i32));
            _mm512_mask_blend_epi32(0xaaaa, even, odd)
        }
        fn group(self, x: [i8; 4]) -> __m512i { _mm512_set1_epi32(i32::from_le_bytes(x.map(|x| x as u8))) }
        fn dot(self, sum: __m512i, w: &[[u8; 4]; 16], x: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(w.as_ptr().cast()), x)
        }
    }
    // A permutation looks 32 words up by five bits of the index; three more choose among eight. Gathers take longer.
    #[inline(always)]
    fn segments<const N: usize>(self, table: &[u32; 256], z: [__m512i; N]) -> [__m512i; N] {
        let mut found = z;
        let (words, _) = table.as_chunks::<16>();
        let (pairs, _) = words.as_chunks::<2>();
        // SAFETY: `self` exists, so `new` has found the instructions; loads go through references to 16 words.
        unsafe {
            for found in &mut found {
                let z = *found;
                let index = _mm512_srli_epi32::<8>(z);
                let mut parts = [z; 8];
                for (part, [low, high]) in parts.iter_mut().zip(pairs) {
                    let low = _mm512_loadu_si512(low.as_ptr().cast());
                    let high = _mm512_loadu_si512(high.as_ptr().cast());
                    *part = _mm512_permutex2var_epi32(low, index, high);
                }
                let [a, b, c, d, e, f, g, h] = parts;
                let [low, middle, high] = [
                    _mm512_test_epi32_mask(z, _mm512_set1_epi32(1 << 13)),
                    _mm512_test_epi32_mask(z, _mm512_set1_epi32(1 << 14)),
                    _mm512_test_epi32_mask(z, _mm512_set1_epi32(1 << 15)),
                ];
                let (ab, cd) = (
                    _mm512_mask_blend_epi32(low, a, b),
                    _mm512_mask_blend_epi32(low, c, d),
                );
                let (ef, gh) = (
                    _mm512_mask_blend_epi32(low, e, f),
                    _mm512_mask_blend_epi32(low, g, h),
                );
                let ad = _mm512_mask_blend_epi32(middle, ab, cd);
                let eh = _mm512_mask_blend_epi32(middle, ef, gh);
                *found = _mm512_mask_blend_epi32(high, ad, eh);
            }
        }
        found
    }
}
