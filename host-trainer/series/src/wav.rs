//! Recordings: a frame a step. Of several channels the mean is read, or one of them.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use gatelet_arrays::wav::samples;
use hound::WavReader;

use crate::builder::Builder;
use crate::classes::Classes;
use crate::columns::Asked;
use crate::error::{Error, Result};
use crate::file::Known;
use crate::input::Input;
use crate::options::Task;
use crate::place::{At, shown};
use crate::rows::Rows;

/// Bytes that may stand before the samples.
const HEADER: u64 = 1 << 20;

/// Frames that are read at once.
const CHUNK: usize = 1 << 14;

/// A recording by position.
#[derive(Debug)]
struct Recording {
    file: Known,
    /// What stands before the samples.
    header: Vec<u8>,
    /// Bytes of a frame.
    frame: u64,
    frames: u64,
    rate: u32,
    channels: u16,
    channel: Option<u16>,
}

impl Recording {
    fn open(path: &Path, channel: Option<u16>) -> Result<Self> {
        let file = Known::new(path)?;
        let damaged =
            |error: hound::Error| Error::form(path, format_args!("it is no .wav: {error}"));
        let failed = |source| Error::read(path, source);
        // How far the header and then the first sample reach.
        let mut bytes = BufReader::new(file.open()?);
        let mut wav = WavReader::new(&mut bytes).map_err(damaged)?;
        let (spec, frames) = (wav.spec(), u64::from(wav.duration()));
        if frames == 0 {
            return Err(Error::Empty {
                path: path.to_owned(),
                what: "it has no samples",
            });
        }
        samples(&mut wav, 1, |_| ()).map_err(damaged)?;
        let after = bytes.stream_position().map_err(failed)?;
        let mut bytes = BufReader::new(file.open()?);
        WavReader::new(&mut bytes).map_err(damaged)?;
        let start = bytes.stream_position().map_err(failed)?;
        let frame = (after - start) * u64::from(spec.channels);
        if frame * frames > file.len - start {
            return Err(Error::form(
                path,
                "it is cut off: it has fewer samples than it says",
            ));
        }
        if start > HEADER {
            return Err(Error::form(
                path,
                "more than 1 MiB stands before its samples",
            ));
        }
        if channel.is_some_and(|channel| channel >= spec.channels) {
            let channels = spec.channels;
            let what = format_args!("--channel: it has {channels} channels, counted from 0");
            return Err(Error::form(path, what));
        }
        Ok(Self {
            header: file.head(start)?,
            file,
            frame,
            frames,
            rate: spec.sample_rate,
            channels: spec.channels,
            channel,
        })
    }

    /// Frames from `first` on, into every `stride`th number.
    fn read(&self, first: u64, out: &mut [f32], stride: usize) -> Result<()> {
        let path = &self.file.path;
        let mut file: File = self.file.open()?;
        let byte = self.header.len() as u64 + first * self.frame;
        let sought = file.seek(SeekFrom::Start(byte));
        sought.map_err(|source| Error::read(path, source))?;
        // The header again, and then the samples that are wanted.
        let bytes = Cursor::new(&self.header).chain(BufReader::with_capacity(1 << 16, file));
        let damaged = |error| Error::form(path, error);
        let mut wav = WavReader::new(bytes).map_err(damaged)?;
        let mut out = out.iter_mut().step_by(stride);
        let (mut channel, mut sum) = (0, 0.0);
        let count = out.len() * usize::from(self.channels);
        let read = samples(&mut wav, count, |sample| {
            match self.channel {
                Some(of) if of != channel => {}
                _ => sum += sample,
            }
            channel += 1;
            if channel == self.channels {
                let mean = match self.channel {
                    Some(_) => sum,
                    None => sum / f32::from(self.channels),
                };
                out.next().into_iter().for_each(|out| *out = mean);
                (channel, sum) = (0, 0.0);
            }
        });
        read.map_err(damaged)
    }
}

/// A recording, and one of what is asked.
#[derive(Debug)]
struct Recordings {
    input: Recording,
    target: Option<Recording>,
    /// Numbers of a row: two where something is asked.
    columns: usize,
}

impl Rows for Recordings {
    fn read(&self, first: u64, out: &mut [f32], _: &mut Vec<u8>, _: &Classes) -> Result<()> {
        self.input.read(first, out, self.columns)?;
        if let Some(target) = &self.target {
            return target.read(first, &mut out[1..], 2);
        }
        if self.columns == 2 {
            out.as_chunks_mut::<2>()
                .0
                .iter_mut()
                .for_each(|[x, y]| *y = *x);
        }
        Ok(())
    }
}

/// Reads a recording, or a pair of them.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let (path, channel) = (&input.path, builder.options.channel);
    let asked = match (builder.options.task, &input.target) {
        (Task::Classify, None) => Asked::Class,
        (Task::Forecast { .. }, None) | (Task::Regress, Some(_)) => Asked::Rows(1),
        (Task::Regress, None) => {
            let what =
                "it has no target: IN.wav,OUT.wav, or a folder of input*.wav and target*.wav";
            return Err(Error::task(path, what));
        }
        (Task::Label, _) => {
            let what = "a recording has no label of each step: bring its features as CSV or .npz";
            return Err(Error::task(path, what));
        }
        (_, Some(_)) => {
            return Err(Error::task(
                path,
                "a pair of recordings is for --task regress",
            ));
        }
    };
    let class = match (asked, &input.class) {
        (Asked::Class, Some(class)) => Some(builder.classes.number(class, path, "its name")?),
        (Asked::Class, None) => {
            let what = "no class is known: a folder holds files called CLASS_anything.wav or \
                        CLASS/anything.wav";
            return Err(Error::task(path, what));
        }
        _ => None,
    };
    let recordings = Recordings {
        input: Recording::open(path, channel)?,
        target: match &input.target {
            Some(target) => Some(Recording::open(target, channel)?),
            None => None,
        },
        columns: 1 + asked.columns(),
    };
    builder.rate(path, recordings.input.rate)?;
    let mut frames = recordings.input.frames;
    if let (Some(target), Some(of)) = (&recordings.target, &input.target) {
        builder.rate(of, target.rate)?;
        if target.frames != frames {
            let note = format!(
                "{} has {frames} samples and its target {}: what both have is read",
                shown(&input.name),
                target.frames
            );
            builder.notes.push(note);
            frames = frames.min(target.frames);
        }
    }
    for recording in [Some(&recordings.input), recordings.target.as_ref()]
        .into_iter()
        .flatten()
    {
        builder.mixed += u64::from(recording.channels > 1 && channel.is_none());
    }
    let targets = match asked {
        Asked::Rows(_) if input.target.is_none() => vec!["audio".to_owned()],
        Asked::Rows(_) => vec!["target".to_owned()],
        _ => Vec::new(),
    };
    builder.begin(input, vec!["audio".to_owned()], targets, asked)?;
    let sequence = builder.sequence(input.name.clone(), input.group.clone(), class);
    let classes = Classes::default();
    let mut out = vec![0.0; CHUNK * recordings.columns];
    let mut first = 0;
    while first < frames {
        let rows = (frames - first).min(CHUNK as u64);
        let out = &mut out[..rows as usize * recordings.columns];
        Rows::read(&recordings, first, out, &mut Vec::new(), &classes)?;
        for (at, row) in (first..).zip(out.chunks_exact(recordings.columns)) {
            builder.row(sequence, At::Frame(at), row)?;
        }
        first += rows;
    }
    builder.end(Ok(Box::new(recordings)))
}
