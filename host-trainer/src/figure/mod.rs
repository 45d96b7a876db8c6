//! Figures as lists of shapes, drawn once and shown twice: as SVG in the page ([`svg`]) and as PNG beside it ([`raster`]).
//!
//! ```text
//! data -> chart or heat -> Figure { items in CSS pixels } -> SVG, colours by name: the page's theme
//!                                                         -> PNG of twice the size, light theme
//! ```
//! A picture of one drawing code cannot say something else in the page than in the file beside it.
//! Colours are those of Okabe and Ito, which people of every colour vision tell apart, and marks
//! differ in shape too; heat maps have the palettes of ColorBrewer.

pub mod axis;
pub mod chart;
mod font;
pub mod heat;
mod labels;
mod legend;
pub mod raster;
mod series;
pub mod svg;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use gatelet::visible::{line, picture};

use crate::error::{Error, Result};
use crate::files::{self, Output, PNG, SVG};

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
const EDGE: f64 = 1.8;
const TINT: f64 = 0.22;

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

/// Writes a figure to `folder`, which is made where it is missing, as NAME.png and NAME.svg; other
/// pictures of this program are replaced. Gives the PNG's path.
///
/// # Errors
/// [`Error::Plot`], [`Error::Output`] or [`Error::Write`].
pub fn save(figure: &Figure, folder: &Path) -> Result<PathBuf> {
    save_apart(figure, folder, &[])
}

/// The same, where it may not replace the `inputs` that it is made from.
///
/// # Errors
/// As [`save`].
pub fn save_apart(figure: &Figure, folder: &Path, inputs: &[&Path]) -> Result<PathBuf> {
    files::folder(folder)?;
    let path = folder.join(format!("{}.png", figure.name));
    let png = raster::draw(figure).map_err(|what| Error::Plot {
        path: path.clone(),
        what,
    })?;
    let vector = path.with_extension("svg");
    let output = |path, kind| Output::new(path, kind, true).made_from(inputs);
    output(&vector, SVG).check()?;
    output(&path, PNG).write(&png)?;
    output(&vector, SVG).write(svg::file(figure).as_bytes())?;
    Ok(path)
}

/// Width of a text in pixels in the pictures' font, which is wider than the page's usual ones.
pub fn text_width(text: &str, size: f64) -> f64 {
    font::width(text, size)
}

/// As much of a text as fits, with a sign that there was more.
pub(crate) fn fitting(text: &str, size: f64, most: f64) -> String {
    if text_width(text, size) <= most {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while !short.is_empty() && text_width(&short, size) + text_width("…", size) > most {
        short.pop();
    }
    short.trim_end().to_owned() + "…"
}

/// A character as it can be seen: blanks and controls have signs of their own.
pub fn visible(c: char) -> char {
    match c {
        ' ' => '␣',
        '\u{a0}' => '⍽',
        c => picture(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_text_that_is_too_long_says_so() {
        assert_eq!(fitting("short", 12.0, 100.0), "short");
        let cut = fitting("a run with a rather long name", 12.0, 100.0);
        assert!(cut.starts_with("a run") && cut.ends_with('…'), "{cut}");
        assert!(text_width(&cut, 12.0) <= 100.0);
        assert!(text_width("iiii", 12.0) < text_width("mmmm", 12.0));
    }

    #[test]
    fn the_page_has_the_same_palette() {
        let style = include_str!("../page/style.css");
        for color in Color::ALL {
            let [r, g, b] = color.light();
            let rule = format!("--{}: #{r:02x}{g:02x}{b:02x}", color.name());
            assert!(style.contains(&rule), "{rule}");
            assert!(style.matches(&format!("--{}:", color.name())).count() >= 2);
        }
    }

    #[test]
    fn a_saved_figure_is_a_png_and_an_svg() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("not yet there");
        let path = save(&Figure::new("f", "t", "a", (40.0, 20.0)), &folder).expect("saved");
        assert!(fs::read(&path).expect("a file").starts_with(b"\x89PNG"));
        let svg = fs::read_to_string(folder.join("f.svg")).expect("a file");
        assert!(svg.starts_with("<svg"));
        // A file where the folder should be.
        let error = save(&Figure::new("f", "t", "a", (40.0, 20.0)), &path).unwrap_err();
        assert!(error.to_string().contains("f.png"), "{error}");
    }
}
