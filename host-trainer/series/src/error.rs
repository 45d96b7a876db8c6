//! Why data is refused: one line each, with the place and a way out.

use std::io;
use std::path::{Path, PathBuf};

use gatelet::visible;

use crate::place::{At, Place, counted, shown};

/// What reading data gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A path as a terminal may show it.
fn of(path: &Path) -> impl std::fmt::Display + '_ {
    visible::line(path.display())
}

/// Why data is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("{}: {source}", of(path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No format has such files.
    #[error(
        "{}: {what}; data is a .csv, .npy, .npz, .ts, a .wav and its target (IN.wav,OUT.wav), or a \
         folder of .csv or .wav files",
        of(path)
    )]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// There are no numbers in it.
    #[error("{}: {what}", of(path))]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
    /// The file is damaged, or of a form that is not read.
    #[error("{}: {what}", of(path))]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong, and a way out.
        what: String,
    },
    /// A row of a text is not what it has to be.
    #[error("{}, {at}: {what}", of(path))]
    Row {
        /// The file.
        path: PathBuf,
        /// The row.
        at: At,
        /// What is wrong, and a way out.
        what: String,
    },
    /// A CSV begins with numbers.
    #[error(
        "{}: its first line is numbers: put a line with the names of the columns before it", of(.0)
    )]
    NoHeader(PathBuf),
    /// A column is not there.
    #[error("{}: it has no column {}; there are {there}", of(path), shown(column))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        column: String,
        /// Those that are there.
        there: String,
    },
    /// Two columns have one name.
    #[error(
        "{}: the columns {first} and {second} are both called {}: rename one of them",
        of(path),
        shown(column)
    )]
    Repeated {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
        /// The first of them, from 1.
        first: usize,
        /// The second.
        second: usize,
    },
    /// More inputs than a net takes.
    #[error(
        "{}: {columns} columns are more than the {} that a net takes: name those that count with \
         --features",
        of(path),
        gatelet::net::MAX_SIZE
    )]
    Wide {
        /// The file.
        path: PathBuf,
        /// Columns.
        columns: usize,
    },
    /// More outputs than a net gives.
    #[error(
        "{outputs} numbers are asked of a step, more than the {} that a net gives: name fewer \
         with --target, or look fewer steps ahead",
        gatelet::net::MAX_SIZE
    )]
    Outputs {
        /// Numbers.
        outputs: usize,
    },
    /// Something that is no number.
    #[error(
        "{place}: {} is no number; leave the column out (--features names those that are inputs)",
        shown(found)
    )]
    NoNumber {
        /// Where.
        place: Place,
        /// What stands there.
        found: String,
    },
    /// A number that is infinite, or past what f32 holds.
    #[error("{place}: {found} is not finite: leave it empty where nothing was measured")]
    NotFinite {
        /// Where.
        place: Place,
        /// What it is.
        found: f32,
    },
    /// Numbers are missing.
    #[error(
        "{}, the first at {place}: --fill previous, linear or zero puts some there, --fill drop \
         leaves the steps out",
        counted(*count, "number is missing", "numbers are missing")
    )]
    Missing {
        /// How many.
        count: u64,
        /// The first of them.
        place: Place,
    },
    /// Steps are missing.
    #[error(
        "{}, where more than a step of {step} passes, the first before {place}: --fill previous, \
         linear or zero puts steps there, --fill drop goes on without them",
        counted(*count, "gap in time", "gaps in time")
    )]
    Gaps {
        /// How many.
        count: u64,
        /// The usual step, in the units of the column, or in seconds.
        step: f64,
        /// The first step after one.
        place: Place,
    },
    /// A column without a number in a sequence.
    #[error(
        "the column {} has no number in the sequence {}: leave one of them out, or --fill zero",
        shown(column),
        shown(sequence)
    )]
    Hollow {
        /// The sequence.
        sequence: String,
        /// The column.
        column: String,
    },
    /// More is missing than there is.
    #[error(
        "{count} numbers are missing, more than can be filled: leave out columns without numbers"
    )]
    TooFew {
        /// How many.
        count: u64,
    },
    /// Time does not rise.
    #[error(
        "{place}: {found} is not later than {before}, the time before it: sort the rows, or name \
         the column that tells the sequences apart with --group"
    )]
    Backwards {
        /// Where.
        place: Place,
        /// The time.
        found: f64,
        /// The time before it.
        before: f64,
    },
    /// Something that is no time.
    #[error(
        "{place}: {} is no time: a number, or a date such as 2026-01-31 23:59:59.5",
        shown(found)
    )]
    NoTime {
        /// Where.
        place: Place,
        /// What stands there.
        found: String,
    },
    /// A sequence has two classes.
    #[error(
        "{place}: the class {} follows {} in one sequence: --group names the column that tells \
         sequences apart, --task label asks for a label of each step",
        shown(found),
        shown(before)
    )]
    TwoClasses {
        /// Where.
        place: Place,
        /// The class.
        found: String,
        /// The class before it.
        before: String,
    },
    /// Numbers that were to be asked once change within a sequence.
    #[error("the sequence {} is to be asked once, and what is asked changes in it", shown(.0))]
    Changing(String),
    /// There is one class.
    #[error("every sequence or step is of the class {}: there is nothing to tell apart", shown(.0))]
    OneClass(String),
    /// Nothing has a class.
    #[error("there is no class: {0}")]
    NoClass(String),
    /// A class that the other set has not.
    #[error("{}: the class {} is none of {known}", of(path), shown(class))]
    NewClass {
        /// The file.
        path: PathBuf,
        /// The class.
        class: String,
        /// Those that are known.
        known: String,
    },
    /// As many classes as there are numbers.
    #[error(
        "{}: {} has more than {most} different values: if they are numbers, --task regress",
        of(path),
        shown(column)
    )]
    Classes {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// How many there may be.
        most: usize,
    },
    /// The files are not alike.
    #[error(
        "{}: its inputs are {found}, and those of the files before it {before}",
        of(path)
    )]
    Unlike {
        /// The file.
        path: PathBuf,
        /// Its columns.
        found: String,
        /// Those before.
        before: String,
    },
    /// Recordings of different rates.
    #[error(
        "{}: {rate} samples a second, and {before} in {}: bring all to one rate (sox IN.wav -r \
         {before} OUT.wav)",
        of(path),
        of(first)
    )]
    Rates {
        /// The file.
        path: PathBuf,
        /// Its rate in Hz.
        rate: u32,
        /// That before it.
        before: u32,
        /// The file that has that.
        first: PathBuf,
    },
    /// The task has no answer in such data.
    #[error("{}: {what}", of(path))]
    Task {
        /// The file or folder.
        path: PathBuf,
        /// What it lacks, and a way out.
        what: &'static str,
    },
    /// An option that makes no sense.
    #[error("{0}")]
    Option(&'static str),
    /// No sequence is long enough.
    #[error("no sequence has the {least} steps that are needed; the longest has {longest}")]
    Short {
        /// Steps that are needed.
        least: usize,
        /// Steps of the longest.
        longest: usize,
    },
    /// Data that is neither held nor read by position.
    #[error(
        "{}: it is larger than the {memory} bytes that are held in memory, and {what}",
        of(path)
    )]
    Memory {
        /// The file.
        path: PathBuf,
        /// Bytes that are held.
        memory: u64,
        /// Why it cannot be read by position, and a way out.
        what: &'static str,
    },
    /// A file is not what it was when it was opened.
    #[error("{}: it has changed since it was opened", of(.0))]
    Changed(PathBuf),
    /// A read past the end of a sequence, or into a buffer of another width.
    #[error("steps {from} to {to} of sequence {sequence} are asked for, which has {steps}")]
    Range {
        /// The sequence.
        sequence: usize,
        /// The first step.
        from: usize,
        /// The step after the last.
        to: usize,
        /// Its steps.
        steps: usize,
    },
    /// No split of the kind that was asked for.
    #[error("{0}")]
    Split(String),
    /// A group is on both sides of a split.
    #[error(
        "the group {} is both in the training and in the other part: what is measured there says \
         nothing about new ones", shown(.0)
    )]
    Leak(String),
}

impl Error {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Read { path, source }
    }

    pub(crate) fn form(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::Form {
            path: path.to_owned(),
            what: visible::line(what).to_string(),
        }
    }

    pub(crate) fn row(path: &Path, at: At, what: impl std::fmt::Display) -> Self {
        Self::Row {
            path: path.to_owned(),
            at,
            what: visible::line(what).to_string(),
        }
    }

    pub(crate) fn task(path: &Path, what: &'static str) -> Self {
        let path = path.to_owned();
        Self::Task { path, what }
    }
}
