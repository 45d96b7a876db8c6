//! Caller-owned storage, and its division into hidden state, cell state, scratch and logits.
//!
//! ```text
//! [ e | h of every layer | c of every layer | h of the layer being computed | p | logits ]
//!       `-- a snapshot is this part ------'
//! ```
//! Each vector is padded with zeros to a multiple of four elements. Consecutive layers' h stand side by side, so the
//! operand of an upper layer, `[h below ; h own]`, is a slice of the state and costs no copy; so is that of the first
//! layer of a model with an embedding e, `[e ; h]`. e and the projection p are there only where the model has them.

use bytemuck::AnyBitPattern;
use bytemuck::NoUninit;

use crate::dims::{Cell, Dims, Precision};

/// Storage for a session, aligned for every kernel.
///
/// ```
/// # use gatelet::{Cell, Dims, Precision, StateBuf};
/// const DIMS: Dims = match Dims::new(Cell::Lstm, Precision::Int8, 1, 128, 81) {
///     Ok(dims) => dims,
///     Err(_) => panic!("the shape is out of range"), // at compile time
/// };
/// let mut storage = StateBuf::<{ DIMS.state_words() }>::new();
/// assert_eq!(storage.as_mut().len(), 96 + 32 + 81);
/// ```
#[repr(C, align(16))]
#[derive(Clone, Debug)]
pub struct StateBuf<const WORDS: usize>([u32; WORDS]);

impl<const WORDS: usize> StateBuf<WORDS> {
    /// All zero, which is also the state before the first token.
    pub const fn new() -> Self {
        StateBuf([0; WORDS])
    }
}

impl<const WORDS: usize> Default for StateBuf<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> AsMut<[u32]> for StateBuf<WORDS> {
    fn as_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

/// Bytes at a multiple of 16, for images that are linked into a program:
/// `static MODEL: &AlignedBytes<{ include_bytes!("m.gatelet").len() }> = &AlignedBytes(*include_bytes!("m.gatelet"));`
#[repr(C, align(16))]
#[derive(Clone, Debug)]
pub struct AlignedBytes<const N: usize>(pub [u8; N]);

/// The parts of a session's storage, as the numbers of one precision: `H` the hidden, `C` the cell state's element.
pub(crate) struct Parts<'a, H, C, L> {
    /// `[embedding_stride]`, then `[layers, stride]`: embedding and hidden state.
    pub(crate) inputs: &'a mut [H],
    /// `[layers, stride]`; empty for the RNN.
    pub(crate) cell: &'a mut [C],
    /// `[stride]`: the new hidden vector of the layer being computed.
    pub(crate) next: &'a mut [H],
    /// `[projection]` and padding: as the kernel gives it. In f32 the head reads it there.
    pub(crate) projected: &'a mut [L],
    /// `[projection]` and padding, in int8: what the head reads.
    pub(crate) narrowed: &'a mut [H],
    /// `[vocab]`.
    pub(crate) logits: &'a mut [L],
}

/// Splits `storage` ([`Dims::state_words`] words, as checked when the session was made).
pub(crate) fn split<'a, H, C, L>(dims: &Dims, storage: &'a mut [u32]) -> Parts<'a, H, C, L>
where
    H: AnyBitPattern + NoUninit,
    C: AnyBitPattern + NoUninit,
    L: AnyBitPattern + NoUninit,
{
    let elements = dims.layers * dims.stride();
    let padded = dims.projection.next_multiple_of(4);
    let input_words = (dims.embedding_stride() + elements) * size_of::<H>() / 4;
    let cell_words = match dims.cell {
        Cell::Rnn => 0,
        Cell::Lstm => elements * size_of::<C>() / 4,
    };
    let next_words = dims.stride() * size_of::<H>() / 4;
    let (inputs, rest) = cut(storage, input_words);
    let (cell, rest) = cut(rest, cell_words);
    let (next, rest) = cut(rest, next_words);
    let (projected, rest) = cut(rest, padded);
    let (narrowed, logits) = match dims.precision {
        Precision::F32 => cut(rest, 0),
        Precision::Int8 => cut(rest, padded / 4),
    };
    Parts {
        inputs: numbers(inputs),
        cell: numbers(cell),
        next: numbers(next),
        projected: numbers(projected),
        narrowed: numbers(narrowed),
        logits: numbers(logits),
    }
}

/// `split_at_mut` for a length that was checked before: it cannot panic.
fn cut(words: &mut [u32], at: usize) -> (&mut [u32], &mut [u32]) {
    words.split_at_mut_checked(at).unwrap_or_default()
}

/// Words seen as numbers of at most four bytes; that always succeeds.
fn numbers<T: AnyBitPattern + NoUninit>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}
