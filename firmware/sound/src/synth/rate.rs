//! A sound at another rate: a sinc under a raised cosine, cut off at the lower of both.

use std::f64::consts::PI;

/// Half the length of the filter, in samples of the lower rate.
pub const REACH: f64 = 16.0;

/// Points of the filter's table in a sample of the lower rate; between them it is a line.
const POINTS: f64 = 256.0;

/// The right half of the filter.
fn table() -> Vec<f64> {
    let point = |n: usize| {
        let t = n as f64 / POINTS;
        let sinc = match n {
            0 => 1.0,
            _ => (PI * t).sin() / (PI * t),
        };
        sinc * (0.5 + 0.5 * (PI * t / REACH).cos())
    };
    (0..=(REACH * POINTS) as usize).map(point).collect()
}

/// `samples` of `from` a second as those of `to` a second.
pub fn resampled(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let table = table();
    let filter = |t: f64| {
        let at = t.abs() * POINTS;
        let near = table.get(at as usize..).unwrap_or_default();
        match near {
            [low, high, ..] => low + (high - low) * at.fract(),
            _ => 0.0,
        }
    };
    let step = f64::from(from) / f64::from(to);
    let (slow, reach) = (step.max(1.0), REACH * step.max(1.0));
    let count = (samples.len() as f64 / step).round() as usize;
    let sample = |n: usize| {
        let at = n as f64 * step;
        let first = ((at - reach).ceil().max(0.0) as usize).min(samples.len());
        let end = ((at + reach).ceil() as usize).min(samples.len());
        let near = (first..).zip(samples.get(first..end).unwrap_or_default());
        let sum: f64 = near
            .map(|(k, &x)| f64::from(x) * filter((k as f64 - at) / slow))
            .sum();
        (sum / slow) as f32
    };
    (0..count).map(sample).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn a_tone_stays_that_tone() {
        let tone = |rate: u32, n: usize| (TAU * 440.0 * n as f64 / f64::from(rate)).sin();
        let samples: Vec<f32> = (0..22_050).map(|n| tone(22_050, n) as f32).collect();
        for to in [16_000, 19_000, 48_000] {
            let found = resampled(&samples, 22_050, to);
            assert_eq!(found.len(), to as usize);
            let inner = found.iter().enumerate().skip(1_000).take(10_000);
            let wrong = inner.map(|(n, &x)| (f64::from(x) - tone(to, n)).abs());
            let most = wrong.fold(0.0, f64::max);
            assert!(most < 0.01, "{to}: {most}");
        }
    }

    #[test]
    fn what_a_lower_rate_cannot_hold_is_gone() {
        let high = |n: usize| (TAU * 10_000.0 * n as f64 / 22_050.0).sin() as f32;
        let samples: Vec<f32> = (0..8_000).map(high).collect();
        let found = resampled(&samples, 22_050, 16_000);
        let inner = found.get(1_000..4_000).unwrap();
        assert!(inner.iter().all(|x| x.abs() < 0.05));
    }
}
