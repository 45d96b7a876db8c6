//! What a net is trained to make small: the mean over the rows of a batch, in nats.
//!
//! ```text
//! categorical   L = - sum_k t_k log y_k                                          dL/dy_k = - t_k / y_k
//! binary        L = - 1/n sum_k [ t_k log y_k + (1 - t_k) log(1 - y_k) ]         dL/dy_k = (y_k - t_k) / (y_k (1 - y_k)) / n
//! ```
//! `binary` is the mean over the n outputs of a row, each a question of its own with the answer yes or no, as Keras
//! counts it; it may stand behind a softmax too. y is kept away from 0 and 1 by 1e-7, again as in Keras, and where that
//! happens there is no gradient. Behind a softmax (categorical) or a sigmoid (binary) both derivatives in a row are
//! y - t for the sums, exactly and without a division: that form is taken there, and it has a gradient everywhere.

use super::activation::Activation;
use crate::real::Real;

/// Distance of an output from 0 and 1 that a logarithm keeps.
const MARGIN: f64 = 1e-7;

/// A loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// One answer out of many: targets of a row sum to 1.
    Categorical,
    /// Many answers, each yes or no.
    Binary,
}

/// Inside the margins, or not.
fn clipped(y: f64) -> (f64, bool) {
    let inside = y.clamp(MARGIN, 1.0 - MARGIN);
    (inside, inside == y)
}

impl Loss {
    /// Sum over the rows of their losses. `y` and `targets`: [rows, columns].
    pub fn sum<F: Real>(self, y: &[F], targets: &[F], columns: usize) -> f64 {
        let pairs = y.iter().zip(targets);
        let pairs = pairs.map(|(y, t)| (clipped(y.to_f64()).0, t.to_f64()));
        match self {
            Self::Categorical => -pairs.map(|(y, t)| t * y.ln()).sum::<f64>(),
            Self::Binary => {
                let terms = pairs.map(|(y, t)| t * y.ln() + (1.0 - t) * (1.0 - y).ln());
                -terms.sum::<f64>() / columns as f64
            }
        }
    }

    /// The gradient of `scale * sum` with regard to the sums of the last layer, whose outputs by `activation` are `y`.
    /// All: [rows, columns].
    pub fn backward<F: Real>(
        self,
        activation: Activation,
        (y, targets): (&[F], &[F]),
        scale: f64,
        columns: usize,
        dz: &mut [F],
    ) {
        let scale = match self {
            Self::Categorical => scale,
            Self::Binary => scale / columns as f64,
        };
        let triples = dz.iter_mut().zip(y.iter().zip(targets));
        match (self, activation) {
            (Self::Categorical, Activation::Softmax) | (Self::Binary, Activation::Sigmoid) => {
                let scale = F::from_f64(scale);
                triples.for_each(|(dz, (&y, &t))| *dz = scale * (y - t));
            }
            _ => {
                for (dz, (y, t)) in triples {
                    let ((y, inside), t) = (clipped(y.to_f64()), t.to_f64());
                    let slope = match self {
                        _ if !inside => 0.0,
                        Self::Categorical => -t / y,
                        Self::Binary => (y - t) / (y * (1.0 - y)),
                    };
                    *dz = F::from_f64(scale * slope);
                }
                activation.backward(y, dz, columns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_definition() {
        let (y, t) = ([0.25, 0.75, 0.5, 0.5], [0.0, 1.0, 1.0, 0.0]);
        let categorical = Loss::Categorical.sum(&y, &t, 2);
        assert!((categorical + 0.75_f64.ln() + 0.5_f64.ln()).abs() < 1e-12);
        let binary = Loss::Binary.sum(&y, &t, 2);
        assert!((binary + 0.75_f64.ln() + 0.5_f64.ln()).abs() < 1e-12);
        // A certain and wrong answer costs what the margin says, not infinity.
        let wrong = Loss::Categorical.sum(&[0.0, 1.0], &[1.0, 0.0], 2);
        assert!((wrong + MARGIN.ln()).abs() < 1e-9);
    }

    #[test]
    fn gradient_of_the_sums_is_the_finite_difference() {
        let start = [-0.9, 0.4, 1.1, 0.3, -2.0, 0.6];
        let targets = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        for (loss, activation) in [
            (Loss::Categorical, Activation::Softmax),
            (Loss::Binary, Activation::Softmax),
            (Loss::Binary, Activation::Sigmoid),
            (Loss::Categorical, Activation::Sigmoid),
        ] {
            let output = |z: &[f64]| {
                let mut y = z.to_vec();
                activation.forward(&mut y, 3);
                y
            };
            let mut dz = [0.0; 6];
            loss.backward(activation, (&output(&start), &targets), 0.5, 3, &mut dz);
            for k in 0..6 {
                let at = |by: f64| {
                    let mut z = start;
                    z[k] += by;
                    0.5 * loss.sum(&output(&z), &targets, 3)
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (numeric - dz[k]).abs() < 1e-8,
                    "{loss:?} behind {activation:?}, sum {k}: {numeric} and {}",
                    dz[k]
                );
            }
        }
    }
}
