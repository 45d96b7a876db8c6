//! What is said, by espeak-ng: words and parts of a novel, in many voices.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use gatelet_sound::bands::RATE;
use gatelet_sound::spotter::{CLASSES, OTHER};
use gatelet_sound::synth::Random;
use gatelet_sound::synth::rate::resampled;
use gatelet_sound::synth::spoken::{Spoken, trimmed};

use crate::command::{output, root};
use crate::listen::wav::Sound;

/// Ways of speaking English.
const ACCENTS: [&str; 8] = [
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
];

/// Who speaks in a part of the set: no voice is in two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Learnt from.
    Train,
    /// Held out, to choose a net and the threshold by.
    Valid,
    /// Heard once, at the end.
    Test,
}

impl Part {
    /// Variants of espeak-ng's voice.
    pub(super) const fn voices(self) -> &'static [&'static str] {
        match self {
            Self::Train => &[
                "m1",
                "m2",
                "m3",
                "m4",
                "m5",
                "m6",
                "f1",
                "f2",
                "f3",
                "f4",
                "Alex",
                "Alicia",
                "Andrea",
                "Annie",
                "Denis",
                "Diogo",
                "Gene",
                "Henrique",
                "Hugo",
                "Jacky",
                "Lee",
                "Marco",
                "Mario",
                "Michael",
                "Mike",
                "adam",
                "announcer",
                "antonio",
                "aunty",
                "benjamin",
                "boris",
                "caleb",
                "david",
                "ed",
                "edward",
                "grandma",
                "grandpa",
                "gustave",
                "iven",
                "john",
                "klatt",
                "klatt2",
                "linda",
                "marcelo",
                "max",
                "miguel",
                "norbert",
                "paul",
                "pedro",
                "quincy",
                "rob",
                "robert",
                "sandro",
                "shelby",
                "steph",
                "travis",
                "zac",
            ],
            Self::Valid => &["m7", "anika", "Storm", "pablo", "Nguyen"],
            Self::Test => &["m8", "f5", "Andy", "belinda", "michel", "victor"],
        }
    }

    /// Which part of the novels its other speech is from, in tenths.
    const fn text(self) -> (usize, usize) {
        match self {
            Self::Train => (0, 7),
            Self::Valid => (7, 8),
            Self::Test => (8, 10),
        }
    }
}

/// What is not one of the words: parts of sentences without any of them.
pub(super) struct Talk(Vec<String>);

impl Talk {
    pub(super) fn of(part: Part) -> Result<Self> {
        let path = root().join("corpora/novels.txt");
        let text = std::fs::read_to_string(&path).context("corpora/novels.txt")?;
        let (from, to) = part.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        let (from, to) = (words.len() * from / 10, words.len() * to / 10);
        let words = words.get(from..to).unwrap_or_default();
        let plain = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).collect();
        let words: Vec<String> = words.iter().map(plain).collect();
        Ok(Self(words.into_iter().filter(|w| !w.is_empty()).collect()))
    }

    /// A few words in a row, none of which holds one that is listened for.
    fn some(&self, random: &mut Random) -> String {
        loop {
            let (start, count) = (random.below(self.0.len()), 1 + random.below(9));
            let words = self.0.get(start..start + count).unwrap_or_default();
            let text = words.join(" ").to_lowercase();
            let holds = |word: &str| text.contains(word);
            if !text.is_empty() && !CLASSES.into_iter().any(|w| w != CLASSES[OTHER] && holds(w)) {
                return text;
            }
        }
    }
}

/// Says a class: a word, or some talk. `file` is used on the way.
pub(super) fn say(
    class: usize,
    (part, talk): (Part, &Talk),
    random: &mut Random,
    file: &Path,
) -> Result<Spoken> {
    let voices = part.voices();
    let (accent, voice) = (random.below(ACCENTS.len()), random.below(voices.len()));
    let text = match CLASSES.get(class) {
        Some(word) if class != OTHER => (*word).to_owned(),
        _ => talk.some(random),
    };
    let (speed, pitch) = (random.between(120.0, 210.0), random.between(25.0, 75.0));
    let mut espeak = Command::new("espeak-ng");
    espeak
        .args(["-v", &format!("{}+{}", ACCENTS[accent], voices[voice])])
        .args(["-s", &format!("{speed:.0}"), "-p", &format!("{pitch:.0}")])
        .arg("-w")
        .arg(file)
        .arg(text);
    output(&mut espeak)?;
    let sound = Sound::read(file)?;
    // Played faster or slower it is another throat, too: only what is learnt from.
    let throat = match part {
        Part::Train => random.between(0.85, 1.18),
        Part::Valid | Part::Test => 1.0,
    };
    let rate = (f64::from(sound.rate) * throat).round() as u32;
    let samples = resampled(trimmed(&sound.samples), rate, RATE);
    Ok(Spoken { class, samples })
}
