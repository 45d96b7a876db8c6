//! Short sequences with one answer at their end, learnt by a recurrent net.
//!
//! ```text
//! tokens w_1 .. w_T -> h_T -> p = softmax(h_T W^T + b)            L = - log p[answer], T the same for all
//! an epoch    the sequences in a new order, in batches: zero state, BPTT over the T steps, the optimizer
//! ```
//! It is [`Shard`] with targets at the last step only, where the others are ignored: the same BPTT that trains on
//! texts. A batch of fewer rows than the shard has leaves the rest ignored too.
//!
//! Checkpoints are those of a run, so PyTorch opens them and damage is noticed. Their vocabulary is one of characters:
//! token `k` stands in it as the character U+E000 + k, which has no meaning of its own (private use).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

use crate::checkpoint::{Checkpoint, FORMAT, Meta, Provenance, Resume};
use crate::config::Config;
use crate::corpus::Vocabulary;
use crate::engine::{Engine, Packed};
use crate::error::{Error, Result};
use crate::feedforward::{softmax, top1};
use crate::net::{IGNORED, Packs, Params, Role, Shard};
use crate::optim::{OptimizerConfig, Updater};
use crate::train::Position;

/// Sequences and what each asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// [examples, steps], row-major: token ids.
    pub tokens: Vec<u16>,
    /// `[examples]`: token ids.
    pub answers: Vec<u16>,
}

impl Examples {
    /// Adds a sequence with its answer.
    pub fn push(&mut self, tokens: &[u16], answer: u16) {
        self.tokens.extend_from_slice(tokens);
        self.answers.push(answer);
    }
}

/// How well a net does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean loss in nats.
    pub nats: f64,
    /// Part of the examples whose answer is the likeliest token.
    pub top1: f64,
}

/// A net that reads sequences of `steps` tokens, with its optimizer.
#[derive(Clone, Debug)]
pub struct ManyToOne<F: Engine> {
    params: Params<F>,
    packs: Packs<F>,
    updater: Updater<F>,
    shard: Shard<F>,
    steps: usize,
}

impl<F: Engine> ManyToOne<F> {
    /// From the start `params`, for sequences of `steps` tokens and batches of `batch`.
    pub fn new(params: Params<F>, optimizer: OptimizerConfig, steps: usize, batch: usize) -> Self {
        Self {
            packs: Packs::of(&params),
            updater: Updater::new(optimizer, params.net()),
            shard: Shard::new(params.net(), batch, steps),
            params,
            steps,
        }
    }

    /// The parameters.
    pub fn params(&self) -> &Params<F> {
        &self.params
    }

    /// One pass over the examples in an order that `seed` decides. Returns the mean loss in nats, each batch's before
    /// its update.
    pub fn epoch(&mut self, examples: &Examples, learning_rate: f64, seed: u64) -> f64 {
        let count = examples.answers.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut Pcg64::seed_from_u64(seed));
        let mut sum = 0.0;
        for rows in order.chunks(self.shard.rows()) {
            let steps = self.steps;
            load(&mut self.shard, rows.len(), |row, t| {
                let answer = if t + 1 == steps {
                    examples.answers[rows[row]]
                } else {
                    IGNORED
                };
                (examples.tokens[rows[row] * steps + t], answer)
            });
            let scale = F::from_f64(1.0 / rows.len() as f64);
            sum += self.shard.forward(&self.packs, scale);
            self.shard.backward(&self.packs);
            let gradient = &self.shard.gradient.data;
            let norm = self.updater.norm(gradient);
            let weights = &mut self.params.data;
            self.updater.update(weights, gradient, norm, learning_rate);
            self.packs.pack(&self.params);
        }
        sum / count.max(1) as f64
    }

    /// Probabilities of all tokens as answers to sequences `tokens`, [sequences, steps]: [sequences, vocab].
    pub fn probabilities(&mut self, tokens: &[u16]) -> Vec<F> {
        let shape = self.params.shape();
        let steps = self.steps;
        let mut head = F::Packed::new(shape.hidden, shape.vocab, false);
        head.pack(self.params.tensor(shape.head(), Role::Weight), true);
        let bias = self.params.tensor(shape.head(), Role::Bias);
        let mut all = Vec::with_capacity(tokens.len() / steps * shape.vocab);
        for batch in tokens.chunks(self.shard.rows() * steps) {
            let rows = batch.len() / steps;
            let start = all.len();
            (0..rows).for_each(|_| all.extend_from_slice(bias));
            load(&mut self.shard, rows, |row, t| {
                (batch[row * steps + t], IGNORED)
            });
            self.shard.forward(&self.packs, F::zero());
            self.shard.carry();
            let (h, _) = self.shard.state(shape.layers - 1);
            F::matmul(
                &h[..rows * shape.hidden],
                &head,
                true,
                &mut all[start..],
                &mut [],
            );
        }
        all.chunks_exact_mut(shape.vocab).for_each(softmax);
        all
    }

    /// Loss and accuracy.
    pub fn score(&mut self, examples: &Examples) -> Score {
        let vocab = self.params.shape().vocab;
        let probabilities = self.probabilities(&examples.tokens);
        let rows = probabilities.chunks_exact(vocab).zip(&examples.answers);
        let nats = rows.map(|(row, &answer)| -row[usize::from(answer)].to_f64().ln());
        Score {
            nats: nats.sum::<f64>() / examples.answers.len().max(1) as f64,
            top1: top1(&probabilities, vocab, examples.answers.iter().copied()),
        }
    }
}

impl ManyToOne<f32> {
    /// The start of a net of this configuration, for sequences of `config.window` tokens out of `vocab`: that of
    /// [`Params::init`], but with the rows of the tokens uniform in ±`rows`. The rows of a run on a text (±3) keep tanh at its
    /// ends, where a net of few examples learns little; Keras' are ±sqrt(6 / (vocab + hidden)) ([`glorot`](crate::feedforward::glorot)).
    pub fn start(config: &Config, vocab: usize, rows: f64) -> Self {
        let shape = config.shape(vocab);
        let mut params = Params::<f32>::init(shape.net(), config.seed);
        let weights = params.tensor_mut(shape.layer(0), shape.input_role(0));
        let largest = weights.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let factor = rows as f32 / largest;
        weights.iter_mut().for_each(|w| *w *= factor);
        Self::new(params, config.updates(), config.window, config.batch)
    }

    /// Everything that [`ManyToOne::load`] needs to go on exactly from here, with where it comes from.
    ///
    /// # Errors
    /// [`Error::VocabularyTooLarge`](crate::error::Error) for more tokens than private characters, 6,400.
    pub fn checkpoint(&self, config: &Config, provenance: Provenance) -> Result<Checkpoint> {
        let shape = self.params.shape();
        let too_many = || Error::VocabularyTooLarge {
            name: provenance.corpus.clone(),
            found: shape.vocab,
            tokens: "words",
            most: PRIVATE.count(),
        };
        let chars: Vec<char> = PRIVATE
            .take(shape.vocab)
            .filter_map(char::from_u32)
            .collect();
        let vocabulary = chars.iter().collect();
        let vocab = Vocabulary::from_sorted(chars).filter(|vocab| vocab.len() == shape.vocab);
        let vocab = vocab.ok_or_else(too_many)?;
        let position = Position {
            epoch: provenance.epoch,
            step: self.updater.steps(),
            best_nats: provenance.nats,
            ..Position::default()
        };
        // Every sequence begins at the zero state: nothing is carried.
        let state = |numbers: usize| vec![0.0; shape.layers * config.batch * numbers];
        let memory = if shape.cell.has_memory() {
            shape.hidden
        } else {
            0
        };
        Ok(Checkpoint {
            meta: Meta {
                format: FORMAT,
                net: *self.params.net(),
                vocabulary,
                words: Vec::new(),
                config: config.clone(),
                provenance,
                position: Some(position),
            },
            vocab,
            params: self.params.clone(),
            learned: None,
            resume: Some(Resume {
                slots: self.updater.slots().to_vec(),
                h: state(shape.hidden),
                c: state(memory),
                best: None,
            }),
        })
    }

    /// The net of a checkpoint, with its optimizer's memory.
    ///
    /// # Errors
    /// [`Error::Checkpoint`](crate::error::Error) when it holds no such memory.
    pub fn load(checkpoint: Checkpoint) -> Result<Self> {
        let config = &checkpoint.meta.config;
        let (Some(resume), Some(position)) = (checkpoint.resume, &checkpoint.meta.position) else {
            return Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what: "no optimizer state: it was not made to be trained further".to_owned(),
            });
        };
        let mut net = Self::new(
            checkpoint.params,
            config.updates(),
            config.window,
            config.batch,
        );
        net.updater.restore(position.step, resume.slots);
        Ok(net)
    }
}

/// Loads a batch at the zero state; the shard's rows from `count` on do not count.
fn load<F: Engine>(shard: &mut Shard<F>, count: usize, token: impl Fn(usize, usize) -> (u16, u16)) {
    shard.reset();
    shard.load(|row, t| match row < count {
        true => token(row, t),
        false => (0, IGNORED),
    });
}

/// Characters of private use.
const PRIVATE: std::ops::Range<u32> = 0xE000..0xF900;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Optimizer;
    use crate::shape::Cell;
    use crate::unroll::Unrolled;

    fn net(cell: Cell, batch: usize) -> ManyToOne<f32> {
        net_with(cell, batch, Optimizer::Adam)
    }

    fn net_with(cell: Cell, batch: usize, optimizer: Optimizer) -> ManyToOne<f32> {
        let config = Config {
            cell,
            hidden: 9,
            layers: 2,
            ..Config::default()
        };
        let params = Params::init(config.shape(6).net(), 3);
        ManyToOne::new(params, OptimizerConfig::of(optimizer), 3, batch)
    }

    /// The answer is the token that stood first: 6^3 sequences in an order without a pattern.
    fn examples() -> Examples {
        let mut examples = Examples::default();
        for k in 0..216_u16 {
            let k = k * 35 % 216;
            let tokens = [k % 6, k / 6 % 6, k / 36];
            examples.push(&tokens, tokens[0]);
        }
        examples
    }

    #[test]
    fn probabilities_are_those_of_the_net_unrolled() {
        for cell in Cell::ALL {
            // 216 sequences: batches of 40 leave a part at the end.
            let mut net = net(cell, 40);
            let examples = examples();
            let all = net.probabilities(&examples.tokens);
            assert_eq!(all.len(), 216 * 6);
            let mut nats = 0.0;
            let rows = all.chunks_exact(6).zip(examples.tokens.chunks_exact(3));
            for ((row, tokens), &answer) in rows.zip(&examples.answers) {
                let exact = Unrolled::new(net.params().cast(), tokens).probabilities(2);
                nats -= exact[usize::from(answer)].ln();
                for (found, exact) in row.iter().zip(exact) {
                    assert!((f64::from(*found) - exact).abs() < 1e-5, "{tokens:?}");
                }
            }
            let score = net.score(&examples);
            assert!((score.nats - nats / 216.0).abs() < 1e-5);
        }
    }

    /// What an epoch reports before it has changed anything is the loss that `score` computes.
    #[test]
    fn the_loss_counts_the_last_step_of_the_rows_there_are() {
        let mut examples = examples();
        examples.tokens.truncate(3 * 20);
        examples.answers.truncate(20);
        for batch in [20, 32] {
            let mut net = net(Cell::Lstm, batch);
            let before = net.score(&examples);
            let loss = net.epoch(&examples, 0.0, 1);
            assert!((loss - before.nats).abs() < 1e-5, "{loss}, {before:?}");
        }
    }

    #[test]
    fn a_batch_that_is_not_full_gives_the_same_update() {
        let mut examples = examples();
        examples.tokens.truncate(3 * 20);
        examples.answers.truncate(20);
        let after = |batch| {
            let mut net = net_with(Cell::Rnn, batch, Optimizer::Sgd);
            net.epoch(&examples, 0.5, 1);
            net
        };
        let (exact, padded) = (after(20), after(33));
        let pairs = exact.params().data.iter().zip(&padded.params().data);
        pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
    }

    #[test]
    fn what_stood_first_is_learnt() {
        let mut net = net(Cell::Rnn, 24);
        let examples = examples();
        assert!(net.score(&examples).top1 < 0.5);
        for epoch in 0..60 {
            net.epoch(&examples, 0.01, epoch);
        }
        assert_eq!(net.score(&examples).top1, 1.0);
    }

    /// A net that was stored and loaded goes on to the same numbers as one that was not.
    #[test]
    fn a_checkpoint_goes_on_exactly() {
        for cell in Cell::ALL {
            let config = Config {
                cell,
                hidden: 9,
                batch: 40,
                window: 3,
                ..Config::default()
            };
            let mut net = ManyToOne::start(&config, 6, 1.0);
            let examples = examples();
            net.epoch(&examples, 0.01, 1);
            let provenance = Provenance {
                corpus: "made up".into(),
                corpus_sha256: "00".repeat(32),
                command: "a test".into(),
                trainer: "gatelet-trainer 0".into(),
                seed: config.seed,
                nats: Some(1.0),
                epoch: 1,
                characters: 0,
                unigram_nats: None,
                changes: Vec::new(),
            };
            let stored = net.checkpoint(&config, provenance).unwrap();
            let bytes = stored.to_bytes().unwrap();
            let read = Checkpoint::from_bytes(&bytes, "x".as_ref()).unwrap();
            assert_eq!(read, stored);
            let mut loaded = ManyToOne::load(read).unwrap();
            for net in [&mut net, &mut loaded] {
                net.epoch(&examples, 0.01, 2);
            }
            assert_eq!(net.params(), loaded.params(), "{cell}");
            let bare = Checkpoint {
                learned: None,
                resume: None,
                ..stored
            };
            assert!(
                ManyToOne::load(bare)
                    .unwrap_err()
                    .to_string()
                    .contains("no optimizer state")
            );
        }
    }
}
