//! Sounds that are like speech: syllables of vowels and hisses, in phrases.
//!
//! ```text
//! voice      a pulse a period, 75 to 300 Hz; two low-passes; three formants, from vowel to vowel
//! hiss       white noise behind a resonance of 2 to 6.5 kHz
//! syllable   a hiss, often; then a vowel whose loudness rises and falls
//! phrase     2 to 9 syllables, the pitch falling; then a pause
//! ```

use std::f64::consts::TAU;

use super::{OnePole, Random, Resonance, add, rms};
use crate::bands::RATE;

/// Formants of vowels, Hz (Peterson and Barney 1952, men): heed, hid, head, had, hod, hawed, hood,
/// who'd.
const VOWELS: [[f64; 3]; 8] = [
    [270.0, 2_290.0, 3_010.0],
    [390.0, 1_990.0, 2_550.0],
    [530.0, 1_840.0, 2_480.0],
    [660.0, 1_720.0, 2_410.0],
    [730.0, 1_090.0, 2_440.0],
    [570.0, 840.0, 2_410.0],
    [440.0, 1_020.0, 2_240.0],
    [300.0, 870.0, 2_240.0],
];
/// Their widths and weights.
const WIDTHS: [f64; 3] = [80.0, 110.0, 160.0];
const WEIGHTS: [f64; 3] = [1.0, 0.6, 0.35];

/// Somebody who speaks.
struct Speaker {
    pitch: f64,
    /// Of the length of the throat.
    formants: f64,
    speed: f64,
}

/// From 0 to 1 and back, with soft ends.
fn swell(part: f64) -> f64 {
    let edge = (part.min(1.0 - part) * 5.0).min(1.0);
    0.5 - 0.5 * (TAU / 2.0 * edge).cos()
}

fn vowel(random: &mut Random, speaker: &Speaker, pitch: f64, seconds: f64) -> Vec<f64> {
    let rate = f64::from(RATE);
    let count = (seconds * rate) as usize;
    let [from, to] = [(); 2].map(|()| VOWELS[random.below(VOWELS.len())]);
    let mut formants: [Resonance; 3] = Default::default();
    let mut tilt = [OnePole::new(300.0, rate), OnePole::new(2_500.0, rate)];
    let (mut phase, glide) = (0.0, random.between(0.85, 1.12));
    let breath = random.between(0.005, 0.05);
    let sample = |n: usize| {
        let part = n as f64 / count as f64;
        phase += pitch * (1.0 + part * (glide - 1.0)) * (1.0 + 0.01 * random.white()) / rate;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= pulse;
        let [first, second] = &mut tilt;
        let source = second.next(first.next(20.0 * pulse)) + breath * random.white();
        let mut sum = 0.0;
        for (k, formant) in formants.iter_mut().enumerate() {
            let hz = speaker.formants * (from[k] + part * (to[k] - from[k]));
            sum += WEIGHTS[k] * formant.next(source, hz, WIDTHS[k], rate);
        }
        sum * swell(part)
    };
    let mut sound: Vec<f64> = (0..count).map(sample).collect();
    let size = random.between(0.6, 1.2) / rms(&sound).max(1e-9);
    sound.iter_mut().for_each(|x| *x *= size);
    sound
}

fn hiss(random: &mut Random, seconds: f64) -> Vec<f64> {
    let rate = f64::from(RATE);
    let count = (seconds * rate) as usize;
    let (hz, width) = (
        random.octaves(2_000.0, 6_500.0),
        random.octaves(500.0, 2_500.0),
    );
    let mut resonance = Resonance::default();
    let sample =
        |n| resonance.next(random.white(), hz, width, rate) * swell(n as f64 / count as f64);
    let mut sound: Vec<f64> = (0..count).map(sample).collect();
    let size = random.octaves(0.1, 0.5) / rms(&sound).max(1e-9);
    sound.iter_mut().for_each(|x| *x *= size);
    sound
}

/// A phrase: what is said, about as loud as noise of power 1.
fn phrase(random: &mut Random, speaker: &Speaker) -> Vec<f64> {
    let rate = f64::from(RATE);
    let (syllables, mut all) = (2 + random.below(8), Vec::new());
    for index in 0..syllables {
        let fall = 1.15 - 0.3 * index as f64 / syllables as f64;
        let mut at = all.len() as f64;
        if random.happens(0.6) {
            let seconds = random.between(0.04, 0.13) * speaker.speed;
            let sound = hiss(random, seconds);
            let start = all.len();
            all.resize(start + sound.len(), 0.0);
            add(&mut all, start, sound.into_iter());
            at = all.len() as f64 - 0.01 * rate;
        } else if index > 0 {
            // Closed lips.
            at += random.between(0.0, 0.08) * rate;
        }
        let seconds = random.between(0.1, 0.28) * speaker.speed;
        let pitch = speaker.pitch * fall * random.between(0.9, 1.1);
        let sound = vowel(random, speaker, pitch, seconds);
        let start = at.max(0.0) as usize;
        all.resize((start + sound.len()).max(all.len()), 0.0);
        add(&mut all, start, sound.into_iter());
    }
    all
}

/// Speech of so many samples, of phrases between pauses, and whether somebody speaks at each.
pub fn speak(random: &mut Random, samples: usize) -> (Vec<f64>, Vec<bool>) {
    let rate = f64::from(RATE);
    let pitch = random.octaves(75.0, 280.0);
    let speaker = Speaker {
        pitch,
        formants: random.between(0.95, 1.05) * (pitch / 120.0).powf(0.2),
        speed: random.between(0.8, 1.3),
    };
    let (mut sound, mut speaks) = (vec![0.0; samples], vec![false; samples]);
    let mut start = (random.between(0.0, 1.5) * rate) as usize;
    while start < samples {
        let phrase = phrase(random, &speaker);
        let end = (start + phrase.len()).min(samples);
        speaks[start..end].fill(true);
        add(&mut sound, start, phrase.into_iter());
        start = end + (random.octaves(0.3, 2.0) * rate) as usize;
    }
    (sound, speaks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sounds_where_somebody_speaks() {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for seed in 0..4 {
            let (sound, speaks) = speak(&mut Random::new(seed), 64_000);
            for (x, speaks) in sound.into_iter().zip(speaks) {
                if speaks { &mut inside } else { &mut outside }.push(x);
            }
        }
        assert!(inside.len() > 50_000 && outside.len() > 20_000);
        assert!((0.4..1.4).contains(&rms(&inside)), "{}", rms(&inside));
        assert_eq!(rms(&outside), 0.0);
    }
}
