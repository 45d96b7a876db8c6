//! The STM32F405 that hears: its serial line, and the loop in which one stream comes after another.

use core::convert::Infallible;

use cortex_m_rt::exception;
use embedded_io::{ErrorType, Read, Write};
use gatelet::Model;
use gatelet_firmware::embedded::{self, ModelKernel};
use gatelet_firmware::stream::say;
use stm32f4xx_hal::pac::Peripherals;

use super::stm32f405::{Board, Led, Serial, Watchdog};

/// Starts again: what was said before is on the line.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}

/// The serial line; both directions wait. A byte that the receiver lost is missed by the block
/// that it is in.
pub(crate) struct Port {
    serial: Serial,
    watchdog: Watchdog,
}

impl ErrorType for Port {
    type Error = Infallible;
}

impl Read for Port {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        let Some(to) = to.first_mut() else {
            return Ok(0);
        };
        loop {
            self.watchdog.feed();
            let received = self.serial.read().filter(|received| !received.overrun);
            if let Some(byte) = received.and_then(|received| received.byte) {
                *to = byte;
                return Ok(1);
            }
        }
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            while !self.serial.try_write(byte) {}
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Starts the board with the embedded model, and calls `hear` for one stream after another.
pub(crate) fn run(
    storage: &mut [u32],
    mut hear: impl FnMut(&mut Port, &Model<'static>, &mut [u32], &mut Led),
) -> ! {
    let parts = Peripherals::take().zip(cortex_m::Peripherals::take());
    let Some((device, mut core)) = parts else {
        cortex_m::peripheral::SCB::sys_reset()
    };
    let Board {
        serial,
        mut led,
        watchdog,
        core_hz,
        after_watchdog,
    } = Board::start(device, &mut core.SYST);
    let mut port = Port { serial, watchdog };
    port.serial.listen(false);
    if after_watchdog {
        let Ok(()) = say(&mut port, format_args!("the watchdog has reset the board"));
    }
    let mut place = None;
    match embedded::model(&mut place, ModelKernel::default(), storage) {
        Err(why) => {
            let Ok(()) = say(
                &mut port,
                format_args!("error: the model is refused: {why}"),
            );
        }
        Ok(model) => loop {
            let mhz = core_hz / 1_000_000;
            let Ok(()) = say(&mut port, format_args!("STM32F405 at {mhz} MHz"));
            hear(&mut port, model, storage, &mut led);
        },
    }
    loop {
        port.watchdog.feed();
    }
}

/// The heartbeat of the console, which these programs have not.
#[exception]
fn SysTick() {}
