//! Token ids by position: in memory, or in a file that nobody else sees.
//!
//! ```text
//! file:  token t at byte t * width,  width = 1 for up to 256 tokens, else 2
//! fill:  one read at a place (pread), no cursor: any number of threads at once
//! ```
//!
//! The file is a temporary one without a name: it goes when the program ends, however it ends, and no change of the
//! text can reach it. docs/adr/0006-streamed-corpora.md compares it with a memory map and with decoding the text.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Token ids that can be read in order, from any place, as often as wanted.
pub trait Tokens {
    /// Hands the tokens of `range` that there are to `each`, in order and in pieces.
    ///
    /// # Errors
    /// What reading says, or what `each` says.
    fn read(&self, range: Range<usize>, each: &mut dyn FnMut(&[u16]) -> Result<()>) -> Result<()>;
}

impl Tokens for &[u16] {
    fn read(&self, range: Range<usize>, each: &mut dyn FnMut(&[u16]) -> Result<()>) -> Result<()> {
        let end = range.end.min(self.len());
        each(&self[range.start.min(end)..end])
    }
}

/// Tokens that pass through, and how many of them are the unknown one.
pub struct Unknowns<'a> {
    tokens: &'a dyn Tokens,
    unknown: Option<u16>,
    /// Unknown ones, and all.
    counts: Cell<(usize, usize)>,
}

impl<'a> Unknowns<'a> {
    /// Of a vocabulary with this unknown token, if it has one.
    pub fn new(tokens: &'a dyn Tokens, unknown: Option<u16>) -> Self {
        let counts = Cell::new((0, 0));
        Self {
            tokens,
            unknown,
            counts,
        }
    }

    /// Part of what has been read that is unknown.
    pub fn share(&self) -> f64 {
        let (unknown, all) = self.counts.get();
        unknown as f64 / all.max(1) as f64
    }

    /// Part of the tokens of `range` that is unknown.
    ///
    /// # Errors
    /// What reading says.
    pub fn share_of(tokens: &'a dyn Tokens, unknown: u16, range: Range<usize>) -> Result<f64> {
        let counted = Self::new(tokens, Some(unknown));
        counted.read(range, &mut |_| Ok(()))?;
        Ok(counted.share())
    }
}

impl Tokens for Unknowns<'_> {
    fn read(&self, range: Range<usize>, each: &mut dyn FnMut(&[u16]) -> Result<()>) -> Result<()> {
        self.tokens.read(range, &mut |piece| {
            let found = piece.iter().filter(|&&id| Some(id) == self.unknown);
            let (unknown, all) = self.counts.get();
            self.counts
                .set((unknown + found.count(), all + piece.len()));
            each(piece)
        })
    }
}

/// The token ids of a corpus.
#[derive(Debug)]
pub(super) enum Store {
    Memory(Vec<u16>),
    File(TokenFile),
}

impl Store {
    /// Adds tokens at the end; `bytes` is room to be used again.
    pub(super) fn append(&mut self, tokens: &[u16], bytes: &mut Vec<u8>) -> Result<()> {
        match self {
            Store::Memory(all) => all.extend_from_slice(tokens),
            Store::File(file) => file.append(tokens, bytes)?,
        }
        Ok(())
    }

    /// Fills `out` with the tokens from `start` on, which have to be there.
    pub(super) fn fill(&self, start: usize, out: &mut [u16]) -> Result<()> {
        match self {
            Store::Memory(tokens) => {
                out.copy_from_slice(&tokens[start..start + out.len()]);
                Ok(())
            }
            Store::File(file) => file.fill(start, out),
        }
    }
}

/// Token ids in a temporary file.
#[derive(Debug)]
pub(super) struct TokenFile {
    file: File,
    /// Two bytes a token instead of one.
    wide: bool,
    /// The folder it is in, for messages.
    folder: PathBuf,
}

impl TokenFile {
    /// An empty one in `folder`, for a vocabulary of `vocab` tokens.
    pub(super) fn new(folder: &Path, vocab: usize) -> Result<Self> {
        let folder = folder.to_owned();
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(Self {
                file,
                wide: vocab > 256,
                folder,
            }),
            Err(source) => Err(Error::TokenFile { folder, source }),
        }
    }

    /// Adds tokens at the end; `bytes` is room to be used again.
    pub(super) fn append(&mut self, tokens: &[u16], bytes: &mut Vec<u8>) -> Result<()> {
        let written = if self.wide {
            self.file.write_all(bytemuck::cast_slice(tokens))
        } else {
            bytes.clear();
            bytes.extend(tokens.iter().map(|&id| id as u8));
            self.file.write_all(bytes)
        };
        written.map_err(|source| Error::TokenFile {
            folder: self.folder.clone(),
            source,
        })
    }

    fn fill(&self, start: usize, out: &mut [u16]) -> Result<()> {
        let read = if self.wide {
            read_at(&self.file, bytemuck::cast_slice_mut(out), 2 * start as u64)
        } else {
            self.widen(start, out)
        };
        read.map_err(|source| Error::Read {
            path: self.folder.join("(token file)"),
            source,
        })
    }

    /// Reads tokens of one byte each, a window in one go.
    fn widen(&self, start: usize, out: &mut [u16]) -> io::Result<()> {
        const PIECE: usize = 1024;
        let mut piece = [0; PIECE];
        for (index, out) in out.chunks_mut(PIECE).enumerate() {
            let bytes = &mut piece[..out.len()];
            read_at(&self.file, bytes, (start + index * PIECE) as u64)?;
            for (id, &byte) in out.iter_mut().zip(bytes.iter()) {
                *id = byte.into();
            }
        }
        Ok(())
    }
}

/// Reads exactly `bytes` from the place `at`.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Reads exactly `bytes` from the place `at`.
#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[count..];
        at += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_what_memory_gives() {
        let folder = tempfile::tempdir().unwrap();
        for vocab in [2, 256, 257, 16_384_usize] {
            let tokens: Vec<u16> = (0..5000_usize)
                .map(|i| (i * i * 31 % vocab) as u16)
                .collect();
            let mut file = TokenFile::new(folder.path(), vocab).unwrap();
            let mut bytes = Vec::new();
            for part in tokens.chunks(777) {
                file.append(part, &mut bytes).unwrap();
            }
            let (file, memory) = (Store::File(file), Store::Memory(tokens.clone()));
            for (start, count) in [(0, 5000), (0, 0), (1, 1), (4095, 65), (4999, 1), (5000, 0)] {
                let (mut a, mut b) = (vec![7; count], vec![8; count]);
                file.fill(start, &mut a).unwrap();
                memory.fill(start, &mut b).unwrap();
                assert_eq!(a, b, "{vocab} {start} {count}");
            }
            let error = file.fill(4999, &mut [0; 2]).unwrap_err();
            assert!(matches!(error, Error::Read { .. }), "{error}");
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "it has no name"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = TokenFile::new(Path::new("not/there"), 2).unwrap_err();
        assert!(error.to_string().contains("not/there"), "{error}");
    }
}
