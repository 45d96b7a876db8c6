//! What this program writes, and how each kind of it is known again.
//!
//! ```text
//! a path that a user gave     Output: what stands there decides (gatelet-files says how)
//! a name in a folder of ours  write, append: plain files only, no link is followed
//! ```
//! Nothing is replaced that is not of the kind that is written, so each kind has a mark: images
//! and suites by their format, pictures and pages by the name of their maker in them, JSON by its
//! fields.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gatelet::conformance::CASE_HEADER;
use gatelet::format::MAGIC;
pub use gatelet_files::{
    Kind, Output, Sweep, folder, open_to_append, plain, probe, read, read_from, read_plain,
    remove_if_there, same, second_name, sweep,
};
use serde_json::Value;

use crate::error::Result;

/// Who drew a picture, as it says itself.
pub const DRAWN_BY: &str = "gatelet";
/// The same in a page and in JSON.
pub const MADE_BY: &str = "made_by";
/// Where a mark stands at the latest.
const HEAD: u64 = 4096;
/// The longest JSON that is read: what a run, a report or a sweep wrote.
pub const JSON: u64 = 64 << 20;
/// The longest file of lines that is read: some million evaluations.
pub const LOG: u64 = 1 << 30;

/// The first bytes of a file.
fn head(file: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(most).read_to_end(&mut head)?;
    Ok(head)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn json(file: &mut dyn Read) -> io::Result<Option<Value>> {
    Ok(serde_json::from_slice(&head(file, JSON)?).ok())
}

/// A model.
pub const IMAGE: Kind = Kind {
    name: "a .gatelet image",
    is: |file| Ok(head(file, HEAD)?.starts_with(&MAGIC)),
};

/// Models with the hashes of their states.
pub const SUITE: Kind = Kind {
    name: "a conformance suite",
    is: |file| {
        Ok(head(file, HEAD)?
            .get(CASE_HEADER..)
            .is_some_and(|b| b.starts_with(&MAGIC)))
    },
};

/// A picture as PNG.
pub const PNG: Kind = Kind {
    name: "a picture that gatelet drew",
    is: |file| {
        let (head, mark) = (head(file, HEAD)?, format!("tEXtSoftware\0{DRAWN_BY}"));
        Ok(head.starts_with(b"\x89PNG") && contains(&head, mark.as_bytes()))
    },
};

/// The same as SVG.
pub const SVG: Kind = Kind {
    name: "a picture that gatelet drew",
    is: |file| {
        let (head, mark) = (head(file, HEAD)?, format!("<!-- {DRAWN_BY} -->"));
        Ok(contains(&head, b"<svg") && contains(&head, mark.as_bytes()))
    },
};

/// The page of a report.
pub const PAGE: Kind = Kind {
    name: "a page of `gatelet report`",
    is: |file| {
        let mark = b"name=\"generator\" content=\"gatelet report\"";
        Ok(contains(&head(file, HEAD)?, mark))
    },
};

/// The numbers of a report.
pub const REPORT: Kind = Kind {
    name: "a file of `gatelet report`",
    is: |file| Ok(json(file)?.is_some_and(|json| json[MADE_BY] == "gatelet report")),
};

/// The front of a sweep.
pub const FRONT: Kind = Kind {
    name: "a file of `gatelet sweep`",
    is: |file| Ok(json(file)?.is_some_and(|json| json[MADE_BY] == "gatelet sweep")),
};

/// A list of an example.
pub const LIST: Kind = Kind {
    name: "a list of an example",
    is: |file| Ok(json(file)?.is_some_and(|json| json.is_array())),
};

/// What the jobs of a sweep have in common.
pub const SWEEP: Kind = Kind {
    name: "a file of `gatelet sweep`",
    is: |file| {
        let json = json(file)?;
        Ok(json.is_some_and(|json| json["sha256"].is_string() && json["options"].is_string()))
    },
};

/// Options and origin of a run.
pub const CONFIG: Kind = Kind {
    name: "the config.json of a run",
    is: |file| {
        let all = ["config", "provenance"];
        Ok(json(file)?.is_some_and(|json| all.iter().all(|key| json[key].is_object())))
    },
};

/// Lines of a run, each with its step. One may be torn, and a file that is one torn line is a kill's.
pub const LINES: Kind = Kind {
    name: "a file of a run",
    is: |file| {
        let bytes = head(file, LOG)?;
        let mut whole = bytes
            .split_inclusive(|&b| b == b'\n')
            .filter(|l| l.ends_with(b"\n"));
        let of_a_run = |line: &[u8]| {
            serde_json::from_slice::<Value>(line).is_ok_and(|line| line["step"].is_u64())
        };
        Ok(whole.clone().next().is_none() || whole.any(of_a_run))
    },
};

/// A checkpoint, whole or damaged. Other programs' safetensors files are none.
pub const CHECKPOINT: Kind = Kind {
    name: "a checkpoint of a run",
    is: |file| {
        let mut length = [0; 8];
        if file.read_exact(&mut length).is_err() {
            return Ok(true);
        }
        let header = head(file, u64::from_le_bytes(length).min(JSON))?;
        let header: Option<Value> = serde_json::from_slice(&header).ok();
        Ok(header.is_none_or(|header| header["__metadata__"]["gatelet"].is_string()))
    },
};

/// Numbers of a net's outputs: they are another program's kinds of file, so only the form tells.
pub const SEQUENCE: Kind = Kind {
    name: "a .npy, a .wav or rows of numbers",
    is: |file| {
        let head = head(file, HEAD)?;
        let binary = head.starts_with(b"\x93NUMPY") || head.starts_with(b"RIFF");
        let row = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = std::str::from_utf8(row).unwrap_or("-");
        let number = |cell: &str| cell.trim().parse::<f32>().is_ok();
        Ok(binary || text.split([',', ';', '\t']).all(number))
    },
};

/// Whether a checkpoint's header can be read; without it there is nothing to tell by whose it is.
pub fn has_header(path: &Path) -> bool {
    let read = || -> io::Result<bool> {
        let mut file = std::fs::File::open(path)?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let header = head(&mut file, u64::from_le_bytes(length).min(JSON))?;
        Ok(serde_json::from_slice::<Value>(&header).is_ok())
    };
    read().unwrap_or(false)
}

/// Writes `bytes` under a name in a folder of this program's: whole or not at all.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write); then `path` is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(gatelet_files::replace(path, bytes)?)
}

/// The same, where only a file of `kind` may be replaced.
///
/// # Errors
/// [`Error::Output`](crate::error::Error::Output) too.
pub fn write_as(kind: Kind, path: &Path, bytes: &[u8]) -> Result<()> {
    check_plain(kind, path)?;
    write(path, bytes)
}

/// Checks that `path` is none of the files that a command reads.
///
/// # Errors
/// [`Error::Output`](crate::error::Error::Output).
pub fn check_apart<P: AsRef<Path>>(path: &Path, inputs: &[P]) -> Result<()> {
    match inputs.iter().find(|input| same(input.as_ref(), path)) {
        None => Ok(()),
        Some(input) => Err(gatelet_files::Error::Input {
            path: path.to_owned(),
            input: input.as_ref().to_owned(),
        }
        .into()),
    }
}

/// Checks that there is nothing at `path`, or a plain file of `kind` that may be written.
///
/// # Errors
/// [`Error::Output`](crate::error::Error::Output) or [`Error::Write`](crate::error::Error::Write).
pub fn check_plain(kind: Kind, path: &Path) -> Result<()> {
    let failed = |source| gatelet_files::Error::Write {
        path: path.to_owned(),
        source,
    };
    gatelet_files::plain(path).map_err(failed)?;
    if path.exists() && !kind.is_that_of(path).map_err(failed)? {
        let (path, kind) = (path.to_owned(), kind.name);
        return Err(gatelet_files::Error::OtherKind { path, kind }.into());
    }
    Ok(())
}

/// The same, with something to do when the new content is safe on the disk and before it takes the
/// name.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write); then `path` is as it was, unless `before` changed it.
pub fn write_after(
    path: &Path,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    Ok(gatelet_files::replace_after(path, bytes, before)?)
}

/// Appends `line` (with its line feed) and flushes it to the disk.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write); then the file is as it was.
pub fn append(path: &Path, line: &str) -> Result<()> {
    Ok(gatelet_files::append(path, line)?)
}

/// Gives a file another name, `STEM.damaged-N.EXTENSION` with the first free N, and returns that.
///
/// # Errors
/// [`Error::Write`](crate::error::Error::Write).
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    Ok(gatelet_files::set_aside(path)?)
}
