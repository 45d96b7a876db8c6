//! `gatelet verify`.

use gatelet::{Isa, Kernel, Model, Precision, SelfTestError, WithKernel};
use serde_json::json;

use super::out::{say, say_json};
use super::stream::Input;
use crate::error::{Error, Result};
use crate::image::{isa_named, storage};

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

struct KnownAnswer<'a>(Model<'a>);

impl WithKernel for KnownAnswer<'_> {
    type Output = std::result::Result<(), SelfTestError>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        self.0.self_test(kernel, &mut storage(&self.0.dims()))
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let kernels: Vec<Isa> = match &args.isa {
        Some(name) => vec![isa_named(name)?],
        None => Isa::available().collect(),
    };
    let any = args.model.model()?;
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
    let by = match any.given().dims().precision {
        Precision::Int8 => "",
        Precision::F32 => " (f32: by the scalar kernel's operations)",
    };
    say(format!(
        "the known answer over {tokens} tokens is right: {}{by}",
        names.join(", ")
    ))
}
