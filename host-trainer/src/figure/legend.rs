//! The legend of a chart: one row where it fits, else two, and names no longer than that leaves room for.
//!
//! ```text
//! for the longest a name may be, from the whole row down:
//!     fill rows from the left;  take the first filling of at most ROWS rows
//! ```

use super::series::{LINE, Series};
use super::{Anchor, Color, Figure, Item, fitting, text_width};

const SIZE: f64 = 12.0;
/// Height of a row.
const ROW: f64 = 20.0;
/// The sample of a line or mark before a name.
const SAMPLE: f64 = 22.0;
const AFTER_SAMPLE: f64 = 6.0;
const BETWEEN: f64 = 16.0;
/// Rows at most; with more entries than two rows hold at all, as many as it takes.
const ROWS: usize = 2;
/// Names are never cut below this.
const SHORTEST: f64 = 40.0;

/// Entries by row, each with its name cut to fit.
fn rows<'a>(series: &[&'a Series], width: f64) -> Vec<Vec<(&'a Series, String)>> {
    let mut most = width - SAMPLE - AFTER_SAMPLE;
    loop {
        let (mut rows, mut x) = (vec![Vec::new()], 0.0);
        for &one in series {
            let name = fitting(&one.label, SIZE, most);
            let entry = SAMPLE + AFTER_SAMPLE + text_width(&name, SIZE);
            if x > 0.0 && x + entry > width {
                rows.push(Vec::new());
                x = 0.0;
            }
            x += entry + BETWEEN;
            if let Some(row) = rows.last_mut() {
                row.push((one, name));
            }
        }
        if rows.len() <= ROWS || most <= SHORTEST {
            return rows;
        }
        most = (most * 0.9).max(SHORTEST);
    }
}

/// Draws the legend at the top of a figure, between two edges; gives its height.
pub(super) fn draw(figure: &mut Figure, series: &[Series], (left, right): (f64, f64)) -> f64 {
    let named: Vec<&Series> = series.iter().filter(|s| !s.label.is_empty()).collect();
    if named.is_empty() {
        return 0.0;
    }
    let rows = rows(&named, right - left);
    for (index, row) in rows.iter().enumerate() {
        let (mut x, y) = (left, 10.0 + index as f64 * ROW);
        for (one, name) in row {
            one.sample(figure, (x, y), SAMPLE);
            let at = x + SAMPLE + AFTER_SAMPLE;
            figure.text((at, y), &**name, SIZE, Anchor::Start, Color::Ink);
            x = at + text_width(name, SIZE) + BETWEEN;
        }
    }
    rows.len() as f64 * ROW + 4.0
}

impl Series {
    /// What stands before its name: what is drawn of it in the plot.
    fn sample(&self, figure: &mut Figure, (x, y): (f64, f64), width: f64) {
        let color = Color::Series(self.color);
        if let Some(dashed) = self.look.line() {
            figure.items.push(Item::Line {
                points: vec![(x, y), (x + width, y)],
                color,
                width: LINE,
                dashed,
            });
        }
        if let Some((form, radius)) = self.look.mark() {
            figure.items.push(Item::Mark {
                at: (x + width / 2.0, y),
                radius,
                form,
                color,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn height(names: &[&str], width: f64) -> (f64, f64) {
        let series: Vec<Series> = names
            .iter()
            .map(|name| Series::line(name, 0, [(0.0, 0.0)]))
            .collect();
        let mut figure = Figure::new("f", "", "", (width, 100.0));
        let height = draw(&mut figure, &series, (8.0, width - 8.0));
        let right = figure.items.iter().map(|item| match item {
            Item::Text { at, text, .. } => at.0 + text_width(text, SIZE),
            _ => 0.0,
        });
        (height, right.fold(0.0, f64::max))
    }

    #[test]
    fn a_legend_has_one_row_where_it_fits_and_is_never_wider_than_the_picture() {
        let one = height(&["training", "held out", "best: 1.234"], 500.0);
        assert_eq!(one.0, ROW + 4.0);
        let long = "a run with a rather long name, as people give them, again and again";
        for width in [300.0, 500.0, 1600.0] {
            for count in 1..=6 {
                let names: Vec<&str> = std::iter::repeat_n(long, count).collect();
                let (height, right) = height(&names, width);
                assert!(right <= width - 8.0, "{count} at {width}: {right}");
                let rows = (height - 4.0) / ROW;
                assert!(rows <= ROWS as f64 || count * 84 > 2 * 284, "{rows} rows");
            }
        }
        assert_eq!(height(&[""], 300.0).0, 0.0);
    }
}
