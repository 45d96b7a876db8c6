//! A kernel for programs that know their model: it leaves out what the model does not need.
//!
//! What a session does is decided by the model, at run time, so every program pays for every operation
//! in flash. A firmware that is built around one model names its kernel `Only<Native, BITS>`, with the
//! bits of [`Net::capabilities`]: the decision falls while compiling, and the linker drops the rest. The
//! arithmetic is the kernel's inside.

use super::{Kernel, sealed};
use crate::net::{Capabilities, Layout, Net};
use crate::weights::layer::{LayerF32, LayerInt8, ProductInt8, RecurrentF32};
use crate::weights::matrix::MatrixF32;

/// The kernel `K` with the capabilities of these bits: a [`Session`](crate::Session) refuses models that
/// need others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Only<K, const BITS: u32>(K);

impl<K: Kernel, const BITS: u32> sealed::Sealed for Only<K, BITS> {}

impl<K: Kernel, const BITS: u32> Kernel for Only<K, BITS> {
    const NAME: &'static str = K::NAME;
    const F32_IS_SCALAR: bool = K::F32_IS_SCALAR;
    const CAPABILITIES: Capabilities = Capabilities::from_bits(BITS);

    fn layout(self, net: &Net) -> Layout {
        self.0.layout(net)
    }

    fn reversed(self) -> Self {
        Only(self.0.reversed())
    }

    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        self.0.layer_f32(layer, addend, x, c, next);
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        self.0.layer_int8(layer, addend, x, c, next);
    }

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        self.0.add_products_f32(matrix, x, sums);
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        self.0.add_products_int8(product, x, sums);
    }

    fn dense_f32(self, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
        self.0.dense_f32(matrix, bias, x, y);
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        self.0.dense_int8(product, bias, x, y);
    }

    #[inline(always)]
    fn gru_f32(
        self,
        gru: &RecurrentF32<'_>,
        addend: &[f32],
        x: &[f32],
        sums: &mut [f32],
        next: &mut [f32],
    ) -> bool {
        self.0.gru_f32(gru, addend, x, sums, next)
    }

    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        self.0.gru_cells_int8(sums, carried, next);
    }

    fn sigmoid_f32(self, numbers: &mut [f32]) {
        self.0.sigmoid_f32(numbers);
    }

    fn tanh_f32(self, numbers: &mut [f32]) {
        self.0.tanh_f32(numbers);
    }
}
