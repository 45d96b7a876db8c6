//! Minutes of noise in which somebody speaks now and then, with the right answer for every frame.

use super::noise::Noise;
use super::speech::speak;
use super::{Random, add};
use crate::bands::{FRAME, RATE};

/// A sound, and what is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Whole frames of samples.
    pub samples: Vec<i16>,
    /// For each frame whether somebody speaks in most of it.
    pub voice: Vec<bool>,
}

/// The quietest speech, in parts of the noise around it: 3 dB louder than that.
const FAINTEST: f64 = 1.4;

/// One or two noises, one after the other, and speech 3 to 30 dB louder in three scenes of four;
/// all of it soft or loud.
pub fn scene(seed: u64, frames: usize) -> Scene {
    let mut random = Random::new(seed);
    let samples = frames * FRAME;
    let mut sound = vec![0.0; samples];
    let mut start = 0;
    while start < samples {
        let kind = Noise::ALL[random.below(Noise::ALL.len())];
        let noise = kind.make(&mut random, samples - start);
        let level = random.octaves(0.5, 1.5);
        // The one before ends where the next begins.
        sound.truncate(start);
        sound.resize(samples, 0.0);
        add(&mut sound, start, noise.into_iter().map(|x| x * level));
        start += (random.octaves(1.5, 8.0) * f64::from(RATE)) as usize;
    }
    let mut speaks = vec![false; samples];
    if random.happens(0.75) {
        let speech;
        (speech, speaks) = speak(&mut random, samples);
        let louder = random.octaves(FAINTEST, 30.0);
        add(&mut sound, 0, speech.into_iter().map(|x| x * louder));
    }
    let most = sound.iter().fold(1e-9, |most: f64, x| most.max(x.abs()));
    let gain = random.octaves(600.0, 30_000.0) / most;
    let whole = sound.iter().map(|x| (x * gain).round() as i16).collect();
    let most_of = |frame: &[bool]| 2 * frame.iter().filter(|&&x| x).count() > FRAME;
    Scene {
        samples: whole,
        voice: speaks.chunks(FRAME).map(most_of).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_of_one_length_and_have_both() {
        let mut voice = 0;
        for seed in 0..20 {
            let scene = scene(seed, 100);
            assert_eq!((scene.samples.len(), scene.voice.len()), (25_600, 100));
            voice += scene.voice.iter().filter(|&&x| x).count();
        }
        assert!((400..1_600).contains(&voice), "{voice}");
        assert_eq!(scene(3, 50), scene(3, 50));
    }
}
