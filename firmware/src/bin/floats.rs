//! The f32 kernel of an FPU, compared with the specification, and its instructions counted.
//!
//! ```text
//! activations   a hash of sigmoid and tanh over a sweep: the host has it from the same operations (core)
//! products      every number of rows and columns up to 13 and 44, against sums one after the other
//! GRU           of the kernel's operations, against its equations
//! models        those of GATELET_SHAPES, as in `shapes.rs`: every score near the scalar kernel's, and the known answer
//! ```
//! The bounds are those of docs/numerics.md. Prints a line of JSON for each thing counted, and one
//! at the end. Ends QEMU with 0, or with 1 after one line that says what is wrong.

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
    use gatelet::activation::{sigmoid_f32, tanh_f32};
    use gatelet::{
        AlignedBytes, Fpu, Kernel, Model, NativeF32, Scalar, Session, StateBuf, StateHash, TokenId,
    };
    use gatelet_firmware::counter::{Counter, Uncountable};
    use gatelet_firmware::embedded::BOARD;
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// The images, each behind 16 bytes that begin with its length.
    static SHAPES: AlignedBytes<{ include_bytes!(concat!(env!("OUT_DIR"), "/shapes.bin")).len() }> =
        AlignedBytes(*include_bytes!(concat!(env!("OUT_DIR"), "/shapes.bin")));
    /// Bytes before an image.
    const PREFIX: usize = 16;
    /// Words of a session of the largest model.
    const WORDS: usize = 1024;
    /// Steps of a model and of the GRU.
    const STEPS: usize = 40;
    /// The most that a score may be off after them.
    const BOUND: f32 = 2e-4;
    /// Every so many f32 are given to the activations: what core's test sweeps.
    const SWEEP: usize = 65_521;
    /// The largest number of them, not included.
    const SWEEP_LIMIT: f32 = (1 << 29) as f32;
    /// Numbers of the largest matrix of the products.
    const WEIGHTS: usize = 4 * 40 * 40;

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        hprintln!("error: {}", info);
        exit(debug::EXIT_FAILURE)
    }

    #[entry]
    fn main() -> ! {
        static mut SPECIFIED: StateBuf<WORDS> = StateBuf::new();
        static mut NATIVE: StateBuf<WORDS> = StateBuf::new();
        static mut NUMBERS: [f32; WEIGHTS] = [0.0; WEIGHTS];
        let storage = [SPECIFIED.as_mut(), NATIVE.as_mut()];
        exit(match run(storage, NUMBERS) {
            Ok(()) => debug::EXIT_SUCCESS,
            Err(()) => debug::EXIT_FAILURE,
        })
    }

    // What it calls is not inlined: the storage of all would lie on the stack at once, which has 8
    // KiB.
    fn run(storage: [&mut [u32]; 2], numbers: &mut [f32]) -> Result<(), ()> {
        let counter = Counter::start().map_err(|Uncountable| ())?;
        let activations = activations();
        fill(numbers, 1);
        for columns in (4..=44).step_by(4) {
            (0..=13).try_for_each(|rows| products(numbers, rows, columns))?;
        }
        for hidden in [16, 20, 24, 32, 40] {
            count_products(&counter, numbers, hidden);
        }
        gru::<24>(&counter, numbers)?;
        let models = models(&counter, storage)?;
        hprintln!(
            "{{\"board\":\"{}\",\"kernel\":\"{}\",\"models\":{},\"activations\":\"{:016x}\"}}",
            BOARD.name,
            NativeF32::NAME,
            models,
            activations
        );
        Ok(())
    }

    /// Numbers from -1/2 to 1/2.
    fn fill(numbers: &mut [f32], seed: u32) {
        let mut random = seed;
        for number in numbers {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *number = (random >> 8) as f32 / (1 << 24) as f32 - 0.5;
        }
    }

    /// A line about something counted: the kernel's instructions, and the specification's.
    fn counted(name: core::fmt::Arguments<'_>, macs: usize, counts: [u32; 2], worst: f32) {
        hprintln!(
            "{{\"name\":\"{}\",\"macs\":{},\"instructions\":{},\"scalar\":{},\"worst\":{}}}",
            name,
            macs,
            counts[0],
            counts[1],
            worst
        );
    }

    /// The hash of sigmoid and tanh, in groups of all lengths from one to seven.
    #[inline(never)]
    fn activations() -> u64 {
        let mut hash = StateHash::new();
        let mut sweep = (0..=u32::MAX)
            .step_by(SWEEP)
            .map(f32::from_bits)
            .filter(|x| x.abs() < SWEEP_LIMIT);
        for length in (1..=7).cycle() {
            let mut sigmoids = [0.0; 7];
            let mut there = 0;
            for (to, x) in sigmoids.iter_mut().zip(sweep.by_ref().take(length)) {
                *to = x;
                there += 1;
            }
            let mut tanhs = sigmoids;
            Fpu.sigmoid(&mut sigmoids[..there]);
            Fpu.tanh(&mut tanhs[..there]);
            for (s, t) in sigmoids.iter().zip(tanhs).take(there) {
                hash.update(&s.to_le_bytes());
                hash.update(&t.to_le_bytes());
            }
            if there < length {
                break;
            }
        }
        hash.finish()
    }

    /// The products of a matrix, against sums one after the other; and of lengths that do not fit
    /// none.
    #[inline(never)]
    fn products(numbers: &[f32], rows: usize, columns: usize) -> Result<(), ()> {
        let (x, rest) = numbers.split_at(columns);
        let (start, weights) = rest.split_at(rows);
        let weights = &weights[..rows * columns];
        let mut sums = [7.0; 14];
        sums[..rows].copy_from_slice(start);
        let mut good = Fpu.products(weights, x, &mut sums[..rows]);
        for ((sum, a), row) in sums.iter().zip(start).zip(weights.chunks(columns)) {
            let products = || row.iter().zip(x).map(|(w, x)| w * x);
            let size: f32 = a.abs() + products().map(f32::abs).sum::<f32>();
            let off = sum - (a + products().sum::<f32>());
            good &= off.abs() <= 2.0 * (columns + 8) as f32 * size / (1 << 24) as f32;
        }
        good &= sums[rows..].iter().all(|&s| s == 7.0);
        if rows > 0 {
            good &= !Fpu.products(&weights[1..], x, &mut sums[..rows]);
            good &= !Fpu.products(weights, &x[1..], &mut sums[..rows]);
        }
        if !good {
            hprintln!("error: the products of {} x {} are wrong", rows, columns);
        }
        good.then_some(()).ok_or(())
    }

    /// Instructions of the products of an LSTM layer's h.
    #[inline(never)]
    fn count_products(counter: &Counter, numbers: &[f32], hidden: usize) {
        let (rows, mut sums) = (4 * hidden, [0.0; 160]);
        let (sums, x) = (&mut sums[..rows], &numbers[..hidden]);
        let weights = &numbers[..rows * hidden];
        let count = counter.instructions(|| Fpu.products(black_box(weights), x, sums));
        let one_by_one = counter.instructions(|| {
            for (sum, row) in sums.iter_mut().zip(black_box(weights).chunks(hidden)) {
                *sum = row.iter().zip(x).fold(*sum, |sum, (w, x)| sum + w * x);
            }
        });
        let name = format_args!("products {hidden}");
        counted(name, rows * hidden, [count, one_by_one], 0.0);
    }

    /// The weights of a GRU of H units with one input in four columns, and one output; row-major.
    struct Gru<'a, const H: usize> {
        /// `[2 H, 4 + H]`, of x and h: r, then z.
        gates: &'a [f32],
        /// `[H, 4]` and `[H, H]`: of the candidate.
        below: &'a [f32],
        own: &'a [f32],
        /// `[1, H]`.
        head: &'a [f32],
        /// `[2 H + 2 H]`: of r and z, of both parts of the candidate.
        bias: &'a [f32],
    }

    impl<const H: usize> Gru<'_, H> {
        const X: usize = 4;

        /// `operand`: x and h, of which h is replaced; the output.
        #[inline(never)]
        fn step(&self, operand: &mut [f32]) -> f32 {
            let (mut gates, [mut n, mut u]) = ([[0.0; H]; 2], [[0.0; H]; 2]);
            let flat = gates.as_flattened_mut();
            flat.copy_from_slice(&self.bias[..2 * H]);
            n.copy_from_slice(&self.bias[2 * H..3 * H]);
            u.copy_from_slice(&self.bias[3 * H..]);
            Fpu.products(self.gates, operand, flat);
            Fpu.sigmoid(flat);
            let (x, h) = operand.split_at_mut(Self::X);
            Fpu.products(self.below, x, &mut n);
            Fpu.products(self.own, h, &mut u);
            let [r, z] = gates;
            for ((n, u), r) in n.iter_mut().zip(u).zip(r) {
                *n += r * u;
            }
            Fpu.tanh(&mut n);
            for ((h, n), z) in h.iter_mut().zip(n).zip(z) {
                *h = n + z * (*h - n);
            }
            let mut out = [0.0];
            Fpu.products(self.head, h, &mut out);
            out[0]
        }

        /// The same by its equations.
        fn specified(&self, operand: &mut [f32]) -> f32 {
            let sum = |a: f32, weights: &[f32], row: usize, x: &[f32]| {
                let row = &weights[row * x.len()..][..x.len()];
                a + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()
            };
            let (mut next, [x, h]) = ([0.0; H], [&operand[..Self::X], &operand[Self::X..]]);
            for (j, next) in next.iter_mut().enumerate() {
                let r = sigmoid_f32(sum(self.bias[j], self.gates, j, operand));
                let z = sigmoid_f32(sum(self.bias[H + j], self.gates, H + j, operand));
                let u = sum(self.bias[3 * H + j], self.own, j, h);
                let n = tanh_f32(sum(self.bias[2 * H + j], self.below, j, x) + r * u);
                *next = n + z * (h[j] - n);
            }
            operand[Self::X..].copy_from_slice(&next);
            sum(0.0, self.head, 0, &next)
        }
    }

    /// A GRU of the kernel's operations: near its equations, and its instructions.
    #[inline(never)]
    fn gru<const H: usize>(counter: &Counter, numbers: &[f32]) -> Result<(), ()> {
        let (gates, rest) = numbers.split_at(2 * H * (4 + H));
        let (below, rest) = rest.split_at(4 * H);
        let (own, rest) = rest.split_at(H * H);
        let (head, rest) = rest.split_at(H);
        let net = Gru::<H> {
            gates,
            below,
            own,
            head,
            bias: &rest[..4 * H],
        };
        let mut operands = [[0.0; 64]; 2];
        let [found, specified] = operands.each_mut().map(|o| &mut o[..4 + H]);
        let (mut worst, mut counts) = (0.0_f32, [0; 2]);
        for &x in rest.iter().take(STEPS) {
            found[0] = 4.0 * x;
            specified[0] = 4.0 * x;
            let [mut out, mut expected] = [0.0; 2];
            counts = [
                counter.instructions(|| out = black_box(&net).step(found)),
                counter.instructions(|| expected = black_box(&net).specified(specified)),
            ];
            worst = worst.max((out - expected).abs());
        }
        counted(format_args!("gru {H}"), 3 * H * (H + 4) + H, counts, worst);
        near(worst)
    }

    fn near(worst: f32) -> Result<(), ()> {
        if worst <= BOUND {
            return Ok(());
        }
        hprintln!("error: that is off by {}, more than {}", worst, BOUND);
        Err(())
    }

    /// Every model of the file; how many there are.
    #[inline(never)]
    fn models(counter: &Counter, [specified, native]: [&mut [u32]; 2]) -> Result<usize, ()> {
        let (mut models, mut rest, mut place) = (0, &SHAPES.0[..], None);
        while let Some(length) = rest.first_chunk::<4>() {
            let end = PREFIX + u32::from_le_bytes(*length) as usize;
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
            compare(counter, model, specified, native)?;
            models += 1;
            rest = next;
        }
        Ok(models)
    }

    /// Steps of a model with both kernels.
    #[inline(never)]
    fn compare(
        counter: &Counter,
        model: &Model<'_>,
        specified: &mut [u32],
        native: &mut [u32],
    ) -> Result<(), ()> {
        let net = *model.net();
        model
            .self_test(NativeF32::default(), native)
            .map_err(|why| hprintln!("error: the known answer: {}", why))?;
        let session = |why| hprintln!("error: no session: {}", why);
        let mut specified = Session::new(model, Scalar, specified).map_err(session)?;
        let mut native = Session::new(model, NativeF32::default(), native).map_err(session)?;
        let (mut worst, mut totals, mut random) = (0.0_f32, [0; 2], 1_u32);
        for _ in 0..STEPS {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let id = TokenId(((random >> 16) % net.vocab() as u32) as u16);
            let mut good = false;
            totals[0] += counter.instructions(|| good = step(&mut native, id));
            totals[1] += counter.instructions(|| good &= step(&mut specified, id));
            if !good {
                hprintln!("error: a step is refused");
                return Err(());
            }
            let (found, expected) = (native.logits(), specified.logits());
            for id in (0..net.vocab() as u16).map(TokenId) {
                let (Some(found), Some(expected)) = (found.get(id), expected.get(id)) else {
                    hprintln!("error: a score is missing");
                    return Err(());
                };
                worst = worst.max((found - expected).abs());
            }
        }
        let name = format_args!("{net}");
        let means = totals.map(|total| (total + STEPS as u32 / 2) / STEPS as u32);
        counted(name, net.macs_per_step(), means, worst);
        near(worst)
    }

    #[inline(never)]
    fn step<K: Kernel>(session: &mut Session<'_, '_, K>, id: TokenId) -> bool {
        session.step(id).is_ok()
    }

    fn exit(status: debug::ExitStatus) -> ! {
        debug::exit(status);
        loop {
            cortex_m::asm::wfi();
        }
    }
}
