//! Runs models of many shapes, layouts and scales with the board's kernels (the one for its own
//! layout, the one for rows, and those for 4-bit weights) and with the specification, and compares:
//! every output with each other, and the hash of every state with the one that the host stored in
//! the image.
//!
//! `GATELET_SHAPES` names the file with the images, each behind 16 bytes that begin with its length
//! (little-endian u32); a length of zero is the end. `cargo xtask test` makes it, and replaces it
//! in the linked program by others of that size at most. Prints
//! `{"board","kernels","models","steps"}`; ends QEMU with 0, or with 1 after one line that says
//! what is wrong.

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
    use gatelet::net::{Capabilities, Input};
    use gatelet::{
        AlignedBytes, Int4, Kernel, Model, Native, NativeInt4, NativeRows, Scalar, Session,
        StateBuf, StateHash, StepInput, TokenId,
    };
    use gatelet_firmware::embedded::BOARD;
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// The images.
    static SHAPES: AlignedBytes<{ include_bytes!(concat!(env!("OUT_DIR"), "/shapes.bin")).len() }> =
        AlignedBytes(*include_bytes!(concat!(env!("OUT_DIR"), "/shapes.bin")));
    /// Bytes before an image.
    const PREFIX: usize = 16;
    /// Words of a session of the largest shape: an LSTM of 520 units.
    const WORDS: usize = 544;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        hprintln!("error: {}", info);
        exit(debug::EXIT_FAILURE)
    }

    #[entry]
    fn main() -> ! {
        static mut SPECIFIED: StateBuf<WORDS> = StateBuf::new();
        static mut NATIVE: StateBuf<WORDS> = StateBuf::new();
        exit(match run(SPECIFIED.as_mut(), NATIVE.as_mut()) {
            Ok(()) => debug::EXIT_SUCCESS,
            Err(()) => debug::EXIT_FAILURE,
        })
    }

    fn run(specified: &mut [u32], native: &mut [u32]) -> Result<(), ()> {
        let (mut models, mut steps) = (0, 0);
        // The compiler must not know what is in the images: that changes after the build.
        let mut rest: &[u8] = core::hint::black_box(&SHAPES.0);
        let mut place = None;
        while let Some(length) = rest.first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if length == 0 {
                break;
            }
            let end = PREFIX + length;
            let (Some(image), Some(next)) = (rest.get(PREFIX..end), rest.get(end..)) else {
                hprintln!("error: image {} is cut off", models);
                return Err(());
            };
            let model = match Model::load_in(&mut place, image, Scalar) {
                Ok(model) => model,
                Err(why) => {
                    hprintln!("error: image {}: {}", models, why);
                    return Err(());
                }
            };
            steps += compare(model, Native::default(), specified, native)?;
            if two_kernels() {
                steps += compare(model, NativeRows::default(), specified, native)?;
            }
            if model.needs().has(Capabilities::FOUR_BITS) {
                steps += compare(model, NativeInt4::default(), specified, native)?;
                let nibbles = Int4::<NativeRows>::default();
                steps += compare(model, nibbles, specified, native)?;
            }
            models += 1;
            rest = next;
        }
        hprintln!(
            "{{\"board\":\"{}\",\"kernels\":[\"{}\"{}{}{}],\"models\":{},\"steps\":{}}}",
            BOARD.name,
            Native::NAME,
            if two_kernels() { ",\"" } else { "" },
            if two_kernels() { NativeRows::NAME } else { "" },
            if two_kernels() { "\"" } else { "" },
            models,
            steps
        );
        Ok(())
    }

    /// Whether rows have a kernel of their own here.
    fn two_kernels() -> bool {
        Native::NAME != NativeRows::NAME
    }

    /// Steps of the model's known-answer test, all with the right results.
    // Not inlined: the sessions of all kernels would lie on the stack at once, and the Cortex-M0
    // has 8 KiB of it.
    #[inline(never)]
    fn compare<K: Kernel>(
        model: &Model<'_>,
        kernel: K,
        specified: &mut [u32],
        native: &mut [u32],
    ) -> Result<u32, ()> {
        let complain = |what: &str, step: u32| complain(model, K::NAME, what, step);
        let mut specified = Session::new(model, Scalar, specified)
            .map_err(|_| complain("the state is too small", 0))?;
        let mut native = Session::new(model, kernel, native)
            .map_err(|_| complain("the state is too small", 0))?;
        let mut hashes = [StateHash::new(); 2];
        let known = model.known_answer();
        let mut step = 0;
        for &id in known.tokens {
            step += 1;
            one(&mut specified, &mut native, &mut hashes, TokenId(id))
                .map_err(|what| complain(what, step))?;
        }
        if let Input::Features { width, .. } = model.net().input {
            for features in known.features.chunks_exact(width.max(1)) {
                step += 1;
                one(&mut specified, &mut native, &mut hashes, features)
                    .map_err(|what| complain(what, step))?;
            }
        }
        if hashes.map(|hash| hash.finish()) != [known.hash; 2] || step == 0 {
            complain("the states are not the host's", step);
            return Err(());
        }
        Ok(step)
    }

    /// One step of both, and the states after it into their hashes.
    fn one<K: Kernel>(
        specified: &mut Session<'_, '_, Scalar>,
        native: &mut Session<'_, '_, K>,
        hashes: &mut [StateHash; 2],
        input: impl StepInput + Copy,
    ) -> Result<(), &'static str> {
        specified.step(input).map_err(|_| "the step is refused")?;
        native.step(input).map_err(|_| "the step is refused")?;
        let net = specified.model().net();
        for output in 0..net.output_len() {
            let (expected, found) = (specified.scores(output), native.scores(output));
            for id in (0..net.output_width(output) as u16).map(TokenId) {
                let [expected, found] = [expected.q16(id), found.q16(id)];
                if expected != found {
                    hprintln!(
                        "output {}, {}: {:?}, not {:?}",
                        output,
                        id.0,
                        found,
                        expected
                    );
                    return Err("the kernel's output is not the specified one");
                }
            }
        }
        specified.hash_into(&mut hashes[0]);
        native.hash_into(&mut hashes[1]);
        Ok(())
    }

    /// Says what is wrong with a model's step.
    fn complain(model: &Model<'_>, kernel: &str, what: &str, step: u32) {
        let net = model.net();
        hprintln!(
            "error: {}, {} operations, the first {}, {}, step {}: {}",
            kernel,
            net.len(),
            net.operation(0).map_or("none", |of| of.kind.name()),
            model.layout(),
            step,
            what
        );
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
