//! `gatelet export` of a net without a vocabulary.

use gatelet::Precision;

use super::super::out::say;
use super::super::sequences;
use super::args::{Args, Bits};
use super::outcome::{Outcome, show_image};
use crate::any_model::AnyModel;
use crate::error::{Error, Result};
use crate::files::IMAGE;
use crate::quantize::acceptance;
use crate::quantize::export::{NetReport, export_net};
use crate::quantize::{Sequence, WeightBits};
use crate::train::checkpoint::{Checkpoint, NamedInput};

/// What the net is given, from the files that were named.
enum Data {
    None,
    Tokens(Vec<u16>),
    Features(Vec<f32>),
}

impl Data {
    fn read(words: &[String], inputs: &[NamedInput], checkpoint: &Checkpoint) -> Result<Self> {
        if words.is_empty() {
            return Ok(Self::None);
        }
        let sequence = sequences::input("calibrate", words, inputs)?;
        let vocab = checkpoint.params.net().vocab();
        if vocab == 0 {
            return Ok(Self::Features(sequence.numbers));
        }
        let token = |&x: &f32| {
            let is_token = x.fract() == 0.0 && (0.0..vocab as f32).contains(&x);
            is_token.then_some(x as u16).ok_or_else(|| Error::Option {
                option: "calibrate",
                found: x.to_string(),
                rule: "the net is given tokens, which are numbers from 0 below its vocabulary's size",
            })
        };
        let tokens = sequence.numbers.iter().map(token);
        Ok(Self::Tokens(tokens.collect::<Result<_>>()?))
    }

    /// Nothing, or one sequence.
    fn sequences(&self) -> Vec<Sequence<'_>> {
        match self {
            Self::None => Vec::new(),
            Self::Tokens(tokens) => vec![Sequence::Tokens(tokens)],
            Self::Features(features) => vec![Sequence::Features(features)],
        }
    }
}

/// Bits of the weights that are asked for.
fn bits(args: &Args, checkpoint: &Checkpoint) -> Result<(Precision, WeightBits)> {
    let asked = args.bits.unwrap_or(Bits::Eight);
    let bits = match asked {
        Bits::F32 | Bits::Eight => WeightBits::EIGHT,
        Bits::Four => WeightBits::four(checkpoint.params.net()),
        Bits::W4 => {
            return Err(Error::Option {
                option: "bits",
                found: asked.to_string(),
                rule: "which matrices bear 4 bits is measured by the loss on a text, which this net has not: f32, 8 or 4",
            });
        }
    };
    Ok((asked.into(), bits))
}

/// Runs the command.
pub(super) fn run(args: &Args, any: &AnyModel, checkpoint: &Checkpoint) -> Result<()> {
    let interface = sequences::interface(any);
    let (precision, bits) = bits(args, checkpoint)?;
    if precision == Precision::Int8 && args.calibrate.is_empty() {
        let what = "this net has no text to be measured on: name a sequence of what it is given, \
                    --calibrate FILE (.npy, .csv or .wav), or export it in f32, --bits f32";
        return Err(Error::Usage(what.to_owned()));
    }
    let out = args.out.output(IMAGE, args.force)?;
    let files = sequences::paths(&args.calibrate, &interface.inputs);
    let out = out.made_from([&args.checkpoint]).made_from(files);
    out.check()?;
    let data = Data::read(&args.calibrate, &interface.inputs, checkpoint)?;
    let (image, mut report) = export_net(checkpoint, &data.sequences(), precision, bits)?;
    let (image, note) = args.target.apply(image)?;
    report.bytes = image.bytes().len();
    let outcome = Outcome {
        image: &image,
        note,
        report: &report,
        past: acceptance::net_breaches(&report),
    };
    match outcome.finish(args, &out, || show(args, &report))? {
        None => Ok(()),
        Some(what) => Err(Error::NetLossy {
            path: args.out.path().to_owned(),
            what,
        }),
    }
}

/// A ratio as it is read, `40.2 dB`; without noise there is none.
fn ratio(decibels: Option<f64>) -> String {
    decibels.map_or_else(|| "no error".to_owned(), |db| format!("{db:.1} dB"))
}

fn show(args: &Args, report: &NetReport) -> Result<()> {
    show_image(args, report.bytes, &report.precision, report.weight_bits)?;
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
