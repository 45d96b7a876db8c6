//! A sound at another rate: a sinc under a raised cosine, cut off at the lower of both.

use std::f64::consts::PI;

/// Half the length of the filter, in samples of the lower rate.
pub const REACH: f64 = 16.0;

/// `samples` of `from` a second as those of `to` a second.
pub fn resampled(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to {
        return samples.to_vec();
    }
    let step = f64::from(from) / f64::from(to);
    let (slow, reach) = (step.max(1.0), REACH * step.max(1.0));
    let count = (samples.len() as f64 / step).round() as usize;
    let sample = |n: usize| {
        let at = n as f64 * step;
        let from = (at - reach).ceil().max(0.0) as usize;
        let near = samples.iter().enumerate().skip(from);
        let near = near.take_while(|(k, _)| (*k as f64) < at + reach);
        let sum: f64 = near
            .map(|(k, &x)| {
                let t = (k as f64 - at) / slow;
                let sinc = if t.abs() < 1e-9 {
                    1.0
                } else {
                    (PI * t).sin() / (PI * t)
                };
                f64::from(x) * sinc * (0.5 + 0.5 * (PI * t / REACH).cos())
            })
            .sum();
        (sum / slow) as f32
    };
    (0..count).map(sample).collect()
}
