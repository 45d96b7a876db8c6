//! `gatelet report` of a run on sequences.

use std::io::{self, IsTerminal};
use std::path::Path;

use super::super::export::series::data_of;
use super::super::out::{note, say, say_json};
use super::outputs::{Args, Outputs, PAGE, numbers, write_all};
use crate::analysis::names::{cells, sizes};
use crate::analysis::sequences::ask;
use crate::any_model::LARGEST;
use crate::error::{Error, Result};
use crate::files;
use crate::page::sequences::{SequenceFigures, page};
use crate::train::checkpoint::Checkpoint;
use crate::train::runs::Run;
use crate::units::{bytes, grouped};

/// Refuses options that are about a run on a text.
fn refuse(args: &Args) -> Result<()> {
    let given = [
        ("--text", args.text.is_some()),
        ("--layer", args.layer.is_some()),
        ("--against", args.against.is_some()),
    ];
    match given.iter().find(|of| of.1) {
        None => Ok(()),
        Some((option, _)) => Err(Error::Usage(format!(
            "{option} is about a run on a text, and this run is on sequences"
        ))),
    }
}

/// Runs the command.
pub(super) fn run(args: &Args, run: Run, out: &Path) -> Result<()> {
    refuse(args)?;
    let path = run.path.join("best.safetensors");
    let read = files::read_plain(&path, LARGEST).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    let checkpoint = Checkpoint::from_bytes(&read, &path)?;
    let given = args
        .corpus
        .as_ref()
        .map(|corpus| corpus.path().to_string_lossy());
    let from = given
        .as_deref()
        .unwrap_or(&checkpoint.meta.provenance.corpus);
    let outputs = Outputs::new(args, out, vec![from.into()]);
    outputs.check()?;
    let data = data_of(&checkpoint, given.as_deref(), "--corpus")?;
    let shown = io::stderr().is_terminal();
    let findings = ask(run, &checkpoint, &data, &mut |what| {
        if shown {
            note(format_args!("{what} ..."));
        }
    })?;
    let figures = SequenceFigures::new(&findings);
    let all: Vec<_> = figures.all().collect();
    let numbers = numbers(out, &super::names_of(&all), &findings)?;
    write_all(&outputs, &numbers, &all, &page(&findings, &figures))?;
    say(format!(
        "{}: {} {}, {} on the part {}: {:.4}, of {} answers",
        findings.name,
        cells(&findings.net),
        sizes(&findings.net),
        findings.task.terms().figure.unwrap_or_default(),
        findings.part,
        findings.figure,
        grouped(findings.counted)
    ))?;
    if let Some(home) = findings.int8.as_ref().and_then(|int8| int8.boards.first()) {
        say(format!(
            "{}: {}, {} of flash, {} of RAM, about {} instructions a step",
            home.board.name,
            if home.fits { "fits" } else { "does NOT fit" },
            bytes(home.flash),
            bytes(home.ram),
            grouped(home.instructions)
        ))?;
    }
    if let Some(why) = &findings.no_int8 {
        say(format!("there is no int8 image: {why}"))?;
    }
    say(format!("the report is {}", out.join(PAGE).display()))?;
    match args.json {
        true => say_json(numbers),
        false => Ok(()),
    }
}
