//! The number type of a training run: `f32` to train, `f64` to check gradients.
//!
//! The `f32` functions are [`gatelet_simd::functions`], which have no branch and no table: a loop
//! over them becomes vector code. The largest relative error, from a sweep in the tests, is 2e-7
//! for `exp`, 3e-7 for `sigmoid` and 6e-7 for `tanh`. The backward pass uses `y (1 - y)` and `1 -
//! y^2` of the very `y` computed here, so it stays consistent with them.

use std::fmt::Debug;
use std::ops::{AddAssign, MulAssign, Neg, SubAssign};

use gatelet_simd::functions;

/// A floating-point type that the trainer can compute with.
pub trait Real:
    ndarray::LinalgScalar
    + bytemuck::Pod
    + PartialOrd
    + AddAssign
    + SubAssign
    + MulAssign
    + Neg<Output = Self>
    + Debug
    + Send
    + Sync
    + Default
{
    /// The nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// The same value as `f64`, exactly.
    fn to_f64(self) -> f64;
    /// `e^x`, with `x` clamped to [-87, 88] in `f32`.
    fn exp(self) -> Self;
    /// Logistic function.
    fn sigmoid(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
}

impl Real for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + f64::exp(-self))
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

impl Real for f32 {
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        functions::exp(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + functions::exp(-self))
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        functions::tanh(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(low: f32, high: f32, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        (0..=200_000)
            .map(|i| low + (high - low) * (i as f32 / 200_000.0))
            .map(|x| {
                let want = exact(f64::from(x));
                if want == 0.0 {
                    f64::from(f(x)).abs()
                } else {
                    ((f64::from(f(x)) - want) / want).abs()
                }
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn f32_functions_stay_within_their_stated_relative_error() {
        let exp = sweep(-87.0, 88.0, Real::exp, f64::exp);
        let sigmoid = sweep(-40.0, 40.0, Real::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        let tanh = sweep(-20.0, 20.0, Real::tanh, f64::tanh);
        let tanh_small = sweep(-1e-3, 1e-3, Real::tanh, f64::tanh);
        assert!(exp < 2e-7, "exp {exp:e}");
        assert!(sigmoid < 3e-7, "sigmoid {sigmoid:e}");
        assert!(
            tanh < 6e-7 && tanh_small < 6e-7,
            "tanh {tanh:e} {tanh_small:e}"
        );
    }

    #[test]
    fn not_a_number_stays_not_a_number() {
        assert!(
            Real::exp(f32::NAN).is_nan()
                && Real::tanh(f32::NAN).is_nan()
                && Real::sigmoid(f32::NAN).is_nan()
        );
    }
}
