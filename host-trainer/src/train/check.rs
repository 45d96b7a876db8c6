//! Whether a run can stand where its checkpoint says, on the text that it goes on with.
//!
//! ```text
//! window < windows of the epoch        epoch <= epochs        steps and characters in proportion
//! ended finished <=> all epochs done   early => there is a patience        time => there is a limit
//! ```
//! Each number by itself was checked when the checkpoint was read.

use super::{End, Position, Trainer};
use crate::error::{Error, Result};

impl Trainer<'_> {
    /// Checks a position that is to be gone on from.
    pub(super) fn check_position(&self, p: &Position) -> Result<()> {
        let wrong = |name: &str, found: &dyn std::fmt::Display, rule: String| {
            Err(Error::Checkpoint {
                path: "checkpoint".into(),
                what: format!("position.{name} is {found}: {rule}"),
            })
        };
        let config = &self.config;
        if p.epoch > config.epochs || (p.epoch == config.epochs && p.window > 0) {
            let rule = format!("the run has {} epochs", config.epochs);
            return wrong("epoch", &p.epoch, rule);
        }
        let windows = self.windows(p.epoch);
        if p.window >= windows {
            let rule = format!("an epoch of this data has {windows} windows");
            return wrong("window", &p.window, rule);
        }
        let most = (p.epoch as u64 + 1) * self.data.most_windows(config) as u64;
        let least = p.epoch as u64 + p.window as u64;
        if !(least..=most).contains(&p.step) {
            let rule = format!("in epoch {} it has to be from {least} to {most}", p.epoch);
            return wrong("step", &p.step, rule);
        }
        let most = p.step.saturating_mul((config.batch * config.window) as u64);
        if p.characters > most {
            let rule = format!("after {} steps it has to be at most {most}", p.step);
            return wrong("characters", &p.characters, rule);
        }
        let enough = config.characters.is_some_and(|most| p.characters >= most);
        let done = p.epoch == config.epochs || enough;
        let good = match p.ended {
            Some(End::Finished) => done,
            Some(End::Early) => config.patience > 0,
            Some(End::Time) => config.minutes.is_some(),
            Some(End::Interrupted) | None => !done,
        };
        if !good {
            let ended = serde_json::to_string(&p.ended).unwrap_or_default();
            let rule = format!(
                "after {} of {} epochs that cannot be",
                p.epoch, config.epochs
            );
            return wrong("ended", &ended, rule);
        }
        Ok(())
    }
}
