//! A stream of tokens through a model, with the state in the caller's memory.

mod advance;
mod text;

use self::advance::{Sums, room_ahead};
use crate::dims::{Dims, Precision};
use crate::error::{SessionError, SnapshotError, StepError};
use crate::hash::StateHash;
use crate::kernel::Kernel;
use crate::layer::{Embedding, Head, narrow};
use crate::logits::Logits;
use crate::model::Model;
use crate::state::{self, Parts};
use crate::vocab::TokenId;

/// One stream: a model, a kernel, and the state that is carried from token to token.
///
/// The logits always belong to the state: after [`Session::new`] and [`Session::reset`] they are those of the zero
/// state, after [`Session::restore`] those of the restored one.
#[derive(Debug)]
pub struct Session<'m, 's, K: Kernel> {
    model: Model<'m>,
    kernel: K,
    /// Exactly [`Dims::state_words`] words, divided by [`state::split`].
    storage: &'s mut [u32],
    /// [`Dims::ahead_words`] words for sums, where the kernel computes products ahead; otherwise none.
    ahead: &'s mut [u32],
    /// What they hold, in a model of one layer.
    sums: Sums,
}

impl<'m, 's, K: Kernel> Session<'m, 's, K> {
    /// Starts from the zero state. `storage` needs at least [`Dims::state_words`] words; what it held is lost. With
    /// [`Dims::ahead_words`] more, steps are faster on a host, and their results the same.
    ///
    /// # Errors
    /// [`SessionError::StorageTooSmall`], with the words needed; [`SessionError::NotPlain`] for a kernel that is
    /// [`Plain`](crate::Plain) and a model that is not.
    pub fn new(model: Model<'m>, kernel: K, storage: &'s mut [u32]) -> Result<Self, SessionError> {
        check_plain::<K>(&model)?;
        let (need, have) = (model.dims().state_words(), storage.len());
        let (storage, rest) = storage
            .split_at_mut_checked(need)
            .ok_or(SessionError::StorageTooSmall { need, have })?;
        let ahead = room_ahead(&model, kernel, rest);
        let mut session = Session {
            model,
            kernel,
            storage,
            ahead,
            sums: Sums::Restored,
        };
        session.reset();
        Ok(session)
    }

    /// Takes one token in and returns the scores of the next.
    ///
    /// # Errors
    /// [`StepError::TokenOutOfRange`]; the state is then unchanged.
    pub fn step(&mut self, id: TokenId) -> Result<Logits<'_>, StepError> {
        let vocab = self.model.dims().vocab;
        if id.index() >= vocab {
            return Err(StepError::TokenOutOfRange { id, vocab });
        }
        self.go(id);
        Ok(self.logits())
    }

    /// The scores of the next token, in the current state.
    pub fn logits(&self) -> Logits<'_> {
        logits_in(&self.model, self.storage)
    }

    /// Back to the zero state, as if no token had been seen.
    pub fn reset(&mut self) {
        self.storage.fill(0);
        self.forget_sums();
        self.compute_logits();
    }

    /// Copies the state out. `into` needs exactly [`Dims::snapshot_words`] words.
    ///
    /// # Errors
    /// [`SnapshotError::Length`]; nothing is copied then.
    pub fn snapshot(&self, into: &mut [u32]) -> Result<(), SnapshotError> {
        let state = self.state_words();
        let (need, have) = (state.len(), into.len());
        if need != have {
            return Err(SnapshotError::Length { need, have });
        }
        copy(state, into);
        Ok(())
    }

    /// Copies a state in, and makes the logits those of that state.
    ///
    /// # Errors
    /// [`SnapshotError::Length`]; the state is unchanged then.
    pub fn restore(&mut self, from: &[u32]) -> Result<(), SnapshotError> {
        self.restore_state(from)?;
        self.compute_logits();
        Ok(())
    }

    /// As [`Session::restore`], but leaves the logits of the state before: for a caller that steps next.
    pub(crate) fn restore_state(&mut self, from: &[u32]) -> Result<(), SnapshotError> {
        let (need, have) = (self.model.dims().snapshot_words(), from.len());
        let start = shape::<K>(&self.model).embedded_words();
        match self.storage.get_mut(start..start + need) {
            Some(state) if need == have => copy(from, state),
            _ => return Err(SnapshotError::Length { need, have }),
        }
        self.clear_padding();
        self.forget_sums();
        Ok(())
    }

    /// Takes the canonical bytes of the current state into `hash`: for every layer h, then for every layer c, without
    /// padding, little-endian.
    pub fn hash_into(&self, hash: &mut StateHash) {
        hash_state(&self.model.dims(), self.state_words(), hash);
    }

    /// The model.
    pub fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// The words a snapshot consists of.
    fn state_words(&self) -> &[u32] {
        state_in::<K>(&self.model, self.storage)
    }

    /// The logits from the top layer's h.
    fn compute_logits(&mut self) {
        compute_logits(&self.model, self.kernel, self.storage);
    }

    /// Zeroes the padding elements of h, on which the kernels rely.
    fn clear_padding(&mut self) {
        let dims = shape::<K>(&self.model);
        match dims.precision {
            Precision::F32 => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                clear_tails(&dims, parts.inputs);
            }
            Precision::Int8 => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                clear_tails(&dims, parts.inputs);
            }
        }
    }
}

/// The shape, in which a kernel that is only for plain models sees no embedding and no projection: what they need is then
/// no part of the program.
#[inline(always)]
pub(crate) fn shape<K: Kernel>(model: &Model<'_>) -> Dims {
    let dims = model.dims();
    match K::PLAIN {
        true => Dims {
            embedding: 0,
            projection: 0,
            tied: false,
            ..dims
        },
        false => dims,
    }
}

/// Checks that the kernel has what the model needs.
pub(crate) fn check_plain<K: Kernel>(model: &Model<'_>) -> Result<(), SessionError> {
    if K::PLAIN && !model.dims().is_plain() {
        return Err(SessionError::NotPlain);
    }
    Ok(())
}

/// The words of a session's storage that a snapshot consists of.
pub(crate) fn state_in<'a, K: Kernel>(model: &Model<'_>, storage: &'a [u32]) -> &'a [u32] {
    let start = shape::<K>(model).embedded_words();
    let end = start + model.dims().snapshot_words();
    storage.get(start..end).unwrap_or(&[])
}

/// The token that selects a row of the first layer's input; none in a model with an embedding.
pub(crate) fn row_of(dims: &Dims, id: TokenId) -> Option<TokenId> {
    (dims.embedding == 0).then_some(id)
}

/// Puts a token's embedding where the first layer reads it, in a model that has one.
pub(crate) fn embed(model: &Model<'_>, dims: &Dims, id: TokenId, storage: &mut [u32]) {
    if dims.embedding == 0 {
        return;
    }
    match &model.embedding {
        Some(Embedding::F32(table)) => {
            let parts: Parts<'_, f32, f32, f32> = state::split(dims, storage);
            table.look_up(
                id,
                parts.inputs.get_mut(..dims.embedding).unwrap_or_default(),
            );
        }
        Some(Embedding::Int8(table)) => {
            let parts: Parts<'_, i8, i16, i32> = state::split(dims, storage);
            table.look_up(
                id,
                parts.inputs.get_mut(..dims.embedding).unwrap_or_default(),
            );
        }
        None => {}
    }
}

/// The scores in a session's storage.
pub(crate) fn logits_in<'a>(model: &Model<'_>, storage: &'a [u32]) -> Logits<'a> {
    let dims = model.dims();
    let scores = storage.len().saturating_sub(dims.vocab);
    let words = storage.get(scores..).unwrap_or(&[]);
    let logits = match dims.precision {
        Precision::F32 => Logits::of_f32(bytemuck::try_cast_slice(words).unwrap_or(&[])),
        Precision::Int8 => Logits::of_q16(bytemuck::try_cast_slice(words).unwrap_or(&[])),
    };
    logits.hiding(model.vocab().unknown())
}

/// Takes the canonical bytes of a state, the words of a snapshot, into `hash`.
pub(crate) fn hash_state(dims: &Dims, state: &[u32], hash: &mut StateHash) {
    let state: &[u8] = bytemuck::cast_slice(state);
    let sizes = [dims.precision.hidden_bytes(), dims.precision.cell_bytes()];
    let (hidden, cell) = state
        .split_at_checked(dims.layers * dims.stride() * dims.precision.hidden_bytes())
        .unwrap_or_default();
    for (part, size) in [hidden, cell].into_iter().zip(sizes) {
        for vector in part.chunks_exact((dims.stride() * size).max(1)) {
            hash.update(vector.get(..dims.hidden * size).unwrap_or(vector));
        }
    }
}

/// The logits of one stream from its top layer's h, by way of the projection where there is one.
pub(crate) fn compute_logits<K: Kernel>(model: &Model<'_>, kernel: K, storage: &mut [u32]) {
    let dims = shape::<K>(model);
    let top = dims.embedding_stride() + (dims.layers - 1) * dims.stride();
    match &model.head {
        Head::F32(head) => {
            let parts: Parts<'_, f32, f32, f32> = state::split(&dims, storage);
            let mut x: &[f32] = parts.inputs.get(top..).unwrap_or_default();
            if dims.projection > 0
                && let Some(Head::F32(projection)) = &model.projection
                && let Some(to) = parts.projected.get_mut(..dims.projection)
            {
                kernel.head_f32(projection, x, to);
                x = parts.projected;
            }
            kernel.head_f32(head, x, parts.logits);
        }
        Head::Int8(head) => {
            let parts: Parts<'_, i8, i16, i32> = state::split(&dims, storage);
            let mut x: &[i8] = parts.inputs.get(top..).unwrap_or_default();
            if dims.projection > 0
                && let Some(Head::Int8(projection)) = &model.projection
                && let Some(to) = parts.projected.get_mut(..dims.projection)
            {
                kernel.head_int8(projection, x, to);
                narrow(to, parts.narrowed);
                x = parts.narrowed;
            }
            kernel.head_int8(head, x, parts.logits);
        }
    }
}

/// The operand of layer `index` (its own h, below it the h of the layer under it, or the embedding) and its cell vector.
/// `inputs`: the embedding, then every layer's h.
pub(crate) fn operands<'a, H, C>(
    dims: &Dims,
    index: usize,
    inputs: &'a [H],
    cell: &'a mut [C],
) -> (&'a [H], &'a mut [C]) {
    let stride = dims.stride();
    let from = match index {
        0 => 0,
        _ => dims.embedding_stride() + (index - 1) * stride,
    };
    let x = inputs
        .get(from..from + dims.columns(index))
        .unwrap_or_default();
    let c = cell
        .get_mut(index * stride..index * stride + dims.hidden)
        .unwrap_or_default();
    (x, c)
}

/// Puts layer `index`'s new hidden vector in the place of the old one.
pub(crate) fn copy_hidden<H: Copy>(dims: &Dims, index: usize, next: &[H], inputs: &mut [H]) {
    let start = dims.embedding_stride() + index * dims.stride();
    let old = inputs.get_mut(start..start + dims.hidden);
    if let (Some(old), Some(new)) = (old, next.get(..dims.hidden)) {
        copy(new, old);
    }
}

/// Zeroes what lies behind the last unit of every layer's vector.
fn clear_tails<H: Default>(dims: &Dims, inputs: &mut [H]) {
    let hidden = inputs.get_mut(dims.embedding_stride()..);
    let hidden = hidden.unwrap_or_default();
    for vector in hidden.chunks_exact_mut(dims.stride().max(1)) {
        for padding in vector.iter_mut().skip(dims.hidden) {
            *padding = H::default();
        }
    }
}

/// `copy_from_slice` for lengths that were compared before, without its panic.
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    if from.len() == to.len() {
        to.copy_from_slice(from);
    }
}
