//! A training step allocates nothing once its buffers exist.
//!
//! ```text
//! in a pool of one thread, so that all of a step is done by the thread whose allocations are counted:
//! three steps first (a pool's own queues grow), then ten that may not allocate
//! ```

use gatelet_trainer::config::Config;
use gatelet_trainer::corpus::{Corpus, Text};
use gatelet_trainer::optim::{Optimizer, Schedule};
use gatelet_trainer::params::Cell;
use gatelet_trainer::train::Trainer;

fn corpus() -> Corpus {
    let content: String = (0..20_000_u32)
        .map(|i| char::from(b'a' + (i * i / 7 % 13) as u8))
        .collect();
    let text = Text::from_bytes("made up".to_owned(), content.into_bytes()).unwrap();
    Corpus::new(&text, 0.1).unwrap()
}

/// Allocations of ten steps.
fn allocations(config: Config) -> u64 {
    let corpus = corpus();
    let mut trainer = Trainer::new(&corpus, config, String::new()).unwrap();
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
    for cell in [Cell::Rnn, Cell::Lstm] {
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
                    let found = allocations(config);
                    assert_eq!(
                        found, 0,
                        "{cell}, {optimizer:?}, dropout {dropout}, tied {tied}"
                    );
                }
            }
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
