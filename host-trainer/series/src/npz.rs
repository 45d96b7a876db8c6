//! `.npz`: arrays by name. `x` and `y`, or `X_train`, `y_train`, `X_test`, `y_test`: a ready split.

use std::fs::File;
use std::io::BufReader;

use gatelet_arrays::npy::Header;
use zip::{CompressionMethod, ZipArchive};

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::file::Known;
use crate::input::{Input, Side};
use crate::npy::{Array, arrays};
use crate::options::Task;
use crate::place::listed;

/// Arrays of inputs, those of what is asked, and the part of a split that they are.
const NAMES: [(&str, &str, Option<Side>); 5] = [
    ("x", "y", None),
    ("x_train", "y_train", Some(Side::Train)),
    ("x_valid", "y_valid", Some(Side::Valid)),
    ("x_val", "y_val", Some(Side::Valid)),
    ("x_test", "y_test", Some(Side::Test)),
];

/// Members that a file may have.
const MEMBERS: usize = 1 << 12;

struct Archive {
    file: Known,
    zip: ZipArchive<BufReader<File>>,
    /// Names of arrays, without `.npy`.
    names: Vec<String>,
}

impl Archive {
    fn open(input: &Input) -> Result<Self> {
        let file = Known::new(&input.path)?;
        let damaged = |error| Error::form(&input.path, error);
        let zip = ZipArchive::new(BufReader::new(file.open()?));
        let zip = zip.map_err(|error| damaged(format!("it is no .npz: {error}")))?;
        let names = zip
            .file_names()
            .take(MEMBERS)
            .filter_map(std::result::Result::ok);
        let names = names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned));
        Ok(Self {
            names: names.collect(),
            file,
            zip,
        })
    }

    /// The array of a name, in capital letters or not.
    fn find(&self, name: &str) -> Option<String> {
        let same = |known: &&String| known.eq_ignore_ascii_case(name);
        self.names.iter().find(same).cloned()
    }

    fn array(&mut self, name: &str, memory: u64) -> Result<Array> {
        let path = &self.file.path;
        let damaged = |error: &dyn std::fmt::Display| {
            Error::form(path, format_args!("the array {name} is damaged: {error}"))
        };
        let member = self.zip.by_name(&format!("{name}.npy"));
        let mut member = member.map_err(|error| damaged(&error))?;
        let (start, size) = (member.data_start(), member.size());
        let header = Header::read(&mut member).map_err(|error| damaged(&error))?;
        if member.encrypted() {
            return Err(damaged(&"it is encrypted"));
        }
        let stored = member.compression() == CompressionMethod::Stored;
        match start {
            Some(start) if stored && !header.fortran => {
                let inside = header
                    .bytes()
                    .and_then(|bytes| bytes.checked_add(header.offset));
                if inside.is_none_or(|bytes| bytes > size) {
                    return Err(damaged(&"it is cut off"));
                }
                let at = start.saturating_add(header.offset);
                Array::new(self.file.clone(), at, header)
            }
            _ => Array::unpacked(self.file.clone(), header, member, memory),
        }
    }
}

/// Reads a file.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let mut archive = Archive::open(input)?;
    let options = builder.options;
    let forecast = matches!(options.task, Task::Forecast { .. });
    let target = match options.target.as_slice() {
        [name] if !forecast => Some(name.clone()),
        _ => None,
    };
    let found = NAMES.iter().filter_map(|(x, y, side)| {
        let y = target
            .clone()
            .filter(|_| side.is_none())
            .or_else(|| archive.find(y));
        archive.find(x).map(|x| (x, y, *side))
    });
    let mut found: Vec<_> = found.collect();
    // One array alone needs no name.
    if let ([], [one]) = (found.as_slice(), archive.names.as_slice()) {
        found.push((one.clone(), None, None));
    }
    if found.is_empty() {
        let there = listed(archive.names.iter().map(String::as_str));
        let what = format_args!("it has no array x or X_train; there are {there}");
        return Err(Error::form(&input.path, what));
    }
    if found.len() > 1 {
        // A whole beside its parts would be read twice.
        found.retain(|(.., side)| side.is_some());
    }
    for (x, y, side) in found {
        let inputs = archive.array(&x, options.memory)?;
        let answers = match y {
            Some(y) if !forecast => Some(archive.array(&y, options.memory)?),
            _ => None,
        };
        let part = Input {
            side: side.or(input.side),
            ..input.clone()
        };
        arrays(&part, builder, inputs, answers)?;
    }
    Ok(())
}
