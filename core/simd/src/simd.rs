//! The vector operations that kernels use, and nothing more.

use crate::slices;

/// 1.5 * 2^23: a sum with it is rounded to a whole number, which its low bits are.
pub const ROUND: f32 = 12_582_912.0;
/// Vectors of a panel: [`Simd::tall`].
pub const PANEL: usize = 4;
/// Rows that [`Simd::tall`] multiplies at a time.
pub const TALL: usize = 16;

/// Work for vectors of any instruction set: a generic closure, for [`Simd::run`].
pub trait WithSimd {
    /// What comes back.
    type Output;

    /// Does it, with vectors of `U` lanes. `B` is a number of operands whose sums, four vectors
    /// each, registers hold.
    ///
    /// This method and all that it calls are to be `#[inline(always)]`: only what is inlined is
    /// compiled for the instruction set.
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) -> Self::Output;
}

/// Vectors of `U` lanes. A value of the implementing type proves that this machine has the
/// instructions.
///
/// Integer operations are exact, so every implementation gives the same bits; f32 ones may fuse a
/// multiplication with an addition.
pub trait Simd<const U: usize>: Copy + core::fmt::Debug + Send + Sync {
    /// `U` f32.
    type F32: Copy;
    /// `U` int32.
    type I32: Copy;
    /// Four int8 of the operand, in every lane.
    type Group: Copy;
    /// Vectors that registers hold.
    const REGISTERS: usize = 16;
    /// Whether [`Simd::dot`] takes the offset of 128 off the weights.
    const SIGNED: bool = false;
    /// Whether [`Simd::tall`] takes less time than blocks of four rows.
    const TALL: bool = false;
    /// Whether [`Simd::lstm_f32`] of four vectors takes less time than one by one.
    const TOGETHER: bool = false;

    /// Does `work` in a function that is compiled for these instructions.
    fn run<W: WithSimd>(self, work: W) -> W::Output;

    /// The first columns of `a: [16, k]`, as many as `to` has, transposed: `[columns, 16]`.
    #[inline(always)]
    fn transpose(self, a: &[f32], k: usize, to: &mut [[f32; TALL]]) {
        for (index, to) in to.iter_mut().enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                *to = a.get(row * k + index).copied().unwrap_or_default();
            }
        }
    }

    /// One vector of a panel times sixteen rows: with `sums`, the sums over the columns.
    /// `x: [columns, 16]`, `panel: [columns, 4, U]`. With every column a line of `next` is
    /// prefetched, if it has so many.
    #[inline(always)]
    fn tall(
        self,
        x: &[[f32; TALL]],
        panel: &[[[f32; U]; PANEL]],
        vector: usize,
        next: &[f32],
        mut sums: [Self::F32; TALL],
    ) -> [Self::F32; TALL] {
        let _ = next;
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

    /// Prefetches what will be read soon, and does not follow what was read before.
    #[inline(always)]
    fn prefetch<T>(self, from: &[T]) {
        let _ = from;
    }

    /// Prefetches the cache line of a number, if there is one.
    #[inline(always)]
    fn prefetch_line(self, number: Option<&f32>) {
        if let Some(number) = number {
            self.prefetch(core::slice::from_ref(number));
        }
    }

    /// Prefetches what will be read after much else: as far as the second-level cache.
    #[inline(always)]
    fn prefetch_far<T>(self, from: &[T]) {
        let _ = from;
    }

    /// The f32 cells of `T` vectors of an LSTM's units, from their pre-activations i, f, g and o,
    /// and the cell state before: the one after, and h. [`crate::gates::lstm`], or better.
    fn lstm_f32<const T: usize>(
        self,
        gates: [[Self::F32; 4]; T],
        c: [Self::F32; T],
    ) -> [[Self::F32; T]; 2];
    /// `1 + e^-x`, where an absolute error of its inverse counts.
    fn one_and_exp_f32(self, x: Self::F32) -> Self::F32;

    /// A number in all lanes.
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
    /// Reads a vector.
    fn load_f32(self, from: &[f32; U]) -> Self::F32;
    /// Writes a vector.
    fn store_f32(self, x: Self::F32, to: &mut [f32; U]);
    /// Reads the first lanes, as many as there are numbers; the others are zero.
    #[inline(always)]
    fn load_part_f32(self, from: &[f32]) -> Self::F32 {
        self.load_f32(&slices::take(from, 0))
    }
    /// Writes the first lanes, as many as there is room for: so that what is read soon afterwards,
    /// four numbers from a multiple of four on, is in one piece.
    #[inline(always)]
    fn store_part_f32(self, x: Self::F32, to: &mut [f32]) {
        match to.first_chunk_mut() {
            Some(all) => self.store_f32(x, all),
            None => {
                let mut all = [0.0; U];
                self.store_f32(x, &mut all);
                slices::put(all, to, 0);
            }
        }
    }
    /// `a + b`.
    fn add_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`.
    fn mul_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`.
    fn div_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller one, lane by lane.
    fn min_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The larger one, lane by lane.
    fn max_f32(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`.
    fn madd_f32(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `p 2^n`, a normal number, for `n` in the low bits of the sum `shifted` of n and [`ROUND`]:
    /// it is added to p's exponent.
    fn scale(self, p: Self::F32, shifted: Self::F32) -> Self::F32;

    /// A number in all lanes.
    fn splat_i32(self, x: i32) -> Self::I32;
    /// Reads a vector.
    fn load_i32(self, from: &[i32; U]) -> Self::I32;
    /// Reads a vector, and widens it.
    fn load_i16(self, from: &[i16; U]) -> Self::I32;
    /// Writes a vector.
    fn store_i32(self, x: Self::I32, to: &mut [i32; U]);
    /// Writes lanes that are in the range of int16.
    fn store_i16(self, x: Self::I32, to: &mut [i16; U]);
    /// Writes lanes that are in the range of int8.
    fn store_i8(self, x: Self::I32, to: &mut [i8; U]);
    /// `a + b`, wrapping.
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// The product of lanes in the range of int16, `a` at least 0.
    fn mul_i16(self, a: Self::I32, b: Self::I32) -> Self::I32;
    /// Shifts left.
    fn shl_i32(self, x: Self::I32, bits: u32) -> Self::I32;
    /// Shifts right, arithmetically.
    fn shr_i32(self, x: Self::I32, bits: u32) -> Self::I32;
    /// The low 16 bits of each lane.
    fn low_half(self, x: Self::I32) -> Self::I32;
    /// Lanes from `min` to `max`.
    fn clamp_i32(self, x: Self::I32, min: i32, max: i32) -> Self::I32;
    /// `(acc m + 2^(shift-1)) >> shift` of the 64-bit product, where an int32 holds the result;
    /// shift 8 to 31.
    fn requantize(self, acc: Self::I32, m: Self::I32, shift: u32) -> Self::I32;
    /// The words of a table that the low bytes of the lanes choose.
    fn look_up(self, table: &[u32; 256], index: Self::I32) -> Self::I32;

    /// Four int8 of an operand, for [`Simd::dot`].
    fn group(self, x: [i8; 4]) -> Self::Group;
    /// `sum` and the four products of each lane's weights, unsigned unless `SIGNED`, and the group.
    fn dot(self, sum: Self::I32, w: &[[u8; 4]; U], x: Self::Group) -> Self::I32;
}
