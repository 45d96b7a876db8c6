//! Checkpoint to `.gatelet`: order, quantize, calibrate, measure, and add a known-answer test.
//!
//! ```text
//! ranges of embedding, projection and c, by the loss on training text (`ranges`)
//! held-out loss of the f32 image and of the int8 image; saturations; the free run
//! known answer: 32 tokens and the hash of the state after each, by the scalar kernel
//! ```
//! The same checkpoint and text give the same bytes. Losses go into the image rounded to 1e-4 nats,
//! so that the last bits of an f32 kernel do not change a file.

mod measure;
mod net;
mod source;
mod text;

use gatelet::net::{Kind, Net};
use gatelet::{KnownAnswer, Precision, Provenance, TextRules};
use serde::Serialize;

use super::calibrate::{self, Saturation};
use super::choose::{self, Tried};
use super::closed_loop::{ClosedLoop, closed_loop};
use super::label::{Label, model_of};
use super::magnitudes::{Begin, CellMagnitude, Magnitudes, Sequence};
use super::order::Floats;
use super::{Ordered, on_device, quantize};
use super::{Plan, Scheme, WeightBits};
use crate::data::corpus::{Split, Tokens, Vocabulary};
use crate::error::{Error, Result};
use crate::evaluate::{Scores, evaluate, evaluate_part};
use crate::image::Image;
use crate::isa;
use crate::net::Params;

pub(crate) use self::measure::known_steps;
pub use self::net::{Cost, NetReport, OutputReport, calibrated_net, export_net, image_by, of_plan};
pub use self::source::Source;
pub(crate) use self::text::taken;
pub use self::text::{CellRange, calibrated};

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

/// A net as an f32 image in memory, for running it; without a known-answer test.
///
/// # Errors
/// [`Error::Export`]; does not happen for a checkpoint that was read without an error.
pub fn f32_image<'a>(source: impl Into<Source<'a>>) -> Result<Image> {
    let source = source.into();
    f32_image_of(source, &Ordered::plain(source.params).floats)
}

/// A net as an image in memory, for running it: integers if its net was trained for them,
/// f32 otherwise; without a known-answer test.
///
/// # Errors
/// As [`f32_image`].
pub fn own_image<'a>(source: impl Into<Source<'a>>) -> Result<Image> {
    let source = source.into();
    let Some(plan) = source.plan else {
        return f32_image(source);
    };
    let all = quantize(source.params, plan)?;
    source.label().int(&all, plan.scheme)
}

/// The same as [`f32_image`] with other numbers than the net's.
pub(crate) fn f32_image_of(source: Source<'_>, floats: &[Floats]) -> Result<Image> {
    source.label().float(floats)
}

fn rounded(nats: f64) -> f32 {
    ((nats * 1e4).round() / 1e4) as f32
}

/// Makes the image of a language model. `tokens` are those of the whole text, of which as much is held
/// out as in training ([`Text::split`](crate::data::corpus::Text::split)). They need not be in memory.
/// Weights have the bits that the net was trained for, or 8.
///
/// # Errors
/// [`Error::NoVocabulary`], [`Error::TooShort`], [`Error::Quantize`], [`Error::Export`], or what
/// reading the tokens says.
pub fn export<'a>(
    source: impl Into<Source<'a>>,
    tokens: &dyn Tokens,
    split: Split,
    precision: Precision,
) -> Result<(Image, Report)> {
    let source = source.into();
    let bits = source
        .plan
        .map_or(WeightBits::EIGHT, |plan| plan.scheme.bits);
    export_with(source, (tokens, split), precision, bits)
}

/// [`export`] with weights of these bits.
///
/// # Errors
/// As [`export`].
pub fn export_with<'a>(
    source: impl Into<Source<'a>>,
    (tokens, split): (&dyn Tokens, Split),
    precision: Precision,
    bits: WeightBits,
) -> Result<(Image, Report)> {
    let source = source.into();
    let vocab = source.vocab.ok_or(Error::NoVocabulary)?;
    let (Split { train, len }, held_out) = (split, split.held_out());
    for (part, have) in [("training part", train), ("validation part", held_out)] {
        if have < 2 {
            let name = source.provenance.corpus.to_owned();
            return Err(Error::TooShort {
                name,
                part,
                unit: vocab.level().unit(),
                have,
                need: 2,
                why: "to measure the loss".to_owned(),
            });
        }
    }
    let params = source.params;
    // Of a net that was trained for integers the weights in f32 are what those stand for.
    let own = source.plan;
    let device = own.map(|plan| on_device(params, plan)).transpose()?;
    let floats = Ordered::plain(device.as_ref().unwrap_or(params)).floats;
    let float_nats = source.float_nats;
    let first = taken(tokens, train, held_out.min(SATURATION))?;
    let mut label = Label {
        known_answer: KnownAnswer {
            tokens: &first[..first.len().min(KNOWN_ANSWER)],
            ..KnownAnswer::default()
        },
        ..source.label()
    };
    let isa = isa::isa()?;
    let float = label.float(&floats)?.for_isa(isa)?;
    let float_model = model_of(&float)?;
    let before = evaluate_part(float_model, tokens, train..len)?;
    label.provenance.nats_f32 = rounded(float_nats.unwrap_or(before.nats));
    label.provenance.heldout_tokens = u32::try_from(held_out).unwrap_or(u32::MAX);

    if precision == Precision::F32 {
        label.provenance.nats = rounded(before.nats);
        let image = label.finish(|label| label.float(&floats))?;
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

    let (scheme, cell_ranges) = match own {
        Some(plan) => (plan.scheme.clone().with_bits(bits), Vec::new()),
        None => text::chosen(&label, params, (tokens, split), bits)?,
    };
    let learned = own.and_then(|plan| plan.learned);
    let plan = Plan {
        scheme: &scheme,
        learned,
    };
    let all = quantize(params, plan)?;
    let image = label.int(&all, &scheme)?.for_isa(isa)?;
    let model = model_of(&image)?;
    let after = evaluate_part(model, tokens, train..len)?;
    let within = |most| calibrate::steps_within(model.net(), most);
    let counted = &first[..first.len().min(within(SATURATION))];
    let saturation = calibrate::saturation(model, counted)?;
    let closed = closed_loop(model, float_model, within(WRITTEN))?;
    label.provenance.nats = rounded(after.nats);
    let net = label.net;
    let image = label.finish(|label| label.int(&all, &scheme))?;
    let step_of = |wanted: &dyn Fn(Kind) -> bool| {
        let mut operations = net.operations().enumerate();
        let found =
            operations.find(|&(index, of)| wanted(of.kind) && super::scheme::has_step(&net, index));
        found.map(|(index, _)| scheme.steps[index])
    };
    let lstms = net.operations().zip(&scheme.state_bits);
    let cell_bits = lstms.filter(|(of, _)| of.kind.is_recurrent());
    let report = Report {
        precision: precision.to_string(),
        weight_bits: Some(bits.name(&net)),
        float_nats,
        bytes: image.bytes().len(),
        before,
        after,
        loss_nats: after.nats - float_nats.unwrap_or(before.nats),
        cell_bits: cell_bits.map(|(_, &bits)| bits).collect(),
        cell_ranges,
        embedding_range: step_of(&|kind| matches!(kind, Kind::Embedding { .. })),
        projection_range: step_of(&|kind| matches!(kind, Kind::Dense { .. })),
        saturated_inputs: all.iter().map(|of| of.saturated).sum(),
        saturation: Some(saturation),
        closed_loop: Some(closed),
    };
    Ok((image, report))
}

/// An image of random weights of a language model of characters, for benches: the sizes are what
/// matters.
///
/// # Errors
/// [`Error::Export`] or [`Error::Quantize`].
pub fn random(net: &Net, seed: u64, command: &str) -> Result<Image> {
    net.checked()
        .map_err(|error| Error::Export(error.to_string()))?;
    let (precision, net) = (net.precision, net.with_precision(Precision::F32));
    let params = Params::<f32>::init(net, seed);
    let characters: Vec<char> = (0x20..0x7F)
        .chain(0xA1..=u32::from(char::MAX))
        .filter_map(char::from_u32)
        .take(net.vocab())
        .collect();
    let vocab = Vocabulary::from_sorted(characters)
        .ok_or_else(|| Error::Export("no vocabulary of that size".to_owned()))?;
    let tokens: Vec<u16> = (0..KNOWN_ANSWER)
        .map(|i| (i * 7 % net.vocab()) as u16)
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
        net,
        vocab: Some(&vocab),
        front_end: None,
        starts: &[],
        provenance,
        known_answer: KnownAnswer {
            tokens: &tokens,
            ..KnownAnswer::default()
        },
        rules: TextRules::default(),
    };
    match precision {
        Precision::F32 => {
            let floats = Ordered::plain(&params).floats;
            label.finish(|label| label.float(&floats))
        }
        Precision::Int8 => {
            let mut scheme = Scheme::plain(&net);
            for (bits, of) in scheme.state_bits.iter_mut().zip(net.operations()) {
                if let Kind::Lstm { .. } = of.kind {
                    *bits = 4;
                }
            }
            let all = quantize(&params, (&scheme).into())?;
            label.finish(|label| label.int(&all, &scheme))
        }
    }
}
