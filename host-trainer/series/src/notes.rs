//! What a user should know of data: a line each.

use std::collections::{BTreeMap, HashMap};

use crate::builder::Builder;
use crate::options::{Fill, Task};
use crate::place::{counted, listed, shown};
use crate::set::Set;
use crate::split::units;
use crate::wanted::Kind;

/// What was counted while files were read.
pub(crate) fn of_files(of: &Builder<'_>, to: &mut Vec<String>) {
    let first = |place: &Option<crate::place::Place>| {
        place.as_ref().map_or_else(String::new, ToString::to_string)
    };
    if of.missing.count > 0 {
        let missing = counted(of.missing.count, "number is missing", "numbers are missing");
        let done = match of.options.fill {
            Some(Fill::Previous) => "filled with the number before".to_owned(),
            Some(Fill::Linear) => "filled with the line between the numbers beside".to_owned(),
            Some(Fill::Zero) => "filled with zero".to_owned(),
            _ => format!("{} left out", counted(of.dropped, "step was", "steps were")),
        };
        to.push(format!(
            "{missing}, the first at {}: {done}",
            first(&of.missing.first)
        ));
    }
    if of.gaps.count > 0 {
        let gaps = counted(of.gaps.count, "gap in time", "gaps in time");
        let done = match of.options.fill {
            Some(Fill::Drop) | None => "steps go on behind it",
            Some(_) => "steps were put there",
        };
        let (place, step) = (first(&of.gaps.first), of.step);
        to.push(format!(
            "{gaps}, the first before {place} (a step takes {step}): {done}"
        ));
    }
    if of.unasked > 0 {
        let one = "number or label that is asked is missing";
        let unasked = counted(
            of.unasked,
            one,
            "numbers or labels that are asked are missing",
        );
        to.push(format!("{unasked}: nothing is asked there"));
    }
    if of.mixed > 0 {
        let mixed = counted(of.mixed, "recording has", "recordings have");
        to.push(format!(
            "{mixed} several channels: their mean is read (--channel picks one)"
        ));
    }
    let constant = of.ranges.iter().zip(&of.features);
    let constant = constant
        .filter(|((low, high), _)| low == high)
        .map(|(_, name)| name.as_str());
    let constant: Vec<&str> = constant.collect();
    if !constant.is_empty() {
        let (n, names) = (constant.len() as u64, listed(constant));
        to.push(format!(
            "{} the same at every step: {names}",
            counted(n, "input is", "inputs are")
        ));
    }
}

/// A number as such, and another class as it would be spelled with small letters and digits alone.
fn spelled(class: &str) -> String {
    match class.trim().parse::<f64>() {
        Ok(number) => number.to_string(),
        Err(_) => {
            let letters = class.chars().filter(|c| c.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect()
        }
    }
}

/// What there is of each class.
pub(crate) fn classes(set: &Set, to: &mut Vec<String>) {
    let mut spellings: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for class in &set.classes {
        spellings.entry(spelled(class)).or_default().push(class);
    }
    for (spelling, alike) in spellings {
        if alike.len() > 1 && !spelling.is_empty() {
            let names = listed(alike);
            to.push(format!("these classes differ in spelling alone: {names}"));
        }
    }
    if set.kind != Kind::Class {
        return;
    }
    let Ok(units) = units(set) else { return };
    // A class of one unit only, or that shares every one with others.
    let mut of_class: HashMap<u16, usize> = HashMap::new();
    for unit in &units {
        let mut classes: Vec<u16> = unit
            .sequences
            .iter()
            .filter_map(|&k| set.class(k))
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
            .into_iter()
            .for_each(|class| *of_class.entry(class).or_default() += 1);
    }
    for (class, name) in (0..).zip(&set.classes) {
        let what = match of_class.get(&class) {
            Some(1) => "is in one sequence or group: no split has it in two parts",
            None => "has no sequence",
            Some(_) => continue,
        };
        to.push(format!("the class {} {what}", shown(name)));
    }
}

/// What became of long and short sequences.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    /// Sequences without a step that can be asked.
    pub(crate) empty: u64,
    /// Sequences shorter than a window.
    pub(crate) short: u64,
    /// Steps behind the last window.
    pub(crate) behind: u64,
    pub(crate) longest: usize,
}

impl Lengths {
    pub(crate) fn notes(&self, task: Task, to: &mut Vec<String>) {
        if self.empty > 0 {
            let left = counted(
                self.empty,
                "sequence was left out",
                "sequences were left out",
            );
            to.push(match task {
                Task::Forecast { steps } => format!("{left}, of at most {steps} steps"),
                _ => format!("{left}, without steps"),
            });
        }
        if self.short > 0 {
            let short = counted(self.short, "sequence is", "sequences are");
            to.push(format!("{short} shorter than a window, and taken whole"));
        }
        if self.behind > 0 {
            let behind = counted(self.behind, "step", "steps");
            to.push(format!(
                "{behind} behind the last windows of sequences left out"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_class_are_told_from_other_numbers() {
        for (one, other) in [("Yes", "yes"), ("go-left", "Go left"), ("1", "1.0")] {
            assert_eq!(spelled(one), spelled(other));
        }
        for (one, other) in [("-1", "1"), ("1.0", "10"), ("yes", "yep")] {
            assert_ne!(spelled(one), spelled(other));
        }
    }
}
