//! From DATA to a set.

use std::path::{Path, PathBuf};

use gatelet::net::MAX_SIZE;
use sha2::{Digest, Sha256};

use crate::builder::{Builder, Sequence};
use crate::columns::Asked;
use crate::error::{Error, Result};
use crate::file::Known;
use crate::fill::{Patch, patches};
use crate::folder::{ending, inputs, pair};
use crate::input::{Input, Side};
use crate::notes::{self, Lengths};
use crate::options::{Options, Task};
use crate::rows::Store;
use crate::set::{Set, Window};
use crate::wanted::Kind;
use crate::{npy, npz, table, ts, wav};

/// Numbers that may be filled, however little memory there is.
const FILLED: usize = 1 << 20;

impl Set {
    /// Opens DATA: a `.csv`, `.npy`, `.npz` or `.ts`, `IN.wav,OUT.wav`, or a folder of `.csv` or
    /// `.wav` files. `X_TRAIN.ts` comes with the `X_TEST.ts` beside it.
    ///
    /// # Errors
    /// As [`Error`] says, of whatever is wrong with the data.
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let text = path.to_string_lossy();
        match text.split_once(',') {
            Some((input, target)) if !path.exists() => {
                Self::pair(Path::new(input.trim()), Path::new(target.trim()), options)
            }
            _ if path.is_dir() => {
                let (inputs, notes) = inputs(path, options)?;
                read(&inputs, notes, options)
            }
            _ => read(&beside(path), Vec::new(), options),
        }
    }

    /// Opens a recording, and one of what is asked of it.
    ///
    /// # Errors
    /// As [`Set::open`].
    pub fn pair(input: &Path, target: &Path, options: &Options) -> Result<Self> {
        read(&[pair(input, target)], Vec::new(), options)
    }
}

/// A file, and the other half of a split in two files.
fn beside(path: &Path) -> Vec<Input> {
    let mut input = Input::alone(path.to_owned());
    let test = input
        .name
        .strip_suffix("_TRAIN.ts")
        .map(|name| format!("{name}_TEST.ts"));
    let test = test
        .map(|name| path.with_file_name(name))
        .filter(|path| path.is_file());
    let Some(test) = test else {
        return vec![input];
    };
    input.side = Some(Side::Train);
    let test = Input {
        side: Some(Side::Test),
        ..Input::alone(test)
    };
    vec![input, test]
}

/// That the options make sense.
fn check(options: &Options) -> Result<()> {
    let wrong = match options.task {
        Task::Forecast { steps: 0 } => "a forecast of 0 steps asks for nothing",
        Task::Forecast { steps } if steps > MAX_SIZE => "a forecast is of at most 1,024 steps",
        _ if options.window == Some(0) => "a window has at least one step",
        _ if options.hop == Some(0) => "windows are at least one step apart",
        _ if options.hop.is_some() && options.window.is_none() => "--hop goes with --segment",
        _ => return Ok(()),
    };
    Err(Error::Option(wrong))
}

/// The format of a file, by its name or what it begins with.
fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let path = &input.path;
    let unknown = |what| Error::Unknown {
        path: path.clone(),
        what,
    };
    let head = Known::new(path)?.head(6)?;
    let sounds = ending(path) == "wav" || head.starts_with(b"RIFF");
    if builder.options.front.is_some() && !sounds {
        return Err(Error::task(path, "--front-end is for recordings (.wav)"));
    }
    match &*ending(path) {
        "wav" => wav::scan(input, builder),
        "npy" => npy::scan(input, builder),
        "npz" => npz::scan(input, builder),
        "ts" => ts::scan(input, builder),
        "csv" | "tsv" => table::scan(input, builder),
        _ if sounds => wav::scan(input, builder),
        _ if head.starts_with(b"\x93NUMPY") => npy::scan(input, builder),
        "txt" | "data" | "dat" => table::scan(input, builder),
        "xls" | "xlsx" | "ods" => Err(unknown("it is a spreadsheet: save it as CSV")),
        "mat" | "h5" | "hdf5" | "pkl" | "parquet" | "feather" => Err(unknown(
            "such files are not read: save its arrays with numpy.savez",
        )),
        "mp3" | "flac" | "ogg" | "m4a" => Err(unknown(
            "it is compressed audio: make a .wav of it (ffmpeg -i IN OUT.wav)",
        )),
        _ => Err(unknown("its name has none of the endings that are known")),
    }
}

/// Reads all files.
fn read(inputs: &[Input], notes: Vec<String>, options: &Options) -> Result<Set> {
    check(options)?;
    let mut builder = Builder::new(options);
    builder.notes = notes;
    for input in inputs {
        scan(input, &mut builder)?;
    }
    let mut hash = Sha256::new();
    for input in inputs {
        Known::new(&input.path)?.hash(&input.name, &mut hash)?;
        if let Some(other) = others(input, options) {
            let name = other
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Known::new(&other)?.hash(&name, &mut hash)?;
        }
    }
    finish(builder, hash.finalize().into())
}

/// Files that belong to a file.
fn others(input: &Input, options: &Options) -> Option<PathBuf> {
    let answers = match (options.task, options.target.as_slice()) {
        (Task::Forecast { .. }, _) => None,
        (Task::Label, _) if ending(&input.path) == "wav" => Some(wav::track(&input.path)),
        (_, [name]) if ending(&input.path) == "npy" => Some(npy::beside(&input.path, name)),
        _ => None,
    };
    input.target.clone().or(answers)
}

/// What is asked, after all files were read.
fn kind(builder: &mut Builder<'_>) -> Result<(Kind, Vec<f32>)> {
    let options = builder.options;
    let values = std::mem::take(&mut builder.values);
    Ok(match builder.asked {
        Asked::Class => (Kind::Class, Vec::new()),
        Asked::Label => (Kind::Labels, Vec::new()),
        Asked::Once(_) => (Kind::Value, values),
        Asked::Rows(_) => {
            let long =
                builder.sequences.len() > 1 && builder.sequences.iter().any(|of| of.steps > 1);
            let once = match (options.once, builder.changing) {
                _ if options.task != Task::Regress => false,
                (Some(true), Some(sequence)) => {
                    return Err(Error::Changing(builder.sequences[sequence].name.clone()));
                }
                (Some(once), _) => once,
                (None, changing) => long && changing.is_none(),
            };
            if once && options.once.is_none() {
                let note = "what is asked is the same at all steps of each sequence: it is asked \
                            once, after the last step";
                builder.notes.push(note.to_owned());
            }
            match once {
                true => (Kind::Value, values),
                false => (Kind::Values, Vec::new()),
            }
        }
    })
}

/// That what is missing may be.
fn refuse(builder: &Builder<'_>) -> Result<()> {
    let (missing, gaps) = (&builder.missing, &builder.gaps);
    match (builder.options.fill, &missing.first, &gaps.first) {
        (None, Some(place), _) => Err(Error::Missing {
            count: missing.count,
            place: place.clone(),
        }),
        (None, _, Some(place)) => Err(Error::Gaps {
            count: gaps.count,
            step: builder.step,
            place: place.clone(),
        }),
        _ => Ok(()),
    }
}

/// That there are two classes at least, where classes are asked; those of a set that another one
/// has decided on may be fewer.
fn two(builder: &Builder<'_>, kind: Kind) -> Result<()> {
    let mut met: Vec<u16> = match kind {
        Kind::Class => builder.sequences.iter().filter_map(|of| of.class).collect(),
        Kind::Labels => {
            let labels = builder.sequences.iter().flat_map(|of| &of.labels);
            labels.map(|(label, _)| *label).collect()
        }
        Kind::Values | Kind::Value => return Ok(()),
    };
    met.sort_unstable();
    met.dedup();
    match *met.as_slice() {
        [] => Err(Error::NoClass("no step has a label".to_owned())),
        [one] if !builder.classes.closed() => {
            Err(Error::OneClass(builder.classes.name(one).to_owned()))
        }
        _ => Ok(()),
    }
}

fn finish(mut builder: Builder<'_>, hash: [u8; 32]) -> Result<Set> {
    refuse(&builder)?;
    let (kind, values) = kind(&mut builder)?;
    two(&builder, kind)?;
    let options = builder.options;
    let (windows, lengths) = windows(&builder.sequences, options)?;
    let mut notes = std::mem::take(&mut builder.notes);
    notes.dedup();
    notes::of_files(&builder, &mut notes);
    lengths.notes(options.task, &mut notes);
    let columns = builder.columns();
    let (parts, runs, starts) = builder.rows();
    let (classes, places) = builder.classes.sorted();
    let store = Store {
        parts,
        runs,
        columns,
        classes: builder.classes,
    };
    let width = builder.features.len();
    let (patches, patched) = match options.fill {
        Some(fill) => {
            let most = usize::try_from(options.memory).unwrap_or(usize::MAX) / size_of::<Patch>();
            let (sequences, names) = (&builder.sequences, &builder.features);
            patches(
                &store,
                &starts,
                sequences,
                width,
                names,
                fill,
                most.max(FILLED),
            )?
        }
        None => (Vec::new(), vec![0; builder.sequences.len() + 1]),
    };
    let is_class = matches!(kind, Kind::Class | Kind::Labels);
    let mut set = Set {
        task: options.task,
        kind,
        features: builder.features,
        targets: builder.targets,
        classes: if is_class { classes } else { Vec::new() },
        places,
        rate: builder.rate.map(|(rate, _)| rate),
        hash,
        notes: Vec::new(),
        store,
        sequences: builder.sequences,
        starts,
        patches,
        patched,
        values,
        windows,
    };
    if set.outputs() > MAX_SIZE {
        let outputs = set.outputs();
        return Err(Error::Outputs { outputs });
    }
    notes::classes(&set, &mut notes);
    set.notes = notes;
    Ok(set)
}

/// Windows of all sequences.
fn windows(sequences: &[Sequence], options: &Options) -> Result<(Vec<Window>, Lengths)> {
    let ahead = match options.task {
        Task::Forecast { steps } => steps,
        _ => 0,
    };
    let mut lengths = Lengths::default();
    let mut windows = Vec::new();
    for (sequence, of) in (0..).zip(sequences) {
        let steps = of.steps as usize;
        lengths.longest = lengths.longest.max(steps);
        let steps = steps.saturating_sub(ahead);
        let window = options.window.unwrap_or(steps).min(steps);
        if steps == 0 {
            lengths.empty += 1;
            continue;
        }
        lengths.short += u64::from(options.window.is_some_and(|window| steps < window));
        let hop = options.hop.or(options.window).unwrap_or(steps);
        let mut end = 0;
        for start in (0..=steps - window).step_by(hop) {
            end = start + window;
            windows.push(Window {
                sequence,
                start: start as u32,
                steps: window as u32,
            });
        }
        lengths.behind += (steps - end) as u64;
    }
    let least = ahead + options.window.unwrap_or(1);
    if windows.is_empty() || lengths.longest < least {
        return Err(Error::Short {
            least,
            longest: lengths.longest,
        });
    }
    Ok((windows, lengths))
}
