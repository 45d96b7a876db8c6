//! `gatelet random`.

use std::path::PathBuf;

use gatelet::Precision;
use serde_json::json;

use super::export::Bits;
use super::say;
use super::target::Target;
use crate::config::Config;
use crate::corpus::MAX_VOCAB;
use crate::error::{Error, Result};
use crate::export::random;
use crate::files;
use crate::params::{Cell, Shape};

/// Write a model of random weights, for benches: a fixed shape that needs no training.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet random --cell lstm --hidden 128 --vocab 64 --layers 1 --seed 1 --bits 8 --out random.gatelet"
)]
pub(super) struct Args {
    /// Kind of cell
    #[arg(long, default_value = "lstm")]
    cell: Cell,
    /// Hidden units a layer, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 128)]
    hidden: usize,
    /// Characters, 2 to 16384: printable ASCII first, then the code points after it
    #[arg(long, value_name = "N", default_value_t = 64)]
    vocab: usize,
    /// Recurrent layers, 1 to 4
    #[arg(long, value_name = "N", default_value_t = 1)]
    layers: usize,
    /// Seed: the same seed gives the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number format
    #[arg(long, default_value = "8")]
    bits: Bits,
    /// Processor whose kernel the weights are arranged for
    #[arg(long, default_value = "any")]
    target: Target,
    /// Image to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    Config {
        hidden: args.hidden,
        layers: args.layers,
        ..Config::default()
    }
    .validate()?;
    if !(2..=MAX_VOCAB).contains(&args.vocab) {
        let rule = "it has to be from 2 to 16384";
        return Err(Error::Option {
            option: "vocab",
            found: args.vocab.to_string(),
            rule,
        });
    }
    files::check_writable(&args.out, args.force)?;
    let shape = Shape {
        cell: args.cell,
        layers: args.layers,
        hidden: args.hidden,
        vocab: args.vocab,
    };
    let precision = Precision::from(args.bits);
    let command = format!(
        "gatelet random --cell {} --hidden {} --vocab {} --layers {} --seed {} --bits {}",
        args.cell,
        args.hidden,
        args.vocab,
        args.layers,
        args.seed,
        if args.bits == Bits::Eight { "8" } else { "f32" }
    );
    let image = random(shape, precision, args.seed, &command)?;
    let (image, note) = args.target.apply(image)?;
    files::write(&args.out, image.bytes())?;
    let (out, bytes) = (args.out.display().to_string(), image.bytes().len());
    if args.json {
        return say(json!({ "out": out, "bytes": bytes, "precision": precision.to_string() }));
    }
    say(format!("{out}: {bytes} bytes, {precision}, random weights"))?;
    note.map_or(Ok(()), |note| say(format!("note: {note}")))
}
