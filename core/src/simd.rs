//! The vector operations the tiled kernels use, and nothing more; and `wide`'s answer to them.

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

/// How far ahead weights are asked for, in bytes, when they come from beyond the second-level cache.
pub(crate) const AHEAD: usize = 4096;

/// Vectors of `U` lanes, each of them a row of its own: what the tile kernels (`kernel/tiled.rs`) use, and nothing more.
///
/// A value of the implementing type proves that this machine has the instructions. Integer operations are exact, so
/// every implementation gives the same bits; f32 ones may fuse a multiplication with an addition.
pub(crate) trait Lanes<const U: usize>: Copy {
    /// `U` f32.
    type F32: Copy;
    /// `U` int32.
    type I32: Copy;
    /// Four int8 of the operand, in every lane.
    type Group: Copy;
    /// Whether [`Lanes::dot`] takes the offset of 128 off the weights.
    const SIGNED: bool = false;

    fn splat_f32(self, x: f32) -> Self::F32;
    fn load_f32(self, from: &[f32; U]) -> Self::F32;
    fn store_f32(self, x: Self::F32, to: &mut [f32; U]);
    fn add_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn min_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn max_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`.
    fn madd_f32(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `2^n` for whole n in -126..=127.
    fn exp2(self, n: Self::F32) -> Self::F32;

    fn splat_i32(self, x: i32) -> Self::I32;
    fn load_i32(self, from: &[i32; U]) -> Self::I32;
    fn load_i16(self, from: &[i16; U]) -> Self::I32;
    fn store_i32(self, x: Self::I32, to: &mut [i32; U]);
    /// Lanes in the range of int16.
    fn store_i16(self, x: Self::I32, to: &mut [i16; U]);
    /// Lanes in the range of int8.
    fn store_i8(self, x: Self::I32, to: &mut [i8; U]);
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The product of lanes in the range of int16, `a` at least 0.
    fn mul_i16(self, a: Self::I32, b: Self::I32) -> Self::I32;
    fn shl_i32(self, x: Self::I32, bits: u32) -> Self::I32;
    /// Arithmetic.
    fn shr_i32(self, x: Self::I32, bits: u32) -> Self::I32;
    /// The low 16 bits of each lane.
    fn low_half(self, x: Self::I32) -> Self::I32;
    fn clamp_i32(self, x: Self::I32, min: i32, max: i32) -> Self::I32;
    /// `(acc m + 2^(shift-1)) >> shift` of the 64-bit product, where an int32 holds the result; shift 8 to 31.
    fn requantize(self, acc: Self::I32, m: Self::I32, shift: u32) -> Self::I32;
    /// The table's words at the second lowest bytes of the lanes, for several vectors.
    fn segments<const N: usize>(self, table: &[u32; 256], z: [Self::I32; N]) -> [Self::I32; N];

    /// Asks for the weights that come [`AHEAD`] bytes after these.
    fn prefetch<T>(self, weights: &T);

    fn group(self, x: [i8; 4]) -> Self::Group;
    /// `sum` and the four products of each lane's weights, unsigned unless `SIGNED`, and the group.
    fn dot(self, sum: Self::I32, w: &[[u8; 4]; U], x: Self::Group) -> Self::I32;
}
