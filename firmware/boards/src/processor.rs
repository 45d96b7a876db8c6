//! Processors, and how programs are built for them.

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// Armv6-M.
    CortexM0,
    /// Armv7-M.
    CortexM3,
    /// Armv7E-M, with DSP instructions.
    CortexM4,
    /// The same instructions, at most two a cycle.
    CortexM7,
    /// Armv8-M with DSP instructions.
    CortexM33,
    /// Armv8.1-M with Helium.
    CortexM55,
}

impl Processor {
    /// `Cortex-M4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "Cortex-M0",
            Self::CortexM3 => "Cortex-M3",
            Self::CortexM4 => "Cortex-M4",
            Self::CortexM7 => "Cortex-M7",
            Self::CortexM33 => "Cortex-M33",
            Self::CortexM55 => "Cortex-M55",
        }
    }

    /// Rust's target.
    pub const fn target(self) -> &'static str {
        match self {
            Self::CortexM0 => "thumbv6m-none-eabi",
            Self::CortexM3 => "thumbv7m-none-eabi",
            Self::CortexM4 | Self::CortexM7 => "thumbv7em-none-eabihf",
            Self::CortexM33 | Self::CortexM55 => "thumbv8m.main-none-eabihf",
        }
    }

    /// rustc's name for it, where the target does not say it all: core's build sees from it whether
    /// there are DSP instructions or Helium.
    pub const fn target_cpu(self) -> Option<&'static str> {
        match self {
            Self::CortexM33 => Some("cortex-m33"),
            Self::CortexM55 => Some("cortex-m55"),
            _ => None,
        }
    }

    /// Whether its kernel is that of the DSP instructions, which reads int8 weights in pairs.
    pub const fn reads_pairs(self) -> bool {
        matches!(self, Self::CortexM4 | Self::CortexM7 | Self::CortexM33)
    }

    /// Its int8 kernel.
    pub const fn kernel(self) -> &'static str {
        match self {
            Self::CortexM0 | Self::CortexM3 => "thumb",
            Self::CortexM4 | Self::CortexM7 | Self::CortexM33 => "armv7em",
            Self::CortexM55 => "mve",
        }
    }

    /// `gatelet export --target`: the layout that its kernel reads.
    pub const fn export(self) -> &'static str {
        if self.reads_pairs() {
            "cortex-m4"
        } else {
            "any"
        }
    }

    /// What programs for it are optimised for: the DSP kernel is all assembly, so they are built for
    /// size; hot loops of the others are partly the compiler's.
    pub const fn opt_level(self) -> &'static str {
        if self.reads_pairs() { "s" } else { "3" }
    }
}
