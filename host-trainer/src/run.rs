//! The run folder: what a training run leaves, written so that a kill at any instant loses nothing.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | options and origin |
//! | `metrics.jsonl` | one line an evaluation |
//! | `best.safetensors` | the parameters with the lowest held-out loss |
//! | `last.safetensors` | the newest parameters, with optimizer and state: `--resume` goes on from here |
//! | `loss.png` | the loss curve |

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::files;

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
    /// It must not exist.
    New,
    /// Its run files are replaced; other files stay.
    Force,
    /// It must hold a run.
    Resume,
}

/// An opened run folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const PLOT: &str = "loss.png";

impl RunFolder {
    /// Checks the folder without changing anything that is in it, and creates it if needed.
    ///
    /// # Errors
    /// [`Error::OutputExists`], [`Error::NotAFolder`], [`Error::NothingToResume`], or [`Error::Write`].
    pub fn open(path: &Path, mode: Mode) -> Result<Self> {
        let folder = Self {
            path: path.to_owned(),
        };
        if path.exists() && !path.is_dir() {
            return Err(Error::NotAFolder(path.to_owned()));
        }
        match mode {
            Mode::New if path.exists() => return Err(Error::OutputExists(path.to_owned())),
            Mode::Resume if !folder.last().is_file() => {
                return Err(Error::NothingToResume(path.to_owned()));
            }
            _ => {}
        }
        fs::create_dir_all(path).map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })?;
        files::check_writable(&path.join(".writable"), true)?;
        Ok(folder)
    }

    /// Removes the run files of an earlier run, and only those.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn clear(&self) -> Result<()> {
        for name in [LAST, BEST, METRICS, CONFIG, PLOT] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Write { path, source });
                }
                _ => {}
            }
        }
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

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_checkpoint(&self, path: &Path, checkpoint: &Checkpoint) -> Result<()> {
        files::write(path, &checkpoint.to_bytes()?)
    }

    /// Appends a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn append_metrics(&self, metrics: &Metrics) -> Result<()> {
        let path = self.path.join(METRICS);
        let line = serde_json::to_string(metrics).map_err(std::io::Error::from);
        line.and_then(|line| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)?
                .write_all((line + "\n").as_bytes())
        })
        .map_err(|source| Error::Write { path, source })
    }

    /// Keeps the lines of `metrics.jsonl` up to `step`, drops later ones and any torn by a kill, and returns them.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`].
    pub fn rewind_metrics(&self, step: u64) -> Result<Vec<Metrics>> {
        let path = self.path.join(METRICS);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
        };
        let parsed = |line: &str| {
            serde_json::from_str::<Metrics>(line)
                .ok()
                .filter(|m| m.step <= step)
        };
        let kept: Vec<(&str, Metrics)> = text
            .lines()
            .filter_map(|line| parsed(line).map(|m| (line, m)))
            .collect();
        let lines: String = kept.iter().map(|(line, _)| format!("{line}\n")).collect();
        if lines != text {
            files::write(&path, lines.as_bytes())?;
        }
        Ok(kept.into_iter().map(|(_, metrics)| metrics).collect())
    }
}
