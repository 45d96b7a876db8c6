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
#[path = "../board/hears.rs"]
mod hears;
#[cfg(target_os = "none")]
#[path = "../board/stm32f405.rs"]
#[expect(
    unreachable_pub,
    reason = "the console's, whose tasks name these types"
)]
mod stm32f405;

#[cfg(target_os = "none")]
mod image {
    use cortex_m_rt::entry;
    use gatelet::StateBuf;
    use gatelet_firmware::embedded::{ModelKernel, STATE_WORDS};
    use gatelet_firmware::stream::listen;

    use super::hears;

    #[entry]
    fn main() -> ! {
        static mut STATE: StateBuf<STATE_WORDS> = StateBuf::new();
        let mut on = false;
        hears::run(STATE.as_mut(), |port, model, storage, led| {
            let mut show = |voice: bool| {
                if voice != on {
                    led.toggle();
                }
                on = voice;
            };
            // It has said how it ended; the next stream begins at once.
            let _ = listen(port, model, ModelKernel::default(), storage, &mut show);
        })
    }
}
