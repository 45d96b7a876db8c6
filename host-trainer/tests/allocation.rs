//! A training step allocates nothing once its buffers exist.
//!
//! ```text
//! in a pool of one thread, so that all of a step is done by the thread whose allocations are counted:
//! three steps first (a pool's own queues grow), then ten that may not allocate
//! ```

use gatelet_trainer::data::corpus::{Corpus, Text};
use gatelet_trainer::quantize::{Scheme, WeightBits};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::config::{Config, Qat};
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::optim::{Optimizer, Schedule};

fn corpus() -> Corpus {
    let content: String = (0..20_000_u32)
        .map(|i| char::from(b'a' + (i * i / 7 % 13) as u8))
        .collect();
    let text = Text::from_bytes("made up".to_owned(), content.into_bytes()).unwrap();
    Corpus::new(&text, 0.1).unwrap()
}

/// Allocations of ten steps; of a net that is trained for these integers.
fn allocations(config: Config, scheme: Option<Scheme>) -> u64 {
    let corpus = corpus();
    let mut trainer = Trainer::new(&corpus, config.clone(), String::new()).unwrap();
    if let Some(scheme) = scheme {
        let from = trainer.checkpoint(false);
        let qat = Qat {
            from: "made up".to_owned(),
            from_sha256: String::new(),
            nats: None,
            scheme,
        };
        let config = Config {
            qat: Some(qat),
            ..config
        };
        trainer = Trainer::qat(&corpus, &from, config, String::new()).unwrap();
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| {
        let mut steps = |n: usize| (0..n).try_for_each(|_| trainer.step().map(|_| ())).unwrap();
        steps(3);
        allocation_counter::measure(|| steps(10)).count_total
    })
}

#[test]
fn a_step_allocates_nothing() {
    let small = Config {
        hidden: 24,
        layers: 2,
        batch: 20,
        window: 16,
        ..Config::default()
    };
    for cell in Cell::ALL {
        for optimizer in [Optimizer::AdamW, Optimizer::Sgd, Optimizer::RmsProp] {
            for (dropout, schedule) in [(0.0, Schedule::Cosine), (0.2, Schedule::Plateau)] {
                let config = Config {
                    cell,
                    optimizer,
                    schedule,
                    dropout,
                    recurrent_dropout: dropout,
                    ..small.clone()
                };
                let tied = Config {
                    embedding: 12,
                    projection: 12,
                    tied: true,
                    ..config.clone()
                };
                for config in [config, tied] {
                    let tied = config.tied;
                    let found = allocations(config, None);
                    assert_eq!(
                        found, 0,
                        "{cell}, {optimizer:?}, dropout {dropout}, tied {tied}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_step_for_integers_allocates_nothing() {
    for cell in Cell::ALL {
        for (bits, tied) in [(8, false), (4, false), (4, true)] {
            let width = if tied { 12 } else { 0 };
            let config = Config {
                cell,
                hidden: 24,
                layers: 2,
                batch: 20,
                window: 16,
                embedding: width,
                projection: width,
                tied,
                ..Config::default()
            };
            let net = config.shape(2).net();
            let scheme = Scheme::plain(&net).with_bits(match bits {
                4 => WeightBits::four(&net),
                _ => WeightBits::EIGHT,
            });
            let found = allocations(config, Some(scheme));
            assert_eq!(found, 0, "{cell}, {bits} bits, tied {tied}");
        }
    }
}

/// What this file relies on: an allocation in a pool of one thread is seen.
#[test]
fn an_allocation_is_counted() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let found = pool.install(|| {
        allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 100]))).count_total
    });
    assert_eq!(found, 1);
}
