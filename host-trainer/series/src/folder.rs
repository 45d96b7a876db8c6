//! Folders of files, and what their names say.
//!
//! ```text
//! yes_3.wav  yes.3.wav      the class is what stands before the first _ or .
//! yes/3.wav                 or the folder
//! yes/ann/3.wav             and then the group
//! train/yes/3.wav           train, valid (or val) and test are parts of a split
//! input_1.wav target_1.wav  a recording and what is asked of it
//! talk.wav talk.txt         a recording and its labels, of --task label
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::input::{Input, Side};
use crate::options::{Options, Task};
use crate::place::shown;

/// Folders in folders that are looked into.
const DEEP: usize = 4;

/// What stands for the group of a file's name in `--group`.
const NAME: &str = "name";

/// Files of a folder, and how many were none of data.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    others: usize,
}

/// The ending of a name, in small letters.
pub(crate) fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ending.to_ascii_lowercase()
}

fn look(folder: &Path, deep: usize, found: &mut Found) -> Result<()> {
    let failed = |source| Error::read(folder, source);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort_unstable();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if deep > 0 {
                look(&path, deep - 1, found)?;
            }
            continue;
        }
        match matches!(&*ending(&path), "csv" | "tsv" | "wav") {
            true => found.files.push(path),
            // A label track beside its recording.
            false if ending(&path) == "txt" && path.with_extension("wav").is_file() => {}
            false => found.others += 1,
        }
    }
    Ok(())
}

/// The files of a folder, in the order of their names, and notes.
pub(crate) fn inputs(folder: &Path, options: &Options) -> Result<(Vec<Input>, Vec<String>)> {
    let mut found = Found::default();
    look(folder, DEEP, &mut found)?;
    let mut notes = Vec::new();
    if found.others > 0 {
        let count = found.others;
        notes.push(format!(
            "{count} files that are neither .csv nor .wav were left out"
        ));
    }
    let waves = found
        .files
        .iter()
        .filter(|path| ending(path) == "wav")
        .count();
    if found.files.is_empty() {
        return Err(Error::Empty {
            path: folder.to_owned(),
            what: "there is no .csv and no .wav in it",
        });
    }
    if waves > 0 && waves < found.files.len() {
        return Err(Error::Unknown {
            path: folder.to_owned(),
            what: "there are both .csv and .wav in it",
        });
    }
    let inputs = match (options.task, waves > 0) {
        (Task::Regress, true) => pairs(folder, found.files)?,
        _ => found
            .files
            .iter()
            .map(|path| named(folder, path, options))
            .collect::<Result<_>>()?,
    };
    Ok((inputs, notes))
}

/// Names of folders below a folder, and that of the file.
fn parts(folder: &Path, path: &Path) -> Vec<String> {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    inside
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect()
}

/// What the name of a file says.
fn named(folder: &Path, path: &Path, options: &Options) -> Result<Input> {
    let parts = parts(folder, path);
    let mut input = Input::alone(path.to_owned());
    input.name = parts.join("/");
    let mut rest = parts.as_slice();
    input.side = match rest {
        [first, _, ..] => match first.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Side::Train),
            "valid" | "val" | "validation" => Some(Side::Valid),
            "test" | "testing" => Some(Side::Test),
            _ => None,
        },
        _ => None,
    };
    if input.side.is_some() {
        rest = &rest[1..];
    }
    if options.task != Task::Classify || !options.target.is_empty() {
        return Ok(input);
    }
    let of_name = options.group.as_deref() == Some(NAME);
    let file = rest.last().map_or("", String::as_str);
    let mut words = file.split(['_', '.']);
    input.class = match rest {
        [class, .., _] => Some(class.clone()),
        _ => words.next().map(str::to_owned),
    };
    input.group = match rest {
        [_, group, .., _] => Some(group.clone()),
        _ if of_name => words.next().map(str::to_owned),
        _ => None,
    };
    // NAME.wav has nothing beside the class.
    let alone = rest.len() == 1 && file.matches(['_', '.']).count() < 2;
    if alone || input.class.as_deref() == Some("") {
        let what = "its name is no CLASS_anything or CLASS.anything, and it is in no folder of a \
                    class";
        return Err(Error::task(path, what));
    }
    Ok(input)
}

/// Recordings that are called `input*`, each with its `target*`.
fn pairs(folder: &Path, files: Vec<PathBuf>) -> Result<Vec<Input>> {
    let mut found: BTreeMap<PathBuf, [Option<PathBuf>; 2]> = BTreeMap::new();
    for path in files {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let places = ["input", "target"];
        let place = places
            .iter()
            .position(|start| name.to_ascii_lowercase().starts_with(start));
        let Some(place) = place else {
            let what = "its name begins with neither input nor target";
            return Err(Error::task(&path, what));
        };
        let rest = path.with_file_name(&name[places[place].len()..]);
        let twice = found.entry(rest).or_default()[place].replace(path);
        if let Some(path) = twice {
            return Err(Error::task(
                &path,
                "another file has the same name but for its case",
            ));
        }
    }
    let pair = |pair: [Option<PathBuf>; 2]| match pair {
        [Some(path), Some(target)] => {
            let name = parts(folder, &path).join("/");
            Ok(Input {
                name,
                target: Some(target),
                ..Input::alone(path)
            })
        }
        [Some(path), None] => Err(Error::task(&path, "there is no target of the same name")),
        [_, target] => {
            let path = target.unwrap_or_default();
            Err(Error::task(&path, "there is no input of the same name"))
        }
    };
    found.into_values().map(pair).collect()
}

/// The two halves of `IN.wav,OUT.wav`.
pub(crate) fn pair(input: &Path, target: &Path) -> Input {
    let input = Input::alone(input.to_owned());
    Input {
        name: shown(&input.name),
        target: Some(target.to_owned()),
        ..input
    }
}
