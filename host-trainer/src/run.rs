//! The run folder: what a training run leaves, written so that a kill at any instant loses nothing.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | options and origin |
//! | `metrics.jsonl` | one line an evaluation |
//! | `samples.jsonl` | what the net wrote at each evaluation ([`crate::samples`]) |
//! | `best.safetensors` | the parameters with the lowest held-out loss |
//! | `last.safetensors` | the newest parameters, with optimizer and state: `--resume` goes on from here |
//! | `previous.safetensors` | the one before, for the case that the newest is damaged |
//! | `loss.png` | the loss curve |
//! | `.lock` | empty; locked by the process that trains here, and free again when that ends, however it ends |
//!
//! `keep.rs` has the two generations of checkpoints, `saver.rs` what happens while the disk is full, `change.rs` what
//! may be changed when a run is resumed. docs/runs.md is the text for users.

mod change;
mod keep;
mod saver;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::samples;

pub use change::{Change, change};
pub use keep::{Damaged, Found};
pub use saver::Saver;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// Characters trained on.
    pub characters: u64,
    /// Mean training loss since the line before, nats a character.
    pub train_nats: f64,
    /// Held-out loss, nats a character.
    pub valid_nats: f64,
    /// The same in bits.
    pub valid_bpc: f64,
    /// Whether this was the lowest so far.
    pub best: bool,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Global norm of the last gradient, before clipping.
    pub gradient_norm: f64,
    /// Time spent training so far, in seconds.
    pub seconds: f64,
    /// Characters a second since the line before.
    pub characters_per_second: f64,
}

/// How a run folder may be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It must not exist, or hold only what a run killed before its first checkpoint leaves.
    New,
    /// Its run files are replaced; other files stay.
    Force,
    /// It must hold a run.
    Resume,
}

/// An opened run folder; no other process can open it until all clones of this are gone.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    save_every: Duration,
    _lock: Arc<File>,
}

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const PREVIOUS: &str = "previous.safetensors";
const PLOT: &str = "loss.png";
const LOCK: &str = ".lock";
/// Probe for write permission; its temporary file is what is made and removed.
const PROBE: &str = ".writable";

/// Time between checkpoints within an epoch.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// Whether a folder holds only what a start leaves that was killed before the first checkpoint had its name.
fn unborn(path: &Path) -> bool {
    let leftover = |name: &Path| {
        [LOCK, &format!("{LAST}.tmp"), &format!("{PROBE}.tmp")]
            .iter()
            .any(|left| name == Path::new(left))
    };
    path.join(LOCK).is_file()
        && fs::read_dir(path).is_ok_and(|mut entries| {
            entries.all(|entry| entry.is_ok_and(|entry| leftover(Path::new(&entry.file_name()))))
        })
}

/// Locks a run folder for this process.
///
/// A file system without locks does not keep anybody from training: then there is no lock.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| Error::Write { path, source })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Busy(folder.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

impl RunFolder {
    /// Checks the folder without changing anything that is in it, creates it if needed, and locks it.
    ///
    /// # Errors
    /// [`Error::OutputExists`], [`Error::NotAFolder`], [`Error::NothingToResume`], [`Error::Busy`], or [`Error::Write`].
    pub fn open(path: &Path, mode: Mode) -> Result<Self> {
        let failed = |source| Error::Write {
            path: path.to_owned(),
            source,
        };
        if path.exists() && !path.is_dir() {
            return Err(Error::NotAFolder(path.to_owned()));
        }
        match mode {
            Mode::New if path.exists() && !unborn(path) => {
                return Err(Error::OutputExists(path.to_owned()));
            }
            Mode::Resume
                if ![LAST, PREVIOUS]
                    .iter()
                    .any(|name| path.join(name).is_file()) =>
            {
                return Err(Error::NothingToResume(path.to_owned()));
            }
            _ => {}
        }
        fs::create_dir_all(path).map_err(failed)?;
        let lock = lock(path)?;
        // Somebody may have started a run here, and ended it, since the look above.
        if mode == Mode::New && !unborn(path) {
            return Err(Error::OutputExists(path.to_owned()));
        }
        files::check_writable(&path.join(PROBE), true)?;
        let folder = Self {
            path: path.to_owned(),
            save_every: SAVE_EVERY,
            _lock: Arc::new(lock),
        };
        if mode != Mode::Force {
            folder.sweep()?;
        }
        Ok(folder)
    }

    /// With another time between checkpoints; zero means after every window.
    #[must_use]
    pub fn saving_every(mut self, save_every: Duration) -> Self {
        self.save_every = save_every;
        self
    }

    /// Time between checkpoints within an epoch.
    pub fn save_every(&self) -> Duration {
        self.save_every
    }

    /// Removes the temporary files that a killed run has left.
    fn sweep(&self) -> Result<()> {
        [CONFIG, METRICS, samples::FILE, BEST, LAST, PREVIOUS, PLOT]
            .iter()
            .try_for_each(|name| self.remove(&files::temporary(&self.path.join(name))))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        files::remove_if_there(path).map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Removes the run files of an earlier run, and only those; damaged ones that were set aside stay.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn clear(&self) -> Result<()> {
        for name in [LAST, PREVIOUS, BEST, METRICS, samples::FILE, CONFIG, PLOT] {
            self.remove(&self.path.join(name))?;
        }
        self.sweep()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `best.safetensors`.
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// `last.safetensors`.
    pub fn last(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// `previous.safetensors`.
    pub fn previous(&self) -> PathBuf {
        self.path.join(PREVIOUS)
    }

    /// `loss.png`.
    pub fn plot(&self) -> PathBuf {
        self.path.join(PLOT)
    }

    /// Writes `config.json`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        let path = self.path.join(CONFIG);
        let mut text = serde_json::to_string_pretty(config).map_err(|error| Error::Write {
            path: path.clone(),
            source: error.into(),
        })?;
        text.push('\n');
        files::write(&path, text.as_bytes())
    }

    /// Appends a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::Write`]; then the file is as it was.
    pub fn append_metrics(&self, metrics: &Metrics) -> Result<()> {
        let path = self.path.join(METRICS);
        let line = serde_json::to_string(metrics).map_err(|error| Error::Write {
            path: path.clone(),
            source: error.into(),
        })?;
        files::append(&path, &(line + "\n"))
    }

    /// Keeps the lines of `metrics.jsonl` up to `step`, drops later ones and any torn by a kill, and returns those it
    /// understands.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`].
    pub fn rewind_metrics(&self, step: u64) -> Result<Vec<Metrics>> {
        let path = self.path.join(METRICS);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
        };
        // A line of another version of this program is kept though it is not understood; a torn one is no JSON.
        let kept: Vec<&[u8]> = bytes
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| {
                serde_json::from_slice::<serde_json::Value>(line)
                    .is_ok_and(|line| line["step"].as_u64().is_some_and(|at| at <= step))
                    && line.ends_with(b"\n")
            })
            .collect();
        let lines = kept.concat();
        if lines != bytes {
            files::write(&path, &lines)?;
        }
        Ok(kept
            .iter()
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect())
    }
}
