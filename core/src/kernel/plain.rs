//! A kernel for programs that know their model: it has neither embedding nor projection.
//!
//! What a session does for those is decided by the model, at run time, so every program pays for it in flash. A firmware
//! that is built around one plain model names its kernel `Plain<Native>`: the decision falls while compiling, and the
//! linker drops the rest. The arithmetic is the kernel's inside.

use super::{Kernel, sealed};
use crate::dims::{Dims, Layout};
use crate::layer::{HeadF32, HeadInt8, LayerF32, LayerInt8};

/// The kernel `K` for models without embedding and projection: a [`Session`](crate::Session) refuses others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain<K>(K);

impl<K: Kernel> sealed::Sealed for Plain<K> {}

impl<K: Kernel> Kernel for Plain<K> {
    const NAME: &'static str = K::NAME;
    const F32_IS_SCALAR: bool = K::F32_IS_SCALAR;
    const PLAIN: bool = true;

    fn layout(self, dims: &Dims) -> Layout {
        self.0.layout(dims)
    }

    fn turned(self) -> Self {
        Plain(self.0.turned())
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

    fn head_f32(self, head: &HeadF32<'_>, x: &[f32], logits: &mut [f32]) {
        self.0.head_f32(head, x, logits);
    }

    fn head_int8(self, head: &HeadInt8<'_>, x: &[i8], logits: &mut [i32]) {
        self.0.head_int8(head, x, logits);
    }
}
