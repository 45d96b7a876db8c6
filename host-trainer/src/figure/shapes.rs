//! What a figure is made of: lines, marks, texts and cells, in CSS pixels and colours by role.

use std::fmt::Display;

use gatelet::visible::line;

/// A colour by its role; the theme decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Axes and text.
    Ink,
    /// Text of less weight.
    Muted,
    /// Lines behind the data.
    Grid,
    /// Data: 0 blue, 1 vermilion, 2 green, 3 purple, 4 orange, 5 grey.
    Series(u8),
}

impl Color {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Ink,
        Self::Muted,
        Self::Grid,
        Self::Series(0),
        Self::Series(1),
        Self::Series(2),
        Self::Series(3),
        Self::Series(4),
        Self::Series(5),
    ];

    /// Its class in an SVG, and its name in the page's style sheet.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Muted => "muted",
            Self::Grid => "grid",
            Self::Series(0) => "s0",
            Self::Series(1) => "s1",
            Self::Series(2) => "s2",
            Self::Series(3) => "s3",
            Self::Series(4) => "s4",
            Self::Series(_) => "s5",
        }
    }

    /// How it looks on white.
    pub(crate) fn light(self) -> [u8; 3] {
        match self {
            Self::Ink => [31, 35, 40],
            Self::Muted => [89, 99, 110],
            Self::Grid => [224, 227, 231],
            Self::Series(0) => [0, 114, 178],
            Self::Series(1) => [213, 94, 0],
            Self::Series(2) => [0, 158, 115],
            Self::Series(3) => [170, 68, 153],
            Self::Series(4) => [230, 159, 0],
            Self::Series(_) => [122, 128, 136],
        }
    }
}

/// The form of a mark. They are hollow, but for a tint: what lies beneath is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A circle.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle, its point up.
    Triangle,
    /// A square on its corner.
    Diamond,
}

impl Form {
    /// Corners around `at`, as far from it as makes all forms look alike in size; none of a circle.
    pub(crate) fn corners(self, (x, y): (f64, f64), radius: f64) -> Vec<(f64, f64)> {
        match self {
            Self::Circle => Vec::new(),
            Self::Square => {
                let r = 0.88 * radius;
                vec![
                    (x - r, y - r),
                    (x + r, y - r),
                    (x + r, y + r),
                    (x - r, y + r),
                ]
            }
            Self::Triangle => {
                let r = 1.25 * radius;
                let (across, down) = (0.866 * r, 0.5 * r);
                vec![(x, y - r), (x + across, y + down), (x - across, y + down)]
            }
            Self::Diamond => {
                let r = 1.2 * radius;
                vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
            }
        }
    }
}

/// Width of a mark's edge, and how much of its colour is inside.
pub(super) const EDGE: f64 = 1.8;
pub(super) const TINT: f64 = 0.22;

/// Which point of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// One shape. Positions are in CSS pixels from the figure's upper left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A line through points.
    Line {
        /// Its corners.
        points: Vec<(f64, f64)>,
        /// Its colour.
        color: Color,
        /// Its width.
        width: f64,
        /// Whether it is broken into dashes.
        dashed: bool,
    },
    /// A mark of a point.
    Mark {
        /// Its middle.
        at: (f64, f64),
        /// Its radius.
        radius: f64,
        /// Its form.
        form: Form,
        /// Its colour.
        color: Color,
    },
    /// A text of one line; its middle height is at the position.
    Text {
        /// Where its anchor is.
        at: (f64, f64),
        /// The text.
        text: String,
        /// Font size.
        size: f64,
        /// What of the text is at that position.
        anchor: Anchor,
        /// Its colour.
        color: Color,
        /// Whether it reads upwards.
        turned: bool,
    },
    /// A grid of coloured cells.
    Cells {
        /// Left and upper edge.
        at: (f64, f64),
        /// Width and height of one cell.
        cell: (f64, f64),
        /// Cells in a row.
        columns: usize,
        /// Colours, row by row.
        colors: Vec<[u8; 3]>,
    },
}

/// A picture. Its texts have no hidden character ([`gatelet::visible`]): the constructors see to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of the PNG, without `.png`.
    pub name: &'static str,
    /// Heading of the PNG; the page has headings of its own.
    pub title: String,
    /// What is to be seen, for those who cannot see it.
    pub alt: String,
    /// Width and height in CSS pixels.
    pub size: (f64, f64),
    /// Shapes, the hindmost first.
    pub items: Vec<Item>,
}

impl Figure {
    /// An empty picture.
    pub fn new(name: &'static str, title: &str, alt: &str, size: (f64, f64)) -> Self {
        Self {
            name,
            title: line(title).to_string(),
            alt: line(alt).to_string(),
            size,
            items: Vec::new(),
        }
    }

    /// Adds a straight line of one pixel.
    pub fn rule(&mut self, from: (f64, f64), to: (f64, f64), color: Color) {
        self.items.push(Item::Line {
            points: vec![from, to],
            color,
            width: 1.0,
            dashed: false,
        });
    }

    /// Adds a text.
    pub fn text(
        &mut self,
        at: (f64, f64),
        text: impl Display,
        size: f64,
        anchor: Anchor,
        color: Color,
    ) {
        self.items.push(Item::Text {
            at,
            text: line(text).to_string(),
            size,
            anchor,
            color,
            turned: false,
        });
    }

    /// Adds a text that reads upwards, its middle at `at`.
    pub fn turned(&mut self, at: (f64, f64), text: impl Display, size: f64) {
        self.items.push(Item::Text {
            at,
            text: line(text).to_string(),
            size,
            anchor: Anchor::Middle,
            color: Color::Muted,
            turned: true,
        });
    }
}
