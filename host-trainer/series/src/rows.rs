//! Rows of numbers, and sequences as runs of them.
//!
//! ```text
//! sequence   step 0 ... 99   rows 500..600 of part 0
//!            step 100, 101   nothing: a gap in time, which is filled
//!            step 102 ...    rows 600.. of part 0
//! ```

use std::fmt::Debug;
use std::ops::Range;

use crate::classes::Classes;
use crate::error::Result;

/// Rows of a file, by position.
pub(crate) trait Rows: Debug + Send + Sync {
    /// Rows from `first` on into `out`, `[rows, columns]`; `room` is for bytes of the file.
    fn read(
        &self,
        first: u64,
        out: &mut [f32],
        room: &mut Vec<u8>,
        classes: &Classes,
    ) -> Result<()>;
}

/// Rows in memory.
#[derive(Debug)]
pub(crate) struct Held {
    /// Numbers of a row.
    pub(crate) columns: usize,
    /// `[rows, columns]`
    pub(crate) numbers: Vec<f32>,
}

impl Rows for Held {
    fn read(&self, first: u64, out: &mut [f32], _: &mut Vec<u8>, _: &Classes) -> Result<()> {
        let start = first as usize * self.columns;
        out.copy_from_slice(&self.numbers[start..start + out.len()]);
        Ok(())
    }
}

/// The part of a run of rows that are in no file.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Rows that follow each other in a file and in a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The first step.
    pub(crate) step: u32,
    /// The file, or [`NOWHERE`].
    pub(crate) part: u32,
    /// The first row of the file.
    pub(crate) row: u64,
    /// Rows.
    pub(crate) len: u32,
}

/// All rows there are.
#[derive(Debug)]
pub(crate) struct Store {
    /// Files.
    pub(crate) parts: Vec<Box<dyn Rows>>,
    /// Those of a sequence follow each other.
    pub(crate) runs: Vec<Run>,
    /// Numbers of a row.
    pub(crate) columns: usize,
    /// Classes as the files name them.
    pub(crate) classes: Classes,
}

impl Store {
    /// Steps of the sequence of these runs, from `from` on, as they are in the files: NaN where
    /// nothing is.
    pub(crate) fn read(
        &self,
        runs: Range<usize>,
        from: usize,
        mut out: &mut [f32],
        room: &mut Vec<u8>,
    ) -> Result<()> {
        let runs = &self.runs[runs];
        let mut step = from;
        let mut at = runs.partition_point(|run| run.step as usize + run.len as usize <= step);
        while !out.is_empty() {
            let run = runs[at];
            let skip = step - run.step as usize;
            let steps = (run.len as usize - skip).min(out.len() / self.columns);
            let (these, rest) = out.split_at_mut(steps * self.columns);
            match run.part {
                NOWHERE => these.fill(f32::NAN),
                part => {
                    let row = run.row + skip as u64;
                    self.parts[part as usize].read(row, these, room, &self.classes)?;
                }
            }
            out = rest;
            step += steps;
            at += 1;
        }
        Ok(())
    }
}
