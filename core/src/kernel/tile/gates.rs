//! Activations on vectors of rows.
//!
//! In f32 sigmoid is `1 / (1 + e^-x)` with `e^x` by Cody and Waite's reduction and the polynomial of Cephes' `expf`, as
//! in `activation.rs`. tanh is the odd rational function of degree 13 / 6 that Eigen uses: no exponential and no branch.
//! The largest errors over all f32 are asserted by the tests below: sigmoid 3 ULP (2.49 found), tanh 7 (6.02).
//!
//! In fixed point an instruction set has its own [`Lanes::piecewise`], the same bits on all.

use super::lanes::{Lanes, ROUND};

/// 1 / (1 + e^-x); at most 3 ULP, and below 1e-37 for x below -87.
#[inline(always)]
pub(crate) fn sigmoid_f32<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    let one = v.splat_f32(1.0);
    v.div_f32(one, v.add_f32(one, exp_of_negative(v, x, -88.0, 87.0)))
}

/// e^-x for x from `low` to `high`, and the value at the end of that range beyond it.
#[inline(always)]
fn exp_of_negative<V: Lanes<U>, const U: usize>(v: V, x: V::F32, low: f32, high: f32) -> V::F32 {
    // As in activation.rs, with the sign of x taken into the constants.
    let x = v.min_f32(v.max_f32(x, v.splat_f32(low)), v.splat_f32(high));
    let shifted = v.madd_f32(
        x,
        v.splat_f32(-core::f32::consts::LOG2_E),
        v.splat_f32(ROUND),
    );
    let n = v.add_f32(shifted, v.splat_f32(-ROUND));
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
    v.scale(p, shifted)
}

/// tanh x; at most 7 ULP. Odd.
#[inline(always)]
pub(crate) fn tanh_f32<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> V::F32 {
    let (p, q, x) = tanh_parts(v, x);
    // Not p x / q: that would lose the last bits of a very small x.
    v.mul_f32(v.div_f32(p, q), x)
}

/// Beyond it tanh rounds to 1 (Eigen 3.4, `generic_fast_tanh_float`).
pub(crate) const TANH_LIMIT: f32 = 7.905_311;
/// p of tanh x = p x / q: coefficients of the powers of x^2, the highest first.
pub(crate) const TANH_P: [f32; 7] = [
    -2.760_768_5e-16,
    2.000_188e-13,
    -8.604_672e-11,
    5.122_297_1e-8,
    1.485_722_4e-5,
    6.372_619_3e-4,
    4.893_525e-3,
];
/// q, as [`TANH_P`].
pub(crate) const TANH_Q: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];

/// p, q and x within the limit, of tanh x = p x / q; q is from 0.004 to 0.9.
#[inline(always)]
fn tanh_parts<V: Lanes<U>, const U: usize>(v: V, x: V::F32) -> (V::F32, V::F32, V::F32) {
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
fn polynomial<V: Lanes<U>, const U: usize, const N: usize>(
    v: V,
    of: [f32; N],
    x: V::F32,
) -> V::F32 {
    let mut of = of.into_iter();
    let mut p = v.splat_f32(of.next().unwrap_or_default());
    for of in of {
        p = v.madd_f32(p, x, v.splat_f32(of));
    }
    p
}

/// The cells of an LSTM where only c and h are asked for: three divisions in place of five.
///
/// ```text
/// c = f c + i g = c / (1 + e^-zf) + p x / (q (1 + e^-zi))      tanh zg = p x / q
/// h = o tanh c  = p x / (q (1 + e^-zo))                        tanh c  = p x / q
/// ```
///
/// `gates`: the pre-activations zi, zf, zg and zo; `c`: the cell state before. The cell state after, and h.
#[inline(always)]
pub(crate) fn cell_f32<V: Lanes<U>, const U: usize>(
    v: V,
    [i, f, g, o]: [V::F32; 4],
    c: V::F32,
) -> (V::F32, V::F32) {
    let one = v.splat_f32(1.0);
    let i = v.add_f32(one, exp_of_negative(v, i, -87.0, 87.0));
    let (p, q, x) = tanh_parts(v, g);
    let ig = v.div_f32(v.mul_f32(p, x), v.mul_f32(q, i));
    let f = v.add_f32(one, exp_of_negative(v, f, -87.0, 87.0));
    let c = v.add_f32(v.div_f32(c, f), ig);
    let o = v.add_f32(one, exp_of_negative(v, o, -87.0, 87.0));
    let (p, q, x) = tanh_parts(v, c);
    (c, v.div_f32(v.mul_f32(p, x), v.mul_f32(q, o)))
}

/// The cells of an LSTM, `T` vectors of them: the pre-activations i, f, g and o of each, which become the activations, and the
/// cell state before, which becomes the one after; its tanh.
///
/// Gate by gate, so that instructions that stand together do not wait for one another.
#[inline(always)]
pub(crate) fn cells_f32<V: Lanes<U>, const U: usize, const T: usize>(
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
mod tests {
    extern crate std;
    use super::*;
    use crate::activation::Function;

    /// Runs a check with the vectors of every instruction set of this machine.
    macro_rules! on_every_isa {
        ($check:ident $(, $argument:expr)*) => {
            #[cfg(target_arch = "x86_64")]
            {
                use crate::arch::x86_64::{Avx2, Avx512, AvxVnni};
                Avx2::new().into_iter().for_each(|v| $check::<_, 8>(v $(, $argument)*));
                AvxVnni::new().into_iter().for_each(|v| $check::<_, 8>(v $(, $argument)*));
                Avx512::new().into_iter().for_each(|v| $check::<_, 16>(v $(, $argument)*));
            }
            #[cfg(target_arch = "aarch64")]
            crate::arch::aarch64::Neon::new().into_iter().for_each(|v| $check::<_, 4>(v $(, $argument)*));
            #[cfg(all(target_arch = "aarch64", target_feature = "dotprod"))]
            crate::arch::aarch64::NeonDot::new().into_iter().for_each(|v| $check::<_, 4>(v $(, $argument)*));
        };
    }

    fn all_inputs<V: Lanes<U>, const U: usize>(v: V) {
        for function in [Function::Sigmoid, Function::Tanh] {
            for start in (0..1 << 16).step_by(U) {
                let inputs: [i16; U] = core::array::from_fn(|lane| {
                    i16::MIN.wrapping_add((start + lane) as u16 as i16)
                });
                let mut found = [0; U];
                // Three vectors: of 16 lanes a kernel may take two together.
                let backwards = inputs.map(|z| !z);
                let z = [inputs, backwards, inputs];
                let y = v.piecewise(function, z.map(|z| v.load_i16(&z)));
                for (inputs, y) in z.into_iter().zip(y) {
                    v.store_i32(y, &mut found);
                    for (z, y) in inputs.into_iter().zip(found) {
                        let table = function.table();
                        assert_eq!(y, crate::activation::piecewise(table, z).into(), "{z}");
                    }
                }
            }
        }
    }

    #[test]
    fn fixed_point_is_the_same_for_all_inputs() {
        on_every_isa!(all_inputs);
    }

    /// c and h of a cell, beside those of f64: for pre-activations that saturate too, and c of some size.
    fn cells<V: Lanes<U>, const U: usize>(v: V) {
        let z = [
            -300.0_f32, -88.0, -20.0, -3.1, -0.4, 0.0, 1e-3, 0.9, 4.2, 17.0, 88.5, 1e4,
        ];
        let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
        for before in [-1e3_f32, -7.5, -0.3, 0.0, 1e-6, 2.0, 40.0] {
            let all = z.iter().flat_map(|i| z.iter().map(move |f| (*i, *f)));
            for ((i, f), (g, o)) in all.clone().flat_map(|a| all.clone().map(move |b| (a, b))) {
                let gates = [i, f, g, o].map(|z| v.splat_f32(z));
                let [[c], [h]] = v.cells([gates], [v.splat_f32(before)]);
                let mut found = [[0.0; U]; 2];
                v.store_f32(c, &mut found[0]);
                v.store_f32(h, &mut found[1]);
                let c = sigmoid(f) * f64::from(before) + sigmoid(i) * f64::from(g).tanh();
                let h = sigmoid(o) * c.tanh();
                let off = found.map(|lanes| f64::from(lanes[U - 1]));
                let bounds = [1e-6 * (1.0 + f64::from(before).abs()), 1e-6];
                let [c_off, h_off] = [(off[0] - c).abs(), (off[1] - h).abs()];
                assert!(
                    c_off <= bounds[0] && h_off <= bounds[1],
                    "{i} {f} {g} {o}, {before}: {off:?}, not {c} and {h}"
                );
                if i <= -88.0 && f >= 88.0 && before != 0.0 {
                    assert_eq!(off[0], f64::from(before), "nothing comes in, nothing goes");
                }
            }
        }
    }

    #[test]
    fn a_cell_is_that_of_f64_and_keeps_what_nothing_changes() {
        on_every_isa!(cells);
    }

    /// Distance in units of the last place of the exact result.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        let ulp = f64::from(f32::from_bits(rounded.abs().to_bits() + 1)) - f64::from(rounded.abs());
        (f64::from(found) - exact).abs() / ulp
    }

    /// The largest errors of sigmoid and tanh over every `step`-th f32, on all threads of this machine.
    fn sweep<V: Lanes<U> + Send, const U: usize>(v: V, step: usize) {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let (sigmoid, tanh) = std::thread::scope(|scope| {
            let shares: std::vec::Vec<_> = (0..threads)
                .map(|share| scope.spawn(move || largest_errors(v, step, share, threads)))
                .collect();
            let worst = |a: (f64, f64), b: (f64, f64)| (a.0.max(b.0), a.1.max(b.1));
            let found = shares.into_iter().map(|share| share.join().unwrap());
            found.fold((0.0, 0.0), worst)
        });
        let isa = core::any::type_name::<V>();
        std::println!("{isa}: sigmoid {sigmoid:.3} ULP, tanh {tanh:.3} ULP");
        assert!(
            sigmoid <= SIGMOID_ULP && tanh <= TANH_ULP,
            "{sigmoid} {tanh}"
        );
    }

    /// Those of the vectors `share`, `share + shares`, and so on, of the sweep.
    fn largest_errors<V: Lanes<U>, const U: usize>(
        v: V,
        step: usize,
        share: usize,
        shares: usize,
    ) -> (f64, f64) {
        let (mut sigmoid, mut tanh) = (0.0_f64, 0.0_f64);
        for first in ((share * step * U) as u32..=u32::MAX).step_by(step * U * shares) {
            let x: [f32; U] = core::array::from_fn(|lane| {
                let x = f32::from_bits(first.wrapping_add((lane * step) as u32));
                if x.is_finite() { x } else { 0.0 }
            });
            let (mut s, mut t) = ([0.0; U], [0.0; U]);
            v.store_f32(sigmoid_f32(v, v.load_f32(&x)), &mut s);
            v.store_f32(tanh_f32(v, v.load_f32(&x)), &mut t);
            for (x, (s, t)) in x.into_iter().zip(s.into_iter().zip(t)) {
                let e = f64::from(x);
                if x > -87.0 {
                    sigmoid = sigmoid.max(ulps(s, 1.0 / (1.0 + (-e).exp())));
                } else {
                    assert!((0.0..1e-37).contains(&s), "{x}: {s}");
                }
                tanh = tanh.max(ulps(t, e.tanh()));
                assert!((-1.0..=1.0).contains(&t), "{x}: {t}");
            }
        }
        (sigmoid, tanh)
    }

    const SIGMOID_ULP: f64 = 3.0;
    const TANH_ULP: f64 = 7.0;

    #[test]
    fn f32_errors_on_a_coarse_sweep() {
        on_every_isa!(sweep, 9_973);
    }

    #[test]
    #[ignore = "exhaustive: all 2^32 values of f32, minutes; run with `cargo test --release -- --ignored exhaustive`"]
    fn f32_errors_exhaustive() {
        on_every_isa!(sweep, 1);
    }

    /// sigmoid and tanh of `first`, `first + step`, and so on, 16 values of f32 by their bits.
    #[cfg(target_arch = "x86_64")]
    fn sixteen<V: Lanes<U>, const U: usize>(v: V, first: u32, step: u32) -> [[f32; 16]; 2] {
        let mut found = [[0.0; 16]; 2];
        for start in (0..16).step_by(U) {
            let x: [f32; U] = core::array::from_fn(|lane| {
                f32::from_bits(first.wrapping_add((start + lane) as u32 * step))
            });
            let [s, t] = &mut found;
            let mut y = [0.0; U];
            v.store_f32(sigmoid_f32(v, v.load_f32(&x)), &mut y);
            s[start..start + U].copy_from_slice(&y);
            v.store_f32(tanh_f32(v, v.load_f32(&x)), &mut y);
            t[start..start + U].copy_from_slice(&y);
        }
        found
    }

    /// AVX-512 and AVX2 do the same operations, so errors found with one are those of the other.
    #[cfg(target_arch = "x86_64")]
    fn avx512_has_the_bits_of_avx2(step: u32) {
        use crate::arch::x86_64::{Avx2, Avx512};
        let (Some(narrow), Some(wide)) = (Avx2::new(), Avx512::new()) else {
            std::println!("skipped: this machine lacks AVX-512");
            return;
        };
        for first in (0..=u32::MAX).step_by(step as usize * 16) {
            let a = sixteen::<_, 8>(narrow, first, step);
            let b = sixteen::<_, 16>(wide, first, step);
            for (a, b) in a.as_flattened().iter().zip(b.as_flattened()) {
                assert!(
                    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
                    "at {first:#x}: {a} {b}"
                );
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn f32_bits_on_a_coarse_sweep() {
        avx512_has_the_bits_of_avx2(9_973);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    #[ignore = "exhaustive: all 2^32 values of f32; run with `cargo test --release -- --ignored exhaustive`"]
    fn f32_bits_exhaustive() {
        avx512_has_the_bits_of_avx2(1);
    }
}
