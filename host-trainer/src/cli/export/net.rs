//! `gatelet export` of a net without a vocabulary.

use gatelet::Precision;
use serde_json::json;

use super::super::out::say;
use super::super::sequences::{self, Data};
use super::args::{Args, Bits};
use super::outcome::{Outcome, say_image};
use crate::analysis::explain::mixed_net;
use crate::any_model::AnyModel;
use crate::error::{Error, Result};
use crate::files::IMAGE;
use crate::quantize::WeightBits;
use crate::quantize::acceptance::{self, NetBreach};
use crate::quantize::export::{NetReport, export_net};
use crate::train::checkpoint::Checkpoint;

/// Bits of the weights that are asked for.
fn weight_bits(asked: Bits, checkpoint: &Checkpoint, data: &Data) -> Result<WeightBits> {
    Ok(match asked {
        Bits::F32 | Bits::Eight => WeightBits::EIGHT,
        Bits::Four => WeightBits::four(checkpoint.params.net()),
        Bits::W4 => mixed_net(checkpoint, &data.sequences())?,
    })
}

/// Runs the command.
pub(super) fn run(args: &Args, any: &AnyModel, checkpoint: &Checkpoint) -> Result<()> {
    let interface = sequences::interface(any);
    let asked = args.bits.unwrap_or(Bits::Eight);
    let precision = Precision::from(asked);
    if precision == Precision::Int8 && args.calibrate.is_empty() {
        let what = "this net has no text to be measured on: name a sequence of what it is given, \
                    --calibrate FILE (.npy, .csv or .wav), or export it in f32, --bits f32";
        return Err(Error::Usage(what.to_owned()));
    }
    let out = args.out.output(IMAGE, args.force)?;
    let files = sequences::paths(&args.calibrate, &interface.inputs);
    let out = out.made_from([&args.checkpoint]).made_from(files);
    out.check()?;
    let net = checkpoint.params.net();
    let data = Data::read("calibrate", &args.calibrate, (&interface, net))?;
    let bits = weight_bits(asked, checkpoint, &data)?;
    let (image, mut report) = export_net(checkpoint, &data.sequences(), precision, bits)?;
    let (image, note) = args.target.apply(image)?;
    report.bytes = image.bytes().len();
    let past = acceptance::net_breaches(&report);
    let what: Vec<String> = past.iter().map(NetBreach::to_string).collect();
    let what = (!what.is_empty()).then(|| what.join("; "));
    let outcome = Outcome::write(args, &out, (image, note), what)?;
    show(args, &report)?;
    if asked == Bits::W4 && bits == WeightBits::EIGHT {
        say("note: no matrix bears 4 bits within the bounds of an export: all have 8")?;
    }
    outcome.say()?;
    outcome.say_json(&report, &[("past_bounds", json!(past))])?;
    outcome.end(|path, what| Error::NetLossy { path, what })
}

/// A ratio as it is read, `40.2 dB`; without noise there is none.
pub(in crate::cli) fn ratio(decibels: Option<f64>) -> String {
    decibels.map_or_else(|| "no error".to_owned(), |db| format!("{db:.1} dB"))
}

pub(super) fn show(args: &Args, report: &NetReport) -> Result<()> {
    say_image(args, (report.bytes, &report.precision), report.weight_bits)?;
    if report.outputs.is_empty() {
        return Ok(());
    }
    say(format!("against f32, over {} steps:", report.steps))?;
    for output in &report.outputs {
        let mut line = format!(
            "  output {}: {}, largest error {:.4} of {:.4}",
            output.name,
            ratio(output.decibels),
            output.largest_error,
            output.largest
        );
        if let Some(agreement) = output.agreement {
            line += &format!(", {:.2} % of the decisions the same", 100.0 * agreement);
        }
        say(line)?;
    }
    say("what each part alone costs, signal to noise:")?;
    for cost in &report.costs {
        say(format!("  {:<24} {}", cost.name, ratio(cost.decibels)))?;
    }
    if report.doubled > 0 {
        say(format!("features with a second column: {}", report.doubled))?;
    }
    if report.saturated_inputs > 0 {
        say(format!(
            "saturated: {} input numbers",
            report.saturated_inputs
        ))?;
    }
    Ok(())
}
