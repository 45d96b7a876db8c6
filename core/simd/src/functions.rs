//! exp and tanh in f32: the coefficients of all their forms, and the functions of one number.
//!
//! ```text
//! e^x    = 2^n p(r)            n = round(x / ln 2)   r = x - n ln 2, |r| <= ln 2 / 2     EXP
//! 2^t    = 2^n p(t - n)        n = round(t), or to a sixteenth                  EXP2, EXP2_NEAR
//! tanh x = x p(x^2) / q(x^2)   and 1 beyond the limit                            TANH_P, TANH_Q
//! ```
//! Every form there is, and why it is one of its own:
//!
//! - one number, [`exp`] and [`tanh`], which training uses: no branch and no fused operation, so
//!   that loops of it become vectors anywhere;
//! - vectors ([`gates`](crate::gates)): the same, with fused operations;
//! - AVX-512 (`x86_64/gates.rs`): 2^t by a look-up in one register, and a shorter polynomial;
//! - the specification (`gatelet::activation`): the same [`exp_parts`] with 0 and infinity at the
//!   ends, and a tanh within 3 ULP;
//! - the FPU (`gatelet`, `arch/arm/fpu.S`): one rounded product makes t, as a gate is read by its
//!   absolute error.

use crate::simd::ROUND;

/// ln 2 in two parts (Cody and Waite): the high one has so few bits that its product with n is
/// exact.
pub const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, the highest power first: Cephes' `expf` (S. Moshier).
pub const EXP: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];
/// 2^r for r in -1/2..=1/2, the lowest power first. The largest relative error is 9.4e-8: minimax
/// with the first one fixed, by iteratively reweighted least squares, each rounded before the next
/// is fitted.
#[expect(
    clippy::approx_constant,
    reason = "fitted: one is near ln 2, and not it"
)]
pub const EXP2: [f32; 6] = [
    1.0,
    0.693_147,
    0.240_222_47,
    0.055_507_112,
    0.009_671_297,
    0.001_326_942_1,
];
/// (2^r - 1) / r for |r| <= 1/32, the highest power first.
pub const EXP2_NEAR: [f32; 3] = [0.055_504_11, 0.240_226_5, core::f32::consts::LN_2];

/// Beyond it tanh rounds to 1 (Eigen 3.4, `generic_fast_tanh_float`).
pub const TANH_LIMIT: f32 = 7.905_311;
/// p of tanh x = x p / q: coefficients of the powers of x^2, the highest first (Eigen).
pub const TANH_P: [f32; 7] = [
    -2.760_768_5e-16,
    2.000_188e-13,
    -8.604_672e-11,
    5.122_297_1e-8,
    1.485_722_4e-5,
    6.372_619_3e-4,
    4.893_525e-3,
];
/// q, as [`TANH_P`].
pub const TANH_Q: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
/// (tanh x / x - 1) / x^2 for |x| < 0.625, as [`TANH_P`] (Cephes).
const TANH_NEAR: [f32; 5] = [
    -5.704_988_7e-3,
    2.063_909e-2,
    -5.373_971_5e-2,
    1.333_144_2e-1,
    -3.333_328e-1,
];

/// A polynomial, the highest power first, by Horner's rule. No loop: code that is made small would
/// keep it.
macro_rules! horner {
    ($x:ident: $($of:ident)* = $all:expr) => {{
        let [first, $($of),*] = $all;
        let p = first;
        $(let p = p * $x + $of;)*
        p
    }};
}

/// e^x as `p 2^n`: p from 0.7 to 1.42, and the sum of n and [`ROUND`], in whose low bits n is. x
/// within what an f32 holds e^x of.
#[inline(always)]
pub fn exp_parts(x: f32) -> (f32, f32) {
    let [high, low] = LN_2;
    let shifted = x * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * high) - n * low;
    let p = horner!(r: a b c d e = EXP) * (r * r) + r + 1.0;
    (p, shifted)
}

/// x from `low` to `high`, and the end of that range beyond it; what is no number stays so.
#[inline(always)]
fn within(x: f32, [low, high]: [f32; 2]) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// e^x for x from -87 to 88, and the value at the end of that range beyond it; in error by 2e-7 of
/// itself.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (p, shifted) = exp_parts(within(x, [-87.0, 88.0]));
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// tanh x; in error by 6e-7 of itself.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let x = within(x, [-TANH_LIMIT, TANH_LIMIT]);
    let s = x * x;
    horner!(s: a b c d e f = TANH_P) / horner!(s: a b c = TANH_Q) * x
}

/// tanh x for |x| < 0.625: odd.
#[inline(always)]
pub fn tanh_near(x: f32) -> f32 {
    let s = x * x;
    horner!(s: a b c d = TANH_NEAR) * s * x + x
}
