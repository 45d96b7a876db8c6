//! The vector operations the kernel on rows uses, and nothing more; and `wide`'s answer to them.

use wide::{f32x8, i8x16, i16x16, i32x8};

/// Products of int8 vectors, summed into int32 lanes; and of f32 vectors.
///
/// Integer sums are exact in any order, so every implementation gives the same bits. An implementation may round
/// f32 sums in any order.
pub(crate) trait Vector: Copy {
    /// int8 elements taken at once.
    const INT8_LANES: usize;
    /// f32 elements taken at once.
    const F32_LANES: usize;
    /// Elements of an int8 operand, widened for several rows.
    type Int8: Copy;
    /// int32 partial sums.
    type Sum: Copy;
    /// Elements of an f32 operand.
    type F32: Copy;

    fn load_int8(self, elements: &[i8]) -> Self::Int8;
    fn zero_int8(self) -> Self::Sum;
    /// `sum + a * b`, lanes folded in any way.
    fn madd_int8(self, sum: Self::Sum, a: Self::Int8, b: Self::Int8) -> Self::Sum;
    fn reduce_int8(self, sum: Self::Sum) -> i32;

    fn load_f32(self, elements: &[f32]) -> Self::F32;
    fn zero_f32(self) -> Self::F32;
    fn madd_f32(self, sum: Self::F32, a: Self::F32, b: Self::F32) -> Self::F32;
    fn reduce_f32(self, sum: Self::F32) -> f32;
}

/// The `wide` crate: vectors of whatever this build's baseline has, chosen at compile time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide;

impl Vector for Wide {
    const INT8_LANES: usize = 16;
    const F32_LANES: usize = 8;
    type Int8 = i16x16;
    type Sum = i32x8;
    type F32 = f32x8;

    #[inline(always)]
    fn load_int8(self, elements: &[i8]) -> i16x16 {
        let lanes: [i8; 16] = elements.first_chunk().copied().unwrap_or_default();
        i16x16::from_i8x16(i8x16::new(lanes))
    }

    #[inline(always)]
    fn zero_int8(self) -> i32x8 {
        i32x8::ZERO
    }

    /// Widened to int16 before multiplying: two products of int8 never saturate an int32 lane.
    #[inline(always)]
    fn madd_int8(self, sum: i32x8, a: i16x16, b: i16x16) -> i32x8 {
        sum + a.dot(b)
    }

    #[inline(always)]
    fn reduce_int8(self, sum: i32x8) -> i32 {
        sum.reduce_add()
    }

    #[inline(always)]
    fn load_f32(self, elements: &[f32]) -> f32x8 {
        let lanes: [f32; 8] = elements.first_chunk().copied().unwrap_or_default();
        f32x8::new(lanes)
    }

    #[inline(always)]
    fn zero_f32(self) -> f32x8 {
        f32x8::ZERO
    }

    /// Not `mul_add`: where the baseline has no FMA, that calls a library function per lane.
    #[inline(always)]
    fn madd_f32(self, sum: f32x8, a: f32x8, b: f32x8) -> f32x8 {
        sum + a * b
    }

    #[inline(always)]
    fn reduce_f32(self, sum: f32x8) -> f32 {
        sum.reduce_add()
    }
}
