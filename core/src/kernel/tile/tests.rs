//! What instruction sets do in a way of their own, against the specification.

extern crate std;

use super::fixed::{FixedSimd, LstmTiles};
use crate::cell::lstm::lstm_unit;
use crate::fixed::MIN_CELL_BITS;
use crate::fixed::activation::{Function, piecewise};
use crate::fixed::preactivation;

/// Runs a check with the vectors of every instruction set that is there.
macro_rules! on_every_isa {
    ($check:ident) => {{
        #[cfg(target_arch = "x86_64")]
        {
            use gatelet_simd::x86_64::{Avx2, Avx512, AvxVnni};
            Avx2::new().map($check::<_, 8>);
            AvxVnni::new().map($check::<_, 8>);
            Avx512::new().map($check::<_, 16>);
        }
        #[cfg(target_arch = "aarch64")]
        {
            use gatelet_simd::aarch64::{Neon, NeonDot};
            Neon::new().map($check::<_, 4>);
            NeonDot::new().map($check::<_, 4>);
        }
        #[cfg(target_arch = "wasm32")]
        gatelet_simd::wasm32::Simd128::new().map($check::<_, 4>);
    }};
}

fn all_inputs<V: FixedSimd<U>, const U: usize>(v: V) {
    for function in [Function::Sigmoid, Function::Tanh] {
        for start in (0..1 << 16).step_by(U) {
            let inputs: [i16; U] =
                core::array::from_fn(|lane| i16::MIN.wrapping_add((start + lane) as u16 as i16));
            let mut found = [0; U];
            // Three vectors: of 16 lanes a kernel may take two together.
            let backwards = inputs.map(|z| !z);
            let z = [inputs, backwards, inputs];
            let y = v.piecewise(function, z.map(|z| v.load_i16(&z)));
            for (inputs, y) in z.into_iter().zip(y) {
                v.store_i32(y, &mut found);
                for (z, y) in inputs.into_iter().zip(found) {
                    assert_eq!(y, piecewise(function.table(), z).into(), "{z}");
                }
            }
        }
    }
}

#[test]
fn activations_are_those_of_the_specification_for_all_inputs() {
    on_every_isa!(all_inputs);
}

/// Numbers with all bits in use.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> i32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as i32
    }

    fn tiles<const U: usize>(&mut self, bits: i32) -> [[[i32; U]; 4]; 4] {
        let mut one = || self.next() >> bits;
        [(); 4].map(|()| [(); 4].map(|()| [(); U].map(|()| one())))
    }
}

/// Integer cells of its own, if the instruction set has such.
fn integer_cells<V: FixedSimd<U>, const U: usize>(v: V) {
    let mut numbers = Numbers(3);
    for (shift, extra) in (8..=31).flat_map(|shift| (0..=4).map(move |extra| (shift, extra))) {
        // From sums that hardly move a gate to such as saturate every one.
        for width in [16, 12, 8] {
            let sums = numbers.tiles::<U>(width);
            // As large as the result's 32 bits allow.
            let positive = |m: i32| (m as u32 >> 1) as i32 >> (31 - shift);
            let multipliers = numbers.tiles::<U>(0).map(|t| t.map(|g| g.map(positive)));
            let addends = numbers
                .tiles::<U>(16)
                .map(|t| t.map(|g| g.map(|a| a as i16)));
            let [before, ..] = numbers
                .tiles::<U>(16)
                .map(|t| t.map(|g| g.map(|c| c as i16)));
            let (mut c, mut h) = (before, [[0; U]; 4]);
            let there = v.lstm_int8(LstmTiles {
                sums: &sums,
                multipliers: &multipliers,
                shift,
                addends: &addends,
                extra,
                c: &mut c,
                h: &mut h,
            });
            if !there {
                std::println!("skipped: {v:?} goes vector by vector");
                return;
            }
            for (tile, lane) in (0..4).flat_map(|tile| (0..U).map(move |lane| (tile, lane))) {
                let z = core::array::from_fn(|gate| {
                    let (sum, m) = (sums[tile][gate][lane], multipliers[tile][gate][lane]);
                    preactivation(addends[tile][gate][lane], sum, m, shift)
                });
                let mut expected = before[tile][lane];
                let unit = lstm_unit(z, &mut expected, extra + MIN_CELL_BITS);
                let found = (c[tile][lane], h[tile][lane]);
                let expected = (expected, unit.h);
                assert_eq!(found, expected, "shift {shift}, extra {extra}: {z:?}");
            }
        }
    }
}

#[test]
fn integer_cells_are_those_of_the_specification() {
    on_every_isa!(integer_cells);
}
