//! Recordings: a sample a step, or a frame of a front end. Of several channels the mean is read, or
//! one of them.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use gatelet::front::{Frames, FrontEnd};
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
use crate::track::Track;

/// Bytes that may stand before the samples.
const HEADER: u64 = 1 << 20;

/// Samples that are read at once.
const CHUNK: usize = 1 << 16;

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

/// A recording, and what is asked of it.
#[derive(Debug)]
struct Recordings {
    input: Recording,
    target: Option<Recording>,
    /// What makes features of its samples; none: they are the inputs.
    front: Option<FrontEnd>,
    /// Labels of its steps.
    track: Option<Track>,
    /// Numbers of a row: the inputs, and one more where steps are asked something.
    columns: usize,
}

impl Recordings {
    /// Samples of a step.
    fn hop(&self) -> u64 {
        self.front.map_or(1, |front| front.hop.into())
    }

    /// Features of frames from `first` on, into rows of `out`; a frame has some samples of earlier
    /// steps.
    fn features(&self, front: &FrontEnd, first: u64, out: &mut [f32]) -> Result<()> {
        let failed = |error| Error::form(&self.input.file.path, error);
        let mut words = vec![0; front.words()];
        let mut frames = Frames::new(*front, &mut words).map_err(failed)?;
        let rows = (out.len() / self.columns) as u64;
        let before = first.min(front.frame.div_ceil(front.hop.max(1)).into());
        let mut samples = vec![0.0; ((before + rows) * self.hop()) as usize];
        self.input
            .read((first - before) * self.hop(), &mut samples, 1)?;
        let whole = |x: &f32| (x * 32_768.0).round() as i16;
        let samples: Vec<i16> = samples.iter().map(whole).collect();
        let mut rest = &samples[..];
        for _ in 0..before {
            frames.next(&mut rest);
        }
        for row in out.chunks_exact_mut(self.columns) {
            if let Some(features) = frames.next(&mut rest) {
                row[..features.len()].copy_from_slice(features);
            }
        }
        Ok(())
    }
}

impl Rows for Recordings {
    fn read(&self, first: u64, out: &mut [f32], _: &mut Vec<u8>, _: &Classes) -> Result<()> {
        match &self.front {
            Some(front) => self.features(front, first, out)?,
            None => self.input.read(first, out, self.columns)?,
        }
        let steps = (first..).zip(out.chunks_exact_mut(self.columns));
        match (&self.target, &self.track) {
            (Some(target), _) => return target.read(first, &mut out[1..], 2),
            (None, Some(track)) => {
                for (step, row) in steps {
                    // A step is as late as its last sample.
                    let sample = (step + 1) * self.hop() - 1;
                    row[self.columns - 1] = track.at(sample as f64 / f64::from(self.input.rate));
                }
            }
            // A forecast is of the samples themselves.
            (None, None) if self.front.is_none() && self.columns == 2 => {
                steps.for_each(|(_, row)| row[1] = row[0]);
            }
            (None, None) => {}
        }
        Ok(())
    }
}

/// What is asked of a recording.
fn asked(input: &Input, builder: &Builder<'_>) -> Result<Asked> {
    let framed = builder.options.front.is_some();
    let what = match (builder.options.task, &input.target) {
        (Task::Classify, None) => return Ok(Asked::Class),
        (Task::Label, None) if track(&input.path).is_file() => return Ok(Asked::Label),
        (Task::Label, None) => {
            "it has no label track of the same name beside it: a .txt of lines start, end, label \
             in seconds, with tabs between"
        }
        (Task::Forecast { .. }, _) | (Task::Regress, _) if framed => {
            "--front-end makes steps of frames: it goes with --task classify or label"
        }
        (Task::Forecast { .. }, None) | (Task::Regress, Some(_)) => return Ok(Asked::Rows(1)),
        (Task::Regress, None) => {
            "it has no target: IN.wav,OUT.wav, or a folder of input*.wav and target*.wav"
        }
        (_, Some(_)) => "a pair of recordings is for --task regress",
    };
    Err(Error::task(&input.path, what))
}

/// Where the labels of a recording are.
pub(crate) fn track(path: &Path) -> PathBuf {
    path.with_extension("txt")
}

/// That a recording has the rate of a front end, and a frame at least.
fn check(front: &FrontEnd, recording: &Recording) -> Result<()> {
    let (path, rate) = (&recording.file.path, recording.rate);
    if rate != front.rate {
        let what = format!(
            "it has {rate} samples a second and the front end {}: --front-end ..,rate={rate}, or \
             another rate for the recording",
            front.rate
        );
        return Err(Error::form(path, what));
    }
    if recording.frames < u64::from(front.hop) {
        return Err(Error::Empty {
            path: path.clone(),
            what: "it is shorter than one step of the front end",
        });
    }
    Ok(())
}

/// Reads a recording, or a pair of them.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let (path, channel) = (&input.path, builder.options.channel);
    let (asked, front) = (asked(input, builder)?, builder.options.front);
    let class = match (asked, &input.class) {
        (Asked::Class, Some(class)) => Some(builder.classes.number(class, path, "its name")?),
        (Asked::Class, None) => {
            let what = "no class is known: a folder holds files called CLASS_anything.wav or \
                        CLASS/anything.wav";
            return Err(Error::task(path, what));
        }
        _ => None,
    };
    let features: Vec<String> = match &front {
        None => vec!["audio".to_owned()],
        Some(front) => (1..=front.features()).map(|k| format!("band{k}")).collect(),
    };
    let recordings = Recordings {
        input: Recording::open(path, channel)?,
        target: match &input.target {
            Some(target) => Some(Recording::open(target, channel)?),
            None => None,
        },
        track: match asked {
            Asked::Label => Some(Track::read(&track(path), &mut builder.classes)?),
            _ => None,
        },
        columns: features.len() + asked.columns(),
        front,
    };
    if let Some(front) = &front {
        check(front, &recordings.input)?;
    }
    builder.rate(path, recordings.input.rate)?;
    let mut steps = recordings.input.frames / recordings.hop();
    if let (Some(target), Some(of)) = (&recordings.target, &input.target) {
        builder.rate(of, target.rate)?;
        if target.frames != steps {
            let note = format!(
                "{} has {steps} samples and its target {}: what both have is read",
                shown(&input.name),
                target.frames
            );
            builder.notes.push(note);
            steps = steps.min(target.frames);
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
        Asked::Label => vec!["label".to_owned()],
        _ => Vec::new(),
    };
    builder.begin(input, features, targets, asked)?;
    let sequence = builder.sequence(input.name.clone(), input.group.clone(), class);
    let classes = Classes::default();
    let chunk = (CHUNK as u64 / recordings.hop()).max(1);
    let mut out = vec![0.0; chunk as usize * recordings.columns];
    let mut first = 0;
    while first < steps {
        let rows = (steps - first).min(chunk);
        let out = &mut out[..rows as usize * recordings.columns];
        Rows::read(&recordings, first, out, &mut Vec::new(), &classes)?;
        for (step, row) in (first..).zip(out.chunks_exact(recordings.columns)) {
            builder.row(sequence, At::Frame(step), row)?;
        }
        first += rows;
    }
    builder.end(Ok(Box::new(recordings)))
}
