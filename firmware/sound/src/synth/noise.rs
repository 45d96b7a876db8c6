//! Noises of power 1: what is no voice.

use std::f64::consts::TAU;

use super::{OnePole, Random, Resonance, rms};
use crate::bands::RATE;

/// A kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// As much of every frequency: hiss.
    White,
    /// As much of every octave.
    Pink,
    /// Pink, swelling and fading: wind, waves, cars that pass.
    Wind,
    /// Mains, with harmonics.
    Hum,
    /// Knocks and clicks.
    Clicks,
    /// An engine.
    Engine,
    /// Tones that go on and off.
    Beeps,
}

impl Noise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::White,
        Self::Pink,
        Self::Wind,
        Self::Hum,
        Self::Clicks,
        Self::Engine,
        Self::Beeps,
    ];

    /// So many samples of it.
    pub fn make(self, random: &mut Random, samples: usize) -> Vec<f64> {
        let mut sound: Vec<f64> = match self {
            Self::White => (0..samples).map(|_| random.white()).collect(),
            Self::Pink => pink(random, samples),
            Self::Wind => wind(random, samples),
            Self::Hum => hum(random, samples),
            Self::Clicks => clicks(random, samples),
            Self::Engine => engine(random, samples),
            Self::Beeps => beeps(random, samples),
        };
        let size = 1.0 / rms(&sound).max(1e-9);
        sound.iter_mut().for_each(|x| *x *= size);
        sound
    }
}

fn rate() -> f64 {
    f64::from(RATE)
}

/// Low-passes, an octave and a half from each to the next.
fn pink(random: &mut Random, samples: usize) -> Vec<f64> {
    let mut poles = [20.0, 60.0, 180.0, 540.0, 1_600.0, 4_800.0].map(|hz| OnePole::new(hz, rate()));
    let tilt: f64 = random.between(0.45, 0.75);
    let sample = |_| {
        let x = random.white();
        let lows = poles.iter_mut().rev().enumerate();
        lows.map(|(k, pole)| pole.next(x) * tilt.powi(-(k as i32)))
            .sum::<f64>()
    };
    (0..samples).map(sample).collect()
}

fn wind(random: &mut Random, samples: usize) -> Vec<f64> {
    let mut sound = pink(random, samples);
    let waves = [0.2, 0.7, 2.0].map(|hz| (random.octaves(hz, 3.0 * hz), random.between(0.0, TAU)));
    for (n, x) in sound.iter_mut().enumerate() {
        let t = n as f64 / rate();
        let level: f64 = waves.iter().map(|(hz, p)| (TAU * hz * t + p).sin()).sum();
        *x *= (0.7 * level).exp();
    }
    sound
}

fn hum(random: &mut Random, samples: usize) -> Vec<f64> {
    let hz = if random.happens(0.5) { 50.0 } else { 60.0 };
    let harmonics = 3 + random.below(30);
    let tones: Vec<(f64, f64, f64)> = (1..=harmonics)
        .map(|k| {
            (
                hz * k as f64,
                random.octaves(0.1, 1.0) / k as f64,
                random.between(0.0, TAU),
            )
        })
        .collect();
    let hiss = random.octaves(0.001, 0.05);
    let sample = |n: usize| {
        let t = n as f64 / rate();
        let tone = |&(hz, size, phase): &(f64, f64, f64)| size * (TAU * hz * t + phase).sin();
        tones.iter().map(tone).sum::<f64>() + hiss * random.white()
    };
    (0..samples).map(sample).collect()
}

fn clicks(random: &mut Random, samples: usize) -> Vec<f64> {
    let mut sound = vec![0.0; samples];
    let often = random.octaves(0.05, 0.5);
    let mut start = 0.0;
    while (start as usize) < samples {
        let (hz, width) = (
            random.octaves(200.0, 5_000.0),
            random.octaves(60.0, 1_500.0),
        );
        let size = random.octaves(0.2, 1.0);
        let mut body = Resonance::default();
        for (n, x) in sound
            .iter_mut()
            .skip(start as usize)
            .take(3_200)
            .enumerate()
        {
            let blow = if n < 16 { random.white() } else { 0.0 };
            *x += size * body.next(blow, hz, width, rate());
        }
        start += random.octaves(0.3, 3.0) * often * rate();
    }
    let floor = 0.05 * rms(&sound);
    sound.iter_mut().for_each(|x| *x += floor * random.white());
    sound
}

/// Firings at 12 to 70 Hz, none like the other, in a body, on a rumble.
fn engine(random: &mut Random, samples: usize) -> Vec<f64> {
    let (low, speed) = (random.octaves(12.0, 70.0), random.octaves(0.05, 0.5));
    let mut body: [Resonance; 3] = Default::default();
    let tops = [80.0, 300.0, 1_100.0].map(|hz| random.octaves(0.6 * hz, 1.6 * hz));
    let rumble = random.octaves(0.02, 0.2);
    let (mut phase, mut blow, mut fall) = (0.0, 0.0, OnePole::new(1_500.0, rate()));
    let sample = |n: usize| {
        let t = n as f64 / rate();
        phase += low * (1.0 + 0.25 * (TAU * speed * t).sin()) / rate();
        if phase >= 1.0 {
            phase -= 1.0;
            blow = 30.0 * random.between(0.7, 1.3);
        }
        let source = fall.next(blow) + rumble * random.white();
        blow *= 0.9;
        let tops = body.iter_mut().zip(tops);
        tops.map(|(body, hz)| body.next(source, hz, 0.4 * hz, rate()))
            .sum::<f64>()
    };
    (0..samples).map(sample).collect()
}

fn beeps(random: &mut Random, samples: usize) -> Vec<f64> {
    let mut sound = vec![0.0; samples];
    let mut start = 0;
    while start < samples {
        let (hz, length) = (random.octaves(200.0, 3_500.0), random.octaves(0.08, 1.2));
        let harmonics = 1 + random.below(4);
        let (length, size) = ((length * rate()) as usize, random.octaves(0.3, 1.0));
        for (n, x) in sound.iter_mut().skip(start).take(length).enumerate() {
            let t = n as f64 / rate();
            let edge = (n.min(length - n) as f64 / 80.0).min(1.0);
            let tones = (1..=harmonics).map(|k| (TAU * hz * k as f64 * t).sin() / k as f64);
            *x += size * edge * tones.sum::<f64>();
        }
        start += length + (random.octaves(0.05, 0.6) * rate()) as usize;
    }
    let floor = 0.03 * rms(&sound);
    sound.iter_mut().for_each(|x| *x += floor * random.white());
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_noise_has_power_one_and_is_finite() {
        for (seed, noise) in Noise::ALL.into_iter().enumerate() {
            let sound = noise.make(&mut Random::new(seed as u64), 32_000);
            assert!((rms(&sound) - 1.0).abs() < 1e-6, "{noise:?}");
            assert!(sound.iter().all(|x| x.abs() < 100.0), "{noise:?}");
        }
    }
}
