//! Softmax cross entropy in nats, with label smoothing.
//!
//! ```text
//! q_nv = (1 - s) [v = target] + s / vocab                the distribution that is asked for; s = 0: the target alone
//! L = sum_n [ log sum_v exp(x_nv) - sum_v q_nv x_nv ]                           dL/dx_nv = softmax(x_n)_v - q_nv
//! ```
//! The row's largest logit is subtracted first, so nothing overflows. Smoothing (Szegedy et al.
//! 2016) acts on the gradient alone: the loss that is returned is that of the target, so that the
//! losses of a run can be compared with its held-out ones and with those of other runs.

use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;
use crate::vector::vectorized;

/// A target that does not count: no loss, no gradient. Beyond every token id.
pub const IGNORED: u16 = u16::MAX;

/// Partial results a row is folded into; a fixed number, so that the sum has one order on every
/// machine.
const LANES: usize = 16;

struct Softmax<'a, F> {
    logits: &'a mut [F],
    targets: &'a [u16],
    scale: F,
    smoothing: F,
}

impl<F: Real> NullaryFnOnce for Softmax<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let vocab = self.logits.len() / self.targets.len().max(1);
        // What the smoothed distribution asks of every character, and of the target on top of that.
        let every = self.scale * self.smoothing / F::from_f64(vocab as f64);
        let target_more = self.scale * (F::one() - self.smoothing);
        let mut loss = 0.0;
        for (row, &target) in self.logits.chunks_exact_mut(vocab).zip(self.targets) {
            if target == IGNORED {
                row.fill(F::zero());
                continue;
            }
            let target = usize::from(target);
            let largest = fold(row, row[0], |a, b| if b > a { b } else { a });
            let of_target = row[target] - largest;
            row.iter_mut().for_each(|x| *x = (*x - largest).exp());
            let sum = fold(row, F::zero(), |a, b| a + b);
            loss += sum.to_f64().ln() - of_target.to_f64();
            let factor = self.scale / sum;
            row.iter_mut().for_each(|x| *x = *x * factor - every);
            row[target] -= target_more;
        }
        loss
    }
}

/// Folds a row in `LANES` partial results, then those in order.
#[inline(always)]
fn fold<F: Real>(row: &[F], start: F, join: impl Fn(F, F) -> F) -> F {
    let mut lanes = [start; LANES];
    let tiles = row.chunks_exact(LANES);
    let tail = tiles.remainder();
    for tile in tiles {
        for lane in 0..LANES {
            lanes[lane] = join(lanes[lane], tile[lane]);
        }
    }
    let lanes = lanes.iter().fold(start, |a, &b| join(a, b));
    tail.iter().fold(lanes, |a, &b| join(a, b))
}

/// Sum of the losses of all rows, in nats; `logits` ([targets, vocab]) become `scale * dL/dlogits`.
///
/// Targets must be smaller than `vocab`, or [`IGNORED`]. `smoothing` (0 = none, below 1) is the
/// part of the asked-for distribution that is spread over all characters; it changes the gradient
/// and not the loss returned.
pub(super) fn softmax_cross_entropy<F: Real>(
    arch: Arch,
    logits: &mut [F],
    targets: &[u16],
    scale: F,
    smoothing: F,
) -> f64 {
    vectorized(
        arch,
        Softmax {
            logits,
            targets,
            scale,
            smoothing,
        },
    )
}

/// A row of scores becomes probabilities. The largest is subtracted first: nothing overflows.
pub fn softmax<F: Real>(row: &mut [F]) {
    let Some(&first) = row.first() else { return };
    let largest = row.iter().fold(first, |a, &b| if b > a { b } else { a });
    row.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum = row.iter().fold(F::zero(), |sum, &x| sum + x);
    row.iter_mut().for_each(|x| *x = *x / sum);
}

/// Distance of a probability from 0 and 1 that a logarithm keeps, as in Keras.
const MARGIN: f64 = 1e-7;

/// The binary cross entropy of the probabilities of scores; `logits` as in
/// [`softmax_cross_entropy`].
///
/// A probability is kept away from 0 and 1 by 1e-7, and where that happens it has no gradient.
pub(super) fn scored_binary<F: Real>(logits: &mut [F], targets: &[u16], scale: F) -> f64 {
    let width = logits.len() / targets.len().max(1);
    let scale = scale.to_f64() / width as f64;
    let mut loss = 0.0;
    for (row, &target) in logits.chunks_exact_mut(width).zip(targets) {
        if target == IGNORED {
            row.fill(F::zero());
            continue;
        }
        softmax(row);
        let asked = |k: usize| if k == usize::from(target) { 1.0 } else { 0.0 };
        let slope = |(k, p): (usize, &F)| {
            let (p, t) = (p.to_f64(), asked(k));
            let inside = p.clamp(MARGIN, 1.0 - MARGIN);
            let slope = (inside - t) / (inside * (1.0 - inside));
            let slope = if inside == p { slope } else { 0.0 };
            (t * inside.ln() + (1.0 - t) * (1.0 - inside).ln(), slope)
        };
        let mean: f64 = row
            .iter()
            .enumerate()
            .map(|of| slope(of).1 * of.1.to_f64())
            .sum();
        for (k, p) in row.iter_mut().enumerate() {
            let (log, slope) = slope((k, p));
            loss -= log / width as f64;
            *p = F::from_f64(scale * p.to_f64() * (slope - mean));
        }
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_logits_cost_the_log_of_the_vocabulary() {
        let mut logits = vec![3.0_f64; 2 * 40];
        let loss = softmax_cross_entropy(Arch::new(), &mut logits, &[7, 39], 0.5, 0.0);
        assert!((loss - 2.0 * 40.0_f64.ln()).abs() < 1e-12);
        assert!((logits[7] - 0.5 * (1.0 / 40.0 - 1.0)).abs() < 1e-15);
        assert!((logits[8] - 0.5 / 40.0).abs() < 1e-15);
    }

    #[test]
    fn large_logits_do_not_overflow_and_nan_is_kept() {
        let mut logits = vec![1e30_f32, 0.0, -1e30];
        assert_eq!(
            softmax_cross_entropy(Arch::new(), &mut logits, &[0], 1.0, 0.0),
            0.0
        );
        assert!(softmax_cross_entropy(Arch::new(), &mut [f32::NAN, 0.0], &[1], 1.0, 0.0).is_nan());
    }

    /// The definition at the top, term by term.
    fn smoothed_loss(logits: &[f64], target: usize, smoothing: f64) -> f64 {
        let vocab = logits.len() as f64;
        let sum: f64 = logits.iter().map(|x| x.exp()).sum();
        let asked = logits.iter().enumerate().map(|(v, x)| {
            let q = smoothing / vocab + if v == target { 1.0 - smoothing } else { 0.0 };
            q * x
        });
        sum.ln() - asked.sum::<f64>()
    }

    #[test]
    fn gradient_is_the_finite_difference() {
        let start: Vec<f64> = (0..19).map(|i| f64::from(i * i % 7) * 0.3).collect();
        for smoothing in [0.0, 0.1, 0.6] {
            let mut gradient = start.clone();
            let plain = softmax_cross_entropy(Arch::new(), &mut gradient, &[4], 1.0, smoothing);
            assert!((plain - smoothed_loss(&start, 4, 0.0)).abs() < 1e-12);
            for k in 0..19 {
                let (mut up, mut down) = (start.clone(), start.clone());
                up[k] += 1e-5;
                down[k] -= 1e-5;
                let loss = |x: &[f64]| smoothed_loss(x, 4, smoothing);
                let numeric = (loss(&up) - loss(&down)) / 2e-5;
                assert!(
                    (numeric - gradient[k]).abs() < 1e-9,
                    "smoothing {smoothing}, logit {k}"
                );
            }
        }
    }

    #[test]
    fn scored_binary_is_its_definition_and_its_gradient_the_difference() {
        let start = [0.3_f64, -1.2, 0.9, 2.0, 0.1, 1.0];
        let of = |z: &[f64]| {
            let mut d = z.to_vec();
            (scored_binary(&mut d, &[2, IGNORED], 0.5), d)
        };
        let mut p = start[..3].to_vec();
        softmax(&mut p);
        let log = (1.0 - p[0]).ln() + (1.0 - p[1]).ln() + p[2].ln();
        let (loss, d) = of(&start);
        assert!((loss + log / 3.0).abs() < 1e-12);
        for k in 0..6 {
            let at = |by: f64| {
                let mut z = start;
                z[k] += by;
                0.5 * of(&z).0
            };
            let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((numeric - d[k]).abs() < 1e-9, "{k}: {numeric} {}", d[k]);
        }
    }

    #[test]
    fn an_ignored_target_has_no_gradient_even_when_smoothed() {
        let mut logits = vec![1.0_f64, 2.0, 3.0, 0.5, 0.5, 0.5];
        let loss = softmax_cross_entropy(Arch::new(), &mut logits, &[IGNORED, 1], 1.0, 0.3);
        assert!((loss - 3.0_f64.ln()).abs() < 1e-12);
        assert_eq!(logits[..3], [0.0; 3]);
        assert!(logits[4] < 0.0);
    }
}
