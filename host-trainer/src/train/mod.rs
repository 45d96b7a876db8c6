//! The training run: windows of truncated BPTT with carried state, evaluation, early stopping,
//! checkpoints.
//!
//! ```text
//! the training part is cut into `batch` streams; every epoch starts at another offset and at zero state
//! for each window:  gradient = sum over shards (each `rows` streams, its own buffers)
//!                   clip, optimizer; the state is carried into the next window
//! evaluation:       the held-out part, in streams of its own; `drive` decides when, and writes the files
//! ```
//! A batch is cut into shards by its size alone, and shard gradients are summed in their order: the
//! result does not depend on the number of threads. Everything that decides the rest of a run is in
//! `last.safetensors`, so a run that was stopped or killed goes on to the very same numbers.

mod check;
pub mod checkpoint;
pub mod config;
pub mod curves;
mod drive;
mod evaluate;
pub mod layers;
pub mod learner;
pub mod many_to_one;
pub mod optim;
mod position;
pub mod preset;
pub mod recipe;
pub mod run;
pub mod runs;
pub mod samples;
pub mod verdict;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::data::Data;
use crate::data::corpus::{Corpus, Vocabulary};
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::isa::isa;
use crate::net::device::learned::Learned;
use crate::net::dropout::Dropout;
use crate::net::{IGNORED, Loss, Packs, Params, Window};
use crate::train::checkpoint::{Checkpoint, FORMAT, Interface, Meta, Provenance, Resume};
use crate::train::config::Config;
use crate::train::learner::{Learner, Team};

pub use drive::Observer;
pub use position::{End, Position};

/// Streams of the held-out text that are evaluated side by side, at most.
const EVAL_STREAMS: usize = 32;
/// Steps of a window in evaluation.
const EVAL_WINDOW: usize = 64;

/// A run in memory.
#[derive(Debug)]
pub struct Trainer<'c> {
    corpus: &'c Corpus,
    config: Config,
    provenance: Provenance,
    learner: Learner<f32>,
    /// Rows of a batch, by number.
    rows: Vec<usize>,
    evaluation: Team<f32>,
    position: Position,
    /// Parameters with the lowest held-out loss, while a cooldown may still begin with them.
    best: Option<Vec<f32>>,
}

impl<'c> Trainer<'c> {
    /// A run at its start.
    ///
    /// # Errors
    /// [`Error::Option`] or [`Error::TooShort`].
    pub fn new(corpus: &'c Corpus, config: Config, command: String) -> Result<Self> {
        config.validate()?;
        isa()?;
        corpus.check_length(config.batch, config.window)?;
        let net = config.shape(corpus.vocab.len()).net();
        let provenance = Provenance {
            corpus: corpus.name.clone(),
            corpus_sha256: hex(&corpus.sha256),
            command,
            trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: config.seed,
            nats: None,
            epoch: 0,
            unigram_nats: Some(corpus.unigram_nats()?),
            characters: 0,
            changes: Vec::new(),
        };
        let predictions = corpus.validation_len() - 1;
        let streams = (predictions / 256).clamp(1, EVAL_STREAMS);
        let params = Params::init(net, config.seed);
        let packs = match &config.qat {
            None => Packs::new(&net),
            Some(qat) => Packs::qat(&net, qat.scheme.clone())?,
        };
        let mut learner = Learner::with_packs(params, packs, config.updates());
        let masks = |rate| Dropout::new(config.seed, rate);
        learner.drop_out(masks(config.dropout), masks(config.recurrent_dropout));
        let line_break = config.lines.then(|| corpus.vocab.line_break()).flatten();
        learner.break_lines(line_break);
        let smoothing = config.label_smoothing;
        learner.set_loss(0, Loss::CrossEntropy { smoothing })?;
        learner.prepare(config.batch, config.window)?;
        let mut evaluation = Team::new(&net, streams, EVAL_WINDOW);
        for (shard, _) in evaluation.shards_mut() {
            shard.break_lines(line_break);
        }
        Ok(Self {
            learner,
            rows: (0..config.batch).collect(),
            evaluation,
            position: Position::default(),
            best: None,
            corpus,
            config,
            provenance,
        })
    }

    /// A run that goes on from the net of a float checkpoint, for the integers of `config.qat`.
    ///
    /// # Errors
    /// [`Error::Some`] when the text has another vocabulary than the checkpoint or the net cannot be trained so, or as
    /// [`Trainer::new`].
    pub fn qat(
        corpus: &'c Corpus,
        from: &Checkpoint,
        config: Config,
        command: String,
    ) -> Result<Self> {
        Self::check_vocabulary(&corpus.vocab, from)?;
        let mut trainer = Self::new(corpus, config, command)?;
        *trainer.learner.params_mut() = from.params.clone();
        // A net that was trained for these integers before goes on with their ranges.
        let known = from.scheme() == trainer.config.qat.as_ref().map(|qat| &qat.scheme);
        trainer.learner.learned = match from.learned.clone().filter(|_| known) {
            Some(learned) => Some(Learned {
                mean: vec![0.0; learned.ranges.len()],
                square: vec![0.0; learned.ranges.len()],
                ..learned
            }),
            None => trainer.learner.ranges(),
        };
        Ok(trainer)
    }

    /// Checks that a run of [`Trainer::qat`] can have a text's vocabulary.
    ///
    /// # Errors
    /// [`Error::Some`] when it is another than the checkpoint's.
    pub fn check_vocabulary(vocab: &Vocabulary, from: &Checkpoint) -> Result<()> {
        if Some(vocab) == from.vocab.as_ref() {
            return Ok(());
        }
        let what = "--qat: the text has other tokens than the checkpoint: train on the text it was trained on";
        Err(Error::Some(what.to_owned()))
    }

    /// The run of a `last.safetensors`, on its own text.
    ///
    /// # Errors
    /// [`Error::OtherCorpus`], [`Error::Checkpoint`] when it has no optimizer state or stands where no run of this text
    /// can, or as [`Trainer::new`].
    pub fn resume(corpus: &'c Corpus, checkpoint: Checkpoint) -> Result<Self> {
        corpus.check_hash(&checkpoint.meta.provenance.corpus_sha256)?;
        if Some(&corpus.vocab) != checkpoint.vocab.as_ref() {
            let what = "its vocabulary is not that of the text with the run's rules: another version of the program \
                        reads Unicode otherwise; go on with the one that began the run"
                .to_owned();
            return Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what,
            });
        }
        let mut trainer = Self::new(corpus, checkpoint.config()?.clone(), String::new())?;
        let (Some(resume), Some(position)) = (checkpoint.resume, checkpoint.meta.position) else {
            let what = "no optimizer state: a run is resumed from last.safetensors".to_owned();
            return Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what,
            });
        };
        trainer.check_position(&position)?;
        let layers = trainer.layers();
        let Config { batch, window, .. } = trainer.config;
        let (mut h_from, mut c_from) = (&resume.h[..], &resume.c[..]);
        for layer in 0..layers {
            let team = trainer.learner.prepare(batch, window)?;
            for (shard, _) in team.shards_mut() {
                for (to, from) in [&mut h_from, &mut c_from].into_iter().enumerate() {
                    let (h, c) = shard.state_mut(layer);
                    let state = if to == 0 { h } else { c };
                    let (own, rest) = from.split_at(state.len());
                    state.copy_from_slice(own);
                    *from = rest;
                }
            }
        }
        *trainer.learner.params_mut() = checkpoint.params;
        trainer.learner.learned = checkpoint.learned;
        let updater = trainer.learner.updater_mut();
        updater.restore(position.step, resume.slots);
        trainer.best = resume.best;
        trainer.position = Position {
            ended: position.ended.filter(|&end| end != End::Interrupted),
            ..position
        };
        trainer.provenance = checkpoint.meta.provenance;
        Ok(trainer)
    }

    /// How many recurrent operations the net has.
    fn layers(&self) -> usize {
        self.params().net().recurrent_count()
    }

    /// Where the run stands.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Tokens of the training part.
    pub fn train_len(&self) -> usize {
        self.corpus.train_len
    }

    /// Loss of the tokens' frequencies, in nats.
    pub fn unigram_nats(&self) -> Option<f64> {
        self.provenance.unigram_nats
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocabulary {
        &self.corpus.vocab
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &Params<f32> {
        self.learner.params()
    }

    /// A checkpoint of the parameters as they are now; `whole` adds what a resume needs.
    pub fn checkpoint(&self, whole: bool) -> Checkpoint {
        let mut provenance = self.provenance.clone();
        provenance.characters = self.position.characters;
        let meta = Meta {
            format: FORMAT,
            net: *self.params().net(),
            vocabulary: self.corpus.vocab.chars().iter().collect(),
            words: self.corpus.vocab.words().to_vec(),
            interface: Interface::default(),
            config: Some(self.config.clone()),
            provenance,
            position: whole.then(|| self.position.clone()),
        };
        let resume = whole.then(|| {
            let (mut h, mut c) = (Vec::new(), Vec::new());
            for layer in 0..self.layers() {
                for shard in self.learner.team().into_iter().flat_map(Team::shards) {
                    let (shard_h, shard_c) = shard.state(layer);
                    h.extend_from_slice(shard_h);
                    c.extend_from_slice(shard_c);
                }
            }
            let slots = self.learner.updater().slots().to_vec();
            let best = self.best.clone();
            Resume { slots, h, c, best }
        });
        Checkpoint {
            meta,
            vocab: Some(self.corpus.vocab.clone()),
            starts: Vec::new(),
            params: self.params().clone(),
            learned: self.learner.learned.as_ref().map(|learned| match whole {
                true => learned.clone(),
                false => Learned {
                    ranges: learned.ranges.clone(),
                    ..Learned::default()
                },
            }),
            resume,
        }
    }

    /// Offset of the first window of an epoch, and the windows that fit.
    fn epoch_layout(&self, epoch: usize) -> (usize, usize) {
        let Config {
            batch,
            window,
            seed,
            ..
        } = self.config;
        let spare = self.corpus.train_len - 1 - batch * window;
        let mut rng = Pcg64::seed_from_u64(
            seed.wrapping_add((epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        );
        let offset = rng.random_range(0..=spare.min(window - 1) as u64) as usize;
        (
            offset,
            (self.corpus.train_len - 1 - offset) / batch / window,
        )
    }

    /// Part of the run that is done, 0..=1, by epochs, characters or time, whichever is furthest.
    fn progress(&self, windows: usize) -> f64 {
        let (position, config) = (&self.position, &self.config);
        let epochs = (position.epoch as f64 + position.window as f64 / windows as f64)
            / config.epochs as f64;
        let characters = config
            .characters
            .map_or(0.0, |most| position.characters as f64 / most as f64);
        let time = config
            .minutes
            .map_or(0.0, |minutes| position.seconds / (60.0 * minutes));
        epochs.max(characters).max(time)
    }

    /// Learning rate of the next step.
    fn rate(&self, windows: usize) -> f64 {
        let (position, config) = (&self.position, &self.config);
        match position.cooldown {
            Some(cooldown) => cooldown.rate(config.lr, position.step),
            None => config.schedule.rate(
                config.lr,
                self.progress(windows),
                position.step,
                config.warmup,
                &position.plateau,
            ),
        }
    }

    /// Trains on the next window; returns its mean loss in nats.
    ///
    /// # Errors
    /// [`Error::Diverged`], or [`Error::Read`] for a streamed text; the parameters are then as before.
    pub fn step(&mut self) -> Result<f64> {
        let Config { batch, window, .. } = self.config;
        let (offset, windows) = self.epoch_layout(self.position.epoch);
        let stream = (self.corpus.train_len - 1 - offset) / batch;
        let start = offset + self.position.window * window;
        let data = Streams {
            corpus: self.corpus,
            start,
            stream,
            window,
        };
        let first = self.position.window == 0;
        let (sum, norm) = self.learner.gradient(&data, &self.rows, first)?;
        let count = (batch * window) as u64;
        let nats = sum / count as f64;
        if !(nats.is_finite() && norm.is_finite()) {
            let loss = if nats.is_finite() { norm } else { nats };
            let (step, epoch) = (self.position.step, self.position.epoch + 1);
            return Err(Error::Diverged {
                loss,
                step,
                epoch,
                kept: String::new(),
            });
        }
        let rate = self.rate(windows);
        self.learner.update(norm, rate);

        let position = &mut self.position;
        position.step += 1;
        position.characters += count;
        position.loss_sum += sum;
        position.loss_count += count;
        (position.gradient_norm, position.lr) = (norm, rate);
        position.window += 1;
        if position.window >= windows {
            (position.epoch, position.window) = (position.epoch + 1, 0);
        }
        Ok(nats)
    }
}

/// A window of every stream of the training part.
struct Streams<'c> {
    corpus: &'c Corpus,
    /// Where the first stream's window begins, and how far it is to the next one's.
    start: usize,
    stream: usize,
    window: usize,
}

impl Data<f32> for Streams<'_> {
    fn len(&self) -> usize {
        self.corpus.train_len / self.stream.max(1)
    }

    fn steps(&self) -> usize {
        self.window
    }

    fn counted(&self, _example: usize) -> usize {
        self.window
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        room: &mut Vec<u16>,
    ) -> Result<()> {
        room.resize(self.window + 1, 0);
        self.corpus.fill(self.start + example * self.stream, room)?;
        put(row, window, room, |_| true);
        Ok(())
    }
}

/// Writes `tokens` as a row, each to be predicted after the one before it, where `counts` says so.
fn put(row: usize, window: &mut Window<'_, f32>, tokens: &[u16], counts: impl Fn(usize) -> bool) {
    let Some(targets) = window.targets.first_mut() else {
        return;
    };
    for (t, pair) in tokens.windows(2).enumerate() {
        let at = t * window.rows + row;
        window.tokens[at] = pair[0];
        targets.tokens[at] = if counts(t) { pair[1] } else { IGNORED };
    }
}
