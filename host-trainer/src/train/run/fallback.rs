//! Where a run goes whose folder cannot be written when it ends: a new folder elsewhere.
//!
//! ```text
//! DIR/gatelet-RUN-XXXXXX/   last.safetensors first, then the best net, metrics, samples, options
//! ```
//! It is a run folder like any other: `--resume` goes on there. What the old folder still gives is
//! copied, so that the new one has all of the run.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde::Serialize;

use super::{BEST, CONFIG, LAST, METRICS, Metrics, RunFolder};
use crate::any_model::LARGEST;
use crate::error::{Error, Result};
use crate::files;
use crate::train::samples::{self, Sample};

/// What is in memory of a run and may not be on the disk.
pub(super) struct Unsaved<'a> {
    pub(super) last: &'a [u8],
    pub(super) best: Option<&'a [u8]>,
    pub(super) metrics: &'a VecDeque<Metrics>,
    pub(super) samples: &'a VecDeque<Sample>,
}

/// The lines of values, as they are in a file.
fn lines<T: Serialize>(values: &VecDeque<T>) -> Vec<u8> {
    let lines = values
        .iter()
        .filter_map(|value| serde_json::to_string(value).ok());
    lines.flat_map(|line| (line + "\n").into_bytes()).collect()
}

impl RunFolder {
    /// The folder in which another one is made for a run that cannot be written into its own.
    pub fn fallback(&self) -> &PathBuf {
        &self.fallback
    }

    /// Writes a run into a new folder; gives that.
    ///
    /// # Errors
    /// [`Error::Write`]; then there is no new folder.
    pub(super) fn write_elsewhere(&self, unsaved: &Unsaved<'_>) -> Result<PathBuf> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!("gatelet-{name}-");
        let made = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.fallback);
        let folder = made.map_err(|source| Error::Write {
            path: self.fallback.clone(),
            source,
        })?;
        let path = |name: &str| folder.path().join(name);
        files::write(&path(LAST), unsaved.last)?;
        let old = |name: &str, most| files::read_plain(&self.path.join(name), most).ok();
        let best = unsaved.best.map(<[u8]>::to_owned);
        let grown = |name, new: Vec<u8>| {
            let whole = [old(name, files::LOG).unwrap_or_default(), new].concat();
            Some(whole).filter(|whole| !whole.is_empty())
        };
        for (name, bytes) in [
            (BEST, best.or_else(|| old(BEST, LARGEST))),
            (METRICS, grown(METRICS, lines(unsaved.metrics))),
            (samples::FILE, grown(samples::FILE, lines(unsaved.samples))),
            (CONFIG, old(CONFIG, files::JSON)),
        ] {
            if let Some(bytes) = bytes {
                files::write(&path(name), &bytes)?;
            }
        }
        Ok(folder.keep())
    }
}
