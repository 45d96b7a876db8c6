//! The parts an image can be for: their memory, and how QEMU counts instructions on them.
//!
//! With `-icount shift=s` an instruction takes 2^s ns of QEMU's virtual time, and SysTick counts the core's clock:
//!
//! ```text
//! instructions = ticks * 10^9 / (core_hz * 2^s)
//! ```
//!
//! `s` is such that an instruction takes more than two ticks: then rounding gives the exact number, wherever between
//! two ticks the counting begins. The 24 bits of SysTick hold 5 million instructions or more.

/// What a part is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The console, and the programs that measure.
    Console,
    /// The programs that measure, in QEMU.
    Measuring,
}

/// A microcontroller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What people call it.
    pub name: &'static str,
    /// QEMU's machine.
    pub machine: &'static str,
    /// What it is here for.
    pub runs: Use,
    /// First address of flash.
    pub flash_start: usize,
    /// Bytes of flash.
    pub flash_bytes: usize,
    /// First address of RAM.
    pub ram_start: usize,
    /// Bytes of RAM at that address.
    pub ram_bytes: usize,
    /// The clock of SysTick in QEMU, in Hz.
    pub core_hz: u32,
    /// The `shift` of QEMU's `-icount` that the measuring programs need.
    pub icount_shift: u32,
}

const KIB: usize = 1024;
const MHZ: u32 = 1_000_000;

/// Cortex-M4F; 1 MiB of flash, 128 KiB of contiguous RAM (the 64 KiB of core-coupled memory are left alone).
/// Origin: ST RM0090, table 3 and figure 6; the clock is that of QEMU's `stm32f405_soc.c`.
pub const STM32F405: Part = Part {
    name: "STM32F405",
    machine: "netduinoplus2",
    runs: Use::Console,
    flash_start: 0x0800_0000,
    flash_bytes: 1024 * KIB,
    ram_start: 0x2000_0000,
    ram_bytes: 128 * KIB,
    core_hz: 168 * MHZ,
    icount_shift: 4,
};

/// Cortex-M0: the nRF51822 of the BBC micro:bit. Origin: QEMU 7.2, `nrf51_soc.c` and `microbit.c`.
pub const MICROBIT: Part = Part {
    name: "microbit",
    machine: "microbit",
    runs: Use::Measuring,
    flash_start: 0,
    flash_bytes: 256 * KIB,
    ram_start: 0x2000_0000,
    ram_bytes: 16 * KIB,
    core_hz: 16 * MHZ,
    icount_shift: 7,
};

/// Cortex-M3; 4 MiB of ZBT RAM stand for flash. Origin: Arm AN385, section 3; QEMU 7.2, `mps2.c`.
pub const MPS2_AN385: Part = Part {
    name: "mps2-an385",
    machine: "mps2-an385",
    runs: Use::Measuring,
    flash_start: 0,
    flash_bytes: 4096 * KIB,
    ram_start: 0x2000_0000,
    ram_bytes: 4096 * KIB,
    core_hz: 25 * MHZ,
    icount_shift: 7,
};

/// Cortex-M4F. Origin: Arm AN386, section 3; QEMU 7.2, `mps2.c`.
pub const MPS2_AN386: Part = Part {
    name: "mps2-an386",
    machine: "mps2-an386",
    ..MPS2_AN385
};

/// Cortex-M7; its memory map differs behind the ZBT RAM only. Origin: Arm AN500, section 3; QEMU 7.2, `mps2.c`.
pub const MPS2_AN500: Part = Part {
    name: "mps2-an500",
    machine: "mps2-an500",
    ..MPS2_AN385
};

/// Cortex-M33, which starts in the secure state: the secure aliases of SSRAM 1, and of SSRAM 2.
/// Origin: Arm AN505, table 3-2; QEMU 7.2, `mps2-tz.c`.
pub const MPS2_AN505: Part = Part {
    name: "mps2-an505",
    machine: "mps2-an505",
    flash_start: 0x1000_0000,
    flash_bytes: 4096 * KIB,
    ram_start: 0x3800_0000,
    ram_bytes: 2048 * KIB,
    core_hz: 20 * MHZ,
    ..MPS2_AN385
};

/// Cortex-M55, which starts in the secure state: the secure aliases of ITCM, and of the internal SRAM.
/// Origin: Arm AN547, table 3-1; QEMU 7.2, `mps2-tz.c` and `armsse.c`.
pub const MPS3_AN547: Part = Part {
    name: "mps3-an547",
    machine: "mps3-an547",
    flash_start: 0x1000_0000,
    flash_bytes: 512 * KIB,
    ram_start: 0x3100_0000,
    ram_bytes: 2048 * KIB,
    core_hz: 32 * MHZ,
    icount_shift: 6,
    ..MPS2_AN385
};

/// Every part, the default one first. `GATELET_BOARD` names one by its machine.
pub const PARTS: [Part; 7] = [
    STM32F405, MICROBIT, MPS2_AN385, MPS2_AN386, MPS2_AN500, MPS2_AN505, MPS3_AN547,
];

impl Part {
    /// How many instructions so many ticks of SysTick are, rounded.
    pub const fn instructions(&self, ticks: u32) -> u32 {
        let ticks_of_a_billion = (self.core_hz as u64) << self.icount_shift;
        ((ticks as u64 * 1_000_000_000 + ticks_of_a_billion / 2) / ticks_of_a_billion) as u32
    }

    /// The most instructions that SysTick can count.
    pub const fn countable(&self) -> u32 {
        self.instructions(0x00ff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the phase, n instructions count as n.
    #[test]
    fn an_instruction_is_more_than_two_ticks() {
        for part in PARTS {
            let billionths = u64::from(part.core_hz) << part.icount_shift;
            assert!(billionths > 2_000_000_000, "{}", part.name);
            for n in [1, 2, 999, 100_001, part.countable() - 1] {
                let ticks = (u64::from(n) * billionths / 1_000_000_000) as u32;
                for ticks in [ticks, ticks + 1] {
                    assert_eq!(part.instructions(ticks), n, "{}", part.name);
                }
            }
        }
    }

    #[test]
    fn a_step_of_the_default_model_can_be_counted() {
        for part in PARTS {
            assert!(part.countable() > 1_500_000, "{}", part.name);
        }
    }
}
