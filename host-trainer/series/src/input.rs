//! A file of DATA.

use std::path::PathBuf;

/// Which part of a split a file says it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Train,
    Valid,
    Test,
}

/// A file of DATA, and what its name says.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its name inside DATA.
    pub(crate) name: String,
    /// The class of its name or folder.
    pub(crate) class: Option<String>,
    /// The group of its name or folder.
    pub(crate) group: Option<String>,
    /// The part of a split.
    pub(crate) side: Option<Side>,
    /// A recording of what is asked.
    pub(crate) target: Option<PathBuf>,
}

impl Input {
    /// A file that stands alone.
    pub(crate) fn alone(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str());
        Self {
            name: name.to_string_lossy().into_owned(),
            path,
            class: None,
            group: None,
            side: None,
            target: None,
        }
    }
}
