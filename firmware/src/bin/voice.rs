//! Voice or noise: frames of sound come over the serial line of an STM32F405, and the embedded int8
//! net says what it hears; `stream.rs` says how, docs/streaming.md how to try it.
//!
//! The LED is on while it hears voice.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(target_os = "none")]
#[path = "../board/stm32f405.rs"]
#[expect(
    unreachable_pub,
    reason = "the console's, whose tasks name these types"
)]
mod stm32f405;

#[cfg(target_os = "none")]
mod image {
    use core::convert::Infallible;

    use cortex_m_rt::{entry, exception};
    use embedded_io::{ErrorType, Read, Write};
    use gatelet::StateBuf;
    use gatelet_firmware::embedded::{self, ModelKernel, STATE_WORDS};
    use gatelet_firmware::stream::{listen, say};
    use stm32f4xx_hal::pac::Peripherals;

    use super::stm32f405::{Board, Serial, Watchdog};

    /// Starts again: what was said before is on the line.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        cortex_m::peripheral::SCB::sys_reset()
    }

    /// The serial line; both directions wait. A byte that the receiver lost is missed by the block
    /// that it is in.
    struct Port {
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

    #[entry]
    fn main() -> ! {
        static mut STATE: StateBuf<STATE_WORDS> = StateBuf::new();
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
        let (storage, kernel, mut place) = (STATE.as_mut(), ModelKernel::default(), None);
        let mut on = false;
        let mut show = |voice: bool| {
            if voice != on {
                led.toggle();
            }
            on = voice;
        };
        match embedded::model(&mut place, kernel, storage) {
            Err(why) => {
                let Ok(()) = say(
                    &mut port,
                    format_args!("error: the model is refused: {why}"),
                );
            }
            Ok(model) => loop {
                let mhz = core_hz / 1_000_000;
                let Ok(()) = say(&mut port, format_args!("STM32F405 at {mhz} MHz"));
                // It has said how it ended; the next stream begins at once.
                let _ = listen(&mut port, model, kernel, storage, &mut show);
            },
        }
        loop {
            port.watchdog.feed();
        }
    }

    /// The heartbeat of the console, which this program has not.
    #[exception]
    fn SysTick() {}
}
