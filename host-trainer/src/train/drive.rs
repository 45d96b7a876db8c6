//! The loop around the windows: evaluation, early stopping, checkpoints, and when to give up.
//!
//! ```text
//! save, so that there is a checkpoint from the first moment on
//! until all epochs are done, the time is up, or a cooldown is over:
//!     train on a window
//!     when due: held-out loss; best.safetensors if lower, a metrics line, last.safetensors, loss.png
//!     when the patience is exhausted: back to the best parameters, and a cooldown begins
//!     when asked to stop: last.safetensors, and back
//! ```
//! A run diverges when loss or gradient is not finite, or *explodes*: the loss of each of
//! [`EXPLODED_WINDOWS`] windows in a row is above [`EXPLODED_TIMES`] that of a net that knows
//! nothing (ln(vocabulary) of a text), so such a net is far worse than none, and has been for longer
//! than a bad window lasts. While a window is above that limit no checkpoint is written: the newest
//! on the disk is of a state that was still good.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::position::{cooldown, exhausted, limits, may_cool_down};
use super::{End, Position, Trainer};
use crate::error::{Error, Result};
use crate::train::checkpoint::torch_name;
use crate::train::curves::write_loss;
use crate::train::dataset::Judged;
use crate::train::run::{Metrics, RunFolder, Saver};
use crate::train::samples;
use crate::train::terms::Terms;

/// A run with a loss above so many times that of a net that knows nothing ...
const EXPLODED_TIMES: f64 = 1.5;
/// ... for so many windows in a row is given up.
const EXPLODED_WINDOWS: u32 = 50;

/// Shortest time between two drawings of the loss curve; the last one is always drawn.
const DRAW_EVERY: Duration = Duration::from_secs(5);

/// Told about the progress of a run.
pub trait Observer {
    /// After each window: `progress` in 0..1, and the mean loss of this window in nats.
    fn window(&mut self, position: &Position, progress: f64, nats: f64);
    /// After each evaluation.
    fn evaluation(&mut self, metrics: &Metrics);
    /// Something the user should know, in one line: a checkpoint that cannot be written.
    fn notice(&mut self, _line: &str) {}
}

/// The loss curve: a failure to draw it is said once and is no reason to stop.
#[derive(Default)]
struct Picture {
    drawn: Option<Instant>,
    stale: bool,
    failed: bool,
}

impl Picture {
    fn due(&self, end: bool) -> bool {
        let long = self.drawn.is_none_or(|at| at.elapsed() >= DRAW_EVERY);
        self.stale && (end || long)
    }

    fn draw(
        &mut self,
        folder: &RunFolder,
        (history, terms): (&[Metrics], Terms),
        tell: &mut dyn FnMut(&str),
    ) {
        let drawing = write_loss(&folder.plot(), history, terms);
        if let (Err(error), false) = (&drawing, self.failed) {
            tell(&format!("{error}; training goes on without"));
        }
        (self.failed, self.stale) = (drawing.is_err(), false);
        self.drawn = Some(Instant::now());
    }
}

impl Trainer<'_> {
    /// Trains to the end, writing the run folder; `stop` ends the run after the current window.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Exploded`], [`Error::NotSaved`], or [`Error::Write`] at the start; what was written
    /// before stays.
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
        samples::rewind(folder.path(), self.position.step)?;
        let mut saver = Saver::new(folder, self.position.step);
        if self.position.step == 0 {
            if self.config.qat.is_some() {
                self.record_start(&mut saver)?;
            }
            saver.save(&self.checkpoint(true))?;
        }
        let (begin, before) = (Instant::now(), self.position.seconds);
        let limit = EXPLODED_TIMES * self.data.unknowing();
        let mut above = 0;
        let mut picture = Picture::default();
        loop {
            let windows = self.windows(self.position.epoch);
            let nats = self
                .step()
                .map_err(|error| self.gave_up(error, &mut saver, folder))?;
            self.position.seconds = before + begin.elapsed().as_secs_f64();
            let progress = self.progress(windows);
            observer.window(&self.position, progress, nats);
            above = if nats > limit { above + 1 } else { 0 };
            if above == EXPLODED_WINDOWS {
                let error = Error::Exploded {
                    limit,
                    windows: above,
                    loss: nats,
                    step: self.position.step,
                    epoch: self.position.epoch + 1,
                    kept: String::new(),
                };
                return Err(self.gave_up(error, &mut saver, folder));
            }
            let due = match self.config.eval_every {
                0 => self.position.window == 0,
                every => self.position.step.is_multiple_of(every),
            };
            let (finished, out_of_time) = limits(&self.position, &self.config);
            let cooled = self.position.cooldown;
            let cooled = cooled.is_some_and(|cooldown| cooldown.is_over(self.position.step));
            let evaluated = due || finished || out_of_time || cooled;
            let interrupted = stop.load(Ordering::Relaxed);
            if evaluated || interrupted || saver.due() {
                self.check_parameters()
                    .map_err(|error| self.gave_up(error, &mut saver, folder))?;
            }
            if evaluated {
                let metrics = self
                    .record(&mut saver)
                    .map_err(|error| self.gave_up(error, &mut saver, folder))?;
                observer.evaluation(&metrics);
                history.push(metrics);
                self.position.ended = End::of(&self.position, &self.config);
                self.cool_down();
            }
            if self.position.ended.is_none() && interrupted {
                self.position.ended = Some(End::Interrupted);
                if saver.best_nats().is_none() && self.position.best_nats.is_none() {
                    saver.best(&self.checkpoint(false))?;
                }
            }
            let mut tell = |line: &str| observer.notice(line);
            if let Some(end) = self.position.ended {
                let stopped = end == End::Interrupted;
                saver.finish(&self.checkpoint(true), stop, stopped, &mut tell)?;
            } else if (evaluated || saver.due()) && saver.ready() && above == 0 {
                saver.try_save(&self.checkpoint(true), &mut tell)?;
            }
            picture.stale |= evaluated;
            if picture.due(self.position.ended.is_some()) {
                picture.draw(folder, (&history, self.data.terms()), &mut tell);
            }
            if let Some(end) = self.position.ended {
                return Ok(end);
            }
        }
    }

    /// Begins the cooldown with the best parameters, if it is time for it.
    fn cool_down(&mut self) {
        let position = &mut self.position;
        if position.ended.is_some()
            || position.cooldown.is_some()
            || !exhausted(position, &self.config)
        {
            return;
        }
        position.cooldown = cooldown(position, &self.config);
        if let (Some(best), Some(_)) = (self.best.take(), position.cooldown) {
            self.learner.params_mut().data = best;
        }
    }

    /// Checks that every parameter is a number, before any is written. The loss need not show one
    /// that is not: a kernel's activations limit their operand by a maximum and a minimum, and
    /// those drop a NaN.
    fn check_parameters(&self) -> Result<()> {
        let numbers = self.params().data.iter().enumerate();
        let Some((at, &value)) = numbers.into_iter().find(|(_, x)| !x.is_finite()) else {
            return Ok(());
        };
        let mut tensors = self.params().tensors().iter();
        let tensor = tensors.find(|tensor| tensor.range.contains(&at));
        Err(Error::NotANumber {
            tensor: tensor.map_or_else(String::new, |tensor| {
                torch_name(self.params().net(), tensor)
            }),
            value,
            step: self.position.step,
            epoch: self.position.epoch + 1,
            kept: String::new(),
        })
    }

    /// Evaluates a net that came from elsewhere before its first step: training for integers need
    /// not make it better, and then the best is what it began with.
    fn record_start(&mut self, saver: &mut Saver<'_>) -> Result<()> {
        let nats = self.evaluate()?;
        if nats.is_finite() {
            self.position.best_nats = Some(nats);
            (self.provenance.nats, self.provenance.epoch) = (Some(nats), 0);
            saver.best(&self.checkpoint(false))?;
        }
        Ok(())
    }

    /// Evaluates; gives the saver the metrics line and, if it is the lowest so far, a new
    /// `best.safetensors`.
    fn record(&mut self, saver: &mut Saver<'_>) -> Result<Metrics> {
        let begin = Instant::now();
        let Judged {
            loss: valid_nats,
            figure,
        } = self.judge()?;
        let windows = self.windows(self.position.epoch);
        let position = &mut self.position;
        if !valid_nats.is_finite() {
            return Err(Error::Diverged {
                loss: valid_nats,
                step: position.step,
                epoch: position.epoch + usize::from(position.window > 0),
                kept: String::new(),
            });
        }
        self.config.observe(&mut position.plateau, valid_nats);
        let (characters, seconds) = position.evaluated_at;
        let best = position.best_nats.is_none_or(|best| valid_nats < best);
        let metrics = Metrics {
            epoch: position.epoch as f64 + position.window as f64 / windows as f64,
            step: position.step,
            characters: position.characters,
            train_nats: position.loss_sum / position.loss_count.max(1) as f64,
            valid_nats,
            valid_bpc: valid_nats / std::f64::consts::LN_2,
            figure,
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
        let epoch = position.epoch + usize::from(position.window > 0);
        if best {
            self.best =
                may_cool_down(position, &self.config).then(|| self.learner.params().data.clone());
            position.best_nats = Some(valid_nats);
            (self.provenance.nats, self.provenance.epoch) = (Some(valid_nats), epoch);
        }
        // Also when the file of the lowest was lost: then this is the lowest there is.
        if best || saver.best_nats().is_none_or(|kept| valid_nats < kept) {
            let mut checkpoint = self.checkpoint(false);
            let provenance = &mut checkpoint.meta.provenance;
            (provenance.nats, provenance.epoch) = (Some(valid_nats), epoch);
            saver.best(&checkpoint)?;
        }
        saver.metrics(metrics.clone());
        let start = self.data.prompt(samples::START)?;
        let sample = start.map(|start| samples::write(&self.checkpoint(false), &start, &metrics));
        // A net that cannot write is no reason to stop.
        if let Some(Ok(sample)) = sample {
            saver.sample(sample);
        }
        Ok(metrics)
    }

    /// Completes the error of a diverged run with what is left on disk and a way on; the metrics
    /// lines are still written, because they show how it came.
    fn gave_up(&self, mut error: Error, saver: &mut Saver<'_>, folder: &RunFolder) -> Error {
        let Some(kept) = error.kept() else {
            return error;
        };
        let _ = saver.flush();
        let last = folder.last();
        *kept = format!("{} is still good, of step {}", last.display(), saver.step());
        // A run that explodes from the start has an exploded best: that is nothing to go back to.
        let limit = EXPLODED_TIMES * self.data.unknowing();
        if let Some(nats) = folder.best_nats().filter(|&nats| nats < limit) {
            *kept += &format!(", and {} has {nats:.3} nats", folder.best().display());
        }
        *kept += &format!(
            "; resume it with a --lr below {} or a --clip below {}",
            self.config.lr, self.config.clip
        );
        error
    }
}
