//! `gatelet suite`.

use gatelet::Precision;
use serde_json::json;

use super::out::{say, say_json};
use super::stream::{Destination, Input};
use super::target::Target;
use crate::analysis::suite::append;
use crate::error::{Error, Result};
use crate::files::SUITE;

/// Most steps of a case: its hashes are 4 bytes a step, its ids 2.
const MAX_STEPS: usize = 1_000_000;

/// Write a conformance suite: models, inputs, and the hash of the states after every step.
///
/// A board's or another processor's program runs it and says at which step it computes something else
/// (`cargo xtask conformance`).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet suite firmware/models/default.gatelet --steps 10000 --out default.suite"
)]
pub(super) struct Args {
    /// .gatelet images, int8
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<Input>,
    /// Steps of each model
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    steps: usize,
    /// Seed of the tokens, features or samples
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Processor whose kernel the weights are arranged for
    #[arg(long, default_value = "any")]
    target: Target,
    /// Suite to write
    #[arg(long, value_name = "FILE")]
    out: Destination,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if !(1..=MAX_STEPS).contains(&args.steps) {
        return Err(Error::Option {
            option: "steps",
            found: args.steps.to_string(),
            rule: "it has to be from 1 to 1000000",
        });
    }
    let out = args.out.output(SUITE, args.force)?.made_from(&args.models);
    out.check()?;
    let mut suite = Vec::new();
    for (index, path) in args.models.iter().enumerate() {
        let any = path.any_model()?;
        if any.given().net().precision != Precision::Int8 {
            let what = format!(
                "{} is f32, whose states are not the same everywhere; a suite is of int8 models",
                path.path().display()
            );
            return Err(Error::Export(what));
        }
        let (image, _) = args.target.apply(any.image)?;
        append(&mut suite, &image, args.steps, args.seed + index as u64)?;
    }
    out.write(&suite)?;
    let (out, models) = (args.out.to_string(), args.models.len());
    if args.json {
        let bytes = suite.len();
        return say_json(
            json!({ "out": out, "models": models, "steps": args.steps, "bytes": bytes }),
        );
    }
    say(format!(
        "{out}: {models} models, {} steps each, {} bytes",
        args.steps,
        suite.len()
    ))
}
