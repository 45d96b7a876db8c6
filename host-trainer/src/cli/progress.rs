//! What is shown while training: a bar on a terminal, one line an evaluation elsewhere.

use std::f64::consts::LN_2;
use std::io::{self, IsTerminal};

use gatelet::visible;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::note;
use super::terminal::{Field, fitting, width, wrapped};
use crate::data::corpus::Text;
use crate::train::run::Metrics;
use crate::train::terms::Terms;
use crate::train::{Observer, Position};
use crate::units::{decimals, duration, epochs, grouped};

/// Ticks of the whole bar.
const TICKS: u64 = 10_000;
/// Weight of the newest window in the smoothed loss.
const SMOOTHING: f64 = 0.02;

/// Columns from which on there is room for a bar beside the numbers, and what it takes.
const ROOM: usize = 50;
const BAR: usize = 22;
/// What stands before the message without a bar.
const PERCENT: usize = 7;
/// Columns where the terminal does not say how many it has.
const USUAL: usize = 80;

/// The bar with its percentage, or the percentage alone.
fn style(wide: bool) -> ProgressStyle {
    let template = match wide {
        true => "{bar:14.cyan/blue} {percent:>3} %  {msg}",
        false => "{percent:>3} %  {msg}",
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// Shows the progress of a run on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    wide: bool,
    quiet: bool,
    nats: Option<f64>,
    terms: Terms,
    started_at: (u64, f64),
}

impl Progress {
    /// For a run that stands at `position`, whose numbers are called so.
    pub(super) fn new(quiet: bool, position: &Position, terms: Terms) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            ProgressBar::with_draw_target(Some(TICKS), ProgressDrawTarget::stderr_with_hz(10))
                .with_style(style(true))
        });
        Self {
            bar,
            wide: true,
            quiet,
            nats: None,
            terms,
            started_at: (position.characters, position.seconds),
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// A line above the bar, or on its own.
    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(visible::text(line).to_string()),
            None => note(line),
        }
    }
}

/// Shows how far a long text is read, on a terminal; it goes when it is dropped.
pub(super) struct ReadingBar(Option<ProgressBar>);

impl ReadingBar {
    /// Texts below this size are read before anybody would look.
    const LONG: u64 = 256 << 10;

    /// For one text, read once or several times.
    pub(super) fn new(text: &Text) -> Self {
        let shown = text.bytes() >= Self::LONG && io::stderr().is_terminal();
        Self(shown.then(|| {
            let template = match width().unwrap_or(USUAL) {
                ROOM.. => {
                    "{bar:14.cyan/blue} {percent:>3} %  {binary_bytes} of {binary_total_bytes} read"
                }
                _ => "{percent:>3} %  {binary_total_bytes}",
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            let target = ProgressDrawTarget::stderr_with_hz(10);
            ProgressBar::with_draw_target(Some(text.bytes()), target).with_style(style)
        }))
    }

    /// Takes it off the terminal.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }

    /// So many bytes are read.
    pub(super) fn set(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What stands beside the bar: loss in nats, time left, bits, speed.
fn status(nats: f64, rate: f64, left: f64, terms: Terms) -> Vec<Field> {
    let bits = format!("{} bits", decimals(nats / LN_2, 3));
    let mut fields = vec![(0, format!("loss {}", decimals(nats, 3)))];
    fields.extend(terms.figure.is_none().then_some((2, bits)));
    fields.extend([
        (3, format!("{}/s", grouped(rate.round() as u64))),
        (1, format!("{} left", duration(left))),
    ]);
    fields
}

/// One line for an evaluation.
fn summary(m: &Metrics, terms: Terms) -> Vec<Field> {
    let best = if m.best { "best" } else { "" };
    let held_out = format!("held out {} {}", decimals(m.valid_nats, 4), terms.loss);
    let measure = match (terms.figure, m.figure) {
        (Some(name), Some(figure)) => (0, format!("{name} {}", decimals(figure, 4))),
        _ => (3, format!("{} bits", decimals(m.valid_bpc, 3))),
    };
    vec![
        (0, format!("epoch {:>5}", epochs(m.epoch))),
        (2, format!("train {}", decimals(m.train_nats, 4))),
        (0, held_out.trim_end().to_owned()),
        measure,
        (4, format!("{:>11}", duration(m.seconds))),
        (1, best.to_owned()),
    ]
}

impl Observer for Progress {
    fn window(&mut self, position: &Position, progress: f64, nats: f64) {
        let smoothed = self.nats.map_or(nats, |old| old + SMOOTHING * (nats - old));
        self.nats = Some(smoothed);
        let Some(bar) = &self.bar else { return };
        let (characters, seconds) = self.started_at;
        let rate =
            (position.characters - characters) as f64 / (position.seconds - seconds).max(1e-9);
        let left = position.seconds * (1.0 / progress.max(1e-6) - 1.0);
        bar.set_position((progress.min(1.0) * TICKS as f64) as u64);
        let columns = width().unwrap_or(USUAL);
        let wide = columns >= ROOM;
        if wide != self.wide {
            bar.set_style(style(wide));
            self.wide = wide;
        }
        // The last column stays free: some terminals begin a new line after it.
        let before = if wide { BAR } else { PERCENT } + 1;
        let room = columns.saturating_sub(before);
        bar.set_message(fitting(
            &status(smoothed, rate, left, self.terms),
            Some(room),
        ));
    }

    /// Shown with --quiet too: it is about work that may be lost.
    fn notice(&mut self, line: &str) {
        self.line(&wrapped(&format!("warning: {line}"), width()));
    }

    fn evaluation(&mut self, m: &Metrics) {
        if !self.quiet {
            self.line(&fitting(&summary(m, self.terms), width()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Terms = Terms {
        unit: "character",
        loss: "nats",
        figure: None,
    };

    fn evaluation(seconds: f64, nats: f64) -> Metrics {
        Metrics {
            epoch: 999.5,
            step: 1,
            characters: 1,
            train_nats: nats,
            valid_nats: nats,
            valid_bpc: 14.427,
            figure: None,
            best: true,
            lr: 0.1,
            gradient_norm: 1.0,
            seconds,
            characters_per_second: 1.0,
        }
    }

    /// Whatever the width, a line has whole fields and fits.
    #[test]
    fn lines_fit_every_terminal_and_lose_fields_not_letters() {
        for (seconds, nats) in [(12.0, 1.5), (86_400.0, 11.111), (1e9, 1e308)] {
            for width in [40, 60, 80, 100, 200] {
                for fields in [
                    summary(&evaluation(seconds, nats), TEXT),
                    status(nats, 9_999_000.0, seconds, TEXT),
                ] {
                    let line = fitting(&fields, Some(width));
                    assert!(line.chars().count() <= width, "{width}: {line}");
                    let mut rest = line.as_str();
                    for field in &fields {
                        let text = field.1.trim_end();
                        rest = rest.strip_prefix(text).unwrap_or(rest);
                        rest = rest.strip_prefix("  ").unwrap_or(rest);
                    }
                    assert_eq!(rest, "", "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn at_80_columns_nothing_is_missing() {
        let fields = summary(&evaluation(86_399.0, 1.2345), TEXT);
        assert_eq!(fitting(&fields, Some(80)), fitting(&fields, None));
        let fields = status(11.111, 999_000.0, 3_000.0, TEXT);
        assert_eq!(fitting(&fields, Some(80 - BAR - 1)), fitting(&fields, None));
    }
}
