//! What is shown on a terminal while a net hears: one line, drawn again and again.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use gatelet::visible;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::{Field, fitting, width};
use crate::error::Result;
use crate::listen::Decision;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(50);
/// Columns of the bar.
const BAR: usize = 16;
/// Columns where the terminal does not say how many it has.
const USUAL: usize = 80;

/// The line, if standard error is a terminal.
pub(super) struct Show {
    bar: Option<ProgressBar>,
    names: Vec<String>,
    drawn: Instant,
}

impl Show {
    /// For classes of these names.
    pub(super) fn new(names: &[String]) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let target = ProgressDrawTarget::stderr_with_hz(20);
            ProgressBar::with_draw_target(None, target).with_style(style)
        });
        let shown = |name: &String| visible::line(name).to_string();
        Self {
            bar,
            names: names.iter().map(shown).collect(),
            drawn: Instant::now(),
        }
    }

    /// Shows how likely every class is.
    pub(super) fn levels(&mut self, time: f64, decision: &Decision) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.elapsed() < EVERY {
            return;
        }
        self.drawn = Instant::now();
        let fields = fields(time, &self.names, decision);
        // The last column stays free: some terminals begin a new line after it.
        let room = width().unwrap_or(USUAL).saturating_sub(1);
        bar.set_message(fitting(&fields, Some(room)));
    }

    /// Calls `say`, which prints a line, above what is shown.
    pub(super) fn line(&self, say: impl FnOnce() -> Result<()>) -> Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Takes it off the terminal.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The time, the likeliest class with its bar, and all classes in their order, of which the last go
/// first where there is no room.
fn fields(time: f64, names: &[String], decision: &Decision) -> Vec<Field> {
    let (class, most) = decision.likeliest();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let (longest, name) = (longest.unwrap_or(0), &names[class]);
    let mut fields = vec![
        (2, format!("{time:7.2} s")),
        (0, format!("{name:<longest$} {most:.2}")),
        (1, bar(most)),
    ];
    let all = names.iter().zip(decision.levels()).zip(3..=u8::MAX);
    fields.extend(all.map(|((name, level), rank)| (rank, format!("{name} {level:.2}"))));
    fields
}

/// A bar of a probability, in eighths of a column.
fn bar(p: f32) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (p.clamp(0.0, 1.0) * (8 * BAR) as f32).round() as usize;
    let (whole, part) = (eighths / 8, PARTS[eighths % 8]);
    let filled: String = std::iter::repeat_n('█', whole).chain([part]).collect();
    // All of it takes no part of a column more.
    let filled: String = filled.chars().take(BAR).collect();
    format!("{filled:<BAR$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::Rule;

    #[test]
    fn a_bar_has_one_width() {
        for eighths in 0..=8 * BAR {
            let text = bar(eighths as f32 / (8 * BAR) as f32);
            assert_eq!(text.chars().count(), BAR, "{text:?}");
            let whole = text.chars().filter(|&part| part == '█').count();
            assert_eq!(whole, eighths / 8, "{text:?}");
        }
    }

    #[test]
    fn the_line_fits_every_terminal() {
        let rule = Rule {
            threshold: 0.5,
            smooth: 0.0,
            hold: 0.0,
        };
        let mut decision = Decision::new(rule, 3, 0.016);
        decision.step(&[0.0, 3.0, 0.0]);
        let names = ["left", "right", "none"].map(str::to_owned);
        let all = fields(12.34, &names, &decision);
        let line = fitting(&all, None);
        let wanted = ["12.34 s", "right 0.91", "left 0.05", "none 0.05"];
        assert!(wanted.iter().all(|part| line.contains(part)), "{line}");
        for width in [12, 30, 40, 80] {
            let line = fitting(&all, Some(width));
            assert!(line.chars().count() <= width && line.contains("right 0.91"));
        }
        // The likeliest class stands in one place.
        decision.step(&[9.0, 0.0, 0.0]);
        let other = fitting(&fields(12.34, &names, &decision), None);
        assert_eq!(line.find('█'), other.find('█'), "{line}\n{other}");
    }
}
