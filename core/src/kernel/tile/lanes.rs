//! The vector operations the tile kernel uses.

use super::gates::cell_f32;
use super::int8::Four;
use crate::activation::Function;
use crate::kernel::dense::{PANEL, TALL};

/// 1.5 * 2^23: a sum with it is rounded to a whole number, which its low bits are.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// Vectors of `U` lanes, each of them a row of its own: what the tile kernel uses, and
/// nothing more.
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
    /// Vectors that registers hold.
    const REGISTERS: usize = 16;
    /// Whether [`Lanes::dot`] takes the offset of 128 off the weights.
    const SIGNED: bool = false;

    /// Whether [`Lanes::tall`] takes less time than blocks of four rows.
    const TALL: bool = false;

    /// The first columns of `a: [16, k]`, as many as `to` has: `[columns, 16]`.
    #[inline(always)]
    fn side_by_side(self, a: &[f32], k: usize, to: &mut [[f32; TALL]]) {
        for (index, to) in to.iter_mut().enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                *to = a.get(row * k + index).copied().unwrap_or_default();
            }
        }
    }

    /// One vector of a panel times sixteen rows, which stand side by side: with `sums`, the sums over the columns. A line of `ahead`, if it has so
    /// many, is asked for with every column.
    #[inline(always)]
    fn tall(
        self,
        x: &[[f32; TALL]],
        panel: &[[[f32; U]; PANEL]],
        vector: usize,
        ahead: &[f32],
        mut sums: [Self::F32; TALL],
    ) -> [Self::F32; TALL] {
        let _ = ahead;
        for (x, column) in x.iter().zip(panel) {
            let Some(w) = column.get(vector) else {
                return sums;
            };
            for (sum, &x) in sums.iter_mut().zip(x) {
                *sum = self.madd_f32(self.load_f32(w), self.splat_f32(x), *sum);
            }
        }
        sums
    }

    /// Asks for what will be read soon, and is not a tile's weights, which come one after the other.
    #[inline(always)]
    fn ask_for<T>(self, from: &[T]) {
        let _ = from;
    }

    /// Asks for the cache line of a number, if there is one.
    #[inline(always)]
    fn ask_for_line(self, number: Option<&f32>) {
        if let Some(number) = number {
            self.ask_for(core::slice::from_ref(number));
        }
    }

    /// Asks for what will be read after much else: as far as the second-level cache.
    #[inline(always)]
    fn ask_ahead<T>(self, from: &[T]) {
        let _ = from;
    }

    /// The cells of four tiles of an LSTM, if there is a better way than vector by vector; otherwise no, and nothing is done.
    #[inline(always)]
    fn four(self, cells: Four<'_, U>) -> bool {
        let _ = cells;
        false
    }

    /// Whether [`Lanes::cells`] of four vectors take less time than one by one.
    const TOGETHER: bool = false;

    /// The f32 cells of `T` vectors of an LSTM's units, from their pre-activations i, f, g and o, and the cell state before: the one after,
    /// and h.
    #[inline(always)]
    fn cells<const T: usize>(
        self,
        gates: [[Self::F32; 4]; T],
        mut c: [Self::F32; T],
    ) -> [[Self::F32; T]; 2] {
        let mut h = c;
        for ((c, h), gates) in c.iter_mut().zip(&mut h).zip(gates) {
            (*c, *h) = cell_f32(self, gates, *c);
        }
        [c, h]
    }

    fn splat_f32(self, x: f32) -> Self::F32;
    /// A number of memory in all lanes.
    #[inline(always)]
    fn broadcast(self, x: &f32) -> Self::F32 {
        self.splat_f32(*x)
    }
    /// Four numbers of memory, each in all lanes.
    #[inline(always)]
    fn spread(self, x: &[f32; 4]) -> [Self::F32; 4] {
        let [a, b, c, d] = *x;
        [
            self.splat_f32(a),
            self.splat_f32(b),
            self.splat_f32(c),
            self.splat_f32(d),
        ]
    }
    fn load_f32(self, from: &[f32; U]) -> Self::F32;
    fn store_f32(self, x: Self::F32, to: &mut [f32; U]);
    fn add_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn min_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn max_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`.
    fn madd_f32(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `p 2^n`, a normal number, for `n` in the low bits of the sum `shifted` of n and [`ROUND`]: it is added to p's exponent.
    fn scale(self, p: Self::F32, shifted: Self::F32) -> Self::F32;

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
    /// [`piecewise`](crate::activation::piecewise) of the lanes of several vectors, which are in the range of int16.
    fn piecewise<const N: usize>(self, function: Function, z: [Self::I32; N]) -> [Self::I32; N];
    /// The word's line at z: `(z slope + T) >> 16`.
    #[inline(always)]
    fn line(self, z: Self::I32, segment: Self::I32) -> Self::I32 {
        // A slope is at least 0 and below 2^15.
        let slope = self.low_half(segment);
        self.shr_i32(self.add_i32(self.mul_i16(slope, z), segment), 16)
    }

    fn group(self, x: [i8; 4]) -> Self::Group;
    /// `sum` and the four products of each lane's weights, unsigned unless `SIGNED`, and the group.
    fn dot(self, sum: Self::I32, w: &[[u8; 4]; U], x: Self::Group) -> Self::I32;
}
