//! Tables of a flatbuffer, every access checked: what is outside the file is an error.
//!
//! ```text
//! file     u32 offset of the root table, "TFL3", ...
//! table    i32: how far before it its vtable lies; then its fields
//! vtable   u16 bytes of it, u16 bytes of the table, u16 for each field: where it is, or 0
//! vector   u32 length, then the elements; of tables, text and vectors: u32 offsets forward
//! ```
//! The library for this reads through unsafe functions that trust a check made before; a net has
//! some hundred tables, so each access can be checked as well.

use crate::error::{Error, Result};

/// What the file is, for messages.
pub(super) const FORMAT: &str = "TFLite";

pub(super) fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: FORMAT,
        what: what.into(),
    }
}

fn outside() -> Error {
    damaged("an offset is outside the file")
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let rest = bytes.get(at..).and_then(|rest| rest.first_chunk());
    rest.copied().ok_or_else(outside)
}

/// A forward offset, and where it leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize> {
    let offset = u32::from_le_bytes(array(bytes, at)?) as usize;
    at.checked_add(offset)
        .filter(|to| *to < bytes.len())
        .ok_or_else(outside)
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: usize,
    /// Bytes of the vtable.
    size: usize,
}

/// The elements of a vector: where they begin, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Vector {
    start: usize,
    len: usize,
}

impl<'a> Table<'a> {
    /// The root of a file.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self> {
        Self::new(bytes, follow(bytes, 0)?)
    }

    fn new(bytes: &'a [u8], at: usize) -> Result<Self> {
        let back = i64::from(i32::from_le_bytes(array(bytes, at)?));
        let vtable = usize::try_from(at as i64 - back).map_err(|_| outside())?;
        let size = u16::from_le_bytes(array(bytes, vtable)?).into();
        Ok(Self {
            bytes,
            at,
            vtable,
            size,
        })
    }

    /// Where a field is; nothing where it has its default.
    fn field(&self, id: usize) -> Result<Option<usize>> {
        let entry = 4 + 2 * id;
        if entry + 2 > self.size {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(array(self.bytes, self.vtable + entry)?);
        Ok((offset != 0).then_some(self.at + usize::from(offset)))
    }

    fn number<const N: usize>(&self, id: usize) -> Result<Option<[u8; N]>> {
        let field = self.field(id)?;
        field.map(|at| array(self.bytes, at)).transpose()
    }

    pub(super) fn byte(&self, id: usize) -> Result<u8> {
        Ok(self.number(id)?.map_or(0, u8::from_le_bytes))
    }

    pub(super) fn int(&self, id: usize) -> Result<i32> {
        Ok(self.number(id)?.map_or(0, i32::from_le_bytes))
    }

    pub(super) fn long(&self, id: usize) -> Result<u64> {
        Ok(self.number(id)?.map_or(0, u64::from_le_bytes))
    }

    /// An index into another vector.
    pub(super) fn index(&self, id: usize) -> Result<usize> {
        Ok(self.number(id)?.map_or(0, u32::from_le_bytes) as usize)
    }

    pub(super) fn float(&self, id: usize) -> Result<f32> {
        Ok(self.number(id)?.map_or(0.0, f32::from_le_bytes))
    }

    /// A table that a field names.
    pub(super) fn table(&self, id: usize) -> Result<Option<Self>> {
        let field = self.field(id)?;
        field
            .map(|at| Self::new(self.bytes, follow(self.bytes, at)?))
            .transpose()
    }

    /// A vector of elements of so many bytes; an empty one where there is none.
    fn vector(&self, id: usize, size: usize) -> Result<Vector> {
        let Some(at) = self.field(id)? else {
            return Ok(Vector { start: 0, len: 0 });
        };
        let at = follow(self.bytes, at)?;
        let len = u32::from_le_bytes(array(self.bytes, at)?) as usize;
        let start = at + 4;
        let end = len
            .checked_mul(size)
            .and_then(|bytes| bytes.checked_add(start));
        match end.is_some_and(|end| end <= self.bytes.len()) {
            true => Ok(Vector { start, len }),
            false => Err(outside()),
        }
    }

    /// Elements of a vector.
    pub(super) fn len(&self, id: usize) -> Result<usize> {
        Ok(self.vector(id, 1)?.len)
    }

    /// The bytes of a vector of bytes.
    pub(super) fn bytes(&self, id: usize) -> Result<&'a [u8]> {
        let Vector { start, len } = self.vector(id, 1)?;
        self.bytes.get(start..start + len).ok_or_else(outside)
    }

    fn chunks<const N: usize>(&self, id: usize, most: usize) -> Result<&'a [[u8; N]]> {
        let Vector { start, len } = self.vector(id, N)?;
        if len > most {
            return Err(damaged(format!(
                "a list of {len} numbers, of at most {most}"
            )));
        }
        let bytes = self.bytes.get(start..start + len * N).ok_or_else(outside)?;
        Ok(bytes.as_chunks().0)
    }

    /// A vector of at most `most` integers.
    pub(super) fn ints(&self, id: usize, most: usize) -> Result<Vec<i32>> {
        let all = self.chunks(id, most)?.iter();
        Ok(all.copied().map(i32::from_le_bytes).collect())
    }

    pub(super) fn longs(&self, id: usize, most: usize) -> Result<Vec<i64>> {
        let all = self.chunks(id, most)?.iter();
        Ok(all.copied().map(i64::from_le_bytes).collect())
    }

    pub(super) fn floats(&self, id: usize, most: usize) -> Result<Vec<f32>> {
        let all = self.chunks(id, most)?.iter();
        Ok(all.copied().map(f32::from_le_bytes).collect())
    }

    /// An element of a vector of tables.
    pub(super) fn element(&self, id: usize, index: usize) -> Result<Self> {
        let Vector { start, len } = self.vector(id, 4)?;
        match index < len {
            true => Self::new(self.bytes, follow(self.bytes, start + 4 * index)?),
            false => Err(outside()),
        }
    }

    /// A text; its beginning if it is very long.
    pub(super) fn text(&self, id: usize) -> Result<String> {
        const LONGEST: usize = 200;
        let bytes = self.bytes(id)?;
        let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
        Ok(text.into_owned())
    }
}
