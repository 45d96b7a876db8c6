//! A stream of tokens through a model, with the state in the caller's memory.

use crate::dims::{Dims, Precision};
use crate::error::{SessionError, SnapshotError, StepError};
use crate::hash::StateHash;
use crate::kernel::Kernel;
use crate::layer::{Head, Layer};
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
}

impl<'m, 's, K: Kernel> Session<'m, 's, K> {
    /// Starts from the zero state. `storage` needs at least [`Dims::state_words`] words; what it held is lost.
    ///
    /// # Errors
    /// [`SessionError::StorageTooSmall`], with the words needed.
    pub fn new(model: Model<'m>, kernel: K, storage: &'s mut [u32]) -> Result<Self, SessionError> {
        let (need, have) = (model.dims().state_words(), storage.len());
        let storage = storage
            .get_mut(..need)
            .ok_or(SessionError::StorageTooSmall { need, have })?;
        let mut session = Session {
            model,
            kernel,
            storage,
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
        if self.model.dims().layers == 1 {
            self.kernel = self.kernel.turned();
        }
        self.advance(id);
        self.compute_logits();
        Ok(self.logits())
    }

    /// The scores of the next token, in the current state.
    pub fn logits(&self) -> Logits<'_> {
        logits_in(&self.model, self.storage)
    }

    /// Back to the zero state, as if no token had been seen.
    pub fn reset(&mut self) {
        self.storage.fill(0);
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
        let need = self.model.dims().snapshot_words();
        let have = from.len();
        match self.storage.get_mut(..need) {
            Some(state) if need == have => copy(from, state),
            _ => return Err(SnapshotError::Length { need, have }),
        }
        self.clear_padding();
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
        self.storage
            .get(..self.model.dims().snapshot_words())
            .unwrap_or(&[])
    }

    /// h and c of every layer from the token's row upwards.
    fn advance(&mut self, id: TokenId) {
        let dims = self.model.dims();
        let mut token = Some(id);
        for (index, layer) in self.model.layers.iter().enumerate().take(dims.layers) {
            match layer {
                Layer::F32(layer) => {
                    let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                    let (x, c) = operands(&dims, index, parts.hidden, parts.cell);
                    let addend = layer.addend(token);
                    self.kernel.layer_f32(layer, addend, x, c, parts.next);
                    copy_hidden(&dims, index, parts.next, parts.hidden);
                }
                Layer::Int8(layer) => {
                    let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                    let (x, c) = operands(&dims, index, parts.hidden, parts.cell);
                    let addend = layer.addend(token);
                    self.kernel.layer_int8(layer, addend, x, c, parts.next);
                    copy_hidden(&dims, index, parts.next, parts.hidden);
                }
            }
            token = None;
        }
    }

    /// The logits from the top layer's h.
    fn compute_logits(&mut self) {
        compute_logits(&self.model, self.kernel, self.storage);
    }

    /// Zeroes the padding elements of h, on which the kernels rely.
    fn clear_padding(&mut self) {
        let dims = self.model.dims();
        match dims.precision {
            Precision::F32 => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                clear_tails(&dims, parts.hidden);
            }
            Precision::Int8 => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                clear_tails(&dims, parts.hidden);
            }
        }
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

/// The logits of one stream from its top layer's h.
pub(crate) fn compute_logits<K: Kernel>(model: &Model<'_>, kernel: K, storage: &mut [u32]) {
    let dims = model.dims();
    let top = (dims.layers - 1) * dims.stride();
    match &model.head {
        Head::F32(head) => {
            let parts: Parts<'_, f32, f32, f32> = state::split(&dims, storage);
            kernel.head_f32(
                head,
                parts.hidden.get(top..).unwrap_or_default(),
                parts.logits,
            );
        }
        Head::Int8(head) => {
            let parts: Parts<'_, i8, i16, i32> = state::split(&dims, storage);
            kernel.head_int8(
                head,
                parts.hidden.get(top..).unwrap_or_default(),
                parts.logits,
            );
        }
    }
}

/// The operand of layer `index` (its own h, below it the h of the layer under it) and its cell vector.
pub(crate) fn operands<'a, H, C>(
    dims: &Dims,
    index: usize,
    hidden: &'a [H],
    cell: &'a mut [C],
) -> (&'a [H], &'a mut [C]) {
    let stride = dims.stride();
    let from = index.saturating_sub(1) * stride;
    let x = hidden
        .get(from..from + dims.columns(index))
        .unwrap_or_default();
    let c = cell
        .get_mut(index * stride..index * stride + dims.hidden)
        .unwrap_or_default();
    (x, c)
}

/// Puts layer `index`'s new hidden vector in the place of the old one.
pub(crate) fn copy_hidden<H: Copy>(dims: &Dims, index: usize, next: &[H], hidden: &mut [H]) {
    let start = index * dims.stride();
    let old = hidden.get_mut(start..start + dims.hidden);
    if let (Some(old), Some(new)) = (old, next.get(..dims.hidden)) {
        copy(new, old);
    }
}

/// Zeroes what lies behind the last unit of every layer's vector.
fn clear_tails<H: Default>(dims: &Dims, hidden: &mut [H]) {
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
