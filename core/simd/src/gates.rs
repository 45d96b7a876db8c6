//! Activations and LSTM cells on vectors.
//!
//! In f32 sigmoid is `1 / (1 + e^-x)`, and tanh a rational function: no exponential and no branch.
//! Both are [`functions`](crate::functions) with fused operations. The largest errors over all f32
//! are asserted by the tests: sigmoid 3 ULP (2.49 found), tanh 7 (6.02).

use crate::functions::{EXP, LN_2, TANH_LIMIT, TANH_P, TANH_Q};
use crate::simd::{ROUND, Simd};

/// 1 / (1 + e^-x); at most 3 ULP, and below 1e-37 for x below -87.
#[inline(always)]
pub fn sigmoid_f32<V: Simd<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    let one = v.splat_f32(1.0);
    v.div_f32(one, v.add_f32(one, exp_of_negative(v, x, -88.0, 87.0)))
}

/// e^-x for x from `low` to `high`, and the value at the end of that range beyond it.
#[inline(always)]
fn exp_of_negative<V: Simd<U>, const U: usize>(v: V, x: V::F32, low: f32, high: f32) -> V::F32 {
    // The sign of x is taken into the constants.
    let [of_high, of_low] = LN_2;
    let x = v.min_f32(v.max_f32(x, v.splat_f32(low)), v.splat_f32(high));
    let shifted = v.madd_f32(
        x,
        v.splat_f32(-core::f32::consts::LOG2_E),
        v.splat_f32(ROUND),
    );
    let n = v.add_f32(shifted, v.splat_f32(-ROUND));
    // r = -x - n ln 2
    let r = v.madd_f32(n, v.splat_f32(of_high), x);
    let r = v.madd_f32(n, v.splat_f32(of_low), r);
    let r = v.mul_f32(r, v.splat_f32(-1.0));
    let p = polynomial(v, EXP, r);
    let p = v.madd_f32(p, v.mul_f32(r, r), r);
    let p = v.add_f32(p, v.splat_f32(1.0));
    v.scale(p, shifted)
}

/// tanh x; at most 7 ULP. Odd.
#[inline(always)]
pub fn tanh_f32<V: Simd<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    let (p, q, x) = tanh_parts(v, x);
    // Not p x / q: that would lose the last bits of a very small x.
    v.mul_f32(v.div_f32(p, q), x)
}

/// p, q and x within the limit, of tanh x = p x / q; q is from 0.004 to 0.9.
#[inline(always)]
fn tanh_parts<V: Simd<U>, const U: usize>(v: V, x: V::F32) -> (V::F32, V::F32, V::F32) {
    let x = v.min_f32(
        v.max_f32(x, v.splat_f32(-TANH_LIMIT)),
        v.splat_f32(TANH_LIMIT),
    );
    let s = v.mul_f32(x, x);
    let (p, q) = (polynomial(v, TANH_P, s), polynomial(v, TANH_Q, s));
    (p, q, x)
}

/// A polynomial, the highest power first, by Horner's rule.
#[inline(always)]
fn polynomial<V: Simd<U>, const U: usize, const N: usize>(v: V, of: [f32; N], x: V::F32) -> V::F32 {
    let mut of = of.into_iter();
    let mut p = v.splat_f32(of.next().unwrap_or_default());
    for of in of {
        p = v.madd_f32(p, x, v.splat_f32(of));
    }
    p
}

/// The cells of an LSTM where only c and h are wanted, `T` vectors of them: three divisions in
/// place of five.
///
/// ```text
/// c = f c + i g = c / (1 + e^-zf) + p x / (q (1 + e^-zi))      tanh zg = p x / q
/// h = o tanh c  = p x / (q (1 + e^-zo))                        tanh c  = p x / q
/// ```
///
/// `gates`: the pre-activations zi, zf, zg and zo; `c`: the cell state before. The cell state
/// after, and h.
#[inline(always)]
pub fn lstm<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    gates: [[V::F32; 4]; T],
    mut c: [V::F32; T],
) -> [[V::F32; T]; 2] {
    let mut h = c;
    for ((c, h), gates) in c.iter_mut().zip(&mut h).zip(gates) {
        (*c, *h) = cell(v, gates, *c);
    }
    [c, h]
}

/// `1 + e^-x` for x from -87 to 87, and the value at the end of that range beyond it.
#[inline(always)]
pub(crate) fn one_and_exp<V: Simd<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    v.add_f32(v.splat_f32(1.0), exp_of_negative(v, x, -87.0, 87.0))
}

/// One vector of [`lstm`].
#[inline(always)]
fn cell<V: Simd<U>, const U: usize>(
    v: V,
    [i, f, g, o]: [V::F32; 4],
    c: V::F32,
) -> (V::F32, V::F32) {
    let i = one_and_exp(v, i);
    let (p, q, x) = tanh_parts(v, g);
    let ig = v.div_f32(v.mul_f32(p, x), v.mul_f32(q, i));
    let f = one_and_exp(v, f);
    let c = v.add_f32(v.div_f32(c, f), ig);
    let o = one_and_exp(v, o);
    let (p, q, x) = tanh_parts(v, c);
    (c, v.div_f32(v.mul_f32(p, x), v.mul_f32(q, o)))
}

/// The candidate of a GRU with reset after: `n_x + r n_h`, r the sigmoid of `zr`.
#[inline(always)]
pub fn gru_candidate<V: Simd<U>, const U: usize>(v: V, zr: V::F32, x: V::F32, h: V::F32) -> V::F32 {
    let r = v.one_and_exp_f32(zr);
    v.add_f32(x, v.div_f32(h, r))
}

/// The new h of a GRU, `z h + (1 - z) tanh n`, z the sigmoid of `zz`.
///
/// ```text
/// z = 1 / (1 + e^-zz)       h' = p (x (1 - z) / q) + z h       tanh n = p x / q
/// ```
/// q has fewer powers than p: the division is done while p is computed.
#[inline(always)]
pub fn gru<V: Simd<U>, const U: usize>(v: V, zz: V::F32, n: V::F32, h: V::F32) -> V::F32 {
    let one = v.splat_f32(1.0);
    let z = v.one_and_exp_f32(zz);
    let z = v.div_f32(one, z);
    let take = v.madd_f32(z, v.splat_f32(-1.0), one);
    let (p, q, x) = tanh_parts(v, n);
    let x = v.mul_f32(v.div_f32(take, q), x);
    v.madd_f32(p, x, v.mul_f32(z, h))
}

/// The cells of an LSTM that keep their activations, `T` vectors of them: the pre-activations i, f,
/// g and o of each, which become the activations, and the cell state before, which becomes the one
/// after. What comes back is its tanh.
///
/// Gate by gate, so that instructions that stand together do not wait for one another.
#[inline(always)]
pub fn lstm_recorded<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    gates: &mut [[V::F32; 4]; T],
    c: &mut [V::F32; T],
) -> [V::F32; T] {
    for [i, ..] in &mut *gates {
        *i = sigmoid_f32(v, *i);
    }
    for [_, _, g, _] in &mut *gates {
        *g = tanh_f32(v, *g);
    }
    for [_, f, ..] in &mut *gates {
        *f = sigmoid_f32(v, *f);
    }
    for [.., o] in &mut *gates {
        *o = sigmoid_f32(v, *o);
    }
    for (c, [i, f, g, _]) in c.iter_mut().zip(&*gates) {
        *c = v.madd_f32(*f, *c, v.mul_f32(*i, *g));
    }
    let mut t = *c;
    for t in &mut t {
        *t = tanh_f32(v, *t);
    }
    t
}

#[cfg(test)]
mod tests;
