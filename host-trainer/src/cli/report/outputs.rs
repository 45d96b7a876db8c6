//! The options of `gatelet report`, and the files that it writes.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::explain::net::Files;
use super::super::stream::{Folder, Input, Phrase, Reads};
use crate::error::{Error, Result};
use crate::figure::{Figure, raster};
use crate::files::{self, MADE_BY, Output};
use crate::page::sequences::SequenceFigures;

/// Who made a folder's files, in its `report.json`.
pub(super) const REPORT: &str = "gatelet report";
pub(super) const PAGE: &str = "index.html";
pub(super) const NUMBERS: &str = "report.json";

/// Make a page about a run: how it learnt, what it writes, what it needs on a device.
///
/// One HTML file that needs nothing else, with the pictures as PNG and the numbers as JSON beside it. Curves, samples by
/// epoch, the gradient by time lag for RNN, LSTM and GRU, gates over a text, confusion, flash, RAM and instructions.
///
/// Of a run on sequences: confusion, ROC and when the answer is there, or errors against what was asked for, the best and
/// the worst sequences, int8 beside f32, and what it needs on a device.
///
/// Of a net without a vocabulary (a file, as `gatelet import` writes it): what each operation takes on each processor,
/// what integers cost on --calibrate, and how large its numbers get on --input.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatelet report runs/novels\n  gatelet report runs/novels --against runs/rnn --text \"It was a truth\"\n  \
                  gatelet report net.safetensors --calibrate x.npy --input y.npy"
)]
pub(in crate::cli) struct Args {
    /// Run folder, or the checkpoint of a net without a vocabulary
    pub(super) run: Folder,
    #[command(flatten)]
    pub(super) data: Files,
    /// Folder for the page [default: RUN/report; of net.safetensors net-report beside it]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<Folder>,
    /// Where the run's text is now [default: where it was]
    #[arg(long, value_name = "FILE")]
    pub(super) corpus: Option<Input>,
    #[command(flatten)]
    pub(super) reads: Reads,
    /// Text of the heat map; - alone reads it from standard input [default: the first 80 held-out
    /// tokens]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) text: Option<Phrase>,
    /// Layer of the heat map, from 1 [default: the highest]
    #[arg(long, value_name = "N")]
    pub(super) layer: Option<usize>,
    /// Another run on the same text, whose gradient is drawn in
    #[arg(long, value_name = "RUN")]
    pub(super) against: Option<Folder>,
    /// Replace pictures and pages of this program in --out that are not of its last report there
    #[arg(long)]
    pub(super) force: bool,
    /// Print the numbers as one JSON object on the last line of stdout
    #[arg(long)]
    pub(super) json: bool,
}

/// Names of the files that an earlier report left in `folder`.
pub(super) fn own_files(folder: &Path) -> Vec<String> {
    let numbers: Option<Value> = files::read_plain(&folder.join(NUMBERS), files::JSON)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match numbers {
        Some(numbers) if numbers[MADE_BY] == REPORT => numbers["files"]
            .as_array()
            .map(|names| {
                let texts = names.iter().filter_map(|name| name.as_str());
                texts.map(str::to_owned).collect()
            })
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The report's files in a folder. Those that an earlier report lists may be replaced.
pub(super) struct Outputs<'a> {
    pub(super) folder: &'a Path,
    pub(super) own: Vec<String>,
    pub(super) force: bool,
    pub(super) inputs: Vec<PathBuf>,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(args: &Args, folder: &'a Path, mut inputs: Vec<PathBuf>) -> Self {
        let runs = std::iter::once(&args.run).chain(&args.against);
        let in_runs = runs.flat_map(|run| fs::read_dir(run).into_iter().flatten().flatten());
        inputs.extend(in_runs.map(|entry| entry.path()));
        inputs.extend(args.corpus.iter().map(|corpus| corpus.path().to_owned()));
        Self {
            folder,
            own: own_files(folder),
            force: args.force,
            inputs,
        }
    }

    pub(super) fn file(&self, name: &str) -> Output {
        let kind = match name {
            PAGE => files::PAGE,
            NUMBERS => files::REPORT,
            _ => files::PNG,
        };
        let force = self.force || self.own.iter().any(|own| own == name);
        Output::new(&self.folder.join(name), kind, force).made_from(&self.inputs)
    }

    /// Checks that nothing else would be replaced.
    pub(super) fn check(&self) -> Result<()> {
        if fs::symlink_metadata(self.folder).is_ok() {
            files::folder(self.folder)?;
            all_names()
                .iter()
                .try_for_each(|name| self.file(name).check())?;
        }
        Ok(())
    }
}

/// Every file that a report may have.
pub(super) fn all_names() -> Vec<String> {
    let pictures = ["gradient-norm", "learning-rate", "gradient-by-lag", "gates"];
    let pictures = pictures.iter().chain(&SequenceFigures::NAMES);
    let mut names: Vec<String> = pictures.map(|name| format!("{name}.png")).collect();
    names.extend([PAGE.to_owned(), NUMBERS.to_owned()]);
    names
}

/// What `report.json` holds: the files beside it, and what was found.
pub(super) fn numbers(out: &Path, names: &[String], findings: &impl Serialize) -> Result<Value> {
    let mut numbers = json!({ MADE_BY: REPORT, "files": names });
    let failed = |error: serde_json::Error| Error::Write {
        path: out.join(NUMBERS),
        source: error.into(),
    };
    if let (Value::Object(all), Value::Object(found)) = (
        &mut numbers,
        serde_json::to_value(findings).map_err(failed)?,
    ) {
        all.extend(found);
    }
    Ok(numbers)
}

/// Writes the numbers.
pub(super) fn write_numbers(outputs: &Outputs<'_>, numbers: &Value) -> Result<()> {
    let text = format!("{numbers:#}\n");
    Ok(outputs.file(NUMBERS).write(text.as_bytes())?)
}

/// The files of a report with these pictures.
pub(super) fn names_of(figures: &[&Figure]) -> Vec<String> {
    let mut names = vec![PAGE.to_owned(), NUMBERS.to_owned()];
    names.extend(figures.iter().map(|figure| format!("{}.png", figure.name)));
    names
}

/// Writes them all.
pub(super) fn write_all(
    outputs: &Outputs<'_>,
    numbers: &Value,
    figures: &[&Figure],
    page: &str,
) -> Result<()> {
    let out = outputs.folder;
    files::folder(out)?;
    // The names first: a report that is cut short here may be made again without --force.
    write_numbers(outputs, numbers)?;
    for figure in figures {
        let path = out.join(format!("{}.png", figure.name));
        let bytes = raster::draw(figure).map_err(|what| Error::Plot {
            path: path.clone(),
            what,
        })?;
        outputs
            .file(&format!("{}.png", figure.name))
            .write(&bytes)?;
    }
    Ok(outputs.file(PAGE).write(page.as_bytes())?)
}
