//! An array of NumPy, by position or in memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use gatelet_arrays::npy::Header;

use crate::error::{Error, Result};
use crate::file::Known;
use crate::place::At;

/// An array: its numbers in memory, or where they lie.
#[derive(Debug)]
pub(crate) struct Array {
    pub(super) file: Known,
    /// The byte of the first number.
    at: u64,
    pub(crate) header: Header,
    /// What could not be read by position.
    held: Option<Vec<f32>>,
}

impl Array {
    /// Of a `.npy`.
    pub(crate) fn open(path: &Path, memory: u64) -> Result<Self> {
        let file = Known::new(path)?;
        let mut reader = file.open()?;
        let header = Header::read(&mut reader).map_err(|error| Error::form(path, error))?;
        let at = header.offset;
        let array = Self::new(file, at, header)?;
        array.in_order(memory)
    }

    /// Numbers that begin at a byte of a file.
    pub(crate) fn new(file: Known, at: u64, header: Header) -> Result<Self> {
        let end = header.bytes().and_then(|bytes| bytes.checked_add(at));
        if end.is_none_or(|end| end > file.len) {
            let (shape, len) = (&header.shape, file.len);
            let what = format_args!("it is cut off: it declares {shape:?} and has {len} bytes");
            return Err(Error::form(&file.path, what));
        }
        Ok(Self {
            file,
            at,
            header,
            held: None,
        })
    }

    /// Numbers that a reader gives, which are held.
    pub(crate) fn unpacked(
        file: Known,
        header: Header,
        mut reader: impl Read,
        memory: u64,
    ) -> Result<Self> {
        let what = "it is compressed: save it with numpy.savez, not savez_compressed";
        let path = file.path.clone();
        let bytes = fits(&path, &header, memory, what)?;
        if header.element.is_text() {
            let what = "texts in a compressed file are not read: numpy.savez, not savez_compressed";
            return Err(Error::form(&path, what));
        }
        let mut array = Self {
            file,
            at: 0,
            header,
            held: None,
        };
        array.hold(bytes, &mut reader)?;
        array.in_order(memory)
    }

    /// Reads all numbers; at most as many bytes as there are, whatever the header says.
    fn hold(&mut self, bytes: usize, reader: &mut impl Read) -> Result<()> {
        let element = self.header.element;
        element
            .check()
            .map_err(|error| Error::form(&self.file.path, error))?;
        let mut raw = Vec::new();
        let read = reader.take(bytes as u64).read_to_end(&mut raw);
        read.map_err(|source| Error::read(&self.file.path, source))?;
        if raw.len() < bytes {
            return Err(Error::form(&self.file.path, "an array in it is cut off"));
        }
        let mut numbers = vec![0.0; bytes / element.size().max(1)];
        element.numbers(&raw, &mut numbers);
        self.held = Some(numbers);
        Ok(())
    }

    /// The same with the last index the fastest.
    fn in_order(mut self, memory: u64) -> Result<Self> {
        if !self.header.fortran || self.header.shape.len() < 2 || self.header.is_empty() {
            return Ok(self);
        }
        if self.held.is_none() {
            let what = "its first index is the fastest: save numpy.ascontiguousarray of it";
            let bytes = fits(&self.file.path, &self.header, memory, what)?;
            let mut file = self.seek(0)?;
            self.hold(bytes, &mut file)?;
        }
        let numbers = self.held.take().unwrap_or_default();
        let shape: Vec<usize> = self.header.shape.iter().map(|&len| len as usize).collect();
        let mut index = vec![0; shape.len()];
        let mut ordered = Vec::with_capacity(numbers.len());
        for _ in 0..numbers.len() {
            let at = index
                .iter()
                .zip(&shape)
                .rev()
                .fold(0, |at, (k, len)| at * len + k);
            ordered.push(numbers[at]);
            for (k, len) in index.iter_mut().zip(&shape).rev() {
                *k += 1;
                if *k < *len {
                    break;
                }
                *k = 0;
            }
        }
        self.header.fortran = false;
        self.held = Some(ordered);
        Ok(self)
    }

    fn seek(&self, first: u64) -> Result<File> {
        let mut file = self.file.open()?;
        let byte = self.at + first * self.header.element.size() as u64;
        let sought = file.seek(SeekFrom::Start(byte));
        sought.map_err(|source| Error::read(&self.file.path, source))?;
        Ok(file)
    }

    /// The bytes of elements from `first` on.
    fn bytes(&self, first: u64, count: usize, room: &mut Vec<u8>) -> Result<()> {
        room.resize(count * self.header.element.size(), 0);
        let read = self.seek(first)?.read_exact(room);
        read.map_err(|source| Error::read(&self.file.path, source))
    }

    /// Numbers from `first` on, with the last index the fastest.
    pub(crate) fn numbers(&self, first: u64, out: &mut [f32], room: &mut Vec<u8>) -> Result<()> {
        if let Some(held) = &self.held {
            let first = first as usize;
            out.copy_from_slice(&held[first..first + out.len()]);
            return Ok(());
        }
        self.bytes(first, out.len(), room)?;
        self.header.element.numbers(room, out);
        Ok(())
    }

    /// The classes `[N]`: texts, or whole numbers.
    pub(super) fn classes(&self) -> Result<Vec<String>> {
        let (element, path) = (self.header.element, &self.file.path);
        let (mut room, count) = (Vec::new(), self.header.len() as usize);
        let missing = |k| Error::row(path, At::Step(k, 0), "its class is missing");
        if element.is_text() && element.size() == 0 {
            return Err(missing(0));
        }
        if element.is_text() {
            self.bytes(0, count, &mut room)?;
            let texts = room.chunks_exact(element.size());
            let texts = (0..).zip(texts.map(|bytes| element.text(bytes)));
            let given = texts.map(|(k, text)| match text.is_empty() {
                true => Err(missing(k)),
                false => Ok(text),
            });
            return given.collect();
        }
        let mut numbers = vec![0.0; count];
        self.numbers(0, &mut numbers, &mut room)?;
        let classes = numbers.iter().enumerate().map(|(k, &x)| {
            let what = format_args!("{x} is no class: classes are whole numbers or texts");
            whole(x).ok_or_else(|| Error::row(path, At::Step(k as u64, 0), what))
        });
        classes.collect()
    }
}

/// A whole number as the name of a class.
pub(super) fn whole(x: f32) -> Option<String> {
    (x.fract() == 0.0).then(|| format!("{}", x as i64))
}

/// The bytes of an array that has to be held.
fn fits(path: &Path, header: &Header, memory: u64, what: &'static str) -> Result<usize> {
    let bytes = header.bytes().unwrap_or(u64::MAX);
    let held = header.len().saturating_mul(size_of::<f32>() as u64);
    match bytes.max(held) <= memory {
        true => Ok(bytes as usize),
        false => Err(Error::Memory {
            path: path.to_owned(),
            memory,
            what,
        }),
    }
}
