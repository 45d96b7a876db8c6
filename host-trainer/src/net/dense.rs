//! Products with an activation behind them: projections, layers of a plain net, heads.
//!
//! ```text
//! forward    z = x W^T + b       y = f(z)
//! backward   dz = dy f'(y)       dW = dz^T x    db = sum dz    dx = dz W
//!
//! none            y = z                         f' = 1
//! relu            y = max(z, 0)                 f' = [y > 0]
//! tanh            y = tanh(z)                   f' = 1 - y^2
//! sigmoid         y = 1 / (1 + e^-z)            f' = y (1 - y)
//! hard_sigmoid    y = z + 1/2, within 0 and 1   f' = [0 < y < 1]
//! ```
//! All derivatives need y alone, so a window keeps one buffer.

use gatelet::net::Activation;
use pulp::NullaryFnOnce;

use super::common::{Common, Sink};
use super::loss::softmax;
use super::packs::Linear;
use super::sums::sum_rows;
use crate::engine::Engine;
use crate::real::Real;
use crate::vector::vectorized;

/// A function, and z: [steps, units].
struct Forward<'a, F>(Activation, &'a mut [F], usize);

impl<F: Real> NullaryFnOnce for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self(activation, z, units) = self;
        let (zero, one) = (F::zero(), F::one());
        match activation {
            Activation::None => {}
            // Written so that what is not a number stays so.
            Activation::Relu => z
                .iter_mut()
                .for_each(|z| *z = if *z < zero { zero } else { *z }),
            Activation::Tanh => z.iter_mut().for_each(|z| *z = z.tanh()),
            Activation::Sigmoid => z.iter_mut().for_each(|z| *z = z.sigmoid()),
            Activation::HardSigmoid => {
                let half = F::from_f64(0.5);
                z.iter_mut().for_each(|z| {
                    let y = *z + half;
                    let y = if y < zero { zero } else { y };
                    *z = if y > one { one } else { y };
                });
            }
            Activation::Elu => z
                .iter_mut()
                .for_each(|z| *z = if *z > zero { *z } else { z.exp() - one }),
            Activation::Softmax => z.chunks_exact_mut(units).for_each(softmax),
        }
    }
}

/// `z` becomes `y`: [steps, units].
pub(super) fn activate<F: Real>(
    arch: pulp::Arch,
    activation: Activation,
    z: &mut [F],
    units: usize,
) {
    vectorized(arch, Forward(activation, z, units));
}

/// `f'` at a `y`; of a softmax the part of it that [`backward`] has not done.
#[inline(always)]
pub(super) fn slope<F: Real>(activation: Activation, y: F) -> F {
    let (zero, one) = (F::zero(), F::one());
    let inside = |inside: bool| if inside { one } else { zero };
    match activation {
        Activation::None | Activation::Softmax => one,
        Activation::Relu => inside(y > zero),
        Activation::Tanh => one - y * y,
        Activation::Sigmoid => y * (one - y),
        Activation::HardSigmoid => inside(y > zero && y < one),
        Activation::Elu => {
            if y > zero {
                one
            } else {
                y + one
            }
        }
    }
}

/// `dy` becomes `dz`: [steps, units].
pub(super) fn backward<F: Real>(activation: Activation, y: &[F], dy: &mut [F], units: usize) {
    if activation == Activation::Softmax {
        for (dy, y) in dy.chunks_exact_mut(units).zip(y.chunks_exact(units)) {
            let pairs = dy.iter().zip(y);
            let mean = pairs.fold(F::zero(), |sum, (dy, y)| sum + *dy * *y);
            dy.iter_mut()
                .zip(y)
                .for_each(|(dy, &y)| *dy = y * (*dy - mean));
        }
        return;
    }
    if activation != Activation::None {
        let pairs = dy.iter_mut().zip(y);
        pairs.for_each(|(dy, &y)| *dy *= slope(activation, y));
    }
}

/// Gradients of the weights and of what was read, from `dz`: [steps, units].
pub(super) fn gradients<F: Engine>(
    common: &mut Common<F>,
    linear: &Linear<F>,
    (x, dz): (&[F], &[F]),
    (d_weight, add_weight): (&mut [F], bool),
    (d_bias, add_bias): (&mut [F], bool),
    dx: Option<Sink<'_, F>>,
) {
    let units = linear.bias.len();
    let inputs = x.len() * units / dz.len();
    let scratch = &mut common.scratch;
    F::outer((dz, units), (x, inputs), add_weight, d_weight, scratch);
    sum_rows(common.arch, dz, add_bias, d_bias);
    if let Some(Sink { dx, add }) = dx {
        F::matmul(dz, &linear.weights.back, add, dx, scratch);
    }
}
