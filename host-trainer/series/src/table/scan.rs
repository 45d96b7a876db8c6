//! From rows to sequences.

use csv::ByteRecord;

use super::form::{ALL, Form, Wrong};
use super::keys::Keys;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::options::Fill;
use crate::place::{At, Place};
use crate::time::Clock;

/// The longest gap in time that steps are put into.
const GAP: f64 = 10_000.0;

/// Finds out what a step takes.
pub(super) fn learn(form: &Form, mut keys: Keys, time: usize, name: &str) -> Result<Clock> {
    let mut clock = Clock::default();
    let mut rows = form.rows(0, ALL)?;
    rows.next()?;
    while let Some((record, at, _)) = rows.next()? {
        let (sequence, _) = keys.sequence(record);
        let field = record.get(time).unwrap_or_default();
        clock.learn(sequence, field, &form.file.path, at, name)?;
    }
    Ok(clock)
}

/// What happens to a row.
pub(super) struct Scan<'a, 'b, 'o> {
    pub(super) input: &'a Input,
    pub(super) builder: &'b mut Builder<'o>,
    pub(super) form: &'a Form,
    /// The column of the class.
    pub(super) class: Option<usize>,
    pub(super) group: Option<usize>,
    pub(super) keys: Keys,
    pub(super) clock: Option<(Clock, usize)>,
    /// The name of the column of times.
    pub(super) time: &'a str,
    /// The sequences of the file.
    pub(super) sequences: Vec<usize>,
    pub(super) numbers: Vec<f32>,
}

impl Scan<'_, '_, '_> {
    pub(super) fn row(&mut self, record: &ByteRecord, at: At) -> Result<()> {
        let (of, new) = self.keys.sequence(record);
        if new {
            let sequence = self.begin(record, at)?;
            self.sequences.push(sequence);
        }
        let sequence = self.sequences[of];
        self.gap(of, sequence, record, at)?;
        if let Some(column) = self.class {
            let field = String::from_utf8_lossy(record.get(column).unwrap_or_default());
            if field.is_empty() {
                let what = format!("the class is missing, in column {}", self.target());
                return Err(Error::row(&self.input.path, at, what));
            }
            let class = self.number(&field)?;
            self.builder.class(sequence, class, at)?;
        }
        let (path, target) = (&self.input.path, self.target());
        let mut failed = None;
        let classes = &mut self.builder.classes;
        let label = |name: &str| match classes.number(name, path, &target) {
            Ok(number) => Some(number),
            Err(error) => {
                failed = Some(error);
                None
            }
        };
        let read = self.form.read(record, label, &mut self.numbers);
        if let Some(error) = failed {
            return Err(error);
        }
        if let Err(Wrong::Number(column)) = read {
            let field = record.get(self.form.numbers[column]).unwrap_or_default();
            return Err(Error::NoNumber {
                place: self.builder.place(at, column),
                found: String::from_utf8_lossy(field).into_owned(),
            });
        }
        self.builder.row(sequence, at, &self.numbers)
    }

    /// The name of the column that is asked.
    fn target(&self) -> String {
        self.builder.targets.first().cloned().unwrap_or_default()
    }

    fn number(&mut self, class: &str) -> Result<u16> {
        let column = self.target();
        self.builder
            .classes
            .number(class, &self.input.path, &column)
    }

    /// A new sequence.
    fn begin(&mut self, record: &ByteRecord, at: At) -> Result<usize> {
        let text =
            |k: usize| String::from_utf8_lossy(record.get(k).unwrap_or_default()).into_owned();
        let class = match (self.class, &self.input.class) {
            (None, Some(class)) => Some(self.builder.classes.number(
                class,
                &self.input.path,
                "the class of its name",
            )?),
            _ => None,
        };
        if let Some(column) = self.group.filter(|&k| text(k).is_empty()) {
            let what = format!("the group is missing, in column {}", column + 1);
            return Err(Error::row(&self.input.path, at, what));
        }
        let keys: Vec<String> = self.keys.columns.iter().map(|&k| text(k)).collect();
        let name = match keys.as_slice() {
            [] => self.input.name.clone(),
            keys => keys.join("/"),
        };
        let group = self.group.map(text).or_else(|| self.input.group.clone());
        Ok(self.builder.sequence(name, group, class))
    }

    /// Counts steps that are missing before a row, and puts some there.
    fn gap(&mut self, of: usize, sequence: usize, record: &ByteRecord, at: At) -> Result<()> {
        let Some((clock, column)) = &mut self.clock else {
            return Ok(());
        };
        let field = record.get(*column).unwrap_or_default();
        let path = &self.input.path;
        let steps = clock.missing(of, field, path, at, self.time)?;
        if steps == 0.0 {
            return Ok(());
        }
        let place = || Place {
            path: path.clone(),
            at,
            column: self.time.to_owned(),
        };
        self.builder.gaps.add(1, place);
        match self.builder.options.fill {
            None | Some(Fill::Drop) => Ok(()),
            Some(_) if steps > GAP => {
                let what = format_args!(
                    "{steps} steps are missing before it, too many to fill: --group tells \
                     sequences apart, --fill drop goes on without them"
                );
                Err(Error::row(path, at, what))
            }
            Some(_) => self.builder.gap(sequence, steps as u32),
        }
    }
}
