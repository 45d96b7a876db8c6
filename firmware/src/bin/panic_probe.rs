//! Links only if nothing in core can panic: the panic handler must not be reachable (`no_panic.x` in this crate).
//!
//! The probe calls all of core's public operations for every kernel on inputs the compiler knows nothing of. It is
//! never run. `--features panic-probe-negative` adds one indexing operation; linking must then fail, which shows that
//! the proof can.

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
    use gatelet::format::{self, EmbeddingSpec, HeadSpec, ImageSpec, LayerSpec, VocabSpec};
    use gatelet::{
        Completer, Dims, History, Isa, Kernel, KnownAnswer, Logits, Model, Native, NativeF32,
        NativeNibbleRows, NativeNibbles, Plain, Sampler, Session, StateBuf, StateHash, TokenId,
        Tokenizer, WithKernel, words_with,
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
                        1 => everything.run(Plain::<Native>::default()),
                        2 => everything.run(NativeNibbles::default()),
                        3 => everything.run(NativeF32::default()),
                        _ => everything.run(NativeNibbleRows::default()),
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
            model.dims(),
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
        for section in model.sections() {
            black_box(section);
        }
        black_box((
            model.layer(black_box(1)),
            model.embedding(),
            model.projection(),
            model.head(),
            model.known_answer(),
        ));
        let dims = black_box(model.dims());
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
            dims.macs_per_step(),
            dims.state_words(),
            dims.columns(black_box(0)),
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
            let Ok(mut session) = Session::new(self.model, kernel, self.storage) else {
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

    /// The writer, in both precisions.
    fn write(out: &mut [u8]) {
        let Ok(dims) = Dims::new(
            black_box(gatelet::Cell::Lstm),
            black_box(gatelet::Precision::Int8),
            black_box(1),
            black_box(4),
            black_box(3),
        )
        .and_then(|plain| plain.with_widths(black_box(4), black_box(8), black_box(false))) else {
            return;
        };
        let embeddings = [
            EmbeddingSpec::F32 {
                weights: black_box(&[]),
            },
            EmbeddingSpec::Int8 {
                weights: black_box(&[]),
                multipliers: black_box(&[]),
                shift: black_box(24),
            },
        ];
        let layers = [
            LayerSpec::F32 {
                input: black_box(&[]),
                weights: black_box(&[]),
            },
            LayerSpec::Int8 {
                input: black_box(&[]),
                weights: black_box(&[]),
                multipliers: black_box(&[]),
                shift: black_box(24),
                cell_bits: black_box(4),
            },
        ];
        let heads = [
            HeadSpec::F32 {
                weights: black_box(&[]),
                bias: black_box(&[]),
            },
            HeadSpec::Int8 {
                weights: black_box(&[]),
                multipliers: black_box(&[]),
                shift: black_box(24),
                bias: black_box(&[]),
            },
        ];
        for (head, embedding) in heads.into_iter().zip(embeddings) {
            let spec = ImageSpec {
                dims,
                layout: black_box(gatelet::Layout::Pairs),
                vocab: match black_box(true) {
                    true => VocabSpec::Characters(black_box(&['a', 'b', 'c'])),
                    false => VocabSpec::Words(black_box(&["a", "b", "\u{fffd}"])),
                },
                embedding: black_box(Some(embedding)),
                layers: black_box(&layers),
                projection: black_box(Some(head)),
                head,
                provenance: black_box(Default::default()),
                known_answer: black_box(KnownAnswer::default()),
                rules: black_box(Default::default()),
            };
            black_box(format::image_len(&spec).is_ok());
            black_box(format::write_image(&spec, out).is_ok());
        }
        if let Ok(model) = Model::from_bytes(black_box(&[])) {
            let layout = black_box(gatelet::Layout::Pairs);
            black_box(format::repacked_len(&model, layout).is_ok());
            black_box(format::repack(&model, layout, out).is_ok());
        }
    }
}
