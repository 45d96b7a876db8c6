//! Which instruction sets this machine has.

#[cfg(target_arch = "aarch64")]
use crate::aarch64::{Neon, NeonDot};
#[cfg(any(
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128"),
    target_arch = "x86_64"
))]
use crate::simd::Simd;
use crate::simd::WithSimd;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::wasm32::Simd128;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::{Avx2, Avx512, AvxVnni};

/// Makes [`Isa`] of a line for each instruction set, the slowest first: when it is there, variant,
/// name, what it is. `new` of the variant's type finds out whether this machine has it.
macro_rules! instruction_sets {
    ($(($when:meta) $token:ident, $name:literal, $what:literal;)*) => {
        /// An instruction set that this machine has.
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub enum Isa {
            $(
                #[doc = $what]
                #[cfg($when)]
                $token($token),
            )*
        }

        impl Isa {
            /// All that this machine has, the fastest last.
            pub fn available() -> impl Iterator<Item = Self> {
                let all: [Option<Self>; _] = [$(
                    #[cfg($when)]
                    $token::new().map(Isa::$token),
                )*];
                all.into_iter().flatten()
            }

            /// The name: in reports and for [`Isa::from_name`].
            pub fn name(self) -> &'static str {
                match self {
                    $(
                        #[cfg($when)]
                        Isa::$token(_) => $name,
                    )*
                }
            }

            /// Does `work` with these vectors.
            #[allow(unused_variables, reason = "not every architecture has vectors here")]
            #[inline]
            pub fn run<W: WithSimd>(self, work: W) -> W::Output {
                match self {
                    $(
                        #[cfg($when)]
                        Isa::$token(v) => v.run(work),
                    )*
                }
            }
        }
    };
}

instruction_sets! {
    (target_arch = "x86_64") Avx2, "avx2", "AVX2 and FMA.";
    (target_arch = "x86_64") AvxVnni, "avxvnni", "AVX2, FMA and AVX-VNNI.";
    (target_arch = "x86_64") Avx512, "avx512", "AVX-512 with VNNI.";
    (target_arch = "aarch64") Neon, "neon", "NEON.";
    (target_arch = "aarch64") NeonDot, "neondot", "NEON with the dot product of bytes.";
    (all(target_arch = "wasm32", target_feature = "simd128"))
        Simd128, "simd128", "WebAssembly's 128-bit vectors.";
}

impl Isa {
    /// The fastest that this machine has.
    pub fn detect() -> Option<Self> {
        Self::available().last()
    }

    /// The one of that name, if this machine has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_instruction_set() {
        for isa in Isa::available() {
            let found = Isa::from_name(isa.name()).map(Isa::name);
            assert_eq!(found, Some(isa.name()));
        }
        assert!(Isa::from_name("no such instructions").is_none());
    }
}
