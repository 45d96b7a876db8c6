//! `gatelet report` of a net without a vocabulary.

use std::path::PathBuf;

use super::super::out::{say, say_json};
use super::outputs::{Args, NUMBERS, Outputs, PAGE, numbers, write_numbers};
use crate::analysis::report::describe;
use crate::any_model::{AnyModel, model_bytes};
use crate::error::{Error, Result};
use crate::files;
use crate::isa::isa;
use crate::page::net::{NetFindings, page};
use crate::units::{bytes, grouped};

/// Refuses options that are about a run on a text.
fn refuse(args: &Args) -> Result<()> {
    let given = [
        ("--corpus", args.corpus.is_some()),
        ("--text", args.text.is_some()),
        ("--layer", args.layer.is_some()),
        ("--against", args.against.is_some()),
    ];
    match given.iter().find(|of| of.1) {
        None => Ok(()),
        Some((option, _)) => Err(Error::Usage(format!(
            "{option} is about a run on a text, and this is a file of one net: \
             name sequences of what it is given, --calibrate FILE and --input FILE"
        ))),
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let path = args.run.as_path();
    let any = AnyModel::any_from_bytes(&model_bytes(path)?, path, isa()?)?;
    let Some(checkpoint) = &any.checkpoint else {
        return Err(Error::NeedsCheckpoint {
            path: path.to_owned(),
            needs: "report",
        });
    };
    if checkpoint.vocab.is_some() {
        return Err(Error::Usage(format!(
            "{}: a net that was trained on a text; name its run folder",
            path.display()
        )));
    }
    refuse(args)?;
    let default = || {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push("-report");
        path.with_file_name(name)
    };
    let out: PathBuf = args
        .out
        .as_ref()
        .map_or_else(default, |out| out.to_path_buf());
    let mut inputs = args.data.paths(&any);
    inputs.push(path.to_owned());
    let outputs = Outputs::new(args, &out, inputs);
    outputs.check()?;
    let found = args.data.ask(path, &any, checkpoint)?;
    let name = path.file_name().unwrap_or_default();
    let findings = NetFindings {
        name: name.to_string_lossy().into_owned(),
        parameters: checkpoint.params.data.len(),
        explanation: found.explanation,
        ranges: found.ranges,
        origin: describe(&any.given()).provenance,
    };
    files::folder(&out)?;
    let names = [PAGE.to_owned(), NUMBERS.to_owned()];
    let numbers = numbers(&out, &names, &findings)?;
    write_numbers(&outputs, &numbers)?;
    outputs.file(PAGE).write(page(&findings).as_bytes())?;
    let explanation = &findings.explanation;
    say(format!(
        "{}: {} operations, {} parameters",
        findings.name,
        explanation.operations.len(),
        grouped(findings.parameters)
    ))?;
    if let Some(home) = explanation.boards.first() {
        say(format!(
            "{}: {}, {} of flash, {} of RAM, about {} instructions a step",
            home.board.name,
            if home.fits { "fits" } else { "does NOT fit" },
            bytes(home.flash),
            bytes(home.ram),
            grouped(home.instructions)
        ))?;
    }
    say(format!("the report is {}", out.join(PAGE).display()))?;
    match args.json {
        true => say_json(numbers),
        false => Ok(()),
    }
}
