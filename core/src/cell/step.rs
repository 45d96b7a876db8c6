//! What cells ask of a kernel, and the parts of a step.

use crate::net::Capabilities;
use crate::weights::layer::{ProductInt8, RecurrentF32};
use crate::weights::matrix::MatrixF32;

/// What cells ask of a kernel. Methods are those of [`Kernel`](crate::Kernel), which every kernel
/// has: so cells do not depend on kernels.
pub(crate) trait Products: Copy {
    /// What the program can do: cells that it cannot are no part of it.
    const CAPABILITIES: Capabilities;

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]);
    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]);
    fn dense_f32(self, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]);
    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]);
    fn gru_f32(self, gru: &RecurrentF32<'_>, step: &mut StepF32<'_>) -> bool;
    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]);
    fn sigmoid_f32(self, numbers: &mut [f32]);
    fn tanh_f32(self, numbers: &mut [f32]);
}

/// A step of a recurrent operation on sums in memory: what it reads, changes and makes. `N` numbers,
/// `A` addends, `C` of a carried state, `S` sums.
pub(crate) struct Step<'s, N, A, C, S> {
    /// `[addends * units]`.
    pub(crate) addend: &'s [A],
    /// `[inputs + own]`.
    pub(crate) x: &'s [N],
    /// `[units]`; empty where nothing besides h is carried.
    pub(crate) carried: &'s mut [C],
    /// `[sums * units]` or more.
    pub(crate) sums: &'s mut [S],
    /// `[own]`: the new h.
    pub(crate) next: &'s mut [N],
}

/// A step in f32.
pub(crate) type StepF32<'s> = Step<'s, f32, f32, f32, f32>;
/// A step in int8: addends in Q3.12, sums with 12 fraction bits.
pub(crate) type StepInt8<'s> = Step<'s, i8, i16, i16, i32>;

/// Addends as sums to begin with, by fours: one by one takes a small core twice as long.
pub(crate) fn widen(from: &[i16], to: &mut [i32]) {
    let (fours, rest) = from.as_chunks::<4>();
    let (to_fours, to_rest) = to.as_chunks_mut::<4>();
    for (to, &[a, b, c, d]) in to_fours.iter_mut().zip(fours) {
        *to = [a.into(), b.into(), c.into(), d.into()];
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = i32::from(*from);
    }
}
