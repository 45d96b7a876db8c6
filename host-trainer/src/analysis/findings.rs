//! What a run has to say: everything that the report shows, as numbers.
//!
//! ```text
//! run folder  -> curve, samples, origin
//! best net    -> lags (against fresh nets of the same size), gates over a text, confusion       [held-out text]
//!             -> int8 image: what it costs, flash, RAM, instructions                            [`export`]
//! ```
//! Nothing is trained here. Long texts are cut: the first characters of the held-out part stand for all of it, and the
//! number of those read is among the numbers.

use std::path::Path;

use gatelet::Precision;
use gatelet::net::{Net, Operation};
use serde::Serialize;

use crate::analysis::confusion::{self, Confusion};
use crate::analysis::device::{Board, Fit, Processor, fit};
use crate::analysis::gates::{self, Activity};
use crate::analysis::lag::{self, Lags};
use crate::analysis::names::cells;
use crate::any_model::LARGEST;
use crate::data::corpus::{Encoder, Encoding, IN_MEMORY, Reading, Rules, Split, Text, Vocabulary};
use crate::error::{Error, Result};
use crate::evaluate::Scores;
use crate::files;
use crate::hex::hex;
use crate::image::Image;
use crate::isa::isa;
use crate::net::Params;
use crate::quantize::export::{self, export, taken};
use crate::train::checkpoint::Checkpoint;
use crate::train::layers::Cell;
use crate::train::run::Metrics;
use crate::train::runs::Run;
use crate::train::samples::{self, Sample};
use crate::train::verdict::Judgement;

/// Held-out characters that are read, at most.
const HELD_OUT: usize = 100_000;
/// Characters before the held-out ones that are read for calibration, at most.
const BEFORE: usize = 2_000_000;
/// Multiply-accumulates of the passes over them, about: a few seconds.
const WORK: usize = 10_000_000_000;
/// Characters of the heat map.
const SHOWN: usize = 80;
/// Characters that fill the state before those.
const WARM_UP: usize = 200;
/// Units of the heat map.
const UNITS: usize = 24;
/// Characters of the confusion.
const FREQUENT: usize = 20;

/// What is asked besides the run itself.
#[derive(Clone, Default)]
pub struct Question<'a> {
    /// The run's text; read from where it was, if not given.
    pub corpus: Option<Text>,
    /// Its encoding, where the run does not know.
    pub encoding: Option<Encoding>,
    /// Gives the text of the heat map, prepared by the rules of the net; the beginning of the held-out text, if not given.
    pub text: Option<&'a dyn Fn(Rules) -> Result<String>>,
    /// Layer of the heat map, from 1; the highest, if not given.
    pub layer: Option<usize>,
    /// Another run whose gradient is drawn in.
    pub against: Option<&'a Path>,
}

/// The gradient's reach of one net.
#[derive(Clone, Debug, Serialize)]
pub struct Reach {
    /// `this net`, `rnn, untrained`.
    pub name: String,
    /// Its cells: `lstm`, `gru and lstm`.
    pub cell: String,
    /// Whether it is trained.
    pub trained: bool,
    /// Gradient norms.
    pub lags: Lags,
}

/// Size and loss of the int8 image.
#[derive(Clone, Debug, Serialize)]
pub struct OnDevice {
    /// Loss in f32 and in int8 on the same characters, nats.
    pub f32: Scores,
    /// The same for int8.
    pub int8: Scores,
    /// Multiply-accumulates a character.
    pub macs: usize,
    /// Bytes of a session: state, scratch, logits.
    pub session_bytes: usize,
    /// Bytes of a snapshot.
    pub snapshot_bytes: usize,
    /// Estimated instructions a character, by processor.
    pub instructions: Vec<(Processor, u64)>,
    /// Boards.
    pub boards: Vec<Fit>,
}

/// Everything the report shows.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// Name of the run folder.
    pub name: String,
    /// The net.
    #[serde(serialize_with = "crate::net::stored::serialize")]
    pub net: Net,
    /// Numbers that were trained.
    pub parameters: usize,
    /// Path of the text.
    pub corpus: String,
    /// SHA-256 of the text.
    pub corpus_sha256: String,
    /// What its tokens are called: `character`, `token`, `byte`.
    pub unit: &'static str,
    /// Tokens of the text, and of its held-out part.
    pub characters: (usize, usize),
    /// The command that makes the net again.
    pub command: String,
    /// Name and version of the trainer.
    pub trainer: String,
    /// Seed.
    pub seed: u64,
    /// Part of a layer's outputs that training did not see.
    pub dropout: f64,
    /// Why the run ended, if it has.
    pub ended: Option<String>,
    /// What the curve says.
    pub judgement: Option<Judgement>,
    /// Evaluations.
    pub metrics: Vec<Metrics>,
    /// Samples of the run, in order.
    pub samples: Vec<Sample>,
    /// What the best net writes.
    pub sample: Sample,
    /// Gradient by lag: the run's net first.
    pub reach: Vec<Reach>,
    /// Gates over a text.
    pub activity: Activity,
    /// Which character is taken for which.
    pub confusion: Confusion,
    /// On a device.
    pub device: OnDevice,
}

impl Findings {
    /// Lowest held-out loss of the run, nats a character.
    pub fn nats(&self) -> f64 {
        self.sample.valid_nats
    }

    /// The evaluation with the lowest held-out loss.
    pub fn best(&self) -> Option<&Metrics> {
        let finite = self.metrics.iter().filter(|m| m.valid_nats.is_finite());
        finite.min_by(|a, b| a.valid_nats.total_cmp(&b.valid_nats))
    }
}

fn best_of(run: &Path) -> Result<Checkpoint> {
    let path = run.join("best.safetensors");
    let bytes = files::read_plain(&path, LARGEST).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    Checkpoint::of_text(&bytes, &path)
}

/// The run's text, from where it is now.
fn text_of(run: &Run, corpus: Option<Text>) -> Result<Text> {
    // A path relative to where the run was made is tried from here; what counts is the hash, which `ask` compares.
    let path = Path::new(&run.corpus);
    if let Some(text) = corpus {
        return Ok(text);
    }
    if !path.is_file() {
        return Err(Error::NoCorpus {
            corpus: path.display().to_string(),
            why: "is not here",
        });
    }
    Text::open(path, 0)
}

/// Asks a run everything. `told` hears what is being done.
///
/// # Errors
/// [`Error::NotARun`], [`Error::NoCorpus`], [`Error::UnknownCharacter`], or what reading and exporting say.
pub fn ask(path: &Path, question: &Question<'_>, told: &mut dyn FnMut(&str)) -> Result<Findings> {
    let run = Run::read(path)?;
    let checkpoint = best_of(path)?;
    let layers = checkpoint.params.net().recurrent_count();
    let layer = match question.layer {
        None => layers.saturating_sub(1),
        Some(layer) if (1..=layers).contains(&layer) => layer - 1,
        Some(layer) => {
            return Err(Error::Option {
                option: "layer",
                found: layer.to_string(),
                rule: "the net has not so many layers; they count from 1",
            });
        }
    };
    let typed = match question.text {
        None => None,
        Some(text) => {
            let rules = checkpoint.config()?.rules();
            let text = text(Rules::of(rules, checkpoint.vocabulary()?))?;
            if text.is_empty() {
                return Err(Error::Option {
                    option: "text",
                    found: "empty".to_owned(),
                    rule: "it has to have at least one character",
                });
            }
            Some(encoded(checkpoint.vocabulary()?, &text)?)
        }
    };
    let config = checkpoint.config()?;
    let encoding = match question.encoding {
        None => config.encoding()?,
        given => given,
    };
    let text = text_of(&run, question.corpus.clone())?.encoded(encoding);
    let text = config.arranged(text, (IN_MEMORY, &std::env::temp_dir()))?;
    let reading = Reading::new(
        &text,
        config.rules(),
        checkpoint.vocabulary()?.clone(),
        &|_| {},
    );
    let (len, sha256) = reading.measure()?;
    if hex(&sha256) != run.corpus_sha256 {
        return Err(Error::NoCorpus {
            corpus: text.name,
            why: "is not what the run was trained on",
        });
    }
    // Only the part around the seam between training and held-out text is held in memory.
    let fraction = config.valid_fraction;
    let split = text.split(len, fraction);
    let seam = split.train;
    let from = seam.saturating_sub(((HELD_OUT as f64 / fraction) as usize).min(BEFORE));
    let tokens = taken(&reading, from, (seam - from + HELD_OUT).min(len - from))?;
    let (before, held_out) = tokens.split_at(seam - from);
    if held_out.len() < 3 {
        return Err(Error::TooShort {
            unit: checkpoint.vocabulary()?.level().unit(),
            name: text.name,
            part: "held-out part",
            have: held_out.len(),
            need: 3,
            why: "a report looks at predictions of it".to_owned(),
        });
    }

    let other = question
        .against
        .map(|path| other(path, &checkpoint))
        .transpose()?;

    told("the gradient's reach");
    let reach = reaches(&checkpoint, held_out, other)?;
    told("gates over a text");
    let activity = watch(&checkpoint, before, held_out, typed, layer)?;
    told("confusion");
    let isa = isa()?;
    let macs = checkpoint.params.net().macs_per_step().max(1);
    let read = &held_out[..held_out.len().min(HELD_OUT).min((WORK / macs).max(1000))];
    let image = export::f32_image(&checkpoint)?.for_isa(isa)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let confusion = confusion::measure(model, read, FREQUENT)?;
    told("the int8 image");
    let device = on_device(&checkpoint, (before, held_out), fraction, read.len())?;

    let best = run
        .best()
        .cloned()
        .unwrap_or_else(|| nothing_yet(&checkpoint));
    let sample = samples::write(&checkpoint, held_out, &best)?;
    Ok(Findings {
        name: run.name.clone(),
        net: *checkpoint.params.net(),
        parameters: checkpoint.params.data.len(),
        corpus: run.corpus.clone(),
        corpus_sha256: run.corpus_sha256.clone(),
        unit: checkpoint.vocabulary()?.level().unit(),
        characters: (len, split.held_out()),
        command: run.command.clone(),
        trainer: checkpoint.meta.provenance.trainer.clone(),
        seed: checkpoint.meta.provenance.seed,
        dropout: config.dropout,
        ended: run.ended.clone(),
        judgement: run.judge(),
        samples: samples::read(path)?,
        metrics: run.metrics,
        sample,
        reach,
        activity,
        confusion,
        device,
    })
}

/// A run that was stopped before its first evaluation.
fn nothing_yet(checkpoint: &Checkpoint) -> Metrics {
    Metrics {
        epoch: 0.0,
        step: 0,
        characters: checkpoint.meta.provenance.characters,
        train_nats: f64::NAN,
        valid_nats: f64::NAN,
        valid_bpc: f64::NAN,
        figure: None,
        best: true,
        lr: 0.0,
        gradient_norm: 0.0,
        seconds: 0.0,
        characters_per_second: 0.0,
    }
}

/// Name and net of another run on the same text.
fn other(path: &Path, checkpoint: &Checkpoint) -> Result<(String, Checkpoint)> {
    let run = Run::read(path)?;
    let other = best_of(path)?;
    if other.vocab == checkpoint.vocab {
        return Ok((run.name, other));
    }
    Err(Error::Some(format!(
        "--against {}: its tokens are not those of the run; it has to be a run on the same text",
        path.display()
    )))
}

/// This net, another run's, and fresh nets of every cell.
fn reaches(
    checkpoint: &Checkpoint,
    held_out: &[u16],
    other: Option<(String, Checkpoint)>,
) -> Result<Vec<Reach>> {
    let config = checkpoint.config()?;
    let reach = |name: String, trained, params: &Params<f32>| Reach {
        name,
        cell: cells(params.net()),
        trained,
        lags: lag::measure(params, held_out, config.window, checkpoint.line_break()),
    };
    let own = "this net".to_owned();
    let mut reaches = vec![reach(own, true, &checkpoint.params)];
    if let Some((name, other)) = other {
        let name = format!("{name}: {}, trained", cells(other.params.net()));
        reaches.push(reach(name, true, &other.params));
    }
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        let fresh = Params::init(with_cells(checkpoint.params.net(), cell), config.seed);
        reaches.push(reach(format!("{cell}, untrained"), false, &fresh));
    }
    Ok(reaches)
}

/// The same net with layers of one cell, each as large as it is.
fn with_cells(net: &Net, cell: Cell) -> Net {
    let operations = net.operations().map(|of| match of.kind.is_recurrent() {
        true => Operation {
            kind: cell.kind(of.kind.units()),
            ..*of
        },
        false => *of,
    });
    let empty = Net::new(net.precision, net.input);
    let with = operations.fold(empty, Net::with_operation);
    net.outputs().fold(with, Net::with_output)
}

/// The gates over the text that was typed, or over the beginning of the held-out text.
fn watch(
    checkpoint: &Checkpoint,
    before: &[u16],
    held_out: &[u16],
    typed: Option<Vec<u16>>,
    layer: usize,
) -> Result<Activity> {
    let (params, line_break) = (&checkpoint.params, checkpoint.line_break());
    let activity = match typed {
        Some(ids) => {
            let ids = &ids[..ids.len().min(2 * SHOWN)];
            let before: Vec<u16> = line_break.into_iter().collect();
            let names = names(checkpoint.vocabulary()?, ids);
            gates::watch(params, &before, &names, ids, line_break, (layer, UNITS))
        }
        None => {
            let before = &before[before.len().saturating_sub(WARM_UP)..];
            let ids = &held_out[..held_out.len().min(SHOWN)];
            let names = names(checkpoint.vocabulary()?, ids);
            gates::watch(params, before, &names, ids, line_break, (layer, UNITS))
        }
    };
    activity.ok_or_else(|| Error::Some("the net has no layers to be watched".to_owned()))
}

/// The tokens of a text that was typed; of words the last one too.
fn encoded(vocab: &Vocabulary, text: &str) -> Result<Vec<u16>> {
    let (mut encoder, mut all, mut piece) = (Encoder::new(vocab.clone()), Vec::new(), Vec::new());
    encoder.encode(text, "--text", &mut piece)?;
    all.append(&mut piece);
    encoder.finish(&mut piece);
    all.append(&mut piece);
    Ok(all)
}

/// Tokens as they are shown: characters, or words.
fn names(vocab: &Vocabulary, ids: &[u16]) -> Vec<String> {
    let name = |&id: &u16| {
        let word = vocab.words().get(usize::from(id)).cloned();
        word.or_else(|| vocab.chars().get(usize::from(id)).map(|&c| c.into()))
    };
    ids.iter().filter_map(name).collect()
}

/// The int8 image of the net, measured on as many held-out characters as the confusion was.
fn on_device(
    checkpoint: &Checkpoint,
    (before, held_out): (&[u16], &[u16]),
    fraction: f64,
    read: usize,
) -> Result<OnDevice> {
    // A stretch around the seam between training and held-out text in which the held-out part is the same fraction.
    let (mut before, mut held_out) = (before, held_out);
    if read < held_out.len() {
        let wanted = (read as f64 / fraction) as usize - read;
        before = &before[before.len().saturating_sub(wanted)..];
        held_out = &held_out[..read];
    }
    let stretch = [before, held_out].concat();
    let tokens = stretch.as_slice();
    let split = Split {
        train: before.len(),
        len: tokens.len(),
    };
    let (image, report) = export(checkpoint, &tokens, split, Precision::Int8)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let net = model.net();
    let bytes = |layout| {
        let packed: Option<Image> = image.repacked(layout).ok();
        packed.map_or(image.bytes().len(), |image| image.bytes().len())
    };
    Ok(OnDevice {
        f32: report.before,
        int8: report.after,
        macs: net.macs_per_step(),
        session_bytes: 4 * net.state_words(),
        snapshot_bytes: 4 * net.snapshot_words(),
        instructions: Processor::ALL
            .map(|processor| (processor, processor.instructions(net, None)))
            .to_vec(),
        boards: Board::all()
            .map(|board| fit(board, (net, None), bytes))
            .collect(),
    })
}
