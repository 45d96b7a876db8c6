//! `gatelet export` of a net that was trained on sequences: integers chosen on what it learnt from,
//! and judged on what was held out.

use gatelet::Precision;
use gatelet_series::Set;
use serde_json::json;

use super::super::out::say;
use super::args::{Args, Bits};
use super::net;
use super::outcome::Outcome;
use crate::analysis::answers::{Answers, CALIBRATED, Change, image_of};
use crate::analysis::explain::mixed_net;
use crate::error::{Error, Result};
use crate::files::IMAGE;
use crate::isa::isa;
use crate::quantize::export::NetReport;
use crate::quantize::{Sequence, WeightBits};
use crate::train::checkpoint::Checkpoint;
use crate::train::series::{Given, Series};

/// The data of the run, from where it was or from `given`, which `option` names, split as it was.
pub(in crate::cli) fn data_of(
    checkpoint: &Checkpoint,
    given: Option<&str>,
    option: &str,
) -> Result<Series> {
    let config = checkpoint.config()?;
    let Some(options) = &config.series else {
        return Err(Error::Usage(
            "this net was not trained on sequences".to_owned(),
        ));
    };
    let path = given.map_or_else(|| checkpoint.meta.provenance.corpus.clone(), str::to_owned);
    let own = checkpoint.meta.series.as_ref();
    let classes = match options.task.is_of_classes() {
        true => own.map_or(&[][..], |own| &own.answers),
        false => &[],
    };
    let reading = options.reading(classes);
    let set = Set::open(path.as_ref(), &reading).map_err(|error| match given {
        Some(_) => error.into(),
        None => Error::Usage(format!(
            "the data of the run is not to be had ({error}); name it: {option} DATA"
        )),
    })?;
    let valid = match (&options.valid, given) {
        (Some(valid), None) => Some(Set::open(valid.as_ref(), &reading)?),
        _ => None,
    };
    let given = Given {
        net: *checkpoint.params.net(),
        interface: checkpoint.meta.interface.clone(),
        for_integers: true,
    };
    Series::new(path.clone(), set, valid, (options, config), Some(given))
}

/// Runs the command.
pub(super) fn run(args: &Args, checkpoint: &Checkpoint) -> Result<()> {
    let given = match &args.calibrate[..] {
        [] => None,
        [one] => Some(one.as_str()),
        _ => {
            let what = "--calibrate is given twice: this net is measured on one set of sequences";
            return Err(Error::Usage(what.to_owned()));
        }
    };
    let out = args.out.output(IMAGE, args.force)?;
    let from = given.unwrap_or(&checkpoint.meta.provenance.corpus);
    let out = out.made_from([&args.checkpoint]).made_from([from]);
    out.check()?;
    let data = data_of(checkpoint, given, "--calibrate")?;
    let inputs = data.train().inputs(CALIBRATED)?;
    let features = inputs.sequences();
    let (precision, bits) = bits(args, checkpoint, &features)?;
    let plan = checkpoint.plan().filter(|_| precision == Precision::Int8);
    let bits = bits
        .or(plan.map(|plan| plan.scheme.bits))
        .unwrap_or_default();
    let (image, mut report) = image_of(checkpoint, &features, (precision, bits))?;
    let isa = isa()?;
    let answers = Answers::of(checkpoint, &data, &image.for_isa(isa)?, isa)?;
    let (image, note) = args.target.apply(image)?;
    report.bytes = image.bytes().len();
    let past = answers.past_bound();
    let outcome = Outcome::write(args, &out, (image, note), past)?;
    show(args, &report, &answers)?;
    outcome.say()?;
    outcome.say_json(&report, &[("answers", json!(answers.changes))])?;
    outcome.end(|path, what| Error::NetLossy { path, what })
}

/// Number format and bits that are asked for; no bits, where they are what the net was trained for.
fn bits(
    args: &Args,
    checkpoint: &Checkpoint,
    features: &[Sequence<'_>],
) -> Result<(Precision, Option<WeightBits>)> {
    let net = checkpoint.params.net();
    Ok(match args.bits {
        None => (Precision::Int8, None),
        Some(Bits::F32) => (Precision::F32, None),
        Some(Bits::Eight) => (Precision::Int8, Some(WeightBits::EIGHT)),
        Some(Bits::Four) => (Precision::Int8, Some(WeightBits::four(net))),
        Some(Bits::W4) => (Precision::Int8, Some(mixed_net(checkpoint, features)?)),
    })
}

fn show(args: &Args, report: &NetReport, answers: &Answers) -> Result<()> {
    net::show(args, report)?;
    for change in &answers.changes {
        let Change {
            part,
            sequences,
            name,
            float,
            image,
            ..
        } = change;
        let f1 = change.f1.map_or_else(String::new, |[float, image]| {
            format!("; mean F1 {float:.4} and {image:.4}")
        });
        say(format!(
            "{part}, {sequences} sequences: {name} {float:.4} in f32, {image:.4} in this image{f1}"
        ))?;
    }
    Ok(())
}
