extern crate std;
use super::*;
use crate::functions;
use crate::isa::Isa;
use crate::simd::WithSimd;

/// Runs a check with the vectors of every instruction set of this machine.
macro_rules! on_every_isa {
    ($check:ident $(, $argument:expr)*) => {{
        struct Check;
        impl WithSimd for Check {
            type Output = ();
            #[inline(always)]
            fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
                $check::<V, U>(v $(, $argument)*);
            }
        }
        Isa::available().for_each(|isa| isa.run(Check));
    }};
}

/// Every word of a table is found, whatever stands above the low byte.
#[inline(always)]
fn looked_up<V: Simd<U>, const U: usize>(v: V) {
    let table: [u32; 256] = core::array::from_fn(|index| (index as u32).wrapping_mul(0x9e37_79b9));
    for start in (-4096..4096).step_by(U) {
        let index: [i32; U] = core::array::from_fn(|lane| start + lane as i32);
        let mut found = [0; U];
        v.store_i32(v.look_up(&table, v.load_i32(&index)), &mut found);
        assert_eq!(found, index.map(|i| table[usize::from(i as u8)] as i32));
    }
}

#[test]
fn tables_are_looked_up_by_the_low_byte() {
    on_every_isa!(looked_up);
}

/// c and h of a cell, beside those of f64: for pre-activations that saturate too, and c of some
/// size.
#[inline(always)]
fn cells<V: Simd<U>, const U: usize>(v: V) {
    let z = [
        -300.0_f32, -88.0, -20.0, -3.1, -0.4, 0.0, 1e-3, 0.9, 4.2, 17.0, 88.5, 1e4,
    ];
    let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
    for before in [-1e3_f32, -7.5, -0.3, 0.0, 1e-6, 2.0, 40.0] {
        let all = z.iter().flat_map(|i| z.iter().map(move |f| (*i, *f)));
        for ((i, f), (g, o)) in all.clone().flat_map(|a| all.clone().map(move |b| (a, b))) {
            let gates = [i, f, g, o].map(|z| v.splat_f32(z));
            let [[c], [h]] = v.lstm_f32([gates], [v.splat_f32(before)]);
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
#[inline(always)]
fn sweep<V: Simd<U>, const U: usize>(v: V, step: usize) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let (sigmoid, tanh) = std::thread::scope(|scope| {
        let shares: std::vec::Vec<_> = (0..threads)
            .map(|share| LargestErrors {
                step,
                share,
                shares: threads,
            })
            .map(|errors| scope.spawn(move || v.run(errors)))
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
struct LargestErrors {
    step: usize,
    share: usize,
    shares: usize,
}

impl WithSimd for LargestErrors {
    type Output = (f64, f64);
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) -> (f64, f64) {
        let Self {
            step,
            share,
            shares,
        } = self;
        let (mut sigmoid, mut tanh) = (0.0_f64, 0.0_f64);
        for first in ((share * step * U) as u32..=u32::MAX).step_by(step * U * shares) {
            let mut x = [0.0; U];
            for (lane, x) in x.iter_mut().enumerate() {
                let any = f32::from_bits(first.wrapping_add((lane * step) as u32));
                *x = if any.is_finite() { any } else { 0.0 };
            }
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
}

const SIGMOID_ULP: f64 = 3.0;
const TANH_ULP: f64 = 7.0;

#[test]
fn f32_errors_on_a_coarse_sweep() {
    on_every_isa!(sweep, 9_973);
}

#[test]
#[ignore = "all 2^32 values of f32: `cargo test --release -- --ignored exhaustive`"]
fn f32_errors_exhaustive() {
    on_every_isa!(sweep, 1);
}

/// sigmoid and tanh of `first`, `first + step`, and so on, 16 values of f32 by their bits.
#[cfg(target_arch = "x86_64")]
fn sixteen<V: Simd<U>, const U: usize>(v: V, first: u32, step: u32) -> [[f32; 16]; 2] {
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
    use crate::x86_64::{Avx2, Avx512};
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
#[ignore = "all 2^32 values of f32: `cargo test --release -- --ignored exhaustive`"]
fn f32_bits_exhaustive() {
    avx512_has_the_bits_of_avx2(1);
}

/// Some lanes, read and written: the others are zero, and what is behind them stays.
#[inline(always)]
fn parts<V: Simd<U>, const U: usize>(v: V) {
    let from: [f32; 20] = core::array::from_fn(|index| index as f32 + 1.0);
    for len in 0..=20 {
        let x = v.load_part_f32(&from[..len]);
        let mut found = [9.0; U];
        v.store_f32(x, &mut found);
        for (lane, found) in found.into_iter().enumerate() {
            let expected = if lane < len { from[lane] } else { 0.0 };
            assert_eq!(found, expected, "{len} numbers, lane {lane}");
        }
        let mut to = [-1.0; 20];
        let all: [f32; U] = core::array::from_fn(|lane| lane as f32 + 1.0);
        v.store_part_f32(v.load_f32(&all), &mut to[..len]);
        for (index, to) in to.into_iter().enumerate() {
            let written = index < len.min(U);
            let expected = if written { index as f32 + 1.0 } else { -1.0 };
            assert_eq!(to, expected, "room for {len}, number {index}");
        }
    }
}

#[test]
fn parts_of_vectors_are_read_and_written() {
    on_every_isa!(parts);
}

/// A GRU's cells beside those of f64: for pre-activations that saturate too.
#[inline(always)]
fn gru_cells<V: Simd<U>, const U: usize>(v: V) {
    let z = [
        -300.0_f32, -20.0, -3.1, -0.4, 0.0, 1e-3, 0.9, 4.2, 17.0, 1e4,
    ];
    let sigmoid = |x: f32| 1.0 / (1.0 + (-f64::from(x)).exp());
    for before in [-1.0_f32, -0.3, 0.0, 1e-6, 0.7] {
        let all = z.iter().flat_map(|i| z.iter().map(move |f| (*i, *f)));
        for ((r, update), (x, u)) in all.clone().flat_map(|a| all.clone().map(move |b| (a, b))) {
            let sums = [r, update, x, u, before].map(|z| v.splat_f32(z));
            let [of_r, of_z, of_x, of_u, h] = sums;
            let n = gru_candidate(v, of_r, of_x, of_u);
            let mut found = [0.0; U];
            v.store_f32(gru(v, of_z, n, h), &mut found);
            let n = (f64::from(x) + sigmoid(r) * f64::from(u)).tanh();
            let expected = sigmoid(update) * f64::from(before) + (1.0 - sigmoid(update)) * n;
            let off = (f64::from(found[U - 1]) - expected).abs();
            // The candidate's sum is as exact as its larger part.
            let bound = 1e-6 * (1.0 + f64::from(x.abs().max(u.abs())));
            assert!(
                off <= bound,
                "{r} {update} {x} {u} {before}: off by {off:e}"
            );
        }
    }
}

#[test]
fn gru_cells_are_those_of_f64() {
    on_every_isa!(gru_cells);
}

/// Fused or not, sigmoid and tanh are the functions of one number but for some last bits.
#[inline(always)]
fn those_of_one_number<V: Simd<U>, const U: usize>(v: V) {
    for bits in (0..=u32::MAX).step_by(65_521) {
        let x = f32::from_bits(bits);
        if !(-87.0..=87.0).contains(&x) {
            continue;
        }
        let all = v.splat_f32(x);
        let mut found = [[0.0; U]; 2];
        v.store_f32(sigmoid_f32(v, all), &mut found[0]);
        v.store_f32(tanh_f32(v, all), &mut found[1]);
        let one = [1.0 / (1.0 + functions::exp(-x)), functions::tanh(x)];
        for (found, one) in found.into_iter().zip(one) {
            let off = ulps(found[U - 1], f64::from(one));
            assert!(off <= 8.0, "{x}: {} {one}", found[U - 1]);
        }
    }
}

#[test]
fn vectors_are_the_functions_of_one_number() {
    on_every_isa!(those_of_one_number);
}
