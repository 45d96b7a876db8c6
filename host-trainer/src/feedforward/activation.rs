//! What a layer does to each of its sums, forward next to its backward.
//!
//! ```text
//! linear    y = z                          dz = dy
//! sigmoid   y = 1 / (1 + exp(-z))          dz = dy y (1 - y)
//! relu      y = max(z, 0)                  dz = dy where y > 0, else 0
//! softmax   y_k = exp(z_k) / sum exp(z)    dz_k = y_k (dy_k - sum_j dy_j y_j)       over a row
//! ```
//! All backward forms need y alone, so a layer keeps one buffer.

use crate::real::Real;

/// A layer's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// None.
    Linear,
    /// Logistic function: a number between 0 and 1 for each output by itself.
    Sigmoid,
    /// Rectifier.
    Relu,
    /// Probabilities: the outputs of a row sum to 1.
    Softmax,
}

impl Activation {
    /// Sums become outputs. `z`: [rows, columns].
    pub fn forward<F: Real>(self, z: &mut [F], columns: usize) {
        match self {
            Self::Linear => {}
            Self::Sigmoid => z.iter_mut().for_each(|z| *z = z.sigmoid()),
            // Written so that what is not a number stays so.
            Self::Relu => z
                .iter_mut()
                .filter(|z| **z < F::zero())
                .for_each(|z| *z = F::zero()),
            Self::Softmax => z.chunks_exact_mut(columns).for_each(softmax),
        }
    }

    /// The gradient of the outputs, `dy`, becomes that of the sums. `y` and `dy`: [rows, columns].
    pub fn backward<F: Real>(self, y: &[F], dy: &mut [F], columns: usize) {
        match self {
            Self::Linear => {}
            Self::Sigmoid => {
                let pairs = dy.iter_mut().zip(y);
                pairs.for_each(|(dy, &y)| *dy *= y * (F::one() - y));
            }
            Self::Relu => {
                let pairs = dy.iter_mut().zip(y);
                pairs
                    .filter(|(_, y)| **y <= F::zero())
                    .for_each(|(dy, _)| *dy = F::zero());
            }
            Self::Softmax => {
                let rows = dy.chunks_exact_mut(columns).zip(y.chunks_exact(columns));
                for (dy, y) in rows {
                    let mean = y
                        .iter()
                        .zip(&*dy)
                        .fold(F::zero(), |sum, (&y, &dy)| sum + y * dy);
                    let pairs = dy.iter_mut().zip(y);
                    pairs.for_each(|(dy, &y)| *dy = y * (*dy - mean));
                }
            }
        }
    }
}

/// A row of logits becomes probabilities. The largest is subtracted first: nothing overflows.
pub fn softmax<F: Real>(row: &mut [F]) {
    let Some(&first) = row.first() else { return };
    let largest = row.iter().fold(first, |a, &b| if b > a { b } else { a });
    row.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum = row.iter().fold(F::zero(), |sum, &x| sum + x);
    row.iter_mut().for_each(|x| *x = *x / sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dz` of `L = sum w y` against central differences, with weights that differ.
    #[test]
    fn backward_is_the_finite_difference_of_forward() {
        let start = [-1.3, 0.4, 2.0, -0.2, 0.9, 0.7];
        let weight = |k: usize| (k as f64 * 1.7).cos();
        for activation in [
            Activation::Linear,
            Activation::Sigmoid,
            Activation::Relu,
            Activation::Softmax,
        ] {
            let output = |z: &[f64]| {
                let mut y = z.to_vec();
                activation.forward(&mut y, 3);
                y
            };
            let loss = |z: &[f64]| -> f64 {
                output(z)
                    .iter()
                    .enumerate()
                    .map(|(k, y)| weight(k) * y)
                    .sum()
            };
            let mut dz: Vec<f64> = (0..6).map(weight).collect();
            activation.backward(&output(&start), &mut dz, 3);
            for k in 0..6 {
                let (mut up, mut down) = (start, start);
                up[k] += 1e-6;
                down[k] -= 1e-6;
                let numeric = (loss(&up) - loss(&down)) / 2e-6;
                assert!(
                    (numeric - dz[k]).abs() < 1e-9,
                    "{activation:?}, sum {k}: {numeric} and {}",
                    dz[k]
                );
            }
        }
    }

    #[test]
    fn softmax_of_large_logits_does_not_overflow_and_nan_is_kept() {
        let mut row = [1e30_f32, 1e30, -1e30];
        softmax(&mut row);
        assert_eq!((row[0], row[1]), (0.5, 0.5));
        for activation in [Activation::Relu, Activation::Sigmoid, Activation::Softmax] {
            let mut row = [f32::NAN, 1.0];
            activation.forward(&mut row, 2);
            assert!(row[0].is_nan(), "{activation:?}");
        }
    }
}
