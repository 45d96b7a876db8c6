//! Stochastic gradient descent with momentum.
//!
//! ```text
//! g <- clipped g + l2 w
//! b <- momentum b + g              w <- w - lr b              without momentum:  w <- w - lr g
//! ```
//! The same update as `torch.optim.SGD` with dampening 0 and without Nesterov's look-ahead: the learning rate is a
//! factor of the step and not of what is remembered, so that changing it acts at once.

use pulp::{Arch, NullaryFnOnce};

use super::{Common, OptimizerConfig, Rule};
use crate::real::Real;
use crate::vector::vectorized;

/// Numbers of one update.
#[derive(Clone, Copy)]
pub(super) struct Step<F> {
    momentum: F,
    rate: F,
}

impl<F: Real> Step<F> {
    pub(super) fn new(c: &OptimizerConfig, learning_rate: f64) -> Self {
        Self {
            momentum: F::from_f64(c.momentum),
            rate: F::from_f64(learning_rate),
        }
    }
}

struct Plain<'a, F> {
    step: Step<F>,
    common: Common<F>,
    weights: &'a mut [F],
    gradient: &'a [F],
}

impl<F: Real> NullaryFnOnce for Plain<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (s, c) = (self.step, self.common);
        for (w, &g) in self.weights.iter_mut().zip(self.gradient) {
            *w -= s.rate * (g * c.scale + c.l2 * *w);
        }
    }
}

struct Momentum<'a, F> {
    plain: Plain<'a, F>,
    momentum: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Momentum<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (s, c) = (self.plain.step, self.plain.common);
        let elements = self.plain.weights.iter_mut().zip(self.plain.gradient);
        for ((w, &g), b) in elements.zip(self.momentum.iter_mut()) {
            *b = s.momentum * *b + (g * c.scale + c.l2 * *w);
            *w -= s.rate * *b;
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
        [momentum, _]: [&mut [F]; 2],
    ) {
        let plain = Plain {
            step: self,
            common,
            weights,
            gradient,
        };
        if momentum.is_empty() {
            vectorized(arch, plain);
        } else {
            vectorized(arch, Momentum { plain, momentum });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::train::optim::updater::tests::{Expect, one_weight};
    use crate::train::optim::{Optimizer, OptimizerConfig};

    #[test]
    fn momentum_equals_the_hand_computed_updates() {
        let config = OptimizerConfig {
            momentum: 0.5,
            weight_decay: 0.1,
            clip: 3.0,
            ..OptimizerConfig::of(Optimizer::Sgd)
        };
        let expect = [
            // b = 2 + 0.1 * 1 = 2.1
            (2.0, 1.0 - 0.2 * 2.1),
            // w = 0.58: b = 1.05 + 0.058
            (0.0, 0.58 - 0.2 * 1.108),
            // w = 0.3584; the gradient is clipped to -3, then decay is added: b = 0.554 - 3 + 0.03584
            (-12.0, 0.3584 + 0.2 * 2.410_16),
        ];
        one_weight(config, 0.2, &expect.map(Expect::from));
    }

    #[test]
    fn without_momentum_only_the_gradient_counts() {
        let config = OptimizerConfig {
            momentum: 0.0,
            ..OptimizerConfig::of(Optimizer::Sgd)
        };
        assert!(config.slots().is_empty());
        let expect = [(0.5, 0.95), (0.0, 0.95), (-0.25, 0.975)];
        one_weight(config, 0.1, &expect.map(Expect::from));
    }
}
