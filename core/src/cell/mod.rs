//! Cells and functions on sums: what becomes of an operation's products. One file each, the equation
//! first.

pub(crate) mod add;
pub(crate) mod dense;
pub(crate) mod gate;
pub(crate) mod gru;
pub(crate) mod lstm;
pub(crate) mod relu;
pub(crate) mod rnn;

use crate::net::{Capabilities, Kind};
use crate::weights::layer::{ProductInt8, RecurrentF32, RecurrentInt8};
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

/// One step in f32.
#[inline(always)]
pub(crate) fn step_f32<K: Products>(kernel: K, of: &RecurrentF32<'_>, step: StepF32<'_>) {
    let can = |what| K::CAPABILITIES.has(what);
    match of.kind {
        Kind::Rnn { .. } if can(Capabilities::RELU) => relu::step_f32(kernel, of, step),
        Kind::Lstm { .. } if can(Capabilities::HARD_LSTM) => lstm::step_f32(kernel, of, step),
        Kind::Gru { .. } if can(Capabilities::GRU) => gru::step_f32(kernel, of, step),
        _ => {}
    }
}

/// One step in int8.
#[inline(always)]
pub(crate) fn step_int8<K: Products>(kernel: K, of: &RecurrentInt8<'_>, step: StepInt8<'_>) {
    let can = |what| K::CAPABILITIES.has(what);
    match of.kind {
        Kind::Rnn { .. } if can(Capabilities::RELU) => relu::step_int8(kernel, of, step),
        Kind::Lstm { .. } if can(Capabilities::HARD_LSTM) => lstm::step_int8(kernel, of, step),
        Kind::Gru { .. } if can(Capabilities::GRU) => gru::step_int8(kernel, of, step),
        _ => {}
    }
}

/// Addends as sums to begin with, by fours: one by one takes a small core twice as long.
fn widen(from: &[i16], to: &mut [i32]) {
    let (fours, rest) = from.as_chunks::<4>();
    let (to_fours, to_rest) = to.as_chunks_mut::<4>();
    for (to, &[a, b, c, d]) in to_fours.iter_mut().zip(fours) {
        *to = [a.into(), b.into(), c.into(), d.into()];
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = i32::from(*from);
    }
}
