//! CSV: a row a step, columns by name.
//!
//! ```text
//! subject,t,ax,ay,activity      names, always
//! 1,0.00,0.1,-0.3,walk          --group subject: a sequence of each value, in the order of rows
//! 1,0.02,0.2,-0.1,walk          --time t: rises within a sequence; gaps are counted
//! ```
//! Commas, semicolons, tabs or bars part the columns; quotes are read. Where semicolons or tabs
//! part them, decimals may follow a comma. The byte of every 16th row is kept, to read by position.

mod form;
mod header;
mod keys;
mod scan;

use crate::builder::Builder;
use crate::classes::Classes;
use crate::columns::{Asked, Names};
use crate::error::{Error, Result};
use crate::file::Known;
use crate::input::Input;
use crate::options::{Options, Task};
use crate::place::shown;
use crate::rows::Rows;
use crate::text::LONGEST;

use form::{ALL, Form};
use header::{check, delimiter, header};
use keys::Keys;
use scan::{Scan, learn};

/// Bytes of some rows that are read at once.
const SOME: usize = 1 << 13;

/// Rows from one known byte to the next.
const EVERY: u64 = 16;

/// Reads a file.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let options = builder.options;
    let file = Known::new(&input.path)?;
    let path = &input.path;
    let head = file.head(LONGEST.min(1 << 20))?;
    check(path, &head)?;
    let mut form = Form {
        file,
        delimiter: delimiter(&head),
        width: 0,
        numbers: Vec::new(),
        label: None,
    };
    let names = header(&form)?;
    let by_name = Names::new(&names, path);
    let find = |name: &Option<String>| name.as_ref().map(|name| by_name.find(name)).transpose();
    // The group may be in the name of the file.
    let group = match &input.group {
        Some(_) => None,
        None => find(&options.group)?,
    };
    let (sequence, time) = (find(&options.sequence)?, find(&options.time)?);
    let used: Vec<usize> = [group, sequence, time].into_iter().flatten().collect();
    let chosen = by_name.choose(options, &used)?;
    if options.features.is_empty() && names.iter().any(String::is_empty) {
        let note = "columns without a name were left out";
        builder
            .notes
            .push(format!("{}: {note}", shown(&input.name)));
    }
    let asked = asked(options, input, chosen.targets.len())?;
    form.width = names.len();
    form.numbers.clone_from(&chosen.features);
    let class = match asked {
        Asked::Rows(_) => {
            form.numbers.extend(&chosen.targets);
            None
        }
        Asked::Label => {
            form.label = Some(chosen.targets[0]);
            None
        }
        _ => chosen.targets.first().copied(),
    };
    let (features, targets) = (
        by_name.names(&chosen.features),
        by_name.names(&chosen.targets),
    );
    builder.begin(input, features, targets, asked)?;
    let keys = || Keys::new([group, sequence].into_iter().flatten().collect());
    let mut clock = match time {
        Some(time) => Some(learn(&form, keys(), time, &names[time])?),
        None => None,
    };
    if let Some(clock) = &mut clock {
        builder.step = clock.learnt();
    }

    let mut scan = Scan {
        input,
        builder,
        form: &form,
        class,
        group,
        keys: keys(),
        clock: clock.zip(time),
        time: time.map_or("", |time| &names[time]),
        sequences: Vec::new(),
        numbers: Vec::new(),
    };
    let mut rows = form.rows(0, ALL)?;
    rows.next()?;
    let mut offsets = Vec::new();
    let mut count = 0_u64;
    while let Some((record, at, byte)) = rows.next()? {
        if count.is_multiple_of(EVERY) {
            offsets.push(byte);
        }
        count += 1;
        scan.row(record, at)?;
    }
    if count == 0 {
        return Err(Error::Empty {
            path: path.clone(),
            what: "it has no rows below its header",
        });
    }
    builder.end(Ok(Box::new(Table { form, offsets })))
}

/// What the rows hold beside the inputs.
fn asked(options: &Options, input: &Input, targets: usize) -> Result<Asked> {
    let no = |what| Err(Error::task(&input.path, what));
    match (options.task, targets) {
        (Task::Classify, 0) if input.class.is_some() => Ok(Asked::Class),
        (Task::Classify, 0) => no(
            "no class is known: --target names its column, or a folder holds files called \
             CLASS_anything.csv or CLASS/anything.csv",
        ),
        (Task::Classify, 1) => Ok(Asked::Class),
        (Task::Label, 1) => Ok(Asked::Label),
        (Task::Label, 0) => no("--target has to name the column of labels"),
        (Task::Regress, 0) => no("--target has to name the columns of numbers"),
        (Task::Classify | Task::Label, _) => no("--target has to name one column"),
        (Task::Regress | Task::Forecast { .. }, count) => Ok(Asked::Rows(count)),
    }
}

/// A table by position.
#[derive(Debug)]
struct Table {
    form: Form,
    /// The byte of every 16th row.
    offsets: Vec<u64>,
}

impl Rows for Table {
    fn read(&self, first: u64, out: &mut [f32], _: &mut Vec<u8>, classes: &Classes) -> Result<()> {
        let changed = || Error::Changed(self.form.file.path.clone());
        let block = usize::try_from(first / EVERY).unwrap_or(usize::MAX);
        let offset = *self.offsets.get(block).ok_or_else(changed)?;
        let mut rows = self.form.rows(offset, SOME)?;
        for _ in 0..first % EVERY {
            rows.next()?;
        }
        let columns = self.form.numbers.len() + usize::from(self.form.label.is_some());
        let mut numbers = Vec::with_capacity(columns);
        for out in out.chunks_exact_mut(columns) {
            let (record, ..) = rows.next()?.ok_or_else(changed)?;
            let read = self
                .form
                .read(record, |name| classes.find(name), &mut numbers);
            read.map_err(|_| changed())?;
            out.copy_from_slice(&numbers);
        }
        Ok(())
    }
}
