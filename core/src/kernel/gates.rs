//! Activations on vectors of rows.
//!
//! In f32 sigmoid is `1 / (1 + e^-x)` with `e^x` by Cody and Waite's reduction and the polynomial of Cephes' `expf`, as
//! in `activation.rs`. tanh is the odd rational function of degree 13 / 6 that Eigen uses: no exponential and no branch.
//! Errors, found by a sweep over all f32 (docs/numerics.md): sigmoid SIGMOID_ULP, tanh TANH_ULP.
//!
//! In fixed point it is [`piecewise`](crate::activation::piecewise), the same bits.

use crate::simd::Lanes;

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid_f32<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    let one = v.splat_f32(1.0);
    v.div_f32(one, v.add_f32(one, exp_of_negative(v, x)))
}

/// e^-x for x from -88 to 87, and the value at the end of that range beyond it.
#[inline(always)]
fn exp_of_negative<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    // As in activation.rs, with the sign of x taken into the constants.
    const ROUND: f32 = 12_582_912.0;
    let x = v.min_f32(v.max_f32(x, v.splat_f32(-88.0)), v.splat_f32(87.0));
    let n = v.madd_f32(
        x,
        v.splat_f32(-core::f32::consts::LOG2_E),
        v.splat_f32(ROUND),
    );
    let n = v.add_f32(n, v.splat_f32(-ROUND));
    // r = -x - n ln 2
    let r = v.madd_f32(n, v.splat_f32(0.693_359_4), x);
    let r = v.madd_f32(n, v.splat_f32(-2.121_944_4e-4), r);
    let r = v.mul_f32(r, v.splat_f32(-1.0));
    let p = v.splat_f32(1.987_569_1e-4);
    let p = v.madd_f32(p, r, v.splat_f32(1.398_199_9e-3));
    let p = v.madd_f32(p, r, v.splat_f32(8.333_452e-3));
    let p = v.madd_f32(p, r, v.splat_f32(4.166_579_6e-2));
    let p = v.madd_f32(p, r, v.splat_f32(1.666_666_5e-1));
    let p = v.madd_f32(p, r, v.splat_f32(0.5));
    let p = v.madd_f32(p, v.mul_f32(r, r), r);
    let p = v.add_f32(p, v.splat_f32(1.0));
    v.mul_f32(p, v.exp2(n))
}

/// tanh x.
#[inline(always)]
pub(crate) fn tanh_f32<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    // Eigen 3.4, generic_fast_tanh_float: beyond the limit the quotient rounds to 1.
    const LIMIT: f32 = 7.905_311;
    let x = v.min_f32(v.max_f32(x, v.splat_f32(-LIMIT)), v.splat_f32(LIMIT));
    let s = v.mul_f32(x, x);
    let p = v.splat_f32(-2.760_768_5e-16);
    let p = v.madd_f32(p, s, v.splat_f32(2.000_187_9e-13));
    let p = v.madd_f32(p, s, v.splat_f32(-8.604_672e-11));
    let p = v.madd_f32(p, s, v.splat_f32(5.122_297_1e-8));
    let p = v.madd_f32(p, s, v.splat_f32(1.485_722_4e-5));
    let p = v.madd_f32(p, s, v.splat_f32(6.372_619_3e-4));
    let p = v.madd_f32(p, s, v.splat_f32(4.893_525e-3));
    let q = v.splat_f32(1.198_258_4e-6);
    let q = v.madd_f32(q, s, v.splat_f32(1.185_347_1e-4));
    let q = v.madd_f32(q, s, v.splat_f32(2.268_434_6e-3));
    let q = v.madd_f32(q, s, v.splat_f32(4.893_525e-3));
    v.div_f32(v.mul_f32(p, x), q)
}

/// A segment table at `z` (Q3.12, in the range of int16): see [`piecewise`](crate::activation::piecewise).
#[inline(always)]
pub(crate) fn piecewise<V: Lanes<U>, const U: usize, const N: usize>(
    v: V,
    table: &[u32; 256],
    z: [V::I32; N],
) -> [V::I32; N] {
    let mut y = z;
    for (y, segment) in y.iter_mut().zip(v.segments(table, z)) {
        // A slope is at least 0 and below 2^15.
        let slope = v.low_half(segment);
        *y = v.shr_i32(v.add_i32(v.mul_i16(slope, *y), segment), 16);
    }
    y
}
