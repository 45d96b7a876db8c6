//! The curves of several runs in one picture.

use super::row::Row;
use crate::figure::Figure;
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Look, Series};
use crate::train::run::Metrics;
use crate::train::runs::Run;
use crate::units::capital;

/// Colours, each of which has a line and a broken line.
const COLORS: usize = 6;

/// What is held out at each evaluation, by epoch: the loss of texts, the figure of sequences. Of
/// more runs than there are lines to tell apart the best are drawn.
pub(super) fn draw(runs: &[(&Run, &Row)]) -> Figure {
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by(|&a, &b| runs[a].1.rank().total_cmp(&runs[b].1.rank()));
    order.truncate(2 * COLORS);
    order.sort_unstable();
    let figure = runs.first().and_then(|(_, row)| row.task);
    let figure = figure.and_then(|task| task.terms().figure);
    let of = |m: &Metrics| match figure {
        Some(_) => m.figure.unwrap_or(f64::NAN),
        None => m.valid_nats,
    };
    let series = order.iter().enumerate().map(|(line, &at)| {
        let (run, row) = runs[at];
        let points = run.metrics.iter().map(|m| (m.epoch, of(m)));
        let drawn = Series::line(&row.name, (line % COLORS) as u8, points);
        match line < COLORS {
            true => drawn,
            false => drawn.look(Look::Dashed),
        }
    });
    let series = series.collect();
    let y = match figure {
        Some(figure) => format!("{figure}, held out"),
        None => "nats, held out".to_owned(),
    };
    let title = match (figure, order.len() < runs.len()) {
        (Some(figure), false) => format!("{} while training", capital(figure)),
        (None, false) => "Held-out loss while training".to_owned(),
        (_, true) => format!("The best {} of {} runs", order.len(), runs.len()),
    };
    Chart {
        alt: &format!("{y}, of several runs at each of their evaluations."),
        ..Chart::of_lines("compare", &title, ("epochs", &y, Scale::Linear), series)
    }
    .draw()
}
