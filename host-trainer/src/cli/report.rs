//! `gatelet report`.

mod net;
mod sequences;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::explain::net::Files;
use super::out::{note, say, say_json};
use super::stream::{Folder, Input, Phrase, Reads};
use crate::analysis::findings::{Findings, Question, ask};
use crate::analysis::names::{cells, sizes};
use crate::data::corpus::Rules;
use crate::error::{Error, Result};
use crate::figure::{Figure, raster};
use crate::files::{self, MADE_BY, Output};
use crate::page::figures::Figures;
use crate::page::page;
use crate::page::sequences::SequenceFigures;
use crate::train::runs::Run;
use crate::units::{bytes, grouped};

/// Who made a folder's files, in its `report.json`.
const REPORT: &str = "gatelet report";
const PAGE: &str = "index.html";
const NUMBERS: &str = "report.json";

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
pub(super) struct Args {
    /// Run folder, or the checkpoint of a net without a vocabulary
    run: Folder,
    #[command(flatten)]
    data: Files,
    /// Folder for the page [default: RUN/report; of net.safetensors net-report beside it]
    #[arg(long, value_name = "DIR")]
    out: Option<Folder>,
    /// Where the run's text is now [default: where it was]
    #[arg(long, value_name = "FILE")]
    corpus: Option<Input>,
    #[command(flatten)]
    reads: Reads,
    /// Text of the heat map; - alone reads it from standard input [default: the first 80 held-out
    /// tokens]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<Phrase>,
    /// Layer of the heat map, from 1 [default: the highest]
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Another run on the same text, whose gradient is drawn in
    #[arg(long, value_name = "RUN")]
    against: Option<Folder>,
    /// Replace pictures and pages of this program in --out that are not of its last report there
    #[arg(long)]
    force: bool,
    /// Print the numbers as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Names of the files that an earlier report left in `folder`.
fn own_files(folder: &Path) -> Vec<String> {
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
struct Outputs<'a> {
    folder: &'a Path,
    own: Vec<String>,
    force: bool,
    inputs: Vec<PathBuf>,
}

impl<'a> Outputs<'a> {
    fn new(args: &Args, folder: &'a Path, mut inputs: Vec<PathBuf>) -> Self {
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

    fn file(&self, name: &str) -> Output {
        let kind = match name {
            PAGE => files::PAGE,
            NUMBERS => files::REPORT,
            _ => files::PNG,
        };
        let force = self.force || self.own.iter().any(|own| own == name);
        Output::new(&self.folder.join(name), kind, force).made_from(&self.inputs)
    }

    /// Checks that nothing else would be replaced.
    fn check(&self) -> Result<()> {
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
fn all_names() -> Vec<String> {
    let pictures = ["gradient-norm", "learning-rate", "gradient-by-lag", "gates"];
    let pictures = pictures.iter().chain(&SequenceFigures::NAMES);
    let mut names: Vec<String> = pictures.map(|name| format!("{name}.png")).collect();
    names.extend([PAGE.to_owned(), NUMBERS.to_owned()]);
    names
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if args.run.is_file() {
        return net::run(args);
    }
    args.data.refuse()?;
    let default = || args.run.join("report");
    let out = args
        .out
        .as_ref()
        .map_or_else(default, |out| out.to_path_buf());
    let run = Run::read(&args.run)?;
    if run.config["series"].is_object() {
        return sequences::run(args, run, &out);
    }
    let outputs = Outputs::new(args, &out, Vec::new());
    outputs.check()?;
    let encoding = args.reads.encoding;
    let corpus = args.corpus.as_ref();
    let heard = |phrase: &Phrase, rules| Ok(phrase.read_by(rules, encoding)?.prepared);
    let text = args
        .text
        .as_ref()
        .map(|phrase| move |rules| heard(phrase, rules));
    let question = Question {
        corpus: corpus.map(|input| input.text(0, encoding)).transpose()?,
        encoding,
        text: text
            .as_ref()
            .map(|text| text as &dyn Fn(Rules) -> Result<String>),
        layer: args.layer,
        against: args.against.as_ref().map(|run| run.as_path()),
    };
    let shown = io::stderr().is_terminal();
    let findings = ask(&args.run, &question, &mut |what| {
        if shown {
            // Nobody reading standard error is no reason to stop.
            note(format_args!("{what} ..."));
        }
    })?;
    let numbers = write(&outputs, &findings)?;
    let page = out.join(PAGE);
    say(format!(
        "{}: {} {}, {} on {}",
        findings.name,
        cells(&findings.net),
        sizes(&findings.net),
        bits(findings.nats(), findings.unit),
        findings.corpus
    ))?;
    if let Some(judgement) = &findings.judgement {
        say(judgement)?;
    }
    let home = &findings.device.boards[0];
    say(format!(
        "{}: {}, {} of flash, {} of RAM, about {} instructions a {}",
        home.board.name,
        if home.fits { "fits" } else { "does NOT fit" },
        bytes(home.flash),
        bytes(home.ram),
        grouped(home.instructions),
        findings.unit
    ))?;
    say(format!("the report is {}", page.display()))?;
    if args.json {
        say_json(numbers)?;
    }
    Ok(())
}

fn bits(nats: f64, unit: &str) -> String {
    if nats.is_finite() {
        format!("{:.4} bits a {unit}", nats / std::f64::consts::LN_2)
    } else {
        "not evaluated yet".to_owned()
    }
}

/// What `report.json` holds: the files beside it, and what was found.
fn numbers(out: &Path, names: &[String], findings: &impl Serialize) -> Result<Value> {
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
fn write_numbers(outputs: &Outputs<'_>, numbers: &Value) -> Result<()> {
    let text = format!("{numbers:#}\n");
    Ok(outputs.file(NUMBERS).write(text.as_bytes())?)
}

/// Writes numbers, pictures and page.
fn write(outputs: &Outputs<'_>, findings: &Findings) -> Result<Value> {
    let figures = Figures::new(findings);
    let all: Vec<_> = figures.all().collect();
    let numbers = numbers(outputs.folder, &names_of(&all), findings)?;
    write_all(outputs, &numbers, &all, &page(findings, &figures))?;
    Ok(numbers)
}

/// The files of a report with these pictures.
fn names_of(figures: &[&Figure]) -> Vec<String> {
    let mut names = vec![PAGE.to_owned(), NUMBERS.to_owned()];
    names.extend(figures.iter().map(|figure| format!("{}.png", figure.name)));
    names
}

/// Writes them all.
fn write_all(
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
