//! The picture of a sweep: how good nets are against what they cost.

use std::path::Path;

use super::asked::{Price, Sweep};
use crate::analysis::sweep::{Job, State};
use crate::error::{Error, Result};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Label, Look, Series};
use crate::figure::{Figure, Form, raster};
use crate::files;
use crate::train::layers::Cell;
use crate::units::capital;

/// The nets as marks, by kind; those on the front joined by a line.
pub(super) fn draw(
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

/// Every net has its mark, and its name where that hides nothing; those on the front always have
/// theirs.
fn chart(sweep: &Sweep<'_>, jobs: &[Job], points: &[(f64, f64)], on: &[bool]) -> Figure {
    let (unit, task) = (sweep.learnt.step(), sweep.learnt.task());
    let (scale, x) = match sweep.by {
        Price::Flash => (1024.0, "flash of the int8 model, KiB".to_owned()),
        Price::Instructions => (1e3, format!("estimated thousand instructions a {unit}")),
    };
    // A loss is drawn as it is; of answers the figure, which may be better when it is higher.
    let drawn = |loss: f64| task.map_or(loss, |task| task.figure(loss));
    let nets = || {
        let points = points.iter();
        let points = points.map(|&(cost, loss)| (cost / scale, drawn(loss)));
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
    let figure = task.and_then(|task| task.terms().figure);
    let what = figure.map_or_else(|| "Loss".to_owned(), capital);
    let y = match figure {
        Some(figure) => format!("{figure} in int8, held out"),
        None => format!("nats a {unit}, held out"),
    };
    let open = jobs.iter().filter(|job| job.state != State::Done).count();
    let title = match open {
        0 => format!("{what} against size"),
        _ => format!(
            "{what} against size ({open} of {} not done yet)",
            jobs.len()
        ),
    };
    let bits = format!("bits a {unit}");
    Chart {
        alt: &format!("{what} of the nets of a sweep, held out, against what they cost."),
        size: (760.0, 440.0),
        second: figure.is_none().then_some((&bits, std::f64::consts::LN_2)),
        labels: labels.collect(),
        ..Chart::of_lines("front", &title, (&x, &y, Scale::Linear), series)
    }
    .draw()
}
