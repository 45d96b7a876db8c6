//! Counts the instructions of a step of the embedded model, in QEMU, exact to one; prints one line of JSON.
//!
//! How an instruction is counted: with `-icount shift=0` every instruction takes 1 ns of virtual time, and QEMU's
//! STM32 timers TIM2 to TIM5 count at 1 GHz (`clock-frequency` of `stm32f405_soc.c`; on the part they count at
//! 84 MHz). So one tick of TIM2 is one instruction. That is not taken on trust: a delay loop of known length is
//! counted first, and the program gives up when a tick is not an instruction.
//!
//! A step is row gather, recurrent product, cell, head, and the argmax of the logits. [`STEPS`] steps from the zero
//! state over a fixed sequence of tokens are counted one by one, less the cost of counting; the mean is reported,
//! rounded. Ends QEMU with 0, or with 1 after one line that says what is wrong.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(target_os = "none")]
mod image {
    use core::hint::black_box;

    use cortex_m_rt::entry;
    use cortex_m_semihosting::{debug, hprintln};
    use gatelet::{Kernel, Native, Session, StateBuf, TokenId};
    use gatelet_firmware::embedded::{IMAGE, STATE_WORDS};
    use gatelet_firmware::{boot, budget};
    use stm32f4xx_hal::pac::{Peripherals, TIM2};

    /// Steps counted.
    const STEPS: u32 = 256;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        hprintln!("error: {}", info);
        exit(debug::EXIT_FAILURE)
    }

    #[entry]
    fn main() -> ! {
        static mut STATE: StateBuf<STATE_WORDS> = StateBuf::new();
        exit(match run(STATE.as_mut()) {
            Ok(()) => debug::EXIT_SUCCESS,
            Err(()) => debug::EXIT_FAILURE,
        })
    }

    fn run(storage: &mut [u32]) -> Result<(), ()> {
        let counter = Counter::start()?;
        let kernel = Native::default();
        let model = boot::check(&IMAGE.0, kernel, storage)
            .map_err(|why| hprintln!("error: the model is refused: {}", why))?;
        let dims = model.dims();
        let mut session = Session::new(model, kernel, storage)
            .map_err(|why| hprintln!("error: no session: {}", why))?;

        let mut total = 0u64;
        let mut random = 1u32;
        for _ in 0..STEPS {
            // Knuth's MMIX multiplier is for 64 bits; this is the 32-bit one of Numerical Recipes.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let id = TokenId(((random >> 16) % dims.vocab as u32) as u16);
            let cost = counter.instructions(|| nothing(&mut session, id));
            total += u64::from(counter.instructions(|| step(&mut session, id)) - cost);
        }
        hprintln!(
            "{{\"board\":\"{}\",\"cell\":\"{}\",\"hidden\":{},\"vocab\":{},\"macs_per_step\":{},\
             \"instructions_per_step\":{},\"model_bytes\":{},\"ram_bytes\":{}}}",
            budget::STM32F405.name,
            dims.cell,
            dims.hidden,
            dims.vocab,
            dims.macs_per_step(),
            (total + u64::from(STEPS) / 2) / u64::from(STEPS),
            model.image_bytes(),
            4 * dims.state_words()
        );
        Ok(())
    }

    /// What is counted.
    #[inline(never)]
    fn step<K: Kernel>(session: &mut Session<'_, '_, K>, id: TokenId) -> TokenId {
        session.step(id).map_or(id, |logits| logits.argmax())
    }

    /// The same call without the work.
    #[inline(never)]
    fn nothing<K: Kernel>(session: &mut Session<'_, '_, K>, id: TokenId) -> TokenId {
        black_box(session);
        id
    }

    /// TIM2, one tick an instruction.
    struct Counter(TIM2);

    impl Counter {
        fn start() -> Result<Self, ()> {
            let timer = Peripherals::take()
                .ok_or_else(|| hprintln!("error: the peripherals are taken"))?
                .TIM2;
            timer.arr().write(|w| w.arr().set(u32::MAX));
            timer.cr1().write(|w| w.cen().set_bit());
            let counter = Counter(timer);
            let short = counter.loops(black_box(10_000));
            let long = counter.loops(black_box(20_000));
            let ticks = long.wrapping_sub(short);
            if ticks == 20_000 {
                Ok(counter)
            } else {
                hprintln!(
                    "error: 20000 instructions took {} ticks of TIM2: start QEMU with -icount shift=0",
                    ticks
                );
                Err(())
            }
        }

        /// `asm::delay(n)` is a loop of two instructions, n + 1 times round. One copy of this code counts both lengths.
        #[inline(never)]
        fn loops(&self, rounds: u32) -> u32 {
            self.instructions(|| cortex_m::asm::delay(rounds))
        }

        /// Instructions from one look at the timer to the next.
        #[inline(always)]
        fn instructions<T>(&self, work: impl FnOnce() -> T) -> u32 {
            let before = self.0.cnt().read().bits();
            black_box(work());
            self.0.cnt().read().bits().wrapping_sub(before)
        }
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
