//! Counts the instructions of a step of the embedded model, in QEMU, exact to one (`counter.rs`);
//! prints one line of JSON.
//!
//! A step is row gather, recurrent product, cell, head, and the argmax of the logits; of a model with
//! a front end, all that a hop of samples takes. [`STEPS`]
//! steps from the zero state over a fixed sequence of tokens are counted one by one, less the cost
//! of counting; the mean is reported, rounded. Ends QEMU with 0, or with 1 after one line that says
//! what is wrong.

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
    use gatelet::front::MAX_FRAME;
    use gatelet::net::{Capabilities, Input};
    use gatelet::{Kernel, Model, Session, StateBuf, TokenId};
    use gatelet_firmware::counter::{Counter, Uncountable};
    use gatelet_firmware::embedded::{self, BOARD, ModelKernel, QEMU, STATE_WORDS};
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// Steps counted.
    const STEPS: u32 = 256;
    /// More instructions a multiply-accumulate than any kernel takes.
    const AT_MOST: u32 = 10;

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
        let counter = Counter::start().map_err(|Uncountable| ())?;
        let kernel = ModelKernel::default();
        let mut place = None;
        match embedded::model(&mut place, kernel, storage) {
            Ok(model) => count(&counter, model, kernel, storage),
            Err(why) => {
                hprintln!("error: the model is refused: {}", why);
                Err(())
            }
        }
    }

    // Not inlined: what loading the model needs of the stack is free again, and the Cortex-M0 has 8
    // KiB of it.
    #[inline(never)]
    fn count(
        counter: &Counter,
        model: &Model<'_>,
        kernel: ModelKernel,
        storage: &mut [u32],
    ) -> Result<(), ()> {
        let net = model.net();
        if QEMU.countable() / AT_MOST < net.macs_per_step() as u32 {
            hprintln!("error: a step of this model is too long for SysTick");
            return Err(());
        }
        let mut session = Session::new(model, kernel, storage)
            .map_err(|why| hprintln!("error: no session: {}", why))?;

        let mut total = 0u64;
        let mut random = 1u32;
        for _ in 0..STEPS {
            // Knuth's MMIX multiplier is for 64 bits; this is the 32-bit one of Numerical Recipes.
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Decided while compiling: what a model does not read is no part of what is measured.
            let (cost, taken) = if ModelKernel::CAPABILITIES.has(Capabilities::FRONT_END) {
                let hop = model.front_end().map_or(0, |front| front.hop.into());
                let mut samples = [0; MAX_FRAME as usize];
                for x in &mut samples {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *x = (random >> 16) as i16;
                }
                let x = samples.get(..hop).unwrap_or_default();
                let cost = counter.instructions(|| nothing(&mut session, x));
                (
                    cost,
                    counter.instructions(|| step_of_sound(&mut session, x)),
                )
            } else if !ModelKernel::CAPABILITIES.has(Capabilities::FEATURES) {
                let id = TokenId(((random >> 16) % net.vocab().max(1) as u32) as u16);
                let cost = counter.instructions(|| nothing(&mut session, id));
                (cost, counter.instructions(|| step(&mut session, id)))
            } else {
                // Those of the model's own test, again and again.
                let width = match net.input {
                    Input::Features { width, .. } => width,
                    Input::Tokens { .. } => 1,
                };
                let features = model.known_answer().features;
                let at = random as usize % (features.len() / width).max(1) * width;
                let x = features.get(at..at + width).unwrap_or_default();
                let cost = counter.instructions(|| nothing(&mut session, x));
                (cost, counter.instructions(|| step_real(&mut session, x)))
            };
            total += u64::from(taken - cost);
        }
        let first = net.operations().find(|of| of.kind.is_recurrent());
        hprintln!(
            "{{\"board\":\"{}\",\"kernel\":\"{}\",\"cell\":\"{}\",\"hidden\":{},\"vocab\":{},\"macs_per_step\":{},\
             \"instructions_per_step\":{},\"model_bytes\":{},\"ram_bytes\":{}}}",
            BOARD.name,
            ModelKernel::NAME,
            first.map_or("dense", |of| of.kind.name()),
            first.map_or(0, |of| of.kind.units()),
            net.vocab(),
            net.macs_per_step(),
            (total + u64::from(STEPS) / 2) / u64::from(STEPS),
            model.image_bytes(),
            4 * model.session_words()
        );
        Ok(())
    }

    /// What is counted.
    #[inline(never)]
    fn step<K: Kernel>(session: &mut Session<'_, '_, K>, id: TokenId) -> TokenId {
        session.step(id).map_or(id, |logits| logits.argmax())
    }

    /// The same of real numbers.
    #[inline(never)]
    fn step_real<K: Kernel>(session: &mut Session<'_, '_, K>, x: &[f32]) -> bool {
        session.step(x).is_ok()
    }

    /// The same of a hop of samples, front end included.
    #[inline(never)]
    fn step_of_sound<K: Kernel>(session: &mut Session<'_, '_, K>, x: &[i16]) -> bool {
        session.push_samples(x, |_| {}) == Ok(1)
    }

    /// The same call without the work.
    #[inline(never)]
    fn nothing<K: Kernel, T>(session: &mut Session<'_, '_, K>, input: T) -> T {
        black_box(session);
        input
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
