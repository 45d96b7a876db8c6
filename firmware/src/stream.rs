//! The streaming demos on a board: blocks of sound come over the serial line, answers go back.
//!
//! ```text
//! amplifier   a line | a block of f32 -> a block of f32 ... | an empty block -> a line of JSON
//! voice       a line | a block of i16, a frame -> lines, ACK ... | an empty block -> lines, ACK
//! keyword     a line | a block of i16 -> lines, ACK ... | an empty block -> a line, ACK
//! ```
//! The form of a block, and why nothing is sent before the last one is answered, is in
//! [`gatelet_sound::wire`]. A block that arrives damaged ends the stream, with a line that says so.

use core::fmt::Arguments;

use embedded_io::{ErrorType, Read, Write, WriteFmtError};
use gatelet::net::{Input, Net, Precision};
use gatelet::{Kernel, Model, Session};
use gatelet_sound::bands::{BANDS, FRAME};
use gatelet_sound::spotter::{THRESHOLD, is_spotter};
use gatelet_sound::wire::{self, ACK, Damaged, Receiver};
use gatelet_sound::{Listener, Spotter};

/// Samples of a block of the amplifier, at most.
pub const BLOCK: usize = FRAME / 2;
/// Bytes of a block of either, with what is around it.
const BYTES: usize = 2 * FRAME + wire::AROUND;

/// Why a stream ended early. Where the line works it has been said there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken<E> {
    /// The line itself.
    Line(E),
    /// A block arrived damaged, or is of another length than blocks have.
    Block,
    /// A sample is no number.
    Sample,
    /// The model is not one for this.
    Model,
}

impl<E> From<E> for Broken<E> {
    fn from(error: E) -> Self {
        Broken::Line(error)
    }
}

type Ended<P> = Result<(), Broken<<P as ErrorType>::Error>>;

/// What counts the instructions of some work, where that can be done.
pub trait Count {
    /// Does it; how many it took.
    fn instructions(&self, work: impl FnOnce()) -> u32;
}

impl Count for () {
    fn instructions(&self, work: impl FnOnce()) -> u32 {
        work();
        0
    }
}

/// A line of text.
///
/// # Errors
/// Those of the port.
pub fn say<P: Write>(port: &mut P, text: Arguments<'_>) -> Result<(), P::Error> {
    match port.write_fmt(format_args!("{text}\r\n")) {
        Ok(()) => port.flush(),
        Err(WriteFmtError::Other(error)) => Err(error),
        // Nothing that is said here fails to be written.
        Err(WriteFmtError::FmtError) => Ok(()),
    }
}

/// Says why it does not go on.
fn end<P: Write>(port: &mut P, why: Broken<P::Error>) -> Ended<P> {
    let text = match why {
        Broken::Line(_) => return Err(why),
        Broken::Block => "a block arrived damaged: a byte was lost",
        Broken::Sample => "a sample is no number",
        Broken::Model => "the model is not one for this program",
    };
    say(port, format_args!("error: {text}"))?;
    Err(why)
}

/// Waits for the next block, and what `take` makes of it.
fn block<P: Read, T>(
    port: &mut P,
    receiver: &mut Receiver<BYTES>,
    mut take: impl FnMut(Result<&[u8], Damaged>) -> T,
) -> Result<T, P::Error> {
    loop {
        let mut byte = [0];
        if port.read(&mut byte)? == 0 {
            continue;
        }
        let [byte] = byte;
        if let Some(block) = receiver.push(byte) {
            return Ok(take(block));
        }
    }
}

/// Whether it takes a sample and gives one.
fn is_amplifier(net: &Net) -> bool {
    let one = matches!(net.input, Input::Features { width: 1, .. });
    one && net.output_width(0) == 1 && net.precision == Precision::F32
}

/// Whether it takes the bands of a frame and gives two scores.
fn is_detector(net: &Net) -> bool {
    let bands = matches!(net.input, Input::Features { width: BANDS, .. });
    bands && net.output_width(0) == 2 && net.precision == Precision::Int8
}

/// Amplifies until an empty block comes.
///
/// # Errors
/// Why it ended early.
pub fn amplify<P: Read + Write, K: Kernel>(
    port: &mut P,
    model: &Model<'_>,
    kernel: K,
    storage: &mut [u32],
    count: &impl Count,
) -> Ended<P> {
    let (true, Ok(mut session)) = (
        is_amplifier(model.net()),
        Session::new(model, kernel, storage),
    ) else {
        return end(port, Broken::Model);
    };
    let macs = model.net().macs_per_step();
    say(
        port,
        format_args!(
            "amplifier: kernel {}, {macs} multiply-accumulates a sample",
            K::NAME
        ),
    )?;
    let mut receiver = Receiver::new();
    let (mut samples, mut total, mut most) = (0_u64, 0_u64, 0);
    loop {
        let mut sound = [0.0_f32; BLOCK];
        let length = block(port, &mut receiver, |block| {
            let (numbers, []) = block.ok()?.as_chunks() else {
                return None;
            };
            let to = sound.get_mut(..numbers.len())?.iter_mut();
            to.zip(numbers)
                .for_each(|(to, &x)| *to = f32::from_le_bytes(x));
            Some(numbers.len())
        })?;
        let Some(sound) = length.and_then(|length| sound.get_mut(..length)) else {
            return end(port, Broken::Block);
        };
        if sound.is_empty() {
            let mean = (total + samples / 2) / samples.max(1);
            return Ok(say(
                port,
                format_args!("{{\"samples\":{samples},\"instructions\":{mean},\"most\":{most}}}"),
            )?);
        }
        for x in sound.iter_mut() {
            let mut good = false;
            let taken = count.instructions(|| good = session.step(&[*x]).is_ok());
            let Some(y) = session.values(0).next().filter(|_| good) else {
                return end(port, Broken::Sample);
            };
            *x = y;
            (samples, total, most) = (samples + 1, total + u64::from(taken), taken.max(most));
        }
        answer(port, sound)?;
    }
}

/// Sends samples as a block.
fn answer<P: Write>(port: &mut P, sound: &[f32]) -> Result<(), P::Error> {
    let mut bytes = [[0; 4]; BLOCK];
    let numbers = bytes.iter_mut().zip(sound);
    numbers.for_each(|(to, x)| *to = x.to_le_bytes());
    let bytes = bytes.get(..sound.len()).unwrap_or_default().as_flattened();
    let (before, behind) = wire::around(bytes);
    port.write_all(&before)?;
    port.write_all(bytes)?;
    port.write_all(&behind)?;
    port.flush()
}

/// Listens until an empty block comes, and says what it hears; `changed` is told too.
///
/// # Errors
/// Why it ended early.
pub fn listen<P: Read + Write, K: Kernel>(
    port: &mut P,
    model: &Model<'_>,
    kernel: K,
    storage: &mut [u32],
    mut changed: impl FnMut(bool),
) -> Ended<P> {
    let (true, Ok(mut listener)) = (
        is_detector(model.net()),
        Listener::new(model, kernel, storage),
    ) else {
        return end(port, Broken::Model);
    };
    let macs = model.net().macs_per_step();
    say(
        port,
        format_args!(
            "voice: kernel {}, {macs} multiply-accumulates a frame",
            K::NAME
        ),
    )?;
    let mut receiver = Receiver::new();
    loop {
        let mut frame = [0; FRAME];
        let length = samples(port, &mut receiver, &mut frame)?;
        let change = match length {
            Some(0) => {
                say(port, format_args!("{}", listener.hearing()))?;
                say(port, format_args!("states {:016x}", listener.states()))?;
                port.write_all(&[ACK])?;
                return Ok(port.flush()?);
            }
            Some(FRAME) => listener.frame(&frame),
            _ => return end(port, Broken::Block),
        };
        match change {
            Ok(None) => {}
            Ok(Some(change)) => {
                say(port, format_args!("{change}"))?;
                changed(change.voice);
            }
            Err(_) => return end(port, Broken::Model),
        }
        port.write_all(&[ACK])?;
        port.flush()?;
    }
}

/// Waits for the next block of samples; how many it has, if it is whole.
fn samples<P: Read>(
    port: &mut P,
    receiver: &mut Receiver<BYTES>,
    to: &mut [i16; FRAME],
) -> Result<Option<usize>, P::Error> {
    block(port, receiver, |block| {
        let (numbers, []) = block.ok()?.as_chunks() else {
            return None;
        };
        let to = to.iter_mut().zip(numbers);
        to.for_each(|(to, &x)| *to = i16::from_le_bytes(x));
        Some(numbers.len())
    })
}

/// Listens until an empty block comes, and says the words that it hears; `heard` is told too.
///
/// # Errors
/// Why it ended early.
pub fn spot<P: Read + Write, K: Kernel>(
    port: &mut P,
    model: &Model<'_>,
    kernel: K,
    storage: &mut [u32],
    mut heard: impl FnMut(),
) -> Ended<P> {
    let (true, Ok(mut spotter)) = (
        is_spotter(model),
        Spotter::new(model, kernel, storage, THRESHOLD),
    ) else {
        return end(port, Broken::Model);
    };
    let macs = model.net().macs_per_step();
    say(
        port,
        format_args!(
            "keyword: kernel {}, {macs} multiply-accumulates a frame",
            K::NAME
        ),
    )?;
    let mut receiver = Receiver::new();
    loop {
        let mut sound = [0; FRAME];
        let length = samples(port, &mut receiver, &mut sound)?;
        let Some(sound) = length.and_then(|length| sound.get(..length)) else {
            return end(port, Broken::Block);
        };
        if sound.is_empty() {
            say(port, format_args!("states {:016x}", spotter.states()))?;
            port.write_all(&[ACK])?;
            return Ok(port.flush()?);
        }
        let mut said = Ok(());
        let pushed = spotter.push(sound, |word| {
            heard();
            if said.is_ok() {
                said = say(port, format_args!("{word}"));
            }
        });
        said?;
        if pushed.is_err() {
            return end(port, Broken::Model);
        }
        port.write_all(&[ACK])?;
        port.flush()?;
    }
}

#[cfg(test)]
mod tests;
