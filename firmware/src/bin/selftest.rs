//! Runs `selftest/text.txt` through the embedded model and prints the hash of every state, as one
//! line of JSON by semihosting: `{"board","steps","state_hash"}`. `cargo xtask firmware selftest`
//! compares it with the host's.
//!
//! Ends QEMU with 0, or with 1 after one line that says what is wrong. Not for a board without a
//! debugger.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(target_os = "none")]
mod image {
    use cortex_m_rt::entry;
    use cortex_m_semihosting::{debug, hprintln};
    use gatelet::{Session, StateBuf, StateHash};
    use gatelet_firmware::embedded::{self, BOARD, ModelKernel, STATE_WORDS};
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// Held-out text of `corpora/novels.txt`: the model has not been trained on it.
    const TEXT: &str = include_str!("../../selftest/text.txt");

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
            Err(why) => {
                hprintln!("error: {}", why);
                debug::EXIT_FAILURE
            }
        })
    }

    fn run(storage: &mut [u32]) -> Result<(), gatelet::Error> {
        let kernel = ModelKernel::default();
        let mut place = None;
        let model = embedded::model(&mut place, kernel, storage)?;
        let mut session = Session::new(model, kernel, storage)?;
        let mut hash = StateHash::new();
        let mut steps = 0;
        for character in TEXT.chars() {
            let Some(id) = model.vocab().id_of(character) else {
                hprintln!(
                    "error: the model does not know {:?} of selftest/text.txt",
                    character
                );
                exit(debug::EXIT_FAILURE);
            };
            session.step(id)?;
            session.hash_into(&mut hash);
            steps += 1;
        }
        hprintln!(
            "{{\"board\":\"{}\",\"steps\":{},\"state_hash\":\"{:016x}\"}}",
            BOARD.name,
            steps,
            hash.finish()
        );
        Ok(())
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
