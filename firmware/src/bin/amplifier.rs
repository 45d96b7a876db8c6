//! A guitar amplifier: samples come over the serial line of an MPS2 board, and go back amplified by
//! the embedded f32 net; `stream.rs` says how, docs/streaming.md how to try it.
//!
//! Every step's instructions are counted (`counter.rs`), so QEMU is what it is for. On the line it
//! says what is wrong.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(not(target_os = "none"))]
fn main() {
    gatelet_firmware::not_for_the_host();
}

#[cfg(target_os = "none")]
#[path = "../board/mps2.rs"]
mod mps2;

#[cfg(target_os = "none")]
mod image {
    use cortex_m_rt::entry;
    use gatelet::StateBuf;
    use gatelet_firmware::counter::{Counter, Uncountable};
    use gatelet_firmware::embedded::{self, ModelKernel, STATE_WORDS};
    use gatelet_firmware::stream::{amplify, say};
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    use super::mps2::Line;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        let Ok(()) = say(&mut Line::start(), format_args!("error: {info}"));
        rest()
    }

    #[entry]
    fn main() -> ! {
        static mut STATE: StateBuf<STATE_WORDS> = StateBuf::new();
        let (mut line, kernel) = (Line::start(), ModelKernel::default());
        let storage = STATE.as_mut();
        let counter = match Counter::start() {
            Ok(counter) => counter,
            Err(Uncountable) => {
                let why = "instructions cannot be counted: not QEMU, or without -icount";
                let Ok(()) = say(&mut line, format_args!("error: {why}"));
                rest()
            }
        };
        let mut place = None;
        match embedded::model(&mut place, kernel, storage) {
            Ok(model) => {
                // It has said how it ended.
                let _ = amplify(&mut line, model, kernel, storage, &counter);
            }
            Err(why) => {
                let Ok(()) = say(
                    &mut line,
                    format_args!("error: the model is refused: {why}"),
                );
            }
        }
        rest()
    }

    fn rest() -> ! {
        loop {
            cortex_m::asm::wfi();
        }
    }
}
