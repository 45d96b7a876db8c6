//! Options that are changed when a run is resumed: on the user's word, and on record.
//!
//! ```text
//! some options only steer what is still to come (the learning rate, when to stop): those may change
//! all others are built into the parameters, the streams or the state: those stay
//! ```
//! A change is written into every later checkpoint, with the step from which it holds, and behind `#` in the command
//! that is kept with the net: that command alone does not make it again.

use crate::error::{Error, Result};
use crate::train::End;
use crate::train::checkpoint::{Change, Meta, typed};
use crate::train::config::Config;

/// Options that may change, in the order in which they are named.
const FREE: &[&str] = &[
    "epochs",
    "characters",
    "lr",
    "schedule",
    "warmup",
    "clip",
    "weight-decay",
    "patience",
    "eval-every",
    "minutes",
];

/// Makes `given` the options of the run that `meta` describes; `options` are the names of all of them. Returns what
/// changed. A run that had ended goes on if the new options do not end it here.
///
/// # Errors
/// [`Error::ResumeMismatch`] for an option that has to stay, [`Error::Option`] for one outside its range.
pub fn change(meta: &mut Meta, given: Config, options: &[&'static str]) -> Result<Vec<Change>> {
    given.validate()?;
    let values = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let (old, new) = (values(meta.config()?), values(&given));
    let step = meta.position.as_ref().map_or(0, |position| position.step);
    let mut changes = Vec::new();
    for &option in options {
        let key = option.replace('-', "_");
        let (from, to) = (&old[&key], &new[&key]);
        if from == to {
            continue;
        }
        if !FREE.contains(&option) {
            return Err(Error::ResumeMismatch {
                option,
                given: typed(to),
                stored: typed(from),
            });
        }
        changes.push(Change {
            step,
            option: option.to_owned(),
            from: from.clone(),
            to: to.clone(),
        });
    }
    let Some(position) = &mut meta.position else {
        return Ok(changes);
    };
    if changes.is_empty() {
        return Ok(changes);
    }
    if given.epochs < position.epoch + usize::from(position.window > 0) {
        return Err(Error::Option {
            option: "epochs",
            found: given.epochs.to_string(),
            rule: "this run has begun a later epoch already",
        });
    }
    if changes.iter().any(|change| change.option == "patience") && position.cooldown.is_some() {
        // Early stopping begins anew, and the rate is the schedule's again.
        (position.cooldown, position.evaluations_since_best) = (None, 0);
    }
    let ended = position.ended.is_some_and(|end| end != End::Interrupted);
    position.ended = End::of(position, &given).filter(|&end| ended || end == End::Finished);
    let words: Vec<String> = changes
        .iter()
        .map(|change| format!("--{} {}", change.option, typed(&change.to)))
        .collect();
    let provenance = &mut meta.provenance;
    provenance.command += &format!(" # from step {step}: --resume {}", words.join(" "));
    provenance.changes.extend(changes.iter().cloned());
    meta.config = Some(given);
    Ok(changes)
}
