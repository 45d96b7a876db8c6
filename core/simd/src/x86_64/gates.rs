//! The f32 cells of an LSTM with AVX-512: fewer operations than `gates::lstm`, whose errors are
//! bounded for each activation by itself.
//!
//! ```text
//! e^-x = 2^n 2^r      n: -x log2 e rounded to a sixteenth; 2^n is one of 16 numbers, looked up by
//!                     one permutation, with an exponent
//!                     |r| <= 1/32: a polynomial of degree 3, in error by 1e-8
//! ```
//!
//! What a cell needs of a gate is its absolute error: at most 1.2e-7 (asserted below; 1.19e-7
//! found, over all f32). That of `e^-x` itself grows with x, as log2 e is one f32, to 1.3e-6 of it.

use core::arch::x86_64::*;

use crate::functions::{EXP2_NEAR, TANH_LIMIT, TANH_P, TANH_Q};

/// 1.5 * 2^19: a sum with it is rounded to a sixteenth; its low bits are the number of sixteenths.
const SIXTEENTHS: f32 = 786_432.0;

/// 2^(j/16).
const ROOTS: [f32; 16] = [
    1.0,
    1.044_273_7,
    1.090_507_7,
    1.138_788_6,
    1.189_207_1,
    1.241_857_8,
    1.296_839_6,
    1.354_255_6,
    core::f32::consts::SQRT_2,
    1.476_826_2,
    1.542_210_8,
    1.610_490_3,
    1.681_792_9,
    1.756_252_2,
    1.834_008_1,
    1.915_206_6,
];

/// [`ROOTS`], less the j that the shifted number of sixteenths has in the same place.
#[repr(align(64))]
struct Powers([u32; 16]);

static POWERS: Powers = Powers::new();

impl Powers {
    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new() -> Self {
        let mut powers = [0; 16];
        let mut j = 0;
        while j < 16 {
            powers[j] = ROOTS[j].to_bits().wrapping_sub((j as u32) << 19);
            j += 1;
        }
        Powers(powers)
    }
}

/// x, or what has its sign and the limit's size, if that is less.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn within(x: __m512, limit: f32) -> __m512 {
    // The smaller magnitude, with the sign of the first operand.
    _mm512_range_ps::<0b0010>(x, _mm512_set1_ps(limit))
}

/// 1 + e^-x for x from -87 to 87, and the value at the end of that range beyond it.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn one_and_exp<const T: usize>(mut x: [__m512; T]) -> [__m512; T] {
    let log = _mm512_set1_ps(-core::f32::consts::LOG2_E);
    let round = _mm512_set1_ps(SIXTEENTHS);
    // SAFETY: a load of 16 numbers through a reference to as many.
    let powers = unsafe { _mm512_loadu_si512(POWERS.0.as_ptr().cast()) };
    for x in &mut x {
        *x = within(*x, 87.0);
    }
    let mut shifted = x;
    for shifted in &mut shifted {
        *shifted = _mm512_fmadd_ps(*shifted, log, round);
    }
    let mut r = x;
    for (r, &shifted) in r.iter_mut().zip(&shifted) {
        *r = _mm512_fmsub_ps(*r, log, _mm512_sub_ps(shifted, round));
    }
    let mut p = polynomial(EXP2_NEAR, r);
    for ((p, r), shifted) in p.iter_mut().zip(r).zip(shifted) {
        let sixteenths = _mm512_castps_si512(shifted);
        let power = _mm512_permutexvar_epi32(sixteenths, powers);
        let power = _mm512_add_epi32(power, _mm512_slli_epi32::<19>(sixteenths));
        let power = _mm512_castsi512_ps(power);
        let one_and = _mm512_add_ps(power, _mm512_set1_ps(1.0));
        *p = _mm512_fmadd_ps(*p, _mm512_mul_ps(power, r), one_and);
    }
    p
}

/// p x and q, of tanh x = p x / q: the function of `tanh_parts` in `gates.rs`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn tanh_parts<const T: usize>(mut x: [__m512; T]) -> [[__m512; T]; 2] {
    for x in &mut x {
        *x = within(*x, TANH_LIMIT);
    }
    let mut s = x;
    for s in &mut s {
        *s = _mm512_mul_ps(*s, *s);
    }
    let mut p = polynomial(TANH_P, s);
    let q = polynomial(TANH_Q, s);
    for (p, x) in p.iter_mut().zip(x) {
        *p = _mm512_mul_ps(*p, x);
    }
    [p, q]
}

/// A polynomial, the highest power first, by Horner's rule.
#[inline]
#[target_feature(enable = "avx512f")]
fn polynomial<const N: usize, const T: usize>(of: [f32; N], x: [__m512; T]) -> [__m512; T] {
    let mut p = [_mm512_setzero_ps(); T];
    let mut first = true;
    for of in of {
        for (p, &x) in p.iter_mut().zip(&x) {
            *p = if first {
                _mm512_set1_ps(of)
            } else {
                _mm512_fmadd_ps(*p, x, _mm512_set1_ps(of))
            };
        }
        first = false;
    }
    p
}

/// The cells of `T` vectors, operation by operation, so that none waits for the one before: as
/// `gates::lstm`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn lstm<const T: usize>(
    gates: [[__m512; 4]; T],
    mut c: [__m512; T],
) -> [[__m512; T]; 2] {
    let (mut i, mut f, mut g, mut o) = (c, c, c, c);
    let each = i.iter_mut().zip(&mut f).zip(g.iter_mut().zip(&mut o));
    for (((i, f), (g, o)), gates) in each.zip(gates) {
        [*i, *f, *g, *o] = gates;
    }
    let f = one_and_exp(f);
    let i = one_and_exp(i);
    let [p, q] = tanh_parts(g);
    for ((c, f), ((p, q), i)) in c.iter_mut().zip(f).zip(p.into_iter().zip(q).zip(i)) {
        let ig = _mm512_div_ps(p, _mm512_mul_ps(q, i));
        *c = _mm512_add_ps(_mm512_div_ps(*c, f), ig);
    }
    let o = one_and_exp(o);
    let [p, q] = tanh_parts(c);
    let mut h = p;
    for (h, (q, o)) in h.iter_mut().zip(q.into_iter().zip(o)) {
        *h = _mm512_div_ps(*h, _mm512_mul_ps(q, o));
    }
    [c, h]
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn roots_are_the_nearest_numbers() {
        for (j, root) in ROOTS.into_iter().enumerate() {
            assert_eq!(root, (j as f64 / 16.0).exp2() as f32, "{j}");
        }
    }

    /// The largest errors of `1 + e^-x` over vectors `share`, `share + shares`, and so on, of every
    /// `step`-th f32: that of the sigmoid it is for, and its own, relative.
    #[target_feature(enable = "avx512f,avx512dq")]
    fn largest_errors(step: usize, share: usize, shares: usize) -> [f64; 2] {
        let mut worst = [0.0_f64; 2];
        for bits in ((share * step * 16) as u32..=u32::MAX).step_by(step * 16 * shares) {
            let x: [f32; 16] = core::array::from_fn(|lane| {
                let x = f32::from_bits(bits.wrapping_add((lane * step) as u32));
                if x.is_nan() { 0.0 } else { x }
            });
            // SAFETY: a load of 16 numbers through a reference to as many.
            let [found] = one_and_exp([unsafe { _mm512_loadu_ps(x.as_ptr()) }]);
            let mut y = [0.0; 16];
            // SAFETY: a store of 16 numbers through a reference to as many.
            unsafe { _mm512_storeu_ps(y.as_mut_ptr(), found) };
            for (x, y) in x.into_iter().zip(y) {
                let exact = 1.0 + (-f64::from(x).clamp(-87.0, 87.0)).exp();
                let y = f64::from(y);
                worst[0] = worst[0].max((1.0 / y - 1.0 / exact).abs());
                worst[1] = worst[1].max((y / exact - 1.0).abs());
            }
        }
        worst
    }

    fn check(step: usize) {
        if crate::x86_64::Avx512::new().is_none() {
            std::println!("skipped: this machine lacks AVX-512");
            return;
        }
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let found = std::thread::scope(|scope| {
            let shares: std::vec::Vec<_> = (0..threads)
                .map(|share| {
                    // SAFETY: the machine has the instructions.
                    scope.spawn(move || unsafe { largest_errors(step, share, threads) })
                })
                .collect();
            let found = shares.into_iter().map(|share| share.join().unwrap());
            found.fold([0.0_f64; 2], |a, b| [a[0].max(b[0]), a[1].max(b[1])])
        });
        std::println!("sigmoid {:e}, 1 + e^-x {:e} of itself", found[0], found[1]);
        assert!(found[0] <= 1.2e-7 && found[1] <= 1.3e-6, "{found:?}");
    }

    #[test]
    fn errors_on_a_coarse_sweep() {
        check(9_973);
    }

    #[test]
    #[ignore = "all 2^32 values of f32: `cargo test --release -- --ignored exhaustive`"]
    fn errors_exhaustive() {
        check(1);
    }
}
