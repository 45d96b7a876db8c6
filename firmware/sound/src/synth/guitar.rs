//! Plucked strings.
//!
//! ```text
//! y[n] = d ((1 - s) y[n-N] + s y[n-N-1])          Karplus and Strong 1983; N + s samples a period
//! ```
//! A string starts with noise that a pick's place and softness have coloured.

use super::{OnePole, Random, add};

/// Samples a second.
pub const RATE: u32 = 48_000;

/// A string's sound from the moment it is plucked.
fn string(random: &mut Random, hz: f64, seconds: f64, size: f64) -> Vec<f64> {
    let rate = f64::from(RATE);
    // The filter delays by its share of the sample behind, which lies around a half.
    let period = rate / hz;
    let whole = (period - 0.2).floor().max(2.0);
    let share = (period - whole).clamp(0.05, 0.95);
    let whole = whole as usize;
    let mut soft = OnePole::new(random.octaves(1_500.0, 9_000.0), rate);
    let pluck: Vec<f64> = (0..whole + 1).map(|_| soft.next(random.white())).collect();
    let pick = (whole as f64 * random.between(0.08, 0.4)) as usize;
    // A tenth of its size after so many seconds.
    let decay = 0.1_f64.powf(1.0 / (hz * random.octaves(0.6, 4.0)));
    let mut line: Vec<f64> = (0..=whole)
        .map(|n| pluck[n] - pluck[(n + whole + 1 - pick) % (whole + 1)])
        .collect();
    let mean = line.iter().sum::<f64>() / line.len() as f64;
    let most = line.iter().fold(1e-9, |most: f64, x| most.max(x.abs()));
    line.iter_mut().for_each(|x| *x = (*x - mean) * size / most);
    let mut damp = OnePole::new(9_000.0, rate);
    let (count, mut at) = ((seconds * rate) as usize, 0);
    let mut sound = Vec::with_capacity(count);
    for _ in 0..count {
        // The oldest, and the one after it.
        let (old, next) = (line[at], line[(at + 1) % (whole + 1)]);
        line[at] = decay * damp.next((1.0 - share) * next + share * old);
        sound.push(old);
        at = (at + 1) % (whole + 1);
    }
    sound
}

/// Somebody plays for so many samples: single notes and chords, soft and loud. Within -1 and 1.
pub fn play(seed: u64, samples: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut all = vec![0.0; samples];
    let mut start = 0;
    while start < samples {
        let strings = if random.happens(0.4) {
            2 + random.below(3)
        } else {
            1
        };
        let size = random.octaves(0.04, 0.7) / (strings as f64).sqrt();
        let seconds = random.octaves(0.15, 1.5);
        for _ in 0..strings {
            // Semitones from the low E on.
            let hz = 82.41 * 2.0_f64.powf(random.below(36) as f64 / 12.0);
            let mut sound = string(&mut random, hz, seconds, size);
            // A hand ends it.
            let end = sound.len().min(480);
            let tail = sound.iter_mut().rev().take(end).enumerate();
            tail.for_each(|(n, x)| *x *= n as f64 / end as f64);
            add(&mut all, start, sound.into_iter());
        }
        start += (random.octaves(0.06, 0.9) * f64::from(RATE)) as usize;
    }
    let limited = all.into_iter().map(|x| x.clamp(-1.0, 1.0) as f32);
    limited.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::rms;

    #[test]
    fn a_string_has_its_pitch_and_fades() {
        for hz in [82.41, 220.0, 659.3] {
            let sound = string(&mut Random::new(3), hz, 1.0, 0.5);
            assert!(rms(&sound[..4_800]) > 2.0 * rms(&sound[40_000..]), "{hz}");
            // It is most like itself a period later.
            let like = |lag: usize| -> f64 {
                let pairs = sound[9_600..].iter().zip(&sound[9_600 + lag..]);
                pairs.take(9_600).map(|(a, b)| a * b).sum()
            };
            let period = f64::from(RATE) / hz;
            let lags = (0.7 * period) as usize..(1.3 * period) as usize;
            let best = lags.max_by(|&a, &b| like(a).total_cmp(&like(b))).unwrap();
            let off = (best as f64 - period).abs() / period;
            assert!(off < 0.02, "{hz}: {best} of {period}");
        }
    }

    #[test]
    fn a_seed_plays_the_same_again() {
        let (first, second) = (play(5, 20_000), play(5, 20_000));
        assert!(first == second && first != play(6, 20_000));
        assert!(first.iter().all(|x| x.abs() <= 1.0));
        assert!(first.iter().filter(|x| x.abs() > 0.01).count() > 2_000);
    }
}
