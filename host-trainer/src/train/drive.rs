//! The loop around the windows: evaluation, early stopping, checkpoints, files.
//!
//! ```text
//! until all epochs are done, the time is up, or the patience is:
//!     train on a window
//!     when due: held-out loss, best.safetensors if lower, metrics line, last.safetensors, loss.png
//!     when asked to stop: last.safetensors, and back
//! ```
//! A metrics line is written before the checkpoint that knows of it; a resumed run drops the lines its checkpoint does
//! not know of and writes them again, with the same numbers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{End, Position, Trainer};
use crate::error::{Error, Result};
use crate::plot;
use crate::run::{Metrics, RunFolder};

/// Time between checkpoints within an epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Told about the progress of a run.
pub trait Observer {
    /// After each window: `progress` in 0..1, and the mean loss of this window in nats.
    fn window(&mut self, position: &Position, progress: f64, nats: f64);
    /// After each evaluation.
    fn evaluation(&mut self, metrics: &Metrics);
}

impl Trainer<'_> {
    /// Trains to the end, writing the run folder; `stop` ends the run after the current window.
    ///
    /// # Errors
    /// [`Error::Diverged`] or [`Error::Write`]; what was written before stays.
    pub fn run(
        &mut self,
        folder: &RunFolder,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<End> {
        if let Some(end) = self.position.ended {
            return Ok(end);
        }
        let mut history = folder.rewind_metrics(self.position.step)?;
        let (begin, before) = (Instant::now(), self.position.seconds);
        let mut saved = Instant::now();
        loop {
            let (_, windows) = self.epoch_layout(self.position.epoch);
            let nats = self.step().map_err(|error| diverged(error, folder))?;
            self.position.seconds = before + begin.elapsed().as_secs_f64();
            let progress = self.progress(windows);
            observer.window(&self.position, progress, nats);
            let finished = self.position.epoch >= self.config.epochs;
            let out_of_time = self
                .config
                .minutes
                .is_some_and(|minutes| self.position.seconds >= 60.0 * minutes);
            let due = match self.config.eval_every {
                0 => self.position.window == 0,
                every => self.position.step.is_multiple_of(every),
            };
            if due || finished || out_of_time {
                let metrics = self.record(folder)?;
                observer.evaluation(&metrics);
                history.push(metrics);
                let early = self.config.patience > 0
                    && self.position.evaluations_since_best >= self.config.patience;
                self.position.ended = match (finished, out_of_time, early) {
                    (true, ..) => Some(End::Finished),
                    (_, true, _) => Some(End::Time),
                    (.., true) => Some(End::Early),
                    _ => None,
                };
                folder.write_checkpoint(&folder.last(), &self.checkpoint(true))?;
                plot::loss_curve(&folder.plot(), &history)?;
                saved = Instant::now();
            } else if saved.elapsed() >= CHECKPOINT_EVERY {
                folder.write_checkpoint(&folder.last(), &self.checkpoint(true))?;
                saved = Instant::now();
            }
            if self.position.ended.is_none() && stop.load(Ordering::Relaxed) {
                self.position.ended = Some(End::Interrupted);
                self.leave_usable(folder)?;
            }
            if let Some(end) = self.position.ended {
                return Ok(end);
            }
        }
    }

    /// Writes `last.safetensors`, and `best.safetensors` if there has been no evaluation yet.
    fn leave_usable(&mut self, folder: &RunFolder) -> Result<()> {
        if self.position.best_nats.is_none() {
            folder.write_checkpoint(&folder.best(), &self.checkpoint(false))?;
        }
        folder.write_checkpoint(&folder.last(), &self.checkpoint(true))
    }

    /// Evaluates; writes the metrics line and, if it is the lowest so far, `best.safetensors`.
    fn record(&mut self, folder: &RunFolder) -> Result<Metrics> {
        let begin = Instant::now();
        let valid_nats = self.evaluate();
        let (_, windows) = self.epoch_layout(self.position.epoch);
        let position = &mut self.position;
        let (characters, seconds) = position.evaluated_at;
        let best = position.best_nats.is_none_or(|best| valid_nats < best);
        let metrics = Metrics {
            epoch: position.epoch as f64 + position.window as f64 / windows as f64,
            step: position.step,
            characters: position.characters,
            train_nats: position.loss_sum / position.loss_count.max(1) as f64,
            valid_nats,
            valid_bpc: valid_nats / std::f64::consts::LN_2,
            best,
            lr: position.lr,
            gradient_norm: position.gradient_norm,
            seconds: position.seconds,
            characters_per_second: (position.characters - characters) as f64
                / (position.seconds - seconds).max(1e-9),
        };
        (position.loss_sum, position.loss_count) = (0.0, 0);
        position.evaluated_at = (
            position.characters,
            position.seconds + begin.elapsed().as_secs_f64(),
        );
        position.evaluations_since_best = if best {
            0
        } else {
            position.evaluations_since_best + 1
        };
        if best {
            position.best_nats = Some(valid_nats);
            self.provenance.nats = Some(valid_nats);
            self.provenance.epoch = self.position.epoch + usize::from(self.position.window > 0);
            folder.write_checkpoint(&folder.best(), &self.checkpoint(false))?;
        }
        folder.append_metrics(&metrics)?;
        Ok(metrics)
    }
}

/// Completes the message of a diverged run with what is left on disk.
fn diverged(error: Error, folder: &RunFolder) -> Error {
    match error {
        Error::Diverged {
            loss, step, epoch, ..
        } => {
            let kept = match folder.best().is_file() {
                true => format!(
                    "the best parameters so far are in {}",
                    folder.best().display()
                ),
                false => "no checkpoint was written yet".to_owned(),
            };
            Error::Diverged {
                loss,
                step,
                epoch,
                kept,
            }
        }
        other => other,
    }
}
