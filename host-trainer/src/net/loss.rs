//! What a net is trained to make small, a loss for each output.
//!
//! ```text
//! cross entropy   q_v = (1 - s) [v = target] + s / n           s: smoothing, 0 for none
//!                 L = log sum_v exp(z_v) - sum_v q_v z_v        dL/dz_v = p_v - q_v     p = softmax(z)
//! scored binary   L = -1/n sum_v [ t_v log p_v + (1 - t_v) log(1 - p_v) ]     t_v = [v = target]
//! binary          L = 1/n sum_k [ log(1 + e^z_k) - t_k z_k ]    dL/dz_k = (sigmoid(z_k) - t_k) / n
//! mean squared    L = 1/n sum_k (y_k - t_k)^2                   dL/dy_k = 2 (y_k - t_k) / n
//! mean absolute   L = 1/n sum_k |y_k - t_k|                     dL/dy_k = sign(y_k - t_k) / n
//! Huber           L = 1/n sum_k e^2 / 2 or d (|e| - d / 2)      dL/dy_k = e within +-d / n   e = y_k - t_k
//! ```
//! n are the numbers of the output; y = f(z) with the activation of the operation that makes it.
//! The loss of a window is the sum over the steps that count. Logarithms are taken of z, so that
//! nothing overflows and a sure answer still has a gradient.

mod softmax;

use gatelet::net::{Activation, Kind, Net, Output};
use pulp::{Arch, NullaryFnOnce};

use self::softmax::{scored_binary, softmax_cross_entropy};
use super::dense::{activate, slope};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::real::Real;
use crate::vector::vectorized;

pub use self::softmax::{IGNORED, softmax};

/// A loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Of scores: the logarithm of the target's probability.
    CrossEntropy {
        /// Part of the distribution asked for that is spread over all (Szegedy et al. 2016), below
        /// 1. It acts on the gradient alone: losses of runs can be compared.
        smoothing: f64,
    },
    /// Of scores: each of their probabilities as an answer yes or no, as the course's first nets
    /// are trained.
    ScoredBinary,
    /// Of values behind a sigmoid, each an answer yes or no.
    Binary,
    /// Of values.
    MeanSquared,
    /// Of values.
    MeanAbsolute,
    /// Of values: squared where the error is small, absolute elsewhere.
    Huber {
        /// The error from which on it is absolute.
        delta: f64,
    },
}

/// What is asked of an output over a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets<F> {
    /// [T, rows]: tokens or classes, or [`IGNORED`]; of an output of values empty.
    pub tokens: Vec<u16>,
    /// [T, rows, numbers]; of an output of scores empty.
    pub numbers: Vec<F>,
    /// [T, rows]: which of the numbers count.
    pub counts: Vec<bool>,
}

impl<F: Real> Targets<F> {
    /// Room for those of an output of so many numbers, none of which count yet.
    pub(super) fn new(steps: usize, output: Output, width: usize) -> Self {
        match output {
            Output::Scores(_) => Self {
                tokens: vec![IGNORED; steps],
                ..Self::default()
            },
            Output::Values(_) => Self {
                numbers: vec![F::zero(); steps * width],
                counts: vec![false; steps],
                ..Self::default()
            },
        }
    }
}

/// What is asked over some steps of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a, F> {
    pub(super) tokens: &'a [u16],
    pub(super) numbers: &'a [F],
    pub(super) counts: &'a [bool],
}

impl<'a, F> Asked<'a, F> {
    /// Steps `from..to` of an output of `width` numbers.
    pub(super) fn of(targets: &'a Targets<F>, (from, to): (usize, usize), width: usize) -> Self {
        let Targets {
            tokens,
            numbers,
            counts,
        } = targets;
        match tokens.is_empty() {
            false => Self {
                tokens: &tokens[from..to],
                numbers: &[],
                counts: &[],
            },
            true => Self {
                tokens: &[],
                numbers: &numbers[from * width..to * width],
                counts: &counts[from..to],
            },
        }
    }
}

/// The activation of the operation that makes an output.
pub(super) fn activation(net: &Net, output: Output) -> Activation {
    let made = output.value().operation();
    match made.and_then(|made| net.operation(made)).map(|of| of.kind) {
        Some(Kind::Dense { activation, .. }) => activation,
        _ => Activation::None,
    }
}

impl Loss {
    /// The loss of an output that nothing is said about.
    pub fn usual(net: &Net, output: Output) -> Self {
        match (output, activation(net, output)) {
            (Output::Scores(_), _) => Self::CrossEntropy { smoothing: 0.0 },
            (Output::Values(_), Activation::Sigmoid) => Self::Binary,
            (Output::Values(_), _) => Self::MeanSquared,
        }
    }

    /// Checks that an output can have this loss.
    ///
    /// # Errors
    /// [`Error::Some`], which says what it needs.
    pub fn check(self, net: &Net, output: Output) -> Result<()> {
        let activation = activation(net, output);
        let is_scores = matches!(output, Output::Scores(_));
        let needs = match self {
            Self::CrossEntropy { smoothing } if !(0.0..1.0).contains(&smoothing) => {
                "smoothing from 0 to below 1"
            }
            Self::CrossEntropy { .. } | Self::ScoredBinary
                if !is_scores || activation != Activation::None =>
            {
                "an output of scores without an activation"
            }
            Self::Binary if is_scores || activation != Activation::Sigmoid => {
                "an output of values behind a sigmoid"
            }
            Self::MeanSquared | Self::MeanAbsolute | Self::Huber { .. } if is_scores => {
                "an output of values"
            }
            Self::Huber { delta } if !(delta > 0.0 && delta.is_finite()) => "a delta above 0",
            _ => return Ok(()),
        };
        Err(Error::Some(format!("the loss {self:?} needs {needs}")))
    }

    /// Sum of the losses of some steps; `z`, [steps, numbers], before the `activation`, becomes
    /// `scale` * dL/dz.
    pub(super) fn apply<F: Engine>(
        self,
        arch: Arch,
        activation: Activation,
        z: &mut [F],
        asked: Asked<'_, F>,
        scale: F,
    ) -> f64 {
        let (tokens, numbers, counts) = (asked.tokens, asked.numbers, asked.counts);
        let pointwise = |z, of| {
            vectorized(
                arch,
                Pointwise {
                    of,
                    activation,
                    z,
                    numbers,
                    counts,
                    scale,
                },
            )
        };
        match self {
            Self::CrossEntropy { smoothing } => {
                softmax_cross_entropy(arch, z, tokens, scale, F::from_f64(smoothing))
            }
            Self::ScoredBinary => scored_binary(z, tokens, scale),
            Self::Binary => pointwise(z, Of::Binary),
            Self::MeanSquared => {
                activate(arch, activation, z, z.len());
                pointwise(z, Of::Squared)
            }
            Self::MeanAbsolute => {
                activate(arch, activation, z, z.len());
                pointwise(z, Of::Absolute)
            }
            Self::Huber { delta } => {
                activate(arch, activation, z, z.len());
                pointwise(z, Of::Huber(F::from_f64(delta)))
            }
        }
    }
}

/// A loss of each number by itself: of z, or of y.
#[derive(Clone, Copy)]
enum Of<F> {
    Binary,
    Squared,
    Absolute,
    Huber(F),
}

struct Pointwise<'a, F> {
    of: Of<F>,
    activation: Activation,
    /// [steps, numbers]: z of [`Of::Binary`], else y.
    z: &'a mut [F],
    numbers: &'a [F],
    counts: &'a [bool],
    scale: F,
}

/// `|x|`
#[inline(always)]
fn magnitude<F: Real>(x: F) -> F {
    if x < F::zero() { -x } else { x }
}

/// Loss and derivative of one number.
#[inline(always)]
fn of_one<F: Real>(of: Of<F>, x: F, t: F) -> (F, F) {
    let (zero, one) = (F::zero(), F::one());
    let (half, error) = (F::from_f64(0.5), x - t);
    match of {
        Of::Binary => {
            // log(1 + e^x) with e^-|x|, which is at most 1.
            let far = (-magnitude(x)).exp();
            let log = F::from_f64(far.to_f64().ln_1p());
            let above = if x > zero { x } else { zero };
            (above + log - t * x, x.sigmoid() - t)
        }
        Of::Squared => (error * error, error + error),
        Of::Absolute => {
            let sign = if error > zero {
                one
            } else if error < zero {
                -one
            } else {
                error
            };
            (magnitude(error), sign)
        }
        Of::Huber(delta) => {
            let size = magnitude(error);
            if size > delta {
                let sign = if error > zero { one } else { -one };
                (delta * (size - half * delta), sign * delta)
            } else {
                (half * error * error, error)
            }
        }
    }
}

impl<F: Real> NullaryFnOnce for Pointwise<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let width = self.z.len() / self.counts.len().max(1);
        let part = F::one() / F::from_f64(width as f64);
        let scale = self.scale * part;
        let is_binary = matches!(self.of, Of::Binary);
        let mut sum = 0.0;
        let rows = self.z.chunks_exact_mut(width);
        let rows = rows.zip(self.numbers.chunks_exact(width));
        for ((z, targets), &counts) in rows.zip(self.counts) {
            if !counts {
                z.fill(F::zero());
                continue;
            }
            for (z, &t) in z.iter_mut().zip(targets) {
                let (loss, d) = of_one(self.of, *z, t);
                sum += loss.to_f64();
                let slope = match is_binary {
                    true => F::one(),
                    false => slope(self.activation, *z),
                };
                *z = scale * d * slope;
            }
        }
        sum / width as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Loss; 4] = [
        Loss::Binary,
        Loss::MeanSquared,
        Loss::MeanAbsolute,
        Loss::Huber { delta: 0.7 },
    ];

    fn apply(loss: Loss, activation: Activation, z: &[f64], t: &[f64]) -> (f64, Vec<f64>) {
        let asked = Asked {
            tokens: &[],
            numbers: t,
            counts: &[true, false, true],
        };
        let mut d = z.to_vec();
        let sum = loss.apply(Arch::new(), activation, &mut d, asked, 1.0);
        (sum, d)
    }

    /// Every loss of values behind every activation, with a step that does not count.
    #[test]
    fn gradients_are_finite_differences() {
        let z = [-2.3, 0.13, 1.4, 5.0, 7.0, -3.0, 0.2, -0.37, 2.6];
        let t = [0.0, 1.0, 0.4, 9.0, 9.0, 9.0, 1.0, 0.31, -1.0];
        let activations = [
            Activation::None,
            Activation::Relu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::HardSigmoid,
        ];
        for (loss, activation) in ALL
            .map(|l| activations.map(|a| (l, a)))
            .into_iter()
            .flatten()
        {
            if loss == Loss::Binary && activation != Activation::Sigmoid {
                continue;
            }
            let (_, d) = apply(loss, activation, &z, &t);
            assert_eq!(d[3..6], [0.0; 3]);
            for k in 0..9 {
                let at = |by: f64| {
                    let mut z = z;
                    z[k] += by;
                    apply(loss, activation, &z, &t).0
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                let off = (numeric - d[k]).abs();
                assert!(
                    off < 1e-8,
                    "{loss:?} {activation:?} {k}: {numeric} {}",
                    d[k]
                );
            }
        }
    }

    #[test]
    fn values_are_those_of_the_definition() {
        let (z, t) = ([0.5, -0.5, 3.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [1.0; 9]);
        let of = |loss, z: &[f64]| apply(loss, Activation::None, z, &t).0;
        assert!((of(Loss::MeanSquared, &z) - 6.5 / 3.0).abs() < 1e-12);
        assert!((of(Loss::MeanAbsolute, &z) - 4.0 / 3.0).abs() < 1e-12);
        let huber = 0.125 + 0.7 * (1.5 - 0.35) + 0.7 * (2.0 - 0.35);
        assert!((of(Loss::Huber { delta: 0.7 }, &z) - huber / 3.0).abs() < 1e-12);
        // A sure and wrong answer costs what it says, and has a gradient.
        let (sum, d) = apply(Loss::Binary, Activation::Sigmoid, &[-800.0; 9], &t);
        assert!((sum - 1600.0).abs() < 1e-9 && (d[0] + 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_number_that_is_none_is_noticed() {
        for loss in ALL {
            let activation = match loss {
                Loss::Binary => Activation::Sigmoid,
                _ => Activation::Relu,
            };
            let mut z = [f64::NAN; 9];
            z[1] = 0.5;
            assert!(
                apply(loss, activation, &z, &[0.0; 9]).0.is_nan(),
                "{loss:?}"
            );
        }
    }
}
