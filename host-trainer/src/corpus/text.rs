//! A text to be read from its start to its end, as often as needed, without being held in memory.
//!
//! ```text
//! block:  [ rest of a character | bytes read ]  --UTF-8--> piece --rules--> prepared piece --> the reader
//!           hash += bytes read;  lines += line feeds;  the unfinished character at the end goes to the next block
//! ```
//!
//! Memory: one block, and what the rules make of it. A text that is no regular file (a pipe) can be read once only, so
//! it is held in memory.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use gatelet::TextRules;
use sha2::{Digest, Sha256};

use super::prepare::Preparation;
use crate::error::{Error, Result};

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;
/// Texts of up to so many bytes are held in memory by [`Text::read`].
pub const IN_MEMORY: u64 = 64 << 20;

/// A text with its name.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as the user gave it.
    pub name: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// UTF-8.
    Memory { text: String, sha256: [u8; 32] },
    /// A regular file, not looked at yet.
    File { path: PathBuf, bytes: u64 },
}

/// What a pass over a text says about how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The reader had enough.
    Stopped,
    /// Read to the end: SHA-256 of the bytes.
    Whole([u8; 32]),
}

impl Text {
    /// A UTF-8 file, held in memory up to [`IN_MEMORY`] bytes.
    ///
    /// # Errors
    /// As [`Text::open`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::open(path, IN_MEMORY)
    }

    /// A UTF-8 file, held in memory if it has at most `in_memory` bytes, or cannot be read twice.
    ///
    /// # Errors
    /// [`Error::Read`]; and for one in memory [`Error::NotUtf8`] with the offset and line of the first bad byte.
    pub fn open(path: &Path, in_memory: u64) -> Result<Self> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let name = path.display().to_string();
        let about = fs::metadata(path).map_err(failed)?;
        if !about.is_file() || about.len() <= in_memory {
            return Self::from_bytes(name, fs::read(path).map_err(failed)?);
        }
        File::open(path).map_err(failed)?;
        let (path, bytes) = (path.to_owned(), about.len());
        let content = Content::File { path, bytes };
        Ok(Self { name, content })
    }

    /// The same from bytes in memory.
    ///
    /// # Errors
    /// [`Error::NotUtf8`].
    pub fn from_bytes(name: String, bytes: Vec<u8>) -> Result<Self> {
        let sha256 = Sha256::digest(&bytes).into();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self {
                name,
                content: Content::Memory { text, sha256 },
            }),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let line = 1 + line_feeds(&error.as_bytes()[..offset]);
                Err(Error::NotUtf8 { name, offset, line })
            }
        }
    }

    /// Bytes of the text; of a file, when it was opened.
    pub fn bytes(&self) -> u64 {
        match &self.content {
            Content::Memory { text, .. } => text.len() as u64,
            Content::File { bytes, .. } => *bytes,
        }
    }

    /// Whether passes read a file, and not memory.
    pub fn is_streamed(&self) -> bool {
        matches!(self.content, Content::File { .. })
    }

    /// Reads the text in pieces, prepared by `rules`. `each` gets a piece and the bytes read so far, and says whether to
    /// go on.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NotUtf8`], [`Error::NoBoundary`], or what `each` says.
    pub fn pass(
        &self,
        rules: TextRules,
        each: &mut dyn FnMut(&str, u64) -> Result<bool>,
    ) -> Result<Pass> {
        let mut preparation = Preparation::new(rules);
        let mut read = 0;
        let mut prepared = |piece: &str| {
            read += piece.len() as u64;
            let name = || self.name.clone();
            let prepared = preparation
                .push(piece)
                .map_err(|_| Error::NoBoundary { name: name() })?;
            each(prepared, read)
        };
        let sha256 = match &self.content {
            Content::Memory { text, sha256 } => {
                let mut rest = text.as_str();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rest.floor_char_boundary(BLOCK));
                    if !prepared(piece)? {
                        return Ok(Pass::Stopped);
                    }
                    rest = after;
                }
                *sha256
            }
            Content::File { path, .. } => match read_blocks(&self.name, path, &mut prepared)? {
                Pass::Stopped => return Ok(Pass::Stopped),
                Pass::Whole(sha256) => sha256,
            },
        };
        let rest = preparation.finish();
        if !rest.is_empty() && !each(rest, read)? {
            return Ok(Pass::Stopped);
        }
        Ok(Pass::Whole(sha256))
    }
}

/// Line feeds in `bytes`.
fn line_feeds(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b == b'\n').count()
}

/// Reads a file in blocks of whole characters.
fn read_blocks(
    name: &str,
    path: &Path,
    each: &mut dyn FnMut(&str) -> Result<bool>,
) -> Result<Pass> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    // Bytes of an unfinished character at the start of the block; where the block starts; line feeds before it.
    let (mut kept, mut offset, mut lines) = (0, 0_usize, 0);
    loop {
        let count = match file.read(&mut block[kept..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other.map_err(failed)?,
        };
        hash.update(&block[kept..kept + count]);
        let have = kept + count;
        let (valid, broken) = match std::str::from_utf8(&block[..have]) {
            Ok(_) => (have, false),
            Err(error) => (
                error.valid_up_to(),
                error.error_len().is_some() || count == 0,
            ),
        };
        if broken {
            return Err(Error::NotUtf8 {
                name: name.to_owned(),
                offset: offset + valid,
                line: 1 + lines + line_feeds(&block[..valid]),
            });
        }
        if count == 0 {
            return Ok(Pass::Whole(hash.finalize().into()));
        }
        let piece = std::str::from_utf8(&block[..valid]).unwrap_or_default();
        if !each(piece)? {
            return Ok(Pass::Stopped);
        }
        lines += line_feeds(piece.as_bytes());
        block.copy_within(valid..have, 0);
        (kept, offset) = (have - valid, offset + valid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, Text) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let text = Text::open(file.path(), 0).unwrap();
        assert!(text.is_streamed() || bytes.is_empty());
        (file, text)
    }

    fn whole(text: &Text) -> Result<(String, Pass)> {
        let mut whole = String::new();
        let pass = text.pass(TextRules::default(), &mut |piece, _| {
            whole.push_str(piece);
            Ok(true)
        })?;
        Ok((whole, pass))
    }

    /// Characters of every length at every place of a block's end.
    #[test]
    fn characters_on_the_edge_of_a_block_stay_whole() {
        for shift in 0..8 {
            let mut content = "x".repeat(BLOCK - 8 + shift);
            content.push_str(&"é漢😀a".repeat(BLOCK / 10));
            let (_file, text) = file(content.as_bytes());
            let (read, pass) = whole(&text).unwrap();
            assert!(read == content, "shift {shift}");
            assert_eq!(pass, Pass::Whole(Sha256::digest(content.as_bytes()).into()));
        }
    }

    #[test]
    fn a_bad_byte_is_named_wherever_it_stands() {
        for at in [0, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3] {
            let mut bytes = b"ab\ncd\n".repeat(BLOCK);
            bytes.truncate(2 * BLOCK + 4);
            bytes[at] = 0xff;
            let lines = 1 + line_feeds(&bytes[..at]);
            let expected = |error: Error| {
                let found = matches!(error, Error::NotUtf8 { offset, line, .. } if (offset, line) == (at, lines));
                assert!(found, "{at}: {error}");
            };
            let (_file, text) = file(&bytes);
            expected(whole(&text).unwrap_err());
            expected(Text::from_bytes("t".to_owned(), bytes).unwrap_err());
        }
        // A character that the end cuts off.
        let (_file, text) = file(b"ab\n\xe6\xbc");
        let error = whole(&text).unwrap_err();
        assert!(matches!(
            error,
            Error::NotUtf8 {
                offset: 3,
                line: 2,
                ..
            }
        ));
    }

    #[test]
    fn memory_and_file_give_the_same_pieces_together() {
        let content = "a truth universally acknowledged, é漢😀 ".repeat(20_000);
        let (_file, streamed) = file(content.as_bytes());
        let held = Text::from_bytes("t".to_owned(), content.clone().into_bytes()).unwrap();
        assert!(whole(&streamed).unwrap() == whole(&held).unwrap());
        let mut pieces = 0;
        let stopped = streamed.pass(TextRules::default(), &mut |_, read| {
            pieces += 1;
            assert!(read <= content.len() as u64);
            Ok(pieces < 2)
        });
        assert_eq!((stopped.unwrap(), pieces), (Pass::Stopped, 2));
    }
}
