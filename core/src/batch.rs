//! Several streams of tokens through one model at once: a weight that was read serves them all.
//!
//! For evaluation and training, on hosts. Each stream has the state of a [`Session`](crate::Session), and in int8 the same
//! bits. In f32 a kernel may add in another order than for one stream.

use crate::dims::Precision;
use crate::error::{SessionError, StepError};
use crate::hash::StateHash;
use crate::kernel::{Kernel, StreamF32, StreamInt8};
use crate::layer::Layer;
use crate::logits::Logits;
use crate::model::Model;
use crate::session::{
    check_plain, compute_logits, copy_hidden, embed, hash_state, logits_in, operands, row_of,
    shape, state_in,
};
use crate::state::{self, Parts};
use crate::vocab::TokenId;

/// Streams that go through a layer together. More take turns.
const TOGETHER: usize = 16;

/// Several streams: a model, a kernel, and a state each.
#[derive(Debug)]
pub struct Batch<'m, 's, K: Kernel> {
    model: Model<'m>,
    kernel: K,
    /// `[streams, state_words]`.
    storage: &'s mut [u32],
}

impl<'m, 's, K: Kernel> Batch<'m, 's, K> {
    /// Starts `streams` streams from the zero state, whose logits are not computed. `storage` needs at least
    /// `streams *` [`Dims::state_words`](crate::Dims::state_words) words; what it held is lost.
    ///
    /// # Errors
    /// As [`Session::new`](crate::Session::new).
    pub fn new(
        model: Model<'m>,
        kernel: K,
        streams: usize,
        storage: &'s mut [u32],
    ) -> Result<Self, SessionError> {
        check_plain::<K>(&model)?;
        let (need, have) = (
            streams.saturating_mul(model.dims().state_words()),
            storage.len(),
        );
        let storage = storage
            .get_mut(..need)
            .ok_or(SessionError::StorageTooSmall { need, have })?;
        storage.fill(0);
        Ok(Batch {
            model,
            kernel,
            storage,
        })
    }

    /// Streams.
    pub fn streams(&self) -> usize {
        self.storage.len() / self.model.dims().state_words().max(1)
    }

    /// Takes one token into every stream. `ids: [streams]`.
    ///
    /// # Errors
    /// [`StepError::Streams`] or [`StepError::TokenOutOfRange`]; all states are then unchanged.
    pub fn step(&mut self, ids: &[TokenId]) -> Result<(), StepError> {
        let dims = self.model.dims();
        let (streams, found, vocab) = (self.streams(), ids.len(), dims.vocab);
        if streams != found {
            return Err(StepError::Streams { streams, found });
        }
        if let Some(&id) = ids.iter().find(|id| id.index() >= vocab) {
            return Err(StepError::TokenOutOfRange { id, vocab });
        }
        if dims.layers == 1 {
            self.kernel = self.kernel.turned();
        }
        let words = dims.state_words();
        let shape = shape::<K>(&self.model);
        let blocks = self.storage.chunks_mut((TOGETHER * words).max(1));
        for (storage, ids) in blocks.zip(ids.chunks(TOGETHER)) {
            for (storage, &id) in storage.chunks_exact_mut(words.max(1)).zip(ids) {
                embed(&self.model, &shape, id, storage);
            }
            for index in 0..dims.layers {
                advance(&self.model, self.kernel, index, storage, ids);
            }
            for storage in storage.chunks_exact_mut(words.max(1)) {
                compute_logits(&self.model, self.kernel, storage);
            }
        }
        Ok(())
    }

    /// The scores of a stream's next token; none if there is no such stream.
    pub fn logits(&self, stream: usize) -> Option<Logits<'_>> {
        Some(logits_in(&self.model, self.stream(stream)?))
    }

    /// Takes a stream's state into `hash`, as [`Session::hash_into`](crate::Session::hash_into) does.
    pub fn hash_into(&self, stream: usize, hash: &mut StateHash) {
        let storage = self.stream(stream).unwrap_or_default();
        let state = state_in::<K>(&self.model, storage);
        hash_state(&self.model.dims(), state, hash);
    }

    /// A stream's storage.
    fn stream(&self, stream: usize) -> Option<&[u32]> {
        let words = self.model.dims().state_words();
        self.storage.chunks_exact(words.max(1)).nth(stream)
    }
}

/// Layer `index` of the streams in `storage`.
fn advance<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    index: usize,
    storage: &mut [u32],
    ids: &[TokenId],
) {
    let words = model.dims().state_words().max(1);
    let dims = shape::<K>(model);
    match model.layers.get(index) {
        Some(Layer::F32(layer)) => {
            let mut streams = heapless::Vec::<_, TOGETHER>::new();
            for (storage, &id) in storage.chunks_exact_mut(words).zip(ids) {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, storage);
                let (x, c) = operands(&dims, index, parts.inputs, parts.cell);
                let addend = layer.addend(row_of(&dims, id).filter(|_| index == 0));
                let next = parts.next;
                let _ = streams.push(StreamF32 { addend, x, c, next });
            }
            kernel.layer_f32_batch(layer, &mut streams);
        }
        Some(Layer::Int8(layer)) => {
            let mut streams = heapless::Vec::<_, TOGETHER>::new();
            for (storage, &id) in storage.chunks_exact_mut(words).zip(ids) {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, storage);
                let (x, c) = operands(&dims, index, parts.inputs, parts.cell);
                let addend = layer.addend(row_of(&dims, id).filter(|_| index == 0));
                let next = parts.next;
                let _ = streams.push(StreamInt8 {
                    addend,
                    x,
                    c,
                    next,
                    correction: 0,
                });
            }
            kernel.layer_int8_batch(layer, &mut streams);
        }
        None => {}
    }
    for storage in storage.chunks_exact_mut(words) {
        match dims.precision {
            Precision::F32 => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, storage);
                copy_hidden(&dims, index, parts.next, parts.inputs);
            }
            Precision::Int8 => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, storage);
                copy_hidden(&dims, index, parts.next, parts.inputs);
            }
        }
    }
}
