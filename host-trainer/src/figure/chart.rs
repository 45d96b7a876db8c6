//! Lines and marks over two axes, with grid, legend, units, and names of points.

use super::axis::{Axis, Scale};
pub use super::labels::Label;
use super::series::{LINE, MARK};
pub use super::series::{Look, Series};
pub use super::strip::Strip;
use super::{Anchor, Color, Figure, Form, Item, labels, legend, text_width};

/// Space around the plot: label and numbers on the left (and the width of the widest number), numbers and label below.
const LEFT: f64 = 34.0;
const RIGHT: f64 = 16.0;
const BELOW: f64 = 46.0;
/// Space on the right for a second axis, besides its widest number.
const SECOND: f64 = 24.0;
/// Space around the legend.
const SIDE: f64 = 8.0;
const SIZE: f64 = 12.5;
/// Numbers on a vertical axis, about, and on a horizontal one, at most.
const TICKS: usize = 6;
const ACROSS: usize = 8;
/// Numbers beyond this are drawn at it: a range has to be a number too.
const MOST: f64 = 1e300;

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
    /// How the horizontal axis stands.
    pub x_scale: Scale,
    /// Its ticks, where they are not round numbers.
    pub x_ticks: Option<Vec<(f64, String)>>,
    /// Label of the vertical axis, with its unit.
    pub y: &'a str,
    /// How the vertical axis stands.
    pub scale: Scale,
    /// Label of a second vertical axis, and what the first one's numbers are divided by.
    pub second: Option<(&'a str, f64)>,
    /// A level to compare with, and its name.
    pub level: Option<(f64, &'a str)>,
    /// The lines.
    pub series: Vec<Series>,
    /// Names of points.
    pub labels: Vec<Label>,
    /// What stands above the plot, over the same horizontal axis.
    pub strip: Option<Strip<'a>>,
}

/// Smallest and largest of the numbers; nothing without numbers.
fn span(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers.map(|x| x.clamp(-MOST, MOST)).fold(None, |span, x| {
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
            x_scale: Scale::Linear,
            x_ticks: None,
            y,
            scale,
            second: None,
            level: None,
            series,
            labels: Vec::new(),
            strip: None,
        }
    }
}

/// Marks that would stand at one place, set side by side.
fn spread(points: &mut [(f64, f64)], radius: f64) {
    let same = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1) < 1.0;
    let places = points.to_vec();
    for (at, point) in points.iter_mut().enumerate() {
        let before = places[..at]
            .iter()
            .filter(|&&p| same(p, places[at]))
            .count();
        let all = places.iter().filter(|&&p| same(p, places[at])).count();
        point.0 += 1.3 * radius * (before as f64 - (all - 1) as f64 / 2.0);
    }
}

impl Chart<'_> {
    fn usable(&self, series: &Series) -> Vec<(f64, f64)> {
        let good = |&&(x, y): &&(f64, f64)| self.x_scale.has(x) && self.scale.has(y);
        series.points.iter().filter(good).copied().collect()
    }

    /// Range of both axes with a margin.
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let points: Vec<(f64, f64)> = self.series.iter().flat_map(|s| self.usable(s)).collect();
        let marks = self
            .series
            .iter()
            .any(|series| series.look.mark().is_some());
        let (x_low, x_high) = span(points.iter().map(|p| p.0)).unwrap_or((0.0, 1.0));
        let level = self.level.iter().map(|level| level.0);
        let numbers = points.iter().map(|p| p.1).chain(level);
        let (low, high) = span(numbers).unwrap_or((0.1, 1.0));
        let y = match self.scale {
            Scale::Linear => {
                let margin = ((high - low) * 0.07).max(high.abs() * 1e-3).max(1e-9);
                ((low - margin).max(0.0_f64.min(low)), high + margin)
            }
            Scale::Log => (low / 1.5, high * 1.5),
            Scale::AroundZero(unit) => (low.min(0.0) * 1.6 - 0.4 * unit, high.max(unit) * 1.6),
        };
        // Nothing on the horizontal axis here is negative, and a part of an axis would make changes look larger.
        let x = match self.x_scale {
            Scale::Log => (x_low / 1.25, x_high * 1.25),
            _ => {
                let wide = if x_high > x_low { x_high } else { x_low + 1.0 };
                (x_low.min(0.0), if marks { wide * 1.03 } else { wide })
            }
        };
        (x, y)
    }

    /// Where the plot is, and its axes.
    fn axes(&self, top: f64) -> (Axis, Axis) {
        let (width, height) = self.size;
        let (x_range, y_range) = self.ranges();
        let y = Axis {
            scale: self.scale,
            range: y_range,
            pixels: (height - BELOW, top),
        };
        let right = match &self.second {
            Some((_, factor)) => RIGHT + SECOND + widest(&second(&y, *factor)),
            None => RIGHT,
        };
        let x = Axis {
            scale: self.x_scale,
            range: x_range,
            pixels: (LEFT + widest(&y), width - right),
        };
        (x, y)
    }

    /// The picture.
    pub fn draw(&self) -> Figure {
        let width = self.size.0;
        let mut figure = Figure::new(self.name, self.title, self.alt, self.size);
        // Above the plot where it fits there in one row, else from edge to edge.
        let mut edges = (self.axes(0.0).0.pixels.0, width - RIGHT);
        let mut trial = figure.clone();
        let high = legend::draw(&mut trial, &self.series, edges);
        if high > legend::draw(&mut trial, &self.series, (SIDE, width - SIDE)) {
            edges = (SIDE, width - SIDE);
        }
        let mut top = 8.0 + legend::draw(&mut figure, &self.series, edges);
        if let Some(strip) = &self.strip {
            top += strip.draw(&mut figure, &self.axes(top).0, top);
        }
        let (x, y) = self.axes(top);
        self.frame(&mut figure, &x, &y);
        let (mut marks, mut lines) = (Vec::new(), Vec::new());
        if let Some((level, name)) = self.level {
            let at = y.place(level);
            figure.items.push(Item::Line {
                points: vec![(x.pixels.0, at), (x.pixels.1, at)],
                color: Color::Muted,
                width: 1.2,
                dashed: true,
            });
            let place = (x.pixels.0 + 6.0, at - 8.0);
            figure.text(place, name, labels::SIZE, Anchor::Start, Color::Muted);
            let width = text_width(name, labels::SIZE);
            marks.push([place.0, at - 15.0, place.0 + width, at - 2.0]);
            lines.push([x.pixels.0, at - 2.0, x.pixels.1, at + 2.0]);
        }
        for series in &self.series {
            let places = self.usable(series);
            let mut places: Vec<(f64, f64)> = places
                .into_iter()
                .map(|(a, b)| (x.place(a), y.place(b)))
                .collect();
            let color = Color::Series(series.color);
            if let (Some(dashed), 2..) = (series.look.line(), places.len()) {
                lines.extend(boxes_along(&places));
                figure.items.push(Item::Line {
                    points: places.clone(),
                    color,
                    width: LINE,
                    dashed,
                });
            }
            // A line of one point would not be seen.
            let alone = (places.len() == 1).then_some((Form::Circle, MARK));
            if let Some((form, radius)) = series.look.mark().or(alone) {
                spread(&mut places, radius);
                for (at_x, at_y) in places {
                    let at = (at_x + series.shift, at_y);
                    let far = radius + 1.0;
                    marks.push([at.0 - far, at.1 - far, at.0 + far, at.1 + far]);
                    figure.items.push(Item::Mark {
                        at,
                        radius,
                        form,
                        color,
                    });
                }
            }
        }
        self.name_points(&mut figure, (&x, &y), &marks, &lines);
        figure
    }

    /// Names of points, where they hide nothing.
    fn name_points(
        &self,
        figure: &mut Figure,
        (x, y): (&Axis, &Axis),
        marks: &[[f64; 4]],
        lines: &[[f64; 4]],
    ) {
        let has = |label: &&Label| self.x_scale.has(label.at.0) && self.scale.has(label.at.1);
        let place = |label: &Label| (x.place(label.at.0), y.place(label.at.1));
        let labels = self.labels.iter().filter(has);
        let labels: Vec<_> = labels.map(|label| (label.clone(), place(label))).collect();
        let bounds = [x.pixels.0, y.pixels.1 - 6.0, self.size.0 - 2.0, y.pixels.0];
        for placed in labels::place(&labels, marks, lines, bounds) {
            let (label, point) = &labels[placed.index];
            let [left, top, right, bottom] = placed.area;
            if let Some(end) = placed.leader {
                figure.rule(*point, end, Color::Muted);
            }
            let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
            let color = if label.needed {
                Color::Ink
            } else {
                Color::Muted
            };
            figure.text(middle, &*label.text, labels::SIZE, Anchor::Middle, color);
        }
    }

    /// Ticks of the horizontal axis: as many as have room.
    fn ticks_across(&self, x: &Axis) -> Vec<(f64, String)> {
        if let Some(ticks) = &self.x_ticks {
            return ticks.clone();
        }
        let fit = |ticks: &Vec<(f64, String)>| {
            let ends = |tick: &(f64, String)| {
                let (at, half) = (x.place(tick.0), text_width(&tick.1, SIZE) / 2.0);
                (at - half, at + half)
            };
            ticks
                .windows(2)
                .all(|two| ends(&two[0]).1 + 8.0 < ends(&two[1]).0)
        };
        let mut counts = (1..=ACROSS).rev().map(|most| x.ticks(most));
        counts.find(fit).unwrap_or_else(|| x.ticks(1))
    }

    /// Grid, numbers and labels.
    fn frame(&self, figure: &mut Figure, x: &Axis, y: &Axis) {
        let ((left, right), (bottom, top)) = (x.pixels, y.pixels);
        for (number, label) in y.ticks(TICKS) {
            let at = y.place(number);
            figure.rule((left, at), (right, at), Color::Grid);
            figure.text((left - 8.0, at), label, SIZE, Anchor::End, Color::Muted);
        }
        for (number, label) in self.ticks_across(x) {
            let at = x.place(number);
            figure.rule((at, bottom), (at, bottom + 5.0), Color::Ink);
            let place = (at, bottom + 15.0);
            figure.text(place, label, SIZE, Anchor::Middle, Color::Muted);
        }
        figure.rule((left, bottom), (right, bottom), Color::Ink);
        let middle = ((left + right) / 2.0, bottom + 35.0);
        figure.text(middle, self.x, SIZE, Anchor::Middle, Color::Muted);
        figure.turned((11.0, (top + bottom) / 2.0), self.y, SIZE);
        if let Some((label, factor)) = self.second {
            let second = second(y, factor);
            for (number, label) in second.ticks(TICKS) {
                let at = second.place(number);
                figure.rule((right, at), (right + 5.0, at), Color::Ink);
                figure.text((right + 9.0, at), label, SIZE, Anchor::Start, Color::Muted);
            }
            figure.turned((self.size.0 - 11.0, (top + bottom) / 2.0), label, SIZE);
        }
    }
}

/// The axis of the same places with numbers divided by `factor`.
fn second(y: &Axis, factor: f64) -> Axis {
    Axis {
        range: (y.range.0 / factor, y.range.1 / factor),
        ..*y
    }
}

/// Width of an axis's widest number.
fn widest(y: &Axis) -> f64 {
    let ticks = y.ticks(TICKS);
    let widths = ticks.iter().map(|tick| text_width(&tick.1, SIZE));
    widths.fold(0.0, f64::max)
}

/// Small rectangles along a line.
fn boxes_along(points: &[(f64, f64)]) -> Vec<[f64; 4]> {
    let mut boxes = Vec::new();
    for two in points.windows(2) {
        let ((x, y), (to_x, to_y)) = (two[0], two[1]);
        let steps = ((to_x - x).hypot(to_y - y) / 4.0).ceil().clamp(1.0, 400.0);
        for step in 0..steps as usize {
            let part = step as f64 / steps;
            let (x, y) = (x + part * (to_x - x), y + part * (to_y - y));
            boxes.push([x - 2.0, y - 2.0, x + 2.0, y + 2.0]);
        }
    }
    boxes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, scale: Scale) -> Chart<'static> {
        Chart {
            size: (400.0, 300.0),
            second: Some(("z", 2.0)),
            ..Chart::of_lines(
                "c",
                "t",
                ("x", "y", scale),
                vec![Series::line("one", 0, points)],
            )
        }
    }

    /// The longest line is the data's.
    fn line(figure: &Figure) -> Vec<(f64, f64)> {
        let lines = figure.items.iter().filter_map(|item| match item {
            Item::Line { points, .. } => Some(points.clone()),
            _ => None,
        });
        lines.max_by_key(Vec::len).unwrap()
    }

    fn marks(figure: &Figure) -> Vec<(f64, f64)> {
        let marks = figure.items.iter().filter_map(|item| match item {
            Item::Mark { at, .. } => Some(*at),
            _ => None,
        });
        marks.collect()
    }

    /// Corners of everything that is drawn, texts with their width.
    fn extent(figure: &Figure) -> Vec<(f64, f64)> {
        let corners = |item: &Item| match item {
            Item::Line { points, .. } => points.clone(),
            Item::Mark { at, radius, .. } => vec![
                (at.0 - radius, at.1 - radius),
                (at.0 + radius, at.1 + radius),
            ],
            Item::Cells { at, .. } => vec![*at],
            Item::Text {
                at,
                text,
                size,
                anchor,
                turned,
                ..
            } => {
                let width = text_width(text, *size);
                let (before, after) = match anchor {
                    Anchor::Start => (0.0, width),
                    Anchor::Middle => (width / 2.0, width / 2.0),
                    Anchor::End => (width, 0.0),
                };
                let half = size / 2.0;
                if *turned {
                    vec![(at.0 - half, at.1 - after), (at.0 + half, at.1 + before)]
                } else {
                    vec![(at.0 - before, at.1 - half), (at.0 + after, at.1 + half)]
                }
            }
        };
        figure.items.iter().flat_map(corners).collect()
    }

    #[test]
    fn everything_is_inside_the_picture_legend_and_names_too() {
        let long = "a run with a rather long name, as people give them";
        for scale in [Scale::Linear, Scale::Log, Scale::AroundZero(1e-3)] {
            for width in [400.0, 640.0, 800.0] {
                for most in [3.0, 1e-7, 123_456.0, 1e300, 1.7e308] {
                    let points = vec![(1.0, most * 1e-6), (2.0, most), (300_000.0, most / 2.0)];
                    let mut chart = chart(points.clone(), scale);
                    chart.size.0 = width;
                    chart.series.push(Series::line(long, 1, points.clone()));
                    let marks = Series::line(long, 2, points.clone());
                    chart.series.push(marks.look(Look::Marks(Form::Square)));
                    chart.labels = points
                        .iter()
                        .map(|&at| Label {
                            at,
                            text: "lstm-2x128".to_owned(),
                            needed: true,
                        })
                        .collect();
                    for (x, y) in extent(&chart.draw()) {
                        assert!(
                            (0.0..=width).contains(&x) && (0.0..=300.0).contains(&y),
                            "{x} {y} at {width}, {scale:?}, up to {most:e}"
                        );
                    }
                }
            }
        }
        let figure = chart(vec![(0.0, 1e-6), (1.0, 3.0), (2.0, 0.5)], Scale::Log).draw();
        assert!(line(&figure)[1].1 < line(&figure)[0].1, "up is more");
    }

    #[test]
    fn numbers_that_cannot_be_drawn_are_left_out() {
        let zero = |y: f64| (1.0, y);
        let points = vec![
            (0.0, f64::NAN),
            zero(0.0),
            (2.0, 1.0),
            (3.0, 2.0),
            (4.0, 4.0),
        ];
        assert_eq!(line(&chart(points, Scale::Log).draw()).len(), 3);
        assert!(chart(Vec::new(), Scale::Linear).draw().items.len() > 3);
        let one = chart(vec![(1.0, 1.0)], Scale::Linear).draw();
        assert_eq!(marks(&one).len(), 1);
    }

    #[test]
    fn numbers_at_zero_and_below_have_places_of_their_own() {
        let points = [-1e-3, 0.0, 1e-5, 1e-3, 0.1].map(|y| (1.0, y));
        let mut chart = chart(points.to_vec(), Scale::AroundZero(1e-4));
        chart.series[0].look = Look::Marks(Form::Circle);
        let places: Vec<f64> = marks(&chart.draw()).iter().map(|at| at.1).collect();
        // The first is the legend's.
        assert_eq!(places.len(), 6);
        assert!(places[1..].is_sorted_by(|a, b| a > b), "{places:?}");
    }

    #[test]
    fn every_point_at_one_place_is_seen() {
        let mut chart = chart(vec![(5.0, 100.0); 5], Scale::Linear);
        chart.series[0].look = Look::Small(Form::Circle);
        chart.series[0].label.clear();
        let mut places: Vec<f64> = marks(&chart.draw()).iter().map(|at| at.0).collect();
        places.sort_by(f64::total_cmp);
        let gaps: Vec<f64> = places.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(gaps.len(), 4);
        assert!(gaps.iter().all(|&gap| gap > 3.0), "{places:?}");
    }

    #[test]
    fn a_mark_is_the_same_in_plot_and_legend() {
        let mut chart = chart(vec![(1.0, 1.0), (2.0, 3.0)], Scale::Linear);
        chart.series[0].look = Look::Marks(Form::Diamond);
        let figure = chart.draw();
        let kinds = figure.items.iter().filter_map(|item| match item {
            Item::Mark {
                radius,
                form,
                color,
                ..
            } => Some((*radius, *form, *color)),
            _ => None,
        });
        let kinds: Vec<_> = kinds.collect();
        assert_eq!(kinds.len(), 3);
        assert!(kinds.iter().all(|kind| *kind == kinds[0]));
    }
}
