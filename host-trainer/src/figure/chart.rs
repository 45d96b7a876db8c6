//! Lines over two axes, with grid, legend and units.

use super::axis::{Axis, Scale};
use super::{Anchor, Color, Figure, Item, text_width};

/// Space around the plot: label and numbers on the left (and the width of the widest number), numbers and label below.
const LEFT: f64 = 34.0;
const RIGHT: f64 = 16.0;
const BELOW: f64 = 46.0;
/// Extra space on the right for a second axis.
const SECOND: f64 = 44.0;
const LEGEND_LINE: f64 = 20.0;
const SIZE: f64 = 12.5;
/// Numbers on a vertical axis, about.
const TICKS: usize = 6;

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend; none without a name.
    pub label: String,
    /// Its points, ascending; those that are not finite (or not positive on a log axis) are left out.
    pub points: Vec<(f64, f64)>,
    /// 0..=3.
    pub color: u8,
    /// Whether it is dashed.
    pub dashed: bool,
    /// Whether every point has a dot, and the points no line between them.
    pub dots: bool,
}

impl Series {
    /// A line that is not dashed.
    pub fn line(label: &str, color: u8, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            label: label.to_owned(),
            points: points.into_iter().collect(),
            color,
            dashed: false,
            dots: false,
        }
    }
}

/// A chart before it is drawn.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// File name without `.png`.
    pub name: &'static str,
    /// Heading of the PNG.
    pub title: &'a str,
    /// What is to be seen.
    pub alt: &'a str,
    /// Width and height in pixels.
    pub size: (f64, f64),
    /// Label of the horizontal axis, with its unit.
    pub x: &'a str,
    /// Label of the vertical axis, with its unit.
    pub y: &'a str,
    /// How the vertical axis stands.
    pub scale: Scale,
    /// Label of a second vertical axis, and what the first one's numbers are divided by.
    pub second: Option<(&'a str, f64)>,
    /// The lines.
    pub series: Vec<Series>,
    /// Texts to the right of a point.
    pub labels: Vec<(f64, f64, String)>,
}

/// Smallest and largest of the numbers; nothing without numbers.
fn span(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers.fold(None, |span, x| {
        Some(span.map_or((x, x), |(low, high): (f64, f64)| (low.min(x), high.max(x))))
    })
}

impl<'a> Chart<'a> {
    /// A chart of lines in the usual size, with nothing beyond them.
    pub fn of_lines(
        name: &'static str,
        title: &'a str,
        (x, y, scale): (&'a str, &'a str, Scale),
        series: Vec<Series>,
    ) -> Self {
        Self {
            name,
            title,
            alt: title,
            size: (640.0, 340.0),
            x,
            y,
            scale,
            second: None,
            series,
            labels: Vec::new(),
        }
    }
}

impl Chart<'_> {
    fn usable(&self, series: &Series) -> Vec<(f64, f64)> {
        let good = |&&(x, y): &&(f64, f64)| {
            x.is_finite() && y.is_finite() && (self.scale == Scale::Linear || y > 0.0)
        };
        series.points.iter().filter(good).copied().collect()
    }

    /// Range of both axes with a margin.
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let points: Vec<(f64, f64)> = self.series.iter().flat_map(|s| self.usable(s)).collect();
        let (x_low, x_high) = span(points.iter().map(|p| p.0)).unwrap_or((0.0, 1.0));
        let (low, high) = span(points.iter().map(|p| p.1)).unwrap_or((0.1, 1.0));
        let y = match self.scale {
            Scale::Linear => {
                let margin = ((high - low) * 0.07).max(high.abs() * 1e-3).max(1e-9);
                ((low - margin).max(0.0_f64.min(low)), high + margin)
            }
            Scale::Log => (low / 1.5, high * 1.5),
        };
        let wide = if x_high > x_low { x_high } else { x_low + 1.0 };
        // Nothing on the horizontal axis here is negative, and a part of an axis would make changes look larger.
        ((x_low.min(0.0), wide), y)
    }

    /// The picture.
    pub fn draw(&self) -> Figure {
        let (width, height) = self.size;
        let mut figure = Figure::new(self.name, self.title, self.alt, self.size);
        let right = RIGHT + if self.second.is_some() { SECOND } else { 0.0 };
        let (x_range, y_range) = self.ranges();
        let numbers = Axis {
            scale: self.scale,
            range: y_range,
            pixels: (1.0, 0.0),
        };
        let widest = numbers
            .ticks(TICKS)
            .iter()
            .map(|tick| text_width(&tick.1, SIZE))
            .fold(0.0, f64::max);
        let left = LEFT + widest;
        let top = 8.0 + self.legend(&mut figure, (left, width - right));
        let x = Axis {
            scale: Scale::Linear,
            range: x_range,
            pixels: (left, width - right),
        };
        let y = Axis {
            scale: self.scale,
            range: y_range,
            pixels: (height - BELOW, top),
        };
        self.frame(&mut figure, &x, &y);
        for series in &self.series {
            let points: Vec<(f64, f64)> = self
                .usable(series)
                .into_iter()
                .map(|(a, b)| (x.place(a), y.place(b)))
                .collect();
            let color = Color::Series(series.color);
            if series.dots || points.len() == 1 {
                figure.items.extend(points.iter().map(|&at| Item::Dot {
                    at,
                    radius: 4.0,
                    color,
                }));
            } else {
                figure.items.push(Item::Line {
                    points,
                    color,
                    width: 2.2,
                    dashed: series.dashed,
                });
            }
        }
        for (a, b, text) in &self.labels {
            let (at, up) = (x.place(*a), y.place(*b) - 9.0);
            // To the left of the point where the picture ends on its right.
            let fits = at + 7.0 + text_width(text, 11.0) < width;
            let (at, anchor) = match fits {
                true => (at + 7.0, Anchor::Start),
                false => (at - 7.0, Anchor::End),
            };
            figure.text((at, up), &**text, 11.0, anchor, Color::Ink);
        }
        figure
    }

    /// The legend above the plot, in as many lines as it needs; gives its height.
    fn legend(&self, figure: &mut Figure, (left, right): (f64, f64)) -> f64 {
        let (mut x, mut line) = (left, 0.0);
        let named = || self.series.iter().filter(|series| !series.label.is_empty());
        for series in named() {
            let width = 34.0 + text_width(&series.label, SIZE) + 14.0;
            if x > left && x + width > right + 14.0 {
                (x, line) = (left, line + 1.0);
            }
            let y = 10.0 + line * LEGEND_LINE;
            let color = Color::Series(series.color);
            if series.dots {
                figure.items.push(Item::Dot {
                    at: (x + 14.0, y),
                    radius: 4.0,
                    color,
                });
            } else {
                figure.items.push(Item::Line {
                    points: vec![(x, y), (x + 26.0, y)],
                    color,
                    width: 2.5,
                    dashed: series.dashed,
                });
            }
            figure.text(
                (x + 33.0, y),
                &*series.label,
                SIZE,
                Anchor::Start,
                Color::Ink,
            );
            x += width;
        }
        if named().next().is_some() {
            (line + 1.0) * LEGEND_LINE + 4.0
        } else {
            0.0
        }
    }

    /// Grid, numbers and labels.
    fn frame(&self, figure: &mut Figure, x: &Axis, y: &Axis) {
        let ((left, right), (bottom, top)) = (x.pixels, y.pixels);
        for (number, label) in y.ticks(TICKS) {
            let at = y.place(number);
            figure.rule((left, at), (right, at), Color::Grid);
            figure.text((left - 8.0, at), label, SIZE, Anchor::End, Color::Muted);
        }
        for (number, label) in x.ticks(7) {
            let at = x.place(number);
            figure.rule((at, bottom), (at, bottom + 5.0), Color::Ink);
            figure.text(
                (at, bottom + 15.0),
                label,
                SIZE,
                Anchor::Middle,
                Color::Muted,
            );
        }
        figure.rule((left, bottom), (right, bottom), Color::Ink);
        figure.text(
            ((left + right) / 2.0, bottom + 35.0),
            self.x,
            SIZE,
            Anchor::Middle,
            Color::Muted,
        );
        figure.turned((11.0, (top + bottom) / 2.0), self.y, SIZE);
        if let Some((label, factor)) = self.second {
            let second = Axis {
                range: (y.range.0 / factor, y.range.1 / factor),
                ..*y
            };
            for (number, label) in second.ticks(TICKS) {
                let at = second.place(number);
                figure.rule((right, at), (right + 5.0, at), Color::Ink);
                figure.text((right + 9.0, at), label, SIZE, Anchor::Start, Color::Muted);
            }
            figure.turned((right + SECOND + 6.0, (top + bottom) / 2.0), label, SIZE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, scale: Scale) -> Figure {
        Chart {
            name: "c",
            title: "t",
            alt: "a",
            size: (400.0, 300.0),
            x: "x",
            y: "y",
            scale,
            second: Some(("z", 2.0)),
            series: vec![Series {
                label: "one".to_owned(),
                points,
                color: 0,
                dashed: false,
                dots: false,
            }],
            labels: Vec::new(),
        }
        .draw()
    }

    /// The longest line is the data's.
    fn line(figure: &Figure) -> Vec<(f64, f64)> {
        let lines = figure.items.iter().filter_map(|item| match item {
            Item::Line { points, .. } => Some(points.clone()),
            _ => None,
        });
        lines.max_by_key(Vec::len).unwrap()
    }

    #[test]
    fn everything_is_inside_the_picture() {
        for scale in [Scale::Linear, Scale::Log] {
            let figure = chart(vec![(0.0, 1e-6), (1.0, 3.0), (2.0, 0.5)], scale);
            for item in &figure.items {
                let points = match item {
                    Item::Line { points, .. } => points.clone(),
                    Item::Dot { at, .. } | Item::Text { at, .. } | Item::Cells { at, .. } => {
                        vec![*at]
                    }
                };
                for (x, y) in points {
                    assert!(
                        (0.0..=400.0).contains(&x) && (0.0..=300.0).contains(&y),
                        "{item:?}"
                    );
                }
            }
            assert!(line(&figure)[1].1 < line(&figure)[0].1, "up is more");
        }
    }

    #[test]
    fn a_label_at_the_right_edge_stands_to_the_left_of_its_point() {
        let mut chart = Chart::of_lines(
            "c",
            "",
            ("x", "y", Scale::Linear),
            vec![Series::line("", 0, [(0.0, 1.0), (9.0, 2.0)])],
        );
        chart.labels = vec![
            (0.0, 1.0, "first".to_owned()),
            (9.0, 2.0, "the last".to_owned()),
        ];
        let figure = chart.draw();
        let anchor = |text: &str| {
            figure.items.iter().find_map(|item| match item {
                Item::Text {
                    text: t, anchor, ..
                } if t.as_str() == text => Some(*anchor),
                _ => None,
            })
        };
        assert_eq!(anchor("first"), Some(Anchor::Start));
        assert_eq!(anchor("the last"), Some(Anchor::End));
    }

    #[test]
    fn numbers_that_cannot_be_drawn_are_left_out() {
        let figure = chart(
            vec![
                (0.0, f64::NAN),
                (1.0, 0.0),
                (2.0, 1.0),
                (3.0, 2.0),
                (4.0, 4.0),
            ],
            Scale::Log,
        );
        assert_eq!(line(&figure).len(), 3);
        assert!(chart(Vec::new(), Scale::Linear).items.len() > 3);
        let one = chart(vec![(1.0, 1.0)], Scale::Linear);
        assert!(
            one.items
                .iter()
                .any(|item| matches!(item, Item::Dot { .. }))
        );
    }
}
