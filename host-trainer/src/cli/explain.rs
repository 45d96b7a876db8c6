//! `gatelet explain`.

pub(super) mod net;

use std::path::Path;

use super::export::{split, text_of};
use super::out::{say, say_json};
use super::progress::ReadingBar;
use super::stream::{Folder, Input, Reads};
use crate::analysis::explain::{Explanation, Line, explain};
use crate::data::corpus::Reading;
use crate::error::{Error, Result};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Label, Look, Series};
use crate::figure::{Form, save_apart};
use crate::units::grouped;

/// Held-out characters that are read, at most: each part is evaluated twice.
const HELD_OUT: usize = 50_000;
/// Losses nearer to zero than this are drawn on a linear piece of the axis, on their own side of zero.
const LEAST: f64 = 1e-5;

/// Say where the bytes and the loss of a model come from, part by part, in f32, int8 and with 4-bit weights.
///
/// The loss of a part is what rounding it alone costs on held-out text, before any training for it (`train --qat`).
///
/// Of a net without a vocabulary it says what each operation takes, also in instructions; with --calibrate what
/// rounding it costs at the outputs, and with --input how large its numbers get and how often gates are at their ends.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatelet explain runs/novels/best.safetensors --plot runs/novels\n  \
                  gatelet explain net.safetensors --calibrate x.npy --input y.npy"
)]
pub(super) struct Args {
    /// Checkpoint of a run, or of a net that was imported
    checkpoint: Input,
    #[command(flatten)]
    data: net::Files,
    /// Text whose held-out part is read [default: the one of the training run]
    #[arg(long, value_name = "FILE")]
    text: Option<Input>,
    #[command(flatten)]
    reads: Reads,
    /// Write explain.png and explain.svg into this folder, replacing those of an earlier call
    #[arg(long, value_name = "DIR")]
    plot: Option<Folder>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = args.checkpoint.any_model()?;
    let Some(checkpoint) = &any.checkpoint else {
        return Err(Error::NeedsCheckpoint {
            path: args.checkpoint.path().to_owned(),
            needs: "explain",
        });
    };
    if checkpoint.vocab.is_none() {
        let asked = net::Asked {
            data: &args.data,
            text: args.text.is_some(),
            plot: args.plot.is_some(),
            json: args.json,
        };
        return net::run(args.checkpoint.path(), (&any, checkpoint), asked);
    }
    args.data.refuse()?;
    let (text, expected) = text_of(args.text.as_ref(), args.reads, checkpoint)?;
    let bar = ReadingBar::new(&text);
    let progress = |bytes| bar.set(bytes);
    let (rules, vocab) = (
        checkpoint.config()?.rules(),
        checkpoint.vocabulary()?.clone(),
    );
    let tokens = Reading::new(&text, rules, vocab, &progress);
    let split = split(&tokens, expected, checkpoint)?;
    let found = explain(
        checkpoint,
        args.checkpoint.path(),
        (&tokens, split),
        HELD_OUT,
    )?;
    bar.clear();
    show(&found, checkpoint.vocabulary()?.level().unit())?;
    if let Some(folder) = &args.plot {
        let path = save_apart(
            &chart(&found).draw(),
            folder,
            &[args.checkpoint.path(), Path::new(&text.name)],
        )?;
        say(format!("{}", path.display()))?;
    }
    if args.json {
        say_json(serde_json::to_value(&found).unwrap_or_default())?;
    }
    Ok(())
}

fn show(found: &Explanation, unit: &str) -> Result<()> {
    say(format!(
        "{:<20} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "", "bytes, f32", "int8", "4 bits", "nats, int8", "4 bits"
    ))?;
    let loss =
        |loss: Option<f64>| loss.map_or_else(|| "-".to_owned(), |nats| format!("{nats:+.4}"));
    for line in &found.lines {
        let [a, b, c] = line.bytes.map(|bytes| match bytes {
            0 => "-".to_owned(),
            bytes => grouped(bytes),
        });
        let [d, e] = line.loss.map(loss);
        say(format!(
            "{:<20} {a:>12} {b:>12} {c:>12} {d:>12} {e:>12}",
            line.name
        ))?;
    }
    let [a, b, c] = found.bytes.map(grouped);
    let [whole, eight, four] = found.nats;
    say(format!(
        "{:<20} {a:>12} {b:>12} {c:>12} {:>12} {:>12}",
        "all",
        loss(Some(eight - whole)),
        loss(Some(four - whole))
    ))?;
    say(format!(
        "nats a {unit}, over {} held-out {unit}s: f32 {whole:.4}, int8 {eight:.4}, 4 bits {four:.4} (before training for them)",
        grouped(found.tokens)
    ))
}

/// Bytes against loss: what is far to the right and low wants fewer bits. Each part of the image has two marks, in int8
/// and in 4 bits, and one name; where both are at one place, one is around the other.
fn chart(found: &Explanation) -> Chart<'static> {
    let point = |line: &Line, image: usize| {
        let kib = line.bytes[image] as f64 / 1024.0;
        let loss = line.loss[image - 1]?;
        (line.bytes[image] > 0).then_some((kib, loss))
    };
    let series = |name: &str, color: u8, form: Form, image: usize| {
        let points = found.lines.iter().filter_map(|line| point(line, image));
        Series::line(name, color, points).look(Look::Marks(form))
    };
    let labels = [1, 2].into_iter().flat_map(|image| {
        found.lines.iter().filter_map(move |line| {
            let at = point(line, image)?;
            // The same place twice has one name.
            let again = image == 2 && line.bytes[2] == line.bytes[1];
            let text = line.name.clone();
            (!again).then_some(Label {
                at,
                text,
                needed: true,
            })
        })
    });
    Chart {
        alt: "A mark for each part of the model in int8 and in 4 bits: bytes to the right, loss of rounding it upwards.",
        labels: labels.collect(),
        size: (720.0, 420.0),
        level: Some((0.0, "no loss")),
        ..Chart::of_lines(
            "explain",
            "What each part takes, and what rounding it alone costs",
            (
                "KiB of the part",
                "nats above f32",
                Scale::AroundZero(LEAST),
            ),
            vec![
                series("int8", 0, Form::Circle, 1),
                series("4 bits", 1, Form::Square, 2),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Item;

    #[test]
    fn every_part_with_a_loss_is_drawn_and_named_also_where_rounding_helps() {
        let line = |name: &str, bytes, loss| Line {
            name: name.to_owned(),
            bytes,
            loss,
        };
        let found = Explanation {
            lines: vec![
                line("a", [400, 100, 60], [Some(-2e-5), Some(3e-3)]),
                line("b", [400, 100, 100], [Some(0.0), Some(0.0)]),
                line("c", [400, 99, 61], [Some(1e-5), Some(3e-3)]),
                line("rest", [0; 3], [Some(0.1); 2]),
                line("header", [9; 3], [None; 2]),
            ],
            bytes: [1200; 3],
            nats: [1.0; 3],
            tokens: 100,
        };
        let figure = chart(&found).draw();
        let marks = figure.items.iter().filter_map(|item| match item {
            Item::Mark { at, color, .. } => Some((*at, *color)),
            _ => None,
        });
        let marks: Vec<_> = marks.collect();
        assert_eq!(marks.len(), 2 + 6, "two in the legend");
        let int8: Vec<f64> = marks[2..5].iter().map(|mark| mark.0.1).collect();
        assert!(int8.is_sorted_by(|a, b| a > b), "{int8:?}");
        let named = |name: &str| {
            let text = |item: &&Item| matches!(item, Item::Text { text, .. } if text == name);
            figure.items.iter().filter(text).count()
        };
        assert_eq!(["a", "b", "c", "rest"].map(named), [2, 1, 2, 0]);
    }
}
