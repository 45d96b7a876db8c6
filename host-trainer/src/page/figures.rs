//! The figures of the report: what of the findings goes where.

use crate::analysis::findings::{Findings, Reach};
use crate::analysis::gates::{Activity, Panel};
use crate::figure::axis::Scale;
use crate::figure::chart::{Chart, Look, Series};
use crate::figure::heat::{self, Palette};
use crate::figure::{Anchor, Color, Figure, text_width, visible};
use crate::train::curves::{loss, norm, rate};
use crate::train::run::Metrics;
use crate::train::terms::Terms;

/// A chart beside a table.
const TALL: (f64, f64) = (500.0, 400.0);
/// Rows of the heat map's cells, in pixels.
const ROW: f64 = 5.0;
/// A column of the heat map, in pixels.
const COLUMN: f64 = 12.0;

/// Every figure of the report.
pub struct Figures {
    /// Training and held-out loss.
    pub loss: Option<Figure>,
    /// Norm of the gradient while training.
    pub norm: Option<Figure>,
    /// Learning rate.
    pub rate: Option<Figure>,
    /// Gradient norm by lag.
    pub lag: Figure,
    /// Gates over a text.
    pub gates: Figure,
    /// Confusion among frequent tokens.
    pub confusion: Figure,
}

impl Figures {
    /// Draws all of them.
    pub fn new(findings: &Findings) -> Self {
        let learning = !findings.metrics.is_empty();
        let terms = Terms {
            unit: findings.unit,
            loss: "nats",
            figure: None,
        };
        let curve = |draw: fn(&[Metrics], Terms) -> Figure| {
            learning.then(|| draw(&findings.metrics, terms))
        };
        Self {
            loss: curve(loss),
            norm: curve(norm),
            rate: curve(rate),
            lag: lag(&findings.reach),
            gates: gates(&findings.activity),
            confusion: confusion(findings),
        }
    }

    /// Those that there are.
    pub fn all(&self) -> impl Iterator<Item = &Figure> {
        let curves = [&self.loss, &self.norm, &self.rate];
        curves
            .into_iter()
            .flatten()
            .chain([&self.lag, &self.gates, &self.confusion])
    }
}

/// LSTMs are blue, RNNs vermilion and GRUs orange, untrained nets dashed; another run's net is green, this net's memory purple.
fn lag(reach: &[Reach]) -> Figure {
    let line = |label: &str, norms: &[f64], color, look| {
        let points = norms.iter().enumerate();
        Series::line(label, color, points.map(|(k, &norm)| (k as f64, norm))).look(look)
    };
    let of_cell = |cell: &str| match cell {
        "rnn" => 1,
        "gru" => 4,
        // An LSTM, and a net of several cells, which has its name beside it.
        _ => 0,
    };
    let mut series = Vec::new();
    for (index, reach) in reach.iter().enumerate() {
        let color = if index > 0 && reach.trained {
            2
        } else {
            of_cell(&reach.cell)
        };
        let look = if reach.trained {
            Look::Line
        } else {
            Look::Dashed
        };
        series.push(line(&reach.name, &reach.lags.h, color, look));
        if index == 0 && !reach.lags.c.is_empty() {
            series.push(line("its cell state", &reach.lags.c, 3, Look::Line));
        }
    }
    let parts: Vec<String> = reach
        .iter()
        .map(|r| {
            let far = r.lags.h.len().saturating_sub(1);
            format!(
                "{}: from {:.2e} at lag 0 to {:.2e} at lag {far}",
                r.name,
                r.lags.h.first().unwrap_or(&0.0),
                r.lags.h.last().unwrap_or(&0.0)
            )
        })
        .collect();
    Chart {
        alt: &format!("Gradient norm by time lag. {}.", parts.join("; ")),
        size: TALL,
        ..Chart::of_lines(
            "gradient-by-lag",
            "Gradient norm by time lag",
            (
                "time lag k, in steps",
                "mean norm of ∂loss(T) / ∂h(T−k)",
                Scale::Log,
            ),
            series,
        )
    }
    .draw()
}

/// Colours of a panel: gates are open or closed, the others have a sign.
fn palette(panel: &Panel) -> Palette {
    match panel.name {
        "i" | "f" | "o" | "r" | "z" => Palette::Part,
        "c" => Palette::Signed(
            panel
                .values
                .iter()
                .fold(1.0, |most: f64, x| most.max(x.abs())),
        ),
        _ => Palette::Signed(1.0),
    }
}

/// Heat maps of the gates over a text. The names of words read upwards below their columns.
pub fn gates(activity: &Activity) -> Figure {
    const LEFT: f64 = 64.0;
    const HEAD: f64 = 24.0;
    const BAR: f64 = 170.0;
    let (columns, rows) = (activity.text.len(), activity.units.len());
    let letters = |name: &String| name.chars().count();
    let words = activity.text.iter().map(letters).max().unwrap_or(0) > 1;
    let (column_width, row_height) = if words { (22.0, 14.0) } else { (COLUMN, ROW) };
    let lengths = activity.text.iter().map(|name| text_width(name, 11.0));
    let foot = if words {
        lengths.fold(0.0, f64::max) + 24.0
    } else {
        38.0
    };
    // Room for the headings of a short text too.
    let wide = (columns as f64 * column_width).max(430.0);
    let size = (
        LEFT + wide + 14.0,
        activity.panels.len() as f64 * (HEAD + rows as f64 * row_height + foot) + 4.0,
    );
    let text = activity.text.join(if words { " " } else { "" });
    let token = if words { "words" } else { "characters" };
    let mut figure = Figure::new(
        "gates",
        &format!("Gates of layer {} over a text", activity.layer + 1),
        &format!(
            "Heat maps of {} for {rows} units, a column for each of the {columns} {token} of the text {text:?}.",
            activity
                .panels
                .iter()
                .map(|p| p.name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        size,
    );
    let mut top = 2.0;
    for panel in &activity.panels {
        let colors = palette(panel);
        figure.text(
            (LEFT, top + 10.0),
            format!("{}   {}", panel.name, panel.what),
            13.0,
            Anchor::Start,
            Color::Ink,
        );
        heat::bar(
            &mut figure,
            (LEFT + wide - BAR, top + 4.0),
            BAR - 12.0,
            colors,
        );
        let at = (LEFT, top + HEAD + 6.0);
        heat::cells(
            &mut figure,
            at,
            (column_width, row_height),
            columns,
            &panel.values,
            colors,
        );
        let bottom = at.1 + rows as f64 * row_height;
        for (column, name) in activity.text.iter().enumerate() {
            let x = at.0 + (column as f64 + 0.5) * column_width;
            if words {
                let middle = bottom + 6.0 + text_width(name, 11.0) / 2.0;
                figure.turned((x, middle), &**name, 11.0);
                continue;
            }
            figure.text(
                (x, bottom + 10.0),
                name.chars().map(visible).collect::<String>(),
                11.0,
                Anchor::Middle,
                Color::Ink,
            );
        }
        // Unit numbers: as many as there is room for.
        let every = if words { 1 } else { 3 };
        for (row, unit) in activity.units.iter().enumerate().step_by(every) {
            let y = at.1 + (row as f64 + 0.5) * row_height;
            figure.text(
                (LEFT - 6.0, y),
                unit.to_string(),
                9.5,
                Anchor::End,
                Color::Muted,
            );
        }
        figure.turned((12.0, at.1 + rows as f64 * row_height / 2.0), "unit", 12.0);
        top += HEAD + rows as f64 * row_height + foot;
    }
    figure
}

fn confusion(findings: &Findings) -> Figure {
    const CELL: f64 = 20.0;
    let confusion = &findings.confusion;
    let n = confusion.tokens.len();
    let shown = |name: &String| name.chars().map(visible).collect::<String>();
    let names: Vec<String> = confusion.tokens.iter().map(shown).collect();
    // The names of words read upwards above their columns.
    let words = names.iter().any(|name| name.chars().count() > 1);
    let longest = names.iter().map(|name| text_width(name, 13.0));
    let longest = longest.fold(0.0, f64::max);
    let (left, top) = match words {
        true => (40.0 + longest, 34.0 + longest),
        false => (56.0, 50.0),
    };
    let (width, height) = ((n + 1) as f64 * CELL, n as f64 * CELL);
    let right: Vec<String> = confusion
        .tokens
        .iter()
        .enumerate()
        .take(3)
        .map(|(i, c)| format!("{:?} {:.0} %", c, 100.0 * confusion.parts[i * (n + 2)]))
        .collect();
    let mut figure = Figure::new(
        "confusion",
        &format!("Confusion among frequent {}s", findings.unit),
        &format!(
            "Confusion among the {n} most frequent {}s, a row each. Predicted rightly: {}, and so on.",
            findings.unit,
            right.join(", ")
        ),
        (left + width.max(300.0) + 24.0, top + height + 52.0),
    );
    let label = |figure: &mut Figure, at, text: String, anchor| {
        figure.text(at, text, 13.0, anchor, Color::Ink);
    };
    for (i, shown) in names.into_iter().enumerate() {
        let middle = (i as f64 + 0.5) * CELL;
        if words {
            let above = top - 9.0 - text_width(&shown, 13.0) / 2.0;
            figure.turned((left + middle, above), &*shown, 13.0);
            let at = (left - 8.0, top + middle);
            label(&mut figure, at, shown, Anchor::End);
            continue;
        }
        label(
            &mut figure,
            (left - 8.0, top + middle),
            shown.clone(),
            Anchor::End,
        );
        label(
            &mut figure,
            (left + middle, top - 11.0),
            shown,
            Anchor::Middle,
        );
    }
    let rest = left + (n as f64 + 0.5) * CELL;
    label(
        &mut figure,
        (rest, top - 11.0),
        "…".to_owned(),
        Anchor::Middle,
    );
    heat::cells(
        &mut figure,
        (left, top),
        (CELL, CELL),
        n + 1,
        &confusion.parts,
        Palette::PartStretched,
    );
    figure.text(
        (left + width / 2.0, 14.0),
        "predicted (…: any other)",
        12.5,
        Anchor::Middle,
        Color::Muted,
    );
    figure.turned((14.0, top + height / 2.0), "actual", 12.5);
    heat::bar(
        &mut figure,
        (left, top + height + 16.0),
        width.max(300.0),
        Palette::PartStretched,
    );
    figure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Item;

    fn activity(text: &[&str]) -> Activity {
        Activity {
            text: text.iter().map(ToString::to_string).collect(),
            layer: 0,
            cell: "lstm",
            units: vec![3, 1],
            panels: vec![Panel {
                name: "f",
                what: "forget gate",
                values: vec![0.5; 2 * text.len()],
            }],
        }
    }

    #[test]
    fn words_read_upwards_inside_the_picture_and_characters_stand() {
        let long = ["Lynda", "extraordinarily", "."];
        for (text, turns) in [(&long[..], true), (&["a", " ", "b"], false)] {
            let figure = gates(&activity(text));
            let texts = figure.items.iter().filter_map(|item| match item {
                Item::Text {
                    at, text, turned, ..
                } => Some((at.1, &**text, *turned)),
                _ => None,
            });
            let texts: Vec<_> = texts.collect();
            let shown = if turns { "extraordinarily" } else { "␣" };
            let found = texts.iter().find(|found| found.1 == shown);
            let &(y, name, turned) = found.expect("a column's name");
            assert_eq!(turned, turns, "{name}");
            let half = if turns {
                text_width(name, 11.0) / 2.0
            } else {
                6.0
            };
            assert!(y + half < figure.size.1, "{name} ends at {}", y + half);
            assert!(
                figure
                    .alt
                    .contains(if turns { "3 words" } else { "3 characters" })
            );
        }
    }
}
