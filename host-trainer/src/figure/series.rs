//! What a chart shows: lines, marks, or both.

use gatelet::visible::line;

use super::Form;

/// Width of a line, and radius of a mark and of a small one.
pub(super) const LINE: f64 = 2.2;
pub(super) const MARK: f64 = 4.6;
const SMALL: f64 = 3.4;

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A line.
    Line,
    /// A broken line.
    Dashed,
    /// Marks without a line.
    Marks(Form),
    /// Small marks without a line: single results beside their mean.
    Small(Form),
    /// A line with marks at its points.
    Joined(Form),
}

impl Look {
    /// Whether there is a line, and whether it is broken.
    pub(super) fn line(self) -> Option<bool> {
        match self {
            Self::Line | Self::Joined(_) => Some(false),
            Self::Dashed => Some(true),
            Self::Marks(_) | Self::Small(_) => None,
        }
    }

    /// The marks' form and radius.
    pub(super) fn mark(self) -> Option<(Form, f64)> {
        match self {
            Self::Marks(form) | Self::Joined(form) => Some((form, MARK)),
            Self::Small(form) => Some((form, SMALL)),
            Self::Line | Self::Dashed => None,
        }
    }
}

/// One line, or the marks of one kind.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend; none without a name.
    pub label: String,
    /// Its points, ascending; those that are not finite (or not positive on a log axis) are left out.
    pub points: Vec<(f64, f64)>,
    /// 0..=5.
    pub color: u8,
    /// How it looks.
    pub look: Look,
    /// Pixels to the right that its marks stand, so that those of several series at one number stand side by side.
    pub shift: f64,
}

impl Series {
    /// A line that is not dashed.
    pub fn line(label: &str, color: u8, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self {
            label: line(label).to_string(),
            points: points.into_iter().collect(),
            color,
            look: Look::Line,
            shift: 0.0,
        }
    }

    /// The same with another look.
    pub fn look(self, look: Look) -> Self {
        Self { look, ..self }
    }
}
