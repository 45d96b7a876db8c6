//! `gatelet export`.

use std::path::{Path, PathBuf};

use gatelet::Precision;

use super::progress::ReadingBar;
use super::say;
use super::target::Target;
use crate::checkpoint::Checkpoint;
use crate::corpus::{Reading, Text, hex};
use crate::error::{Error, Result};
use crate::export::{Report, export};
use crate::files;
use crate::image::{AnyModel, Image};

/// Number format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Bits {
    /// IEEE 754 binary32.
    F32,
    /// Integers only.
    #[value(name = "8")]
    Eight,
    /// Integers, weights of 4 bits: train for them with `train --qat`.
    #[value(name = "4")]
    Four,
    /// Integers, weights of 4 bits where the loss bears it.
    W4,
}

impl From<Bits> for Precision {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::F32 => Self::F32,
            Bits::Eight | Bits::Four | Bits::W4 => Self::Int8,
        }
    }
}

/// Turn a checkpoint into a .gatelet image, for a device.
///
/// Reports the loss before and after on the held-out part of the text. The text is the one of the training run if it
/// is still where it was, or the one given with --text.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet export runs/novels/best.safetensors --out novels.gatelet"
)]
pub(super) struct Args {
    /// Checkpoint of a run; or an image, to arrange it for another --target
    checkpoint: PathBuf,
    /// Image to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number format [default: 8]
    #[arg(long)]
    bits: Option<Bits>,
    /// Processor whose kernel the weights are arranged for
    #[arg(long, default_value = "any")]
    target: Target,
    /// Text for calibration and measurement [default: the one of the training run]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// The text given, or that of the run, and the hash that this one has to have.
fn text_of(args: &Args, checkpoint: &Checkpoint) -> Result<(Text, Option<String>)> {
    if let Some(path) = &args.text {
        return Ok((Text::open(path, 0)?, None));
    }
    let from = &checkpoint.meta.provenance;
    let path = Path::new(&from.corpus);
    if !path.is_file() {
        return Err(missing(checkpoint, "is not here"));
    }
    Ok((Text::open(path, 0)?, Some(from.corpus_sha256.clone())))
}

/// The text of the run is not to be had.
fn missing(checkpoint: &Checkpoint, why: &'static str) -> Error {
    let corpus = checkpoint.meta.provenance.corpus.clone();
    Error::NoText { corpus, why }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = AnyModel::read(&args.checkpoint)?;
    files::check_writable(&args.out, args.force)?;
    let Some(checkpoint) = any.checkpoint else {
        return rearrange(args, any.image);
    };
    let (text, expected) = text_of(args, &checkpoint)?;
    let bar = ReadingBar::new(&text);
    let progress = |bytes| bar.set(bytes);
    let (rules, vocab) = (checkpoint.meta.config.rules(), checkpoint.vocab.clone());
    let tokens = Reading::new(&text, rules, vocab, &progress);
    let (len, sha256) = tokens.measure()?;
    if expected.is_some_and(|expected| expected != hex(&sha256)) {
        return Err(missing(&checkpoint, "has changed since"));
    }
    let precision = args.bits.unwrap_or(Bits::Eight).into();
    let (image, mut report) = export(&checkpoint, &args.checkpoint, &tokens, len, precision)?;
    bar.clear();
    let (image, note) = args.target.apply(image)?;
    report.bytes = image.bytes().len();
    files::write(&args.out, image.bytes())?;
    show(args, &report, checkpoint.vocab.level().unit())?;
    let layout = show_layout(&image, note)?;
    if args.json {
        let mut object = serde_json::to_value(&report).unwrap_or_default();
        object["out"] = args.out.display().to_string().into();
        object["layout"] = layout.into();
        say(object)?;
    }
    Ok(())
}

/// An image for another target: the same numbers in other places.
fn rearrange(args: &Args, image: Image) -> Result<()> {
    let precision = image.model().map(|model| model.dims().precision);
    if precision.is_ok_and(|have| args.bits.is_some_and(|bits| Precision::from(bits) != have)) {
        return Err(Error::NeedsCheckpoint {
            path: args.checkpoint.clone(),
            needs: "export --bits",
        });
    }
    let (image, note) = args.target.apply(image)?;
    files::write(&args.out, image.bytes())?;
    let (out, bytes) = (args.out.display().to_string(), image.bytes().len());
    say(format!("{out}: {bytes} bytes"))?;
    let layout = show_layout(&image, note)?;
    if args.json {
        say(serde_json::json!({ "out": out, "bytes": bytes, "layout": layout }))?;
    }
    Ok(())
}

/// Says how the weights are arranged, and why not as asked.
fn show_layout(image: &Image, note: Option<String>) -> Result<&'static str> {
    let layout = image
        .model()
        .map_or("unknown", |model| model.layout().name());
    say(format!("layout {layout}"))?;
    if let Some(note) = note {
        say(format!("note: {note}"))?;
    }
    Ok(layout)
}

fn show(args: &Args, report: &Report, unit: &str) -> Result<()> {
    say(format!(
        "{}: {} bytes, {}",
        args.out.display(),
        report.bytes,
        report.precision
    ))?;
    say(format!(
        "held-out loss: {:.4} nats in f32, {:.4} in {} ({:+.4}), over {} {unit}s",
        report.before.nats,
        report.after.nats,
        report.precision,
        report.loss_nats,
        report.after.tokens
    ))?;
    say(format!(
        "top-1 {:.2} % -> {:.2} %, top-3 {:.2} % -> {:.2} %",
        100.0 * report.before.top1,
        100.0 * report.after.top1,
        100.0 * report.before.top3,
        100.0 * report.after.top3
    ))?;
    let ranges = [
        ("embedding", report.embedding_range),
        ("projection", report.projection_range),
    ];
    for (name, range) in ranges {
        if let Some(range) = range {
            say(format!("{name} within +-{range:.3}"))?;
        }
    }
    if let (Some(s), Some(drift)) = (report.saturation, report.drift) {
        let bits: Vec<String> = report
            .cell_bits
            .iter()
            .map(|bits| format!("Q{bits}.{}", 15 - bits))
            .collect();
        if s.c_of > 0 {
            say(format!("cell state {}", bits.join(", ")))?;
        }
        say(format!(
            "saturated: {} input numbers; over {} {unit}s {} of {} pre-activations and {} of {} cell states",
            report.saturated_inputs, s.steps, s.z, s.z_of, s.c, s.c_of
        ))?;
        say(format!(
            "writing {} {unit}s by itself: divergence from f32 {:.5} nats over the first tenth, {:.5} over the last",
            drift.characters, drift.first, drift.last
        ))?;
    }
    Ok(())
}
