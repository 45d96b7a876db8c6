//! The serial line of Arm's MPS2 boards: UART0 of the CMSDK.
//!
//! ```text
//! 0x4000_4000   data | state: 1 transmitter full, 2 receiver full | control: 1 transmit, 2 receive
//!               | interrupts | divider of the clock, 25 MHz
//! ```
//! Origin: Arm DDI 0479, section 4.3; AN500, table 3-2. QEMU 7.2: `cmsdk-apb-uart.c`, `mps2.c`.

#![expect(unsafe_code, reason = "registers of a part without a register crate")]

use core::convert::Infallible;
use core::ptr::with_exposed_provenance_mut;

use embedded_io::{ErrorType, Read, Write};

const UART0: usize = 0x4000_4000;
/// 25 MHz / 115,200.
const DIVIDER: u32 = 217;

/// A register, by its place.
#[derive(Clone, Copy)]
enum Register {
    Data = 0,
    State = 1,
    Control = 2,
    Divider = 4,
}

impl Register {
    fn at(self) -> *mut u32 {
        with_exposed_provenance_mut::<u32>(UART0).wrapping_add(self as usize)
    }

    fn read(self) -> u32 {
        // SAFETY: a register of the UART, which these boards have at that address.
        unsafe { self.at().read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: as above; none of them makes the part touch memory.
        unsafe { self.at().write_volatile(value) }
    }
}

/// The line, 115200 8N1. Both directions wait.
pub(crate) struct Line(());

impl Line {
    /// Switches it on.
    pub(crate) fn start() -> Self {
        Register::Divider.write(DIVIDER);
        Register::Control.write(3);
        Line(())
    }
}

impl ErrorType for Line {
    type Error = Infallible;
}

impl Read for Line {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        let Some(to) = to.first_mut() else {
            return Ok(0);
        };
        while Register::State.read() & 2 == 0 {}
        *to = Register::Data.read() as u8;
        Ok(1)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while Register::State.read() & 1 != 0 {}
            Register::Data.write(byte.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
