//! The training run: windows of truncated BPTT with carried state, evaluation, early stopping,
//! checkpoints.
//!
//! ```text
//! an epoch          windows that the data set gives in an order: of a text ([`text`]), of sequences ([`series`])
//! for each window:  gradient = sum over shards (each `rows` streams, its own buffers)
//!                   clip, optimizer; the state is carried into the next window, unless that begins anew
//! evaluation:       the held-out part; `drive` decides when, and writes the files
//! ```
//! A batch is cut into shards by its size alone, and shard gradients are summed in their order: the
//! result does not depend on the number of threads. Everything that decides the rest of a run is in
//! `last.safetensors`, so a run that was stopped or killed goes on to the very same numbers.

mod check;
pub mod checkpoint;
pub mod config;
pub mod curves;
pub mod dataset;
mod drive;
pub mod layers;
pub mod learner;
pub mod optim;
mod position;
pub mod preset;
pub mod recipe;
pub mod run;
pub mod runs;
pub mod samples;
pub mod series;
pub mod terms;
mod text;
pub mod verdict;

use crate::data::corpus::Vocabulary;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::isa::isa;
use crate::net::device::learned::Learned;
use crate::net::dropout::Dropout;
use crate::net::{Packs, Params};
use crate::train::checkpoint::{Checkpoint, FORMAT, Interface, Meta, Provenance, Resume};
use crate::train::config::Config;
use crate::train::dataset::{Dataset, Judged};
use crate::train::learner::{Learner, Team};

pub use drive::Observer;
pub use position::{End, Position};

/// A run in memory.
#[derive(Debug)]
pub struct Trainer<'c> {
    data: &'c dyn Dataset,
    config: Config,
    provenance: Provenance,
    learner: Learner<f32>,
    /// Rows of a batch, by number.
    rows: Vec<usize>,
    position: Position,
    /// Parameters with the lowest held-out loss, while a cooldown may still begin with them.
    best: Option<Vec<f32>>,
}

impl<'c> Trainer<'c> {
    /// A run at its start.
    ///
    /// # Errors
    /// [`Error::Option`] or [`Error::TooShort`].
    pub fn new(data: &'c dyn Dataset, config: Config, command: String) -> Result<Self> {
        config.validate()?;
        isa()?;
        data.check(&config)?;
        let net = data.net(&config)?;
        let provenance = Provenance {
            corpus: data.name().to_owned(),
            corpus_sha256: hex(&data.sha256()),
            command,
            trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: config.seed,
            nats: None,
            epoch: 0,
            unigram_nats: data.baseline()?,
            characters: 0,
            changes: Vec::new(),
        };
        let params = Params::init(net, config.seed);
        let packs = match &config.qat {
            None => Packs::new(&net),
            Some(qat) => Packs::qat(&net, qat.scheme.clone())?,
        };
        let mut learner = Learner::with_packs(params, packs, config.updates());
        let masks = |rate| Dropout::new(config.seed, rate);
        learner.drop_out(masks(config.dropout), masks(config.recurrent_dropout));
        data.set_up(&mut learner, &config)?;
        learner.prepare(config.batch, data.steps(&config, (0, 0)))?;
        Ok(Self {
            learner,
            rows: (0..config.batch).collect(),
            position: Position::default(),
            best: None,
            data,
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
        data: &'c dyn Dataset,
        from: &Checkpoint,
        config: Config,
        command: String,
    ) -> Result<Self> {
        if let Some(vocab) = data.vocab() {
            Self::check_vocabulary(vocab, from)?;
        }
        let mut trainer = Self::new(data, config, command)?;
        *trainer.learner.params_mut() = from.params.clone();
        data.for_training(trainer.learner.params_mut());
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
    pub fn resume(data: &'c dyn Dataset, checkpoint: Checkpoint) -> Result<Self> {
        let (found, expected) = (
            hex(&data.sha256()),
            &checkpoint.meta.provenance.corpus_sha256,
        );
        if found != *expected {
            return Err(Error::OtherCorpus {
                name: data.name().to_owned(),
                found,
                expected: expected.clone(),
            });
        }
        if data.vocab() != checkpoint.vocab.as_ref() {
            let what = "its vocabulary is not that of the text with the run's rules: another version of the program \
                        reads Unicode otherwise; go on with the one that began the run"
                .to_owned();
            return Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what,
            });
        }
        let mut trainer = Self::new(data, checkpoint.config()?.clone(), String::new())?;
        let (Some(resume), Some(position)) = (checkpoint.resume, checkpoint.meta.position) else {
            let what = "no optimizer state: a run is resumed from last.safetensors".to_owned();
            return Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what,
            });
        };
        trainer.check_position(&position)?;
        let layers = trainer.layers();
        let steps = data.steps(&trainer.config, (position.epoch, position.window));
        let batch = trainer.config.batch;
        let (mut h_from, mut c_from) = (&resume.h[..], &resume.c[..]);
        for layer in 0..layers {
            let team = trainer.learner.prepare(batch, steps)?;
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

    /// Loss of the tokens' frequencies, in nats.
    pub fn unigram_nats(&self) -> Option<f64> {
        self.provenance.unigram_nats
    }

    /// What is learnt from.
    pub fn data(&self) -> &'c dyn Dataset {
        self.data
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &Params<f32> {
        self.learner.params()
    }

    /// The same, to change: another start than [`Params::init`]'s.
    pub fn params_mut(&mut self) -> &mut Params<f32> {
        self.learner.params_mut()
    }

    /// A checkpoint of the parameters as they are now; `whole` adds what a resume needs.
    pub fn checkpoint(&self, whole: bool) -> Checkpoint {
        let mut provenance = self.provenance.clone();
        provenance.characters = self.position.characters;
        let mut meta = Meta {
            format: FORMAT,
            net: *self.params().net(),
            vocabulary: String::new(),
            words: Vec::new(),
            series: None,
            interface: Interface::default(),
            config: Some(self.config.clone()),
            provenance,
            position: whole.then(|| self.position.clone()),
        };
        self.data.describe(&mut meta);
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
        let checkpoint = Checkpoint {
            meta,
            vocab: self.data.vocab().cloned(),
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
        };
        match whole {
            true => checkpoint,
            false => checkpoint.in_units_of_data(),
        }
    }

    /// Windows of an epoch.
    fn windows(&self, epoch: usize) -> usize {
        self.data.windows(&self.config, epoch)
    }

    /// How good the net is on what is held out.
    ///
    /// # Errors
    /// [`Error::Read`] for data that is streamed.
    pub fn judge(&mut self) -> Result<Judged> {
        self.data.judge(&mut self.learner, &self.config)
    }

    /// Its loss there, in nats.
    ///
    /// # Errors
    /// As [`Trainer::judge`].
    pub fn evaluate(&mut self) -> Result<f64> {
        Ok(self.judge()?.loss)
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
        let (epoch, window) = (self.position.epoch, self.position.window);
        let windows = self.windows(epoch);
        let (learner, rows) = (&mut self.learner, &self.rows);
        let (mut sum, mut norm, mut count) = (0.0, 0.0, 0);
        self.data
            .window(&self.config, (epoch, window), &mut |data, n, first| {
                let rows = &rows[..n];
                count = rows.iter().map(|&row| data.counted(row)).sum();
                (sum, norm) = learner.gradient(data, rows, first)?;
                Ok(())
            })?;
        let count = count as u64;
        let nats = sum / count.max(1) as f64;
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
        match count {
            // Nothing was asked: there is nothing to learn, and no step to make.
            0 => self.learner.skip(),
            _ => self.learner.update(norm, rate),
        }

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
