//! `gatelet run`.

use serde_json::json;

use super::out::{say, say_json};
use super::sequences::{self, interface};
use super::stream::Input;
use super::table::{Align, Table};
use crate::error::Result;
use crate::isa::{isa, isa_named};
use crate::stream;

/// Run a net over a sequence, step by step, as a board does.
///
/// The state is carried from step to step, and begins as the net says.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A FILE is .npy, .csv or .wav: a step a row, or a frame.\n\
Examples:\n  gatelet run net.safetensors --input x.npy --output y.npy\n  \
gatelet run amplifier.gatelet --input guitar.wav --output amplified.wav\n  \
gatelet run noise.safetensors --input bands=x.npy --output gains=g.npy --output voice=v.csv"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// What the net is given; NAME=FILE for one of several inputs
    #[arg(long, value_name = "[NAME=]FILE", required = true)]
    input: Vec<String>,
    /// Where its outputs go, all side by side; NAME=FILE for one of several; - is standard output, as rows of text
    #[arg(long, value_name = "[NAME=]FILE")]
    output: Vec<String>,
    /// Kernel to use [default: GATELET_ISA, or the fastest of this machine]
    #[arg(long, value_name = "NAME", alias = "isa")]
    kernel: Option<String>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let isa = match &args.kernel {
        None => isa()?,
        Some(name) => isa_named(name)?,
    };
    let any = args.model.any_model_for(isa)?;
    let names = interface(&any);
    let mut read = sequences::paths(&args.input, &names.inputs);
    read.push(args.model.path().to_owned());
    let files = sequences::outputs(&args.output, &names.outputs, (args.force, &read))?;
    let input = sequences::input("input", &args.input, &names)?;
    let softmaxed: Vec<bool> = names.outputs.iter().map(|output| output.softmax).collect();
    let outputs = stream::run(any.model(), isa, &input, &softmaxed)?;
    for file in &files {
        file.write(&outputs)?;
    }
    if args.json {
        let each = names.outputs.iter().zip(&outputs);
        let each = each.map(|(named, of)| json!({ "name": named.name, "width": of.width }));
        let each: Vec<_> = each.collect();
        return say_json(json!({ "steps": input.len(), "outputs": each, "kernel": isa.name() }));
    }
    say(format!(
        "{} steps of {} numbers, kernel {}",
        input.len(),
        input.width,
        isa.name()
    ))?;
    let columns = ["least", "mean", "largest", "last step"];
    let mut heading = vec![("output", Align::Left), ("numbers", Align::Right)];
    heading.extend(columns.map(|name| (name, Align::Right)));
    let mut table = Table::new(&heading);
    for (named, of) in names.outputs.iter().zip(&outputs) {
        let numbers = of.numbers.iter().copied();
        let sum: f64 = numbers.clone().map(f64::from).sum();
        let shown = |x: f32| format!("{x:.4}");
        let last = of.steps().last().unwrap_or(&[]);
        let few: Vec<String> = last.iter().take(4).map(|x| shown(*x)).collect();
        let more = if last.len() > few.len() { " .." } else { "" };
        table.row(vec![
            named.name.clone(),
            of.width.to_string(),
            shown(numbers.clone().fold(f32::INFINITY, f32::min)),
            shown((sum / of.numbers.len().max(1) as f64) as f32),
            shown(numbers.fold(f32::NEG_INFINITY, f32::max)),
            format!("{}{more}", few.join(" ")),
        ]);
    }
    say(table)?;
    for file in &files {
        say(format!("wrote {}", file.path().display()))?;
    }
    Ok(())
}
