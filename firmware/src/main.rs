//! The program of the board: wires the console of the library to serial line, LED, watchdog and
//! log.
//!
//! ```text
//! USART1 interrupt --(queue)--> idle: console.feed(byte) ... console.refresh() --> USART1
//! SysTick: LED, and a wake-up for the watchdog
//! ```
//!
//! Received bytes wait in a queue while the net computes. The byte that fills it switches the
//! interrupt off, and the next ones stay in the receiver: on the board all but one are lost and the
//! log says so, in QEMU the sender waits.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(all(target_os = "none", feature = "log-rtt", feature = "log-semihosting"))]
compile_error!(
    "choose one log: log-rtt for a board (default), or --no-default-features --features log-semihosting"
);
#[cfg(all(
    target_os = "none",
    not(any(feature = "log-rtt", feature = "log-semihosting"))
))]
compile_error!("no log chosen: enable log-rtt (a board) or log-semihosting (QEMU)");

#[cfg(target_os = "none")]
#[expect(
    unreachable_pub,
    reason = "rtic's types, which are public, name the board's"
)]
mod board;

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(all(target_os = "none", feature = "log-rtt"))]
use defmt_rtt as _;
#[cfg(all(target_os = "none", feature = "log-semihosting"))]
use defmt_semihosting as _;

/// Logs the panic and ends.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    defmt::error!("panic: {}", defmt::Display2Format(info));
    let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
    board::ending::end(&Ending::panic(file, line))
}

/// Ends the program in the way that a key asks for.
#[cfg(all(target_os = "none", feature = "provoke"))]
fn provoke(byte: u8) {
    #[expect(unconditional_recursion, reason = "to fill the stack")]
    fn deeper(depth: u32) -> u32 {
        let room = core::hint::black_box([depth; 64]);
        deeper(depth + 1).wrapping_add(room[0])
    }
    match byte {
        0x1c => cortex_m::asm::udf(),
        0x1e => panic!("provoked"),
        0x1f => core::hint::black_box(deeper(0)),
        _ => return,
    };
}

#[cfg(target_os = "none")]
use gatelet_firmware::ending::Ending;

#[cfg(target_os = "none")]
#[rtic::app(device = stm32f4xx_hal::pac, peripherals = true)]
mod app {
    use core::convert::Infallible;

    use embedded_io::{ErrorType, Write};
    use gatelet::{Completer, History, StateBuf};
    use gatelet_firmware::console::{BEAM, COMPLETION};
    use gatelet_firmware::embedded::{
        self, HISTORY_DEPTH, ModelKernel, SNAPSHOT_WORDS, STATE_WORDS,
    };
    use gatelet_firmware::ending::Ending;
    use gatelet_firmware::view::View;
    use gatelet_firmware::write::Writer;
    use gatelet_firmware::{Console, Line, boot};
    use heapless::spsc::{Consumer, Producer, Queue};
    use rtic::Mutex;

    use crate::board::{Board, Led, Serial, Watchdog, ending};

    /// Bytes that wait while the net computes: 45 ms at 115200 baud.
    const QUEUE: usize = 512;

    #[shared]
    struct Shared {
        serial: Serial,
    }

    #[local]
    struct Local {
        led: Led,
        watchdog: Watchdog,
        received: Producer<'static, u8>,
        typed: Consumer<'static, u8>,
        last: Option<Ending>,
    }

    #[init(local = [queue: Queue<u8, QUEUE> = Queue::new()])]
    fn init(cx: init::Context) -> (Shared, Local) {
        let mut core = cx.core;
        let board = Board::start(cx.device, &mut core.SYST);
        defmt::info!("core clock {} Hz", board.core_hz);
        let watchdog = board.after_watchdog.then(Ending::watchdog);
        let (received, typed) = cx.local.queue.split();
        (
            Shared {
                serial: board.serial,
            },
            Local {
                led: board.led,
                watchdog: board.watchdog,
                received,
                typed,
                last: ending::take().or(watchdog),
            },
        )
    }

    #[idle(shared = [serial], local = [
        typed, watchdog, last,
        state: StateBuf<STATE_WORDS> = StateBuf::new(),
        history: History<HISTORY_DEPTH, SNAPSHOT_WORDS> = History::new(),
        completer: Completer<BEAM, COMPLETION, SNAPSHOT_WORDS> = Completer::new(),
    ])]
    fn idle(cx: idle::Context) -> ! {
        let local = cx.local;
        let view = View::new(Port {
            serial: cx.shared.serial,
            typed: local.typed,
            watchdog: local.watchdog,
        });
        let Err(error) = run(
            view,
            *local.last,
            local.state.as_mut(),
            local.history,
            local.completer,
        );
        match error {}
    }

    const _: () = assert!(
        embedded::IS_LANGUAGE_MODEL,
        "the console is for language models: the net of GATELET_MODEL has no vocabulary, or scores something else"
    );

    /// Checks the model, then is the console for ever; or refuses the model for ever.
    fn run<S: Mutex<T = Serial>>(
        mut view: View<Port<S>>,
        last: Option<Ending>,
        storage: &'static mut [u32],
        history: &'static mut History<HISTORY_DEPTH, SNAPSHOT_WORDS>,
        completer: &'static mut Completer<BEAM, COMPLETION, SNAPSHOT_WORDS>,
    ) -> Result<Infallible, Infallible> {
        if let Some(ending) = last {
            defmt::error!("the run before failed; the console says how");
            boot::tell(&mut view, ending)?;
        }
        let kernel = ModelKernel::default();
        let mut place = None;
        let model = match embedded::model(&mut place, kernel, storage) {
            Ok(model) => model,
            Err(why) => loop {
                defmt::error!("model refused: {}", defmt::Display2Format(&why));
                boot::refuse(&mut view, embedded::MODEL_NAME, why)?;
                view.out().wait();
                while view.out().next().is_some() {}
            },
        };
        defmt::info!("model {} is sound", embedded::MODEL_NAME);
        boot::greet::<embedded::Settings, _, _>(&mut view, embedded::MODEL_NAME, model, kernel)?;
        // build.rs made the memory for this very model.
        let Ok(line) = Line::new(model, kernel, storage, history) else {
            defmt::panic!("the memory is not the model's");
        };
        let mut console = Console::new(line, completer, view, Writer::<embedded::Settings>::new());
        loop {
            while let Some(byte) = console.terminal().next() {
                #[cfg(feature = "provoke")]
                crate::provoke(byte);
                console.feed(byte)?;
            }
            console.refresh()?;
            console.terminal().wait();
        }
    }

    /// Both directions of the serial line, as the console sees them.
    struct Port<S: Mutex<T = Serial>> {
        serial: S,
        typed: &'static mut Consumer<'static, u8>,
        watchdog: &'static mut Watchdog,
    }

    impl<S: Mutex<T = Serial>> Port<S> {
        /// The next byte typed, if there is one.
        fn next(&mut self) -> Option<u8> {
            self.watchdog.feed();
            let byte = self.typed.dequeue();
            if byte.is_some() {
                self.serial.lock(|serial| serial.listen(true));
            }
            byte
        }

        /// Sleeps until something happens: a byte, or the tick.
        fn wait(&mut self) {
            while !self.typed.ready() {
                self.watchdog.feed();
                // With interrupts held back none can slip in between the look and the sleep; a
                // pending one wakes.
                cortex_m::interrupt::free(|_| {
                    if !self.typed.ready() {
                        cortex_m::asm::wfi();
                    }
                });
            }
        }
    }

    impl<S: Mutex<T = Serial>> ErrorType for Port<S> {
        type Error = Infallible;
    }

    impl<S: Mutex<T = Serial>> Write for Port<S> {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            for &byte in bytes {
                while !self.serial.lock(|serial| serial.try_write(byte)) {}
            }
            self.watchdog.feed();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<(), Infallible> {
            self.watchdog.feed();
            Ok(())
        }
    }

    #[task(binds = USART1, shared = [serial], local = [received, told: bool = false])]
    fn receive(mut cx: receive::Context) {
        let received = cx.local.received;
        cx.shared.serial.lock(|serial| {
            // Before the read, not at the next byte: QEMU 7.2 takes an interrupt back only when the
            // byte is read.
            if received.len() + 1 >= received.capacity() {
                serial.listen(false);
            }
            if let Some(next) = serial.read() {
                if next.overrun {
                    defmt::warn!("serial overrun: bytes were lost");
                }
                match next.byte {
                    Some(byte) => {
                        let _ = received.enqueue(byte);
                    }
                    // At another speed there is one after the other.
                    None if core::mem::replace(cx.local.told, true) => {}
                    None => defmt::warn!("a break, or the terminal is not at 115200 baud"),
                }
            }
        });
    }

    #[task(binds = SysTick, local = [led])]
    fn tick(cx: tick::Context) {
        cx.local.led.toggle();
    }
}
