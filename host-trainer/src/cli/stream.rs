//! Files on the command line: `-` is standard input or standard output, for every command.
//!
//! ```text
//! Input        a file to read                  -   standard input, which one argument of a command can have
//! Destination  a file to write                 -   standard output: what is said then goes to standard error
//! Folder       a folder                        -   refused, as no stream is a folder
//! Phrase       words typed on the line         -   standard input, without its last line break
//! ```
//! A file that is called `-` is `./-`.

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::io::{self, IsTerminal, StdinLock};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{PathBufValueParser, TryMapValueParser, TypedValueParser, ValueParserFactory};
use gatelet::{Isa, Model, TextRules};

use super::out::{self, note};
use crate::any_model::AnyModel;
use crate::data::corpus::words::shown_bytes;
use crate::data::corpus::{Encoding, Rules, Text, UNSIZED, Vocabulary, prepare};
use crate::error::{Error, Result};
use crate::files::{self, Kind, Output};
use crate::hex::hex;
use crate::isa::isa;
use crate::train::checkpoint::Checkpoint;

/// What stands for a stream.
const STREAM: &str = "-";
/// Standard input in a message, and as the name of a text that came from it.
pub(super) const STDIN: &str = "standard input";
/// Whether an argument has read standard input.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Standard input, for the one argument that may read it.
fn taken() -> Result<StdinLock<'static>> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Error::Usage(
            "- is given twice, and standard input can be read once: name a file for one of them"
                .to_owned(),
        ));
    }
    Ok(io::stdin().lock())
}

/// The same for one that another thread reads.
pub(super) fn take() -> Result<()> {
    taken().map(drop)
}

/// Why standard input could not be read.
fn unread(source: io::Error) -> Error {
    Error::Read {
        path: STDIN.into(),
        source,
    }
}

/// All of standard input: a text, which is held in memory.
fn stdin() -> Result<Vec<u8>> {
    let mut stream = taken()?;
    if stream.is_terminal() {
        note("type the text; Ctrl-D on a line of its own ends it");
    }
    files::read_from(&mut stream, UNSIZED).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => Error::Unsized {
            name: STDIN.to_owned(),
            mib: UNSIZED >> 20,
        },
        _ => unread(source),
    })
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Stdin,
    File(PathBuf),
}

impl From<OsString> for Input {
    fn from(word: OsString) -> Self {
        match word == STREAM {
            true => Self::Stdin,
            false => Self::File(word.into()),
        }
    }
}

impl Display for Input {
    /// As it is typed.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str(STREAM),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl AsRef<Path> for Input {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl Input {
    /// Its path, or what stands for that in a message.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Stdin => Path::new(STDIN),
            Self::File(path) => path,
        }
    }

    /// A text, held in memory up to so many bytes; one from standard input always.
    pub(super) fn text(&self, in_memory: u64, encoding: Option<Encoding>) -> Result<Text> {
        let text = match self {
            Self::Stdin => Text::of(STDIN.to_owned(), stdin()?),
            Self::File(path) => Text::open(path, in_memory)?,
        };
        Ok(text.encoded(encoding))
    }

    /// A text to be read in pieces for a model: without an encoding that is given, in that of the model's own text if it is
    /// that one.
    pub(super) fn text_for(&self, from: Option<&Checkpoint>, reads: Reads) -> Result<Text> {
        let text = self.text(0, reads.encoding)?;
        let Some(from) = from.filter(|_| reads.encoding.is_none()) else {
            return Ok(text);
        };
        let own = match from.config()?.encoding()? {
            Some(own) if hex(&text.sha256()?) == from.meta.provenance.corpus_sha256 => Some(own),
            _ => None,
        };
        Ok(text.encoded(own))
    }

    /// A model, to be run with the kernel that commands use.
    pub(super) fn model(&self) -> Result<AnyModel> {
        self.model_for(isa()?)
    }

    /// The same for a kernel.
    pub(super) fn model_for(&self, isa: Isa) -> Result<AnyModel> {
        match self {
            Self::File(path) => AnyModel::read_for(path, isa),
            Self::Stdin => AnyModel::from_bytes(&self.model_bytes()?, self.path(), isa),
        }
    }

    /// The same of any net, which need not be a language model.
    pub(super) fn any_model(&self) -> Result<AnyModel> {
        self.any_model_for(isa()?)
    }

    /// The same for a kernel.
    pub(super) fn any_model_for(&self, isa: Isa) -> Result<AnyModel> {
        AnyModel::any_from_bytes(&self.model_bytes()?, self.path(), isa)
    }

    /// The bytes of a model.
    pub(super) fn model_bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => crate::any_model::model_bytes(path),
            Self::Stdin if io::stdin().is_terminal() => Err(Error::Usage(
                "standard input is a terminal, and a model is no text: as in `gatelet ... - < FILE`"
                    .to_owned(),
            )),
            // A stream may never end: no more is read than its beginning promises.
            Self::Stdin => crate::any_model::stream(taken()?).map_err(unread),
        }
    }
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Stdout,
    File(PathBuf),
}

impl From<OsString> for Destination {
    fn from(word: OsString) -> Self {
        match word == STREAM {
            true => Self::Stdout,
            false => Self::File(word.into()),
        }
    }
}

impl Display for Destination {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Destination {
    /// Its path, or a name that the system has for standard output.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("/dev/stdout"),
            Self::File(path) => path,
        }
    }

    /// The file of a kind to be written there. When that is standard output, nothing else goes there from now on.
    ///
    /// # Errors
    /// [`Error::Usage`] for a terminal.
    pub(super) fn output(&self, kind: Kind, force: bool) -> Result<Output> {
        let output = Output::new(self.path(), kind, force);
        if output.is_stdout() {
            if io::stdout().is_terminal() {
                let what =
                    "standard output is a terminal, and this is no text: as in `--out - > FILE`";
                return Err(Error::Usage(what.to_owned()));
            }
            out::stdout_is_for_bytes();
        }
        Ok(output)
    }
}

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder(PathBuf);

impl Deref for Folder {
    type Target = PathBuf;

    fn deref(&self) -> &PathBuf {
        &self.0
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl ValueParserFactory for Folder {
    type Parser = TryMapValueParser<
        PathBufValueParser,
        fn(PathBuf) -> std::result::Result<Folder, &'static str>,
    >;

    fn value_parser() -> Self::Parser {
        PathBufValueParser::new().try_map(|path| match path.as_os_str() == STREAM {
            true => Err("this is a folder, and no stream is one; ./- is a folder of that name"),
            false => Ok(Folder(path)),
        })
    }
}

/// Words that a user gives a model to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    Stdin,
    Typed(String),
}

impl From<String> for Phrase {
    fn from(word: String) -> Self {
        match word == STREAM {
            true => Self::Stdin,
            false => Self::Typed(word),
        }
    }
}

/// Words as they were typed, and as a model reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// For people, and to be written again.
    pub(super) typed: String,
    /// Prepared by the model's rules; the bytes of a model of bytes as characters.
    pub(super) prepared: String,
}

impl Phrase {
    /// Reads the words for a model. For one of bytes `\xNN` may stand for a byte that cannot be typed.
    pub(super) fn read(&self, model: &Model<'_>, encoding: Option<Encoding>) -> Result<Heard> {
        let rules = Rules::of(model.rules(), &Vocabulary::needed(model)?);
        self.read_by(rules, encoding)
    }

    /// The same by a model's rules.
    pub(super) fn read_by(&self, rules: Rules, encoding: Option<Encoding>) -> Result<Heard> {
        let (typed, prepared) = match self {
            Self::Typed(typed) if rules.bytes => (typed.clone(), unescaped(typed)),
            Self::Typed(typed) => (typed.clone(), prepare(rules, typed)),
            Self::Stdin => {
                let text = Text::of(STDIN.to_owned(), stdin()?).encoded(encoding);
                let as_it_is = Rules {
                    text: TextRules::default(),
                    ..rules
                };
                let text = text.whole(as_it_is)?;
                // What `echo` adds is not meant.
                let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                match rules.bytes {
                    true => (shown_bytes(&text), text),
                    false => (text.clone(), prepare(rules, &text)),
                }
            }
        };
        Ok(Heard { typed, prepared })
    }
}

/// Bytes as characters, of a text in which `\xNN` is the byte NN.
fn unescaped(typed: &str) -> String {
    let bytes = typed.as_bytes();
    let (mut text, mut at) = (String::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes
            .get(at..at + 4)
            .and_then(|escape| escape.strip_prefix(b"\\x"))
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        text.push(char::from(digits.unwrap_or(byte)));
        at += if digits.is_some() { 4 } else { 1 };
    }
    text
}

/// How the bytes of a text become characters.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Reads {
    /// Encoding of the text, by its WHATWG name: windows-1252, shift_jis, utf-16le ... [default: UTF-8, or UTF-16 by
    /// its byte order mark]
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<Encoding>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_can_be_typed() {
        assert_eq!(unescaped(r"a\x00\xfFb"), "a\0\u{ff}b");
        assert_eq!(unescaped(r"\x4"), r"\x4");
        assert_eq!(unescaped(r"C:\new\xyz"), r"C:\new\xyz");
        assert_eq!(unescaped("é"), "\u{c3}\u{a9}");
        assert_eq!(unescaped(r"\x5cx41"), r"\x41");
    }
}
