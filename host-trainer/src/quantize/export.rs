//! Checkpoint to `.gatelet`: order, quantize, calibrate, measure, and add a known-answer test.
//!
//! ```text
//! ranges of embedding, projection and c, by the loss on training text (`ranges`)
//! held-out loss of the f32 image and of the int8 image; saturations; the free run
//! known answer: 32 tokens and the hash of the state after each, by the scalar kernel
//! ```
//! The same checkpoint and text give the same bytes. Losses go into the image rounded to 1e-4 nats,
//! so that the last bits of an f32 kernel do not change a file.

mod any;
mod label;
mod order;
mod steps;

use std::path::Path;

use gatelet::{KnownAnswer, Precision, Provenance, TextRules};
use serde::Serialize;

use crate::data::corpus::{Split, Tokens, Vocabulary};
use crate::error::{Error, Result};
use crate::evaluate::{Scores, evaluate_part};
use crate::image::Image;
use crate::isa;
use crate::quantize::calibrate::{self, Saturation};
use crate::quantize::closed_loop::{ClosedLoop, closed_loop};
use crate::quantize::float_net::FloatNet;
pub use crate::quantize::ranges::{CellRange, calibrated};
use crate::quantize::ranges::{choose_cell_bits, choose_ranges};
use crate::quantize::row_range::WeightBits;
use crate::quantize::{Plan, quantize};
use crate::shape::Shape;
use crate::train::checkpoint::Checkpoint;
pub use any::image_of;
use label::with_bits;
pub(crate) use label::{CALIBRATION, Label, dims, provenance, taken};

/// Tokens of the known-answer test.
pub(crate) const KNOWN_ANSWER: usize = 32;
/// Characters whose saturations are counted, at most.
const SATURATION: usize = 4_000;
/// Characters of the free run, at most.
const WRITTEN: usize = 10_000;
/// What an export found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Number format of the image.
    pub precision: String,
    /// Bits of the weights of layers and head: `8`, `4` or `mixed`; `None` for f32.
    pub weight_bits: Option<&'static str>,
    /// Held-out loss of the float net from which training for integers began, as training measures
    /// it; `None` without such.
    pub float_nats: Option<f64>,
    /// Bytes of the image.
    pub bytes: usize,
    /// Held-out scores of the f32 model; of a net that was trained for integers, of what those
    /// stand for, in f32.
    pub before: Scores,
    /// Held-out scores of the image.
    pub after: Scores,
    /// `after - before` in nats, or `after - float_nats`.
    pub loss_nats: f64,
    /// Integer bits of c, a layer each; empty for f32.
    pub cell_bits: Vec<u8>,
    /// How they were chosen; empty where they were not, or there is no c.
    pub cell_ranges: Vec<CellRange>,
    /// Range of the embedding's numbers; `None` for f32, or without one.
    pub embedding_range: Option<f32>,
    /// Range of the projection's numbers; `None` for f32, or without one.
    pub projection_range: Option<f32>,
    /// Input numbers that did not fit Q3.12.
    pub saturated_inputs: usize,
    /// Saturations on held-out text; `None` for f32.
    pub saturation: Option<Saturation>,
    /// Closed-loop comparison; `None` for f32.
    pub closed_loop: Option<ClosedLoop>,
}

/// A checkpoint as an f32 image in memory, for running it; without a known-answer test.
///
/// # Errors
/// [`Error::Checkpoint`] or [`Error::Export`]; neither happens for a checkpoint that was read without an error.
pub fn f32_image(checkpoint: &Checkpoint, path: &Path) -> Result<Image> {
    if checkpoint.vocab.is_none() {
        return any::float_image(checkpoint);
    }
    f32_image_of(checkpoint, path, &FloatNet::new(&checkpoint.params))
}

/// A checkpoint as an image in memory, for running it: integers if its net was trained for them,
/// f32 otherwise; without a known-answer test.
///
/// # Errors
/// As [`f32_image`].
pub fn own_image(checkpoint: &Checkpoint, path: &Path) -> Result<Image> {
    let Some(scheme) = checkpoint.scheme() else {
        return f32_image(checkpoint, path);
    };
    let plan = checkpoint.plan();
    let dims = dims(checkpoint.params.shape(), Precision::Int8, path)?;
    let dims = with_bits(dims, &plan.bits)?;
    let int = quantize(&FloatNet::new(&checkpoint.params), plan)?;
    let label = Label {
        dims,
        vocab: checkpoint.vocabulary()?,
        provenance: provenance(checkpoint),
        known_answer: KnownAnswer::default(),
        rules: checkpoint.config()?.rules(),
    };
    label.int(&int, &scheme.cell_bits[..dims.layers])
}

/// The same as [`f32_image`] with other numbers than the checkpoint's.
pub(crate) fn f32_image_of(checkpoint: &Checkpoint, path: &Path, net: &FloatNet) -> Result<Image> {
    let dims = dims(checkpoint.params.shape(), Precision::F32, path)?;
    let known_answer = KnownAnswer::default();
    let label = Label {
        dims,
        vocab: checkpoint.vocabulary()?,
        provenance: provenance(checkpoint),
        known_answer,
        rules: checkpoint.config()?.rules(),
    };
    label.float(net)
}

fn rounded(nats: f64) -> f32 {
    ((nats * 1e4).round() / 1e4) as f32
}

/// Makes the image of a checkpoint. `tokens` are those of the whole text, of which as much is held
/// out as in training ([`Text::split`](crate::data::corpus::Text::split)). They need not be in memory.
/// Weights have the bits that the net was trained for, or 8.
///
/// # Errors
/// [`Error::TooShort`], [`Error::Quantize`], [`Error::Export`], or what reading the tokens says.
pub fn export(
    checkpoint: &Checkpoint,
    path: &Path,
    tokens: &dyn Tokens,
    split: Split,
    precision: Precision,
) -> Result<(Image, Report)> {
    let bits = checkpoint.plan().bits;
    export_with(checkpoint, path, (tokens, split), precision, bits)
}

/// [`export`] with weights of these bits.
///
/// # Errors
/// As [`export`].
pub fn export_with(
    checkpoint: &Checkpoint,
    path: &Path,
    (tokens, split): (&dyn Tokens, Split),
    precision: Precision,
    bits: WeightBits,
) -> Result<(Image, Report)> {
    let (Split { train, len }, held_out) = (split, split.held_out());
    for (part, have) in [("training part", train), ("validation part", held_out)] {
        if have < 2 {
            let name = checkpoint.meta.provenance.corpus.clone();
            return Err(Error::TooShort {
                name,
                part,
                unit: checkpoint.vocabulary()?.level().unit(),
                have,
                need: 2,
                why: "to measure the loss".to_owned(),
            });
        }
    }
    let float_dims = dims(checkpoint.params.shape(), Precision::F32, path)?;
    let net = FloatNet::new(&checkpoint.params);
    let plan = Plan {
        bits,
        ..checkpoint.plan()
    };
    // Of a net that was trained for integers the weights in f32 are what those stand for.
    let float_net = match checkpoint.scheme() {
        Some(_) => quantize(&net, plan)?.on_device(&net, plan.ranges),
        None => net.clone(),
    };
    let float_nats = checkpoint.config()?.qat.as_ref().and_then(|qat| qat.nats);
    let first = taken(tokens, train, held_out.min(SATURATION))?;
    let mut label = Label {
        dims: float_dims,
        vocab: checkpoint.vocabulary()?,
        provenance: provenance(checkpoint),
        known_answer: KnownAnswer {
            tokens: &first[..first.len().min(KNOWN_ANSWER)],
            ..KnownAnswer::default()
        },
        rules: checkpoint.config()?.rules(),
    };
    let isa = isa::isa()?;
    let float = label.float(&float_net)?.for_isa(isa)?;
    let float_model = float
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let before = evaluate_part(float_model, tokens, train..len)?;
    label.provenance.nats_f32 = rounded(float_nats.unwrap_or(before.nats));
    label.provenance.heldout_tokens = u32::try_from(held_out).unwrap_or(u32::MAX);

    if precision == Precision::F32 {
        label.provenance.nats = rounded(before.nats);
        let image = label.finish(|label| label.float(&float_net))?;
        let report = Report {
            precision: precision.to_string(),
            weight_bits: None,
            float_nats,
            bytes: image.bytes().len(),
            before,
            after: before,
            loss_nats: 0.0,
            cell_bits: Vec::new(),
            cell_ranges: Vec::new(),
            embedding_range: None,
            projection_range: None,
            saturated_inputs: 0,
            saturation: None,
            closed_loop: None,
        };
        return Ok((image, report));
    }

    label.dims = with_bits(dims(checkpoint.params.shape(), precision, path)?, &bits)?;
    let calibration = calibrate::steps_within(&label.dims, CALIBRATION).min(train);
    let sample = taken(tokens, 0, calibration)?;
    let ranges = match checkpoint.scheme() {
        Some(scheme) => scheme.ranges,
        None => choose_ranges(&label, &net, checkpoint, plan, &sample)?,
    };
    let int = quantize(&net, Plan { ranges, ..plan })?;
    let (cell_bits, cell_ranges) = match checkpoint.scheme() {
        Some(scheme) => (scheme.cell_bits[..label.dims.layers].to_vec(), Vec::new()),
        None => choose_cell_bits(&label, &int, &checkpoint.params, &sample)?,
    };
    let image = label.int(&int, &cell_bits)?.for_isa(isa)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let after = evaluate_part(model, tokens, train..len)?;
    let counted = &first[..first
        .len()
        .min(calibrate::steps_within(&label.dims, SATURATION))];
    let saturation = calibrate::saturation(model, counted)?;
    let closed = closed_loop(
        model,
        float_model,
        calibrate::steps_within(&label.dims, WRITTEN),
    )?;
    label.provenance.nats = rounded(after.nats);
    let dims = label.dims;
    let image = label.finish(|label| label.int(&int, &cell_bits))?;
    let report = Report {
        precision: precision.to_string(),
        weight_bits: Some(dims.weight_bits()),
        float_nats,
        bytes: image.bytes().len(),
        before,
        after,
        loss_nats: after.nats - float_nats.unwrap_or(before.nats),
        cell_bits,
        cell_ranges,
        embedding_range: int.embedding.as_ref().map(|_| ranges.embedding),
        projection_range: int.projection.as_ref().map(|_| ranges.projection),
        saturated_inputs: int.layers.iter().map(|layer| layer.saturated).sum(),
        saturation: Some(saturation),
        closed_loop: Some(closed),
    };
    Ok((image, report))
}

/// An image of random weights, for benches: the shape is what matters.
///
/// # Errors
/// [`Error::Export`] or [`Error::Quantize`].
pub fn random(shape: Shape, precision: Precision, seed: u64, command: &str) -> Result<Image> {
    let path = Path::new("random");
    let dims = dims(shape, precision, path)?;
    let params = crate::net::Params::<f32>::init(shape.net(), seed);
    let net = FloatNet::new(&params);
    let characters: Vec<char> = (0x20..0x7F)
        .chain(0xA1..=u32::from(char::MAX))
        .filter_map(char::from_u32)
        .take(shape.vocab)
        .collect();
    let vocab = Vocabulary::from_sorted(characters)
        .ok_or_else(|| Error::Export("no vocabulary of that size".to_owned()))?;
    let tokens: Vec<u16> = (0..KNOWN_ANSWER)
        .map(|i| (i * 7 % shape.vocab) as u16)
        .collect();
    let provenance = Provenance {
        corpus: "random weights",
        command,
        trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        seed,
        nats_f32: f32::NAN,
        nats: f32::NAN,
        ..Provenance::default()
    };
    let label = Label {
        dims,
        vocab: &vocab,
        provenance,
        known_answer: KnownAnswer {
            tokens: &tokens,
            ..KnownAnswer::default()
        },
        rules: TextRules::default(),
    };
    match precision {
        Precision::F32 => label.finish(|label| label.float(&net)),
        Precision::Int8 => {
            let bits = if shape.cell.has_memory() { 4 } else { 3 };
            let int = quantize(&net, Plan::default())?;
            label.finish(|label| label.int(&int, &vec![bits; shape.layers]))
        }
    }
}
