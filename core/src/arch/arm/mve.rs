//! The kernel of the Cortex-M55 and M85: Helium. `mve.S` says how it works.

use core::arch::global_asm;

use crate::activation::{SIGMOID, TANH};
use crate::dims::Cell;
use crate::kernel::scalar::{requantize, rnn_int8, sat16};
use crate::kernel::{Kernel, Thumb, sealed};
use crate::layer::{HeadInt8, LayerInt8, MIN_CELL_BITS};
use crate::matrix::MatrixInt8;

global_asm!(include_str!("mve.S"), options(raw));

/// Rows of a block.
const ROWS: usize = 4;
/// Columns of a turn of the unrolled loop.
const TURN: usize = 64;
/// Columns of a vector.
const LANES: usize = 16;
/// The most columns: a sum times 2^8 has to fit an i32.
const MAX_COLUMNS: usize = 512;
/// The right shift of a requantization that one VRMULH does.
const SHIFT: u32 = 24;
/// Rows of an RNN that are computed before their cells are updated.
const RNN_ROWS: usize = 32;

/// What both functions keep in their frame: an operand, and how its columns are divided into turns.
#[repr(C)]
struct Operand {
    x: *const i8,
    columns: usize,
    /// Turns after the first.
    turns: usize,
    rest: usize,
    over: usize,
}

/// Arguments of an LSTM layer, in the order `mve.S` wants them.
#[repr(C)]
struct Lstm {
    operand: Operand,
    c: *mut i16,
    next: *mut i8,
    units: usize,
    extra: u32,
    sigmoid: *const u32,
    tanh: *const u32,
    weights: *const i8,
    addend: *const i16,
    multipliers: *const i32,
}

/// Arguments of a product with requantization, in the order `mve.S` wants them.
#[repr(C)]
struct Rows {
    operand: Operand,
    weights: *const i8,
    out: *mut i32,
    bias: *const i32,
    multipliers: *const i32,
    blocks: usize,
}

unsafe extern "C" {
    /// Reads `columns` of x, `4 * units * columns` weights, `4 * units` addends and multipliers, and both tables;
    /// updates `units` of c and writes `units` of next. `units` is not 0.
    fn gatelet_mve_lstm(arguments: *const Lstm);
    /// Reads `columns` of x, `4 * blocks * columns` weights, `4 * blocks` of bias and multipliers; writes `4 * blocks`
    /// of out. `blocks` is not 0.
    fn gatelet_mve_rows(arguments: *const Rows);
}

impl Operand {
    fn new(x: &[i8]) -> Self {
        let rest = x.len() % TURN;
        Operand {
            x: x.as_ptr(),
            columns: x.len(),
            turns: (x.len() / TURN).saturating_sub(1),
            rest,
            over: rest.next_multiple_of(LANES) - rest,
        }
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
        let done = match (layer.weights, layer.shift, layer.cell) {
            (MatrixInt8::Rows { weights, .. }, SHIFT, Cell::Lstm) => {
                lstm(layer, weights, addend, x, c, next)
            }
            (MatrixInt8::Rows { weights, .. }, SHIFT, Cell::Rnn) => {
                rnn(layer, weights, addend, x, next)
            }
            _ => None,
        };
        if done.is_none() {
            Thumb.layer_int8(layer, addend, x, c, next);
        }
    }

    fn head_int8(self, head: &HeadInt8<'_>, x: &[i8], logits: &mut [i32]) {
        let done = match (head.weights, head.shift) {
            (MatrixInt8::Rows { weights, .. }, SHIFT) => {
                rows(weights, x, head.bias, head.multipliers, logits)
            }
            _ => None,
        };
        if done.is_none() {
            Thumb.head_int8(head, x, logits);
        }
    }
}

/// One step of an LSTM layer; nothing is done if a length does not fit.
fn lstm(
    layer: &LayerInt8<'_>,
    weights: &[i8],
    addend: &[i16],
    x: &[i8],
    c: &mut [i16],
    next: &mut [i8],
) -> Option<()> {
    let (units, columns) = (layer.hidden, x.len());
    let rows = units.checked_mul(ROWS)?;
    if units == 0 || columns == 0 || columns > MAX_COLUMNS {
        return None;
    }
    let arguments = Lstm {
        operand: Operand::new(x),
        c: c.get_mut(..units)?.as_mut_ptr(),
        next: next.get_mut(..units)?.as_mut_ptr(),
        units,
        extra: layer.cell_bits - MIN_CELL_BITS,
        sigmoid: SIGMOID.as_ptr(),
        tanh: TANH.as_ptr(),
        weights: weights.get(..rows * columns)?.as_ptr(),
        addend: addend.get(..rows)?.as_ptr(),
        multipliers: layer.multipliers.get(..rows)?.as_ptr(),
    };
    // SAFETY: every pointer comes from a slice cut to the length that the function reads or writes; a byte of z is
    // always an index of the tables' 256 words.
    unsafe { gatelet_mve_lstm(&arguments) };
    Some(())
}

/// One step of an RNN layer; nothing is done if a length does not fit.
fn rnn(
    layer: &LayerInt8<'_>,
    weights: &[i8],
    addend: &[i16],
    x: &[i8],
    next: &mut [i8],
) -> Option<()> {
    if x.is_empty() || x.len() > MAX_COLUMNS {
        return None;
    }
    let next = next.get_mut(..layer.hidden)?;
    let scales = addend
        .chunks(RNN_ROWS)
        .zip(layer.multipliers.chunks(RNN_ROWS));
    let blocks = weights.chunks(RNN_ROWS * x.len()).zip(scales);
    for (next, (weights, (addend, multipliers))) in next.chunks_mut(RNN_ROWS).zip(blocks) {
        let (mut bias, mut z) = ([0; RNN_ROWS], [0; RNN_ROWS]);
        for (bias, &a) in bias.iter_mut().zip(addend) {
            *bias = a.into();
        }
        rows(weights, x, &bias, multipliers, z.get_mut(..next.len())?)?;
        for (h, z) in next.iter_mut().zip(z) {
            *h = rnn_int8(sat16(z));
        }
    }
    Some(())
}

/// `out = bias + round(weights x * multipliers >> 24)`. `weights: [out.len(), x.len()]`. Nothing is done if a length
/// does not fit.
fn rows(
    weights: &[i8],
    x: &[i8],
    bias: &[i32],
    multipliers: &[i32],
    out: &mut [i32],
) -> Option<()> {
    let columns = x.len();
    if columns == 0 || columns > MAX_COLUMNS {
        return None;
    }
    let whole = out.len() - out.len() % ROWS;
    let (weights, weights_rest) = weights.split_at_checked(whole * columns)?;
    let (bias, bias_rest) = bias.split_at_checked(whole)?;
    let (multipliers, multipliers_rest) = multipliers.split_at_checked(whole)?;
    let (out, out_rest) = out.split_at_mut_checked(whole)?;
    if whole > 0 {
        let arguments = Rows {
            operand: Operand::new(x),
            weights: weights.as_ptr(),
            bias: bias.as_ptr(),
            multipliers: multipliers.as_ptr(),
            blocks: whole / ROWS,
            out: out.as_mut_ptr(),
        };
        // SAFETY: the splits above gave every slice the length that the function reads or writes.
        unsafe { gatelet_mve_rows(&arguments) };
    }
    // One to three rows may be left.
    let scales = bias_rest.iter().zip(multipliers_rest);
    let rest = weights_rest.chunks_exact(columns).zip(scales);
    for (out, (row, (bias, &m))) in out_rest.iter_mut().zip(rest) {
        let products = row
            .iter()
            .zip(x)
            .map(|(&w, &x)| i32::from(w) * i32::from(x));
        *out = bias + requantize(products.sum(), m, SHIFT);
    }
    Some(())
}
