//! What came out of a sweep: the table, front.json and front.png.

use std::path::Path;

use serde_json::{Value, json};

use super::out::say;
use super::table::{Align, Table};
use super::terminal::output_width;
use crate::analysis::pareto::front;
use crate::analysis::sweep::{Budget, COMMON, Job, State};
use crate::data::corpus::Level;
use crate::error::{Error, Result};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Label, Look, Series};
use crate::figure::{Figure, Form, raster};
use crate::files::{self, MADE_BY};
use crate::train::layers::Cell;
use crate::units::{duration, epochs, grouped};

/// What the front is drawn over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Price {
    /// Bytes of the int8 image.
    #[default]
    Flash,
    /// Estimated instructions a token.
    Instructions,
}

/// What a sweep was asked for.
pub(super) struct Sweep<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// What a token is.
    pub(super) level: Level,
    /// Its folder.
    pub(super) out: &'a Path,
    /// What shapes may cost.
    pub(super) budget: Budget,
    /// What the front sets against the loss.
    pub(super) by: Price,
}

const NUMBERS: &str = "front.json";
const PICTURE: &str = "front.png";

/// Checks that the front can be written into a sweep's folder, if that is there.
pub(super) fn check(out: &Path, text: &Path) -> Result<()> {
    for (name, kind) in [
        (NUMBERS, files::FRONT),
        (PICTURE, files::PNG),
        (COMMON, files::SWEEP),
    ] {
        files::check_plain(kind, &out.join(name))?;
        files::check_apart(&out.join(name), &[text])?;
    }
    Ok(())
}

/// Prints the table and writes front.json and front.png.
pub(super) fn show(sweep: &Sweep<'_>, jobs: &[Job]) -> Result<Value> {
    let price = |job: &Job| match sweep.by {
        Price::Flash => job.candidate.flash as f64,
        Price::Instructions => job.candidate.instructions as f64,
    };
    // A net that is still being trained is not on the front: it would be compared too early.
    let points: Vec<(f64, f64)> = jobs
        .iter()
        .map(|job| {
            let done = job.state == State::Done;
            let nats = job.nats.filter(|_| done).unwrap_or(f64::NAN);
            (price(job), nats)
        })
        .collect();
    let on = front(&points);
    let bits = match sweep.level {
        Level::Char => "bits/char",
        Level::Word => "bits/token",
        Level::Byte => "bits/byte",
    };
    let mut table = table(jobs, &on, bits);
    table.fit(&[bits, "time", "epochs"], output_width());
    say(table)?;
    let done = jobs.iter().filter(|job| job.state == State::Done).count();
    let by = match sweep.by {
        Price::Flash => "flash",
        Price::Instructions => "instructions",
    };
    let names: Vec<&str> = jobs
        .iter()
        .zip(&on)
        .filter(|(_, on)| **on)
        .map(|(job, _)| &*job.candidate.name)
        .collect();
    if names.is_empty() {
        say(format!("{done} of {} jobs done; no front yet", jobs.len()))?;
    } else {
        say(format!(
            "{done} of {} jobs done; * on the front of {by} and loss, for a {}: {}",
            jobs.len(),
            sweep.budget.processor.name(),
            names.join(", ")
        ))?;
    }
    let result = json!({
        MADE_BY: "gatelet sweep",
        "text": sweep.text,
        "level": sweep.level,
        "unit": sweep.level.unit(),
        "board": sweep.budget.processor,
        "by": by,
        "max_flash": sweep.budget.flash,
        "max_instructions": sweep.budget.instructions,
        "jobs": jobs,
        "front": names,
    });
    if !sweep.out.is_dir() {
        return Ok(result);
    }
    let path = sweep.out.join(NUMBERS);
    let text = serde_json::to_string_pretty(&result).map_err(|error| Error::Write {
        path: path.clone(),
        source: error.into(),
    })?;
    files::write_as(files::FRONT, &path, (text + "\n").as_bytes())?;
    if !names.is_empty() {
        draw(&sweep.out.join(PICTURE), sweep, jobs, &points, &on)?;
    }
    Ok(result)
}

fn table(jobs: &[Job], on: &[bool], bits: &str) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("", left),
        ("net", left),
        ("int8 bytes", right),
        ("~instructions", right),
        ("nats", right),
        (bits, right),
        ("epochs", right),
        ("time", right),
        ("state", left),
        ("verdict", left),
    ]);
    for (job, &on) in jobs.iter().zip(on) {
        let dash = || "-".to_owned();
        table.row(vec![
            if on { "*" } else { "" }.to_owned(),
            job.candidate.name.clone(),
            grouped(job.candidate.flash),
            grouped(job.candidate.instructions),
            job.nats.map_or_else(dash, |x| format!("{x:.4}")),
            job.nats
                .map_or_else(dash, |x| format!("{:.4}", x / std::f64::consts::LN_2)),
            epochs(job.epochs),
            duration(job.seconds),
            match job.state {
                State::New => "to do",
                State::Begun => "begun",
                State::Done => "done",
            }
            .to_owned(),
            job.verdict.map_or_else(dash, |verdict| verdict.to_string()),
        ]);
    }
    table
}

/// The nets as marks, by kind; those on the front joined by a line.
fn draw(
    path: &Path,
    sweep: &Sweep<'_>,
    jobs: &[Job],
    points: &[(f64, f64)],
    on: &[bool],
) -> Result<()> {
    let bytes = raster::draw(&chart(sweep, jobs, points, on)).map_err(|what| Error::Plot {
        path: path.to_owned(),
        what,
    })?;
    files::write_as(files::PNG, path, &bytes)
}

/// Every net has its mark, and its name where that hides nothing; those on the front always have theirs.
fn chart(sweep: &Sweep<'_>, jobs: &[Job], points: &[(f64, f64)], on: &[bool]) -> Figure {
    let unit = sweep.level.unit();
    let (scale, x) = match sweep.by {
        Price::Flash => (1024.0, "flash of the int8 model, KiB".to_owned()),
        Price::Instructions => (1e3, format!("estimated thousand instructions a {unit}")),
    };
    let nets = || {
        let points = points.iter().map(|&(cost, nats)| (cost / scale, nats));
        jobs.iter()
            .zip(points)
            .zip(on)
            .map(|((a, b), &c)| (a, b, c))
    };
    let mut line: Vec<(f64, f64)> = nets().filter(|net| net.2).map(|net| net.1).collect();
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    let front = "the front: none is smaller and better";
    let mut series = vec![Series::line(front, 2, line).look(Look::Dashed)];
    let kinds = [
        (Cell::Lstm, "LSTM", 0, Form::Circle),
        (Cell::Rnn, "RNN", 1, Form::Square),
        (Cell::Gru, "GRU", 4, Form::Triangle),
    ];
    for (cell, name, color, form) in kinds {
        let of_cell = |net: &(&Job, (f64, f64), bool)| {
            net.0.candidate.shape.cell == cell && net.1.1.is_finite()
        };
        let marks: Vec<(f64, f64)> = nets().filter(of_cell).map(|net| net.1).collect();
        if !marks.is_empty() {
            series.push(Series::line(name, color, marks).look(Look::Marks(form)));
        }
    }
    let labels = nets().map(|(job, at, on)| Label {
        at,
        text: job.candidate.name.clone(),
        needed: on,
    });
    let open = jobs.iter().filter(|job| job.state != State::Done).count();
    let title = match open {
        0 => "Loss against size".to_owned(),
        _ => format!("Loss against size ({open} of {} not done yet)", jobs.len()),
    };
    Chart {
        alt: "Held-out loss of the nets of a sweep against what they cost.",
        size: (760.0, 440.0),
        second: Some((&format!("bits a {unit}"), std::f64::consts::LN_2)),
        labels: labels.collect(),
        ..Chart::of_lines(
            "front",
            &title,
            (&x, &format!("nats a {unit}, held out"), Scale::Linear),
            series,
        )
    }
    .draw()
}
