//! The choice of a kernel: by name, or the best this machine has. Chosen once, then static: never per row.

use super::{Kernel, Portable, Scalar};
#[cfg(armv7em)]
use crate::arch::arm::armv7em::Armv7em;
use crate::dims::{Dims, Layout};

/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(armv7em)]
pub type Native = Armv7em;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(all(target_arch = "arm", not(armv7em)))]
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
    /// The DSP instructions of a Cortex-M4, M7 or M33.
    #[cfg(armv7em)]
    Armv7em(Armv7em),
}

impl Isa {
    /// The fastest kernel of this machine.
    pub fn detect() -> Self {
        #[cfg(armv7em)]
        return Isa::Armv7em(Armv7em);
        #[cfg(not(armv7em))]
        Isa::Portable(Portable)
    }

    /// Every kernel of this machine, the specification first.
    pub fn available() -> impl Iterator<Item = Isa> {
        [
            Isa::Scalar(Scalar),
            Isa::Portable(Portable),
            #[cfg(armv7em)]
            Isa::Armv7em(Armv7em),
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
            #[cfg(armv7em)]
            Isa::Armv7em(_) => Armv7em::NAME,
        }
    }

    /// The layout in which a model of this shape runs fastest.
    pub fn layout(self, dims: &Dims) -> Layout {
        match self {
            Isa::Scalar(kernel) => kernel.layout(dims),
            Isa::Portable(kernel) => kernel.layout(dims),
            #[cfg(armv7em)]
            Isa::Armv7em(kernel) => kernel.layout(dims),
        }
    }

    /// Does `work` with this kernel.
    pub fn run<W: WithKernel>(self, work: W) -> W::Output {
        match self {
            Isa::Scalar(kernel) => work.run(kernel),
            Isa::Portable(kernel) => work.run(kernel),
            #[cfg(armv7em)]
            Isa::Armv7em(kernel) => work.run(kernel),
        }
    }
}
