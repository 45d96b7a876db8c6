//! Runs a conformance suite (`gatelet suite`) with the board's kernels: the one for its own layout,
//! and where rows have another, that one as well.
//!
//! `GATELET_SUITE` names the file. Prints a line of JSON by semihosting for each case and kernel,
//! as `tests/same-bits --suite` does: `{"kernel","net","steps","first_difference"}`. Ends QEMU with
//! 0 when it has run them all, whatever it found, or with 1 after one line that says what is wrong.
//! `cargo xtask conformance` makes the table.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(target_os = "none")]
mod image {
    use cortex_m_rt::entry;
    use cortex_m_semihosting::{debug, hprint, hprintln};
    use gatelet::conformance::{Case, CaseError, cases};
    use gatelet::net::Capabilities;
    use gatelet::{AlignedBytes, Kernel, Model, Native, NativeInt4, NativeRows, StateBuf};
    use gatelet_firmware as _;
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// The suite.
    static SUITE: AlignedBytes<{ include_bytes!(concat!(env!("OUT_DIR"), "/suite.bin")).len() }> =
        AlignedBytes(*include_bytes!(concat!(env!("OUT_DIR"), "/suite.bin")));
    /// Words of a session of the largest model: an LSTM of 2 x 128 units and 256 tokens.
    const WORDS: usize = 1024;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        hprintln!("error: {}", info);
        exit(debug::EXIT_FAILURE)
    }

    #[entry]
    fn main() -> ! {
        static mut STATE: StateBuf<WORDS> = StateBuf::new();
        exit(match run(STATE.as_mut()) {
            Ok(()) => debug::EXIT_SUCCESS,
            Err(why) => {
                hprintln!("error: {}", why);
                debug::EXIT_FAILURE
            }
        })
    }

    fn run(storage: &mut [u32]) -> Result<(), CaseError> {
        let mut place = None;
        for case in cases(&SUITE.0) {
            let case = case?;
            let model = case.model(&mut place)?;
            if model.needs().has(Capabilities::FOUR_BITS) {
                row(&case, model, NativeInt4::default(), storage)?;
                continue;
            }
            row(&case, model, Native::default(), storage)?;
            if Native::NAME != NativeRows::NAME {
                row(&case, model, NativeRows::default(), storage)?;
            }
        }
        Ok(())
    }

    fn row<K: Kernel>(
        case: &Case<'_>,
        model: &Model<'_>,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<(), CaseError> {
        let found = case.run(model, kernel, storage);
        hprint!(
            "{{\"kernel\":\"{}\",\"net\":\"{}\",\"steps\":{},\"first_difference\":",
            K::NAME,
            model.net(),
            case.steps(),
        );
        match found {
            Ok(()) => hprintln!("null}}"),
            Err(CaseError::Differs { step }) => hprintln!("{}}}", step),
            Err(why) => {
                hprintln!("null}}");
                return Err(why);
            }
        }
        Ok(())
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
