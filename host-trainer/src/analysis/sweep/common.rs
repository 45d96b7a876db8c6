//! What all jobs of a sweep have in common, so that their losses can be compared.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// What all jobs of a sweep have in common; kept in `sweep.json` so that they stay comparable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// SHA-256 of the text or the data, in hexadecimal.
    pub sha256: String,
    /// Options of every job, in one line.
    pub options: String,
}

/// Its name.
pub const COMMON: &str = "sweep.json";

impl Common {
    /// Checks that the folder is new or holds a sweep of the same kind. `what` says what has the
    /// hash.
    ///
    /// # Errors
    /// [`Error::OtherSweep`], or [`Error::Read`] for a `sweep.json` that is none.
    pub fn check(&self, out: &Path, what: &'static str) -> Result<()> {
        let path = out.join(COMMON);
        let stored: Self = match files::read_plain(&path, files::JSON) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::Read { path, source }),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| Error::Read {
                path,
                source: error.into(),
            })?,
        };
        let differs = |what, stored: String, given: String| Error::OtherSweep {
            path: out.to_owned(),
            what,
            stored,
            given,
        };
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let said = |options: &str| match options {
            "" => "none".to_owned(),
            options => options.to_owned(),
        };
        if stored.sha256 != self.sha256 {
            let (stored, given) = (short(&stored.sha256), short(&self.sha256));
            return Err(differs(what, stored, given));
        }
        if stored.options != self.options {
            let (stored, given) = (said(&stored.options), said(&self.options));
            return Err(differs("set of options for its jobs", stored, given));
        }
        Ok(())
    }

    /// Writes `sweep.json`, and the folder if needed.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write(&self, out: &Path) -> Result<()> {
        let path = out.join(COMMON);
        files::folder(out)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::Write {
            path: path.clone(),
            source: error.into(),
        })?;
        files::write_as(files::SWEEP, &path, (text + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sweep_in_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let common = Common {
            sha256: "ab".repeat(32),
            options: "--epochs 3".to_owned(),
        };
        common.check(folder.path(), "text").unwrap();
        common.write(folder.path()).unwrap();
        common.check(folder.path(), "text").unwrap();
        let other = Common {
            options: String::new(),
            ..common.clone()
        };
        let error = other.check(folder.path(), "text").unwrap_err().to_string();
        assert!(error.contains("(--epochs 3, not none)"), "{error}");
        let other = Common {
            sha256: "cd".repeat(32),
            ..common
        };
        assert!(other.check(folder.path(), "text").is_err());
    }
}
