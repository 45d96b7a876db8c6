//! STM32F405 and STM32F407; QEMU's `netduinoplus2`.
//!
//! ```text
//! clock    HSE crystal -> PLL -> 168 MHz; when the crystal does not start in time: HSI, 16 MHz
//! serial   USART1, PA9 transmits, PA10 receives (AF7), 115200 8N1
//! LED      PD12, toggled by the tick
//! watchdog IWDG, 0.5 s during start-up, then 26 s: longer than the longest recomputation of a line
//! ```
//!
//! No wait is endless. The crystal gets a bounded number of polls. Should the PLL not lock after
//! that (in the HAL, which waits for it), the watchdog resets the part, and a start after a
//! watchdog's reset leaves crystal and PLL alone.
//!
//! QEMU has no RCC, flash interface, GPIO or IWDG: writes do nothing, reads give 0. So the crystal
//! "does not start" there, and the way round a dead crystal is the one that every emulated boot
//! takes. Register names and sequences: ST RM0090, chapters 7 (RCC), 21 (IWDG), 30 (USART).

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use stm32f4xx_hal::pac::{GPIOD, IWDG, Peripherals, RCC, USART1};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;

/// Bits a second of the serial line.
const BAUD: u32 = 115_200;
/// The crystal: 8 MHz on the STM32F4DISCOVERY and most STM32F405 boards. Change it for a board with
/// another one (Netduino Plus 2: 25 MHz; Adafruit Feather STM32F405: 12 MHz).
const HSE_MHZ: u32 = 8;
/// The core clock behind the PLL; the part's maximum.
const PLL_MHZ: u32 = 168;
/// The internal oscillator, 1 % accurate: good enough for a serial line.
const HSI_HZ: u32 = 16_000_000;
/// Polls of the crystal's ready flag before giving up. A poll takes 8 cycles or more of the 16 MHz
/// start-up clock: at least 50 ms. A crystal takes 2 ms.
const READY_POLLS: u32 = 100_000;
/// Ticks a second; the LED changes at each.
const TICK_HZ: u32 = 4;

/// The board after start-up.
pub struct Board {
    /// The serial console.
    pub serial: Serial,
    /// The heartbeat's LED.
    pub led: Led,
    /// The watchdog, running.
    pub watchdog: Watchdog,
    /// The core clock in Hz.
    pub core_hz: u32,
    /// Whether it was the watchdog that started the board.
    pub after_watchdog: bool,
}

/// The clocks that matter here, in Hz.
struct Clocks {
    core: u32,
    /// APB2, which USART1 is on.
    apb2: u32,
    /// Whether the watchdog has reset the part.
    after_watchdog: bool,
}

impl Board {
    /// Brings up watchdog, clock, pins, serial line and tick.
    pub fn start(device: Peripherals, systick: &mut SYST) -> Self {
        // A debugger that halts the core must not be answered by a reset.
        device
            .DBGMCU
            .apb1_fz()
            .modify(|_, w| w.dbg_iwdg_stop().set_bit());
        let mut watchdog = Watchdog::start(device.IWDG);

        let rcc = device.RCC;
        rcc.ahb1enr()
            .modify(|_, w| w.gpioaen().enabled().gpioden().enabled());
        rcc.apb2enr().modify(|_, w| w.usart1en().enabled());
        let clocks = start_clocks(rcc);
        watchdog.relax();

        device.GPIOA.pupdr().modify(|_, w| w.pupdr10().pull_up());
        device
            .GPIOA
            .afrh()
            .modify(|_, w| w.afrh9().af7().afrh10().af7());
        device
            .GPIOA
            .moder()
            .modify(|_, w| w.moder9().alternate().moder10().alternate());
        device.GPIOD.moder().modify(|_, w| w.moder12().output());

        // The external reference of the SysTick is an eighth of the core clock.
        systick.set_clock_source(SystClkSource::External);
        systick.set_reload(clocks.core / 8 / TICK_HZ - 1);
        systick.clear_current();
        systick.enable_interrupt();
        systick.enable_counter();

        Board {
            serial: Serial::start(device.USART1, clocks.apb2),
            led: Led(device.GPIOD),
            watchdog,
            core_hz: clocks.core,
            after_watchdog: clocks.after_watchdog,
        }
    }
}

/// Switches to the crystal and the PLL, or stays on the internal oscillator.
fn start_clocks(rcc: RCC) -> Clocks {
    let after_watchdog = rcc.csr().read().wdgrstf().bit_is_set();
    rcc.csr().modify(|_, w| w.rmvf().set_bit());
    rcc.cr().modify(|_, w| w.hseon().on());
    let crystal_runs = (0..READY_POLLS).any(|_| rcc.cr().read().hserdy().is_ready());
    if after_watchdog || !crystal_runs {
        rcc.cr().modify(|_, w| w.hseon().off());
        return Clocks {
            core: HSI_HZ,
            apb2: HSI_HZ,
            after_watchdog,
        };
    }
    // The HAL finds the PLL's dividers, and sets wait states, prefetch and caches of the flash
    // before it switches.
    let config = Config::hse(HSE_MHZ.MHz()).sysclk(PLL_MHZ.MHz());
    let clocks = rcc.freeze(config).clocks;
    Clocks {
        core: clocks.sysclk().raw(),
        apb2: clocks.pclk2().raw(),
        after_watchdog,
    }
}

/// USART1. Nothing here waits.
pub struct Serial(USART1);

/// What the receiver had.
pub struct Received {
    /// The byte; none where the line was not as it is between bytes: a break, or another speed.
    pub byte: Option<u8>,
    /// Whether bytes before it were lost.
    pub overrun: bool,
}

impl Serial {
    fn start(usart: USART1, clock_hz: u32) -> Self {
        // The divider counts in sixteenths of a bit, so it is clock / baud: 729 at 84 MHz, 139 at
        // 16 MHz; both are within 0.1 % of the rate.
        let divider = (clock_hz + BAUD / 2) / BAUD;
        usart.brr().write(|w| {
            w.div_mantissa().set((divider >> 4) as u16);
            w.div_fraction().set((divider & 15) as u8)
        });
        usart.cr1().write(|w| {
            w.ue().enabled();
            w.te().enabled();
            w.re().enabled();
            w.rxneie().enabled()
        });
        Serial(usart)
    }

    /// Hands a byte to the transmitter; false while it is busy.
    pub fn try_write(&mut self, byte: u8) -> bool {
        let free = self.0.sr().read().txe().bit_is_set();
        if free {
            self.0.dr().write(|w| w.dr().set(u16::from(byte)));
        }
        free
    }

    /// Takes a received byte, if there is one.
    pub fn read(&mut self) -> Option<Received> {
        let status = self.0.sr().read();
        // Reading the data register also ends the overrun condition, which would interrupt for ever
        // otherwise, and the framing error.
        (status.rxne().bit_is_set() || status.ore().bit_is_set()).then(|| {
            let byte = self.0.dr().read().bits() as u8;
            Received {
                byte: status.fe().bit_is_clear().then_some(byte),
                overrun: status.ore().bit_is_set(),
            }
        })
    }

    /// Interrupts on received bytes, or leaves them where they are.
    pub fn listen(&mut self, on: bool) {
        self.0.cr1().modify(|_, w| w.rxneie().bit(on));
    }
}

/// The heartbeat's LED, PD12: the green one of the STM32F4DISCOVERY.
pub struct Led(GPIOD);

impl Led {
    /// On becomes off and the other way round.
    pub fn toggle(&mut self) {
        self.0.odr().modify(|r, w| w.odr12().bit(!r.odr12().bit()));
    }
}

/// The independent watchdog: resets the part when nobody feeds it for 26 s.
pub struct Watchdog(IWDG);

impl Watchdog {
    /// With the values of the reset: 32 kHz / 4 and 4095, half a second.
    fn start(iwdg: IWDG) -> Self {
        iwdg.kr().write(|w| w.key().start());
        Watchdog(iwdg)
    }

    /// Half a second becomes 26 s: 32 kHz / 256 is 125 Hz, and 3250 / 125 Hz = 26 s.
    fn relax(&mut self) {
        self.feed();
        self.0.kr().write(|w| w.key().unlock());
        // The registers follow after a few ticks of the watchdog's clock; nothing waits for that.
        self.0.pr().write(|w| w.pr().divide_by256());
        self.0.rlr().write(|w| w.rl().set(3250));
    }

    /// Says that the program is alive.
    pub fn feed(&mut self) {
        self.0.kr().write(|w| w.key().feed());
    }
}
