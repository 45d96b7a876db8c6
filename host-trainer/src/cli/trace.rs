//! `gatelet trace`.

use serde_json::json;

use super::out::{say, say_json};
use super::stream::{Input, Reads};
use crate::data::corpus::{Level, Reading, Vocabulary};
use crate::error::Result;
use crate::evaluate::trace_part;
use crate::isa::{isa, isa_named};

/// Hash the state after every character of a text, to compare machines and kernels.
///
/// An int8 model gives the same hash everywhere.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet trace firmware/models/default.gatelet corpora/novels.txt --limit 2000 --isa scalar"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// Text
    text: Input,
    #[command(flatten)]
    reads: Reads,
    /// Read only the first N characters
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Kernel to use [default: GATELET_ISA, or the fastest of this machine]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let isa = match &args.isa {
        None => isa()?,
        Some(name) => isa_named(name)?,
    };
    let any = args.model.model_for(isa)?;
    let text = args.text.text_for(any.checkpoint.as_ref(), args.reads)?;
    let model = any.model();
    let reading = Reading::new(&text, model.rules(), Vocabulary::needed(&model)?, &|_| {});
    let part = 0..args.limit.unwrap_or(usize::MAX);
    let (hash, steps) = trace_part(model, isa, &reading, part)?;
    let hash = format!("{hash:016x}");
    if args.json {
        return say_json(json!({ "steps": steps, "state_hash": hash, "isa": isa.name() }));
    }
    say(format!(
        "{hash}  after {steps} {}s, kernel {}",
        Level::of(&model.vocab()).unit(),
        isa.name()
    ))
}
