//! `gatelet explain` of a net without a vocabulary.

use std::path::{Path, PathBuf};

use gatelet::net::Value;

use super::super::export::net::ratio;
use super::super::out::{say, say_json};
use super::super::sequences::{self, Data};
use super::super::table::{Align, Table};
use crate::analysis::device::Processor;
use crate::analysis::explain::{NetExplanation, explain_net};
use crate::analysis::ranges::{Ranges, ranges};
use crate::any_model::AnyModel;
use crate::error::{Error, Result};
use crate::quantize::calibrate::steps_within;
use crate::train::checkpoint::Checkpoint;
use crate::units::{bytes, grouped};

/// Steps of `--input` that are read, at most.
const STEPS: usize = 20_000;

/// Sequences of what a net without a vocabulary is given.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Files {
    /// For a net without a vocabulary: a sequence of what it is given (.npy, .csv, .wav), on which
    /// its integers are chosen and measured; NAME=FILE for one of several inputs
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    calibrate: Vec<String>,
    /// The same, over which its numbers are followed: how large they get, and gates at their ends
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    input: Vec<String>,
}

/// What there is to say of a net.
pub(in crate::cli) struct Found {
    pub(in crate::cli) explanation: NetExplanation,
    pub(in crate::cli) ranges: Option<Ranges>,
}

impl Files {
    /// Refuses files for a language model.
    pub(in crate::cli) fn refuse(&self) -> Result<()> {
        for (option, given) in [("calibrate", &self.calibrate), ("input", &self.input)] {
            if let [first, ..] = &given[..] {
                return Err(Error::Option {
                    option,
                    found: first.clone(),
                    rule: "this model is no net without a vocabulary: \
                           it is measured on a text (--text)",
                });
            }
        }
        Ok(())
    }

    /// The files that were named.
    pub(in crate::cli) fn paths(&self, any: &AnyModel) -> Vec<PathBuf> {
        let inputs = sequences::interface(any).inputs;
        let paths = [&self.calibrate, &self.input].map(|words| sequences::paths(words, &inputs));
        paths.concat()
    }

    /// What there is to say of a net, with what was named.
    pub(in crate::cli) fn ask(
        &self,
        path: &Path,
        any: &AnyModel,
        checkpoint: &Checkpoint,
    ) -> Result<Found> {
        let (interface, net) = (sequences::interface(any), checkpoint.params.net());
        let read = |option, words: &[String]| Data::read(option, words, (&interface, net));
        let data = read("calibrate", &self.calibrate)?;
        let input = read("input", &self.input)?;
        let explanation = explain_net(checkpoint, path, &data.sequences())?;
        let width = net.width(Value::INPUT);
        let ranges = input.sequences().first().map(|input| {
            let input = input.first(steps_within(net, STEPS), width);
            ranges(&checkpoint.params, &checkpoint.starts, (input, width))
        });
        Ok(Found {
            explanation,
            ranges,
        })
    }
}

/// What was asked for on the command line.
pub(super) struct Asked<'a> {
    pub(super) data: &'a Files,
    /// Whether options were given that are for texts.
    pub(super) text: bool,
    pub(super) plot: bool,
    pub(super) json: bool,
}

/// Runs the command.
pub(super) fn run(
    path: &Path,
    (any, checkpoint): (&AnyModel, &Checkpoint),
    asked: Asked<'_>,
) -> Result<()> {
    if asked.text {
        return Err(Error::Usage(
            "--text: this net reads no text; name a sequence of what it is given, --calibrate FILE"
                .to_owned(),
        ));
    }
    if asked.plot {
        return Err(Error::Usage(
            "--plot: its picture is of losses on a text; gatelet report makes a page of this net"
                .to_owned(),
        ));
    }
    let found = asked.data.ask(path, any, checkpoint)?;
    show(&found)?;
    if asked.json {
        let mut object = serde_json::to_value(&found.explanation).unwrap_or_default();
        object["processors"] = serde_json::to_value(Processor::ALL).unwrap_or_default();
        object["ranges"] = serde_json::to_value(&found.ranges).unwrap_or_default();
        say_json(object)?;
    }
    Ok(())
}

/// A number of bytes or instructions; none where there are none.
fn number(count: impl Into<u64>) -> String {
    match count.into() {
        0 => "-".to_owned(),
        count => grouped(count),
    }
}

fn show(found: &Found) -> Result<()> {
    let explanation = &found.explanation;
    say(operations(explanation))?;
    if let Some(why) = &explanation.f32_only {
        say(format!("this net can be exported in f32 only: {why}"))?;
    } else {
        say(format!(
            "\ninstructions of a step in int8, an estimate \
             (`cargo xtask firmware bench --model` counts):\n{}",
            instructions(explanation)
        ))?;
        say("\nboards, int8:")?;
        for fit in &explanation.boards {
            say(format!(
                "  {}: {}, {} of flash, {} of RAM, about {} instructions a step",
                fit.board.name,
                if fit.fits { "fits" } else { "does NOT fit" },
                bytes(fit.flash),
                bytes(fit.ram),
                grouped(fit.instructions)
            ))?;
        }
        errors(explanation)?;
    }
    match &found.ranges {
        None => say("how large its numbers get, and gates at their ends: \
             name a sequence of what it is given, --input FILE"),
        Some(found) => {
            say(format!("\nover {} steps, in f32:", grouped(found.steps)))?;
            say(numbers(found))
        }
    }
}

/// What each operation takes.
fn operations(found: &NetExplanation) -> Table {
    let left = [("operation", Align::Left), ("reads", Align::Left)];
    let right = ["MACs", "bytes, f32", "int8", "4 bits", "state"];
    let right = right.map(|name| (name, Align::Right));
    let mut columns: Vec<_> = left.into_iter().chain(right).collect();
    if found.measured.is_some() {
        columns.extend(["error, int8", "4 bits"].map(|name| (name, Align::Right)));
    }
    let mut table = Table::new(&columns);
    for (index, of) in found.operations.iter().enumerate() {
        let reads = of.reads.iter().map(|&code| match code {
            0 => "input".to_owned(),
            code => code.to_string(),
        });
        let mut cells = vec![
            format!("{} {}", index + 1, of.name),
            reads.collect::<Vec<_>>().join(" "),
            number(of.macs as u64),
        ];
        cells.extend(of.bytes.map(|bytes| number(bytes as u64)));
        cells.push(number(of.state_bytes as u64));
        if found.measured.is_some() {
            cells.extend(of.decibels.map(ratio));
        }
        table.row(cells);
    }
    let sum = |place: usize| {
        found
            .operations
            .iter()
            .map(|of| of.bytes[place])
            .sum::<usize>()
    };
    let none = |count: usize| vec![String::new(); count];
    let errors = if found.measured.is_some() { 2 } else { 0 };
    let rest = [0, 1, 2].map(|place| number((found.bytes[place] - sum(place)) as u64));
    let rest = [vec!["header, scales".to_owned()], none(2), rest.to_vec()];
    table.row([rest.concat(), none(1 + errors)].concat());
    let macs: usize = found.operations.iter().map(|of| of.macs).sum();
    let all = found.bytes.map(|bytes| number(bytes as u64)).to_vec();
    let state: usize = found.operations.iter().map(|of| of.state_bytes).sum();
    let all = [
        vec!["all".to_owned(), String::new(), number(macs as u64)],
        all,
        vec![number(state as u64)],
        none(errors),
    ];
    table.row(all.concat());
    table
}

/// What each operation takes of a step, on each processor.
fn instructions(found: &NetExplanation) -> Table {
    let names = Processor::ALL.map(|processor| (processor.name(), Align::Right));
    let columns: Vec<_> = [("operation", Align::Left)]
        .into_iter()
        .chain(names)
        .collect();
    let mut table = Table::new(&columns);
    let mut row = |name: String, counts: &[u64]| {
        let cells = counts.iter().map(|&count| number(count));
        table.row([name].into_iter().chain(cells).collect());
    };
    let mut all = found.other_instructions.clone();
    for (all, count) in all.iter_mut().zip(&found.frame_instructions) {
        *all += count;
    }
    for (index, of) in found.operations.iter().enumerate() {
        row(format!("{} {}", index + 1, of.name), &of.instructions);
        for (all, count) in all.iter_mut().zip(&of.instructions) {
            *all += count;
        }
    }
    row("features, the rest".to_owned(), &found.other_instructions);
    if !found.frame_instructions.is_empty() {
        row("front end, a frame".to_owned(), &found.frame_instructions);
    }
    row("all".to_owned(), &all);
    table
}

/// What integers cost at the outputs.
fn errors(found: &NetExplanation) -> Result<()> {
    let Some(reports) = &found.measured else {
        return say("what rounding costs at the outputs: \
             name a sequence of what it is given, --calibrate FILE");
    };
    say(format!(
        "\nsignal to noise at the outputs against f32, over {} steps \
         (before training for integers):",
        grouped(reports[0].steps)
    ))?;
    for (index, output) in reports[0].outputs.iter().enumerate() {
        let ratios = [0, 1].map(|bits: usize| ratio(reports[bits].outputs[index].decibels));
        let [int8, four] = ratios;
        say(format!(
            "  output {}: {int8} in int8, {four} with 4 bits",
            output.name
        ))?;
    }
    for (place, what) in [(0, "in int8"), (1, "with 4 bits")] {
        let parts = reports[place]
            .costs
            .iter()
            .filter(|of| of.operation.is_none());
        let parts = parts.map(|of| format!("{} {}", of.name, ratio(of.decibels)));
        say(format!(
            "  {what}: {}",
            parts.collect::<Vec<_>>().join("; ")
        ))?;
    }
    Ok(())
}

/// How large numbers get, and how often gates are at their ends.
fn numbers(found: &Ranges) -> Table {
    let columns = [
        "operation",
        "largest",
        "c",
        "99.9 % of c",
        "gates at their ends, low and high",
    ];
    let mut heading = [("", Align::Right); 5];
    for (to, name) in heading.iter_mut().zip(columns) {
        to.0 = name;
    }
    (heading[0].1, heading[4].1) = (Align::Left, Align::Left);
    let mut table = Table::new(&heading);
    let features = found.features.iter().fold(0.0_f32, |most, x| most.max(*x));
    if !found.features.is_empty() {
        let cells = ["input".to_owned(), format!("{features:.3}")];
        table.row([&cells[..], &[const { String::new() }; 3]].concat());
    }
    for (index, of) in found.operations.iter().enumerate() {
        let c = of
            .cell
            .map(|c| c.map(|x| format!("{x:.2}")))
            .unwrap_or_default();
        let gates = of.gates.iter().map(|gate| {
            let percent = [gate.low, gate.high].map(|part| 100.0 * part);
            format!("{} {:.1} % {:.1} %", gate.name, percent[0], percent[1])
        });
        let gates = gates.collect::<Vec<_>>().join(", ");
        let name = format!("{} {}", index + 1, of.name);
        let [most, within] = c;
        table.row(vec![
            name,
            format!("{:.3}", of.largest),
            most,
            within,
            gates,
        ]);
    }
    table
}
