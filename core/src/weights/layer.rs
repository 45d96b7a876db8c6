//! Borrowed views of a model's weights, an operation each. Shapes, units, scales and the gate order are
//! stated here, once.
//!
//! The operand `x` of a matrix is what the operation reads, value by value, and behind that a
//! recurrent operation's own h; each value is padded with zeros to a multiple of four elements. A token
//! is no part of x: it selects a row of `input`, which is the bias of an operation that reads none.
//!
//! Rows of an LSTM are unit-major: row `unit * 4 + gate`, gate order **i, f, g, o**. So the four gates
//! of a unit stand together: one pass over the operand yields all pre-activations of the unit, and the
//! cell update needs no buffer. Rows of a GRU are gate-major, **r, z** in one matrix and the candidate
//! n in two others, because its parts are not summed before r is known.
//!
//! What there is one of for each row of a cell or a dense operation (`input`, multipliers, bias) stands
//! in slots, in the matrix's [`RowOrder`](crate::weights::order::RowOrder): as many slots as rows, each in its
//! place, unless the layout has tiles.

pub use crate::fixed::{
    GRU_BITS, H_BITS, LOGIT_BITS, MAX_CELL_BITS, MAX_SHIFT, MIN_CELL_BITS, MIN_SHIFT, SIGMOID_BITS,
    TANH_BITS, Z_BITS,
};
use crate::fixed::{requantize, sat8};
pub use crate::net::Fused;
use crate::net::{Activation, Kind, MAX_MATRICES, TokenId};
use crate::weights::matrix::{MatrixF32, MatrixInt8};

/// What the rounded product of accumulator and multiplier stays below, and the most a bias may be: an int32 holds their
/// sum.
pub const REQUANTIZED_LIMIT: u64 = 1 << 30;
/// The most that a single addend, bias or number of an embedding may be in f32. As a real, the
/// limit of logits in Q15.16 (docs/numerics.md).
pub const F32_LIMIT: f32 = (REQUANTIZED_LIMIT >> LOGIT_BITS) as f32;

/// What the magnitudes of a row's products stay below in sum in other f32 nets. It is less than
/// [`F32_LIMIT`] by more than the roundings of [`MAX_COLUMNS`](crate::net::MAX_COLUMNS) additions
/// to a bias.
pub const F32_SUM_LIMIT: f32 = F32_LIMIT - 16.0;
/// The most that a number of a feature may be, in magnitude.
pub const FEATURE_LIMIT: f32 = 65_536.0;
/// What the magnitudes of a row's products stay below in sum in f32 nets of features or with a relu
/// RNN, whose numbers are larger than an h within 1.
pub const F32_FEATURE_LIMIT: f32 = 268_435_456.0; // 2^28
/// The most that a unit of a relu RNN may be in f32.
pub const RELU_LIMIT: f32 = F32_LIMIT;

/// An LSTM or a tanh RNN in f32.
#[derive(Clone, Copy, Debug)]
pub struct LayerF32<'a> {
    /// The cell.
    pub cell: Fused,
    /// Units.
    pub hidden: usize,
    /// Padded columns of `weights`.
    pub columns: usize,
    /// First layer without an embedding: `[vocab, slots]`, `W_x[id] + b`. Others: `[slots]`, `b`.
    pub input: &'a [f32],
    /// `[rows, columns]`.
    pub weights: MatrixF32<'a>,
}

/// An LSTM or a tanh RNN in int8.
#[derive(Clone, Copy, Debug)]
pub struct LayerInt8<'a> {
    /// The cell.
    pub cell: Fused,
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

/// An int8 matrix with what its sums are multiplied by.
#[derive(Clone, Copy, Debug)]
pub struct ProductInt8<'a> {
    /// `[rows, columns]`, symmetric -127..=127, one scale per row.
    pub weights: MatrixInt8<'a>,
    /// `[slots]`, at least 0: the row's scale, as `round(scale / 128 * unit * 2^shift)`.
    pub multipliers: &'a [i32],
    /// Right shift after the multiplication.
    pub shift: u32,
}

impl ProductInt8<'_> {
    /// No matrix.
    pub const NONE: Self = ProductInt8 {
        weights: MatrixInt8::rows(0, &[]),
        multipliers: &[],
        shift: MIN_SHIFT,
    };
}

/// A dense operation in f32: `y = f(weights x + bias)`.
#[derive(Clone, Copy, Debug)]
pub struct DenseF32<'a> {
    /// f.
    pub activation: Activation,
    /// `[units, columns]`.
    pub weights: MatrixF32<'a>,
    /// `[slots]`.
    pub bias: &'a [f32],
}

/// A dense operation in int8. Its results are Q15.16, in steps of the output's scale or of what reads
/// them.
#[derive(Clone, Copy, Debug)]
pub struct DenseInt8<'a> {
    /// f.
    pub activation: Activation,
    /// `[units, columns]`; unit 2^16.
    pub product: ProductInt8<'a>,
    /// `[slots]`, Q15.16.
    pub bias: &'a [i32],
}

/// A recurrent operation on sums in memory, in f32. Its matrices are those of its
/// [`CellForm`](crate::net::CellForm); one that is not there is empty.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentF32<'a> {
    /// The operation.
    pub kind: Kind,
    /// Padded columns of what it reads besides its own h.
    pub inputs: usize,
    /// `[vocab, addends * units]`, or `[addends * units]`.
    pub input: &'a [f32],
    /// `[rows * units, columns]` each.
    pub matrices: [MatrixF32<'a>; MAX_MATRICES],
    /// `[bias * units]`.
    pub bias: &'a [f32],
}

/// A recurrent operation on sums in memory, in int8; shapes as in [`RecurrentF32`].
#[derive(Clone, Copy, Debug)]
pub struct RecurrentInt8<'a> {
    /// The operation.
    pub kind: Kind,
    /// Padded columns of what it reads besides its own h.
    pub inputs: usize,
    /// Q3.12.
    pub input: &'a [i16],
    /// Unit 2^12.
    pub matrices: [ProductInt8<'a>; MAX_MATRICES],
    /// 12 fraction bits.
    pub bias: &'a [i32],
    /// Bits before the point of its state.
    pub state_bits: u32,
}

/// A sum of two values in int8.
#[derive(Clone, Copy, Debug)]
pub struct AddInt8<'a> {
    /// `[2, numbers]`, at least 0: the number's scale by the sum's, as `round(ratio * 2^shift)`.
    pub multipliers: &'a [i32],
    /// Right shift after the multiplication.
    pub shift: u32,
}

/// The weights of an operation.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is its view's name")]
pub enum Weights<'a> {
    /// Of none: there is no such operation, or it is a sum in f32.
    None,
    EmbeddingF32(EmbeddingF32<'a>),
    EmbeddingInt8(EmbeddingInt8<'a>),
    CellF32(LayerF32<'a>),
    CellInt8(LayerInt8<'a>),
    RecurrentF32(RecurrentF32<'a>),
    RecurrentInt8(RecurrentInt8<'a>),
    DenseF32(DenseF32<'a>),
    DenseInt8(DenseInt8<'a>),
    AddInt8(AddInt8<'a>),
}

/// A matrix of weights, of either precision.
#[derive(Clone, Copy, Debug)]
pub enum Matrix<'a> {
    /// In f32.
    F32(MatrixF32<'a>),
    /// In int8, with its multipliers.
    Int8(ProductInt8<'a>),
}

impl<'a> Weights<'a> {
    /// The matrices: weights, candidate weights and hidden weights, of which only a recurrent
    /// operation has more than the first.
    pub fn matrices(&self) -> [Option<Matrix<'a>>; MAX_MATRICES] {
        let int8 = |weights, multipliers, shift| {
            Matrix::Int8(ProductInt8 {
                weights,
                multipliers,
                shift,
            })
        };
        let first = match *self {
            Weights::None | Weights::AddInt8(_) => return [None; MAX_MATRICES],
            Weights::RecurrentF32(of) => {
                return of
                    .matrices
                    .map(|matrix| (matrix.columns > 0).then_some(Matrix::F32(matrix)));
            }
            Weights::RecurrentInt8(of) => {
                return of.matrices.map(|product| {
                    (product.weights.columns() > 0).then_some(Matrix::Int8(product))
                });
            }
            Weights::EmbeddingF32(of) => Matrix::F32(of.weights),
            Weights::EmbeddingInt8(of) => int8(of.weights, of.multipliers, of.shift),
            Weights::CellF32(of) => Matrix::F32(of.weights),
            Weights::CellInt8(of) => int8(of.weights, of.multipliers, of.shift),
            Weights::DenseF32(of) => Matrix::F32(of.weights),
            Weights::DenseInt8(of) => Matrix::Int8(of.product),
        };
        [Some(first), None, None]
    }
}

/// Row `index` of a matrix with rows of `width` elements; empty if there is no such row.
fn row<T>(matrix: &[T], index: usize, width: usize) -> &[T] {
    let start = index.saturating_mul(width);
    matrix
        .get(start..start.saturating_add(width))
        .unwrap_or(&[])
}

/// The row of addends of an operation: the token's, or the only one.
pub(crate) fn addends<T>(input: &[T], token: Option<TokenId>, width: usize) -> &[T] {
    row(input, token.map_or(0, TokenId::index), width)
}

impl<'a> LayerF32<'a> {
    /// How many of the columns belong to what is under the layer: the first ones, or none.
    #[allow(dead_code, reason = "not every target has tile kernels")]
    pub(crate) fn below(&self) -> usize {
        self.columns.saturating_sub(self.hidden.next_multiple_of(4))
    }

    /// The addend of the pre-activations: `[slots]`. `token` selects it where the operation reads one.
    pub(crate) fn addend(&self, token: Option<TokenId>) -> &'a [f32] {
        let rows = self.weights.order.slots(self.cell.gates() * self.hidden);
        row(self.input, token.map_or(0, TokenId::index), rows)
    }
}

impl<'a> LayerInt8<'a> {
    /// The addend of the pre-activations: `[slots]`, Q3.12. `token` as in [`LayerF32::addend`].
    pub(crate) fn addend(&self, token: Option<TokenId>) -> &'a [i16] {
        let slots = self.multipliers.len();
        row(self.input, token.map_or(0, TokenId::index), slots)
    }
}
