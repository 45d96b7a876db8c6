//! What this processor has, by CPUID: `std` would be needed for the macro that tells.

#[cfg(not(miri))]
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Register state that the operating system saves: SSE and AVX.
const YMM: u64 = 0b110;
/// As [`YMM`], with AVX-512's masks and both halves of its registers.
const ZMM: u64 = 0b1110_0110;

/// VBMI, in leaf 7's ECX.
const VBMI: u32 = 1 << 1;

/// What CPUID says (Intel SDM volume 2A, CPUID), as far as it is used.
pub(super) struct Features {
    /// Leaf 1, ECX.
    leaf1_ecx: u32,
    /// Leaf 7.0, EBX and ECX.
    leaf7_ebx: u32,
    leaf7_ecx: u32,
    /// Leaf 7.1, EAX.
    leaf71_eax: u32,
    /// State components that the operating system saves: XCR0.
    saved: u64,
}

impl Features {
    /// Under Miri there is no processor: what it is compiled for has to do.
    #[cfg(miri)]
    pub(super) fn read() -> Self {
        let when = |has: bool, bits: u32| if has { bits } else { 0 };
        let avx512 = cfg!(all(
            target_feature = "avx512vl",
            target_feature = "avx512vnni"
        ));
        Features {
            leaf1_ecx: when(cfg!(target_feature = "fma"), u32::MAX),
            leaf7_ebx: when(avx512, u32::MAX) | when(cfg!(target_feature = "avx2"), 1 << 5),
            leaf7_ecx: when(avx512, !VBMI) | when(cfg!(target_feature = "avx512vbmi"), VBMI),
            leaf71_eax: when(cfg!(target_feature = "avxvnni"), u32::MAX),
            saved: u64::MAX,
        }
    }

    /// Asks the processor.
    #[cfg(not(miri))]
    pub(super) fn read() -> Self {
        let highest = __cpuid(0).eax;
        let leaf1_ecx = __cpuid(1).ecx;
        let mut features = Features {
            leaf1_ecx,
            leaf7_ebx: 0,
            leaf7_ecx: 0,
            leaf71_eax: 0,
            saved: 0,
        };
        if highest >= 7 {
            let leaf7 = __cpuid_count(7, 0);
            (features.leaf7_ebx, features.leaf7_ecx) = (leaf7.ebx, leaf7.ecx);
            if leaf7.eax >= 1 {
                features.leaf71_eax = __cpuid_count(7, 1).eax;
            }
        }
        const OSXSAVE: u32 = 1 << 27;
        if leaf1_ecx & OSXSAVE != 0 {
            // SAFETY: OSXSAVE says that XGETBV exists and that the operating system has enabled it.
            features.saved = unsafe { _xgetbv(0) };
        }
        features
    }

    /// AVX2 and FMA.
    pub(super) fn avx2(&self) -> bool {
        const FMA_AND_AVX: u32 = 1 << 12 | 1 << 28;
        const AVX2: u32 = 1 << 5;
        self.saved & YMM == YMM
            && self.leaf1_ecx & FMA_AND_AVX == FMA_AND_AVX
            && self.leaf7_ebx & AVX2 != 0
    }

    /// AVX2, FMA and the 256-bit form of VNNI.
    pub(super) fn avx_vnni(&self) -> bool {
        const AVX_VNNI: u32 = 1 << 4;
        self.avx2() && self.leaf71_eax & AVX_VNNI != 0
    }

    /// VBMI, of what has [`Features::avx512`].
    pub(super) fn vbmi(&self) -> bool {
        self.leaf7_ecx & VBMI == VBMI
    }

    /// AVX-512 F, DQ, BW, VL and VNNI.
    pub(super) fn avx512(&self) -> bool {
        const F_DQ_BW_VL: u32 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
        const VNNI: u32 = 1 << 11;
        self.avx2()
            && self.saved & ZMM == ZMM
            && self.leaf7_ebx & F_DQ_BW_VL == F_DQ_BW_VL
            && self.leaf7_ecx & VNNI != 0
    }
}
