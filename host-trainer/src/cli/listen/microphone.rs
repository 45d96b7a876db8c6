//! A microphone of this machine, by cpal.
//!
//! ```text
//! device --its thread: mean of the channels--> queue --a thread: the net's rate--> queue --> net
//! ```
//! The device is asked for the net's rate first; one that has another is heard at its own, and
//! resampled.

mod resample;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    Device, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, SupportedStreamConfig,
};

use self::resample::Resampler;
use super::source::{Samples, Sound};
use crate::cli::out::note;
use crate::cli::sequences::wrong;
use crate::error::{Error, Result};

/// Pieces that may wait for the net: some seconds.
const QUEUE: usize = 256;
/// Formats of samples that are read, the best first.
const FORMATS: [SampleFormat; 7] = [
    SampleFormat::F32,
    SampleFormat::I16,
    SampleFormat::I32,
    SampleFormat::F64,
    SampleFormat::U16,
    SampleFormat::U8,
    SampleFormat::I8,
];

/// What the system says of its microphones.
fn failed(what: &str, error: &cpal::Error) -> Error {
    Error::Some(format!("{what}: {error}"))
}

/// What a device is called: what the system knows it by, and a name for people.
fn called(device: &Device) -> (String, String) {
    let id = device.id().map(|id| id.id().to_owned());
    let id = id.unwrap_or_else(|_| "microphone".to_owned());
    // Its `Display` fails where it has no description.
    let name = device.description().map(|of| of.name().to_owned());
    (id.clone(), name.unwrap_or(id))
}

fn devices() -> Result<Vec<Device>> {
    let devices = cpal::default_host().input_devices();
    let devices = devices.map_err(|error| failed("no microphones can be listed", &error))?;
    Ok(devices.collect())
}

/// Names of the microphones, a line each.
pub(super) fn list() -> Result<Vec<String>> {
    let all = devices()?;
    if all.is_empty() {
        return Err(Error::Some("this machine has no microphone".to_owned()));
    }
    let line = |device: &Device| {
        let (id, name) = called(device);
        format!("{id}  {name}")
    };
    Ok(all.iter().map(line).collect())
}

/// The device of that name, or the first with it as a part of its own; without one the system's.
fn found(name: Option<&str>) -> Result<Device> {
    let Some(name) = name else {
        let device = cpal::default_host().default_input_device();
        return device.ok_or_else(|| {
            Error::Some(
                "this machine has no microphone: name a recording, --wav FILE, or pipe samples in, \
                 --stdin"
                    .to_owned(),
            )
        });
    };
    let mut all = devices()?;
    let wanted = name.to_lowercase();
    let names = |device: &Device| {
        let (id, name) = called(device);
        [id.to_lowercase(), name.to_lowercase()]
    };
    let exact = |device: &Device| names(device).contains(&wanted);
    let part = |device: &Device| names(device).iter().any(|name| name.contains(&wanted));
    let at = all.iter().position(exact);
    let at = at.or_else(|| all.iter().position(part));
    match at {
        Some(at) => Ok(all.swap_remove(at)),
        None => Err(Error::Usage(format!(
            "--device {name}: no microphone is called so; there are {}",
            all.iter()
                .map(|device| called(device).0)
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

/// How a device is heard: at the net's rate if it has that, with few channels, in a good format.
fn config(device: &Device, rate: u32) -> Result<SupportedStreamConfig> {
    let all = device.supported_input_configs();
    let all = all.map_err(|error| failed("the microphone does not say what it gives", &error))?;
    let rank = |format| FORMATS.iter().position(|&known| known == format);
    let best = all
        .filter(|range| range.contains_rate(rate) && rank(range.sample_format()).is_some())
        .min_by_key(|range| (range.channels(), rank(range.sample_format())));
    match best {
        Some(best) => Ok(best.with_sample_rate(rate)),
        None => device
            .default_input_config()
            .map_err(|error| failed("the microphone gives nothing", &error)),
    }
}

/// Opens a microphone, and begins to hear it.
pub(super) fn open(name: Option<&str>, rate: u32, stop: Arc<AtomicBool>) -> Result<Sound> {
    let device = found(name)?;
    let config = config(&device, rate)?;
    let name = called(&device).1;
    let (to, from) = sync_channel(QUEUE);
    let stream = match config.sample_format() {
        SampleFormat::F32 => stream::<f32>(&device, &config, to),
        SampleFormat::F64 => stream::<f64>(&device, &config, to),
        SampleFormat::I32 => stream::<i32>(&device, &config, to),
        SampleFormat::I16 => stream::<i16>(&device, &config, to),
        SampleFormat::I8 => stream::<i8>(&device, &config, to),
        SampleFormat::U16 => stream::<u16>(&device, &config, to),
        SampleFormat::U8 => stream::<u8>(&device, &config, to),
        other => {
            let what = format!("{name}: its samples are {other}, which are not read");
            return Err(Error::Some(what));
        }
    };
    let stream = stream.map_err(|error| failed(&name, &error))?;
    stream.play().map_err(|error| failed(&name, &error))?;
    let own = config.sample_rate();
    let (channels, format) = (config.channels(), config.sample_format());
    note(format!(
        "{name}: {own} samples a second, {format}, channels: {channels}"
    ));
    let from = match own == rate {
        true => from,
        false => resampled(from, Resampler::new(own, rate)),
    };
    Ok(Sound::live(&name, from, Box::new(stream), stop))
}

/// The same samples at another rate, by a thread of its own.
fn resampled(from: Receiver<Samples>, mut resampler: Resampler) -> Receiver<Samples> {
    let (to, out) = sync_channel(QUEUE);
    std::thread::spawn(move || {
        for samples in from {
            if to.send(samples.map(|of| resampler.push(&of))).is_err() {
                return;
            }
        }
    });
    out
}

/// A stream that sends the mean of its channels.
fn stream<T: SizedSample>(
    device: &Device,
    config: &SupportedStreamConfig,
    to: SyncSender<Samples>,
) -> std::result::Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels().max(1));
    let (lost, name, mut told) = (to.clone(), called(device).1, false);
    device.build_input_stream(
        config.config(),
        move |data: &[T], _: &cpal::InputCallbackInfo| {
            let mean = |frame: &[T]| {
                let sum: f32 = frame.iter().map(|&x| f32::from_sample(x)).sum();
                sum / channels as f32
            };
            let samples = data.chunks_exact(channels).map(mean).collect();
            // This thread may not wait.
            let full = matches!(to.try_send(Ok(samples)), Err(TrySendError::Full(_)));
            if full && !std::mem::replace(&mut told, true) {
                note("warning: this machine is too slow for the net: samples are lost");
            }
        },
        move |error| match error.kind() {
            ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
            ErrorKind::Xrun => note("warning: some samples of the microphone were lost"),
            _ => drop(lost.send(Err(wrong(Path::new(&name), error.to_string())))),
        },
        None,
    )
}
