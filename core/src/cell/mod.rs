//! Cells and functions on sums: what becomes of an operation's products. One file each, the equation
//! first.

pub(crate) mod add;
pub(crate) mod dense;
pub(crate) mod gru;
pub(crate) mod lstm;
pub(crate) mod relu;
pub(crate) mod rnn;

use crate::weights::layer::ProductInt8;
use crate::weights::matrix::MatrixF32;

/// What cells ask of a kernel. Methods are those of [`Kernel`](crate::Kernel), which every kernel
/// has: so cells do not depend on kernels.
pub(crate) trait Products: Copy {
    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]);
    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]);
    fn dense_f32(self, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]);
    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]);
    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]);
    fn sigmoid_f32(self, numbers: &mut [f32]);
    fn tanh_f32(self, numbers: &mut [f32]);
}
