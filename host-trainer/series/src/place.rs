//! Where in a file something stands.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use gatelet::visible;

/// A row, as its reader counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Line of a text, from 1.
    Line(u64),
    /// Step of a sequence of an array, both from 0.
    Step(u64, u64),
    /// Frame of a recording, from 0.
    Frame(u64),
}

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Step(sequence, step) => write!(f, "sequence {sequence}, step {step}"),
            Self::Frame(frame) => write!(f, "frame {frame}"),
        }
    }
}

/// A number of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The row.
    pub at: At,
    /// The column's name.
    pub column: String,
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (path, column) = (visible::line(self.path.display()), &self.column);
        write!(f, "{path}, {}, column {}", self.at, shown(column))
    }
}

/// Characters of something from a file that a message shows.
const SHOWN: usize = 40;

/// Something from a file, as a terminal may show it: short, in one line.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    visible::line(short).to_string()
}

/// One thing or several.
pub(crate) fn counted(n: u64, one: &str, several: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {several}"),
    }
}

/// Names in a list, not all of very many.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(20).map(shown).collect();
    match names.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
