//! The choice of a kernel: by name, or the best this machine has. Chosen once, then static: never per row.

#[cfg(fpu)]
use super::Fpu;
#[cfg(not(mve))]
use super::Int4;
#[cfg(not(all(fpu, armv7em)))]
use super::Native;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::Simd128;
#[cfg(armv7em)]
use super::{Armv7em, Armv7emInt4};
#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512, AvxVnni};
use super::{Kernel, Portable, Scalar, Thumb};
#[cfg(mve)]
use super::{Mve, MveInt4};
#[cfg(target_arch = "aarch64")]
use super::{Neon, NeonDot};
use crate::net::{Layout, Net};

/// The kernel a firmware uses for an f32 model, on a processor with an FPU.
#[cfg(fpu)]
pub type NativeF32 = Fpu;
/// The kernel a firmware uses for an f32 model: here [`Native`] has no better one beside it.
#[cfg(not(fpu))]
pub type NativeF32 = Native;

/// The kernel a firmware uses for an int8 model in rows. On an Armv7E-M that is another one than [`Native`], which reads pairs
/// and leaves rows to the specification; a program links the one that it names.
#[cfg(armv7em)]
pub type NativeRows = Thumb;
/// The kernel a firmware uses for an int8 model in rows: here [`Native`] is the best for those too.
#[cfg(not(armv7em))]
pub type NativeRows = Native;

/// The kernel a firmware uses for a model with 4-bit weights, on an Armv7E-M in pairs.
#[cfg(armv7em)]
pub type NativeInt4 = Armv7emInt4;
/// The kernel a firmware uses for a model with 4-bit weights.
#[cfg(mve)]
pub type NativeInt4 = MveInt4;
/// The kernel a firmware uses for a model with 4-bit weights.
#[cfg(not(any(armv7em, mve)))]
pub type NativeInt4 = Int4<NativeRows>;

/// The kernel a firmware uses for a model with 4-bit weights in rows. On an Armv7E-M [`NativeInt4`] reads pairs.
#[cfg(armv7em)]
pub type NativeInt4Rows = Int4<NativeRows>;
/// The kernel a firmware uses for a model with 4-bit weights in rows: here [`NativeInt4`] is the best for those too.
#[cfg(not(armv7em))]
pub type NativeInt4Rows = NativeInt4;

/// Something to be done with whichever kernel is chosen: a generic closure.
pub trait WithKernel {
    /// What comes back.
    type Output;
    /// Does it.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// A kernel that this machine can run.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Isa {
    /// The specification.
    Scalar(Scalar),
    /// Vectors of the build's baseline, through the `wide` crate.
    Portable(Portable),
    /// For processors without vector or DSP instructions.
    Thumb(Thumb),
    /// The DSP instructions of a Cortex-M4, M7 or M33.
    #[cfg(armv7em)]
    Armv7em(Armv7em),
    /// The FPU of a Cortex-M4F, M7 or M33.
    #[cfg(fpu)]
    Fpu(Fpu),
    /// The vectors of a Cortex-M55 or M85.
    #[cfg(mve)]
    Mve(Mve),
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX2, FMA and AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// NEON with the dot product of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDot(NeonDot),
    /// WebAssembly's 128-bit vectors.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128(Simd128),
}

/// Does `$work` with the kernel in `$isa`.
macro_rules! with_kernel {
    ($isa:expr, $kernel:ident => $work:expr) => {
        match $isa {
            Isa::Scalar($kernel) => $work,
            Isa::Portable($kernel) => $work,
            Isa::Thumb($kernel) => $work,
            #[cfg(armv7em)]
            Isa::Armv7em($kernel) => $work,
            #[cfg(fpu)]
            Isa::Fpu($kernel) => $work,
            #[cfg(mve)]
            Isa::Mve($kernel) => $work,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2($kernel) => $work,
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni($kernel) => $work,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512($kernel) => $work,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon($kernel) => $work,
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot($kernel) => $work,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128($kernel) => $work,
        }
    };
}

/// The name of a kernel's type.
fn name_of<K: Kernel>(_: K) -> &'static str {
    K::NAME
}

impl Isa {
    /// The fastest kernel of this machine: the last of those it has.
    pub fn detect() -> Self {
        let fastest = Self::available().last();
        fastest.unwrap_or(Isa::Scalar(Scalar))
    }

    /// Every kernel of this machine, the specification first, the fastest last.
    pub fn available() -> impl Iterator<Item = Isa> {
        [
            Some(Isa::Scalar(Scalar)),
            #[cfg(not(target_arch = "arm"))]
            Some(Isa::Thumb(Thumb)),
            Some(Isa::Portable(Portable)),
            #[cfg(target_arch = "arm")]
            Some(Isa::Thumb(Thumb)),
            #[cfg(armv7em)]
            Some(Isa::Armv7em(Armv7em)),
            #[cfg(fpu)]
            Some(Isa::Fpu(Fpu)),
            #[cfg(mve)]
            Some(Isa::Mve(Mve)),
            #[cfg(target_arch = "x86_64")]
            Avx2::new().map(Isa::Avx2),
            #[cfg(target_arch = "x86_64")]
            AvxVnni::new().map(Isa::AvxVnni),
            #[cfg(target_arch = "x86_64")]
            Avx512::new().map(Isa::Avx512),
            #[cfg(target_arch = "aarch64")]
            Neon::new().map(Isa::Neon),
            #[cfg(target_arch = "aarch64")]
            NeonDot::new().map(Isa::NeonDot),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Simd128::new().map(Isa::Simd128),
        ]
        .into_iter()
        .flatten()
    }

    /// The kernel of that name, if this machine has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        with_kernel!(self, kernel => name_of(kernel))
    }

    /// The layout in which a model of this net runs fastest.
    pub fn layout(self, net: &Net) -> Layout {
        with_kernel!(self, kernel => kernel.layout(net))
    }

    /// Does `work` with this kernel.
    pub fn run<W: WithKernel>(self, work: W) -> W::Output {
        with_kernel!(self, kernel => work.run(kernel))
    }
}
