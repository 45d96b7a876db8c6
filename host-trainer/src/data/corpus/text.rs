//! A text to be read from its start to its end, as often as needed, without being held in memory.
//!
//! ```text
//! block --decode.rs--> characters --plain.rs--> line ends as LF --prepare.rs--> prepared piece --> the reader
//! hash += block
//! ```
//!
//! Memory: one block, and what becomes of it. A text that is no regular file (a pipe, standard input) can be read once
//! only, so it is held in memory.

mod no_text;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::decode::{Decoder, Encoding};
use super::plain::Changes;
use super::prepare::{Preparation, Rules};
use super::split::{List, Split};
use crate::error::{Error, Result};
use crate::files;

/// Bytes read at a time.
const BLOCK: usize = 256 << 10;
/// Texts of up to so many bytes are held in memory by [`Text::read`].
pub const IN_MEMORY: u64 = 64 << 20;

/// Bytes of the largest text that is no regular file: it is held in memory.
pub const UNSIZED: u64 = 256 << 20;

/// A text with its name.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as the user gave it.
    pub name: String,
    /// What was asked for; otherwise UTF-8, or UTF-16 by its byte order mark.
    encoding: Option<Encoding>,
    content: Content,
    /// Of a list that was arranged, what there is to know about it, and what the passes over it had seen.
    list: Option<(List, Seen)>,
}

#[derive(Clone, Debug)]
enum Content {
    Memory {
        bytes: Vec<u8>,
        sha256: [u8; 32],
    },
    /// A regular file, not looked at yet.
    File {
        path: PathBuf,
        bytes: u64,
    },
    /// A file without a name, which nobody else can change.
    Own {
        file: Arc<File>,
        bytes: u64,
    },
}

/// What a pass over a text says about how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The reader had enough.
    Stopped,
    /// Read to the end.
    Whole(Seen),
}

/// What a pass over the whole of a text has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// The encoding; of bytes there is none.
    pub encoding: Option<Encoding>,
    /// What became of line ends and byte order marks.
    pub changes: Changes,
}

impl Seen {
    /// Whether nothing became of the text that a reader of it would not expect.
    pub fn is_usual(&self) -> bool {
        let other = self.encoding.is_some_and(|e| e != Encoding::UTF_8);
        !other && self.changes == Changes::default()
    }
}

impl Display for Seen {
    /// For people: `read as UTF-16LE; line ends read as LF: 20 CR LF (...)`; nothing if all is usual.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Changes { cr_lf, cr, marks } = self.changes;
        let other = self.encoding.filter(|e| *e != Encoding::UTF_8);
        let mut parts: Vec<String> = other.iter().map(|e| format!("read as {e}")).collect();
        let ends: Vec<String> = [(cr_lf, "CR LF"), (cr, "CR")]
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, end)| format!("{count} {end}"))
            .collect();
        if !ends.is_empty() {
            let ends = ends.join(", ");
            parts.push(format!(
                "line ends read as LF: {ends} (--keep-cr keeps CR as a character)"
            ));
        }
        if marks > 0 {
            parts.push(format!("{marks} byte order marks inside left out"));
        }
        f.write_str(&parts.join("; "))
    }
}

impl Text {
    /// A file, held in memory up to [`IN_MEMORY`] bytes.
    ///
    /// # Errors
    /// As [`Text::open`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::open(path, IN_MEMORY)
    }

    /// A file, held in memory if it has at most `in_memory` bytes, or cannot be read twice.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn open(path: &Path, in_memory: u64) -> Result<Self> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let name = path.display().to_string();
        let about = fs::metadata(path).map_err(failed)?;
        if !about.is_file() || about.len() <= in_memory {
            let most = in_memory.max(UNSIZED);
            let bytes = files::read(path, most).map_err(|source| match source.kind() {
                ErrorKind::FileTooLarge if !about.is_file() => Error::Unsized {
                    name: name.clone(),
                    mib: most >> 20,
                },
                _ => failed(source),
            })?;
            return Ok(Self::of(name, bytes));
        }
        File::open(path).map_err(failed)?;
        let (path, bytes) = (path.to_owned(), about.len());
        Ok(Self {
            name,
            encoding: None,
            content: Content::File { path, bytes },
            list: None,
        })
    }

    /// The same from bytes in memory.
    pub fn of(name: String, bytes: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&bytes).into();
        Self {
            name,
            encoding: None,
            content: Content::Memory { bytes, sha256 },
            list: None,
        }
    }

    /// The same text as an arranged list.
    pub(super) fn arranged(self, bytes: Vec<u8>, seen: Seen, list: List) -> Self {
        let sha256 = seen.sha256;
        Self {
            name: self.name,
            encoding: None,
            content: Content::Memory { bytes, sha256 },
            list: Some((list, seen)),
        }
    }

    /// The same in a file.
    ///
    /// # Errors
    /// [`Error::TokenFile`].
    pub(super) fn arranged_in(self, file: File, seen: Seen, list: List) -> Result<Self> {
        let bytes = file.metadata().map(|about| about.len());
        let bytes = bytes.map_err(|source| Error::TokenFile {
            folder: std::env::temp_dir(),
            source,
        })?;
        let file = Arc::new(file);
        Ok(Self {
            name: self.name,
            encoding: None,
            content: Content::Own { file, bytes },
            list: Some((list, seen)),
        })
    }

    /// What there is to know about it, if it is a list that was arranged.
    pub fn list(&self) -> Option<&List> {
        self.list.as_ref().map(|(list, _)| list)
    }

    /// What of its `len` tokens is trained on: all but the last `fraction`, or the lines that are not held out.
    pub fn split(&self, len: usize, fraction: f64) -> Split {
        match self.list() {
            Some(list) => Split {
                train: list.train_tokens.min(len),
                len,
            },
            None => Split::tail(len, fraction),
        }
    }

    /// The same of bytes that have to be characters, which is looked at now.
    ///
    /// # Errors
    /// [`Error::NotText`].
    pub fn from_bytes(name: String, bytes: Vec<u8>) -> Result<Self> {
        let text = Self::of(name, bytes);
        text.pass(Rules::default(), &mut |_, _| Ok(true))?;
        Ok(text)
    }

    /// The same in an encoding, unless a byte order mark says another.
    pub fn encoded(self, encoding: Option<Encoding>) -> Self {
        Self { encoding, ..self }
    }

    /// SHA-256 of the bytes.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn sha256(&self) -> Result<[u8; 32]> {
        match &self.content {
            Content::Memory { sha256, .. } => Ok(*sha256),
            Content::Own { .. } => Ok(self.list.map_or([0; 32], |(_, seen)| seen.sha256)),
            Content::File { .. } => Ok(self.blocks(&mut |_, _| Ok(true))?.unwrap_or_default()),
        }
    }

    /// The bytes, if they are in memory.
    pub fn held(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory { bytes, .. } => Some(bytes),
            Content::File { .. } | Content::Own { .. } => None,
        }
    }

    /// All characters, prepared by `rules`.
    ///
    /// # Errors
    /// As [`Text::pass`].
    pub fn whole(&self, rules: Rules) -> Result<String> {
        let mut whole = String::new();
        self.pass(rules, &mut |piece, _| {
            whole.push_str(piece);
            Ok(true)
        })?;
        Ok(whole)
    }

    /// Bytes of the text; of a file, when it was opened.
    pub fn bytes(&self) -> u64 {
        match &self.content {
            Content::Memory { bytes, .. } => bytes.len() as u64,
            Content::File { bytes, .. } | Content::Own { bytes, .. } => *bytes,
        }
    }

    /// Whether passes read a file, and not memory.
    pub fn is_streamed(&self) -> bool {
        !matches!(self.content, Content::Memory { .. })
    }

    /// Reads the text in pieces, prepared by `rules`. `each` gets a piece and the bytes read so far, and says whether to
    /// go on.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NotText`], [`Error::NoBoundary`], or what `each` says.
    pub fn pass(
        &self,
        rules: impl Into<Rules>,
        each: &mut dyn FnMut(&str, u64) -> Result<bool>,
    ) -> Result<Pass> {
        let rules = rules.into();
        let mut decoder = match rules.bytes {
            true => Decoder::of_bytes(),
            false => Decoder::new(self.encoding),
        };
        let mut preparation = Preparation::new(rules);
        let mut read = 0;
        let sha256 = self.blocks(&mut |block, last| {
            read += block.len() as u64;
            let piece = decoder.push(block, last);
            let piece = piece.map_err(|what| self.not_text(what))?;
            let prepared = preparation.push(piece);
            let prepared = prepared.map_err(|_| Error::NoBoundary {
                name: self.name.clone(),
            })?;
            each(prepared, read)
        })?;
        let (encoding, changes) = (decoder.encoding(), preparation.changes());
        let rest = preparation.finish();
        let more = rest.is_empty() || each(rest, read)?;
        Ok(match sha256.filter(|_| more) {
            None => Pass::Stopped,
            Some(sha256) => Pass::Whole(match self.list {
                Some((_, seen)) => seen,
                None => Seen {
                    sha256,
                    encoding,
                    changes,
                },
            }),
        })
    }

    /// Hands the bytes to `each` in blocks, of which the last is named; `None` if it had enough before.
    fn blocks(
        &self,
        each: &mut dyn FnMut(&[u8], bool) -> Result<bool>,
    ) -> Result<Option<[u8; 32]>> {
        let failed = |source| Error::Read {
            path: PathBuf::from(&self.name),
            source,
        };
        let (mut file, expected): (Box<dyn Read>, u64) = match &self.content {
            Content::Memory { bytes, sha256 } => {
                let mut rest = bytes.as_slice();
                loop {
                    let (block, after) = rest.split_at(rest.len().min(BLOCK));
                    if !each(block, after.is_empty())? {
                        return Ok(None);
                    }
                    if after.is_empty() {
                        return Ok(Some(*sha256));
                    }
                    rest = after;
                }
            }
            Content::File { path, bytes } => (Box::new(File::open(path).map_err(failed)?), *bytes),
            Content::Own { file, bytes } => {
                let mut file = &**file;
                file.rewind().map_err(failed)?;
                (Box::new(file), *bytes)
            }
        };
        let mut hash = Sha256::new();
        let mut block = Vec::with_capacity(BLOCK);
        let mut read = 0;
        loop {
            block.clear();
            let count = file.by_ref().take(BLOCK as u64).read_to_end(&mut block);
            read += count.map_err(failed)? as u64;
            hash.update(&block);
            // A file that has grown or shrunk ends with an empty block.
            let last = block.is_empty() || read == expected;
            if !each(&block, last)? {
                return Ok(None);
            }
            if last {
                let grown = file.read(&mut [0]).map_err(failed)? > 0;
                return if grown {
                    Err(self.changed())
                } else {
                    Ok(Some(hash.finalize().into()))
                };
            }
        }
    }

    /// The error for a text that is not what it was when it was read before.
    pub(super) fn changed(&self) -> Error {
        Error::TextChanged {
            name: self.name.clone(),
        }
    }
}
