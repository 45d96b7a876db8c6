//! What readers hand over, row by row, and what is counted meanwhile.

use std::path::{Path, PathBuf};

use crate::classes::Classes;
use crate::columns::Asked;
use crate::error::{Error, Result};
use crate::input::{Input, Side};
use crate::options::{Fill, Options, Task};
use crate::place::{At, Place, listed};
use crate::rows::{Held, NOWHERE, Rows, Run};

/// Numbers of one sequence.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) name: String,
    /// What a split keeps together; none: the sequence alone.
    pub(crate) group: Option<String>,
    /// As it was met.
    pub(crate) class: Option<u16>,
    pub(crate) steps: u32,
    pub(crate) side: Option<Side>,
    /// How many steps have each label that was met.
    pub(crate) labels: Vec<(u16, u64)>,
    /// Whether inputs are missing.
    pub(crate) missing: bool,
}

/// Things of one kind, and the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) count: u64,
    pub(crate) first: Option<Place>,
}

impl Count {
    pub(crate) fn add(&mut self, count: u64, place: impl FnOnce() -> Place) {
        self.count += count;
        self.first.get_or_insert_with(place);
    }
}

/// A file, read to its end.
#[derive(Debug)]
struct Part {
    held: Vec<f32>,
    by_position: std::result::Result<Box<dyn Rows>, &'static str>,
    path: PathBuf,
}

/// Collects what there is.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    pub(crate) options: &'a Options,
    pub(crate) classes: Classes,
    pub(crate) features: Vec<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) asked: Asked,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) rate: Option<(u32, PathBuf)>,
    pub(crate) notes: Vec<String>,
    /// Inputs that are missing; of them, steps that were left out.
    pub(crate) missing: Count,
    pub(crate) dropped: u64,
    /// Numbers and labels that are asked and missing.
    pub(crate) unasked: u64,
    /// Recordings whose channels were mixed.
    pub(crate) mixed: u64,
    /// Gaps in time; the usual step before the first.
    pub(crate) gaps: Count,
    pub(crate) step: f64,
    /// The least and the greatest of each input.
    pub(crate) ranges: Vec<(f32, f32)>,
    /// Numbers asked of each sequence, `[sequences, outputs]`, and a sequence where they change.
    pub(crate) values: Vec<f32>,
    pub(crate) changing: Option<usize>,
    parts: Vec<Part>,
    runs: Vec<(u32, Run)>,
    path: PathBuf,
    side: Option<Side>,
    held: Vec<f32>,
    rows: u64,
    /// Bytes that may still be held; none: too many.
    left: Option<u64>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self {
            options,
            classes: Classes::new(&options.classes),
            features: Vec::new(),
            targets: Vec::new(),
            asked: Asked::Class,
            sequences: Vec::new(),
            rate: None,
            notes: Vec::new(),
            missing: Count::default(),
            dropped: 0,
            unasked: 0,
            mixed: 0,
            gaps: Count::default(),
            step: 0.0,
            ranges: Vec::new(),
            values: Vec::new(),
            changing: None,
            parts: Vec::new(),
            runs: Vec::new(),
            path: PathBuf::new(),
            side: None,
            held: Vec::new(),
            rows: 0,
            left: Some(options.memory),
        }
    }

    /// Begins a file with these columns.
    pub(crate) fn begin(
        &mut self,
        input: &Input,
        features: Vec<String>,
        targets: Vec<String>,
        asked: Asked,
    ) -> Result<()> {
        self.path.clone_from(&input.path);
        self.side = input.side;
        self.rows = 0;
        if self.features.is_empty() {
            self.ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); features.len()];
            (self.features, self.targets, self.asked) = (features, targets, asked);
            return Ok(());
        }
        if (&self.features, &self.targets, self.asked) == (&features, &targets, asked) {
            return Ok(());
        }
        let text = |features: &[String], targets: &[String]| {
            let names = listed(features.iter().map(String::as_str));
            match targets {
                [] => names,
                _ => format!("{names} -> {}", listed(targets.iter().map(String::as_str))),
            }
        };
        Err(Error::Unlike {
            path: input.path.clone(),
            found: text(&features, &targets),
            before: text(&self.features, &self.targets),
        })
    }

    /// Numbers of a row.
    pub(crate) fn columns(&self) -> usize {
        self.features.len() + self.asked.columns()
    }

    /// A new sequence.
    pub(crate) fn sequence(
        &mut self,
        name: String,
        group: Option<String>,
        class: Option<u16>,
    ) -> usize {
        self.sequences.push(Sequence {
            name,
            group,
            class,
            steps: 0,
            side: self.side,
            labels: Vec::new(),
            missing: false,
        });
        self.sequences.len() - 1
    }

    /// What is asked of the sequence that was begun last, once.
    pub(crate) fn value(&mut self, values: &[f32]) -> Result<()> {
        if let Some(column) = values.iter().position(|x| x.is_infinite()) {
            let at = At::Step(self.sequences.len() as u64 - 1, 0);
            return Err(Error::NotFinite {
                place: self.place(at, self.features.len() + column),
                found: values[column],
            });
        }
        self.unasked += values.iter().filter(|x| x.is_nan()).count() as u64;
        self.values.extend(values);
        Ok(())
    }

    /// The class of a sequence, at one of its steps.
    pub(crate) fn class(&mut self, sequence: usize, class: u16, at: At) -> Result<()> {
        let (path, targets) = (&self.path, &self.targets);
        let of = &mut self.sequences[sequence];
        match *of.class.get_or_insert(class) {
            before if before == class => Ok(()),
            before => Err(Error::TwoClasses {
                place: Place {
                    path: path.clone(),
                    at,
                    column: targets.first().cloned().unwrap_or_default(),
                },
                found: self.classes.name(class).to_owned(),
                before: self.classes.name(before).to_owned(),
            }),
        }
    }

    /// Where a number of a row is.
    pub(crate) fn place(&self, at: At, column: usize) -> Place {
        let names = self.features.iter().chain(&self.targets);
        Place {
            path: self.path.clone(),
            at,
            column: names.into_iter().nth(column).cloned().unwrap_or_default(),
        }
    }

    /// The next row of the file: inputs, then what is asked of the step; NaN where nothing is.
    pub(crate) fn row(&mut self, sequence: usize, at: At, numbers: &[f32]) -> Result<()> {
        debug_assert_eq!(numbers.len(), self.columns());
        let row = self.rows;
        self.rows += 1;
        self.hold(numbers);
        if let Some(column) = numbers.iter().position(|x| x.is_infinite()) {
            return Err(Error::NotFinite {
                place: self.place(at, column),
                found: numbers[column],
            });
        }
        let (inputs, asked) = numbers.split_at(self.features.len());
        let missing = inputs.iter().filter(|x| x.is_nan()).count() as u64;
        if missing > 0 {
            let column = inputs.iter().position(|x| x.is_nan()).unwrap_or_default();
            let place = self.place(at, column);
            self.missing.add(missing, || place);
            if self.options.fill == Some(Fill::Drop) {
                self.dropped += 1;
                return Ok(());
            }
            self.sequences[sequence].missing = true;
        }
        for (&x, (low, high)) in inputs.iter().zip(&mut self.ranges) {
            *low = low.min(x);
            *high = high.max(x);
        }
        match self.asked {
            Asked::Label => self.label(sequence, asked[0]),
            Asked::Rows(_) => self.numbers(sequence, asked),
            Asked::Class | Asked::Once(_) => {}
        }
        self.run(sequence, self.parts.len() as u32, row, 1)
    }

    /// Rows of the file that are no steps.
    pub(crate) fn skip(&mut self, numbers: &[f32]) {
        self.rows += (numbers.len() / self.columns()) as u64;
        self.hold(numbers);
    }

    /// Steps of a sequence that are in no file, behind those that were handed over.
    pub(crate) fn gap(&mut self, sequence: usize, steps: u32) -> Result<()> {
        self.sequences[sequence].missing = true;
        let asked = self.asked.columns() as u64;
        self.unasked += asked * u64::from(steps);
        self.run(sequence, NOWHERE, 0, steps)
    }

    fn label(&mut self, sequence: usize, label: f32) {
        if label.is_nan() {
            self.unasked += 1;
            return;
        }
        let labels = &mut self.sequences[sequence].labels;
        match labels.iter_mut().find(|(of, _)| f32::from(*of) == label) {
            Some((_, count)) => *count += 1,
            None => labels.push((label as u16, 1)),
        }
    }

    fn numbers(&mut self, sequence: usize, asked: &[f32]) {
        self.unasked += asked.iter().filter(|x| x.is_nan()).count() as u64;
        if self.options.task != Task::Regress || self.options.once == Some(false) {
            return;
        }
        let start = sequence * asked.len();
        if self.changing.is_some() {
            return;
        }
        if self.values.len() < start + asked.len() {
            self.values.resize(start + asked.len(), f32::NAN);
        }
        for (known, &x) in self.values[start..].iter_mut().zip(asked) {
            if known.is_nan() {
                *known = x;
            } else if !x.is_nan() && x != *known {
                self.changing = Some(sequence);
            }
        }
    }

    fn run(&mut self, sequence: usize, part: u32, row: u64, len: u32) -> Result<()> {
        let of = &mut self.sequences[sequence];
        let step = of.steps;
        of.steps = step.checked_add(len).ok_or_else(|| {
            Error::form(
                &self.path,
                "a sequence of more than 4,294,967,295 steps is not read",
            )
        })?;
        if let Some((last, run)) = self.runs.last_mut()
            && (*last as usize, run.part) == (sequence, part)
            && (part == NOWHERE || run.row + u64::from(run.len) == row)
        {
            run.len += len;
            return Ok(());
        }
        let run = Run {
            step,
            part,
            row,
            len,
        };
        self.runs.push((sequence as u32, run));
        Ok(())
    }

    fn hold(&mut self, numbers: &[f32]) {
        let Some(left) = self.left else { return };
        self.left = left.checked_sub(size_of_val(numbers) as u64);
        if self.left.is_some() {
            self.held.extend(numbers);
            return;
        }
        self.held = Vec::new();
        for part in &mut self.parts {
            part.held = Vec::new();
        }
    }

    /// Ends a file, with how it is read by position or why it cannot be.
    ///
    /// # Errors
    /// [`Error::Memory`] where it would have to be.
    pub(crate) fn end(
        &mut self,
        by_position: std::result::Result<Box<dyn Rows>, &'static str>,
    ) -> Result<()> {
        let part = Part {
            held: std::mem::take(&mut self.held),
            by_position,
            path: self.path.clone(),
        };
        if self.left.is_none() {
            self.parts
                .iter()
                .chain([&part])
                .try_for_each(|part| match part.by_position {
                    Ok(_) => Ok(()),
                    Err(what) => Err(Error::Memory {
                        path: part.path.clone(),
                        memory: self.options.memory,
                        what,
                    }),
                })?;
        }
        self.parts.push(part);
        Ok(())
    }

    /// A recording's rate in Hz.
    pub(crate) fn rate(&mut self, path: &Path, rate: u32) -> Result<()> {
        match &self.rate {
            None => self.rate = Some((rate, path.to_owned())),
            Some((before, _)) if *before == rate => {}
            Some((before, first)) => {
                return Err(Error::Rates {
                    path: path.to_owned(),
                    rate,
                    before: *before,
                    first: first.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether everything is held in memory.
    pub(crate) fn holds(&self) -> bool {
        self.left.is_some()
    }

    /// The files, and the runs of each sequence with where they begin, `[sequences + 1]`.
    pub(crate) fn rows(&mut self) -> (Vec<Box<dyn Rows>>, Vec<Run>, Vec<usize>) {
        let columns = self.columns();
        let holds = self.holds();
        let parts = std::mem::take(&mut self.parts).into_iter();
        let parts = parts.map(|part| -> Box<dyn Rows> {
            match part.by_position {
                Ok(rows) if !holds => rows,
                _ => Box::new(Held {
                    columns,
                    numbers: part.held,
                }),
            }
        });
        let mut runs = std::mem::take(&mut self.runs);
        runs.sort_by_key(|(sequence, _)| *sequence);
        let sequences = 0..=self.sequences.len() as u32;
        let starts = sequences.map(|k| runs.partition_point(|(of, _)| *of < k));
        let starts = starts.collect();
        (
            parts.collect(),
            runs.into_iter().map(|(_, run)| run).collect(),
            starts,
        )
    }
}
