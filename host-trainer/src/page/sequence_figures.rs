//! The figures of a run on sequences.

use crate::analysis::seen::PARTS;
use crate::analysis::sequences::{SequenceFindings, Shown};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Look, Series, Strip};
use crate::figure::heat::{self, Palette};
use crate::figure::{Anchor, Color, Figure, Form, fitting, text_width};
use crate::train::curves::loss;
use crate::train::series::options::Task;

/// A chart beside another.
const SIZE: (f64, f64) = (500.0, 330.0);
/// Classes of a picture, at most; lines of a chart, at most.
const CLASSES: usize = 40;
const LINES: usize = 6;

/// Every figure of the report.
pub struct SequenceFigures {
    /// Training and held-out loss.
    pub loss: Option<Figure>,
    /// Accuracy or error to signal while training.
    pub figure: Option<Figure>,
    /// Confusion of classes.
    pub confusion: Option<Figure>,
    /// Found by what is wrongly taken, for each class.
    pub roc: Option<Figure>,
    /// Right answers by the part of a sequence that was heard.
    pub early: Option<Figure>,
    /// Error by step ahead.
    pub ahead: Option<Figure>,
    /// Best, median and worst sequence.
    pub shown: Vec<Figure>,
}

impl SequenceFigures {
    /// The names that figures may have.
    pub const NAMES: [&'static str; 9] = [
        "loss",
        "figure",
        "confusion",
        "roc",
        "part-heard",
        "error-by-step-ahead",
        "sequence-best",
        "sequence-median",
        "sequence-worst",
    ];

    /// Draws all of them.
    pub fn new(findings: &SequenceFindings) -> Self {
        let learning = !findings.metrics.is_empty();
        Self {
            loss: learning.then(|| loss(&findings.metrics, findings.task.terms())),
            figure: learning.then(|| over_epochs(findings)),
            confusion: confusion(findings),
            roc: roc(findings),
            early: early(findings),
            ahead: (findings.task == Task::Forecast).then(|| ahead(findings)),
            shown: findings
                .shown
                .iter()
                .map(|of| sequence(findings, of))
                .collect(),
        }
    }

    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = &Figure> {
        let some = [
            &self.loss,
            &self.figure,
            &self.confusion,
            &self.roc,
            &self.early,
            &self.ahead,
        ];
        some.into_iter().flatten().chain(&self.shown)
    }
}

fn over_epochs(findings: &SequenceFindings) -> Figure {
    let name = findings.task.terms().figure.unwrap_or_default();
    let points = findings
        .metrics
        .iter()
        .filter_map(|m| Some((m.epoch, m.figure?)));
    let line = Series::line("", 1, points).look(Look::Line);
    Chart {
        size: SIZE,
        alt: &format!("The {name} on held-out sequences at each evaluation."),
        ..Chart::of_lines("figure", name, ("epochs", name, Scale::Linear), vec![line])
    }
    .draw()
}

fn confusion(findings: &SequenceFindings) -> Option<Figure> {
    const CELL: f64 = 24.0;
    /// Room for a name.
    const NAME: f64 = 150.0;
    let classes = findings.classes.as_ref()?;
    let n = findings.answers.len();
    if n > CLASSES {
        return None;
    }
    let names = findings
        .answers
        .iter()
        .map(|name| fitting(name, 13.0, NAME));
    let names: Vec<String> = names.collect();
    let longest = names
        .iter()
        .map(|name| text_width(name, 13.0))
        .fold(0.0, f64::max);
    let (left, top, side) = (40.0 + longest, 34.0 + longest, n as f64 * CELL);
    let parts: Vec<f64> = classes
        .confusion
        .chunks_exact(n)
        .flat_map(|row| {
            let sum = row.iter().sum::<u64>();
            row.iter().map(move |&count| match sum {
                0 => f64::NAN,
                sum => count as f64 / sum as f64,
            })
        })
        .collect();
    let mut figure = Figure::new(
        "confusion",
        "Confusion of classes",
        &format!("Confusion of {n} classes, a row each; the table beside it has the numbers."),
        (left + side.max(300.0) + 24.0, top + side + 52.0),
    );
    for (i, name) in names.iter().enumerate() {
        let middle = (i as f64 + 0.5) * CELL;
        let above = top - 9.0 - text_width(name, 13.0) / 2.0;
        figure.turned((left + middle, above), name, 13.0);
        figure.text(
            (left - 8.0, top + middle),
            name,
            13.0,
            Anchor::End,
            Color::Ink,
        );
    }
    heat::cells(
        &mut figure,
        (left, top),
        (CELL, CELL),
        n,
        &parts,
        Palette::PartStretched,
    );
    let at = (left + side / 2.0, 12.0);
    figure.text(at, "taken for", 12.5, Anchor::Middle, Color::Muted);
    figure.turned((14.0, top + side / 2.0), "actual", 12.5);
    let at = (left, top + side + 16.0);
    heat::bar(&mut figure, at, side.max(300.0), Palette::PartStretched);
    Some(figure)
}

/// The curves of at most six classes: those with the smallest areas.
fn roc(findings: &SequenceFindings) -> Option<Figure> {
    let classes = findings.classes.as_ref()?;
    let known = classes.roc.iter().zip(&findings.answers);
    let mut of: Vec<_> = known
        .filter_map(|(roc, name)| Some((roc.area?, roc, name)))
        .collect();
    if of.is_empty() {
        return None;
    }
    of.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = of.len();
    of.truncate(LINES);
    let line = |(color, (area, roc, name)): (usize, &(f64, &_, &String))| {
        let roc: &crate::analysis::roc::Roc = roc;
        let label = format!("{}: {area:.3}", fitting(name, 12.0, 120.0));
        Series::line(&label, color as u8, roc.points.iter().copied())
    };
    let series = of.iter().enumerate().map(line).collect();
    let few = if all > LINES {
        ", of the classes with the smallest areas"
    } else {
        ""
    };
    let figure = Chart {
        size: SIZE,
        alt: &format!(
            "How much of a class is found by how much of the others is taken for it{few}."
        ),
        ..Chart::of_lines(
            "roc",
            "ROC",
            (
                "part of the others taken for it",
                "part of it that is found",
                Scale::Linear,
            ),
            series,
        )
    };
    Some(figure.draw())
}

fn early(findings: &SequenceFindings) -> Option<Figure> {
    let decision = findings.classes.as_ref()?.decision.as_ref()?;
    let points = decision.right.iter().enumerate();
    let points = points.map(|(at, &right)| ((at + 1) as f64 / PARTS as f64, right));
    let line = Series::line("", 0, points).look(Look::Joined(Form::Circle));
    let figure = Chart {
        size: SIZE,
        alt: "Part of the answers that would be right by the part of a sequence that was heard.",
        ..Chart::of_lines(
            "part-heard",
            "Right answers by part heard",
            (
                "part of the sequence that was heard",
                "right",
                Scale::Linear,
            ),
            vec![line],
        )
    };
    Some(figure.draw())
}

/// Of the first column that is forecast.
fn ahead(findings: &SequenceFindings) -> Figure {
    let columns = findings
        .answers
        .iter()
        .filter(|name| name.ends_with("+1"))
        .count()
        .max(1);
    let every = || findings.values.iter().step_by(columns).enumerate();
    let net = every().map(|(at, of)| ((at + 1) as f64, of.rms));
    let stays = every().filter_map(|(at, of)| Some(((at + 1) as f64, of.last_stays?)));
    let series = vec![
        Series::line("the net", 0, net).look(Look::Joined(Form::Circle)),
        Series::line("the last value stays", 1, stays).look(Look::Joined(Form::Square)),
    ];
    Chart {
        size: SIZE,
        alt: "Root of the mean squared error by the steps ahead.",
        ..Chart::of_lines(
            "error-by-step-ahead",
            "Error by step ahead",
            ("steps ahead", "RMS error", Scale::Linear),
            series,
        )
    }
    .draw()
}

/// What the net says over the steps of a sequence.
fn sequence(findings: &SequenceFindings, shown: &Shown) -> Figure {
    let name = match shown.which {
        "best" => "sequence-best",
        "median" => "sequence-median",
        _ => "sequence-worst",
    };
    let line = |label: &str, color, numbers: &[f32]| {
        let points = numbers.iter().enumerate();
        Series::line(label, color, points.map(|(t, &y)| (t as f64, f64::from(y))))
    };
    let short = |name: &str| fitting(name, 12.0, 120.0);
    let mut series = Vec::new();
    let y = if findings.task.is_of_classes() {
        for (k, name) in shown.names.iter().enumerate() {
            series.push(line(&short(name), k as u8, &shown.float[k]));
            if let Some(int8) = shown.int8.get(k) {
                series.push(line("", k as u8, int8).look(Look::Dashed));
            }
        }
        "probability".to_owned()
    } else {
        series.push(line("asked for", 5, &shown.asked));
        for (label, color, numbers, look) in [
            ("f32", 0, &shown.float, Look::Line),
            ("int8", 1, &shown.int8, Look::Dashed),
        ] {
            series.extend(numbers.first().map(|of| line(label, color, of).look(look)));
        }
        shown
            .names
            .first()
            .map_or_else(String::new, |name| short(name))
    };
    let strip = shown.heard.as_ref().map(|heard| Strip {
        label: heard.label,
        rows: heard.width,
        values: &heard.features,
    });
    let (height, above) = match &shown.heard {
        Some(heard) => (
            350.0,
            format!(", below the {} that were heard", heard.label),
        ),
        None => (250.0, String::new()),
    };
    Chart {
        size: (640.0, height),
        strip,
        alt: &format!(
            "{} over the steps of the {} sequence, {}{above}.",
            y, shown.which, shown.line.name
        ),
        ..Chart::of_lines(
            name,
            "Answers over a sequence",
            ("step", &y, Scale::Linear),
            series,
        )
    }
    .draw()
}
