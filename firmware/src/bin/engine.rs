//! What the engine takes of the flash: loads the embedded model, tests it and steps it for ever; no
//! console, no log, no text.
//!
//! Never run. `cargo xtask firmware size` links it three times: whole, without its steps, and
//! without its engine. The differences, less the model, are what a program pays for inference: the
//! steps (session, kernels, tables, argmax, known-answer test) and the loader (every check of an
//! image).

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
    #[cfg(not(feature = "without-engine"))]
    use gatelet::Model;
    #[cfg(not(feature = "without-steps"))]
    use gatelet::{Session, StateBuf, TokenId};
    #[cfg(not(feature = "without-steps"))]
    use gatelet_firmware::embedded::STATE_WORDS;
    #[cfg(not(feature = "without-engine"))]
    use gatelet_firmware::embedded::{IMAGE, ModelKernel};
    use stm32f4xx_hal as _;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {
            cortex_m::asm::bkpt();
        }
    }

    #[entry]
    fn main() -> ! {
        #[cfg(not(feature = "without-engine"))]
        engine();
        loop {
            black_box(());
        }
    }

    /// The least that a program with a model does.
    #[cfg(not(feature = "without-engine"))]
    #[inline(never)]
    fn engine() {
        let image = black_box(IMAGE).image();
        let mut place = None;
        let Ok(model) = Model::load_in(&mut place, image, ModelKernel::default()) else {
            return;
        };
        black_box(model);
        #[cfg(not(feature = "without-steps"))]
        steps(model, StateBuf::<STATE_WORDS>::new().as_mut());
    }

    /// Runs the model.
    #[cfg(not(feature = "without-steps"))]
    fn steps(model: &Model<'_>, state: &mut [u32]) {
        let kernel = ModelKernel::default();
        if model.self_test(kernel, state).is_err() {
            return;
        }
        let Ok(mut session) = Session::new(model, kernel, state) else {
            return;
        };
        let mut id = TokenId(0);
        while let Ok(logits) = session.step(black_box(id)) {
            id = logits.argmax();
        }
    }
}
