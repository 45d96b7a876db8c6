//! AVX2 with FMA, and with AVX-VNNI: eight rows a vector.

use core::arch::x86_64::*;

use super::features::Features;
use super::prefetch::prefetch;
use crate::gates;
use crate::simd::Simd;

/// As many lanes as are wanted, from the place on that is as many before the middle.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// AVX2 and FMA: a value exists only where the processor and the operating system have them.
#[derive(Clone, Copy, Debug)]
pub struct Avx2 {
    _found: (),
}

/// AVX2, FMA and AVX-VNNI: a value exists only where the processor and the operating system have
/// them.
#[derive(Clone, Copy, Debug)]
pub struct AvxVnni {
    _found: (),
}

impl Avx2 {
    /// The proof, if this machine has the instructions.
    pub fn new() -> Option<Self> {
        Features::read().avx2().then_some(Avx2 { _found: () })
    }
}

impl AvxVnni {
    /// The proof, if this machine has the instructions.
    pub fn new() -> Option<Self> {
        Features::read()
            .avx_vnni()
            .then_some(AvxVnni { _found: () })
    }
}

/// Everything but the int8 product, which the two sets have of their own.
macro_rules! shared_operations {
    () => {
        operations! {
        fn splat_f32(self, x: f32) -> __m256 { _mm256_set1_ps(x) }
        fn load_f32(self, from: &[f32; 8]) -> __m256 { _mm256_loadu_ps(from.as_ptr()) }
        fn store_f32(self, x: __m256, to: &mut [f32; 8]) { _mm256_storeu_ps(to.as_mut_ptr(), x) }
        fn load_part_f32(self, from: &[f32]) -> __m256 {
            if let Some(all) = from.first_chunk::<8>() {
                return _mm256_loadu_ps(all.as_ptr());
            }
            let mask = MASKS.get(8 - from.len().min(8)..).and_then(|masks| masks.first_chunk());
            let mask: &[i32; 8] = mask.unwrap_or(&[0; 8]);
            _mm256_maskload_ps(from.as_ptr(), _mm256_loadu_si256(mask.as_ptr().cast()))
        }
        fn store_part_f32(self, x: __m256, to: &mut [f32]) {
            if let Some(all) = to.first_chunk_mut::<8>() {
                return _mm256_storeu_ps(all.as_mut_ptr(), x);
            }
            let mut low = _mm256_castps256_ps128(x);
            let (fours, rest) = to.as_chunks_mut::<4>();
            if let Some(four) = fours.first_mut() {
                _mm_storeu_ps(four.as_mut_ptr(), low);
                low = _mm256_extractf128_ps::<1>(x);
            }
            let mut four = [0.0; 4];
            _mm_storeu_ps(four.as_mut_ptr(), low);
            for (to, x) in rest.iter_mut().zip(four) {
                *to = x;
            }
        }
        fn add_f32(self, a: __m256, b: __m256) -> __m256 { _mm256_add_ps(a, b) }
        fn mul_f32(self, a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        fn div_f32(self, a: __m256, b: __m256) -> __m256 { _mm256_div_ps(a, b) }
        fn min_f32(self, a: __m256, b: __m256) -> __m256 { _mm256_min_ps(a, b) }
        fn max_f32(self, a: __m256, b: __m256) -> __m256 { _mm256_max_ps(a, b) }
        fn madd_f32(self, a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        fn scale(self, p: __m256, shifted: __m256) -> __m256 {
            let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n))
        }

        fn splat_i32(self, x: i32) -> __m256i { _mm256_set1_epi32(x) }
        fn load_i32(self, from: &[i32; 8]) -> __m256i { _mm256_loadu_si256(from.as_ptr().cast()) }
        fn load_i16(self, from: &[i16; 8]) -> __m256i {
            _mm256_cvtepi16_epi32(_mm_loadu_si128(from.as_ptr().cast()))
        }
        fn store_i32(self, x: __m256i, to: &mut [i32; 8]) {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), x)
        }
        fn store_i16(self, x: __m256i, to: &mut [i16; 8]) {
            let high = _mm256_extracti128_si256::<1>(x);
            let packed = _mm_packs_epi32(_mm256_castsi256_si128(x), high);
            _mm_storeu_si128(to.as_mut_ptr().cast(), packed)
        }
        fn store_i8(self, x: __m256i, to: &mut [i8; 8]) {
            let high = _mm256_extracti128_si256::<1>(x);
            let packed = _mm_packs_epi32(_mm256_castsi256_si128(x), high);
            _mm_storel_epi64(to.as_mut_ptr().cast(), _mm_packs_epi16(packed, packed))
        }
        fn add_i32(self, a: __m256i, b: __m256i) -> __m256i { _mm256_add_epi32(a, b) }
        fn mul_i16(self, a: __m256i, b: __m256i) -> __m256i { _mm256_madd_epi16(a, b) }
        fn shl_i32(self, x: __m256i, bits: u32) -> __m256i {
            _mm256_sll_epi32(x, _mm_cvtsi32_si128(bits as i32))
        }
        fn shr_i32(self, x: __m256i, bits: u32) -> __m256i {
            _mm256_sra_epi32(x, _mm_cvtsi32_si128(bits as i32))
        }
        fn low_half(self, x: __m256i) -> __m256i { _mm256_and_si256(x, _mm256_set1_epi32(0xffff)) }
        fn clamp_i32(self, x: __m256i, min: i32, max: i32) -> __m256i {
            _mm256_max_epi32(_mm256_min_epi32(x, _mm256_set1_epi32(max)), _mm256_set1_epi32(min))
        }
        // A masked index is below 256.
        fn look_up(self, table: &[u32; 256], index: __m256i) -> __m256i {
            let index = _mm256_and_si256(index, _mm256_set1_epi32(0xff));
            _mm256_i32gather_epi32::<4>(table.as_ptr().cast(), index)
        }
        // As in AVX-512.
        fn requantize(self, acc: __m256i, m: __m256i, shift: u32) -> __m256i {
            let half = _mm256_set1_epi64x(1 << ((shift - 1) & 63));
            let even = _mm256_add_epi64(_mm256_mul_epi32(acc, m), half);
            let (acc, m) = (_mm256_srli_epi64::<32>(acc), _mm256_srli_epi64::<32>(m));
            let odd = _mm256_add_epi64(_mm256_mul_epi32(acc, m), half);
            let even = _mm256_srl_epi64(even, _mm_cvtsi32_si128(shift as i32));
            let odd = _mm256_sll_epi64(odd, _mm_cvtsi32_si128(32 - shift as i32));
            _mm256_blend_epi32::<0b1010_1010>(even, odd)
        }
        }

        #[inline(always)]
        fn prefetch<T>(self, from: &[T]) {
            prefetch::<T, { _MM_HINT_T0 }>(from);
        }
        #[inline(always)]
        fn prefetch_far<T>(self, from: &[T]) {
            prefetch::<T, { _MM_HINT_T1 }>(from);
        }

        #[inline(always)]
        fn lstm_f32<const T: usize>(
            self,
            gates: [[__m256; 4]; T],
            c: [__m256; T],
        ) -> [[__m256; T]; 2] {
            gates::lstm(self, gates, c)
        }

        #[inline(always)]
        fn one_and_exp_f32(self, x: __m256) -> __m256 {
            gates::one_and_exp(self, x)
        }
    };
}

impl Simd<8> for Avx2 {
    type F32 = __m256;
    type I32 = __m256i;
    /// Columns 0 and 2, and columns 1 and 3, as int16.
    type Group = [__m256i; 2];

    run!(Avx2, 8, 2, target_feature(enable = "avx2,fma"));
    shared_operations!();

    operations! {
        fn group(self, x: [i8; 4]) -> [__m256i; 2] {
            let x = _mm256_set1_epi32(i32::from_le_bytes(x.map(|x| x as u8)));
            let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x));
            [even, _mm256_srai_epi16::<8>(x)]
        }
        // Widened before multiplying: maddubs would saturate.
        fn dot(self, sum: __m256i, w: &[[u8; 4]; 8], x: [__m256i; 2]) -> __m256i {
            let w = _mm256_loadu_si256(w.as_ptr().cast());
            let even = _mm256_and_si256(w, _mm256_set1_epi16(0xff));
            let odd = _mm256_srli_epi16::<8>(w);
            let [x_even, x_odd] = x;
            let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, x_even));
            _mm256_add_epi32(sum, _mm256_madd_epi16(odd, x_odd))
        }
    }
}

impl Simd<8> for AvxVnni {
    type F32 = __m256;
    type I32 = __m256i;
    type Group = __m256i;

    run!(AvxVnni, 8, 2, target_feature(enable = "avx2,fma,avxvnni"));
    shared_operations!();

    operations! {
        fn group(self, x: [i8; 4]) -> __m256i {
            _mm256_set1_epi32(i32::from_le_bytes(x.map(|x| x as u8)))
        }
        fn dot(self, sum: __m256i, w: &[[u8; 4]; 8], x: __m256i) -> __m256i {
            _mm256_dpbusd_avx_epi32(sum, _mm256_loadu_si256(w.as_ptr().cast()), x)
        }
    }
}
