//! What a run measured while it trained, as charts: in the run folder and in the report, the same.

use std::f64::consts::LN_2;
use std::path::Path;

use crate::error::{Error, Result};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Look, Series};
use crate::figure::{Figure, Form, raster};
use crate::files;
use crate::train::run::Metrics;
use crate::train::terms::Terms;
use crate::units::decimals;

/// A chart beside text or another chart.
const SIZE: (f64, f64) = (500.0, 330.0);
/// A smaller one.
const LOW: (f64, f64) = (500.0, 230.0);

/// Draws `loss.png` from the lines of `metrics.jsonl`; with none there is nothing to draw yet.
///
/// # Errors
/// [`Error::Plot`], [`Error::Output`] or [`Error::Write`].
pub fn write_loss(path: &Path, metrics: &[Metrics], terms: Terms) -> Result<()> {
    if metrics.is_empty() {
        return Ok(());
    }
    let png = raster::draw(&loss(metrics, terms)).map_err(|what| Error::Plot {
        path: path.to_owned(),
        what,
    })?;
    files::write_as(files::PNG, path, &png)
}

/// What was trained on, with the power of ten that keeps numbers short.
fn scale(metrics: &[Metrics]) -> (f64, &'static str) {
    match metrics.last().map_or(0, |m| m.characters) {
        2_000_000.. => (1e6, "million "),
        2_000.. => (1e3, "thousand "),
        _ => (1.0, ""),
    }
}

/// What stands below the x axis.
fn below(metrics: &[Metrics], terms: Terms) -> String {
    format!("{}{}s trained on", scale(metrics).1, terms.unit)
}

fn curve(metrics: &[Metrics], label: &str, color: u8, of: impl Fn(&Metrics) -> f64) -> Series {
    let (scale, _) = scale(metrics);
    let points = metrics.iter().map(|m| (m.characters as f64 / scale, of(m)));
    Series::line(label, color, points)
}

/// Training and held-out loss, with the best evaluation marked.
pub fn loss(metrics: &[Metrics], terms: Terms) -> Figure {
    let (scale, x) = (scale(metrics).0, below(metrics, terms));
    let Terms {
        unit, loss, figure, ..
    } = terms;
    let y = match loss {
        "" => "loss".to_owned(),
        loss => format!("{loss} a {unit}"),
    };
    let best = metrics
        .iter()
        .filter(|m| m.valid_nats.is_finite())
        .min_by(|a, b| a.valid_nats.total_cmp(&b.valid_nats));
    let mut series = vec![
        curve(metrics, "training", 0, |m| m.train_nats).look(Look::Dashed),
        curve(metrics, "held out", 1, |m| m.valid_nats),
    ];
    let bits = format!("bits a {unit}");
    let mut alt = "Loss while training: no finite loss was measured.".to_owned();
    if let (Some(first), Some(best)) = (metrics.first(), best) {
        let nats = decimals(best.valid_nats, 3);
        let point = (best.characters as f64 / scale, best.valid_nats);
        series.push(
            Series::line(format!("best: {nats} {loss}").trim_end(), 1, [point])
                .look(Look::Marks(Form::Circle)),
        );
        alt = format!(
            "Loss while training: the held-out loss goes from {} to {nats}, {y}.",
            decimals(first.valid_nats, 3)
        );
    }
    Chart {
        alt: &alt,
        size: SIZE,
        second: figure.is_none().then_some((bits.as_str(), LN_2)),
        ..Chart::of_lines(
            "loss",
            "Loss while training",
            (&x, &y, Scale::Linear),
            series,
        )
    }
    .draw()
}

/// Norm of the gradient.
pub fn norm(metrics: &[Metrics], terms: Terms) -> Figure {
    Chart {
        alt: "Global norm of the gradient at each evaluation, before clipping.",
        size: LOW,
        ..Chart::of_lines(
            "gradient-norm",
            "Gradient norm while training",
            (&below(metrics, terms), "gradient norm", Scale::Linear),
            vec![curve(metrics, "", 0, |m| m.gradient_norm)],
        )
    }
    .draw()
}

/// Learning rate.
pub fn rate(metrics: &[Metrics], terms: Terms) -> Figure {
    Chart {
        alt: "Learning rate at each evaluation.",
        size: LOW,
        ..Chart::of_lines(
            "learning-rate",
            "Learning rate",
            (
                &below(metrics, terms),
                "learning rate × 1000",
                Scale::Linear,
            ),
            vec![curve(metrics, "", 2, |m| 1e3 * m.lr)],
        )
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Item;

    const TEXT: Terms = Terms {
        unit: "character",
        loss: "nats",
        figure: None,
    };

    fn line(step: u64, train_nats: f64, valid_nats: f64) -> Metrics {
        Metrics {
            epoch: 1.0,
            step,
            characters: step * 1000,
            train_nats,
            valid_nats,
            valid_bpc: 0.0,
            figure: None,
            best: false,
            lr: 0.0,
            gradient_norm: 0.0,
            seconds: 0.0,
            characters_per_second: 0.0,
        }
    }

    #[test]
    fn a_png_is_written_and_nothing_before_there_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loss.png");
        write_loss(&path, &[], TEXT).unwrap();
        assert!(!path.exists());
        let lines = [
            line(1, 2.0, 2.1),
            line(2, 1.0, 1.5),
            line(3, f64::NAN, 1.6),
            line(4, 1e308, 1.7e308),
        ];
        for count in 1..=4 {
            write_loss(&path, &lines[..count], TEXT).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(b"\x89PNG"));
        }
    }

    /// Legend, then plot; the two curves of one evaluation are marks of their own.
    #[test]
    fn the_best_is_marked_as_the_legend_says() {
        let marks = |metrics: &[Metrics]| -> Vec<Item> {
            let figure = loss(metrics, TEXT);
            let mark = |item: &Item| matches!(item, Item::Mark { .. });
            figure.items.into_iter().filter(mark).collect()
        };
        assert_eq!(marks(&[line(1, 2.0, 2.1), line(2, 1.0, 1.5)]).len(), 2);
        assert_eq!(marks(&[line(1, 2.0, 2.1)]).len(), 4);
        assert_eq!(marks(&[line(1, f64::NAN, 2.1)]).len(), 3);
    }
}
