//! What instruction sets do in a way of their own, against the specification.

extern crate std;

use std::vec::Vec;

use super::fixed::{FixedSimd, LstmTiles};
use super::{gru, layer_f32, single};
use crate::cell::StepF32;
use crate::cell::gru::{cells, step_f32};
use crate::cell::lstm::lstm_unit;
use crate::fixed::MIN_CELL_BITS;
use crate::fixed::activation::{Function, piecewise};
use crate::fixed::preactivation;
use crate::kernel::{Scalar, StreamF32};
use crate::net::{GateActivation, Kind, Layout, Reset, RnnActivation};
use crate::weights::layer::{Fused, LayerF32, RecurrentF32};
use crate::weights::matrix::MatrixF32;
use crate::weights::order::RowOrder;

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

/// Sizes on both sides of vectors' and tiles' edges, and of what registers hold.
const UNITS: [usize; 14] = [1, 2, 3, 5, 8, 16, 17, 20, 32, 40, 48, 64, 100, 129];

impl Numbers {
    /// Numbers within 1.
    fn reals(&mut self, count: usize) -> Vec<f32> {
        let mut one = || self.next() as f32 / i32::MAX as f32;
        (0..count).map(|_| one()).collect()
    }
}

/// A matrix of random numbers, whose columns past `used` of each part of `columns` are zero: row by row, and in
/// the order of a layout.
fn matrices(
    numbers: &mut Numbers,
    (rows, order): (usize, RowOrder),
    parts: &[(usize, usize)],
) -> [Vec<f32>; 2] {
    let columns = parts.iter().map(|&(_, padded)| padded).sum();
    let mut plain = Vec::new();
    for _ in 0..rows {
        for &(used, padded) in parts {
            plain.extend(numbers.reals(used).iter().map(|w| 0.3 * w));
            plain.resize(plain.len() + padded - used, 0.0);
        }
    }
    let mut tiles = Vec::new();
    let matrix = MatrixF32::rows(columns, &plain);
    matrix.emit(rows, order, &mut |bytes| {
        tiles.extend(
            bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b)),
        );
    });
    [plain, tiles]
}

/// A layout's order, and the columns and weights of a matrix in it.
fn matrix(order: RowOrder, columns: usize, weights: &[f32]) -> MatrixF32<'_> {
    MatrixF32 {
        order,
        columns,
        weights,
    }
}

fn layout<const U: usize>() -> Layout {
    match U {
        4 => Layout::Tiles4,
        8 => Layout::Tiles8,
        _ => Layout::Tiles16,
    }
}

/// A GRU in one call beside the specification's, for a few steps, from both ends, with inputs and without.
fn fused_gru<V: FixedSimd<U>, const U: usize>(v: V) {
    let order = RowOrder::of_rows(layout::<U>());
    let mut numbers = Numbers(7);
    let resets = [Reset::After, Reset::Before];
    let shapes = UNITS
        .into_iter()
        .flat_map(|units| [0, 1, 6].map(|read| (units, read)));
    for ((units, read), reset) in shapes.flat_map(|shape| resets.map(|reset| (shape, reset))) {
        let (own, inputs) = (units.next_multiple_of(4), usize::next_multiple_of(read, 4));
        let (of_x, of_h) = ((read, inputs), (units, own));
        let gates = matrices(&mut numbers, (2 * units, order), &[of_x, of_h]);
        let candidate = matrices(&mut numbers, (units, order), &[of_x]);
        let hidden = matrices(&mut numbers, (units, order), &[of_h]);
        let addend = numbers.reals(3 * units);
        let mut bias = numbers.reals(units);
        bias.resize(order.slots(units), 0.0);
        let view = |index: usize, order| RecurrentF32 {
            kind: Kind::Gru {
                units,
                reset,
                gates: GateActivation::Sigmoid,
                candidate: RnnActivation::Tanh,
            },
            inputs,
            input: &addend,
            matrices: [
                matrix(order, inputs + own, &gates[index]),
                matrix(order, inputs, &candidate[index]),
                matrix(order, own, &hidden[index]),
            ],
            bias: if reset == Reset::After { &bias } else { &[] },
        };
        let (plain, tiles) = (view(0, RowOrder::PLAIN), view(1, order));
        let mut x = std::vec![0.0; inputs + own];
        for step in 0..4 {
            x[..read].copy_from_slice(&numbers.reals(read));
            let (mut expected, mut found) = (std::vec![0.0; own], std::vec![0.0; own]);
            found[..units].fill(9.0);
            let mut sums = std::vec![9.0; 4 * units];
            let of_specification = StepF32 {
                addend: &addend,
                x: &x,
                carried: &mut [],
                sums: &mut sums,
                next: &mut expected,
            };
            step_f32(Scalar, &plain, of_specification);
            gru::gru_f32(v, step % 2 == 1, &tiles, &addend, &x, &mut sums, &mut found);
            for (unit, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let off = (found - expected).abs();
                assert!(
                    off < 2e-6,
                    "{reset:?} {units} of {read}, {unit}: {found} {expected}"
                );
            }
            x[inputs..].copy_from_slice(&expected);
        }
    }
}

#[test]
fn a_gru_in_one_call_is_that_of_the_specification() {
    on_every_isa!(fused_gru);
}

/// An LSTM of few tiles side by side has the bits of one tile by tile.
fn few_tiles<V: FixedSimd<U>, const U: usize>(v: V) {
    let order = RowOrder::of_cell(layout::<U>(), Kind::lstm(1));
    let mut numbers = Numbers(8);
    for (units, read) in UNITS
        .into_iter()
        .flat_map(|units| [0, 1, 6].map(|read| (units, read)))
    {
        let (own, below) = (units.next_multiple_of(4), usize::next_multiple_of(read, 4));
        let parts = [(read, below), (units, own)];
        let [_, weights] = matrices(&mut numbers, (4 * units, order), &parts);
        let addend = numbers.reals(order.slots(4 * units));
        let layer = LayerF32 {
            cell: Fused::Lstm,
            hidden: units,
            columns: below + own,
            input: &addend,
            weights: matrix(order, below + own, &weights),
        };
        let x = numbers.reals(below + own);
        let before = numbers.reals(units);
        let run = |together: bool| {
            let (mut c, mut next) = (before.clone(), std::vec![0.0; own]);
            let stream = StreamF32 {
                addend: &addend,
                x: &x,
                c: &mut c,
                next: &mut next,
            };
            match together {
                true => single::layer_f32::<V, U, 2>(v, false, &layer, stream),
                false => layer_f32::<V, U, 2>(v, false, &layer, &mut [stream]),
            }
            (c, next)
        };
        assert_eq!(run(true), run(false), "{units} units, {read} inputs");
    }
}

#[test]
fn few_tiles_side_by_side_have_the_same_bits() {
    on_every_isa!(few_tiles);
}

/// The integer cells of a GRU beside the specification's, from sums that hardly move a gate to such as saturate all.
fn gru_cells<V: FixedSimd<U>, const U: usize>(v: V) {
    let mut numbers = Numbers(9);
    for (units, width) in UNITS
        .into_iter()
        .flat_map(|units| [2, 12, 16].map(|w| (units, w)))
    {
        let sums: Vec<i32> = (0..4 * units).map(|_| numbers.next() >> width).collect();
        let carried: Vec<i16> = (0..units).map(|_| numbers.next() as i16).collect();
        let (mut expected, mut found) = (carried.clone(), carried);
        let mut next = [std::vec![9; units + 3], std::vec![9; units + 3]];
        let [expected_h, found_h] = &mut next;
        cells(&sums, &mut expected, &mut expected_h[..]);
        gru::cells_int8(v, &sums, &mut found, &mut found_h[..]);
        assert_eq!((found, found_h), (expected, expected_h), "{units} units");
    }
}

#[test]
fn integer_cells_of_a_gru_are_those_of_the_specification() {
    on_every_isa!(gru_cells);
}
