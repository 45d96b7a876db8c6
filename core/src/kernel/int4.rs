//! 4-bit weights on any processor: eight weights of a word against eight numbers of x, four rows at a time.
//!
//! ```text
//! sum w x = sum (w + 8) x - 8 sum x        the nibbles are w + 8; the last term is taken once a step
//! ```
//! On an Armv6-M and an Armv7-M the sums of rows are those of `arch/arm/armv6m4.S` and `armv7m4.S`, which multiply two weights at a
//! time. Everything else is Rust, and runs everywhere.
//!
//! [`Int4<K>`] is the kernel `K` for everything else: int8 matrices, which a model may also have, and f32.

use super::thumb::requantize_by_halves;
use super::{Kernel, sealed};
#[cfg(any(armv6m, armv7m))]
use crate::arch::arm::PairsOfX;
use crate::cell::lstm::lstm_int8;
use crate::cell::rnn::rnn_int8;
use crate::fixed::{self, sat16};
use crate::net::{Capabilities, Layout, Net};
use crate::weights::int4::{OFFSET, WORD, bit, block};
use crate::weights::layer::{Fused, LayerF32, LayerInt8, ProductInt8};
use crate::weights::matrix::{MatrixF32, MatrixInt8};

/// Rows worked on at a time: the gates of a unit.
const ROWS: usize = 4;

/// The kernel `K` for models with 4-bit weights: without it `K` runs them too, as the specification does, and slower.
#[derive(Clone, Copy, Debug, Default)]
pub struct Int4<K>(K);

impl<K: Kernel> sealed::Sealed for Int4<K> {}

impl<K: Kernel> Kernel for Int4<K> {
    const NAME: &'static str = K::NAME;
    const F32_IS_SCALAR: bool = K::F32_IS_SCALAR;
    const CAPABILITIES: Capabilities = K::CAPABILITIES;

    fn layout(self, net: &Net) -> Layout {
        self.0.layout(net)
    }

    fn reversed(self) -> Self {
        Int4(self.0.reversed())
    }

    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        self.0.layer_f32(layer, addend, x, c, next);
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        match Rows::new(&layer.weights, x) {
            Some(rows) if layer.cell == Fused::Lstm => lstm(rows, layer, addend, c, next),
            Some(rows) => rnn(rows, layer, addend, next),
            None => self.0.layer_int8(layer, addend, x, c, next),
        }
    }

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        self.0.add_products_f32(matrix, x, sums);
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        match Rows::new(&product.weights, x) {
            Some(rows) => add_products(rows, product, sums),
            None => self.0.add_products_int8(product, x, sums),
        }
    }

    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        self.0.gru_cells_int8(sums, carried, next);
    }

    fn sigmoid_f32(self, numbers: &mut [f32]) {
        self.0.sigmoid_f32(numbers);
    }

    fn tanh_f32(self, numbers: &mut [f32]) {
        self.0.tanh_f32(numbers);
    }
}

/// A matrix with its operand.
#[derive(Clone, Copy)]
struct Rows<'a> {
    words: &'a [u32],
    x: &'a [i8],
    /// Words of a row, and from a word of it to the next.
    groups: usize,
    step: usize,
    /// `-8 sum x`.
    offset: i32,
}

/// Where there is no assembly.
#[cfg(not(any(armv6m, armv7m)))]
struct PairsOfX;

#[cfg(not(any(armv6m, armv7m)))]
impl PairsOfX {
    const NONE: Self = PairsOfX;

    fn set(&mut self, _: &[i8]) {}

    fn dot(&self, _: &[u32], _: i32) -> Option<i32> {
        None
    }
}

impl<'a> Rows<'a> {
    /// Nothing for a matrix of 8 bits.
    #[inline(always)]
    fn new(matrix: &MatrixInt8<'a>, x: &'a [i8]) -> Option<Self> {
        let MatrixInt8::Int4 {
            layout,
            columns,
            words,
        } = *matrix
        else {
            return None;
        };
        let x = x.get(..columns)?;
        Some(Rows {
            words,
            x,
            groups: columns.div_ceil(WORD),
            step: block(layout),
            offset: -(OFFSET as i32) * x.iter().map(|&x| i32::from(x)).sum::<i32>(),
        })
    }

    /// The products of rows `4 index..4 index + 4`; of those that are not there, anything.
    #[inline(always)]
    fn dots(&self, pairs: &PairsOfX, index: usize) -> [i32; ROWS] {
        // A block of pairs has the four rows' words side by side; in rows they lie one after the other.
        let (between, step) = match self.step {
            1 => (self.groups, 1),
            step => (1, step),
        };
        let words = self.words.get(ROWS * index * self.groups..);
        let words = words.unwrap_or_default();
        let (groups, rest) = self.x.as_chunks::<WORD>();
        let mut sums = [self.offset; ROWS];
        if self.step == 1 && self.by_pairs(pairs, words, &mut sums) {
            return sums;
        }
        let mut turn = |group: usize, x: &[i8; WORD]| {
            for (row, sum) in sums.iter_mut().enumerate() {
                let word = words.get(row * between + group * step);
                *sum += products(word.copied().unwrap_or_default(), x);
            }
        };
        for (group, x) in groups.iter().enumerate() {
            turn(group, x);
        }
        if !rest.is_empty() {
            // Weights behind the last column are 0, whatever x is there.
            let mut x = [0; WORD];
            x.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
            turn(groups.len(), &x);
        }
        sums
    }

    /// Adds the products of the four rows that `words` starts with, or of as many as there are, and of nothing behind them. False
    /// if there is no assembly for it.
    #[inline(always)]
    fn by_pairs(&self, pairs: &PairsOfX, words: &[u32], sums: &mut [i32; ROWS]) -> bool {
        let mut done = false;
        for (sum, row) in sums.iter_mut().zip(words.chunks_exact(self.groups.max(1))) {
            match pairs.dot(row, *sum) {
                Some(found) => (*sum, done) = (found, true),
                None => return false,
            }
        }
        done
    }
}

/// The sum of eight nibbles by eight numbers.
#[inline(always)]
fn products(word: u32, x: &[i8; WORD]) -> i32 {
    let mut sum = 0;
    for (k, &x) in x.iter().enumerate() {
        sum += (word >> bit(k) & 15) as i32 * i32::from(x);
    }
    sum
}

/// The pre-activation of a gate, Q3.12.
#[inline(always)]
fn preactivation(addend: i16, acc: i32, multiplier: i32, shift: u32) -> i16 {
    sat16(i32::from(addend) + requantize(acc, multiplier, shift))
}

/// `round(acc * multiplier >> shift)`.
#[inline(always)]
fn requantize(acc: i32, multiplier: i32, shift: u32) -> i32 {
    // Sums of 4-bit weights leave room to make a shift of 20 to 24 the one of 24.
    if cfg!(armv6m) && shift.wrapping_sub(20) <= 4 {
        return requantize_by_halves(acc << (24 - shift), multiplier);
    }
    fixed::requantize(acc, multiplier, shift)
}

#[inline(never)]
fn lstm(rows: Rows<'_>, layer: &LayerInt8<'_>, addend: &[i16], c: &mut [i16], next: &mut [i8]) {
    let mut pairs = PairsOfX::NONE;
    pairs.set(rows.x);
    let (addends, _) = addend.as_chunks::<ROWS>();
    let (multipliers, _) = layer.multipliers.as_chunks::<ROWS>();
    let units = next.iter_mut().zip(c).zip(addends.iter().zip(multipliers));
    for (unit, ((h, c), (a, m))) in units.take(layer.hidden).enumerate() {
        let ([s0, s1, s2, s3], [a0, a1, a2, a3], [m0, m1, m2, m3]) =
            (rows.dots(&pairs, unit), *a, *m);
        let z = [
            preactivation(a0, s0, m0, layer.shift),
            preactivation(a1, s1, m1, layer.shift),
            preactivation(a2, s2, m2, layer.shift),
            preactivation(a3, s3, m3, layer.shift),
        ];
        *h = lstm_int8(z, c, layer.cell_bits);
    }
}

#[inline(never)]
fn rnn(rows: Rows<'_>, layer: &LayerInt8<'_>, addend: &[i16], next: &mut [i8]) {
    let mut pairs = PairsOfX::NONE;
    pairs.set(rows.x);
    let next = next.get_mut(..layer.hidden).unwrap_or_default();
    let scales = addend.chunks(ROWS).zip(layer.multipliers.chunks(ROWS));
    for (index, (next, (a, m))) in next.chunks_mut(ROWS).zip(scales).enumerate() {
        for (h, (acc, (&a, &m))) in next
            .iter_mut()
            .zip(rows.dots(&pairs, index).into_iter().zip(a.iter().zip(m)))
        {
            *h = rnn_int8(preactivation(a, acc, m, layer.shift));
        }
    }
}

#[inline(never)]
fn add_products(rows: Rows<'_>, product: &ProductInt8<'_>, sums: &mut [i32]) {
    let mut pairs = PairsOfX::NONE;
    pairs.set(rows.x);
    let blocks = sums.chunks_mut(ROWS).zip(product.multipliers.chunks(ROWS));
    for (index, (sums, m)) in blocks.enumerate() {
        let of_rows = rows.dots(&pairs, index).into_iter().zip(m);
        for (sum, (acc, &m)) in sums.iter_mut().zip(of_rows) {
            *sum += requantize(acc, m, product.shift);
        }
    }
}
