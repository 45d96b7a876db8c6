//! The choice of a kernel: by name, or the best this machine has. Chosen once, then static: never per row.

use super::{Kernel, Portable, Scalar, Thumb};
use crate::dims::{Dims, Layout};

/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(mve)]
pub type Native = super::Mve;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(all(any(armv6m, armv7m), not(mve)))]
pub type Native = Thumb;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(all(target_arch = "arm", not(any(armv6m, armv7m))))]
pub type Native = Scalar;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(not(target_arch = "arm"))]
pub type Native = Portable;

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
}

impl Isa {
    /// The fastest kernel of this machine.
    pub fn detect() -> Self {
        Isa::Portable(Portable)
    }

    /// Every kernel of this machine, the specification first.
    pub fn available() -> impl Iterator<Item = Isa> {
        [
            Isa::Scalar(Scalar),
            Isa::Portable(Portable),
            Isa::Thumb(Thumb),
        ]
        .into_iter()
    }

    /// The kernel of that name, if this machine has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar(_) => Scalar::NAME,
            Isa::Portable(_) => Portable::NAME,
            Isa::Thumb(_) => Thumb::NAME,
        }
    }

    /// The layout in which a model of this shape runs fastest.
    pub fn layout(self, dims: &Dims) -> Layout {
        match self {
            Isa::Scalar(kernel) => kernel.layout(dims),
            Isa::Portable(kernel) => kernel.layout(dims),
            Isa::Thumb(kernel) => kernel.layout(dims),
        }
    }

    /// Does `work` with this kernel.
    pub fn run<W: WithKernel>(self, work: W) -> W::Output {
        match self {
            Isa::Scalar(kernel) => work.run(kernel),
            Isa::Portable(kernel) => work.run(kernel),
            Isa::Thumb(kernel) => work.run(kernel),
        }
    }
}
