//! Where the names of points go, so that none hides another, a mark, or sticks out.
//!
//! ```text
//! for each name, those that have to be there first:
//!     boxes around its point, near ones first: right, left, above, below, the corners
//!     cost = what is hidden of marks and names + a little for distance and for lines below
//!     take the cheapest;  leave the name out if it would hide something and need not be there
//! ```

use super::text_width;

/// Font size of the names.
pub(super) const SIZE: f64 = 11.0;
/// Height of a name.
const HEIGHT: f64 = 13.0;
/// Distances from a point that are tried; from the third on a line leads from the point to its name.
const DISTANCES: [f64; 6] = [7.0, 11.0, 20.0, 32.0, 46.0, 62.0];
const LED: f64 = 15.0;

/// A name and its point.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The point, in the numbers of the axes.
    pub at: (f64, f64),
    /// Its name.
    pub text: String,
    /// Whether it is shown even where it hides something.
    pub needed: bool,
}

/// A rectangle: left, top, right, bottom.
type Rectangle = [f64; 4];

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    /// Index of the label.
    pub(super) index: usize,
    /// Its rectangle.
    pub(super) area: Rectangle,
    /// Where the line from the point ends, if one is needed.
    pub(super) leader: Option<(f64, f64)>,
}

/// Area that two rectangles share.
fn shared(a: &Rectangle, b: &Rectangle) -> f64 {
    let across = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    across * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0)
}

/// The place of one name in a direction from its point.
fn area((x, y): (f64, f64), width: f64, (dx, dy): (f64, f64), far: f64) -> Rectangle {
    let slant = if dx != 0.0 && dy != 0.0 { 0.72 } else { 1.0 };
    let left = match dx {
        1.0 => x + far * slant,
        -1.0 => x - far * slant - width,
        _ => x - width / 2.0,
    };
    let top = match dy {
        1.0 => y + far * slant,
        -1.0 => y - far * slant - HEIGHT,
        _ => y - HEIGHT / 2.0,
    };
    [left, top, left + width, top + HEIGHT]
}

const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (1.0, -1.0),
    (-1.0, -1.0),
    (1.0, 1.0),
    (-1.0, 1.0),
];

/// Places the names of points given in pixels within `bounds`. `marks` are what must not be hidden,
/// `lines` what should rather not be.
pub(super) fn place(
    labels: &[(Label, (f64, f64))],
    marks: &[Rectangle],
    lines: &[Rectangle],
    bounds: Rectangle,
) -> Vec<Placed> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&index| !labels[index].0.needed);
    let mut placed: Vec<Placed> = Vec::new();
    for index in order {
        let (label, point) = &labels[index];
        let width = text_width(&label.text, SIZE);
        let mut best: Option<(f64, f64, Rectangle, f64)> = None;
        for (near, &far) in DISTANCES.iter().enumerate() {
            for (rank, &direction) in DIRECTIONS.iter().enumerate() {
                let area = area(*point, width, direction, far);
                let inside = area[0] >= bounds[0] && area[2] <= bounds[2];
                if !(inside && area[1] >= bounds[1] && area[3] <= bounds[3]) {
                    continue;
                }
                let names = placed.iter().map(|p| shared(&p.area, &area)).sum::<f64>();
                let hidden = marks.iter().map(|mark| shared(mark, &area)).sum::<f64>();
                let below = lines.iter().map(|line| shared(line, &area)).sum::<f64>();
                let hides = 4.0 * names + hidden;
                let cost = 20.0 * hides + 3.0 * below + 25.0 * near as f64 + rank as f64;
                if best.is_none_or(|best| cost < best.0) {
                    best = Some((cost, hides, area, far));
                }
            }
        }
        let Some((_, hides, area, far)) = best else {
            continue;
        };
        if hides > 1.0 && !label.needed {
            continue;
        }
        let leader = (far > LED).then(|| {
            let x = point.0.clamp(area[0], area[2]);
            let y = point.1.clamp(area[1] + 2.0, area[3] - 2.0);
            (x, y)
        });
        placed.push(Placed {
            index,
            area,
            leader,
        });
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(points: &[(f64, f64)], needed: bool) -> Vec<(Label, (f64, f64))> {
        let label = |(index, &at): (usize, &(f64, f64))| {
            let text = format!("lstm-1x{index}");
            (Label { at, text, needed }, at)
        };
        points.iter().enumerate().map(label).collect()
    }

    fn mark(&(x, y): &(f64, f64)) -> Rectangle {
        [x - 5.0, y - 5.0, x + 5.0, y + 5.0]
    }

    #[test]
    fn names_hide_neither_each_other_nor_marks_and_stay_inside() {
        let crowded: Vec<(f64, f64)> = (0..12)
            .map(|n| {
                (
                    120.0 + 22.0 * f64::from(n % 4),
                    100.0 + 18.0 * f64::from(n / 4),
                )
            })
            .chain([(4.0, 4.0), (396.0, 296.0)])
            .collect();
        let marks: Vec<Rectangle> = crowded.iter().map(mark).collect();
        let bounds = [0.0, 0.0, 400.0, 300.0];
        let placed = place(&names(&crowded, true), &marks, &[], bounds);
        assert_eq!(placed.len(), crowded.len());
        for (at, one) in placed.iter().enumerate() {
            let a = one.area;
            assert!(a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= 400.0 && a[3] <= 300.0);
            let others = placed[at + 1..].iter().map(|other| shared(&other.area, &a));
            let hidden = marks.iter().map(|mark| shared(mark, &a));
            let most = others.chain(hidden).fold(0.0, f64::max);
            assert!(most < 1.0, "{one:?} hides {most} square pixels");
        }
    }

    #[test]
    fn where_there_is_no_room_only_what_is_needed_is_named() {
        let points: Vec<(f64, f64)> = (0..40).map(|n| (50.0 + f64::from(n), 50.0)).collect();
        let mut all = names(&points, false);
        all[7].0.needed = true;
        let marks: Vec<Rectangle> = points.iter().map(mark).collect();
        let placed = place(&all, &marks, &[], [0.0, 0.0, 140.0, 100.0]);
        assert!(placed.len() < 40);
        assert_eq!(placed[0].index, 7);
    }
}
