//! The Helium kernel for 4-bit weights: `mve4.S`, behind slices.

use core::mem::MaybeUninit;

use super::mve::{Lstm, MAX_COLUMNS, Product, Rows, rows, step};
use crate::fixed::requantize;
use crate::kernel::{Int4, Kernel, Mve, sealed};
use crate::net::Layout;
use crate::weights::int4::{LARGEST, OFFSET, RowInt4, WORD};
use crate::weights::layer::{LayerInt8, ProductInt8};
use crate::weights::matrix::MatrixInt8;

/// Columns of a turn: 16 bytes of weights.
const TURN: usize = 32;
/// Words of them.
const TURN_WORDS: usize = TURN / WORD;
/// Bytes of a word.
const WORD_BYTES: usize = 4;

unsafe extern "C" {
    /// Puts x into the order of `mve4.S` and returns its sum: reads `columns` of x, writes at most `columns` rounded up to a
    /// multiple of [`TURN`] of `into`. `columns` is a multiple of four.
    fn gatelet_mve4_order(x: *const i8, columns: usize, into: *mut i8) -> i32;
    /// As `gatelet_mve_lstm`, with rows of [`Operand::bytes`], and of x what `gatelet_mve4_order` wrote.
    fn gatelet_mve4_lstm(arguments: *const Lstm<Operand>);
    /// As `gatelet_mve_rows`, likewise.
    fn gatelet_mve4_rows(arguments: *const Rows<Operand>);
}

/// [`Mve`] with 4-bit weights in rows of up to 512 columns, with any requantization by 2^20 to 2^32 and, in narrower ones, by less.
/// int8 matrices go to [`Mve`], everything else to [`Int4`]. A kernel of its own, so that a program with an int8 model does
/// not have both in its flash.
#[derive(Clone, Copy, Debug, Default)]
pub struct MveInt4;

impl sealed::Sealed for MveInt4 {}

impl Kernel for MveInt4 {
    const NAME: &'static str = "mve4";
    const F32_IS_SCALAR: bool = true;

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        let mut room = MaybeUninit::uninit();
        let done = Four::new(&layer.weights, layer.shift, x, &mut room)
            .and_then(|product| step(product, layer, addend, c, next));
        if done.is_none() {
            Int4::<Mve>::default().layer_int8(layer, addend, x, c, next);
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        let mut room = MaybeUninit::uninit();
        let done = Four::new(&product.weights, product.shift, x, &mut room)
            .and_then(|of| rows(of, (0, None), product.multipliers, sums));
        if done.is_none() {
            Int4::<Mve>::default().add_products_int8(product, x, sums);
        }
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        let mut room = MaybeUninit::uninit();
        let done = Four::new(&product.weights, product.shift, x, &mut room)
            .and_then(|of| rows(of, (0, Some(bias)), product.multipliers, y));
        if done.is_none() {
            Int4::<Mve>::default().dense_int8(product, bias, x, y);
        }
    }
}

/// An operand in the order of the weights.
#[derive(Clone, Copy)]
#[repr(C)]
struct Operand {
    x: *const i8,
    /// Bytes of a row.
    bytes: usize,
    /// `-8 sum x`.
    offset: i32,
    /// 32 less the shift of the requantization.
    left: u32,
    /// By how much the last turn moves the pointers too far.
    over: usize,
}

/// Rows of 4-bit weights, `[rows, columns]`, with x.
#[derive(Clone, Copy)]
struct Four<'a> {
    words: &'a [u32],
    /// Words of a row.
    groups: usize,
    x: &'a [i8],
    operand: Operand,
}

impl<'a> Four<'a> {
    /// Nothing if this is not for the functions. `room` is for the operand.
    #[inline(always)]
    fn new(
        matrix: &MatrixInt8<'a>,
        shift: u32,
        x: &'a [i8],
        room: &'a mut MaybeUninit<[i8; MAX_COLUMNS]>,
    ) -> Option<Self> {
        let MatrixInt8::Int4 {
            layout: Layout::Rows,
            columns,
            words,
        } = *matrix
        else {
            return None;
        };
        let x = x.get(..columns)?;
        let left = 32_u32.checked_sub(shift)?;
        let fits = columns > 0 && columns <= MAX_COLUMNS && columns.is_multiple_of(4);
        // The largest sum; its sign takes a bit.
        if !fits || (LARGEST as u32 * 128 * columns as u32).leading_zeros() <= left {
            return None;
        }
        let into = room.as_mut_ptr().cast();
        // SAFETY: x has `columns` elements, a multiple of four, and `room` is not shorter than the most of them, which is a
        // multiple of a turn.
        let sum = unsafe { gatelet_mve4_order(x.as_ptr(), columns, into) };
        let groups = columns.div_ceil(WORD);
        let operand = Operand {
            x: into,
            bytes: groups * WORD_BYTES,
            offset: -(OFFSET as i32) * sum,
            left,
            over: (groups.next_multiple_of(TURN_WORDS) - groups) * WORD_BYTES,
        };
        Some(Four {
            words,
            groups,
            x,
            operand,
        })
    }
}

impl Product for Four<'_> {
    type Operand = Operand;
    type Weight = u32;
    const LSTM: unsafe extern "C" fn(*const Lstm<Operand>) = gatelet_mve4_lstm;
    const ROWS: unsafe extern "C" fn(*const Rows<Operand>) = gatelet_mve4_rows;

    #[inline(always)]
    fn operand(&self) -> Operand {
        self.operand
    }

    #[inline(always)]
    fn weights(&self, first: usize, rows: usize) -> Option<&[u32]> {
        let words = self.words.get(first * self.groups..)?;
        words.get(..rows * self.groups)
    }

    #[inline(always)]
    fn one(&self, row: usize, multiplier: i32) -> i32 {
        let row = RowInt4::new(Layout::Rows, self.x.len(), self.words, row);
        let products = row.zip(self.x);
        let products = products.map(|(w, &x)| i32::from(w) * i32::from(x));
        requantize(products.sum(), multiplier, 32 - self.operand.left)
    }
}
