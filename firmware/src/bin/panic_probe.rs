//! Links only if nothing in core can panic: the panic handler must not be reachable (`no_panic.x`
//! in this crate).
//!
//! The probe calls all of core's public operations for every kernel on inputs the compiler knows
//! nothing of. It is never run. `--features panic-probe-negative` adds one indexing operation;
//! linking must then fail, which shows that the proof can.

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
    use gatelet::format::{
        self, FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, VocabSpec,
    };
    use gatelet::net::{
        Activation, GateActivation, Kind, Net, Operand, Reset, RnnActivation, Value,
    };
    use gatelet::{
        Completer, Dims, History, Isa, Kernel, KnownAnswer, Logits, Model, Native, NativeF32,
        NativeInt4, NativeInt4Rows, Only, Sampler, Session, StateBuf, StateHash, StateView,
        TokenId, Tokenizer, WithKernel, words_with,
    };
    #[cfg(stm32f4)]
    use stm32f4xx_hal as _;

    /// Sizes of no particular model.
    const WORDS: usize = 600;
    const SNAPSHOT: usize = 96;

    // Not inlined, so that the linker sees it under its own name.
    #[panic_handler]
    #[inline(never)]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {
            cortex_m::asm::bkpt();
        }
    }

    #[entry]
    fn main() -> ! {
        static mut BYTES: [u8; 1024] = [0; 1024];
        static mut STATE: StateBuf<WORDS> = StateBuf::new();
        static mut HISTORY: History<4, SNAPSHOT> = History::new();
        static mut COMPLETER: Completer<2, 8, SNAPSHOT> = Completer::new();
        loop {
            let image: &[u8] = black_box(BYTES);
            if let Ok(model) = Model::from_bytes(image) {
                read(&model);
                let everything = Everything {
                    model,
                    storage: black_box(STATE.as_mut()),
                    history: HISTORY,
                    completer: COMPLETER,
                };
                match black_box(Isa::from_name(black_box("scalar"))) {
                    Some(isa) => isa.run(everything),
                    None => match black_box(0) {
                        0 => everything.run(Native::default()),
                        1 => everything.run(Only::<Native, 0x8091>::default()),
                        2 => everything.run(NativeInt4::default()),
                        3 => everything.run(NativeF32::default()),
                        _ => everything.run(NativeInt4Rows::default()),
                    },
                }
            }
            write(black_box(BYTES));
            #[cfg(feature = "panic-probe-negative")]
            black_box(BYTES[black_box(5000)]);
        }
    }

    /// Everything that a model can be asked.
    fn read(model: &Model<'_>) {
        let vocab = model.vocab();
        black_box(vocab.id_of(black_box('a')));
        black_box(vocab.char_of(black_box(TokenId(3))));
        black_box(vocab.chars().fold(0, |n, c| n ^ u32::from(c)));
        black_box((
            model.net(),
            model.needs(),
            model.layout(),
            model.provenance(),
            model.rules(),
        ));
        black_box(vocab.unknown());
        black_box((vocab.is_words(), vocab.word(black_box(TokenId(3)))));
        black_box(vocab.id_of_word(black_box("word")));
        black_box(vocab.with_prefix(black_box("wo")));
        black_box(vocab.words().fold(0, |n, word| n + word.len()));
        let mut tokenizer = Tokenizer::new();
        tokenizer.feed(black_box('w'), &mut |token| {
            black_box(vocab.id_of_word(token));
        });
        black_box(tokenizer.unfinished());
        tokenizer.finish(&mut |token| {
            black_box(vocab.id_of_word(token));
        });
        black_box((
            model.front_end(),
            model.session_words(),
            model.snapshot_words(),
        ));
        for section in model.sections() {
            black_box(section);
        }
        black_box((
            model.weights(black_box(1)),
            model.output_scale(black_box(0)),
            model.feature_scales(),
            model.doubled_features(),
            model.known_answer(),
        ));
        let net = black_box(*model.net());
        if let Some(dims) = net.dims() {
            black_box((
                Dims::new(
                    dims.cell,
                    dims.precision,
                    dims.layers,
                    dims.hidden,
                    dims.vocab,
                )
                .and_then(|plain| plain.with_widths(dims.embedding, dims.projection, dims.tied))
                .is_ok(),
                dims.columns(black_box(0)),
            ));
        }
        black_box((
            net.macs_per_step(),
            net.state_words(),
            net.capabilities(),
            net.columns(black_box(0)),
        ));
    }

    /// Everything that runs with a kernel.
    struct Everything<'m, 's> {
        model: Model<'m>,
        storage: &'s mut [u32],
        history: &'s mut History<4, SNAPSHOT>,
        completer: &'s mut Completer<2, 8, SNAPSHOT>,
    }

    impl WithKernel for Everything<'_, '_> {
        type Output = ();

        fn run<K: Kernel>(self, kernel: K) {
            black_box(self.model.self_test(kernel, self.storage).is_ok());
            let Ok(mut session) = Session::new(&self.model, kernel, self.storage) else {
                return;
            };
            let mut hash = StateHash::new();
            let mut snapshot = [0; SNAPSHOT];
            black_box(self.history.push(&session).is_ok());
            if let Ok(logits) = session.step(black_box(TokenId(7))) {
                ask(&logits);
                let vocab = self.model.vocab();
                black_box(words_with::<3>(&logits, &vocab, black_box("wo")));
            }
            black_box(session.step(black_box(&[0.5_f32, 1.0][..])).is_ok());
            black_box(session.step(black_box(&[5_i8, 1][..])).is_ok());
            let samples = black_box(&[5_i16, 1][..]);
            let pushed = session.push_samples(samples, |session| {
                black_box(session.logits().argmax());
            });
            black_box((pushed.is_ok(), session.snapshot_words()));
            black_box(session.values(black_box(1)).fold(0.0, |sum, x| sum + x));
            if let Some(state) = session.state(black_box(1)) {
                black_box(state);
            }
            let state = StateView::Int8 {
                h: black_box(&[]),
                c: black_box(&[]),
            };
            black_box(session.set_state(black_box(1), state).is_ok());
            black_box(session.snapshot(black_box(&mut snapshot)).is_ok());
            black_box(session.restore(black_box(&snapshot)).is_ok());
            black_box(self.history.pop(&mut session).is_ok());
            self.history.clear();
            session.hash_into(&mut hash);
            black_box(hash.finish());
            black_box(
                self.completer
                    .complete(&mut session, |id| black_box(id).0 == 0)
                    .is_ok(),
            );
            session.begin();
            black_box(session.read(black_box(TokenId(3))).is_ok());
            session.reset();
        }
    }

    /// Everything that scores can be asked.
    fn ask(logits: &Logits<'_>) {
        black_box((logits.len(), logits.get(black_box(TokenId(2)))));
        black_box(logits.argmax());
        black_box(logits.top::<3>());
        let mut greedy = Sampler::greedy();
        black_box(greedy.sample(logits));
        let drawn = Sampler::new(black_box(1))
            .with_temperature(black_box(0.7))
            .and_then(|s| s.with_top_k(black_box(5)));
        if let Ok(mut sampler) = drawn {
            black_box(sampler.sample(logits));
        }
    }

    /// A net of every kind of operation.
    fn net() -> Net {
        let reset = black_box(Reset::Before);
        let units = black_box(4);
        let gates = black_box(GateActivation::HardSigmoid);
        let activation = black_box(Activation::Tanh);
        Net::tokens(black_box(gatelet::Precision::Int8), black_box(3))
            .then(Kind::Embedding { units })
            .then(Kind::Lstm { units, gates })
            .then(Kind::Gru {
                units,
                reset,
                gates,
                candidate: black_box(RnnActivation::Relu),
            })
            .then(Kind::Rnn {
                units,
                activation: black_box(RnnActivation::Relu),
            })
            .with(
                Kind::Add,
                Operand::two(Value::of(1), Value::of(black_box(2))),
            )
            .then(Kind::Dense { units, activation })
            .scores()
    }

    /// The writer.
    fn write(out: &mut [u8]) {
        let matrix = MatrixSpec {
            weights: black_box(Numbers::I8(&[])),
            multipliers: black_box(&[]),
            shift: black_box(24),
        };
        let operation = OperationSpec {
            input: black_box(Numbers::I16(&[])),
            weights: matrix,
            candidate: matrix,
            hidden: matrix,
            bias: black_box(Numbers::I32(&[])),
            state_bits: black_box(4),
            start_hidden: black_box(Numbers::None),
            start_cell: black_box(Numbers::None),
        };
        let operations = [operation; 6];
        let spec = ImageSpec {
            net: net(),
            layout: black_box(gatelet::Layout::Pairs),
            vocab: match black_box(true) {
                true => VocabSpec::Characters(black_box(&['a', 'b', 'c'])),
                false => VocabSpec::Words(black_box(&["a", "b", "\u{fffd}"])),
            },
            features: black_box(FeatureSpec::default()),
            operations: black_box(&operations),
            outputs: Default::default(),
            provenance: black_box(Default::default()),
            known_answer: black_box(KnownAnswer::default()),
            rules: black_box(Default::default()),
        };
        black_box(format::image_len(&spec).is_ok());
        black_box(format::write_image(&spec, out).is_ok());
        if let Ok(model) = Model::from_bytes(black_box(&[])) {
            let layout = black_box(gatelet::Layout::Pairs);
            black_box(format::repacked_len(&model, layout).is_ok());
            black_box(format::repack(&model, layout, out).is_ok());
        }
    }
}
