//! Adam and AdamW.
//!
//! ```text
//! g <- clipped g + l2 w                                    l2 = 0 in AdamW
//! m <- b1 m + (1 - b1) g                                   v <- b2 v + (1 - b2) g^2
//! w <- keep w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)         keep = 1 - lr decay in AdamW, else 1
//! ```
//! Kingma and Ba 2015; Loshchilov and Hutter 2019. The same update as `torch.optim.Adam` and `torch.optim.AdamW`. The
//! corrections for the start are factors of the whole update, so an element costs one root and one division.

use pulp::{Arch, NullaryFnOnce};

use super::{Common, OptimizerConfig, Rule};
use crate::real::Real;
use crate::vector::vectorized;

/// Numbers of one update.
#[derive(Clone, Copy)]
pub(super) struct Step<F> {
    beta1: F,
    beta2: F,
    epsilon: F,
    /// `lr / (1 - b1^t)`
    step_size: F,
    /// `1 / sqrt(1 - b2^t)`
    root_correction: F,
}

impl<F: Real> Step<F> {
    /// Update number `steps`, from 1.
    pub(super) fn new(c: &OptimizerConfig, steps: u64, learning_rate: f64) -> Self {
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        Self {
            beta1: F::from_f64(c.beta1),
            beta2: F::from_f64(c.beta2),
            epsilon: F::from_f64(c.epsilon),
            step_size: F::from_f64(learning_rate / (1.0 - c.beta1.powi(steps))),
            root_correction: F::from_f64(1.0 / (1.0 - c.beta2.powi(steps)).sqrt()),
        }
    }
}

struct Tile<'a, F> {
    step: Step<F>,
    common: Common<F>,
    weights: &'a mut [F],
    gradient: &'a [F],
    mean: &'a mut [F],
    square: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Tile<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (s, c) = (self.step, self.common);
        let (one1, one2) = (F::one() - s.beta1, F::one() - s.beta2);
        let moments = self.mean.iter_mut().zip(self.square.iter_mut());
        for ((w, &g), (m, v)) in self.weights.iter_mut().zip(self.gradient).zip(moments) {
            let g = g * c.scale + c.l2 * *w;
            *m = s.beta1 * *m + one1 * g;
            *v = s.beta2 * *v + one2 * g * g;
            *w = c.keep * *w - s.step_size * *m / (v.sqrt() * s.root_correction + s.epsilon);
        }
    }
}

impl<F: Real> Rule<F> for Step<F> {
    fn apply(
        self,
        arch: Arch,
        common: Common<F>,
        weights: &mut [F],
        gradient: &[F],
        [mean, square]: [&mut [F]; 2],
    ) {
        let tile = Tile {
            step: self,
            common,
            weights,
            gradient,
            mean,
            square,
        };
        vectorized(arch, tile);
    }
}

#[cfg(test)]
mod tests {
    use crate::train::optim::updater::tests::{Expect, one_weight};
    use crate::train::optim::{Optimizer, OptimizerConfig};

    fn config(optimizer: Optimizer) -> OptimizerConfig {
        OptimizerConfig {
            beta1: 0.5,
            beta2: 0.75,
            epsilon: 0.0,
            weight_decay: 0.1,
            clip: 10.0,
            ..OptimizerConfig::of(optimizer)
        }
    }

    /// Three updates of one weight, written out by hand with the formulas above.
    #[test]
    fn adamw_equals_the_hand_computed_updates() {
        // m = 1, v = 1; m^ = 2, v^ = 4: step = 2 / 2 = 1
        let first = 1.0 * 0.99 - 0.1;
        // m = 0.5, v = 0.75; m^ = 0.5/0.75, v^ = 0.75/0.4375
        let second = 0.89 * 0.99 - 0.1 * (0.5 / 0.75) / (0.75_f64 / 0.4375).sqrt();
        // clipped: norm 40 -> g = -10; m = 0.25 - 5, v = 0.5625 + 25
        let third = second * 0.99 - 0.1 * ((0.25 - 5.0) / 0.875) / (25.5625_f64 / 0.578_125).sqrt();
        let expect = [(2.0, first), (0.0, second), (-40.0, third)];
        one_weight(config(Optimizer::AdamW), 0.1, &expect.map(Expect::from));
    }

    #[test]
    fn adam_takes_the_decay_into_the_gradient() {
        // g = 2 + 0.1 * 1 = 2.1: m^ = 2.1, v^ = 2.1^2, so the step is lr.
        let first = 0.9;
        // g = 0.09; m = 0.525 + 0.045, v = 0.75 * 1.1025 + 0.25 * 0.0081
        let (m, v) = (0.57_f64, 0.828_9_f64);
        let second = first - 0.1 * (m / 0.75) / (v / 0.4375).sqrt();
        let expect = [(2.0, first), (0.0, second)];
        one_weight(config(Optimizer::Adam), 0.1, &expect.map(Expect::from));
    }

    #[test]
    fn epsilon_is_added_to_the_corrected_root() {
        let config = OptimizerConfig {
            epsilon: 0.5,
            weight_decay: 0.0,
            ..config(Optimizer::Adam)
        };
        // m^ = 2, sqrt(v^) = 2
        one_weight(config, 0.1, &[Expect::from((2.0, 1.0 - 0.1 * 2.0 / 2.5))]);
    }
}
