//! Nets that answer at the end of short sequences, and their checkpoints.
//!
//! ```text
//! tokens w_1 .. w_T -> h_T -> p = softmax(h_T W^T + b)            L = - log p[answer], T the same for all
//! ```
//! They are learnt from [`sequences`](crate::data::sequences) with a target at the last step only.
//!
//! Checkpoints are those of a run, so PyTorch opens them and damage is noticed. Their vocabulary is
//! one of characters: token `k` stands in it as the character U+E000 + k, which has no meaning of
//! its own (private use).

use crate::data::corpus::Vocabulary;
use crate::error::{Error, Result};
use crate::net::{Params, Role};
use crate::train::Position;
use crate::train::checkpoint::{Checkpoint, FORMAT, Interface, Meta, Provenance, Resume, carried};
use crate::train::config::Config;
use crate::train::learner::Learner;

/// Characters of private use.
const PRIVATE: std::ops::Range<u32> = 0xE000..0xF900;

/// The start of a net of this configuration for tokens out of `vocab`: that of [`Params::init`],
/// but with the rows of the tokens uniform in ±`rows`. The rows of a run on a text (±3) keep tanh
/// at its ends, where a net of few examples learns little; Keras' are ±sqrt(6 / (vocab + hidden))
/// ([`glorot`](crate::net::glorot)).
pub fn start(config: &Config, vocab: usize, rows: f64) -> Learner<f32> {
    let mut params = Params::<f32>::init(config.shape(vocab).net(), config.seed);
    let weights = params.tensor_mut(0, Role::Rows);
    let largest = weights.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    let factor = rows as f32 / largest;
    weights.iter_mut().for_each(|w| *w *= factor);
    Learner::new(params, config.updates())
}

/// Everything that [`load`] needs to go on exactly from here, with where it comes from.
///
/// # Errors
/// [`Error::VocabularyTooLarge`] for more tokens than private characters, 6,400.
pub fn checkpoint(
    learner: &Learner<f32>,
    config: &Config,
    provenance: Provenance,
) -> Result<Checkpoint> {
    let net = *learner.params().net();
    let too_many = || Error::VocabularyTooLarge {
        name: provenance.corpus.clone(),
        found: net.vocab(),
        tokens: "words",
        most: PRIVATE.count(),
    };
    let chars: Vec<char> = PRIVATE
        .take(net.vocab())
        .filter_map(char::from_u32)
        .collect();
    let vocabulary = chars.iter().collect();
    let vocab = Vocabulary::from_sorted(chars).filter(|vocab| vocab.len() == net.vocab());
    let vocab = vocab.ok_or_else(too_many)?;
    let position = Position {
        epoch: provenance.epoch,
        step: learner.updater().steps(),
        best_nats: provenance.nats,
        ..Position::default()
    };
    // Every sequence begins at the zero state: nothing is carried.
    let (h, c) = carried(&net);
    Ok(Checkpoint {
        meta: Meta {
            format: FORMAT,
            net,
            vocabulary,
            words: Vec::new(),
            series: None,
            interface: Interface::default(),
            config: Some(config.clone()),
            provenance,
            position: Some(position),
        },
        vocab: Some(vocab),
        starts: Vec::new(),
        params: learner.params().clone(),
        learned: None,
        resume: Some(Resume {
            slots: learner.updater().slots().to_vec(),
            h: vec![0.0; config.batch * h],
            c: vec![0.0; config.batch * c],
            best: None,
        }),
    })
}

/// The net of a checkpoint, with its optimizer's memory.
///
/// # Errors
/// [`Error::Checkpoint`] when it holds no such memory.
pub fn load(checkpoint: Checkpoint) -> Result<Learner<f32>> {
    let config = checkpoint.config()?.clone();
    let (Some(resume), Some(position)) = (checkpoint.resume, &checkpoint.meta.position) else {
        return Err(Error::Checkpoint {
            path: "checkpoint".into(),
            what: "no optimizer state: it was not made to be trained further".to_owned(),
        });
    };
    let mut learner = Learner::new(checkpoint.params, config.updates());
    let updater = learner.updater_mut();
    updater.restore(position.step, resume.slots);
    Ok(learner)
}
