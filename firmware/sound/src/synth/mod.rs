//! Sounds made up from a seed, to train on and to try the demos with.
//!
//! - [`guitar`]: plucked strings, and [`circuit`], what an amplifier makes of them;
//! - [`speech`] and [`noise`], which [`scene`] mixes;
//! - [`spoken`]: words that somebody else made, in noise; [`rate`] brings them to one rate.

pub mod circuit;
pub mod guitar;
pub mod noise;
pub mod rate;
pub mod scene;
pub mod speech;
pub mod spoken;

use std::f64::consts::TAU;

/// Random numbers: SplitMix64 (Steele et al. 2014), the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, evenly.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }

    /// From `low` to `high`, every octave as likely as any other.
    pub fn octaves(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.between(0.0, end as f64) as usize
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// A sample of white noise of power 1.
    pub fn white(&mut self) -> f64 {
        self.between(-1.0, 1.0) * 3.0_f64.sqrt()
    }
}

/// A low-pass of one pole: what it lets through is `x - low` above, `low` below.
#[derive(Clone, Debug)]
struct OnePole {
    part: f64,
    low: f64,
}

impl OnePole {
    fn new(hz: f64, rate: f64) -> Self {
        Self {
            part: 1.0 - (-TAU * hz / rate).exp(),
            low: 0.0,
        }
    }

    fn next(&mut self, x: f64) -> f64 {
        self.low += self.part * (x - self.low);
        self.low
    }
}

/// A resonance of two poles, with a gain of about 1 at its top.
#[derive(Clone, Debug, Default)]
struct Resonance {
    past: [f64; 2],
}

impl Resonance {
    fn next(&mut self, x: f64, hz: f64, width: f64, rate: f64) -> f64 {
        let r = (-TAU / 2.0 * width / rate).exp();
        let c = 2.0 * r * (TAU * hz / rate).cos();
        let gain = (1.0 - r) * (1.0 + r * r - c * (TAU * hz / rate).cos()).abs().sqrt();
        let [a, b] = self.past;
        let y = gain * x + c * a - r * r * b;
        self.past = [y, a];
        y
    }
}

/// The root of the mean square.
pub fn rms(samples: &[f64]) -> f64 {
    let power: f64 = samples.iter().map(|x| x * x).sum();
    (power / samples.len().max(1) as f64).sqrt()
}

/// Adds `samples` to those of `to` from `start` on, as far as they reach.
fn add(to: &mut [f64], start: usize, samples: impl Iterator<Item = f64>) {
    let places = to.iter_mut().skip(start);
    places.zip(samples).for_each(|(to, x)| *to += x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_even_and_white() {
        let mut random = Random::new(1);
        let noise: Vec<f64> = (0..40_000).map(|_| random.white()).collect();
        assert!((rms(&noise) - 1.0).abs() < 0.02);
        let mean = noise.iter().sum::<f64>() / 40_000.0;
        let next = noise.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.02 && next.abs() < 0.02, "{mean} {next}");
        let kinds = (0..3000).map(|_| random.below(3)).filter(|&k| k == 2);
        assert!((900..1100).contains(&kinds.count()));
    }

    #[test]
    fn a_resonance_is_loudest_at_its_top() {
        let at = |hz: f64| {
            let mut resonance = Resonance::default();
            let wave = (0..4000).map(|n| (TAU * hz * f64::from(n) / 16e3).sin());
            let out: Vec<f64> = wave
                .map(|x| resonance.next(x, 1_000.0, 100.0, 16e3))
                .collect();
            rms(&out[2000..])
        };
        assert!(at(1_000.0) > 3.0 * at(800.0) && at(1_000.0) > 3.0 * at(1_250.0));
        assert!((0.2..2.0).contains(&at(1_000.0)), "{}", at(1_000.0));
    }
}
