//! `.ts`, the archive format of aeon and sktime: a case a line.
//!
//! ```text
//! @classLabel true walk run       or @targetLabel true, and then a number
//! @data
//! 1.0,2.0,3.0:0.1,0.2,0.3:walk    numbers of each dimension, then the class
//! ```
//! A dimension is an input. Steps at the end that hold nothing are padding, and left out.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::builder::Builder;
use crate::classes::Classes;
use crate::columns::{Asked, Chosen, Names};
use crate::error::{Error, Result};
use crate::file::Known;
use crate::input::Input;
use crate::options::Task;
use crate::place::{At, shown};
use crate::rows::Rows;
use crate::text::{LONGEST, number};

/// What the lines before `@data` say.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    classes: bool,
    targets: bool,
}

/// A case: its first row, and its line.
#[derive(Clone, Debug)]
struct Line {
    row: u64,
    bytes: Range<u64>,
}

/// Cases by position.
#[derive(Debug)]
struct Cases {
    file: Known,
    header: Header,
    /// Inputs, then what is asked.
    columns: Vec<usize>,
    lines: Vec<Line>,
}

/// A case as numbers.
#[derive(Debug, Default)]
struct Case<'a> {
    /// `[dimensions, steps]`
    numbers: Vec<f32>,
    dimensions: usize,
    label: &'a str,
}

impl Case<'_> {
    fn steps(&self) -> usize {
        self.numbers.len() / self.dimensions.max(1)
    }
}

impl<'a> Case<'a> {
    /// A line's; what is wrong with it otherwise.
    fn read(text: &'a str, header: Header) -> std::result::Result<Self, String> {
        let mut dimensions: Vec<&str> = text.split(':').collect();
        let label = match header.classes || header.targets {
            true => dimensions.pop().unwrap_or_default().trim(),
            false => "",
        };
        let mut numbers = Vec::with_capacity(text.len() / 8);
        let mut steps = None;
        for (k, dimension) in dimensions.iter().enumerate() {
            let before = numbers.len();
            for field in dimension.split(',') {
                let found = number(field.as_bytes(), false);
                let found = found.ok_or_else(|| {
                    format!("{} in dimension {k} is no number", shown(field.trim()))
                })?;
                numbers.push(found);
            }
            let these = numbers.len() - before;
            if *steps.get_or_insert(these) != these {
                return Err(format!(
                    "dimension {k} has {these} steps, and those before it {}: every one of a case \
                     has to have as many",
                    steps.unwrap_or_default()
                ));
            }
        }
        Ok(Self {
            numbers,
            dimensions: dimensions.len(),
            label,
        })
    }
}

/// A line, its number, and the bytes where it stands.
type Text<'a> = (Cow<'a, str>, u64, Range<u64>);

/// Lines, with where they are.
struct Lines<'a> {
    reader: BufReader<std::fs::File>,
    file: &'a Known,
    line: Vec<u8>,
    /// The number of the last line, from 1, and its byte.
    number: u64,
    byte: u64,
}

impl<'a> Lines<'a> {
    fn new(file: &'a Known) -> Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(1 << 16, file.open()?),
            file,
            line: Vec::new(),
            number: 0,
            byte: 0,
        })
    }

    /// The next line.
    fn next(&mut self) -> Result<Option<Text<'_>>> {
        self.byte += self.line.len() as u64;
        self.number += 1;
        self.line.clear();
        let path = &self.file.path;
        let mut bounded = self.reader.by_ref().take(LONGEST);
        let read = bounded.read_until(b'\n', &mut self.line);
        let len = read.map_err(|source| Error::read(path, source))?;
        if len as u64 == LONGEST {
            let what = "a line of more than 64 MiB is not read";
            return Err(Error::row(path, At::Line(self.number), what));
        }
        if len == 0 {
            return Ok(None);
        }
        let bytes = self.byte..self.byte + len as u64;
        Ok(Some((
            String::from_utf8_lossy(&self.line),
            self.number,
            bytes,
        )))
    }
}

/// Reads the lines before the cases.
fn header(lines: &mut Lines<'_>) -> Result<Header> {
    let mut header = Header::default();
    let path = &lines.file.path;
    while let Some((line, ..)) = lines.next()? {
        let line = line
            .trim_start_matches('\u{feff}')
            .trim()
            .to_ascii_lowercase();
        let mut words = line.split_whitespace();
        let (name, value) = (words.next().unwrap_or_default(), words.next());
        match name {
            "@data" => return Ok(header),
            "@classlabel" => header.classes = value == Some("true"),
            "@targetlabel" => header.targets = value == Some("true"),
            "@timestamps" if value == Some("true") => {
                let what = "it has times of its own, which are not read: save it as CSV";
                return Err(Error::form(path, what));
            }
            _ if name.is_empty() || name.starts_with(['@', '#']) => {}
            _ => break,
        }
    }
    Err(Error::form(path, "it has no line @data: it is no .ts file"))
}

/// What is asked, by the header.
fn asked(input: &Input, task: Task, header: Header) -> Result<Option<Asked>> {
    let no = |what| Err(Error::task(&input.path, what));
    match task {
        Task::Forecast { .. } => Ok(None),
        Task::Classify if header.classes => Ok(Some(Asked::Class)),
        Task::Regress if header.targets => Ok(Some(Asked::Once(1))),
        Task::Classify => no("it has no classes (@classLabel true): --task regress or forecast"),
        Task::Regress => no("it has no numbers as answers (@targetLabel true): --task classify"),
        Task::Label => no("a .ts file has no label of each step: --task classify"),
    }
}

/// Reads a file.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let file = Known::new(&input.path)?;
    let path = &input.path;
    let mut lines = Lines::new(&file)?;
    let header = header(&mut lines)?;
    let given = asked(input, builder.options.task, header)?;
    let mut cases: Option<(Cases, usize)> = None;
    let (mut row, mut padding) = (0, 0);
    let mut numbers = Vec::new();
    while let Some((text, number, bytes)) = lines.next()? {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let at = At::Line(number);
        let case = Case::read(text, header).map_err(|what| Error::row(path, at, what))?;
        if cases.is_none() {
            let chosen = begin(input, builder, case.dimensions, given)?;
            let columns = [chosen.features, chosen.targets].concat();
            let made = Cases {
                file: file.clone(),
                header,
                columns,
                lines: Vec::new(),
            };
            cases = Some((made, case.dimensions));
        }
        let Some((made, dimensions)) = &mut cases else {
            break;
        };
        if case.dimensions != *dimensions {
            let found = case.dimensions;
            let what = format_args!("it has {found} dimensions, and those before it {dimensions}");
            return Err(Error::row(path, at, what));
        }
        made.lines.push(Line { row, bytes });
        let steps = case.steps();
        row += steps as u64;
        let known = begin_case(input, builder, &case, at)?;
        let has = |step: &usize| (0..*dimensions).any(|k| !case.numbers[k * steps + step].is_nan());
        let used = (0..steps).rev().find(has).map_or(0, |last| last + 1);
        for step in 0..steps {
            numbers.clear();
            numbers.extend(made.columns.iter().map(|k| case.numbers[k * steps + step]));
            match step < used {
                true => builder.row(known, at, &numbers)?,
                false => builder.skip(&numbers),
            }
        }
        padding += steps - used;
    }
    let Some((cases, _)) = cases else {
        return Err(Error::Empty {
            path: path.clone(),
            what: "it has no cases below @data",
        });
    };
    if padding > 0 {
        let note = format!("{padding} steps at the end of sequences hold nothing: left out");
        builder.notes.push(note);
    }
    builder.end(Ok(Box::new(cases)))
}

/// Begins the file, with so many dimensions.
fn begin(
    input: &Input,
    builder: &mut Builder<'_>,
    dimensions: usize,
    given: Option<Asked>,
) -> Result<Chosen> {
    if dimensions > usize::from(u16::MAX) {
        return Err(Error::Wide {
            path: input.path.clone(),
            columns: dimensions,
        });
    }
    let names: Vec<String> = (0..dimensions).map(|k| k.to_string()).collect();
    let by_name = Names::new(&names, &input.path);
    let chosen = by_name.choose(builder.options, &[])?;
    if given.is_some() && !chosen.targets.is_empty() {
        return Err(Error::Option(
            "of a .ts file --target is for --task forecast only",
        ));
    }
    let (asked, targets) = match given {
        Some(asked) => (asked, vec!["y".to_owned()]),
        None => (
            Asked::Rows(chosen.targets.len()),
            by_name.names(&chosen.targets),
        ),
    };
    builder.begin(input, by_name.names(&chosen.features), targets, asked)?;
    Ok(chosen)
}

/// Begins a case; its sequence.
fn begin_case(input: &Input, builder: &mut Builder<'_>, case: &Case<'_>, at: At) -> Result<usize> {
    let name = builder.sequences.len().to_string();
    match builder.asked {
        Asked::Class => {
            if case.label.is_empty() {
                return Err(Error::row(&input.path, at, "its class is missing"));
            }
            let class = builder
                .classes
                .number(case.label, &input.path, "the class")?;
            Ok(builder.sequence(name, None, Some(class)))
        }
        Asked::Once(_) => {
            let what = format_args!("{} is no number", shown(case.label));
            let value = number(case.label.as_bytes(), false);
            let value = value.ok_or_else(|| Error::row(&input.path, at, what))?;
            let sequence = builder.sequence(name, None, None);
            builder.value(&[value])?;
            Ok(sequence)
        }
        Asked::Label | Asked::Rows(_) => Ok(builder.sequence(name, None, None)),
    }
}

impl Rows for Cases {
    fn read(&self, first: u64, out: &mut [f32], room: &mut Vec<u8>, _: &Classes) -> Result<()> {
        let changed = || Error::Changed(self.file.path.clone());
        let at = self.lines.partition_point(|line| line.row <= first);
        let line = self.lines.get(at.wrapping_sub(1)).ok_or_else(changed)?;
        let mut file = self.file.open()?;
        room.resize((line.bytes.end - line.bytes.start) as usize, 0);
        let read = file
            .seek(SeekFrom::Start(line.bytes.start))
            .and_then(|_| file.read_exact(room));
        read.map_err(|source| Error::read(&self.file.path, source))?;
        let text = String::from_utf8_lossy(room);
        let case = Case::read(text.trim(), self.header).map_err(|_| changed())?;
        let (steps, skip) = (case.steps(), (first - line.row) as usize);
        let columns = self.columns.len();
        if out.len() / columns + skip > steps {
            return Err(changed());
        }
        for (step, out) in (skip..).zip(out.chunks_exact_mut(columns)) {
            for (out, k) in out.iter_mut().zip(&self.columns) {
                *out = *case.numbers.get(k * steps + step).ok_or_else(changed)?;
            }
        }
        Ok(())
    }
}
