//! `gatelet verify`.

use gatelet::{Isa, Precision, SelfTestError};
use serde_json::json;

use super::out::{say, say_json};
use super::stream::Input;
use crate::error::{Error, Result};
use crate::image::KnownAnswer;
use crate::isa::isa_named;

/// Run an image's known-answer test, as a board does when it starts, with every kernel of this machine.
///
/// The file's form and checksums are checked when it is read, as every command does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatelet verify firmware/models/default.gatelet")]
pub(super) struct Args {
    /// .gatelet image
    model: Input,
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
