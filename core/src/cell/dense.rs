//! A dense operation: `y = f(b + W x)`.
//!
//! ```text
//! int8   s = b + round(acc m >> s)                                        Q15.16
//!        none s        relu max(s, 0)        hard sigmoid clamp(s + 2^15, 0, 2^16)
//!        tanh, sigmoid  the table's of sat16( round(s >> 4) ), in Q15.16 again
//! f32    elu  s above 0, e^s - 1 below        softmax  e^s by the sum of them all
//! int8   read by others: sat8( round(y >> 9) )                            scale 1/128
//! ```

use crate::cell::step::Products;
use crate::fixed::activation::{SIGMOID, TANH, exp_f32, piecewise};
use crate::fixed::{LOGIT_BITS, SIGMOID_BITS, TANH_BITS, Z_BITS};
use crate::fixed::{rounding_shift, sat16};
use crate::net::Activation;
use crate::weights::layer::{DenseF32, DenseInt8};

/// One in Q15.16.
const ONE: i32 = 1 << LOGIT_BITS;

/// The activation of a sum, both Q15.16.
#[inline]
pub fn activate_int8(activation: Activation, sum: i32) -> i32 {
    // |sum| <= 2^31 - 2^30: half a unit more fits where it is not near the limit, and near it the
    // table is flat.
    let z = |sum: i32| sat16(rounding_shift(sum.min(i32::MAX - 8), LOGIT_BITS - Z_BITS));
    match activation {
        // An int8 net has neither an elu nor a softmax.
        Activation::None | Activation::Elu | Activation::Softmax => sum,
        Activation::Relu => sum.max(0),
        Activation::Tanh => i32::from(piecewise(&TANH, z(sum))) << (LOGIT_BITS - TANH_BITS),
        Activation::Sigmoid => {
            i32::from(piecewise(&SIGMOID, z(sum))) << (LOGIT_BITS - SIGMOID_BITS)
        }
        Activation::HardSigmoid => sum.saturating_add(ONE / 2).clamp(0, ONE),
    }
}

/// The activation of sums in f32, in place.
#[inline(never)]
pub(crate) fn activate_f32<K: Products>(kernel: K, activation: Activation, sums: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Relu => sums.iter_mut().for_each(|y| *y = y.max(0.0)),
        Activation::Tanh => kernel.tanh_f32(sums),
        Activation::Sigmoid => kernel.sigmoid_f32(sums),
        Activation::HardSigmoid => {
            sums.iter_mut()
                .for_each(|y| *y = (*y + 0.5).clamp(0.0, 1.0));
        }
        Activation::Elu => sums.iter_mut().for_each(|y| *y = elu(*y)),
        Activation::Softmax => softmax(sums),
    }
}

/// y above 0, e^y - 1 below; within 3e-7.
fn elu(y: f32) -> f32 {
    if y > 0.0 { y } else { exp_f32(y) - 1.0 }
}

/// e^y by the sum of them all; within 1e-6.
fn softmax(sums: &mut [f32]) {
    let most = sums.iter().fold(f32::NEG_INFINITY, |most, y| most.max(*y));
    let mut sum = 0.0;
    for y in sums.iter_mut() {
        *y = exp_f32(*y - most);
        sum += *y;
    }
    // The largest is e^0.
    sums.iter_mut().for_each(|y| *y /= sum);
}

/// One step in int8, without the activation. `x: [columns]`, `y: [units]`.
#[inline(always)]
pub(crate) fn sums_int8<K: Products>(kernel: K, dense: &DenseInt8<'_>, x: &[i8], y: &mut [i32]) {
    kernel.dense_int8(&dense.product, dense.bias, x, y);
}

/// One step in f32, without the activation.
#[inline(always)]
pub(crate) fn sums_f32<K: Products>(kernel: K, dense: &DenseF32<'_>, x: &[f32], y: &mut [f32]) {
    kernel.dense_f32(&dense.weights, dense.bias, x, y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Scalar;

    #[test]
    fn an_elu_is_its_definition() {
        for k in -4000..400 {
            let y = k as f32 / 40.0;
            let exact = if k > 0 {
                f64::from(y)
            } else {
                f64::from(y).exp_m1()
            };
            let mut found = [y];
            activate_f32(Scalar, Activation::Elu, &mut found);
            let [found] = found;
            assert!((f64::from(found) - exact).abs() < 3e-7, "{y}: {found}");
        }
    }

    #[test]
    fn a_softmax_is_its_definition() {
        let sums = [-90.0, 0.5, 3.0, 2.999, -1.0];
        let mut found = sums;
        activate_f32(Scalar, Activation::Softmax, &mut found);
        let all: f64 = sums.iter().map(|s| f64::from(*s).exp()).sum();
        for (found, sum) in found.iter().zip(sums) {
            assert!((f64::from(*found) - f64::from(sum).exp() / all).abs() < 1e-6);
        }
    }

    #[test]
    fn integers_follow_the_reals() {
        for activation in [
            Activation::None,
            Activation::Relu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::HardSigmoid,
        ] {
            for sum in (-700_000..700_000).step_by(997) {
                let found = activate_int8(activation, sum) as f32 / ONE as f32;
                let mut exact = [sum as f32 / ONE as f32];
                activate_f32(Scalar, activation, &mut exact);
                let [exact] = exact;
                assert!(
                    (found - exact).abs() < 2e-3,
                    "{activation} {sum}: {found} {exact}"
                );
            }
            for extreme in [i32::MIN, i32::MAX] {
                let _ = activate_int8(activation, extreme);
            }
        }
        assert_eq!(activate_int8(Activation::HardSigmoid, i32::MAX), ONE);
        assert!((activate_int8(Activation::Sigmoid, i32::MAX) - ONE).abs() < ONE / 1000);
    }
}
