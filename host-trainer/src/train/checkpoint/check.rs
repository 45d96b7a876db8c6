//! The numbers of a checkpoint's metadata and state, checked where they are read.
//!
//! ```text
//! counts     what a run can reach, and in order: evaluated at <= characters, waited <= steps
//! reals      finite, and what they measure: a loss, a norm or a time is not negative
//! optimizer  a mean of squares is not negative          state  |h| <= 1: it is a tanh times a gate, or between two of them
//! integers   4 or 8 bits, ranges above 0, the integer bits of a Q format that images have
//! ```
//! What depends on the text (windows of an epoch) is checked when a run is resumed on it.

use gatelet::net::{Kind, Net};

use super::meta::{Meta, Resume};
use super::names::module;
use super::provenance::Provenance;
use crate::net::device::learned::Learned;
use crate::net::device::qat::Qat;
use crate::train::Position;

/// Counts above this are not exact in the JSON of other programs, and no run gets there.
const MOST: u64 = 1 << 53;
/// Epochs that options allow, and some more of a net that goes on by itself.
const MOST_EPOCHS: usize = 1 << 24;
/// Seconds of a run: 30,000 years.
const MOST_SECONDS: f64 = 1e12;
/// A loss in nats: far above any that goes on.
const MOST_NATS: f64 = 1e30;

type Check = Result<(), String>;

/// Checks a number; the error names it as the file does.
fn number(good: bool, name: &str, found: impl std::fmt::Display, rule: &str) -> Check {
    match good {
        true => Ok(()),
        false => Err(format!("{name} is {found}: {rule}")),
    }
}

fn real(name: &str, x: f64, most: f64) -> Check {
    let rule = format!("it has to be from 0 to {most}");
    number((0.0..=most).contains(&x), name, x, &rule)
}

fn count(name: &str, x: u64, most: u64) -> Check {
    number(x <= most, name, x, &format!("it has to be at most {most}"))
}

/// All of the metadata.
pub(super) fn meta(meta: &Meta) -> Check {
    provenance(&meta.provenance)?;
    meta.interface.check(&meta.net)?;
    if let Some(series) = &meta.series {
        series.check(&meta.net)?;
    }
    let Some(config) = &meta.config else {
        return match meta.position {
            None => Ok(()),
            Some(_) => Err("a position without the options of its run".to_owned()),
        };
    };
    config.validate().map_err(|error| error.to_string())?;
    let own = config.shape(meta.net.vocab());
    // Options ask for no other nets.
    if module(&meta.net).is_some() && own.net() != meta.net {
        return Err(format!(
            "its config is of another net than its operations: {own:?}"
        ));
    }
    if let Some(qat) = &config.qat {
        integers(qat, &meta.net)?;
    }
    meta.position.as_ref().map_or(Ok(()), position)
}

fn provenance(from: &Provenance) -> Check {
    let digits = from.corpus_sha256.as_bytes();
    let digest = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    number(
        digest,
        "provenance.corpus_sha256",
        format!("{:?}", from.corpus_sha256),
        "it has to be 64 hexadecimal digits",
    )?;
    real("provenance.nats", from.nats.unwrap_or(0.0), MOST_NATS)?;
    let unigram = from.unigram_nats.unwrap_or(0.0);
    real("provenance.unigram_nats", unigram, MOST_NATS)?;
    count("provenance.epoch", from.epoch as u64, MOST_EPOCHS as u64)?;
    count("provenance.characters", from.characters, MOST)?;
    from.changes
        .iter()
        .try_for_each(|change| count("provenance.changes.step", change.step, MOST))
}

fn integers(qat: &Qat, net: &Net) -> Check {
    real("qat.nats", qat.nats.unwrap_or(0.0), MOST_NATS)?;
    let of_scheme = qat.scheme.check(net);
    of_scheme.map_err(|what| format!("qat.{what}"))
}

fn position(p: &Position) -> Check {
    count("position.epoch", p.epoch as u64, MOST_EPOCHS as u64)?;
    count("position.step", p.step, MOST)?;
    count("position.window", p.window as u64, p.step)?;
    count("position.characters", p.characters, MOST)?;
    count("position.loss_count", p.loss_count, p.characters)?;
    count(
        "position.evaluations_since_best",
        p.evaluations_since_best as u64,
        p.step,
    )?;
    count("position.plateau.waited", p.plateau.waited as u64, p.step)?;
    count("position.evaluated_at", p.evaluated_at.0, p.characters)?;
    real("position.evaluated_at", p.evaluated_at.1, MOST_SECONDS)?;
    real("position.seconds", p.seconds, MOST_SECONDS)?;
    real("position.loss_sum", p.loss_sum, f64::MAX)?;
    real("position.gradient_norm", p.gradient_norm, f64::MAX)?;
    real("position.lr", p.lr, 10.0)?;
    real("position.best_nats", p.best_nats.unwrap_or(0.0), MOST_NATS)?;
    real(
        "position.plateau.best",
        p.plateau.best.unwrap_or(0.0),
        MOST_NATS,
    )?;
    if let Some(cooldown) = &p.cooldown {
        count("position.cooldown.start", cooldown.start, p.step)?;
        count("position.cooldown.steps", cooldown.steps, MOST)?;
        real("position.cooldown.rate", cooldown.rate, 10.0)?;
    }
    let scale = p.plateau.scale;
    let good = scale > 0.0 && scale <= 1.0;
    number(
        good,
        "position.plateau.scale",
        scale,
        "it has to be above 0, at most 1",
    )
}

/// What is learnt beside the weights.
pub(super) fn learned(learned: &Learned) -> Check {
    elements("quant.range", &learned.ranges, |x| x > 0.0, "above 0")?;
    elements("quant.square", &learned.square, |x| x >= 0.0, "at least 0")
}

/// The optimizer's memory, named by `slots`, and the state.
pub(super) fn resume(resume: &Resume, slots: &[&str], meta: &Meta) -> Check {
    for (name, slot) in slots.iter().zip(&resume.slots) {
        if *name == "square" {
            elements("optimizer.square", slot, |x| x >= 0.0, "at least 0")?;
        }
    }
    // An activation may be a rounding above 1; in integers h is a multiple of 2^-15. A relu has no end.
    let relu = |kind: Kind| kind.cell().is_some_and(|form| form.unbounded);
    let qat = (meta.config.as_ref()).is_some_and(|config| config.qat.is_some());
    let most = match qat {
        _ if meta.net.operations().any(|of| relu(of.kind)) => f32::MAX,
        true => 32_768.0,
        false => 1.001,
    };
    let within = |x: f32| x.abs() <= most;
    elements("state.h", &resume.h, within, "within +-1")
}

fn elements(name: &str, values: &[f32], good: impl Fn(f32) -> bool, rule: &str) -> Check {
    match values.iter().position(|&x| !good(x)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "tensor {name} holds {} at element {at}: it has to be {rule}",
            values[at]
        )),
    }
}
