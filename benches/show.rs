//! A report for people: a summary, a table for each type in 80 columns, and a picture.

use std::fmt::{self, Display, Formatter};

use gatelet_trainer::figure::axis::Scale;
use gatelet_trainer::figure::chart::{Chart, Label, Look, Series};
use gatelet_trainer::figure::{Figure, Form};

use crate::report::{Report, Step};

/// Columns of a terminal that nobody has widened.
const WIDTH: usize = 80;
/// Columns of a name and of a shape.
const NAME: usize = 12;
const COLUMN: usize = 13;

/// A number with three significant digits, as far as decimals go.
fn digits(x: f64) -> String {
    let decimals = if x < 0.9995 {
        3
    } else if x < 9.995 {
        2
    } else if x < 99.95 {
        1
    } else {
        0
    };
    format!("{x:.decimals$}")
}

impl Report {
    /// The types, in their order.
    fn types(&self) -> Vec<&str> {
        let mut types: Vec<&str> = self.steps.iter().map(|step| &*step.precision).collect();
        types.dedup();
        types
    }

    fn of_type<'a>(&'a self, precision: &'a str) -> impl Iterator<Item = &'a Step> {
        let same = move |step: &&Step| step.precision == precision;
        self.steps.iter().filter(same)
    }

    /// The least and the most that the fastest kernels of a type take, in times the limit.
    fn span(&self, precision: &str) -> (f64, f64) {
        let ratios = self.of_type(precision).filter_map(Step::fastest);
        ratios.fold((f64::INFINITY, 0.0), |(low, high), kernel| {
            (low.min(kernel.ratio), high.max(kernel.ratio))
        })
    }

    /// How near the fastest kernels come to the limit, in a line.
    pub fn summary(&self) -> String {
        let mut names: Vec<&str> = self
            .steps
            .iter()
            .filter_map(Step::fastest)
            .map(|k| &*k.isa)
            .collect();
        names.sort_unstable();
        names.dedup();
        let spans = self.types().into_iter().map(|precision| {
            let (low, high) = self.span(precision);
            format!("{precision} {} to {}", digits(low), digits(high))
        });
        format!(
            "fastest ({}), times the limit: {}",
            names.join(", "),
            spans.collect::<Vec<_>>().join(", ")
        )
    }
}

/// A line of a table: a name, then a cell for each shape.
fn line(f: &mut Formatter<'_>, name: &str, cells: impl Iterator<Item = String>) -> fmt::Result {
    let mut line = format!("{name:<NAME$}");
    cells.for_each(|cell| line += &format!("{cell:>COLUMN$}"));
    writeln!(f, "{}", line.trim_end())
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The summary has commas where it may break.
        let (mut row, mut rows) = (String::new(), Vec::new());
        for part in self.summary().split_inclusive(", ") {
            if row.len() + part.trim_end().len() > WIDTH {
                rows.push(std::mem::replace(&mut row, "  ".to_owned()));
            }
            row += part;
        }
        rows.push(row);
        rows.iter()
            .try_for_each(|row| writeln!(f, "{}", row.trim_end()))?;
        let machine = &self.machine;
        write!(f, "one core: {:.0} GFLOP/s f32", machine.fma_gflops)?;
        for read in &machine.reads {
            write!(f, ", {:.0} GB/s in {}", read.gbytes, read.cache)?;
        }
        writeln!(f, "\n")?;
        writeln!(
            f,
            "Microseconds a step, and times the limit; medians of {}.",
            self.samples
        )?;
        writeln!(
            f,
            "limit: every weight is read once, forward. turned: forward and backward in turn,"
        )?;
        writeln!(
            f,
            "so that what was read last is still in the nearer cache."
        )?;
        for precision in self.types() {
            let steps = || self.of_type(precision);
            writeln!(f)?;
            line(f, precision, steps().map(Step::shape))?;
            line(
                f,
                "limit",
                steps().map(|step| format!("{}     ", digits(step.limit_us))),
            )?;
            line(
                f,
                "turned",
                steps().map(|step| format!("{}     ", digits(step.alternating_us))),
            )?;
            let Some(first) = steps().next() else {
                continue;
            };
            for (at, kernel) in first.kernels.iter().enumerate() {
                let cell = |step: &Step| match step.kernels.get(at) {
                    Some(timed) => format!("{} {:>4}", digits(timed.us), digits_short(timed.ratio)),
                    None => "-".to_owned(),
                };
                line(f, &kernel.isa, steps().map(cell))?;
            }
        }
        Ok(())
    }
}

/// A ratio in four columns.
fn digits_short(x: f64) -> String {
    match x {
        9.995.. => format!("{x:.0}"),
        _ => format!("{x:.2}"),
    }
}

/// Times the limit over the bytes that a step reads: the fastest kernel of each type, and all others.
pub fn picture(report: &Report) -> Figure {
    let looks = [(0, Form::Circle), (1, Form::Square), (2, Form::Triangle)];
    let kib = |step: &Step| step.footprint_bytes as f64 / 1024.0;
    let (mut series, mut labels, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (precision, (color, form)) in report.types().into_iter().zip(looks) {
        let mut points = Vec::new();
        for step in report.of_type(precision) {
            let Some(fastest) = step.fastest() else {
                continue;
            };
            let at = (kib(step), fastest.ratio);
            points.push(at);
            labels.push(Label {
                at,
                text: step.shape(),
                needed: true,
            });
            let slower = step
                .kernels
                .iter()
                .filter(|kernel| kernel.isa != fastest.isa);
            others.extend(slower.map(|kernel| (kib(step), kernel.ratio)));
        }
        let name = format!("{precision}, fastest kernel");
        series.push(Series::line(&name, color, points).look(Look::Joined(form)));
    }
    if !others.is_empty() {
        series.insert(
            0,
            Series::line("other kernels", 5, others).look(Look::Small(Form::Diamond)),
        );
    }
    Chart {
        alt: "Time of a step against the time of reading its weights once, by the bytes that are read.",
        size: (760.0, 440.0),
        x_scale: Scale::Log,
        level: Some((1.0, "the limit: every weight read once")),
        labels,
        ..Chart::of_lines(
            "bench",
            &format!("A step against the limit: {}", report.summary().split(", times").next().unwrap_or_default()),
            ("KiB that a step reads", "times the limit", Scale::Log),
            series,
        )
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use gatelet_trainer::figure::Item;

    /// Three types, five shapes, nine kernels of long names, from microseconds to milliseconds.
    fn large() -> Report {
        let mut report = report();
        let first = report.steps.remove(0);
        for precision in ["f32", "int8", "int4"] {
            for (at, (layers, hidden)) in crate::SHAPES.into_iter().enumerate() {
                let mut step = first.clone();
                (step.precision, step.layers, step.hidden) = (precision.to_owned(), layers, hidden);
                step.footprint_bytes <<= 2 * at;
                step.limit_us = 123.4;
                let kernel = step.kernels[0].clone();
                step.kernels = (0..9)
                    .map(|kernel_at| {
                        let mut kernel = kernel.clone();
                        kernel.isa = format!("avx512vbm{kernel_at}");
                        kernel.us = 1234.5 * f64::from(kernel_at + 1);
                        kernel.ratio = 1.5 + f64::from(kernel_at) * 12.0 + at as f64;
                        kernel
                    })
                    .collect();
                report.steps.push(step);
            }
        }
        report
    }

    #[test]
    fn everything_fits_80_columns_with_a_summary_first_and_every_ratio() {
        let report = large();
        let text = report.to_string();
        for line in text.lines() {
            assert!(
                line.chars().count() <= WIDTH,
                "{} columns: {line}",
                line.chars().count()
            );
        }
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("fastest (avx512vbm0), times the limit: f32 1.50 to 5.50"),
            "{first}"
        );
        for step in &report.steps {
            for kernel in &step.kernels {
                let cell = format!("{} {:>4}", digits(kernel.us), digits_short(kernel.ratio));
                assert!(text.contains(&cell), "{cell}");
            }
        }
        // Three tables: a heading, two limits and nine kernels.
        assert_eq!(
            text.lines()
                .filter(|line| line.starts_with("avx512vbm"))
                .count(),
            27
        );
    }

    #[test]
    fn the_picture_has_every_point_and_names_each_of_the_fifteen() {
        let figure = picture(&large());
        let mark = |item: &&Item| matches!(item, Item::Mark { .. });
        // And four in the legend.
        assert_eq!(figure.items.iter().filter(mark).count(), 15 * 9 + 4);
        let named = |shape: &str| {
            let text = |item: &&Item| matches!(item, Item::Text { text, .. } if text == shape);
            figure.items.iter().filter(text).count()
        };
        assert_eq!(
            ["1x64", "1x128", "1x256", "1x512", "2x512"].map(named),
            [3; 5]
        );
    }

    #[test]
    fn three_digits() {
        let all = [0.0614, 1.0, 9.994, 9.996, 99.94, 99.96, 1234.5].map(digits);
        assert_eq!(
            all,
            ["0.061", "1.00", "9.99", "10.0", "99.9", "100", "1234"]
        );
    }
}
