//! The spoken set: recordings with label tracks to train on, and long streams to be judged by.
//!
//! ```text
//! data/train, data/valid     a few words and some talk each, 5 to 30 dB over noise
//! valid-words, test-words    every word of the part, 10 dB over noise
//! valid-talk, test-talk      talk without any of the words, 10 dB over noise
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use gatelet_sound::bands::RATE;
use gatelet_sound::spotter::{CLASSES, OTHER};
use gatelet_sound::synth::Random;
use gatelet_sound::synth::spoken::{Manner, Span, Spoken, Stream};
use hound::{SampleFormat, WavSpec, WavWriter};

use super::espeak::{Part, Talk, say};

/// What a finished set is marked with; another number makes it anew.
pub(super) const VERSION: &str = "5";
/// Level over the noise of what is judged, in dB.
pub(super) const DECIBELS: f64 = 10.0;

/// How much of a part there is: renditions of each word, pieces of talk, recordings.
struct Amount {
    part: Part,
    words: usize,
    talk: usize,
    recordings: usize,
}

const AMOUNTS: [Amount; 3] = [
    Amount {
        part: Part::Train,
        words: 600,
        talk: 3_200,
        recordings: 4_500,
    },
    Amount {
        part: Part::Valid,
        words: 40,
        talk: 300,
        recordings: 150,
    },
    Amount {
        part: Part::Test,
        words: 60,
        talk: 420,
        recordings: 0,
    },
];

/// Where a set lies.
pub(super) struct Set(PathBuf);

impl Set {
    /// The set in a folder, made if it is not there.
    pub(super) fn made(folder: &Path) -> Result<Self> {
        let set = Self(folder.join("set"));
        let stamp = set.0.join("version");
        if fs::read_to_string(&stamp).is_ok_and(|version| version == VERSION) {
            return Ok(set);
        }
        if set.0.exists() {
            fs::remove_dir_all(&set.0)?;
        }
        for folder in ["data/train", "data/valid"] {
            fs::create_dir_all(set.0.join(folder))?;
        }
        for amount in &AMOUNTS {
            set.make(amount)?;
        }
        fs::write(stamp, VERSION)?;
        Ok(set)
    }

    /// What `gatelet train` is given.
    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// A stream by its name, and what is said in it.
    pub(super) fn stream(&self, name: &str) -> Result<Stream> {
        let path = self.0.join(name).with_extension("wav");
        let mut wav = hound::WavReader::open(&path)?;
        let track = fs::read_to_string(path.with_extension("txt"))?;
        Ok(Stream {
            samples: wav.samples().collect::<Result<_, _>>()?,
            said: track.lines().map(span).collect::<Result<_>>()?,
        })
    }

    fn make(&self, amount: &Amount) -> Result<()> {
        let part = amount.part;
        println!("{part:?}: {} voices speak", part.voices().len());
        let (words, talk) = self.pool(amount)?;
        let mut random = Random::new(100 + part as u64);
        let usual = Manner {
            pause: (0.25, 1.0),
            decibels: (5.0, 30.0),
        };
        for index in 0..amount.recordings {
            let pick = |random: &mut Random| match random.happens(0.55) {
                true => &words[random.below(words.len())],
                false => &talk[random.below(talk.len())],
            };
            let pieces: Vec<&Spoken> = (0..3).map(|_| pick(&mut random)).collect();
            let stream = Stream::of(&pieces, usual, &mut random);
            let name = format!("data/{}/{index:05}", folder(part));
            self.write(&name, &stream, &stream.track())?;
        }
        if part == Part::Train {
            return Ok(());
        }
        let judged = Manner {
            pause: (0.8, 1.6),
            decibels: (DECIBELS, DECIBELS),
        };
        for (name, pieces) in [("words", &words), ("talk", &talk)] {
            let pieces: Vec<&Spoken> = pieces.iter().collect();
            let stream = Stream::of(&pieces, judged, &mut random);
            let line = |span: &Span| format!("{}\t{}\t{}\n", span.start, span.end, span.class);
            let track: String = stream.said.iter().map(line).collect();
            self.write(&format!("{}-{name}", folder(part)), &stream, &track)?;
        }
        Ok(())
    }

    /// All that is said in a part: words, in an order of their own, and talk.
    fn pool(&self, amount: &Amount) -> Result<(Vec<Spoken>, Vec<Spoken>)> {
        let (part, talk) = (amount.part, Talk::of(amount.part)?);
        let words = (0..amount.words).flat_map(|_| (0..CLASSES.len()).filter(|&k| k != OTHER));
        let classes: Vec<usize> = words.chain((0..amount.talk).map(|_| OTHER)).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let one = |(thread, classes): (usize, &[usize])| -> Result<Vec<Spoken>> {
            let seed = 1_000 * (1 + part as u64) + thread as u64;
            let mut random = Random::new(seed);
            let file = self.0.join(format!("voice-{thread}.wav"));
            let each = classes.iter();
            let all = each.map(|&class| say(class, (part, &talk), &mut random, &file));
            let all = all.collect::<Result<_>>()?;
            fs::remove_file(&file)?;
            Ok(all)
        };
        // Eight chunks with a seed each, whatever the machine: all of them make the same set.
        let chunks: Vec<_> = classes
            .chunks(classes.len().div_ceil(8))
            .enumerate()
            .collect();
        let mut spoken = Vec::new();
        for some in chunks.chunks(threads) {
            let done: Vec<Result<Vec<Spoken>>> = std::thread::scope(|scope| {
                let started: Vec<_> = some
                    .iter()
                    .map(|&of| scope.spawn(move || one(of)))
                    .collect();
                let joined = started.into_iter().map(|thread| thread.join());
                let failed = |_| Err(anyhow!("a thread has ended early"));
                joined.map(|of| of.unwrap_or_else(failed)).collect()
            });
            for part in done {
                spoken.extend(part?);
            }
        }
        let (talk, mut words): (Vec<_>, Vec<_>) =
            spoken.into_iter().partition(|of| of.class == OTHER);
        let mut random = Random::new(part as u64);
        for end in (1..words.len()).rev() {
            words.swap(end, random.below(end + 1));
        }
        Ok((words, talk))
    }

    fn write(&self, name: &str, stream: &Stream, track: &str) -> Result<()> {
        let path = self.0.join(name).with_extension("wav");
        let spec = WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(&path, spec)?;
        for &x in &stream.samples {
            writer.write_sample(x)?;
        }
        writer.finalize()?;
        fs::write(path.with_extension("txt"), track)?;
        Ok(())
    }
}

/// The name of a part.
pub(super) const fn folder(part: Part) -> &'static str {
    match part {
        Part::Train => "train",
        Part::Valid => "valid",
        Part::Test => "test",
    }
}

/// A line of the track of a stream.
fn span(line: &str) -> Result<Span> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().context("a line of a track is too short");
    Ok(Span {
        start: next()?.parse()?,
        end: next()?.parse()?,
        class: next()?.parse()?,
    })
}
