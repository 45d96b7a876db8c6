//! AVX-512 with VNNI: sixteen rows a vector.

use core::arch::x86_64::*;

use super::features::Features;
use super::prefetch::prefetch;
use super::{gates, tall};
#[cfg(not(miri))]
use crate::simd::PANEL;
use crate::simd::{Simd, TALL};

/// AVX-512 F, DQ, BW, VL and VNNI: a value exists only where the processor and the operating system
/// have them.
#[derive(Clone, Copy, Debug)]
pub struct Avx512 {
    /// [`Avx512::permutes_bytes`].
    bytes: bool,
}

impl Avx512 {
    /// The proof, if this machine has the instructions.
    pub fn new() -> Option<Self> {
        let features = Features::read();
        features.avx512().then(|| Avx512 {
            bytes: features.vbmi(),
        })
    }

    /// Whether the machine permutes bytes too: VBMI.
    #[inline]
    pub fn permutes_bytes(self) -> bool {
        self.bytes
    }
}

impl Simd<16> for Avx512 {
    type F32 = __m512;
    type I32 = __m512i;
    type Group = __m512i;
    const REGISTERS: usize = 32;
    const TOGETHER: bool = true;
    const TALL: bool = true;

    run!(
        Avx512,
        16,
        4,
        target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")
    );

    operations! {
        fn splat_f32(self, x: f32) -> __m512 { _mm512_set1_ps(x) }
        fn load_f32(self, from: &[f32; 16]) -> __m512 { _mm512_loadu_ps(from.as_ptr()) }
        fn store_f32(self, x: __m512, to: &mut [f32; 16]) { _mm512_storeu_ps(to.as_mut_ptr(), x) }
        fn load_part_f32(self, from: &[f32]) -> __m512 {
            let mask = (1_u32 << from.len().min(16)) - 1;
            _mm512_maskz_loadu_ps(mask as u16, from.as_ptr())
        }
        // A masked store would keep what follows from being read before it is in the cache.
        fn store_part_f32(self, x: __m512, to: &mut [f32]) {
            if let Some(all) = to.first_chunk_mut::<16>() {
                return _mm512_storeu_ps(all.as_mut_ptr(), x);
            }
            let mut low = _mm512_castps512_ps256(x);
            let (eights, rest) = to.as_chunks_mut::<8>();
            if let Some(eight) = eights.first_mut() {
                _mm256_storeu_ps(eight.as_mut_ptr(), low);
                low = _mm512_extractf32x8_ps::<1>(x);
            }
            let mut last = _mm256_castps256_ps128(low);
            let (fours, rest) = rest.as_chunks_mut::<4>();
            if let Some(four) = fours.first_mut() {
                _mm_storeu_ps(four.as_mut_ptr(), last);
                last = _mm256_extractf128_ps::<1>(low);
            }
            let mask = (1_u32 << rest.len().min(3)) - 1;
            _mm_mask_storeu_ps(rest.as_mut_ptr(), mask as u8, last);
        }
        fn add_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        fn mul_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        fn div_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        fn min_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        fn max_f32(self, a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        fn madd_f32(self, a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn scale(self, p: __m512, shifted: __m512) -> __m512 {
            let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n))
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
        // A masked index is below 256.
        fn look_up(self, table: &[u32; 256], index: __m512i) -> __m512i {
            let index = _mm512_and_si512(index, _mm512_set1_epi32(0xff));
            _mm512_i32gather_epi32::<4>(index, table.as_ptr().cast())
        }
        // Even lanes, then odd ones shifted down; the odd results are shifted to where they belong
        // and not up again.
        fn requantize(self, acc: __m512i, m: __m512i, shift: u32) -> __m512i {
            let half = _mm512_set1_epi64(1 << ((shift - 1) & 63));
            let even = _mm512_add_epi64(_mm512_mul_epi32(acc, m), half);
            let (acc, m) = (_mm512_srli_epi64::<32>(acc), _mm512_srli_epi64::<32>(m));
            let odd = _mm512_add_epi64(_mm512_mul_epi32(acc, m), half);
            let even = _mm512_srlv_epi64(even, _mm512_set1_epi64(shift.into()));
            let odd = _mm512_sllv_epi64(odd, _mm512_set1_epi64(32 - i64::from(shift)));
            _mm512_mask_blend_epi32(0xaaaa, even, odd)
        }
        fn group(self, x: [i8; 4]) -> __m512i {
            _mm512_set1_epi32(i32::from_le_bytes(x.map(|x| x as u8)))
        }
        fn dot(self, sum: __m512i, w: &[[u8; 4]; 16], x: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(w.as_ptr().cast()), x)
        }
    }

    #[inline(always)]
    fn one_and_exp_f32(self, x: __m512) -> __m512 {
        // SAFETY: `self` exists, so `new` has found the instructions.
        let [x] = unsafe { gates::one_and_exp([x]) };
        x
    }

    #[inline(always)]
    fn lstm_f32<const T: usize>(self, gates: [[__m512; 4]; T], c: [__m512; T]) -> [[__m512; T]; 2] {
        // SAFETY: `self` exists, so `new` has found the instructions.
        unsafe { gates::lstm(gates, c) }
    }

    #[inline(always)]
    fn transpose(self, a: &[f32], k: usize, to: &mut [[f32; TALL]]) {
        // SAFETY: `self` exists, so `new` has found the instructions.
        unsafe { tall::transpose(a, k, to) };
    }

    #[cfg(not(miri))]
    #[inline(always)]
    fn tall(
        self,
        x: &[[f32; TALL]],
        panel: &[[[f32; 16]; PANEL]],
        vector: usize,
        next: &[f32],
        sums: [__m512; TALL],
    ) -> [__m512; TALL] {
        // SAFETY: `self` exists, so `new` has found the instructions.
        unsafe { tall::tall(x, panel, vector, next, sums) }
    }

    #[inline(always)]
    fn prefetch<T>(self, from: &[T]) {
        prefetch::<T, { _MM_HINT_T0 }>(from);
    }
    #[inline(always)]
    fn prefetch_far<T>(self, from: &[T]) {
        prefetch::<T, { _MM_HINT_T1 }>(from);
    }

    #[cfg(not(miri))]
    #[inline(always)]
    fn broadcast(self, x: &f32) -> __m512 {
        // SAFETY: `self` exists, so `new` has found the instructions.
        unsafe { broadcast(x) }
    }

    #[cfg(not(miri))]
    #[inline(always)]
    fn spread(self, x: &[f32; 4]) -> [__m512; 4] {
        // SAFETY: `self` exists, so `new` has found the instructions.
        unsafe { spread(x) }
    }
}

/// A number of memory in all lanes.
///
/// Left to itself the compiler loads several numbers at once and takes them apart with shuffles,
/// which on Intel's processors need the port of every second multiplication.
#[cfg(not(miri))]
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(x: &f32) -> __m512 {
    let lanes;
    // SAFETY: the instruction reads one number, through a reference to it, and nothing else
    // changes.
    unsafe {
        core::arch::asm!(
            "vbroadcastss {lanes}, dword ptr [{x}]",
            lanes = lateout(zmm_reg) lanes,
            x = in(reg) x,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    lanes
}

/// Each of four numbers of memory in all lanes: one read of all four, and a shuffle within quarters
/// for each.
///
/// While weights come from the second-level cache, every read more takes time from theirs; left to
/// itself the compiler makes four.
#[cfg(not(miri))]
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(x: &[f32; 4]) -> [__m512; 4] {
    let four;
    // SAFETY: the instruction reads four numbers, through a reference to them, and nothing else
    // changes.
    unsafe {
        core::arch::asm!(
            "vbroadcastf32x4 {four}, xmmword ptr [{x}]",
            four = lateout(zmm_reg) four,
            x = in(reg) x,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    [
        _mm512_permute_ps::<0x00>(four),
        _mm512_permute_ps::<0x55>(four),
        _mm512_permute_ps::<0xaa>(four),
        _mm512_permute_ps::<0xff>(four),
    ]
}
