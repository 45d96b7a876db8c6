//! Where samples come from: a recording, standard input, or whatever sends them.
//!
//! ```text
//! recording   pieces of 20 ms, at once or when they were spoken
//! live        a thread that waits for samples sends them; this end looks for Ctrl-C meanwhile
//! ```

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::cli::sequences::{read, wrong};
use crate::cli::stream::{self, STDIN};
use crate::data::front::{check_rate, mixed};
use crate::error::{Error, Result};

/// Pieces a second of a recording.
const PIECES: u32 = 50;
/// Bytes of standard input that are read at once, at most.
const READ: usize = 4_096;
/// How often Ctrl-C is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Samples of one channel, within 1.
pub(super) type Samples = Result<Vec<f32>>;

enum From {
    Recording {
        samples: Vec<f32>,
        /// Samples that were given.
        at: usize,
        piece: usize,
        /// Samples a second, and when the first was given; none: as fast as it goes.
        pace: Option<(u32, Instant)>,
    },
    Live {
        from: Receiver<Samples>,
        /// What has to stay alive as long.
        _keep: Box<dyn std::any::Any>,
    },
}

/// Samples as they come, until they end or Ctrl-C is pressed.
pub(super) struct Sound {
    name: PathBuf,
    from: From,
    stop: Arc<AtomicBool>,
}

impl Sound {
    /// A recording of this rate.
    pub(super) fn wav(
        path: &Path,
        (rate, real_time): (u32, bool),
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        let sequence = read(path)?;
        let Some(found) = sequence.sample_rate else {
            return Err(wrong(path, "it is no .wav, and --wav hears recordings"));
        };
        check_rate(rate, found).map_err(|what| wrong(path, what))?;
        Ok(Self {
            name: path.to_owned(),
            from: From::Recording {
                samples: mixed(&sequence),
                at: 0,
                piece: (rate / PIECES).max(1) as usize,
                pace: real_time.then(|| (rate, Instant::now())),
            },
            stop,
        })
    }

    /// What a sender sends, who lives as long as `keep`.
    pub(super) fn live(
        name: &str,
        from: Receiver<Samples>,
        keep: Box<dyn std::any::Any>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            name: name.into(),
            from: From::Live { from, _keep: keep },
            stop,
        }
    }

    /// Standard input.
    pub(super) fn stdin(stop: Arc<AtomicBool>) -> Result<Self> {
        if io::stdin().is_terminal() {
            return Err(Error::Usage(
                "--stdin: standard input is a terminal, and samples are no text: as in \
                 `arecord -t raw -f S16_LE -r 16000 -c 1 | gatelet listen NET --stdin`"
                    .to_owned(),
            ));
        }
        stream::take()?;
        let (to, from) = sync_channel(4);
        std::thread::spawn(move || send_stdin(&to));
        Ok(Self::live(STDIN, from, Box::new(()), stop))
    }

    /// Why nothing was heard in so few samples; a step takes `hop`.
    pub(super) fn too_short(&self, samples: u64, hop: u64) -> Error {
        let what = match samples {
            0 => "it has no samples".to_owned(),
            _ => format!("it has {samples} samples, and a step of the net takes {hop}"),
        };
        wrong(&self.name, what)
    }
}

impl Iterator for Sound {
    type Item = Samples;

    fn next(&mut self) -> Option<Samples> {
        let stopped = || self.stop.load(Ordering::Relaxed);
        match &mut self.from {
            From::Recording {
                samples,
                at,
                piece,
                pace,
            } => {
                let end = (*at + *piece).min(samples.len());
                if let Some((rate, begin)) = pace {
                    let due = Duration::from_secs_f64(end as f64 / f64::from(*rate));
                    std::thread::sleep(due.saturating_sub(begin.elapsed()));
                }
                let next = samples.get(*at..end).filter(|next| !next.is_empty())?;
                *at = end;
                (!stopped()).then(|| Ok(next.to_vec()))
            }
            From::Live { from, .. } => loop {
                if stopped() {
                    return None;
                }
                match from.recv_timeout(LOOK) {
                    Ok(samples) => return Some(samples),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            },
        }
    }
}

/// Sends the samples of standard input until it ends, or nobody wants them.
fn send_stdin(to: &SyncSender<Samples>) {
    let mut bytes = vec![0; READ];
    // Bytes of a sample that is not whole.
    let mut rest = 0;
    let mut stdin = io::stdin().lock();
    loop {
        let read = match stdin.read(&mut bytes[rest..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                let _ = to.send(Err(Error::Read {
                    path: STDIN.into(),
                    source,
                }));
                return;
            }
        };
        if read == 0 {
            if rest > 0 {
                let what = "it ends within a sample, which has 16 bits: it is cut off, or of \
                            another form";
                let _ = to.send(Err(wrong(Path::new(STDIN), what)));
            }
            return;
        }
        let (samples, odd) = bytes[..rest + read].as_chunks();
        let samples = samples
            .iter()
            .map(|&pair| f32::from(i16::from_le_bytes(pair)) / 32_768.0);
        let (samples, last) = (samples.collect(), odd.first().copied());
        rest = usize::from(last.is_some());
        bytes[0] = last.unwrap_or_default();
        if to.send(Ok(samples)).is_err() {
            return;
        }
    }
}
