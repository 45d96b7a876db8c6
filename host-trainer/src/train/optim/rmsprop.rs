//! RMSprop: steps in units of the gradient's running root mean square.
//!
//! ```text
//! g <- clipped g + l2 w
//! v <- a v + (1 - a) g^2           d = g / (sqrt(v) + eps)
//! b <- momentum b + d              w <- w - lr b              without momentum:  w <- w - lr d
//! ```
//! Tieleman and Hinton 2012. The same update as `torch.optim.RMSprop`, not centred; a is its alpha and our beta2. There
//! is no correction for the start: v begins at 0, so the first steps are up to 1 / sqrt(1 - a) = 10 times as long, and
//! the linear warm-up is what tames them.

use pulp::{Arch, NullaryFnOnce};

use super::{Common, OptimizerConfig, Rule};
use crate::real::Real;
use crate::vector::vectorized;

/// Numbers of one update.
#[derive(Clone, Copy)]
pub(super) struct Step<F> {
    alpha: F,
    epsilon: F,
    momentum: F,
    rate: F,
}

impl<F: Real> Step<F> {
    pub(super) fn new(c: &OptimizerConfig, learning_rate: f64) -> Self {
        Self {
            alpha: F::from_f64(c.beta2),
            epsilon: F::from_f64(c.epsilon),
            momentum: F::from_f64(c.momentum),
            rate: F::from_f64(learning_rate),
        }
    }

    /// Takes g into v; the step in units of the root mean square.
    #[inline(always)]
    fn scaled(self, g: F, v: &mut F) -> F {
        *v = self.alpha * *v + (F::one() - self.alpha) * g * g;
        g / (v.sqrt() + self.epsilon)
    }
}

struct Plain<'a, F> {
    step: Step<F>,
    common: Common<F>,
    weights: &'a mut [F],
    gradient: &'a [F],
    square: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Plain<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (s, c) = (self.step, self.common);
        let elements = self.weights.iter_mut().zip(self.gradient);
        for ((w, &g), v) in elements.zip(self.square.iter_mut()) {
            *w -= s.rate * s.scaled(g * c.scale + c.l2 * *w, v);
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
        let memory = self.plain.square.iter_mut().zip(self.momentum.iter_mut());
        for ((w, &g), (v, b)) in elements.zip(memory) {
            *b = s.momentum * *b + s.scaled(g * c.scale + c.l2 * *w, v);
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
        [square, momentum]: [&mut [F]; 2],
    ) {
        let plain = Plain {
            step: self,
            common,
            weights,
            gradient,
            square,
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

    fn config() -> OptimizerConfig {
        OptimizerConfig {
            beta2: 0.75,
            epsilon: 0.5,
            clip: 100.0,
            ..OptimizerConfig::of(Optimizer::RmsProp)
        }
    }

    #[test]
    fn plain_equals_the_hand_computed_updates() {
        let config = OptimizerConfig {
            weight_decay: 0.1,
            ..config()
        };
        // g = 1.9 + 0.1 * 1 = 2: v = 0.25 * 4 = 1, root 1
        let first = 1.0 - 0.3 * 2.0 / 1.5;
        // w = 0.6, g = 0.94 + 0.06 = 1: v = 0.75 + 0.25 = 1
        let second = first - 0.3 * 1.0 / 1.5;
        // w = 0.4, g = -3 + 0.04: v = 0.75 + 0.25 * 8.7616 = 2.9404
        let third = second + 0.3 * 2.96 / (2.9404_f64.sqrt() + 0.5);
        let expect = [(1.9, first), (0.94, second), (-3.0, third)];
        one_weight(config, 0.3, &expect.map(Expect::from));
    }

    #[test]
    fn momentum_adds_up_the_scaled_steps() {
        let config = OptimizerConfig {
            momentum: 0.5,
            ..config()
        };
        // v = 1: d = 2 / 1.5 = b
        let first = 1.0 - 0.3 * (4.0 / 3.0);
        // v = 0.75, g = 0: d = 0, b halves
        let second = first - 0.3 * (2.0 / 3.0);
        // v = 0.5625 + 0.25 * 16: d = -4 / (sqrt(4.5625) + 0.5)
        let third = second - 0.3 * (1.0 / 3.0 - 4.0 / (4.5625_f64.sqrt() + 0.5));
        let expect = [(2.0, first), (0.0, second), (-4.0, third)];
        one_weight(config, 0.3, &expect.map(Expect::from));
    }
}
