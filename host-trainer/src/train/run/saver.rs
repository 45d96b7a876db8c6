//! Saving while the disk may be full: what cannot be written stays in memory and is tried again.
//!
//! ```text
//! save:   best.safetensors if there is a new one, the new metrics lines and samples, last.safetensors; the first failure ends it
//! failed: say it once, train on, try again after 1 s, 2 s, 4 s ... at most a minute
//! at the end of a run: the same for ten minutes at most; stopped, or with --fallback-dir, once more
//! then: the run goes into a new folder elsewhere (`fallback.rs`), or fails; what is on the disk stays as it is
//! ```
//! The order matters: a metrics line is on the disk before the checkpoint that knows of it. A resumed run drops the lines
//! its checkpoint does not know of and writes them again, with the same numbers.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::fallback::Unsaved;
use super::{Metrics, RunFolder};
use crate::error::{Error, Result};
use crate::train::checkpoint::Checkpoint;
use crate::train::samples::{self, Sample};

/// Wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait between two tries while training.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest wait between two tries at the end of a run.
const LONGEST_LAST_WAIT: Duration = Duration::from_secs(5);
/// Time for which a run that is done waits until its last state can be written.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is not on the disk yet, and when to try again.
#[derive(Debug)]
pub struct Saver<'f> {
    folder: &'f RunFolder,
    best: Option<Vec<u8>>,
    best_nats: Option<f64>,
    metrics: VecDeque<Metrics>,
    samples: VecDeque<Sample>,
    /// Steps of the newest checkpoint on the disk.
    step: u64,
    saved: Instant,
    trouble: Option<Trouble>,
}

/// The last try has failed.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    wait: Duration,
    again: Instant,
}

impl<'f> Saver<'f> {
    /// For a run whose checkpoint of `step` is on the disk.
    pub fn new(folder: &'f RunFolder, step: u64) -> Self {
        Self {
            folder,
            best: None,
            best_nats: folder.best_nats(),
            metrics: VecDeque::new(),
            samples: VecDeque::new(),
            step,
            saved: Instant::now(),
            trouble: None,
        }
    }

    /// Steps of the newest checkpoint on the disk.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Held-out loss of the parameters that are or will be in `best.safetensors`.
    pub fn best_nats(&self) -> Option<f64> {
        self.best_nats
    }

    /// A new `best.safetensors`, to be written with the next save.
    ///
    /// # Errors
    /// As [`Checkpoint::to_bytes`].
    pub fn best(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.best_nats = checkpoint.meta.provenance.nats;
        self.best = Some(checkpoint.to_bytes()?);
        Ok(())
    }

    /// A new metrics line, to be written with the next save.
    pub fn metrics(&mut self, metrics: Metrics) {
        self.metrics.push_back(metrics);
    }

    /// A new sample, to be written with the next save.
    pub fn sample(&mut self, sample: Sample) {
        self.samples.push_back(sample);
    }

    /// Whether a checkpoint is due by the clock.
    pub fn due(&self) -> bool {
        match self.trouble {
            Some(trouble) => Instant::now() >= trouble.again,
            None => self.saved.elapsed() >= self.folder.save_every(),
        }
    }

    /// Whether a checkpoint may be written now: not for a while after one that failed.
    pub fn ready(&self) -> bool {
        self.trouble.is_none() || self.due()
    }

    /// Writes `best.safetensors`, metrics lines and samples that are not on the disk.
    ///
    /// # Errors
    /// [`Error::Write`]; the rest waits for the next call.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(bytes) = &self.best {
            self.folder.write_best(bytes)?;
            self.best = None;
        }
        while let Some(metrics) = self.metrics.front() {
            self.folder.append_metrics(metrics)?;
            self.metrics.pop_front();
        }
        while let Some(sample) = self.samples.front() {
            samples::append(self.folder.path(), sample)?;
            self.samples.pop_front();
        }
        Ok(())
    }

    /// Writes everything now.
    ///
    /// # Errors
    /// [`Error::Write`]; what is on the disk is whole.
    pub fn save(&mut self, whole: &Checkpoint) -> Result<()> {
        self.flush()?;
        self.folder.write_last(&whole.to_bytes()?)?;
        let position = whole.meta.position.as_ref();
        self.step = position.map_or(self.step, |position| position.step);
        self.saved = Instant::now();
        Ok(())
    }

    /// Writes everything now, or, if the disk does not take it, says so and lets the run go on.
    ///
    /// # Errors
    /// Any but [`Error::Write`].
    pub fn try_save(&mut self, whole: &Checkpoint, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let error = match self.save(whole) {
            Ok(()) => {
                self.recovered(tell);
                return Ok(());
            }
            Err(error @ Error::Write { .. }) => error,
            Err(other) => return Err(other),
        };
        if self.trouble.is_none() {
            tell(&format!(
                "{error}; training goes on and tries again, on disk is step {}",
                self.step
            ));
        }
        let wait = self
            .trouble
            .map_or(FIRST_WAIT, |trouble| (2 * trouble.wait).min(LONGEST_WAIT));
        let again = Instant::now() + wait;
        self.trouble = Some(Trouble { wait, again });
        Ok(())
    }

    /// Writes everything at the end of a run, and waits for that if it has to. A `stop` that comes while it waits ends
    /// the waiting; a run that has ended by one (`stopped`) does not wait, nor does one that was told where else to go.
    ///
    /// # Errors
    /// [`Error::SavedElsewhere`] or [`Error::NotSaved`] when it could not be written in the end, or any that waiting
    /// does not help against.
    pub fn finish(
        &mut self,
        whole: &Checkpoint,
        stop: &AtomicBool,
        stopped: bool,
        tell: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let begin = Instant::now();
        let given_up = || stopped || self.folder.elsewhere || stop.load(Ordering::Relaxed);
        let mut wait = FIRST_WAIT;
        let mut told = false;
        loop {
            let (path, source) = match self.save(whole) {
                Ok(()) => {
                    self.recovered(tell);
                    return Ok(());
                }
                Err(Error::Write { path, source }) => (path, source),
                Err(other) => return Err(other),
            };
            if given_up() || begin.elapsed() >= PATIENCE {
                return Err(self.save_elsewhere(whole, path, source));
            }
            if !told {
                tell(&format!(
                    "cannot write {}: {source}; training is done, waiting up to {} minutes for room to write it; Ctrl-C writes it into {} instead",
                    path.display(),
                    PATIENCE.as_secs() / 60,
                    self.folder.fallback.display()
                ));
                told = true;
            }
            let again = Instant::now() + wait;
            while Instant::now() < again && !given_up() {
                sleep(Duration::from_millis(50));
            }
            wait = (2 * wait).min(LONGEST_LAST_WAIT);
            self.trouble = Some(Trouble { wait, again });
        }
    }

    /// The last resort: another folder. Says what came of it.
    fn save_elsewhere(&self, whole: &Checkpoint, path: PathBuf, source: io::Error) -> Error {
        let step = whole.meta.position.as_ref().map_or(0, |p| p.step);
        let written = whole.to_bytes().and_then(|last| {
            self.folder.write_elsewhere(&Unsaved {
                last: &last,
                best: self.best.as_deref(),
                metrics: &self.metrics,
                samples: &self.samples,
            })
        });
        match written {
            Ok(folder) => Error::SavedElsewhere {
                path,
                source,
                step,
                folder,
            },
            Err(error) => Error::NotSaved {
                path,
                source,
                fallback: self.folder.fallback.clone(),
                elsewhere: match error {
                    Error::Write { source, .. } => source.to_string(),
                    other => other.to_string(),
                },
                step,
                saved: self.step,
            },
        }
    }

    /// Says that the trouble is over, if there was any.
    fn recovered(&mut self, tell: &mut dyn FnMut(&str)) {
        if self.trouble.take().is_some() {
            tell(&format!(
                "{} could be written again, with step {}",
                self.folder.last().display(),
                self.step
            ));
        }
    }
}
