//! `gatelet export`.

mod args;
pub(super) mod net;
mod outcome;
pub(super) mod series;

use std::path::{Path, PathBuf};

use gatelet::Precision;
use serde_json::json;

pub(super) use self::args::{Args, Bits};
use self::outcome::{Outcome, say_image};
use super::out::say;
use super::progress::ReadingBar;
use super::stream::{Input, Reads};
use crate::analysis::explain::mixed;
use crate::data::corpus::{IN_MEMORY, Reading, Split, Text, Tokens};
use crate::error::{Error, Result};
use crate::files::{IMAGE, Output};
use crate::hex::hex;
use crate::image::Image;
use crate::quantize::WeightBits;
use crate::quantize::acceptance;
use crate::quantize::closed_loop::{ClosedLoop, Course};
use crate::quantize::export::{CellRange, Report, export_with};
use crate::train::checkpoint::Checkpoint;

/// The text given, or that of the run, and the hash that this one has to have.
pub(super) fn text_of(
    given: Option<&Input>,
    reads: Reads,
    checkpoint: &Checkpoint,
) -> Result<(Text, Option<String>)> {
    let config = checkpoint.config()?;
    let arranged = |text| config.arranged(text, (IN_MEMORY, &std::env::temp_dir()));
    if let Some(input) = given {
        let text = input.text_for(Some(checkpoint), reads)?;
        return Ok((arranged(text)?, None));
    }
    let encoding = match reads.encoding {
        None => config.encoding()?,
        given => given,
    };
    let from = &checkpoint.meta.provenance;
    let path = Path::new(&from.corpus);
    if !path.is_file() {
        return Err(missing(checkpoint, "is not here"));
    }
    let text = Text::open(path, 0)?.encoded(encoding);
    Ok((arranged(text)?, Some(from.corpus_sha256.clone())))
}

/// The text of the run is not to be had.
fn missing(checkpoint: &Checkpoint, why: &'static str) -> Error {
    let corpus = checkpoint.meta.provenance.corpus.clone();
    Error::NoText { corpus, why }
}

/// How much of a text is held out; refuses another text than the run's where it has to be that.
pub(super) fn split(
    tokens: &Reading<'_>,
    expected: Option<String>,
    checkpoint: &Checkpoint,
) -> Result<Split> {
    let (len, sha256) = tokens.measure()?;
    match expected.is_some_and(|expected| expected != hex(&sha256)) {
        true => Err(missing(checkpoint, "has changed since")),
        false => {
            let (text, _) = tokens.source();
            Ok(text.split(len, checkpoint.config()?.valid_fraction))
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = args.checkpoint.any_model()?;
    let of_net = any.checkpoint.as_ref().filter(|of| of.vocab.is_none());
    if let Some(checkpoint) = of_net {
        let config = checkpoint.meta.config.as_ref();
        return match config.is_some_and(|config| config.series.is_some()) {
            true => series::run(args, checkpoint),
            false => net::run(args, &any, checkpoint),
        };
    }
    if let [first, ..] = &args.calibrate[..] {
        return Err(Error::Option {
            option: "calibrate",
            found: first.clone(),
            rule: "this model is no net without a vocabulary: it is measured on a text (--text)",
        });
    }
    let own = any
        .checkpoint
        .as_ref()
        .map(|c| PathBuf::from(&c.meta.provenance.corpus));
    let given = args.text.as_ref().map(|text| text.path().to_owned());
    let out = args.out.output(IMAGE, args.force)?;
    let out = out.made_from([&args.checkpoint]).made_from(given.or(own));
    out.check()?;
    let Some(checkpoint) = any.checkpoint else {
        return rearrange(args, any.image, &out);
    };
    let (text, expected) = text_of(args.text.as_ref(), args.reads, &checkpoint)?;
    let bar = ReadingBar::new(&text);
    let progress = |bytes| bar.set(bytes);
    let (rules, vocab) = (
        checkpoint.config()?.rules(),
        checkpoint.vocabulary()?.clone(),
    );
    let tokens = Reading::new(&text, rules, vocab, &progress);
    let split = split(&tokens, expected, &checkpoint)?;
    let precision = Precision::from(args.bits.unwrap_or(Bits::Eight));
    let bits = weight_bits(args, &checkpoint, &tokens, split)?;
    let text = (&tokens as &dyn Tokens, split);
    let (image, mut report) = export_with(&checkpoint, text, precision, bits)?;
    bar.clear();
    let (image, note) = args.target.apply(image)?;
    report.bytes = image.bytes().len();
    let past = acceptance::breaches(&report);
    let what = (!past.is_empty()).then(|| acceptance::list(&past));
    let outcome = Outcome::write(args, &out, (image, note), what)?;
    show(args, &report, checkpoint.vocabulary()?.level().unit())?;
    outcome.say()?;
    outcome.say_json(&report, &[("past_bounds", json!(past))])?;
    outcome.end(|path, what| Error::Lossy { path, what })
}

/// Bits of the weights: those that are asked for, or that the net was trained for.
fn weight_bits(
    args: &Args,
    checkpoint: &Checkpoint,
    tokens: &dyn Tokens,
    split: Split,
) -> Result<WeightBits> {
    let own = checkpoint.bits();
    let asked = match (args.bits, checkpoint.scheme()) {
        (None | Some(Bits::F32), _) => return Ok(own),
        (Some(Bits::W4), Some(_)) if own != WeightBits::EIGHT => return Ok(own),
        (Some(Bits::Eight), _) => WeightBits::EIGHT,
        (Some(Bits::Four), _) => WeightBits::four(checkpoint.params.net()),
        (Some(Bits::W4), _) => mixed(checkpoint, tokens, split)?,
    };
    if checkpoint.scheme().is_some() && asked != own {
        return Err(Error::Option {
            option: "bits",
            found: args.bits.map_or_else(String::new, |bits| bits.to_string()),
            rule: "this checkpoint was trained for other bits: leave --bits out, or export the float checkpoint it came from",
        });
    }
    Ok(asked)
}

/// An image for another target: the same numbers in other places.
fn rearrange(args: &Args, image: Image, out: &Output) -> Result<()> {
    let differs = |model: gatelet::Model<'_>| {
        let (net, asked) = (model.net(), args.bits);
        asked.is_some_and(|bits| {
            Precision::from(bits) != net.precision || !bits.is(WeightBits::of_net(net).name(net))
        })
    };
    if image.model().is_ok_and(differs) {
        return Err(Error::NeedsCheckpoint {
            path: args.checkpoint.path().to_owned(),
            needs: "export --bits",
        });
    }
    let arranged = args.target.apply(image)?;
    let bytes = arranged.0.bytes().len();
    let outcome = Outcome::write(args, out, arranged, None)?;
    say(format!("{}: {bytes} bytes", args.out))?;
    outcome.say()?;
    outcome.say_json(&json!({ "bytes": bytes }), &[])
}

fn show(args: &Args, report: &Report, unit: &str) -> Result<()> {
    say_image(args, (report.bytes, &report.precision), report.weight_bits)?;
    let (before, of_what) = match report.float_nats {
        Some(nats) => (nats, "in the float net that --qat went on from"),
        None => (report.before.nats, "in f32"),
    };
    say(format!(
        "held-out loss: {before:.4} nats {of_what}, {:.4} in {} ({:+.4}), over {} {unit}s",
        report.after.nats, report.precision, report.loss_nats, report.after.tokens
    ))?;
    if report.float_nats.is_some() {
        say(format!(
            "the same weights in f32: {:.4} nats",
            report.before.nats
        ))?;
    }
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
    if let (Some(s), Some(run)) = (report.saturation, &report.closed_loop) {
        let bits: Vec<String> = report
            .cell_bits
            .iter()
            .map(|bits| format!("Q{bits}.{}", 15 - bits))
            .collect();
        if s.c_of > 0 {
            say(format!("cell state {}", bits.join(", ")))?;
        }
        for (layer, range) in report.cell_ranges.iter().enumerate() {
            show_cell_range(layer, range)?;
        }
        say(format!(
            "saturated: {} input numbers; over {} {unit}s {} of {} pre-activations and {} of {} cell states",
            report.saturated_inputs, s.steps, s.z, s.z_of, s.c, s.c_of
        ))?;
        show_closed_loop(run, unit)?;
    }
    Ok(())
}

/// What decided on the range of a layer's c, as in
/// `layer 0: in f32 |c| is at most 12.7 (Q4.11), 99.9 % within 6.3 (Q3.12)` and what each range costs.
fn show_cell_range(layer: usize, range: &CellRange) -> Result<()> {
    let format = |bits: u8| format!("Q{bits}.{}", 15 - bits);
    let held = |magnitude| format(CellRange::holding(magnitude));
    let nats: Vec<String> = range.nats.iter().map(|nats| format!("{nats:.4}")).collect();
    let (all, most) = (range.magnitude.largest, range.magnitude.percentile_999);
    say(format!(
        "  layer {layer}: in f32 |c| is at most {all:.1} ({}), 99.9 % within {most:.1} ({})\n    \
         loss on training text with {} to {}: {} nats",
        held(all),
        held(most),
        format(3),
        format(7),
        nats.join(" ")
    ))
}

/// What became of both models while they wrote by themselves.
fn show_closed_loop(run: &ClosedLoop, unit: &str) -> Result<()> {
    let d = &run.divergence;
    say(format!(
        "writing {} {unit}s by itself: divergence from f32 {:.5} nats a step, {:.5} over the first tenth, {:.5} over the last, \
         at most {:.4}",
        run.characters, d.mean, d.first, d.last, d.largest
    ))?;
    say(format!(
        "  the text f32 writes with the same seed is the same for {} {unit}s",
        run.agreed
    ))?;
    let s = &run.saturation;
    say(format!(
        "  saturated: {} of {} pre-activations ({:.4} %), {} of {} cell states ({:.4} %)",
        s.z,
        s.z_of,
        percent(s.z, s.z_of),
        s.c,
        s.c_of,
        percent(s.c, s.c_of)
    ))?;
    say("  RMS of the state, first -> last tenth; c within int8's range")?;
    let courses = [
        ("int8 writing", &run.int8),
        ("f32 reading that", &run.f32_reading),
        ("f32 writing", &run.f32_writing),
    ];
    for (who, course) in courses {
        say(format!("  {who:<17} {}", shown(course)))?;
    }
    Ok(())
}

/// Statistics of one model at one text.
fn shown(course: &Course) -> String {
    let h = course.hidden;
    let mut cell = String::new();
    if let (Some(cut), Some(all)) = (course.cell, course.cell_uncut) {
        cell = format!(", of c {:.4} -> {:.4}", cut.first, cut.last);
        if cut != all {
            cell += &format!(" (uncut {:.4} -> {:.4})", all.first, all.last);
        }
    }
    format!(
        "entropy {:.4} nats, RMS of h {:.4} -> {:.4}{cell}",
        course.entropy, h.first, h.last
    )
}

/// A part in percent.
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
