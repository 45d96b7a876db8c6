//! The table of boards: the firmware's build, `cargo xtask` and the trainer's estimates read it.
//!
//! With `-icount shift=s` an instruction takes 2^s ns of QEMU's virtual time, and SysTick counts the
//! core's clock:
//!
//! ```text
//! instructions = ticks * 10^9 / (core_hz * 2^s)
//! ```
//!
//! `s` is such that an instruction takes more than two ticks: then rounding gives the exact number,
//! wherever between two ticks the counting begins. The 24 bits of SysTick hold 5 million
//! instructions or more.

#![no_std]
#![forbid(unsafe_code)]

mod processor;

use core::fmt::{self, Display, Formatter};

pub use processor::Processor;

/// What of this project is meant to run on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The console, and the programs that measure.
    Console,
    /// The engine, called by the programs that measure or by one of a user's own.
    Engine,
}

/// A machine of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qemu {
    /// Its name.
    pub machine: &'static str,
    /// The clock of SysTick, in Hz.
    pub core_hz: u32,
    /// The `shift` of `-icount` that the measuring programs need.
    pub icount_shift: u32,
}

/// A board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// What people call it, or its microcontroller.
    pub name: &'static str,
    /// Its processor.
    pub processor: Processor,
    /// First address of flash.
    pub flash_start: usize,
    /// Bytes of flash.
    pub flash_bytes: usize,
    /// First address of RAM.
    pub ram_start: usize,
    /// Bytes of RAM at that address.
    pub ram_bytes: usize,
    /// What it is here for.
    pub runs: Use,
    /// The machine of QEMU that is this board.
    pub qemu: Option<Qemu>,
    /// Whether products are built on it, so that a report says whether a model fits.
    pub in_reports: bool,
    /// probe-rs' names of the parts that an image for it can be flashed on.
    pub chips: &'static [&'static str],
}

const KIB: usize = 1024;
const MHZ: u32 = 1_000_000;

/// Cortex-M4F; 1 MiB of flash, 128 KiB of contiguous RAM (the 64 KiB of core-coupled memory are
/// left alone). Origin: ST RM0090, table 3 and figure 6; the clock is that of QEMU's
/// `stm32f405_soc.c`.
pub const STM32F405: Board = Board {
    name: "STM32F405",
    processor: Processor::CortexM4,
    flash_start: 0x0800_0000,
    flash_bytes: 1024 * KIB,
    ram_start: 0x2000_0000,
    ram_bytes: 128 * KIB,
    runs: Use::Console,
    qemu: qemu("netduinoplus2", 168, 4),
    in_reports: true,
    chips: &["STM32F405RGTx", "STM32F407VGTx"],
};

/// The nRF51822 of the BBC micro:bit. Origin: QEMU 7.2, `nrf51_soc.c` and `microbit.c`.
pub const MICROBIT: Board = Board {
    name: "microbit",
    processor: Processor::CortexM0,
    flash_start: 0,
    flash_bytes: 256 * KIB,
    ram_bytes: 16 * KIB,
    runs: Use::Engine,
    qemu: qemu("microbit", 16, 7),
    chips: &[],
    ..STM32F405
};

/// 4 MiB of ZBT RAM stand for flash. Origin: Arm AN385, section 3; QEMU 7.2, `mps2.c`.
const MPS2_AN385: Board = Board {
    name: "mps2-an385",
    processor: Processor::CortexM3,
    flash_bytes: 4096 * KIB,
    ram_bytes: 4096 * KIB,
    qemu: qemu("mps2-an385", 25, 7),
    in_reports: false,
    ..MICROBIT
};

/// Every board, the default one first, and those of QEMU before the others.
pub const BOARDS: [Board; 11] = [
    STM32F405,
    MICROBIT,
    MPS2_AN385,
    // Origin: Arm AN386, section 3; QEMU 7.2, `mps2.c`.
    Board {
        name: "mps2-an386",
        processor: Processor::CortexM4,
        qemu: qemu("mps2-an386", 25, 7),
        ..MPS2_AN385
    },
    // Its memory map differs behind the ZBT RAM only. Origin: Arm AN500, section 3; QEMU 7.2.
    Board {
        name: "mps2-an500",
        processor: Processor::CortexM7,
        qemu: qemu("mps2-an500", 25, 7),
        ..MPS2_AN385
    },
    // Starts in the secure state: the secure aliases of SSRAM 1, and of SSRAM 2. Origin: Arm AN505,
    // table 3-2; QEMU 7.2, `mps2-tz.c`.
    Board {
        name: "mps2-an505",
        processor: Processor::CortexM33,
        flash_start: 0x1000_0000,
        ram_start: 0x3800_0000,
        ram_bytes: 2048 * KIB,
        qemu: qemu("mps2-an505", 20, 7),
        ..MPS2_AN385
    },
    // Starts in the secure state: the secure aliases of ITCM, and of the internal SRAM. Origin: Arm
    // AN547, table 3-1; QEMU 7.2, `mps2-tz.c` and `armsse.c`.
    Board {
        name: "mps3-an547",
        processor: Processor::CortexM55,
        flash_start: 0x1000_0000,
        flash_bytes: 512 * KIB,
        ram_start: 0x3100_0000,
        ram_bytes: 2048 * KIB,
        qemu: qemu("mps3-an547", 32, 6),
        in_reports: true,
        ..MPS2_AN385
    },
    // Origin: ST RM0390.
    Board {
        name: "STM32F446RE",
        flash_bytes: 512 * KIB,
        runs: Use::Engine,
        qemu: None,
        chips: &[],
        ..STM32F405
    },
    // Origin: Nordic's product specification.
    Board {
        name: "nRF52840",
        processor: Processor::CortexM4,
        flash_bytes: 1024 * KIB,
        ram_bytes: 256 * KIB,
        qemu: None,
        ..MICROBIT
    },
    // Origin: ST DS5319.
    Board {
        name: "STM32F103C8",
        processor: Processor::CortexM3,
        flash_bytes: 64 * KIB,
        ram_bytes: 20 * KIB,
        runs: Use::Engine,
        qemu: None,
        chips: &[],
        ..STM32F405
    },
    // Origin: the data sheets of RP2350 and of the Pico 2.
    Board {
        name: "Raspberry Pi Pico 2",
        processor: Processor::CortexM33,
        flash_start: 0x1000_0000,
        flash_bytes: 4096 * KIB,
        ram_bytes: 520 * KIB,
        qemu: None,
        ..MICROBIT
    },
];

/// Those of [`BOARDS`] that QEMU has.
pub fn in_qemu() -> &'static [Board] {
    static ALL: [Board; 11] = BOARDS;
    let end = ALL.iter().position(|board| board.qemu.is_none());
    ALL.get(..end.unwrap_or(ALL.len())).unwrap_or_default()
}

const fn qemu(machine: &'static str, core_mhz: u32, icount_shift: u32) -> Option<Qemu> {
    Some(Qemu {
        machine,
        core_hz: core_mhz * MHZ,
        icount_shift,
    })
}

impl Board {
    /// What a program is built for by: QEMU's machine, or the board's name.
    pub const fn id(&self) -> &'static str {
        match self.qemu {
            Some(qemu) => qemu.machine,
            None => self.name,
        }
    }
}

impl Display for Board {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Qemu {
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

    #[test]
    fn names_are_their_own_and_qemu_comes_first() {
        for (index, board) in BOARDS.iter().enumerate() {
            let same = |other: &&Board| other.name == board.name || other.id() == board.id();
            assert_eq!(BOARDS.iter().filter(same).count(), 1, "{board}");
            assert_eq!(board.qemu.is_some(), index < in_qemu().len(), "{board}");
        }
    }

    /// Whatever the phase, n instructions count as n.
    #[test]
    fn an_instruction_is_more_than_two_ticks() {
        for qemu in BOARDS.iter().filter_map(|board| board.qemu) {
            let billionths = u64::from(qemu.core_hz) << qemu.icount_shift;
            assert!(billionths > 2_000_000_000, "{}", qemu.machine);
            for n in [1, 2, 999, 100_001, qemu.countable() - 1] {
                let ticks = (u64::from(n) * billionths / 1_000_000_000) as u32;
                for ticks in [ticks, ticks + 1] {
                    assert_eq!(qemu.instructions(ticks), n, "{}", qemu.machine);
                }
            }
        }
    }

    #[test]
    fn a_step_of_the_default_model_can_be_counted() {
        for qemu in BOARDS.iter().filter_map(|board| board.qemu) {
            assert!(qemu.countable() > 1_500_000, "{}", qemu.machine);
        }
    }
}
