//! What integer cells need beyond [`Simd`]: fixed-point activations, and an LSTM's cells where an
//! instruction set has a better way than vector by vector.

use gatelet_simd::Simd;

use crate::fixed::activation::Function;

/// The integer cells of four tiles of an LSTM, `4 U` units: what [`FixedSimd::lstm_int8`] takes.
///
/// Sums, multipliers and addends stand by tile and gate, in the order i, f, g, o.
#[derive(Debug)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "only AVX-512 has a better way")
)]
pub(crate) struct LstmTiles<'a, const U: usize> {
    /// The sums of the products.
    pub(crate) sums: &'a [[[i32; U]; 4]; 4],
    /// What they are multiplied by.
    pub(crate) multipliers: &'a [[[i32; U]; 4]; 4],
    /// The shift that follows, 8 to 31.
    pub(crate) shift: u32,
    /// What is added: Q3.12.
    pub(crate) addends: &'a [[[i16; U]; 4]; 4],
    /// Integer bits of the cell state above three.
    pub(crate) extra: u32,
    /// The cell state before, which becomes the one after.
    pub(crate) c: &'a mut [[i16; U]; 4],
    /// The new h, scale 1/128.
    pub(crate) h: &'a mut [[i8; U]; 4],
}

/// Vectors with the activations of the integer specification: the same bits on all of them.
pub(crate) trait FixedSimd<const U: usize>: Simd<U> {
    /// [`piecewise`](crate::fixed::activation::piecewise) of the lanes of several vectors, which are in
    /// the range of int16.
    #[inline(always)]
    fn piecewise<const N: usize>(
        self,
        function: Function,
        mut z: [Self::I32; N],
    ) -> [Self::I32; N] {
        for z in &mut z {
            let segment = self.look_up(function.table(), self.shr_i32(*z, 8));
            // A slope is at least 0 and below 2^15.
            let slope = self.low_half(segment);
            *z = self.shr_i32(self.add_i32(self.mul_i16(slope, *z), segment), 16);
        }
        z
    }

    /// The integer cells of four tiles of an LSTM, if there is a better way than vector by vector;
    /// otherwise `false`, and nothing is done.
    #[inline(always)]
    fn lstm_int8(self, tiles: LstmTiles<'_, U>) -> bool {
        let _ = tiles;
        false
    }
}

#[cfg(target_arch = "x86_64")]
impl FixedSimd<8> for gatelet_simd::x86_64::Avx2 {}
#[cfg(target_arch = "x86_64")]
impl FixedSimd<8> for gatelet_simd::x86_64::AvxVnni {}
#[cfg(target_arch = "aarch64")]
impl FixedSimd<4> for gatelet_simd::aarch64::Neon {}
#[cfg(target_arch = "aarch64")]
impl FixedSimd<4> for gatelet_simd::aarch64::NeonDot {}
#[cfg(target_arch = "wasm32")]
impl FixedSimd<4> for gatelet_simd::wasm32::Simd128 {}
