//! Adam with decoupled weight decay, cosine schedule, and clipping by the global norm.
//!
//! ```text
//! norm = sqrt(sum g^2)                      g <- g min(1, clip / norm)
//! m <- b1 m + (1 - b1) g                    v <- b2 v + (1 - b2) g^2
//! w <- w - lr decay w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
//! lr(p) = lr (floor + (1 - floor) (1 + cos(pi p)) / 2),  p = progress in [0, 1];  times t / warmup before that
//! ```
//! Kingma and Ba 2015; Loshchilov and Hutter 2019; Pascanu et al. 2013. The same update as PyTorch's `AdamW`.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cell::vectorized;
use crate::params::Shape;
use crate::real::Real;

/// Elements one task works on: fixed, so that sums have one order whatever the number of threads.
const TILE: usize = 8192;

/// Constants of the update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamConfig {
    /// Decay of the mean of the gradient, b1.
    pub beta1: f64,
    /// Decay of the mean of its square, b2.
    pub beta2: f64,
    /// Added to the root.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; infinite means no clipping.
    pub clip: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            clip: 1.0,
        }
    }
}

/// The optimizer's memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam<F> {
    /// Constants.
    pub config: AdamConfig,
    /// Updates done.
    pub steps: u64,
    /// Running mean of the gradient, in the order of the parameters.
    pub mean: Vec<F>,
    /// Running mean of its square.
    pub square: Vec<F>,
}

/// Numbers of one update that are the same for every element.
#[derive(Clone, Copy)]
struct Update<F> {
    scale: F,
    beta1: F,
    beta2: F,
    epsilon: F,
    step_size: F,
    root_correction: F,
    keep: F,
}

struct Tile<'a, F> {
    update: Update<F>,
    weights: &'a mut [F],
    gradient: &'a [F],
    mean: &'a mut [F],
    square: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Tile<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let u = self.update;
        let (one1, one2) = (F::one() - u.beta1, F::one() - u.beta2);
        let moments = self.mean.iter_mut().zip(self.square.iter_mut());
        for ((w, &g), (m, v)) in self.weights.iter_mut().zip(self.gradient).zip(moments) {
            let g = g * u.scale;
            *m = u.beta1 * *m + one1 * g;
            *v = u.beta2 * *v + one2 * g * g;
            *w = u.keep * *w - u.step_size * *m / (v.sqrt() * u.root_correction + u.epsilon);
        }
    }
}

impl<F: Real> Adam<F> {
    /// No steps done yet, for parameters of this shape.
    pub fn new(config: AdamConfig, shape: Shape) -> Self {
        let zeros = || vec![F::zero(); shape.parameters()];
        Self {
            config,
            steps: 0,
            mean: zeros(),
            square: zeros(),
        }
    }

    /// One update of `weights` by `gradient`, clipped; returns the global norm before clipping.
    pub fn update(&mut self, weights: &mut [F], gradient: &[F], learning_rate: f64) -> f64 {
        let c = self.config;
        self.steps += 1;
        let norm = global_norm(gradient);
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let update = Update {
            scale: F::from_f64(if norm > c.clip { c.clip / norm } else { 1.0 }),
            beta1: F::from_f64(c.beta1),
            beta2: F::from_f64(c.beta2),
            epsilon: F::from_f64(c.epsilon),
            step_size: F::from_f64(learning_rate / (1.0 - c.beta1.powi(steps))),
            root_correction: F::from_f64(1.0 / (1.0 - c.beta2.powi(steps)).sqrt()),
            keep: F::from_f64(1.0 - learning_rate * c.weight_decay),
        };
        let moments = self
            .mean
            .par_chunks_mut(TILE)
            .zip(self.square.par_chunks_mut(TILE));
        weights
            .par_chunks_mut(TILE)
            .zip(gradient.par_chunks(TILE))
            .zip(moments)
            .for_each(|((weights, gradient), (mean, square))| {
                vectorized(
                    Arch::new(),
                    Tile {
                        update,
                        weights,
                        gradient,
                        mean,
                        square,
                    },
                )
            });
        norm
    }
}

/// Root of the sum of squares, summed tile by tile in a fixed order.
pub fn global_norm<F: Real>(gradient: &[F]) -> f64 {
    let tiles: Vec<f64> = gradient.par_chunks(TILE).map(sum_of_squares).collect();
    tiles.iter().sum::<f64>().sqrt()
}

/// Sum of squares in eight partial sums.
fn sum_of_squares<F: Real>(values: &[F]) -> f64 {
    let mut sums = [0.0; 8];
    for values in values.chunks(8) {
        for (sum, x) in sums.iter_mut().zip(values) {
            *sum += x.to_f64() * x.to_f64();
        }
    }
    sums.iter().sum()
}

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine from the learning rate down to 1 % of it.
    Cosine,
    /// The same all the time.
    Constant,
}

/// Where the cosine ends, as a fraction of the learning rate.
const FLOOR: f64 = 0.01;

impl Schedule {
    /// Learning rate at `progress` (0 at the start, 1 at the end of training), at step `step` of a linear warm-up of
    /// `warmup` steps.
    pub fn rate(self, learning_rate: f64, progress: f64, step: u64, warmup: u64) -> f64 {
        let rate = match self {
            Self::Constant => learning_rate,
            Self::Cosine => {
                let half_cosine =
                    0.5 * (1.0 + (std::f64::consts::PI * progress.clamp(0.0, 1.0)).cos());
                learning_rate * (FLOOR + (1.0 - FLOOR) * half_cosine)
            }
        };
        if step < warmup {
            rate * (step + 1) as f64 / warmup as f64
        } else {
            rate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Cell, Shape};

    /// Three updates of one weight, written out by hand with the formulas above.
    #[test]
    fn three_updates_equal_the_hand_computed_ones() {
        let shape = Shape {
            cell: Cell::Rnn,
            layers: 1,
            hidden: 1,
            vocab: 2,
        };
        let config = AdamConfig {
            beta1: 0.5,
            beta2: 0.75,
            epsilon: 0.0,
            weight_decay: 0.1,
            clip: 10.0,
        };
        let mut adam = Adam::<f64>::new(config, shape);
        let mut weights = vec![1.0; shape.parameters()];
        let mut gradient = vec![0.0; shape.parameters()];
        gradient[0] = 2.0;
        // m = 1, v = 1; m^ = 2, v^ = 4: step = 2 / 2 = 1
        assert_eq!(adam.update(&mut weights, &gradient, 0.1), 2.0);
        assert!((weights[0] - (1.0 * 0.99 - 0.1)).abs() < 1e-15);
        // m = 0.5, v = 0.75; m^ = 0.5/0.75, v^ = 0.75/0.4375
        gradient[0] = 0.0;
        adam.update(&mut weights, &gradient, 0.1);
        let second = 0.89 * 0.99 - 0.1 * (0.5 / 0.75) / (0.75_f64 / 0.4375).sqrt();
        assert!((weights[0] - second).abs() < 1e-15);
        // clipped: norm 40 -> g = 10; m = 0.25 + 5, v = 0.5625 + 25
        gradient[0] = -40.0;
        assert_eq!(adam.update(&mut weights, &gradient, 0.1), 40.0);
        let third = second * 0.99 - 0.1 * ((0.25 - 5.0) / 0.875) / (25.5625_f64 / 0.578_125).sqrt();
        assert!((weights[0] - third).abs() < 1e-14, "{} {third}", weights[0]);
    }

    #[test]
    fn schedule_warms_up_and_ends_at_one_percent() {
        assert_eq!(Schedule::Constant.rate(0.2, 0.9, 500, 100), 0.2);
        assert!((Schedule::Constant.rate(0.2, 0.0, 24, 100) - 0.05).abs() < 1e-15);
        assert_eq!(Schedule::Cosine.rate(0.2, 0.0, 0, 0), 0.2);
        assert!((Schedule::Cosine.rate(0.2, 0.5, 0, 0) - 0.101).abs() < 1e-15);
        assert!((Schedule::Cosine.rate(0.2, 1.0, 0, 0) - 0.002).abs() < 1e-15);
    }

    #[test]
    fn norm_is_the_root_of_the_sum_of_squares() {
        let gradient: Vec<f32> = (0..20_000)
            .map(|i| if i % 2 == 0 { 0.5 } else { 0.0 })
            .collect();
        assert!((global_norm(&gradient) - 50.0).abs() < 1e-9);
    }
}
