//! A complex FFT in 32 bits, radix 4, in place.
//!
//! ```text
//! Z[k] = sum_n z[n] e^(-2 pi i k n / N)                                  z in bit-reversed order
//! of four transforms of q points each, y0 y2 y1 y3 side by side, with W = e^(-2 pi i j / 4q):
//!   a = y0[j]   b = W y1[j]   c = W^2 y2[j]   d = W^3 y3[j]
//!   Z[j] = (a + c) + (b + d)   Z[j + q] = (a - c) - i (b - d)   Z[j + 2q], Z[j + 3q]: signs turned
//! ```
//! There is no scaling: 32 bits have room for the sum of all samples of the longest frame, with six
//! bits behind the point. So the rounding errors stay below those of the samples themselves.

use super::wave::{TURN, cosine, half_product, sine};

/// A complex number.
pub(super) type Complex = [i32; 2];

/// Half of a number turned back by `k / 1024` turns.
#[inline(always)]
pub(super) fn half_turned([re, im]: Complex, k: usize) -> Complex {
    let (cos, sin) = (cosine(k), sine(k));
    [
        half_product(re, cos) + half_product(im, sin),
        half_product(im, cos) - half_product(re, sin),
    ]
}

/// The transform. `z: [N]`, a power of two from 2 to 1024.
pub(super) fn transform(z: &mut [Complex]) {
    let mut points = 1;
    if z.len().trailing_zeros() % 2 == 1 {
        for [a, b] in z.as_chunks_mut::<2>().0 {
            let ([ar, ai], [br, bi]) = (*a, *b);
            (*a, *b) = ([ar + br, ai + bi], [ar - br, ai - bi]);
        }
        points = 2;
    } else {
        for [y0, y2, y1, y3] in z.as_chunks_mut::<4>().0 {
            (*y0, *y2, *y1, *y3) = fourth(*y0, *y1, *y2, *y3);
        }
        points *= 4;
    }
    while points < z.len() {
        combine(z, points);
        points *= 4;
    }
}

/// A transform of four points: those of a quarter each.
#[inline(always)]
fn fourth(a: Complex, b: Complex, c: Complex, d: Complex) -> (Complex, Complex, Complex, Complex) {
    let (s, t) = ([a[0] + c[0], a[1] + c[1]], [a[0] - c[0], a[1] - c[1]]);
    let (u, v) = ([b[0] + d[0], b[1] + d[1]], [b[0] - d[0], b[1] - d[1]]);
    (
        [s[0] + u[0], s[1] + u[1]],
        [t[0] + v[1], t[1] - v[0]],
        [s[0] - u[0], s[1] - u[1]],
        [t[0] - v[1], t[1] + v[0]],
    )
}

/// Makes transforms of four times as many points out of those of `points`. The two passes are
/// functions of their own: a Cortex-M has registers for one of them.
fn combine(z: &mut [Complex], points: usize) {
    let step = TURN / 4 / points.max(1);
    // By hand: chunks of a length that the compiler does not know to be above 0 can panic.
    let mut rest = z;
    while let Some((all, more)) = rest.split_at_mut_checked(4 * points) {
        if all.is_empty() {
            return;
        }
        rest = more;
        let (first, second) = all.split_at_mut_checked(2 * points).unwrap_or_default();
        let (y0, y2) = first.split_at_mut_checked(points).unwrap_or_default();
        let (y1, y3) = second.split_at_mut_checked(points).unwrap_or_default();
        odd(y1, y3, step);
        all_four([y0, y2, y1, y3], step);
    }
}

/// Half of b + d in place of y1, and of b - d in place of y3.
#[inline(never)]
fn odd(y1: &mut [Complex], y3: &mut [Complex], step: usize) {
    let mut k = 0;
    for (y1, y3) in y1.iter_mut().zip(y3) {
        let ([br, bi], [dr, di]) = (half_turned(*y1, k), half_turned(*y3, 3 * k));
        (*y1, *y3) = ([br + dr, bi + di], [br - dr, bi - di]);
        k += step;
    }
}

/// The transform, from y0, y2 and what [`odd`] has made.
#[inline(never)]
fn all_four([y0, y2, y1, y3]: [&mut [Complex]; 4], step: usize) {
    let mut k = 0;
    for (((z0, z1), z2), z3) in y0.iter_mut().zip(y2).zip(y1).zip(y3) {
        let ([ar, ai], [cr, ci]) = (*z0, half_turned(*z1, k));
        let ([ur, ui], [vr, vi]) = (*z2, *z3);
        let (sr, si) = (ar + (cr << 1), ai + (ci << 1));
        let (tr, ti) = (ar - (cr << 1), ai - (ci << 1));
        *z0 = [sr + (ur << 1), si + (ui << 1)];
        *z2 = [sr - (ur << 1), si - (ui << 1)];
        *z1 = [tr + (vi << 1), ti - (vr << 1)];
        *z3 = [tr - (vi << 1), ti + (vr << 1)];
        k += 2 * step;
    }
}
