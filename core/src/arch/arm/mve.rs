//! The kernel of the Cortex-M55 and M85: Helium. `mve.S` says how it works; `mve4.rs` is the one for 4-bit weights.

use core::arch::global_asm;

use crate::cell::rnn::rnn_int8;
use crate::fixed::MIN_CELL_BITS;
use crate::fixed::activation::{SIGMOID, TANH};
use crate::fixed::{requantize, sat16};
use crate::kernel::copy;
use crate::kernel::{Kernel, Thumb, sealed};
use crate::weights::layer::{Fused, LayerInt8, ProductInt8};
use crate::weights::matrix::MatrixInt8;

global_asm!(include_str!("mve.S"), include_str!("mve4.S"), options(raw));

/// Rows of a block.
pub(super) const ROWS: usize = 4;
/// Columns of a turn of the unrolled loop.
const TURN: usize = 64;
/// Columns of a vector.
const LANES: usize = 16;
/// The most columns: a sum times 2^8 has to fit an i32.
pub(super) const MAX_COLUMNS: usize = 512;
/// The right shift of a requantization that one VRMULH does.
const SHIFT: u32 = 24;
/// Rows of an RNN that are computed before their cells are updated.
const RNN_ROWS: usize = 32;

/// A matrix with its operand, and the functions that read them.
pub(super) trait Product: Copy {
    /// What the functions keep in their frame: an operand, and how its columns are gone through. Five words.
    type Operand: Copy;
    /// What weights are stored in.
    type Weight;
    /// One step of an LSTM layer.
    const LSTM: unsafe extern "C" fn(*const Lstm<Self::Operand>);
    /// A product with requantization.
    const ROWS: unsafe extern "C" fn(*const Rows<Self::Operand>);
    /// The operand.
    fn operand(&self) -> Self::Operand;
    /// The weights of `rows` rows from row `first` on, if there are that many.
    fn weights(&self, first: usize, rows: usize) -> Option<&[Self::Weight]>;
    /// A row's requantized sum.
    fn one(&self, row: usize, multiplier: i32) -> i32;
}

/// Arguments of an LSTM layer, in the order `mve.S` wants them.
#[repr(C)]
pub(super) struct Lstm<O> {
    operand: O,
    c: *mut i16,
    next: *mut i8,
    units: usize,
    extra: u32,
    sigmoid: *const u32,
    tanh: *const u32,
    weights: *const (),
    addend: *const i16,
    multipliers: *const i32,
}

/// Arguments of a product with requantization, in the order `mve.S` wants them.
#[repr(C)]
pub(super) struct Rows<O> {
    operand: O,
    weights: *const (),
    out: *mut i32,
    bias: *const i32,
    multipliers: *const i32,
    blocks: usize,
}

unsafe extern "C" {
    /// Reads `columns` of x, `4 * units * columns` weights, `4 * units` addends and multipliers, and both tables;
    /// updates `units` of c and writes `units` of next. `units` is not 0.
    fn gatelet_mve_lstm(arguments: *const Lstm<Operand>);
    /// Reads `columns` of x, `4 * blocks * columns` weights, `4 * blocks` of bias and multipliers; writes `4 * blocks`
    /// of out. `blocks` is not 0.
    fn gatelet_mve_rows(arguments: *const Rows<Operand>);
}

/// An operand of int8.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Operand {
    x: *const i8,
    columns: usize,
    /// Turns after the first.
    turns: usize,
    rest: usize,
    over: usize,
}

/// Rows of int8, `[rows, x.len()]`, with x: not empty, at most [`MAX_COLUMNS`].
#[derive(Clone, Copy)]
struct Eight<'a> {
    weights: &'a [i8],
    x: &'a [i8],
}

impl<'a> Eight<'a> {
    /// Nothing if this is not for the functions.
    #[inline(always)]
    fn new(matrix: &MatrixInt8<'a>, shift: u32, x: &'a [i8]) -> Option<Self> {
        let MatrixInt8::Rows { weights, .. } = *matrix else {
            return None;
        };
        let fits = shift == SHIFT && !x.is_empty() && x.len() <= MAX_COLUMNS;
        fits.then_some(Eight { weights, x })
    }
}

impl Product for Eight<'_> {
    type Operand = Operand;
    type Weight = i8;
    const LSTM: unsafe extern "C" fn(*const Lstm<Operand>) = gatelet_mve_lstm;
    const ROWS: unsafe extern "C" fn(*const Rows<Operand>) = gatelet_mve_rows;

    #[inline(always)]
    fn operand(&self) -> Operand {
        let columns = self.x.len();
        let rest = columns % TURN;
        Operand {
            x: self.x.as_ptr(),
            columns,
            turns: (columns / TURN).saturating_sub(1),
            rest,
            over: rest.next_multiple_of(LANES) - rest,
        }
    }

    #[inline(always)]
    fn weights(&self, first: usize, rows: usize) -> Option<&[i8]> {
        let columns = self.x.len();
        self.weights.get(first * columns..)?.get(..rows * columns)
    }

    #[inline(always)]
    fn one(&self, row: usize, multiplier: i32) -> i32 {
        let row = self.weights(row, 1).unwrap_or_default();
        let products = row.iter().zip(self.x);
        let products = products.map(|(&w, &x)| i32::from(w) * i32::from(x));
        requantize(products.sum(), multiplier, SHIFT)
    }
}

/// The Helium kernel. It reads rows of up to 512 columns with a requantization by 2^24; everything else goes to the
/// `thumb` kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mve;

impl sealed::Sealed for Mve {}

impl Kernel for Mve {
    const NAME: &'static str = "mve";
    const F32_IS_SCALAR: bool = true;

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        let done = Eight::new(&layer.weights, layer.shift, x)
            .and_then(|product| step(product, layer, addend, c, next));
        if done.is_none() {
            Thumb.layer_int8(layer, addend, x, c, next);
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        let x = x.get(..product.weights.columns()).unwrap_or_default();
        let done = Eight::new(&product.weights, product.shift, x)
            .and_then(|of| rows(of, (0, None), product.multipliers, sums));
        if done.is_none() {
            Thumb.add_products_int8(product, x, sums);
        }
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        let x = x.get(..product.weights.columns()).unwrap_or_default();
        let done = Eight::new(&product.weights, product.shift, x)
            .and_then(|of| rows(of, (0, Some(bias)), product.multipliers, y));
        if done.is_none() {
            Thumb.dense_int8(product, bias, x, y);
        }
    }
}

/// One step of a layer; nothing is done if a length does not fit.
#[inline(always)]
pub(super) fn step<P: Product>(
    product: P,
    layer: &LayerInt8<'_>,
    addend: &[i16],
    c: &mut [i16],
    next: &mut [i8],
) -> Option<()> {
    match layer.cell {
        Fused::Lstm => lstm(product, layer, addend, c, next),
        Fused::Rnn => rnn(product, layer, addend, next),
    }
}

/// One step of an LSTM layer; nothing is done if a length does not fit.
fn lstm<P: Product>(
    product: P,
    layer: &LayerInt8<'_>,
    addend: &[i16],
    c: &mut [i16],
    next: &mut [i8],
) -> Option<()> {
    let units = layer.hidden;
    let rows = units.checked_mul(ROWS)?;
    if units == 0 {
        return None;
    }
    let arguments = Lstm {
        operand: product.operand(),
        c: c.get_mut(..units)?.as_mut_ptr(),
        next: next.get_mut(..units)?.as_mut_ptr(),
        units,
        extra: layer.cell_bits - MIN_CELL_BITS,
        sigmoid: SIGMOID.as_ptr(),
        tanh: TANH.as_ptr(),
        weights: product.weights(0, rows)?.as_ptr().cast(),
        addend: addend.get(..rows)?.as_ptr(),
        multipliers: layer.multipliers.get(..rows)?.as_ptr(),
    };
    // SAFETY: every pointer comes from a slice cut to the length that the function reads or writes; a byte of z is
    // always an index of the tables' 256 words.
    unsafe { P::LSTM(&arguments) };
    Some(())
}

/// One step of an RNN layer; nothing is done if a length does not fit.
fn rnn<P: Product>(
    product: P,
    layer: &LayerInt8<'_>,
    addend: &[i16],
    next: &mut [i8],
) -> Option<()> {
    let next = next.get_mut(..layer.hidden)?;
    let scales = addend
        .chunks(RNN_ROWS)
        .zip(layer.multipliers.chunks(RNN_ROWS));
    let blocks = next.chunks_mut(RNN_ROWS).zip(scales).enumerate();
    for (block, (next, (addend, multipliers))) in blocks {
        let mut z = [0; RNN_ROWS];
        for (z, &a) in z.iter_mut().zip(addend) {
            *z = a.into();
        }
        let z = z.get_mut(..next.len())?;
        rows(product, (block * RNN_ROWS, None), multipliers, z)?;
        for (h, z) in next.iter_mut().zip(z) {
            *h = rnn_int8(sat16(*z));
        }
    }
    Some(())
}

/// Adds the requantized products of `sums.len()` rows from row `first` on to what `sums` hold, or
/// to a bias instead. Nothing is done if a length does not fit.
pub(super) fn rows<P: Product>(
    product: P,
    (first, bias): (usize, Option<&[i32]>),
    multipliers: &[i32],
    sums: &mut [i32],
) -> Option<()> {
    let whole = sums.len() - sums.len() % ROWS;
    let weights = product.weights(first, sums.len())?;
    let (multipliers, multipliers_rest) = multipliers.split_at_checked(whole)?;
    let (sums, sums_rest) = sums.split_at_mut_checked(whole)?;
    let bias = bias.map(|bias| bias.split_at_checked(whole));
    let out = sums.as_mut_ptr();
    let mut from = out.cast_const();
    if let Some(bias) = bias {
        let (bias, rest) = bias?;
        copy(rest.get(..sums_rest.len())?, sums_rest);
        from = bias.as_ptr();
    }
    if whole > 0 {
        let arguments = Rows {
            operand: product.operand(),
            weights: weights.as_ptr().cast(),
            // Read before sums are written, block by block.
            bias: from,
            multipliers: multipliers.as_ptr(),
            blocks: whole / ROWS,
            out,
        };
        // SAFETY: the splits above gave every slice the length that the function reads or writes, and `weights` has more.
        unsafe { P::ROWS(&arguments) };
    }
    // One to three rows may be left.
    for (index, (sum, &m)) in sums_rest.iter_mut().zip(multipliers_rest).enumerate() {
        *sum += product.one(first + whole + index, m);
    }
    Some(())
}
