//! WebAssembly's 128-bit vectors: four rows a vector.

use core::arch::wasm32::*;

use crate::gates;
use crate::simd::Simd;

/// simd128: an engine without it refuses the whole module, so a build that has this type needs no
/// proof.
#[derive(Clone, Copy, Debug)]
pub struct Simd128 {
    _found: (),
}

impl Simd128 {
    /// The proof: this build is for engines that have it.
    pub fn new() -> Option<Self> {
        Some(Simd128 { _found: () })
    }
}

impl Simd<4> for Simd128 {
    type F32 = v128;
    type I32 = v128;
    /// Columns 0 and 2, and columns 1 and 3, as int16.
    type Group = [v128; 2];

    run!(Simd128, 4, 2, target_feature(enable = "simd128"));

    operations! {
        fn splat_f32(self, x: f32) -> v128 { f32x4_splat(x) }
        fn load_f32(self, from: &[f32; 4]) -> v128 { v128_load(from.as_ptr().cast()) }
        fn store_f32(self, x: v128, to: &mut [f32; 4]) { v128_store(to.as_mut_ptr().cast(), x) }
        fn add_f32(self, a: v128, b: v128) -> v128 { f32x4_add(a, b) }
        fn mul_f32(self, a: v128, b: v128) -> v128 { f32x4_mul(a, b) }
        fn div_f32(self, a: v128, b: v128) -> v128 { f32x4_div(a, b) }
        fn min_f32(self, a: v128, b: v128) -> v128 { f32x4_pmin(a, b) }
        fn max_f32(self, a: v128, b: v128) -> v128 { f32x4_pmax(a, b) }
        fn madd_f32(self, a: v128, b: v128, c: v128) -> v128 { f32x4_add(f32x4_mul(a, b), c) }
        fn scale(self, p: v128, shifted: v128) -> v128 { i32x4_add(p, i32x4_shl(shifted, 23)) }

        fn splat_i32(self, x: i32) -> v128 { i32x4_splat(x) }
        fn load_i32(self, from: &[i32; 4]) -> v128 { v128_load(from.as_ptr().cast()) }
        fn load_i16(self, from: &[i16; 4]) -> v128 { i32x4_load_extend_i16x4(from.as_ptr()) }
        fn store_i32(self, x: v128, to: &mut [i32; 4]) { v128_store(to.as_mut_ptr().cast(), x) }
        fn store_i16(self, x: v128, to: &mut [i16; 4]) {
            v128_store64_lane::<0>(i16x8_narrow_i32x4(x, x), to.as_mut_ptr().cast())
        }
        fn store_i8(self, x: v128, to: &mut [i8; 4]) {
            let x = i16x8_narrow_i32x4(x, x);
            v128_store32_lane::<0>(i8x16_narrow_i16x8(x, x), to.as_mut_ptr().cast())
        }
        fn add_i32(self, a: v128, b: v128) -> v128 { i32x4_add(a, b) }
        fn mul_i16(self, a: v128, b: v128) -> v128 { i32x4_dot_i16x8(a, b) }
        fn shl_i32(self, x: v128, bits: u32) -> v128 { i32x4_shl(x, bits) }
        fn shr_i32(self, x: v128, bits: u32) -> v128 { i32x4_shr(x, bits) }
        fn low_half(self, x: v128) -> v128 { v128_and(x, i32x4_splat(0xffff)) }
        fn clamp_i32(self, x: v128, min: i32, max: i32) -> v128 {
            i32x4_max(i32x4_min(x, i32x4_splat(max)), i32x4_splat(min))
        }
        fn requantize(self, acc: v128, m: v128, shift: u32) -> v128 {
            let half = i64x2_splat(1 << ((shift - 1) & 63));
            let low = i64x2_shr(i64x2_add(i64x2_extmul_low_i32x4(acc, m), half), shift);
            let high = i64x2_shr(i64x2_add(i64x2_extmul_high_i32x4(acc, m), half), shift);
            i32x4_shuffle::<0, 2, 4, 6>(low, high)
        }

        fn group(self, x: [i8; 4]) -> [v128; 2] {
            let x = i32x4_splat(i32::from_le_bytes(x.map(|x| x as u8)));
            [i16x8_shr(i16x8_shl(x, 8), 8), i16x8_shr(x, 8)]
        }
        fn dot(self, sum: v128, w: &[[u8; 4]; 4], x: [v128; 2]) -> v128 {
            let w = v128_load(w.as_ptr().cast());
            let (even, odd) = (v128_and(w, i16x8_splat(0xff)), u16x8_shr(w, 8));
            let [x_even, x_odd] = x;
            i32x4_add(i32x4_add(sum, i32x4_dot_i16x8(even, x_even)), i32x4_dot_i16x8(odd, x_odd))
        }
    }

    #[inline(always)]
    fn lstm_f32<const T: usize>(self, gates: [[v128; 4]; T], c: [v128; T]) -> [[v128; T]; 2] {
        gates::lstm(self, gates, c)
    }

    #[inline(always)]
    fn one_and_exp_f32(self, x: v128) -> v128 {
        gates::one_and_exp(self, x)
    }

    // Four loads: there is no gather.
    #[inline(always)]
    fn look_up(self, table: &[u32; 256], index: v128) -> v128 {
        let mut lanes = [0; 4];
        self.store_i32(index, &mut lanes);
        for lane in &mut lanes {
            let word = table.get(usize::from(*lane as u8));
            *lane = word.map_or(0, |&word| word as i32);
        }
        self.load_i32(&lanes)
    }
}
