//! What is shown while training: a bar on a terminal, one line an evaluation elsewhere.

use std::io::{self, IsTerminal};

use gatelet::visible;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::note;
use crate::corpus::Text;
use crate::run::Metrics;
use crate::train::{Observer, Position};

/// Ticks of the whole bar.
const TICKS: u64 = 10_000;
/// Weight of the newest window in the smoothed loss.
const SMOOTHING: f64 = 0.02;

/// Shows the progress of a run on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    nats: Option<f64>,
    started_at: (u64, f64),
}

impl Progress {
    /// For a run that stands at `position`.
    pub(super) fn new(quiet: bool, position: &Position) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:14.cyan/blue} {percent:>3} %  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            ProgressBar::with_draw_target(Some(TICKS), ProgressDrawTarget::stderr_with_hz(10))
                .with_style(style)
        });
        Self {
            bar,
            quiet,
            nats: None,
            started_at: (position.characters, position.seconds),
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
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
            let template = "{bar:14.cyan/blue} {percent:>3} %  {bytes} of {total_bytes} read";
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

/// Seconds as `1h02m`, `3m07s` or `12s`.
fn duration(seconds: f64) -> String {
    let s = seconds.clamp(0.0, 1e8) as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

/// What stands beside the bar: loss in nats, bits a character, speed, time left.
fn status(nats: f64, rate: f64, left: f64) -> String {
    format!(
        "loss {nats:.3}, {:.3} bits/char, {:.0}k chars/s, {} left",
        nats / std::f64::consts::LN_2,
        rate / 1e3,
        duration(left)
    )
}

/// One line for an evaluation.
fn summary(m: &Metrics) -> String {
    let line = format!(
        "epoch {:>5.1}  training {:.4}  held out {:.4} nats, {:.3} bits  {:>6}  {}",
        m.epoch,
        m.train_nats,
        m.valid_nats,
        m.valid_bpc,
        duration(m.seconds),
        if m.best { "best" } else { "" }
    );
    line.trim_end().to_owned()
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
        bar.set_message(status(smoothed, rate, left));
    }

    /// Shown with --quiet too: it is about work that may be lost.
    fn notice(&mut self, line: &str) {
        let line = format!("warning: {line}");
        match &self.bar {
            Some(bar) => bar.println(visible::text(line).to_string()),
            None => note(line),
        }
    }

    fn evaluation(&mut self, m: &Metrics) {
        if self.quiet {
            return;
        }
        let line = summary(m);
        match &self.bar {
            Some(bar) => bar.println(visible::text(line).to_string()),
            None => note(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, status, summary};
    use crate::run::Metrics;

    /// The bar's template puts 22 columns before its message.
    #[test]
    fn everything_fits_a_terminal_of_80_columns() {
        let bar = status(11.111, 9_999_000.0, 86_400.0);
        assert!(22 + bar.len() < 80, "{bar}");
        let line = summary(&Metrics {
            epoch: 999.5,
            step: 1,
            characters: 1,
            train_nats: 10.0,
            valid_nats: 10.0,
            valid_bpc: 14.427,
            best: true,
            lr: 0.1,
            gradient_norm: 1.0,
            seconds: 86_400.0,
            characters_per_second: 1.0,
        });
        assert!(line.ends_with("best") && line.len() <= 80, "{line}");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [duration(12.9), duration(187.0), duration(3720.0)],
            ["12s", "3m07s", "1h02m"]
        );
    }
}
