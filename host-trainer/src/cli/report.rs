//! `gatelet report`.

mod net;
mod outputs;
mod sequences;

use std::io::{self, IsTerminal};

use serde_json::Value;

pub(super) use self::outputs::Args;
use self::outputs::{Outputs, PAGE, names_of, numbers, write_all};
use super::out::{note, say, say_json};
use super::stream::Phrase;
use crate::analysis::findings::{Findings, Question, ask};
use crate::analysis::names::{cells, sizes};
use crate::data::corpus::Rules;
use crate::error::Result;
use crate::page::figures::Figures;
use crate::page::page;
use crate::train::runs::Run;
use crate::units::{bytes, grouped};

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

/// Writes numbers, pictures and page.
fn write(outputs: &Outputs<'_>, findings: &Findings) -> Result<Value> {
    let figures = Figures::new(findings);
    let all: Vec<_> = figures.all().collect();
    let numbers = numbers(outputs.folder, &names_of(&all), findings)?;
    write_all(outputs, &numbers, &all, &page(findings, &figures))?;
    Ok(numbers)
}
