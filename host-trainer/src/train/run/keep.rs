//! Two generations of checkpoints, so that one whole checkpoint is on the disk at every instant.
//!
//! ```text
//! write:  a temporary file, synced;  previous = last (a second name of the same file);  rename it to last
//! load:   last if its seal holds, else previous, and say so; what is damaged gets another name and stays
//! ```
//! The second name is a hard link, so that `last.safetensors` is there all the time. Where a file system has no links,
//! it is renamed instead, and for an instant only `previous.safetensors` is there: `--resume` takes that too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::RunFolder;
use crate::any_model::LARGEST;
use crate::error::{Error, Result};
use crate::files;
use crate::train::checkpoint::Checkpoint;

/// Where a checkpoint to go on from was found, and what was found damaged on the way to it.
#[derive(Debug)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// Its optimizer steps.
    pub step: u64,
    /// Files that cannot be used.
    pub damaged: Vec<Damaged>,
}

/// A checkpoint that cannot be used.
#[derive(Debug)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it; it names the file.
    pub error: Error,
}

/// Reads and checks a checkpoint.
fn read(path: &Path) -> Result<Checkpoint> {
    let bytes = files::read_plain(path, LARGEST).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Checkpoint::from_bytes(&bytes, path)
}

/// Whether `error` says that the file is not there.
fn missing(error: &Error) -> bool {
    matches!(error, Error::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// Makes `last` the previous generation, while it keeps its own name.
fn rotate(last: &Path, previous: &Path) -> io::Result<()> {
    files::plain(previous)?;
    match files::second_name(last) {
        // It is removed when it goes: between two names of one file, a rename does nothing.
        Ok(second) => fs::rename(&second, previous),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => fs::rename(last, previous),
    }
}

impl RunFolder {
    /// Writes `last.safetensors`; the one that had this name becomes `previous.safetensors`.
    ///
    /// # Errors
    /// [`Error::Write`]; then both are as they were.
    pub fn write_last(&self, bytes: &[u8]) -> Result<()> {
        let (last, previous) = (self.last(), self.previous());
        self.check_held()?;
        files::write_after(&last, bytes, || rotate(&last, &previous))
    }

    /// Writes `best.safetensors`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_best(&self, bytes: &[u8]) -> Result<()> {
        self.check_held()?;
        files::write(&self.best(), bytes)
    }

    /// Held-out loss of `best.safetensors`, if that is there and whole.
    pub fn best_nats(&self) -> Option<f64> {
        read(&self.best()).ok()?.meta.provenance.nats
    }

    /// The newest whole checkpoint of the run; changes nothing.
    ///
    /// # Errors
    /// When neither generation is whole: what is wrong with them. [`Error::Read`] when one may not be read.
    pub fn load(&self) -> Result<(Checkpoint, Found)> {
        let mut damaged = Vec::new();
        let mut found = None;
        for path in [self.last(), self.previous()] {
            match read(&path) {
                Ok(checkpoint) => {
                    found = Some((checkpoint, path));
                    break;
                }
                Err(error) if missing(&error) => {}
                // That is for the user to mend, not a reason to fall back.
                Err(Error::Read { path, source })
                    if source.kind() == io::ErrorKind::PermissionDenied =>
                {
                    return Err(Error::Read { path, source });
                }
                Err(error) => damaged.push(Damaged { path, error }),
            }
        }
        let Some((checkpoint, path)) = found else {
            let mut errors = damaged.into_iter().map(|damaged| damaged.error);
            return Err(match (errors.next(), errors.next()) {
                (None, _) => Error::NothingToResume(self.path().to_owned()),
                (Some(only), None) => only,
                (Some(newest), Some(older)) => Error::NoneWhole {
                    newest: newest.to_string(),
                    older: older.to_string(),
                },
            });
        };
        match read(&self.best()) {
            Err(error) if !missing(&error) => damaged.push(Damaged {
                path: self.best(),
                error,
            }),
            _ => {}
        }
        let position = checkpoint.meta.position.as_ref();
        let step = position.map_or(0, |position| position.step);
        let found = Found {
            path,
            step,
            damaged,
        };
        Ok((checkpoint, found))
    }

    /// Gives the damaged files other names; returns a line about each, for the user.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn set_aside(&self, found: &Found) -> Result<Vec<String>> {
        let name = |path: &Path| {
            path.file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        };
        let from = format!("{} of step {}", name(&found.path), found.step);
        let mut lines = Vec::new();
        for Damaged { path, error } in &found.damaged {
            let aside = name(&files::set_aside(path)?);
            lines.push(if *path == self.best() {
                format!("{error}; it is kept as {aside}, and the next evaluation writes a new one")
            } else {
                format!("{error}; it is kept as {aside}, and the run goes on from {from}")
            });
        }
        if found.path == self.previous() && found.damaged.iter().all(|d| d.path != self.last()) {
            lines.push(format!(
                "{} is missing: the run goes on from {from}",
                self.last().display()
            ));
        }
        Ok(lines)
    }
}
