//! Kernels: the arithmetic of one step of one layer.
//!
//! `scalar.rs` is the executable specification: never optimised, every other kernel is tested against it. `generic.rs`
//! is the tiled algorithm, written once over the small vector trait of `simd.rs`; an instruction set
//! instantiates it. int8 kernels give the same bits on every machine; f32 kernels agree within the bound of
//! docs/numerics.md.

pub(crate) mod generic;
pub(crate) mod scalar;
mod select;
pub(crate) mod thumb;

#[cfg(mve)]
pub use crate::arch::arm::mve::Mve;
pub use generic::Portable;
pub use scalar::Scalar;
pub use select::{Isa, Native, WithKernel};
pub use thumb::Thumb;

use crate::dims::{Dims, Layout};
use crate::layer::{HeadF32, HeadInt8, LayerF32, LayerInt8};

/// Keeps [`Kernel`] to this crate's types: its operations rely on views that were checked by
/// [`Model::from_bytes`](crate::Model::from_bytes).
pub(crate) mod sealed {
    pub trait Sealed {}
}

/// One way to do the arithmetic: a token whose existence says that this machine can run it.
///
/// The operand `x` is `[columns]`, padded with zeros. The new hidden state goes to `next` and not over the old one,
/// which other units still read. `c` is updated in place: unit `j` reads and writes only `c[j]`.
pub trait Kernel: Copy + core::fmt::Debug + sealed::Sealed {
    /// The name in reports and for [`Isa::from_name`].
    const NAME: &'static str;

    /// The layout in which a model of this shape runs fastest. Every kernel runs every layout.
    fn layout(self, dims: &Dims) -> Layout {
        let _ = dims;
        Layout::Rows
    }

    /// One step of a layer in f32. `addend: [rows]`, `x: [columns]`, `c: [hidden]` (empty for the RNN),
    /// `next: [hidden]`.
    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    );

    /// One step of a layer in int8. `addend: [rows]` Q3.12, `x: [columns]` scale 1/128, `c: [hidden]`
    /// Q(cell_bits) (empty for the RNN), `next: [hidden]` scale 1/128.
    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    );

    /// Logits from the top layer's hidden state in f32. `x: [columns]`, `logits: [vocab]`.
    fn head_f32(self, head: &HeadF32<'_>, x: &[f32], logits: &mut [f32]);

    /// Logits from the top layer's hidden state in int8. `x: [columns]` scale 1/128, `logits: [vocab]` Q15.16.
    fn head_int8(self, head: &HeadInt8<'_>, x: &[i8], logits: &mut [i32]);
}
