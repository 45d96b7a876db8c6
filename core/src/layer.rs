//! Borrowed views of a model's weights. Shapes, units, scales and the gate order are stated here, once.
//!
//! Rows are unit-major: row `unit * gates + gate`, gate order **i, f, g, o**. So the four gates of a unit stand
//! together: one pass over the operand yields all pre-activations of the unit, and the cell update needs no buffer.
//!
//! The operand `x` of a layer's weight matrix is `[h]` in the first layer and `[h of the layer below ; h]` above,
//! each half padded with zeros to [`Dims::stride`](crate::Dims::stride) elements. The first layer's input product
//! is not a product: a token selects a row of `input`. In a model with an embedding it is one, as above: the operand is
//! `[row of the embedding ; h]`, and `input` is the bias.
//!
//! ```text
//! token -> embedding -> layers -> h -> projection -> head -> logits       embedding, projection: only where there are such
//! ```
//!
//! What there is one of for each row (`input`, multipliers, bias) stands in slots, in the matrix's
//! [`RowOrder`](crate::order::RowOrder): as many slots as rows, each in its place, unless the layout has tiles.

use crate::dims::Cell;
use crate::kernel::scalar::{requantize, sat8};
use crate::matrix::{MatrixF32, MatrixInt8};
use crate::vocab::TokenId;

/// Fraction bits of a gate pre-activation z: int16, Q3.12, so plus or minus 8.
pub const Z_BITS: u32 = 12;
/// Fraction bits of the hidden state: int8, scale 1/128.
pub const H_BITS: u32 = 7;
/// Fraction bits of a logit: int32, scale 1/65,536, the same for every token.
pub const LOGIT_BITS: u32 = 16;
/// Fraction bits of a sigmoid's result: int16, Q2.13.
pub const SIGMOID_BITS: u32 = 13;
/// Fraction bits of a tanh's result: int16, Q4.11.
pub const TANH_BITS: u32 = 11;
/// Fewest integer bits of the cell state (plus or minus 8).
pub const MIN_CELL_BITS: u32 = 3;
/// Most integer bits of the cell state (plus or minus 128).
pub const MAX_CELL_BITS: u32 = 7;
/// Smallest right shift of a requantization.
pub const MIN_SHIFT: u32 = 8;
/// Largest right shift of a requantization.
pub const MAX_SHIFT: u32 = 31;
/// What the rounded product of accumulator and multiplier stays below, and the most a bias may be: an int32 holds their
/// sum.
pub const REQUANTIZED_LIMIT: u64 = 1 << 30;
/// The same of an f32 model: what the magnitudes of a row's products stay below in sum, and the most a single addend, bias
/// or number of an embedding may be. As reals, the limits of logits in Q15.16 (docs/numerics.md).
pub const F32_LIMIT: f32 = (REQUANTIZED_LIMIT >> LOGIT_BITS) as f32;

/// A recurrent layer in f32.
#[derive(Clone, Copy, Debug)]
pub struct LayerF32<'a> {
    /// The cell.
    pub cell: Cell,
    /// Units.
    pub hidden: usize,
    /// Padded columns of `weights`.
    pub columns: usize,
    /// First layer without an embedding: `[vocab, slots]`, `W_x[id] + b`. Others: `[slots]`, `b`.
    pub input: &'a [f32],
    /// `[rows, columns]`.
    pub weights: MatrixF32<'a>,
}

/// A recurrent layer in int8.
#[derive(Clone, Copy, Debug)]
pub struct LayerInt8<'a> {
    /// The cell.
    pub cell: Cell,
    /// Units.
    pub hidden: usize,
    /// Padded columns of `weights`.
    pub columns: usize,
    /// First layer without an embedding: `[vocab, slots]`, `W_x[id] + b` in Q3.12. Others: `[slots]`, `b` in Q3.12.
    pub input: &'a [i16],
    /// `[rows, columns]`, symmetric -127..=127, one scale per row.
    pub weights: MatrixInt8<'a>,
    /// `[slots]`, at least 0: the row's scale, as `round(scale / 128 * 2^12 * 2^shift)`.
    pub multipliers: &'a [i32],
    /// Right shift after the multiplication.
    pub shift: u32,
    /// Integer bits of the cell state: it is Q(cell_bits).(15 - cell_bits). 3 for the RNN, which has none.
    pub cell_bits: u32,
}

/// A recurrent layer.
#[derive(Clone, Copy, Debug)]
pub enum Layer<'a> {
    /// In f32.
    F32(LayerF32<'a>),
    /// In int8.
    Int8(LayerInt8<'a>),
}

/// The table of a model with an embedding, in f32.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingF32<'a> {
    /// `[vocab, columns]`: a token's row is its part of the first layer's operand.
    pub weights: MatrixF32<'a>,
}

/// The table of a model with an embedding, in int8.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingInt8<'a> {
    /// `[vocab, columns]`, symmetric -127..=127, one scale per row.
    pub weights: MatrixInt8<'a>,
    /// `[vocab]` in every layout, at least 0: the row's scale, as `round(scale * 128 * 2^shift)`.
    pub multipliers: &'a [i32],
    /// Right shift after the multiplication.
    pub shift: u32,
}

/// The table of a model with an embedding.
#[derive(Clone, Copy, Debug)]
pub enum Embedding<'a> {
    /// In f32.
    F32(EmbeddingF32<'a>),
    /// In int8.
    Int8(EmbeddingInt8<'a>),
}

impl EmbeddingF32<'_> {
    /// Puts a token's row where the first layer reads it. `to: [embedding]`.
    pub(crate) fn look_up(&self, id: TokenId, to: &mut [f32]) {
        for (to, e) in to.iter_mut().zip(self.weights.row(id.index())) {
            *to = e;
        }
    }
}

impl EmbeddingInt8<'_> {
    /// Puts a token's row, scale 1/128, where the first layer reads it. `to: [embedding]`.
    ///
    /// ```text
    /// x = sat8( round( e m >> shift ) )        m: multiplier of the row
    /// ```
    pub(crate) fn look_up(&self, id: TokenId, to: &mut [i8]) {
        let multiplier = self.multipliers.get(id.index());
        let multiplier = multiplier.copied().unwrap_or_default();
        for (to, e) in to.iter_mut().zip(self.weights.row(id.index())) {
            *to = embedded(e, multiplier, self.shift);
        }
    }
}

/// A number of an embedding's row, scale 1/128, as the first layer reads it: `sat8( round( e m >> shift ) )`.
#[inline(always)]
pub fn embedded(e: i8, multiplier: i32, shift: u32) -> i8 {
    sat8(requantize(e.into(), multiplier, shift))
}

/// A number of a projection from Q15.16 to scale 1/128, as the head reads it.
#[inline(always)]
pub fn projected(v: i32) -> i8 {
    // Near the largest v half a unit more would not fit; the result saturates there either way.
    sat8(v.saturating_add(1 << (LOGIT_BITS - H_BITS - 1)) >> (LOGIT_BITS - H_BITS))
}

/// All of them. `from: [projection]`, `to: [projection]`.
pub(crate) fn narrow(from: &[i32], to: &mut [i8]) {
    for (to, &v) in to.iter_mut().zip(from) {
        *to = projected(v);
    }
}

/// The output layer in f32: `logits = weights x + bias`, x the projection or h. Also the projection, of h.
#[derive(Clone, Copy, Debug)]
pub struct HeadF32<'a> {
    /// Padded columns of `weights`.
    pub columns: usize,
    /// `[vocab, columns]`.
    pub weights: MatrixF32<'a>,
    /// `[slots]`.
    pub bias: &'a [f32],
}

/// The output layer in int8. Also the projection: its results are Q15.16, as logits are.
#[derive(Clone, Copy, Debug)]
pub struct HeadInt8<'a> {
    /// Padded columns of `weights`.
    pub columns: usize,
    /// `[vocab, columns]`, symmetric -127..=127, one scale per row.
    pub weights: MatrixInt8<'a>,
    /// `[slots]`, at least 0: the row's scale, as `round(scale / 128 * 2^16 * 2^shift)`.
    pub multipliers: &'a [i32],
    /// `[slots]`, Q15.16.
    pub bias: &'a [i32],
    /// Right shift after the multiplication.
    pub shift: u32,
}

/// The output layer, or the projection before it.
#[derive(Clone, Copy, Debug)]
pub enum Head<'a> {
    /// In f32.
    F32(HeadF32<'a>),
    /// In int8.
    Int8(HeadInt8<'a>),
}

/// Row `index` of a matrix with rows of `width` elements; empty if there is no such row.
fn row<T>(matrix: &[T], index: usize, width: usize) -> &[T] {
    let start = index.saturating_mul(width);
    matrix
        .get(start..start.saturating_add(width))
        .unwrap_or(&[])
}

impl<'a> LayerF32<'a> {
    /// How many of the columns belong to what is under the layer: the first ones, or none.
    #[allow(dead_code, reason = "not every target has tile kernels")]
    pub(crate) fn below(&self) -> usize {
        self.columns.saturating_sub(self.hidden.next_multiple_of(4))
    }

    /// The addend of the pre-activations: `[slots]`. `token` selects it in a first layer that has rows for tokens, else it is `None`.
    pub(crate) fn addend(&self, token: Option<TokenId>) -> &'a [f32] {
        let rows = self.weights.order.slots(self.cell.gates() * self.hidden);
        row(self.input, token.map_or(0, TokenId::index), rows)
    }
}

impl<'a> LayerInt8<'a> {
    /// The addend of the pre-activations: `[slots]`, Q3.12. `token` as in [`LayerF32::addend`].
    pub(crate) fn addend(&self, token: Option<TokenId>) -> &'a [i16] {
        let rows = self.weights.order().slots(self.cell.gates() * self.hidden);
        row(self.input, token.map_or(0, TokenId::index), rows)
    }
}
