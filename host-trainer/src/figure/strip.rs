//! A heat map above a chart, over the same horizontal axis: what was heard above what was said.

use super::axis::Axis;
use super::heat::{self, Palette};
use super::{Color, Figure};

/// Pixels of all its rows, and below them.
const HEIGHT: f64 = 88.0;
const GAP: f64 = 12.0;

/// The map.
#[derive(Clone, Debug)]
pub struct Strip<'a> {
    /// What its rows are.
    pub label: &'a str,
    /// Rows.
    pub rows: usize,
    /// `[columns, rows]`: column k begins at k on the horizontal axis; the first row is the lowest.
    pub values: &'a [f32],
}

impl Strip<'_> {
    /// Parts of the way from the least number to the greatest, the highest row first.
    fn parts(&self, columns: usize) -> Vec<f64> {
        let finite = self.values.iter().copied().filter(|x| x.is_finite());
        let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let part = |row: usize, column: usize| {
            let x = self.values[column * self.rows + row];
            f64::from((x - low) / (high - low).max(f32::MIN_POSITIVE))
        };
        let rows = (0..self.rows).rev();
        rows.flat_map(|row| (0..columns).map(move |column| part(row, column)))
            .collect()
    }

    /// Draws it below `top`, and says how much room it took.
    pub(super) fn draw(&self, figure: &mut Figure, x: &Axis, top: f64) -> f64 {
        let (first, last) = (x.place(0.0), x.pixels.1);
        // What begins at the end of the axis has no room there.
        let step = x.place(1.0) - first;
        let room = ((last - first) / step).round() as usize;
        let columns = (self.values.len() / self.rows.max(1)).min(room);
        if columns == 0 {
            return 0.0;
        }
        let cell = (step, HEIGHT / self.rows as f64);
        let parts = self.parts(columns);
        heat::cells(figure, (first, top), cell, columns, &parts, Palette::Part);
        figure.turned((11.0, top + HEIGHT / 2.0), self.label, 12.5);
        let end = first + step * columns as f64;
        figure.rule((first, top + HEIGHT), (end, top + HEIGHT), Color::Grid);
        HEIGHT + GAP
    }
}

#[cfg(test)]
mod tests {
    use super::super::Item;
    use super::*;
    use crate::figure::axis::Scale;

    #[test]
    fn columns_stand_at_their_step_and_the_lowest_row_is_lowest() {
        let values = [0.0, 1.0, 0.0, 3.0, 0.0, 2.0];
        let strip = Strip {
            label: "bands",
            rows: 2,
            values: &values,
        };
        let x = Axis {
            scale: Scale::Linear,
            range: (0.0, 2.0),
            pixels: (40.0, 240.0),
        };
        let mut figure = Figure::new("strip", "strip", "strip", (300.0, 200.0));
        assert_eq!(strip.draw(&mut figure, &x, 10.0), HEIGHT + GAP);
        let Item::Cells {
            at,
            cell,
            columns,
            colors,
        } = &figure.items[0]
        else {
            panic!("{:?}", figure.items[0]);
        };
        // The third column would begin where the axis ends.
        assert_eq!(
            (*at, cell.0, *columns, colors.len()),
            ((40.0, 10.0), 100.0, 2, 4)
        );
        let of = |part: f64| Palette::Part.color(part);
        assert_eq!(colors[..2], [of(1.0 / 3.0), of(1.0)]);
        assert_eq!(colors[2..], [of(0.0); 2]);
    }
}
