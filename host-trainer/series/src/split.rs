//! Training, validation and test: never inside a sequence or a group.
//!
//! ```text
//! unit      the sequences of a group, or all windows of one sequence
//! layer     units of one class, or all where a unit has several or nothing has one
//! of each layer of n units, in an order that the seed decides:
//!   test    round(n * test), valid round(n * valid), at least one where n allows, the rest trains
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::error::{Error, Result};
use crate::input::Side;
use crate::place::shown;
use crate::random::{hash, shuffle};
use crate::set::Set;
use crate::wanted::Kind;

/// The numbers of sequences, each list in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To train on.
    pub train: Vec<usize>,
    /// To decide when to stop.
    pub valid: Vec<usize>,
    /// To say how good it is.
    pub test: Vec<usize>,
}

/// What is not taken apart.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) sequences: Vec<usize>,
    /// Of all its sequences; none: several, or none.
    pub(crate) class: Option<u16>,
    side: Option<Side>,
}

/// The units of a set, by their first sequence.
pub(crate) fn units(set: &Set) -> Result<Vec<Unit>> {
    let mut units: Vec<Unit> = Vec::new();
    let mut groups: HashMap<&str, usize> = HashMap::new();
    let mut last: Option<(usize, usize)> = None;
    for k in 0..set.len() {
        let (of, origin) = (set.of(k), set.origin(k));
        let known = match (&of.group, last) {
            (Some(group), _) => groups.get(group.as_str()).copied(),
            (None, Some((before, unit))) if before == origin => Some(unit),
            (None, _) => None,
        };
        let at = known.unwrap_or(units.len());
        last = Some((origin, at));
        if let Some(group) = &of.group {
            groups.insert(group, at);
        }
        let class = set.class(k);
        match units.get_mut(at) {
            None => units.push(Unit {
                sequences: vec![k],
                class,
                side: of.side,
            }),
            Some(unit) => {
                if unit.side != of.side {
                    return Err(Error::Leak(set.group(k).to_owned()));
                }
                unit.sequences.push(k);
                unit.class = unit.class.filter(|of| Some(*of) == class);
            }
        }
    }
    Ok(units)
}

/// Draws a split: `valid` and `test` are fractions. Where the files say what is for tests, that is
/// the test, and what they keep for validation the validation.
///
/// # Errors
/// [`Error::Split`] where a part would be empty, and [`Error::Leak`] where the files put a group on
/// both sides.
pub fn split(set: &Set, valid: f64, test: f64, seed: u64) -> Result<Split> {
    check(valid, test)?;
    let mut split = Split::default();
    let mut rest = Vec::new();
    for unit in units(set)? {
        match unit.side {
            Some(Side::Valid) => split.valid.extend(unit.sequences),
            Some(Side::Test) => split.test.extend(unit.sequences),
            Some(Side::Train) | None => rest.push(unit),
        }
    }
    let wanted = [
        if split.valid.is_empty() { valid } else { 0.0 },
        if split.test.is_empty() { test } else { 0.0 },
    ];
    draw(rest, wanted, seed, &mut split)?;
    for part in [&mut split.train, &mut split.valid, &mut split.test] {
        part.sort_unstable();
    }
    Ok(split)
}

/// Draws from units; `wanted` are the fractions of validation and test.
fn draw(units: Vec<Unit>, wanted: [f64; 2], seed: u64, to: &mut Split) -> Result<()> {
    let parts = 1 + wanted.iter().filter(|part| **part > 0.0).count();
    let count = units.len();
    if count < parts {
        return Err(Error::Split(format!(
            "there {} for {parts} parts, and none is taken apart: name another file with --valid, \
             or the column that tells sequences apart with --group",
            match count {
                1 => "is one sequence or group".to_owned(),
                _ => format!("are {count} sequences or groups"),
            }
        )));
    }
    let mixed = units.iter().any(|unit| unit.class.is_none());
    let mut layers: BTreeMap<Option<u16>, Vec<Unit>> = BTreeMap::new();
    for unit in units {
        let class = unit.class.filter(|_| !mixed);
        layers.entry(class).or_default().push(unit);
    }
    let mut drawn: [Vec<Unit>; 3] = [const { Vec::new() }; 3];
    for (class, mut layer) in layers {
        shuffle(
            &mut layer,
            hash(&[seed, class.map_or(0, |class| u64::from(class) + 1)]),
        );
        let counts = counts(layer.len(), wanted);
        for (part, count) in drawn.iter_mut().zip(counts) {
            let from = layer.len() - count;
            part.extend(layer.drain(from..));
        }
    }
    // Of classes with one unit each no layer has one to give away.
    for part in 1..3 {
        if wanted[part - 1] > 0.0 && drawn[part].is_empty() && drawn[0].len() > 1 {
            let one = drawn[0].pop();
            drawn[part].extend(one);
        }
    }
    let [train, valid, test] = drawn.map(|units| units.into_iter().flat_map(|unit| unit.sequences));
    to.train.extend(train);
    to.valid.extend(valid);
    to.test.extend(test);
    let empty = |part: &[usize], fraction: f64| part.is_empty() && fraction > 0.0;
    if to.train.is_empty() || empty(&to.valid, wanted[0]) || empty(&to.test, wanted[1]) {
        return Err(Error::Split(
            "a part of the split would be empty: name another file with --valid".to_owned(),
        ));
    }
    Ok(())
}

/// Splits each sequence in time: its first windows train, its last ones are the test. For long
/// recordings of which there is one alone; what comes after is less new than another recording.
/// Windows that reach over a border are in no part, and neither is one whose forecast does.
///
/// # Errors
/// [`Error::Split`] where a part would be empty, and where sequences have classes: each of its
/// windows has that of the others.
pub fn split_in_time(set: &Set, valid: f64, test: f64) -> Result<Split> {
    check(valid, test)?;
    if set.kind == Kind::Class {
        let what = "a sequence of one class is not split in time: name another file with --valid";
        return Err(Error::Split(what.to_owned()));
    }
    let mut split = Split::default();
    for k in 0..set.len() {
        let steps = set.of(k).steps as f64;
        let borders = [1.0 - valid - test, 1.0 - test].map(|part| (steps * part).round() as usize);
        let (start, end) = (set.start(k), set.start(k) + set.steps(k) + set.ahead());
        if end <= borders[0] {
            split.train.push(k);
        } else if start >= borders[0] && end <= borders[1] {
            split.valid.push(k);
        } else if start >= borders[1] {
            split.test.push(k);
        }
    }
    let empty = |part: &[usize], fraction: f64| part.is_empty() && fraction > 0.0;
    if split.train.is_empty() || empty(&split.valid, valid) || empty(&split.test, test) {
        let what =
            "no piece of it lies within a part of the time: --segment, shorter than each part";
        return Err(Error::Split(what.to_owned()));
    }
    Ok(split)
}

/// That something is left to train on.
fn check(valid: f64, test: f64) -> Result<()> {
    let parts = [valid, test].iter().all(|part| (0.0..1.0).contains(part));
    match parts && valid + test < 1.0 {
        true => Ok(()),
        false => {
            let what = "validation and test have to leave something to train on";
            Err(Error::Option(what))
        }
    }
}

/// Units of training, validation and test, of `n`.
fn counts(n: usize, wanted: [f64; 2]) -> [usize; 3] {
    let mut left = n.saturating_sub(1);
    let mut take = |fraction: f64| {
        let count = match fraction > 0.0 {
            true => ((n as f64 * fraction).round() as usize).max(1).min(left),
            false => 0,
        };
        left -= count;
        count
    };
    let [valid, test] = wanted.map(&mut take);
    [n - valid - test, valid, test]
}

/// That no group of one set is in another: measured there, a net is measured on what it has seen.
///
/// # Errors
/// [`Error::Leak`], also where both hold the same files.
pub fn leaks(train: &Set, other: &Set) -> Result<()> {
    if train.sha256() == other.sha256() {
        return Err(Error::Leak(train.group(0).to_owned()));
    }
    let groups = |set: &'_ Set| -> HashSet<String> {
        set.sequences
            .iter()
            .filter_map(|of| of.group.clone())
            .collect()
    };
    let known = groups(train);
    match other
        .sequences
        .iter()
        .filter_map(|of| of.group.as_ref())
        .find(|of| known.contains(*of))
    {
        None => Ok(()),
        Some(group) => Err(Error::Leak(shown(group))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_one_where_there_are_enough() {
        assert_eq!(counts(10, [0.2, 0.1]), [7, 2, 1]);
        assert_eq!(counts(3, [0.1, 0.1]), [1, 1, 1]);
        assert_eq!(counts(2, [0.1, 0.1]), [1, 1, 0]);
        assert_eq!(counts(1, [0.5, 0.4]), [1, 0, 0]);
        assert_eq!(counts(10, [0.2, 0.0]), [8, 2, 0]);
        assert_eq!(counts(4, [0.9, 0.05]), [1, 3, 0]);
    }
}
