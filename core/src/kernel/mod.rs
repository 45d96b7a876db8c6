//! Kernels: the arithmetic of one step of one layer.
//!
//! `scalar.rs` is the executable specification: never optimised, every other kernel is tested against it. `generic.rs`
//! works on rows, for the portable path; `tile/` on tiles whose every lane is a row, over the vectors of `gatelet-simd`;
//! `arch/tiles.rs` compiles it for each instruction set. Microcontrollers have `thumb.rs`, and assembly in `arch/arm`. int8 kernels give the same bits on every machine; f32 kernels agree within the bound of docs/numerics.md.

pub(crate) mod generic;
mod int4;
mod native;
mod only;
pub(crate) mod scalar;
mod select;
pub(crate) mod thumb;
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub(crate) mod tile;
mod wide;

#[cfg(armv7em)]
pub use crate::arch::arm::armv7em::{Armv7em, Armv7emInt4};
#[cfg(fpu)]
pub use crate::arch::arm::fpu::Fpu;
#[cfg(mve)]
pub use crate::arch::arm::mve::Mve;
#[cfg(mve)]
pub use crate::arch::arm::mve4::MveInt4;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use crate::arch::tiles::Simd128;
#[cfg(target_arch = "x86_64")]
pub use crate::arch::tiles::{Avx2, Avx512, AvxVnni};
#[cfg(target_arch = "aarch64")]
pub use crate::arch::tiles::{Neon, NeonDot};
pub use generic::Portable;
pub use int4::Int4;
pub use only::Only;
/// The integer specification piece by piece, for who trains through it (docs/numerics.md).
pub mod integer {
    pub use crate::cell::dense::activate_int8;
    pub use crate::cell::gru::{
        GruFunctions, GruUnit, gru_unit, gru_unit_before, gru_unit_of, reset_h, reset_h_of,
    };
    pub use crate::cell::lstm::{LstmUnit, lstm_unit, lstm_unit_of};
    pub use crate::cell::relu::relu_int8;
    pub use crate::cell::rnn::rnn_int8;
    pub use crate::fixed::{preactivation, requantize};
    pub use crate::weights::layer::{embedded, projected};
}
pub use native::Native;
pub use select::{Isa, NativeF32, NativeInt4, NativeInt4Rows, NativeRows, WithKernel};
pub use thumb::Thumb;

use crate::cell;
use crate::net::{Capabilities, Layout, Net};
use crate::weights::layer::{LayerF32, LayerInt8, ProductInt8, RecurrentF32};
use crate::weights::matrix::MatrixF32;

/// Keeps [`Kernel`] to this crate's types: its operations rely on views that were checked by
/// [`Model::from_bytes`](crate::Model::from_bytes).
pub(crate) mod sealed {
    pub trait Sealed {}
}

/// One session's part in a layer's step, in f32: `addend: [slots]`, `x: [columns]`, `c: [hidden]` (empty for the RNN),
/// `next: [hidden]`.
#[derive(Debug)]
pub struct StreamF32<'a> {
    /// The token's row, or the bias.
    pub addend: &'a [f32],
    /// The operand.
    pub x: &'a [f32],
    /// The cell state, updated in place.
    pub c: &'a mut [f32],
    /// The new hidden state.
    pub next: &'a mut [f32],
}

/// One session's part in a layer's step, in int8; shapes as in [`StreamF32`].
#[derive(Debug)]
pub struct StreamInt8<'a> {
    /// The token's row, or the bias: Q3.12.
    pub addend: &'a [i16],
    /// The operand, scale 1/128.
    pub x: &'a [i8],
    /// The cell state, Q(cell_bits), updated in place.
    pub c: &'a mut [i16],
    /// The new hidden state, scale 1/128.
    pub next: &'a mut [i8],
    /// For the tile kernels: what every sum starts from.
    #[allow(dead_code, reason = "not every target has tile kernels")]
    pub(crate) correction: i32,
}

/// One way to do the arithmetic: a token whose existence says that this machine can run it.
///
/// The operand `x` is `[columns]`, padded with zeros. The new hidden state goes to `next` and not over the old one,
/// which other units still read. `c` is updated in place: unit `j` reads and writes only `c[j]`.
pub trait Kernel: Copy + Send + Sync + core::fmt::Debug + sealed::Sealed {
    /// The name in reports and for [`Isa::from_name`].
    const NAME: &'static str;

    /// Whether this kernel's f32 arithmetic is [`Scalar`]'s, bit for bit: so it is for one that leaves the f32 operations as
    /// they are here.
    const F32_IS_SCALAR: bool = false;

    /// What a session with this kernel can do: everything, unless it is an [`Only`].
    const CAPABILITIES: Capabilities = Capabilities::ALL;

    /// Whether this kernel can compute products before their step: [`Kernel::products_f32`], [`Kernel::begin_f32`].
    const PIPELINED: bool = false;

    /// The layout in which a model of this net runs fastest. Every kernel runs every layout.
    fn layout(self, net: &Net) -> Layout {
        let _ = net;
        Layout::Rows
    }

    /// The same kernel, reading weights from the other end: no result changes, but what one step read last is still in
    /// the cache when the next begins with it. A session turns its kernel at every step if it has one
    /// layer, or computes products before their step; otherwise the other layers come between two reads of one.
    #[must_use]
    fn reversed(self) -> Self {
        self
    }

    /// Whether weights are read from the end.
    fn is_reversed(self) -> bool {
        false
    }

    /// One step of a layer for several sessions, in f32. The same bits as [`Kernel::layer_f32`] where the kernel's
    /// order of additions does not depend on their number.
    fn layer_f32_batch(self, layer: &LayerF32<'_>, streams: &mut [StreamF32<'_>]) {
        for s in streams {
            self.layer_f32(layer, s.addend, s.x, s.c, s.next);
        }
    }

    /// One step of a layer for several sessions, in int8: the same bits as [`Kernel::layer_int8`].
    fn layer_int8_batch(self, layer: &LayerInt8<'_>, streams: &mut [StreamInt8<'_>]) {
        for s in streams {
            self.layer_int8(layer, s.addend, s.x, s.c, s.next);
        }
    }

    /// One step of a layer in f32. `addend: [slots]`, `x: [columns]`, `c: [hidden]` (empty for the RNN),
    /// `next: [hidden]`.
    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        scalar::layer_f32(layer, addend, x, c, next);
    }

    /// One step of a layer in int8. `addend: [slots]` Q3.12, `x: [columns]` scale 1/128, `c: [hidden]`
    /// Q(cell_bits) (empty for the RNN), `next: [hidden]` scale 1/128.
    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    );

    /// Whether products with weights in this layout can be computed before their step: a kernel with
    /// [`Kernel::PIPELINED`] says yes for its own, of 8 bits.
    fn pipelines(self, layout: Layout) -> bool {
        let _ = layout;
        false
    }

    /// The products of a step of a layer that stands alone, for which [`Kernel::pipelines`]. `h: [columns]`, `sums: [pipeline_words]`.
    fn products_f32(self, layer: &LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
        let _ = (layer, h, sums);
    }

    /// The rest of the step: the bits of [`Kernel::layer_f32`]. The stream's `x` is not read.
    fn cells_f32(self, layer: &LayerF32<'_>, stream: StreamF32<'_>, sums: &mut [f32]) {
        let _ = (layer, stream, sums);
    }

    /// As [`Kernel::products_f32`].
    fn products_int8(self, layer: &LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
        let _ = (layer, h, sums);
    }

    /// The rest of the step: the bits of [`Kernel::layer_int8`]. The stream's `x` is not read.
    fn cells_int8(self, layer: &LayerInt8<'_>, stream: StreamInt8<'_>, sums: &mut [i32]) {
        let _ = (layer, stream, sums);
    }

    /// Begins a step of a layer above another for which [`Kernel::pipelines`], before the layers below it: some of the products of its own
    /// `h: [hidden]` and padding. `sums: [pipeline_words]` keeps them.
    fn begin_f32(self, layer: &LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
        let _ = (layer, h, sums);
    }

    /// The rest of the step: the bits of [`Kernel::layer_f32`].
    fn finish_f32(self, layer: &LayerF32<'_>, stream: StreamF32<'_>, sums: &mut [f32]) {
        let _ = (layer, stream, sums);
    }

    /// As [`Kernel::begin_f32`].
    fn begin_int8(self, layer: &LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
        let _ = (layer, h, sums);
    }

    /// The rest of the step: the bits of [`Kernel::layer_int8`].
    fn finish_int8(self, layer: &LayerInt8<'_>, stream: StreamInt8<'_>, sums: &mut [i32]) {
        let _ = (layer, stream, sums);
    }

    /// Adds products: `sums[r] += sum_k W[r,k] x[k]`. `x: [columns]` or more, `sums: [rows]`.
    ///
    /// With [`Kernel::add_products_int8`] the seam between kernels and operations: a GRU, a dense
    /// operation and everything else that has no method of its own run on any kernel by it.
    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        scalar::add_products_f32(matrix, x, sums);
    }

    /// Adds requantized products: `sums[r] += round(m_r sum_k W[r,k] x[k] >> shift)`. `x: [columns]`
    /// or more, `sums: [rows]`.
    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]);

    /// A dense operation's results without its activation: `y = bias + products`. `bias: [rows]` or
    /// more, `y: [rows]`.
    fn dense_f32(self, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
        copy(bias.get(..y.len()).unwrap_or_default(), y);
        self.add_products_f32(matrix, x, y);
    }

    /// As [`Kernel::dense_f32`].
    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        copy(bias.get(..y.len()).unwrap_or_default(), y);
        self.add_products_int8(product, x, y);
    }

    /// One step of a GRU of sigmoids and a tanh in f32, if the kernel has such a step of its own:
    /// false, and nothing is done, if not. `addend: [3 units]`, `x: [inputs + own]`,
    /// `sums: [4 units]`, `next: [own]`.
    #[inline(always)]
    fn gru_f32(
        self,
        gru: &RecurrentF32<'_>,
        addend: &[f32],
        x: &[f32],
        sums: &mut [f32],
        next: &mut [f32],
    ) -> bool {
        let _ = (gru, addend, x, sums, next);
        false
    }

    /// The cells of a GRU with reset after, in int8: `sums: [4, units]` of r, z, what the candidate
    /// reads and its h, `carried: [units]`, `next: [units]` or more.
    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        cell::gru::cells(sums, carried, next);
    }

    /// The sigmoid of every number, in place.
    fn sigmoid_f32(self, numbers: &mut [f32]) {
        for x in numbers {
            *x = crate::fixed::activation::sigmoid_f32(*x);
        }
    }

    /// tanh of every number, in place.
    fn tanh_f32(self, numbers: &mut [f32]) {
        for x in numbers {
            *x = crate::fixed::activation::tanh_f32(*x);
        }
    }
}

impl<K: Kernel> cell::Products for K {
    const CAPABILITIES: Capabilities = K::CAPABILITIES;

    #[inline(always)]
    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        Kernel::add_products_f32(self, matrix, x, sums);
    }

    #[inline(always)]
    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        Kernel::add_products_int8(self, product, x, sums);
    }

    #[inline(always)]
    fn dense_f32(self, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
        Kernel::dense_f32(self, matrix, bias, x, y);
    }

    #[inline(always)]
    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        Kernel::dense_int8(self, product, bias, x, y);
    }

    #[inline(always)]
    fn gru_f32(self, gru: &RecurrentF32<'_>, step: &mut cell::StepF32<'_>) -> bool {
        Kernel::gru_f32(self, gru, step.addend, step.x, step.sums, step.next)
    }

    #[inline(always)]
    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        Kernel::gru_cells_int8(self, sums, carried, next);
    }

    #[inline(always)]
    fn sigmoid_f32(self, numbers: &mut [f32]) {
        Kernel::sigmoid_f32(self, numbers);
    }

    #[inline(always)]
    fn tanh_f32(self, numbers: &mut [f32]) {
        Kernel::tanh_f32(self, numbers);
    }
}

/// The specification as a kernel. Runs everywhere; f32 results are the same bits on every machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

impl sealed::Sealed for Scalar {}

// The f32 operations are the trait's own.
impl Kernel for Scalar {
    const NAME: &'static str = "scalar";
    const F32_IS_SCALAR: bool = true;

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        scalar::layer_int8(layer, addend, x, c, next);
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        scalar::add_products_int8(product, x, sums);
    }
}

/// Whether a kernel has what it takes for `what`, decided while compiling.
#[inline(always)]
pub(crate) fn can<K: Kernel>(what: Capabilities) -> bool {
    K::CAPABILITIES.has(what)
}

/// Whether a kernel has what it takes for any of `what`, decided while compiling.
#[inline(always)]
pub(crate) fn can_any<K: Kernel>(what: Capabilities) -> bool {
    K::CAPABILITIES.has_any(what)
}

/// `copy_from_slice` for lengths that were compared before, without its panic.
pub(crate) fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if from.len() == to.len() {
        to.copy_from_slice(from);
    }
}
