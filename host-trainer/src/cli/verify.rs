//! `gatelet verify`.

use std::path::{Path, PathBuf};

use gatelet::{Isa, Precision, SelfTestError};
use gatelet_arrays::Sequence;
use serde_json::json;

use super::out::{say, say_json};
use super::sequences::{self, interface};
use super::stream::Input;
use crate::error::{Error, Result};
use crate::image::KnownAnswer;
use crate::isa::isa_named;
use crate::stream;

/// Run an image's known-answer test, as a board does when it starts, or compare a net with numbers of your own; with every
/// kernel of this machine.
///
/// The file's form and checksums are checked when it is read, as every command does.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatelet verify firmware/models/default.gatelet\n  \
gatelet verify net.safetensors --input x.npy --expect y.npy"
)]
pub(super) struct Args {
    /// .gatelet image, or with --input also a checkpoint
    model: Input,
    /// Compare: what the net is given (.npy, .csv, .wav); NAME=FILE for one of several inputs
    #[arg(long, value_name = "[NAME=]FILE", requires = "expect")]
    input: Vec<String>,
    /// Compare: what its outputs should be, all side by side
    #[arg(long, value_name = "FILE", requires = "input")]
    expect: Option<PathBuf>,
    /// The most that a number may be off, as a part of the largest expected one where that is above 1
    #[arg(long, value_name = "X", default_value_t = 1e-5, requires = "expect")]
    tolerance: f64,
    /// Only this kernel [default: every one of this machine]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let kernels: Vec<Isa> = match &args.isa {
        Some(name) => vec![isa_named(name)?],
        None => Isa::available().collect(),
    };
    if let Some(expect) = &args.expect {
        return compare(args, expect, &kernels);
    }
    // There is at least one.
    let first = kernels.first().copied().unwrap_or_else(Isa::detect);
    let any = args.model.model_for(first)?;
    if any.checkpoint.is_some() {
        let path = args.model.path().to_owned();
        return Err(Error::NotAModel {
            path,
            found: "a checkpoint, which has no known answer (gatelet export makes an image)"
                .to_owned(),
        });
    }
    let tokens = any.given().known_answer().tokens.len();
    for &isa in &kernels {
        let image = any.image.for_isa(isa)?;
        let model = image.model().map_err(|what| Error::Image {
            path: args.model.path().to_owned(),
            what,
        })?;
        let failed = |why: SelfTestError| Error::Export(format!("{}: {why}", isa.name()));
        isa.run(KnownAnswer(model)).map_err(failed)?;
    }
    let names: Vec<&str> = kernels.iter().map(|isa| isa.name()).collect();
    if args.json {
        return say_json(json!({ "tokens": tokens, "kernels": names, "passed": true }));
    }
    let by = match any.given().net().precision {
        Precision::Int8 => "",
        Precision::F32 => " (f32: by the scalar kernel's operations)",
    };
    say(format!(
        "the known answer over {tokens} tokens is right: {}{by}",
        names.join(", ")
    ))
}

/// How far outputs are from those expected.
struct Difference {
    /// The largest, as a part of the largest expected number where that is above 1.
    largest: f64,
    /// Where it is: step, and number of that step.
    at: (usize, usize),
    /// The found and the expected number there.
    numbers: (f32, f32),
    /// Expected power over the power of the differences, in dB.
    db: f64,
}

impl Difference {
    fn of(found: &Sequence, expected: &Sequence) -> Self {
        let largest = expected
            .numbers
            .iter()
            .fold(1.0_f32, |most, x| most.max(x.abs()));
        let pairs = found.numbers.iter().zip(&expected.numbers);
        let off = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
        let (at, most) = pairs
            .clone()
            .map(off)
            .enumerate()
            .fold(
                (0, 0.0),
                |most, (at, off)| if off > most.1 { (at, off) } else { most },
            );
        let power = |sum: f64, x: f64| sum + x * x;
        let noise = pairs.map(off).fold(0.0, power);
        let signal = expected
            .numbers
            .iter()
            .map(|x| f64::from(*x))
            .fold(0.0, power);
        Self {
            largest: most / f64::from(largest),
            at: (at / expected.width, at % expected.width),
            numbers: (found.numbers[at], expected.numbers[at]),
            db: 10.0 * (signal / noise).log10(),
        }
    }
}

/// Compares a net's outputs with numbers of the user's.
fn compare(args: &Args, expect: &Path, kernels: &[Isa]) -> Result<()> {
    let expected = sequences::read(expect)?;
    let mut worst: Option<(&'static str, Difference)> = None;
    let mut steps = 0;
    for &isa in kernels {
        let any = args.model.any_model_for(isa)?;
        let names = interface(&any);
        let input = sequences::input("input", &args.input, &names)?;
        let softmaxed: Vec<bool> = names.outputs.iter().map(|output| output.softmax).collect();
        let outputs = stream::run(any.model(), isa, &input, &softmaxed)?;
        let found = stream::side_by_side(&outputs);
        if (found.len(), found.width) != (expected.len(), expected.width) {
            let what = format!(
                "{}: {} steps of {} numbers, and the net gives {} of {}",
                expect.display(),
                expected.len(),
                expected.width,
                found.len(),
                found.width
            );
            return Err(Error::Usage(what));
        }
        steps = found.len();
        let of = Difference::of(&found, &expected);
        if worst
            .as_ref()
            .is_none_or(|(_, worst)| of.largest > worst.largest)
        {
            worst = Some((isa.name(), of));
        }
    }
    let Some((isa, off)) = worst else {
        return Ok(());
    };
    let names: Vec<&str> = kernels.iter().map(|isa| isa.name()).collect();
    let passed = off.largest <= args.tolerance;
    if args.json {
        say_json(json!({
            "steps": steps, "largest": off.largest, "db": off.db, "step": off.at.0,
            "number": off.at.1, "kernels": names, "passed": passed,
        }))?;
    }
    let ((step, number), (found, wanted)) = (off.at, off.numbers);
    if !passed {
        return Err(Error::Differs(format!(
            "number {number} of step {step} is {found}, not {wanted}: off by {:.1e} of at most {:.1e} \
             ({:.1} dB, kernel {isa})",
            off.largest, args.tolerance, off.db
        )));
    }
    if args.json {
        return Ok(());
    }
    say(format!(
        "{steps} steps are as expected, off by at most {:.1e} (number {number} of step {step}; {:.1} dB): {}",
        off.largest,
        off.db,
        names.join(", ")
    ))
}
