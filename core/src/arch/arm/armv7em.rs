//! The DSP kernels of an Armv7E-M: `armv7em.S` and `armv7em4.S`, behind slices.
//!
//! They read [`Layout::Pairs`]. f32, and images in other layouts, go to the scalar kernel. The one of the Cortex-M3 is twice as
//! fast for rows, but would take 2.4 KiB of every program's flash: a firmware whose model is in rows names it instead
//! ([`NativeRows`](crate::NativeRows)).

use core::arch::global_asm;
use core::marker::PhantomData;

use super::gru;
use crate::fixed::MIN_CELL_BITS;
use crate::fixed::activation::{SIGMOID, TANH};
use crate::kernel::{Kernel, Scalar, sealed};
use crate::net::{Layout, Net};
use crate::weights::int4;
use crate::weights::layer::{Fused, LayerInt8, ProductInt8};
use crate::weights::matrix::{MatrixInt8, PAIRS_MAX_COLUMNS, PAIRS_ROWS, pairs_block_words};

global_asm!(
    include_str!("armv7em.S"),
    include_str!("armv7em4.S"),
    options(raw)
);

/// What a function of the assembly is called with.
#[repr(C)]
struct Call {
    /// `[columns]` int8, four to a word.
    x: *const u32,
    /// A multiple of four, at least four.
    columns: usize,
    /// `[blocks, block_words(columns)]`.
    weights: *const u32,
    /// `[4 blocks]`.
    multipliers: *const i32,
    /// `[4 blocks]`: i16 of a layer, i32 of the head.
    addend: *const (),
    sigmoid: *const u32,
    tanh: *const u32,
    /// `[blocks]`; of the LSTM only.
    cell: *mut i16,
    /// The LSTM's `[blocks]` i8, the RNN's `[4 blocks]` i8, the head's `[4 blocks]` i32.
    next: *mut (),
    /// The end of `next`, which is not empty.
    end: *mut (),
    /// Integer bits of c above 3.
    extra: u32,
    /// 32 less the shift of the requantization; of 4-bit weights only.
    left: u32,
}

unsafe extern "C" {
    fn gatelet_pairs_lstm(call: *const Call);
    fn gatelet_pairs_rnn(call: *const Call);
    fn gatelet_pairs_affine(call: *const Call);
    fn gatelet_nibbles_lstm(call: *const Call);
    fn gatelet_nibbles_rnn(call: *const Call);
    fn gatelet_nibbles_affine(call: *const Call);
}

/// The kernel for Cortex-M4, M7 and M33: two rows in a lane (`Layout::Pairs`).
///
/// It exists only where the target has the instructions, so there is nothing to be found out at run time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armv7em;

impl sealed::Sealed for Armv7em {}

impl Kernel for Armv7em {
    const NAME: &'static str = "armv7em";
    const F32_IS_SCALAR: bool = true;

    fn layout(self, net: &Net) -> Layout {
        match Layout::Pairs.check(net) {
            Ok(()) => Layout::Pairs,
            Err(_) => Layout::Rows,
        }
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        if !layer_in_blocks::<Eight>(layer, addend, x, c, next) {
            Scalar.layer_int8(layer, addend, x, c, next);
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        if !products_in_blocks::<Eight>(product, None, x, sums) {
            Scalar.add_products_int8(product, x, sums);
        }
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        if !products_in_blocks::<Eight>(product, Some(bias), x, y) {
            Scalar.dense_int8(product, bias, x, y);
        }
    }

    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        if gru::cells(sums, carried, next).is_none() {
            Scalar.gru_cells_int8(sums, carried, next);
        }
    }
}

/// The same for models with 4-bit weights in `Layout::Pairs`; their int8 matrices go to [`Armv7em`]. It is a kernel of its own
/// because it takes 2.5 KiB of flash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armv7emInt4;

impl sealed::Sealed for Armv7emInt4 {}

impl Kernel for Armv7emInt4 {
    const NAME: &'static str = "armv7em4";
    const F32_IS_SCALAR: bool = true;

    fn layout(self, net: &Net) -> Layout {
        Armv7em.layout(net)
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        if !layer_in_blocks::<Four>(layer, addend, x, c, next) {
            Armv7em.layer_int8(layer, addend, x, c, next);
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        if !products_in_blocks::<Four>(product, None, x, sums) {
            Armv7em.add_products_int8(product, x, sums);
        }
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        if !products_in_blocks::<Four>(product, Some(bias), x, y) {
            Armv7em.dense_int8(product, bias, x, y);
        }
    }

    fn gru_cells_int8(self, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
        Armv7em.gru_cells_int8(sums, carried, next);
    }
}

/// A layer's step, if its weights are of that form.
#[inline(always)]
fn layer_in_blocks<F: Form>(
    layer: &LayerInt8<'_>,
    addend: &[i16],
    x: &[i8],
    c: &mut [i16],
    next: &mut [i8],
) -> bool {
    let Some(blocks) = Blocks::<F>::new(&layer.weights, layer.multipliers, layer.shift, x) else {
        return false;
    };
    match layer.cell {
        Fused::Lstm => blocks.lstm(addend, layer.cell_bits, c, next),
        Fused::Rnn => in_blocks(blocks, addend, next, layer.hidden, |b, a, n| b.rnn(a, n)),
    }
    true
}

/// Adds products to a bias or, without one, to the sums as they are; if the weights are of that form.
#[inline(always)]
fn products_in_blocks<F: Form>(
    product: &ProductInt8<'_>,
    bias: Option<&[i32]>,
    x: &[i8],
    sums: &mut [i32],
) -> bool {
    let Some(blocks) = Blocks::<F>::new(&product.weights, product.multipliers, product.shift, x)
    else {
        return false;
    };
    let whole = sums.len() / PAIRS_ROWS * PAIRS_ROWS;
    let Some((sums, rest)) = sums.split_at_mut_checked(whole) else {
        return true;
    };
    blocks.affine(bias, sums);
    if !rest.is_empty() {
        let mut padded = [0; PAIRS_ROWS];
        let from = bias.map_or(&*rest, |bias| bias.get(whole..).unwrap_or_default());
        padded
            .iter_mut()
            .zip(from)
            .for_each(|(to, &from)| *to = from);
        let mut multipliers = [0; PAIRS_ROWS];
        let last = blocks
            .after_blocks(whole / PAIRS_ROWS)
            .padded(&mut multipliers);
        last.affine(None, &mut padded);
        rest.iter_mut()
            .zip(padded)
            .for_each(|(to, from)| *to = from);
    }
    true
}

/// How the weights of a block lie, and the functions that read them.
trait Form: Copy {
    /// Columns and words of a matrix of this form.
    fn words<'a>(matrix: &MatrixInt8<'a>) -> Option<(usize, &'a [u32])>;
    /// Words of a block of four rows.
    fn block_words(columns: usize) -> usize;
    /// What the functions are to know of the shift of the requantization: 32 less it, or nothing.
    fn left(shift: u32) -> u32;
    /// One step of an LSTM layer.
    const LSTM: unsafe extern "C" fn(*const Call);
    /// One step of an RNN layer.
    const RNN: unsafe extern "C" fn(*const Call);
    /// The head.
    const AFFINE: unsafe extern "C" fn(*const Call);
}

/// int8: two rows in a lane.
#[derive(Clone, Copy)]
struct Eight;

impl Form for Eight {
    fn words<'a>(matrix: &MatrixInt8<'a>) -> Option<(usize, &'a [u32])> {
        match *matrix {
            MatrixInt8::Pairs { columns, words } => Some((columns, words)),
            _ => None,
        }
    }
    fn block_words(columns: usize) -> usize {
        pairs_block_words(columns)
    }
    fn left(_: u32) -> u32 {
        0 // Always 24 in this layout.
    }
    const LSTM: unsafe extern "C" fn(*const Call) = gatelet_pairs_lstm;
    const RNN: unsafe extern "C" fn(*const Call) = gatelet_pairs_rnn;
    const AFFINE: unsafe extern "C" fn(*const Call) = gatelet_pairs_affine;
}

/// Eight 4-bit weights to a word.
#[derive(Clone, Copy)]
struct Four;

impl Form for Four {
    fn words<'a>(matrix: &MatrixInt8<'a>) -> Option<(usize, &'a [u32])> {
        match *matrix {
            MatrixInt8::Int4 {
                layout: Layout::Pairs,
                columns,
                words,
            } => Some((columns, words)),
            _ => None,
        }
    }
    fn block_words(columns: usize) -> usize {
        int4::words(Layout::Pairs, PAIRS_ROWS, columns)
    }
    fn left(shift: u32) -> u32 {
        32_u32.wrapping_sub(shift) // 8 to 12, as the loader found.
    }
    const LSTM: unsafe extern "C" fn(*const Call) = gatelet_nibbles_lstm;
    const RNN: unsafe extern "C" fn(*const Call) = gatelet_nibbles_rnn;
    const AFFINE: unsafe extern "C" fn(*const Call) = gatelet_nibbles_affine;
}

/// Does whole blocks of four rows where they lie, and the rows that are left in a block of their own.
#[inline(always)]
fn in_blocks<F: Form, A: Copy + Default, R: Copy + Default>(
    blocks: Blocks<'_, F>,
    addend: &[A],
    next: &mut [R],
    rows: usize,
    run: impl for<'a> Fn(Blocks<'a, F>, &[A], &mut [R]),
) {
    let whole = rows / PAIRS_ROWS * PAIRS_ROWS;
    let (Some((addend, last_addend)), Some((next, last_next))) = (
        addend.split_at_checked(whole),
        next.split_at_mut_checked(whole),
    ) else {
        return;
    };
    run(blocks, addend, next);
    if rows > whole {
        let mut multipliers = [0; PAIRS_ROWS];
        let (mut padded_addend, mut padded_next) = ([A::default(); PAIRS_ROWS], [R::default(); 4]);
        let left = rows - whole;
        let last = blocks.after_blocks(whole / PAIRS_ROWS);
        for (to, &from) in padded_addend.iter_mut().zip(last_addend) {
            *to = from;
        }
        let last = last.padded(&mut multipliers);
        run(last, &padded_addend, &mut padded_next);
        for (to, from) in last_next.iter_mut().zip(padded_next).take(left) {
            *to = from;
        }
    }
}

/// A packed matrix with what its product needs.
#[derive(Clone, Copy)]
struct Blocks<'a, F> {
    /// `[blocks, F::block_words(4 x.len())]`, or more.
    words: &'a [u32],
    /// `[rows]`.
    multipliers: &'a [i32],
    /// See [`Form::left`].
    left: u32,
    /// `[columns / 4]`, not empty, at most [`PAIRS_MAX_COLUMNS`] / 4.
    x: &'a [u32],
    form: PhantomData<F>,
}

impl<'a, F: Form> Blocks<'a, F> {
    /// Nothing if the matrix is of another form, or the operand not of its length.
    #[inline(always)]
    fn new(
        matrix: &MatrixInt8<'a>,
        multipliers: &'a [i32],
        shift: u32,
        x: &'a [i8],
    ) -> Option<Self> {
        let (columns, words) = F::words(matrix)?;
        let x: &[u32] = bytemuck::try_cast_slice(x.get(..columns)?).ok()?;
        let fits = !x.is_empty() && columns <= PAIRS_MAX_COLUMNS;
        fits.then_some(Blocks {
            words,
            multipliers,
            left: F::left(shift),
            x,
            form: PhantomData,
        })
    }

    /// The same without its first blocks.
    fn after_blocks(self, blocks: usize) -> Self {
        let words = blocks * F::block_words(4 * self.x.len());
        Blocks {
            words: self.words.get(words..).unwrap_or_default(),
            multipliers: self
                .multipliers
                .get(PAIRS_ROWS * blocks..)
                .unwrap_or_default(),
            ..self
        }
    }

    /// The last block, with multipliers for all of its rows.
    fn padded<'b>(self, multipliers: &'b mut [i32; PAIRS_ROWS]) -> Blocks<'b, F>
    where
        'a: 'b,
    {
        for (to, &from) in multipliers.iter_mut().zip(self.multipliers) {
            *to = from;
        }
        Blocks {
            multipliers,
            ..self
        }
    }

    /// Whether there are `blocks` blocks of everything a call reads, and at least one.
    #[inline(always)]
    fn has(&self, blocks: usize, addends: usize) -> bool {
        let rows = blocks * PAIRS_ROWS;
        blocks > 0
            && self.words.len() >= blocks * F::block_words(4 * self.x.len())
            && self.multipliers.len() >= rows
            && addends >= rows
    }

    fn call<R>(&self, addend: *const (), next: &mut [R]) -> Call {
        let end = next.as_mut_ptr_range().end;
        Call {
            x: self.x.as_ptr(),
            columns: 4 * self.x.len(),
            weights: self.words.as_ptr(),
            multipliers: self.multipliers.as_ptr(),
            addend,
            sigmoid: SIGMOID.as_ptr(),
            tanh: TANH.as_ptr(),
            cell: core::ptr::null_mut(),
            next: next.as_mut_ptr().cast(),
            end: end.cast(),
            extra: 0,
            left: self.left,
        }
    }

    /// `addend: [4 units]` Q3.12 at a whole word, `c: [units]`, `next: [units]` or more of both.
    fn lstm(self, addend: &[i16], cell_bits: u32, c: &mut [i16], next: &mut [i8]) {
        let Some(next) = next.get_mut(..c.len()) else {
            return;
        };
        // The row of a token starts at a multiple of eight bytes; the assembly reads words.
        let Ok(addend) = bytemuck::try_cast_slice::<i16, u32>(addend) else {
            return;
        };
        if !self.has(next.len(), 2 * addend.len()) {
            return;
        }
        let call = Call {
            cell: c.as_mut_ptr(),
            extra: cell_bits - MIN_CELL_BITS,
            ..self.call(addend.as_ptr().cast(), next)
        };
        // SAFETY: `has` found `next.len()` blocks of weights, multipliers and addends, at least one; `c` and `next` have
        // one element a block, and `x` its `columns / 4` words.
        unsafe { F::LSTM(&call) }
    }

    /// `addend: [4 blocks]` Q3.12, `next: [4 blocks]`.
    fn rnn(self, addend: &[i16], next: &mut [i8]) {
        let blocks = next.len() / PAIRS_ROWS;
        if blocks * PAIRS_ROWS != next.len() || !self.has(blocks, addend.len()) {
            return;
        }
        let call = self.call(addend.as_ptr().cast(), next);
        // SAFETY: `has` found as many blocks of weights, multipliers and addends as `next` has, at least one.
        unsafe { F::RNN(&call) }
    }

    /// `bias: [4 blocks]`, or the sums as they are; `sums: [4 blocks]`.
    fn affine(self, bias: Option<&[i32]>, sums: &mut [i32]) {
        let blocks = sums.len() / PAIRS_ROWS;
        let addends = bias.map_or(sums.len(), <[i32]>::len);
        if blocks * PAIRS_ROWS != sums.len() || !self.has(blocks, addends) {
            return;
        }
        let mut call = self.call(core::ptr::null(), sums);
        call.addend = match bias {
            Some(bias) => bias.as_ptr().cast(),
            // The function reads a block's addends before it writes the block.
            None => call.next.cast_const(),
        };
        // SAFETY: `has` found as many blocks of weights, multipliers and addends as `sums` has, at least one.
        unsafe { F::AFFINE(&call) }
    }
}
