//! `gatelet inspect`.

use super::out::{say, say_json};
use super::stream::Input;
use crate::analysis::report::describe;
use crate::error::Result;

/// Show what a model is made of and what it needs on a device.
///
/// A checkpoint is described as the f32 image it would become.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatelet inspect firmware/models/default.gatelet")]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = args.model.any_model()?;
    let description = describe(&any.given());
    if args.json {
        let mut object = serde_json::to_value(&description).unwrap_or_default();
        object["file"] = args.model.path().display().to_string().into();
        object["kind"] = if any.checkpoint.is_some() {
            "checkpoint"
        } else {
            "image"
        }
        .into();
        return say_json(object);
    }
    let kind = if any.checkpoint.is_some() {
        "checkpoint, as the f32 image it would become"
    } else {
        "image"
    };
    say(format!("{} ({kind})", args.model.path().display()))?;
    say(description)
}
