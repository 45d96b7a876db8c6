//! Rows of a table, as text.

use std::cell::Cell;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder, Trim};

use crate::error::{Error, Result};
use crate::file::Known;
use crate::place::At;
use crate::text::{Bounded, LONGEST, is_missing, number};

/// Bytes of a whole file that are read at once.
pub(super) const ALL: usize = 1 << 16;

/// What is read of each row.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) file: Known,
    pub(super) delimiter: u8,
    /// Columns of a row.
    pub(super) width: usize,
    /// Columns of numbers.
    pub(super) numbers: Vec<usize>,
    /// The column of a label.
    pub(super) label: Option<usize>,
}

/// A row of a table, and what is wrong with it.
pub(super) enum Wrong {
    /// Which of the numbers.
    Number(usize),
    /// A label that was not met before.
    Label,
}

impl Form {
    /// The rows from a byte on; so many bytes are read at once.
    pub(super) fn rows(&self, from: u64, at_once: usize) -> Result<RowReader<'_>> {
        let mut file = self.file.open()?;
        let sought = file.seek(SeekFrom::Start(from));
        sought.map_err(|source| Error::read(&self.file.path, source))?;
        let (bounded, left) = Bounded::new(file);
        let mut builder = ReaderBuilder::new();
        builder
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .buffer_capacity(at_once);
        Ok(RowReader {
            form: self,
            reader: builder.from_reader(bounded),
            left,
            record: ByteRecord::new(),
        })
    }

    /// The numbers of a row, and its label's.
    pub(super) fn read(
        &self,
        record: &ByteRecord,
        label: impl FnOnce(&str) -> Option<u16>,
        out: &mut Vec<f32>,
    ) -> std::result::Result<(), Wrong> {
        let comma = matches!(self.delimiter, b';' | b'\t');
        out.clear();
        for (k, &column) in self.numbers.iter().enumerate() {
            let field = record.get(column).unwrap_or_default();
            out.push(number(field, comma).ok_or(Wrong::Number(k))?);
        }
        if let Some(column) = self.label {
            let field = String::from_utf8_lossy(record.get(column).unwrap_or_default());
            out.push(match is_missing(&field) {
                true => f32::NAN,
                false => label(&field).map(f32::from).ok_or(Wrong::Label)?,
            });
        }
        Ok(())
    }
}

/// Rows, one after the other.
pub(super) struct RowReader<'a> {
    form: &'a Form,
    reader: csv::Reader<Bounded<File>>,
    left: Rc<Cell<u64>>,
    record: ByteRecord,
}

impl RowReader<'_> {
    /// The next row, its line and its byte.
    pub(super) fn next(&mut self) -> Result<Option<(&ByteRecord, At, u64)>> {
        self.left.set(LONGEST);
        let path = &self.form.file.path;
        let read = self.reader.read_byte_record(&mut self.record);
        let more = read.map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::read(path, source),
            kind => Error::form(path, format_args!("it is no table: {kind:?}")),
        })?;
        if !more {
            return Ok(None);
        }
        let position = self.record.position();
        let (line, byte) = position.map_or((0, 0), |position| (position.line(), position.byte()));
        let at = At::Line(line);
        let (found, wanted) = (self.record.len(), self.form.width);
        if wanted > 0 && found != wanted {
            let what = format_args!(
                "it has {found} columns, and the header {wanted}: put quotes around what holds a \
                 separator"
            );
            return Err(Error::row(path, at, what));
        }
        Ok(Some((&self.record, at, byte)))
    }
}
