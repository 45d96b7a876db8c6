//! Sigmoid and tanh in f32 by one power of two, for an FPU with fused multiply-add
//! (`arch/arm/fpu.S`).
//!
//! ```text
//! y   = offset + numerator / (1 + 2^t)      t = scale x
//! 2^t = 2^n p(t - n)                        n = round(t), within -64..=63; p: `EXP2`
//! ```
//!
//! A gate is read by its absolute error, so `t` is one rounded product and p a polynomial of degree
//! 5, where `exp_f32` reduces its argument in two parts. The error of `t` grows with |x|, and 1 /
//! (1 + 2^t) flattens faster. Both curves have their exact value at 0. x is below 2^29 in
//! magnitude, which every pre-activation is (docs/numerics.md).
//!
//! Largest absolute errors over all such x: sigmoid 1.1e-7, tanh 2.1e-7; of an LSTM's c and h from
//! f64, 5e-7 (1 + |c|) and 5e-7.

/// What makes a gate of a power of two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    pub(crate) scale: f32,
    pub(crate) numerator: f32,
    pub(crate) offset: f32,
}

/// `1 / (1 + e^-x)`.
pub(crate) const SIGMOID: Curve = Curve {
    scale: -core::f32::consts::LOG2_E,
    numerator: 1.0,
    offset: 0.0,
};

/// `tanh x = 2 / (1 + e^-2x) - 1`.
pub(crate) const TANH: Curve = Curve {
    scale: -2.0 * core::f32::consts::LOG2_E,
    numerator: 2.0,
    offset: -1.0,
};

#[cfg(test)]
mod tests {
    extern crate std;
    use gatelet_simd::functions::EXP2;

    use super::*;

    /// x below it in magnitude.
    const LIMIT: f32 = (1 << 29) as f32;

    /// `2^t`, operation by operation as the FPU does it.
    fn exp2(t: f32) -> f32 {
        let n = t.round_ties_even();
        let r = t - n;
        let (low, p) = (EXP2.iter().rev().skip(1), EXP2[5]);
        let p = low.fold(p, |p, &c| p.mul_add(r, c));
        let n = (n as i32).clamp(-64, 63);
        f32::from_bits(p.to_bits().wrapping_add((n as u32) << 23))
    }

    fn gate(curve: Curve, x: f32) -> f32 {
        curve.numerator / (1.0 + exp2(x * curve.scale)) + curve.offset
    }

    /// `gatelet_fpu_lstm`: c' and h'.
    fn cell([i, f, g, o]: [f32; 4], c: f32) -> (f32, f32) {
        let [i, f, o] = [i, f, o].map(|z| 1.0 + exp2(z * SIGMOID.scale));
        let g = exp2(g * TANH.scale);
        let c = c / f + (1.0 - g) / (i * (1.0 + g));
        let e = exp2(c * TANH.scale);
        (c, (1.0 - e) / (o * (1.0 + e)))
    }

    /// Largest absolute errors of sigmoid and tanh over every `step`th f32; a hash of all results.
    fn sweep(step: usize) -> ([f64; 2], u64) {
        let (mut worst, mut hash) = ([0.0_f64; 2], crate::StateHash::new());
        for bits in (0..=u32::MAX).step_by(step) {
            let x = f32::from_bits(bits);
            if x.is_nan() || x.abs() >= LIMIT {
                continue;
            }
            let found = [gate(SIGMOID, x), gate(TANH, x)];
            let e = f64::from(x);
            let exact = [1.0 / (1.0 + (-e).exp()), e.tanh()];
            for ((worst, found), exact) in worst.iter_mut().zip(found).zip(exact) {
                hash.update(&found.to_le_bytes());
                *worst = worst.max((f64::from(found) - exact).abs());
            }
        }
        (worst, hash.finish())
    }

    /// Every 65,521st f32: the hash is the one that the boards must print (`cargo xtask test --only
    /// FPU`).
    #[test]
    fn errors_on_a_coarse_sweep() {
        let ([sigmoid, tanh], hash) = sweep(65_521);
        assert!(sigmoid <= 1.1e-7 && tanh <= 2.1e-7, "{sigmoid} {tanh}");
        assert_eq!(hash, 0xf0b5_db46_d96b_2423, "{hash:#018x}");
    }

    #[test]
    #[ignore = "exhaustive: all 2^32 values of f32, minutes; run with `cargo test --release -- --ignored exhaustive`"]
    fn exp2_errors_exhaustive() {
        let ([sigmoid, tanh], _) = sweep(1);
        std::println!("largest absolute errors: sigmoid {sigmoid:.4e}, tanh {tanh:.4e}");
        assert!(sigmoid <= 1.1e-7 && tanh <= 2.1e-7);
    }

    #[test]
    fn exact_at_zero_and_at_the_ends() {
        assert_eq!((gate(SIGMOID, 0.0), gate(TANH, 0.0)), (0.5, 0.0));
        for x in [9.02, 17.4, 60.0, 1e6, LIMIT] {
            assert_eq!((gate(TANH, x), gate(TANH, -x)), (1.0, -1.0), "{x}");
        }
        assert_eq!(gate(SIGMOID, LIMIT), 1.0);
        assert!(gate(SIGMOID, -LIMIT) < 2e-19);
    }

    /// Gates from -100 to 100 and c from -40 to 40, saturated ones too.
    #[test]
    fn cells_follow_f64() {
        let mut seed = 1_u32;
        let mut random = |most: f64| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = f64::from(seed >> 8) / f64::from(1 << 23) - 1.0;
            (unit.powi(3) * most) as f32
        };
        let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
        let mut worst = [0.0_f64; 2];
        for _ in 0..200_000 {
            let z = [0; 4].map(|_| random(100.0));
            let c = random(40.0);
            let (next, h) = cell(z, c);
            let exact = sigmoid(z[1]) * f64::from(c) + sigmoid(z[0]) * f64::from(z[2]).tanh();
            let of_c = (f64::from(next) - exact).abs() / (1.0 + exact.abs());
            let of_h = (f64::from(h) - sigmoid(z[3]) * exact.tanh()).abs();
            worst = [worst[0].max(of_c), worst[1].max(of_h)];
        }
        assert!(worst[0] <= 5e-7 && worst[1] <= 5e-7, "{worst:?}");
        // A gate that is shut and one that is open, in f32: c stays what it is.
        for c in [1.0, -0.3, 17.0, 1e-3] {
            assert_eq!(cell([-80.0, 80.0, 1.0, 0.0], c).0, c);
        }
    }
}
