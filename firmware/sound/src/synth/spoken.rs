//! Streams of words and other speech in noise, with the labels that a spotter learns.
//!
//! ```text
//! pieces   spoken, with pauses of 0.25 to 1.2 s between; noise under all of it
//! label    a word from its end on, for 200 ms; all else is other
//!          nothing is asked from the middle of a word to its end, nor 200 ms after its label
//! ```

use super::noise::Noise;
use super::{Random, add, rms};
use crate::bands::RATE;
use crate::spotter::{CLASSES, OTHER};

/// Seconds behind a word's end in which it is asked for, and then in which nothing is.
const ASKED: f64 = 0.2;
/// Part of a word from which on nothing is asked.
const KNOWN: f64 = 0.5;

/// Something that is said: samples of [`RATE`] a second, without silence around.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// Which of [`CLASSES`].
    pub class: usize,
    /// The samples.
    pub samples: Vec<f32>,
}

/// A span of a stream, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Which of [`CLASSES`].
    pub class: usize,
    /// Its beginning.
    pub start: f64,
    /// Its end.
    pub end: f64,
}

/// A stream, and what is said in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The samples, at [`RATE`].
    pub samples: Vec<i16>,
    /// What is said, in order.
    pub said: Vec<Span>,
}

/// Pauses and noise of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// Shortest and longest pause, in seconds.
    pub pause: (f64, f64),
    /// Least and greatest level of speech over noise, in dB.
    pub decibels: (f64, f64),
}

impl Stream {
    /// Puts pieces behind each other, each as loud over the noise as any other.
    pub fn of(pieces: &[&Spoken], manner: Manner, random: &mut Random) -> Self {
        let rate = f64::from(RATE);
        let pause = |random: &mut Random| {
            let (low, high) = manner.pause;
            (random.between(low, high) * rate) as usize
        };
        let mut start = pause(random);
        let (mut places, mut said) = (Vec::new(), Vec::new());
        for piece in pieces {
            let end = start + piece.samples.len();
            places.push(start);
            said.push(Span {
                class: piece.class,
                start: start as f64 / rate,
                end: end as f64 / rate,
            });
            start = end + pause(random);
        }
        // A word at the very end has time to be heard.
        let samples = start + (0.5 * rate) as usize;
        let mut sound = noises(random, samples);
        let (low, high) = manner.decibels;
        for (piece, &start) in pieces.iter().zip(&places) {
            let numbers: Vec<f64> = piece.samples.iter().map(|&x| x.into()).collect();
            let louder = 10_f64.powf(random.between(low, high) / 20.0);
            let gain = louder / rms(&numbers).max(1e-9);
            add(&mut sound, start, numbers.into_iter().map(|x| x * gain));
        }
        let most = sound.iter().fold(1e-9, |most: f64, x| most.max(x.abs()));
        let gain = random.octaves(3_000.0, 30_000.0) / most;
        let whole = sound.iter().map(|x| (x * gain).round() as i16).collect();
        Stream {
            samples: whole,
            said,
        }
    }

    /// The labels: spans that do not touch, in order; in none of them nothing is asked.
    pub fn labels(&self) -> Vec<Span> {
        let whole = self.samples.len() as f64 / f64::from(RATE);
        let (mut labels, mut free) = (Vec::new(), 0.0);
        let other = |labels: &mut Vec<Span>, start: f64, end: f64| {
            if end > start {
                labels.push(Span {
                    class: OTHER,
                    start,
                    end,
                });
            }
        };
        for word in self.said.iter().filter(|span| span.class != OTHER) {
            let known = word.start + KNOWN * (word.end - word.start);
            other(&mut labels, free, known);
            labels.push(Span {
                class: word.class,
                start: word.end,
                end: word.end + ASKED,
            });
            free = word.end + 2.0 * ASKED;
        }
        other(&mut labels, free, whole);
        labels
    }

    /// The labels as a track beside a recording.
    pub fn track(&self) -> String {
        let line = |span: &Span| {
            let word = CLASSES.get(span.class).copied().unwrap_or_default();
            format!("{:.4}\t{:.4}\t{word}\n", span.start, span.end)
        };
        self.labels().iter().map(line).collect()
    }
}

/// Noise of power 1, of one kind after another.
fn noises(random: &mut Random, samples: usize) -> Vec<f64> {
    let mut sound = vec![0.0; samples];
    let mut start = 0;
    while start < samples {
        let kind = Noise::ALL[random.below(Noise::ALL.len())];
        let length = (random.octaves(3.0, 12.0) * f64::from(RATE)) as usize;
        let noise = kind.make(random, length.min(samples - start));
        add(&mut sound, start, noise.into_iter());
        start += length;
    }
    sound
}

/// A sound without the silence before and behind it: what is below 1/50 of its loudest sample.
pub fn trimmed(samples: &[f32]) -> &[f32] {
    let most = samples.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let loud = |x: &f32| x.abs() > most / 50.0;
    let first = samples.iter().position(loud).unwrap_or(0);
    let end = samples.iter().rposition(loud).map_or(0, |last| last + 1);
    samples.get(first..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_asked_for_behind_their_end() {
        let word = Spoken {
            class: 3,
            samples: vec![0.5; 8_000],
        };
        let talk = Spoken {
            class: OTHER,
            samples: vec![0.5; 16_000],
        };
        let manner = Manner {
            pause: (0.25, 1.0),
            decibels: (10.0, 10.0),
        };
        for seed in 0..5 {
            let pieces = [&talk, &word, &word];
            let stream = Stream::of(&pieces, manner, &mut Random::new(seed));
            let labels = stream.labels();
            let words: Vec<&Span> = labels.iter().filter(|span| span.class == 3).collect();
            assert_eq!((words.len(), stream.said.len()), (2, 3));
            assert_eq!(words[0].start, stream.said[1].end);
            assert!(labels.windows(2).all(|two| two[0].end <= two[1].start));
            assert_eq!(labels[0].start, 0.0);
            assert!(stream.track().starts_with("0.0000\t"));
            // 10 dB over the noise.
            let at = |time: f64| (time * f64::from(RATE)) as usize;
            let part = |from: f64, to: f64| {
                let part = &stream.samples[at(from)..at(to)];
                rms(&part.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())
            };
            let quiet = part(0.0, stream.said[0].start);
            let loud = part(stream.said[0].start, stream.said[0].end);
            assert!(loud > 1.5 * quiet, "{loud} {quiet}");
        }
    }

    #[test]
    fn silence_around_is_cut_off() {
        let sound = [0.0, 0.001, 0.5, 0.0, -0.1, 0.009, 0.0];
        assert_eq!(trimmed(&sound), [0.5, 0.0, -0.1]);
        assert_eq!(trimmed(&[0.0; 4]), []);
    }
}
