//! Why something is not written.

use std::io;
use std::path::{Path, PathBuf};

/// Result of every operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something is not written. The text is one line and is shown to the user as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is there already, and nobody said that it may be replaced.
    #[error("{} exists already: choose another place for the output, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// It is what the command reads.
    #[error("{} is {}, which this command reads: no output replaces its own input; choose another place for the output", path.display(), named(path, input))]
    Input {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// It is what standard input comes from or standard output goes to.
    #[error("{} is also {stream}: choose another place for the output", path.display())]
    Stream {
        /// The output.
        path: PathBuf,
        /// Which of them.
        stream: &'static str,
    },
    /// It is a file of another kind.
    #[error("{} is not {kind}, and nothing else is replaced, not even with --force: remove it first, or choose another place for the output", path.display())]
    OtherKind {
        /// The file that is there.
        path: PathBuf,
        /// What was to be written, with its article.
        kind: &'static str,
    },
    /// Its owner took the right to write it away.
    #[error("{} is read-only: make it writable (chmod u+w) or remove it first, or choose another place for the output", .0.display())]
    ReadOnly(PathBuf),
    /// A link to nothing.
    #[error("{} is a symbolic link to {}, which is not there: remove the link, or name the file itself", path.display(), to.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What it names.
        to: PathBuf,
    },
    /// Something that holds no output.
    #[error("{} is {found}: choose another place for the output", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there, with its article.
        found: &'static str,
    },
    /// A file where a folder was wanted.
    #[error("{} is not a folder: choose another place for the output", .0.display())]
    NotAFolder(PathBuf),
}

/// The input as a user knows it; the same path twice would say nothing.
fn named(path: &Path, input: &Path) -> String {
    if path == input {
        "the input".to_owned()
    } else {
        format!("the input {}", input.display())
    }
}

impl Error {
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}
