//! The run folder: what a training run leaves, written so that a kill at any instant loses nothing.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | options and origin |
//! | `metrics.jsonl` | one line an evaluation |
//! | `samples.jsonl` | what the net wrote at each evaluation ([`crate::train::samples`]) |
//! | `best.safetensors` | the parameters with the lowest held-out loss |
//! | `last.safetensors` | the newest parameters, with optimizer and state: `--resume` goes on from here |
//! | `previous.safetensors` | the one before, for the case that the newest is damaged |
//! | `loss.png` | the loss curve |
//! | `.lock` | empty; marks the folder, which is locked by the process that trains here, until that ends, however it ends |
//!
//! `keep.rs` has the two generations of checkpoints, `saver.rs` what happens while the disk is full, `fallback.rs` where
//! a run goes whose disk stays full, `change.rs` what may be changed when a run is resumed. docs/runs.md is the text for users.

mod change;
mod fallback;
mod keep;
mod metrics;
mod saver;

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use same_file::Handle;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::{self, Kind, Sweep};
use crate::train::samples;

pub use change::change;
pub use keep::{Damaged, Found};
pub use metrics::Metrics;
pub use saver::Saver;

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
    fallback: PathBuf,
    /// Whether the user named that one.
    elsewhere: bool,
    lock: Arc<Lock>,
}

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const PREVIOUS: &str = "previous.safetensors";
const PLOT: &str = "loss.png";
/// How the names of checkpoints end.
const CHECKPOINTS: &str = ".safetensors";
const LOCK: &str = ".lock";
/// The files of a run, newest checkpoint first, and what each has to be to be replaced.
const FILES: [(&str, Kind); 7] = [
    (LAST, files::CHECKPOINT),
    (PREVIOUS, files::CHECKPOINT),
    (BEST, files::CHECKPOINT),
    (METRICS, files::LINES),
    (samples::FILE, files::LINES),
    (CONFIG, files::CONFIG),
    (PLOT, files::PNG),
];

/// Time between checkpoints within an epoch.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// Whether a folder holds only what a start leaves that was killed before the first checkpoint had its name.
fn unborn(path: &Path) -> bool {
    let leftover = |name: &str| name == LOCK || gatelet_files::is_temporary(name);
    path.join(LOCK).is_file()
        && fs::read_dir(path).is_ok_and(|mut entries| {
            entries.all(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(leftover))
            })
        })
}

/// What keeps others out of a run folder: locks of the operating system, which go with the process.
///
/// The folder itself is locked, so that deleting a file does not let anybody in. Where folders cannot
/// be locked, as on Windows and NFS, the file `.lock` is, and has to stay where it is.
#[derive(Debug)]
struct Lock {
    folder: Handle,
    file: Handle,
    /// Whether the lock of the folder holds.
    whole: bool,
}

impl Lock {
    /// Locks a run folder for this process.
    ///
    /// A file system without locks does not keep anybody from training: then there is no lock.
    fn new(path: &Path) -> Result<Self> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, source }
        };
        let name = path.join(LOCK);
        let folder = Handle::from_path(path).map_err(failed(path))?;
        let whole = match folder.as_file().try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(Error::Busy(path.to_owned())),
            Err(TryLockError::Error(_)) => false,
        };
        let file = files::open_to_append(&name).and_then(Handle::from_file);
        let file = file.map_err(failed(&name))?;
        if let Err(TryLockError::WouldBlock) = file.as_file().try_lock() {
            return Err(Error::Busy(path.to_owned()));
        }
        Ok(Self {
            folder,
            file,
            whole,
        })
    }

    /// Checks that what is locked is still what has the name.
    fn check(&self, path: &Path) -> io::Result<()> {
        let same = Handle::from_path(path)? == self.folder
            && (self.whole || Handle::from_path(path.join(LOCK))? == self.file);
        match same {
            true => Ok(()),
            false => Err(io::Error::other(
                "another folder, or another .lock, has taken its place",
            )),
        }
    }
}

/// Checks that under the names of a run's files there are a run's files, and no links.
fn check_files(folder: &Path) -> Result<()> {
    FILES
        .iter()
        .try_for_each(|(name, kind)| files::check_plain(*kind, &folder.join(name)))
}

impl RunFolder {
    /// Checks the folder without changing anything that is in it, creates it if needed, and locks it.
    ///
    /// # Errors
    /// [`Error::OutputExists`], [`Error::NotAFolder`], [`Error::NothingToResume`], [`Error::Busy`], or [`Error::Write`].
    pub fn open(path: &Path, mode: Mode) -> Result<Self> {
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
            _ => check_files(path)?,
        }
        files::folder(path)?;
        let lock = Lock::new(path)?;
        // Somebody may have started a run here, and ended it, since the look above.
        if mode == Mode::New && !unborn(path) {
            return Err(Error::OutputExists(path.to_owned()));
        }
        files::probe(path)?;
        let folder = Self {
            path: path.to_owned(),
            save_every: SAVE_EVERY,
            fallback: std::env::temp_dir(),
            elsewhere: false,
            lock: Arc::new(lock),
        };
        if mode != Mode::Force {
            files::sweep(path, Sweep::Own);
        }
        Ok(folder)
    }

    /// Checks that no file of the run is one that it is made from.
    ///
    /// # Errors
    /// [`Error::Output`] names both.
    pub fn check_apart(&self, inputs: &[&Path]) -> Result<()> {
        let all = FILES.iter().map(|(name, _)| self.path.join(name));
        all.into_iter()
            .try_for_each(|path| files::check_apart(&path, inputs))
    }

    /// Checks that this process still holds the folder of that name.
    fn check_held(&self) -> Result<()> {
        let held = self.lock.check(&self.path);
        held.map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// With another time between checkpoints; zero means after every window.
    #[must_use]
    pub fn saving_every(mut self, save_every: Duration) -> Self {
        self.save_every = save_every;
        self
    }

    /// With another folder than the system's for temporary files to make one in, at the end of a run
    /// that cannot be written where it belongs.
    ///
    /// # Errors
    /// [`Error::Output`] or [`Error::Write`] when it is no folder that can be written.
    pub fn falling_back_to(mut self, folder: &Path) -> Result<Self> {
        files::folder(folder)?;
        files::probe(folder)?;
        (self.fallback, self.elsewhere) = (folder.to_owned(), true);
        Ok(self)
    }

    /// Time between checkpoints within an epoch.
    pub fn save_every(&self) -> Duration {
        self.save_every
    }

    /// Removes the run files of an earlier run, and only those. Damaged checkpoints get another name
    /// and stay, as those that were set aside before.
    ///
    /// # Errors
    /// [`Error::Write`], and [`Error::Output`] for a file that no run left.
    pub fn clear(&self) -> Result<()> {
        check_files(&self.path)?;
        for (name, _) in FILES {
            let path = self.path.join(name);
            if name.ends_with(CHECKPOINTS) && path.exists() && !files::has_header(&path) {
                files::set_aside(&path)?;
            }
            files::remove_if_there(&path).map_err(|source| Error::Write { path, source })?;
        }
        files::sweep(&self.path, Sweep::Own);
        Ok(())
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
        self.check_held()?;
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
        self.check_held()?;
        files::append(&path, &(line + "\n"))
    }

    /// Keeps the lines of `metrics.jsonl` up to `step`, drops later ones and any torn by a kill, and returns those it
    /// understands.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`].
    pub fn rewind_metrics(&self, step: u64) -> Result<Vec<Metrics>> {
        let path = self.path.join(METRICS);
        let bytes = match files::read_plain(&path, files::LOG) {
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
