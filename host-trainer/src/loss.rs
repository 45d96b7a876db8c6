//! Softmax cross entropy in nats.
//!
//! ```text
//! L = sum_n [ log sum_v exp(x_nv) - x_n,target ]         dL/dx_nv = softmax(x_n)_v - [v = target]
//! ```
//! The row's largest logit is subtracted first, so nothing overflows.

use pulp::{Arch, NullaryFnOnce};

use crate::cell::vectorized;
use crate::real::Real;

/// Partial results a row is folded into; a fixed number, so that the sum has one order on every machine.
const LANES: usize = 16;

/// A target that does not count: no loss, no gradient. Beyond every token id.
pub const IGNORED: u16 = u16::MAX;

struct Softmax<'a, F> {
    logits: &'a mut [F],
    targets: &'a [u16],
    scale: F,
}

impl<F: Real> NullaryFnOnce for Softmax<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let vocab = self.logits.len() / self.targets.len().max(1);
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
            row.iter_mut().for_each(|x| *x *= factor);
            row[target] -= self.scale;
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
/// Targets must be smaller than `vocab`, or [`IGNORED`].
pub fn softmax_cross_entropy<F: Real>(
    arch: Arch,
    logits: &mut [F],
    targets: &[u16],
    scale: F,
) -> f64 {
    vectorized(
        arch,
        Softmax {
            logits,
            targets,
            scale,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_logits_cost_the_log_of_the_vocabulary() {
        let mut logits = vec![3.0_f64; 2 * 40];
        let loss = softmax_cross_entropy(Arch::new(), &mut logits, &[7, 39], 0.5);
        assert!((loss - 2.0 * 40.0_f64.ln()).abs() < 1e-12);
        assert!((logits[7] - 0.5 * (1.0 / 40.0 - 1.0)).abs() < 1e-15);
        assert!((logits[8] - 0.5 / 40.0).abs() < 1e-15);
    }

    #[test]
    fn large_logits_do_not_overflow_and_nan_is_kept() {
        let mut logits = vec![1e30_f32, 0.0, -1e30];
        assert_eq!(
            softmax_cross_entropy(Arch::new(), &mut logits, &[0], 1.0),
            0.0
        );
        assert!(softmax_cross_entropy(Arch::new(), &mut [f32::NAN, 0.0], &[1], 1.0).is_nan());
    }

    #[test]
    fn gradient_is_the_finite_difference() {
        let start: Vec<f64> = (0..19).map(|i| f64::from(i * i % 7) * 0.3).collect();
        let loss = |x: &[f64]| softmax_cross_entropy(Arch::new(), &mut x.to_vec(), &[4], 1.0);
        let mut gradient = start.clone();
        softmax_cross_entropy(Arch::new(), &mut gradient, &[4], 1.0);
        for k in 0..19 {
            let (mut up, mut down) = (start.clone(), start.clone());
            up[k] += 1e-5;
            down[k] -= 1e-5;
            assert!(((loss(&up) - loss(&down)) / 2e-5 - gradient[k]).abs() < 1e-9);
        }
    }
}
