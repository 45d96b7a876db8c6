//! NEON: four rows a vector.

#[cfg(feature = "std")]
extern crate std;

use core::arch::aarch64::*;

use crate::gates;
use crate::simd::Simd;

/// NEON, which is part of the architecture.
#[derive(Clone, Copy, Debug)]
pub struct Neon {
    _found: (),
}

impl Neon {
    /// The proof: every aarch64 processor has it.
    pub fn new() -> Option<Self> {
        Some(Neon { _found: () })
    }
}

/// NEON with the dot product of bytes (SDOT), which Armv8.2 may have and Armv8.4 has.
#[derive(Clone, Copy, Debug)]
pub struct NeonDot {
    _found: (),
}

impl NeonDot {
    /// The proof, where the processor has it. With the feature `std` the operating system is asked;
    /// without, only a build with `-C target-feature=+dotprod` has it.
    pub fn new() -> Option<Self> {
        #[cfg(feature = "std")]
        let found = std::arch::is_aarch64_feature_detected!("dotprod");
        #[cfg(not(feature = "std"))]
        let found = cfg!(target_feature = "dotprod");
        found.then_some(NeonDot { _found: () })
    }
}

/// Everything but the int8 product.
macro_rules! shared_operations {
    () => {
        operations! {
            fn splat_f32(self, x: f32) -> float32x4_t { vdupq_n_f32(x) }
            fn load_f32(self, from: &[f32; 4]) -> float32x4_t { vld1q_f32(from.as_ptr()) }
            fn store_f32(self, x: float32x4_t, to: &mut [f32; 4]) { vst1q_f32(to.as_mut_ptr(), x) }
            fn add_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t { vaddq_f32(a, b) }
            fn mul_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
            fn div_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t { vdivq_f32(a, b) }
            fn min_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t { vminq_f32(a, b) }
            fn max_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t { vmaxq_f32(a, b) }
            fn madd_f32(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
                vfmaq_f32(c, a, b)
            }
            fn scale(self, p: float32x4_t, shifted: float32x4_t) -> float32x4_t {
                let n = vshlq_n_s32::<23>(vreinterpretq_s32_f32(shifted));
                vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p), n))
            }

            fn splat_i32(self, x: i32) -> int32x4_t { vdupq_n_s32(x) }
            fn load_i32(self, from: &[i32; 4]) -> int32x4_t { vld1q_s32(from.as_ptr()) }
            fn load_i16(self, from: &[i16; 4]) -> int32x4_t { vmovl_s16(vld1_s16(from.as_ptr())) }
            fn store_i32(self, x: int32x4_t, to: &mut [i32; 4]) { vst1q_s32(to.as_mut_ptr(), x) }
            fn store_i16(self, x: int32x4_t, to: &mut [i16; 4]) {
                vst1_s16(to.as_mut_ptr(), vmovn_s32(x))
            }
            fn store_i8(self, x: int32x4_t, to: &mut [i8; 4]) {
                let mut lanes = [0_i32; 4];
                vst1q_s32(lanes.as_mut_ptr(), x);
                *to = lanes.map(|lane| lane as i8)
            }
            fn add_i32(self, a: int32x4_t, b: int32x4_t) -> int32x4_t { vaddq_s32(a, b) }
            fn mul_i16(self, a: int32x4_t, b: int32x4_t) -> int32x4_t { vmulq_s32(a, b) }
            fn shl_i32(self, x: int32x4_t, bits: u32) -> int32x4_t {
                vshlq_s32(x, vdupq_n_s32(bits as i32))
            }
            fn shr_i32(self, x: int32x4_t, bits: u32) -> int32x4_t {
                vshlq_s32(x, vdupq_n_s32(-(bits as i32)))
            }
            fn low_half(self, x: int32x4_t) -> int32x4_t { vandq_s32(x, vdupq_n_s32(0xffff)) }
            fn clamp_i32(self, x: int32x4_t, min: i32, max: i32) -> int32x4_t {
                vmaxq_s32(vminq_s32(x, vdupq_n_s32(max)), vdupq_n_s32(min))
            }
            // SRSHL by a negative count is the rounding shift right, and its rounding constant
            // never overflows.
            fn requantize(self, acc: int32x4_t, m: int32x4_t, shift: u32) -> int32x4_t {
                let shift = vdupq_n_s64(-i64::from(shift));
                let low = vrshlq_s64(vmull_s32(vget_low_s32(acc), vget_low_s32(m)), shift);
                let high = vrshlq_s64(vmull_high_s32(acc, m), shift);
                vmovn_high_s64(vmovn_s64(low), high)
            }
        }

        #[inline(always)]
        fn lstm_f32<const T: usize>(
            self,
            gates: [[float32x4_t; 4]; T],
            c: [float32x4_t; T],
        ) -> [[float32x4_t; T]; 2] {
            gates::lstm(self, gates, c)
        }

        #[inline(always)]
        fn one_and_exp_f32(self, x: float32x4_t) -> float32x4_t {
            gates::one_and_exp(self, x)
        }

        // Four loads: there is no gather.
        #[inline(always)]
        fn look_up(self, table: &[u32; 256], index: int32x4_t) -> int32x4_t {
            let mut lanes = [0; 4];
            self.store_i32(index, &mut lanes);
            for lane in &mut lanes {
                let word = table.get(usize::from(*lane as u8));
                *lane = word.map_or(0, |&word| word as i32);
            }
            self.load_i32(&lanes)
        }
    };
}

impl Simd<4> for Neon {
    type F32 = float32x4_t;
    type I32 = int32x4_t;
    type Group = int8x8_t;
    const SIGNED: bool = true;

    run!(Neon, 4, 4, target_feature(enable = "neon"));

    shared_operations!();

    operations! {
        fn group(self, x: [i8; 4]) -> int8x8_t {
            vreinterpret_s8_s32(vdup_n_s32(i32::from_le_bytes(x.map(|x| x as u8))))
        }
        // Two products of int8 fit an int16: |w| <= 127.
        fn dot(self, sum: int32x4_t, w: &[[u8; 4]; 4], x: int8x8_t) -> int32x4_t {
            let w = veorq_u8(vld1q_u8(w.as_flattened().as_ptr()), vdupq_n_u8(0x80));
            let w = vreinterpretq_s8_u8(w);
            let (low, high) = (vmull_s8(vget_low_s8(w), x), vmull_s8(vget_high_s8(w), x));
            vpadalq_s16(sum, vpaddq_s16(low, high))
        }
    }
}

impl Simd<4> for NeonDot {
    type F32 = float32x4_t;
    type I32 = int32x4_t;
    type Group = int8x16_t;
    const SIGNED: bool = true;

    run!(NeonDot, 4, 4, target_feature(enable = "neon,dotprod"));

    shared_operations!();

    operations! {
        fn group(self, x: [i8; 4]) -> int8x16_t {
            vreinterpretq_s8_s32(vdupq_n_s32(i32::from_le_bytes(x.map(|x| x as u8))))
        }
        fn dot(self, sum: int32x4_t, w: &[[u8; 4]; 4], x: int8x16_t) -> int32x4_t {
            let w = veorq_u8(vld1q_u8(w.as_flattened().as_ptr()), vdupq_n_u8(0x80));
            let mut sum = sum;
            // The function for this instruction is not in stable Rust yet. Being inlined into a
            // function with `dotprod`, it is assembled there.
            core::arch::asm!(
                "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
                inout(vreg) sum,
                in(vreg) w,
                in(vreg) x,
                options(pure, nomem, nostack, preserves_flags)
            );
            sum
        }
    }
}
