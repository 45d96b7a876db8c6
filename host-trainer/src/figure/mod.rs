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
mod shapes;
mod strip;
pub mod svg;

use std::path::{Path, PathBuf};

use gatelet::visible::picture;

pub use shapes::{Anchor, Color, Figure, Form, Item};

use crate::error::{Error, Result};
use crate::files::{self, Output, PNG, SVG};

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
