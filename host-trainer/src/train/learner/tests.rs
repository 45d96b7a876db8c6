//! The loop on sequences, against the net unrolled one row at a time.

use super::*;
use crate::data::sequences::Batch;
use crate::net::unroll::Unrolled;
use crate::net::{IGNORED, Role, softmax};
use crate::train::config::Config;
use crate::train::layers::Cell;
use crate::train::optim::Optimizer;

fn params(cell: Cell) -> Params<f32> {
    let config = Config {
        cell,
        hidden: 9,
        ..Config::default()
    };
    Params::init(config.shape(6).net(), 3)
}

fn learner(cell: Cell, optimizer: Optimizer) -> Learner<f32> {
    Learner::new(params(cell), OptimizerConfig::of(optimizer))
}

/// Rows whose target is the token at a place of the row that its first token names.
fn rows(count: usize, steps: usize) -> Batch {
    let mut batch = Batch::new(steps);
    for row in 0..count {
        let tokens: Vec<u16> = (0..steps).map(|t| ((row * 5 + t * t) % 4) as u16).collect();
        batch.push_answer(&tokens, 4 + tokens[0] % 2);
    }
    batch
}

/// The answer is the token that stood first: 6^3 sequences in an order without a pattern.
fn firsts(count: u16) -> Batch {
    let mut batch = Batch::new(3);
    for k in 0..count {
        let k = k * 35 % 216;
        let tokens = [k % 6, k / 6 % 6, k / 36];
        batch.push_answer(&tokens, tokens[0]);
    }
    batch
}

#[test]
fn loss_accuracy_and_outputs_are_those_of_one_row_at_a_time() {
    for cell in Cell::ALL {
        // 150 rows: more than are looked at a time, and no multiple of a shard.
        let (batch, steps) = (rows(150, 5), 5);
        let mut learner = learner(cell, Optimizer::Adam);
        let outputs = learner.outputs(&batch, 0).expect("in memory");
        let (mut nats, mut right) = (0.0, 0);
        for (row, scores) in outputs.chunks_exact(6).enumerate() {
            let net = Unrolled::new(&learner.params().cast(), batch.inputs(row));
            let p = net.probabilities(steps - 1);
            let target = usize::from(batch.answer(row));
            nats -= p[target].ln() / 150.0;
            right += usize::from(p.iter().all(|&other| other <= p[target]));
            let mut found = scores.to_vec();
            softmax(&mut found);
            for (found, exact) in found.iter().zip(p) {
                assert!((f64::from(*found) - exact).abs() < 1e-5, "{cell} {row}");
            }
        }
        let score = learner.score(&batch).expect("in memory");
        assert!((score.nats - nats).abs() < 1e-5, "{cell}: {score:?} {nats}");
        assert_eq!(score.accuracy, right as f64 / 150.0, "{cell}");
        // The loss of a step, and of an epoch, is that of the net before it.
        let step = learner.step(&batch, 0.0).expect("it is finite");
        assert!((step.nats - nats).abs() < 1e-5);
        let epoch = learner.epoch(&batch, 40, 0.0, 1).expect("it is finite");
        assert!((epoch - nats).abs() < 1e-5);
    }
}

#[test]
fn rows_are_learnt_whatever_the_number_of_threads() {
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads").install(|| {
            let mut updates = OptimizerConfig::of(Optimizer::Adam);
            updates.clip = 1.0;
            let mut learner = Learner::new(params(Cell::Lstm), updates);
            let before = learner.score(&rows(40, 7)).expect("in memory");
            for step in 0..150 {
                // Another length now and then: nothing may be left of the one before.
                let steps = if step % 3 == 0 { 4 } else { 7 };
                learner.step(&rows(40, steps), 0.01).expect("it is finite");
            }
            let after = learner.score(&rows(40, 7)).expect("in memory");
            (before, after, learner.params().clone())
        })
    };
    let (before, after, params) = train(1);
    assert!(before.accuracy < 0.6, "{before:?}");
    assert_eq!(after.accuracy, 1.0, "{after:?}");
    assert_eq!(params, train(3).2);
}

#[test]
fn what_stood_first_is_learnt() {
    let mut learner = learner(Cell::Rnn, Optimizer::Adam);
    let batch = firsts(216);
    assert!(learner.score(&batch).expect("in memory").accuracy < 0.5);
    for epoch in 0..60 {
        learner
            .epoch(&batch, 24, 0.01, epoch)
            .expect("it is finite");
    }
    assert_eq!(learner.score(&batch).expect("in memory").accuracy, 1.0);
}

/// A shard's rows that have no example leave the update as it is.
#[test]
fn a_batch_that_is_not_full_gives_the_same_update() {
    let after = |room: usize| {
        let mut learner = learner(Cell::Rnn, Optimizer::Sgd);
        learner.prepare(room, 3).expect("shards");
        learner.step(&firsts(20), 0.5).expect("it is finite");
        learner.params().clone()
    };
    let (exact, padded) = (after(20), after(33));
    let pairs = exact.data.iter().zip(&padded.data);
    pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
}

#[test]
fn targets_that_do_not_count_teach_nothing() {
    let mut learner = learner(Cell::Rnn, Optimizer::Sgd);
    let mut batch = Batch::new(3);
    batch.push(&[1, 2, 3], &[IGNORED; 3]);
    let step = learner.step(&batch, 0.1).expect("it is finite");
    assert_eq!((step.nats, step.norm), (0.0, 0.0));
    assert_eq!(learner.params(), &params(Cell::Rnn));
}

#[test]
fn a_net_that_is_not_finite_stays_and_says_so() {
    let mut learner = learner(Cell::Rnn, Optimizer::Adam);
    let bias = learner.params_mut().tensor_mut(1, Role::Bias);
    *bias.last_mut().expect("it has one") = f32::NAN;
    let mut batch = Batch::new(2);
    batch.push(&[0, 1], &[1, 2]);
    let error = learner.step(&batch, 0.1).expect_err("no number");
    assert!(matches!(error, Error::Diverged { .. }));
    assert!(learner.params().data[1].is_finite());
}

#[test]
fn accuracies_count_rows_and_outputs() {
    // Right and sure; right and unsure; undecided, which is wrong.
    let outputs = [0.1_f64, 0.8, 0.1, 0.4, 0.3, 0.3, 0.4, 0.2, 0.4];
    let answers = || [1, 0, 2].into_iter();
    assert_eq!(top1(&outputs, 3, answers()), 2.0 / 3.0);
    assert_eq!(binary_accuracy(&outputs, 3, answers()), 7.0 / 9.0);
}
