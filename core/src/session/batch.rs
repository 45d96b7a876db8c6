//! Several streams through one model at once: a weight that was read serves them all.
//!
//! For evaluation and training, on hosts. Each stream has the state of a [`Session`](crate::Session), and in int8 the same
//! bits. In f32 a kernel may add in another order than for one stream.

use crate::image::model::Model;
use crate::kernel::{Kernel, StreamF32, StreamInt8, copy};
use crate::net::{Input, NOWHERE, TokenId};
use crate::session::error::{SessionError, StepError};
use crate::session::hash::StateHash;
use crate::session::state::{self, Parts};
use crate::session::{
    StepInput, check_needs, hash_state, logits_in, operations, start, take_features,
};
use crate::text::logits::Logits;
use crate::weights::layer::Weights;

/// Streams that go through an operation together. More take turns.
const TOGETHER: usize = 16;

/// Several streams: a model, a kernel, and a state each.
#[derive(Debug)]
pub struct Batch<'m, 's, K: Kernel> {
    model: &'m Model<'m>,
    kernel: K,
    /// `[streams, state_words]`.
    storage: &'s mut [u32],
}

impl<'m, 's, K: Kernel> Batch<'m, 's, K> {
    /// Starts `streams` streams from the start state, whose outputs are not computed. `storage` needs at
    /// least `streams *` [`Net::state_words`](crate::net::Net::state_words) words; what it held is lost.
    ///
    /// # Errors
    /// As [`Session::new`](crate::Session::new).
    pub fn new(
        model: &'m Model<'m>,
        kernel: K,
        streams: usize,
        storage: &'s mut [u32],
    ) -> Result<Self, SessionError> {
        check_needs::<K>(model)?;
        let words = model.plan.words();
        let (need, have) = (streams.saturating_mul(words), storage.len());
        let storage = storage
            .get_mut(..need)
            .ok_or(SessionError::StorageTooSmall { need, have })?;
        storage.fill(0);
        for storage in storage.chunks_exact_mut(words.max(1)) {
            start::<K>(model, storage);
        }
        Ok(Batch {
            model,
            kernel,
            storage,
        })
    }

    /// Streams.
    pub fn streams(&self) -> usize {
        self.storage.len() / self.model.plan.words().max(1)
    }

    /// Takes one token into every stream. `ids: [streams]`.
    ///
    /// # Errors
    /// [`StepError::Streams`], [`StepError::TokenOutOfRange`] or [`StepError::Input`]; all states are
    /// then unchanged.
    pub fn step(&mut self, ids: &[TokenId]) -> Result<(), StepError> {
        self.check_streams(ids.len())?;
        for &id in ids {
            id.take(self.model, &mut [])?;
        }
        self.go(Some(ids));
        Ok(())
    }

    /// Takes the features of one step into every stream. `features: [streams, features]`.
    ///
    /// # Errors
    /// [`StepError::Features`], [`StepError::Feature`] with its place among all of them, or
    /// [`StepError::Input`]; all states are then unchanged.
    pub fn step_features(&mut self, features: &[f32]) -> Result<(), StepError> {
        let Input::Features { width, .. } = self.model.net.input else {
            return Err(StepError::Input { takes_tokens: true });
        };
        let (expected, found) = (width * self.streams(), features.len());
        if expected != found {
            return Err(StepError::Features { expected, found });
        }
        let words = self.model.plan.words().max(1);
        let all = self.storage.chunks_exact_mut(words);
        for (stream, (storage, features)) in all.zip(features.chunks_exact(width)).enumerate() {
            // What a step takes in is no part of the state.
            take_features(self.model, storage, features).map_err(|error| match error {
                StepError::Feature { index } => StepError::Feature {
                    index: stream * width + index,
                },
                other => other,
            })?;
        }
        self.go(None);
        Ok(())
    }

    fn check_streams(&self, found: usize) -> Result<(), StepError> {
        let streams = self.streams();
        match streams == found {
            true => Ok(()),
            false => Err(StepError::Streams { streams, found }),
        }
    }

    /// One step of every stream. `tokens: [streams]`.
    fn go(&mut self, tokens: Option<&[TokenId]>) {
        if self.model.net.recurrent_count() == 1 {
            self.kernel = self.kernel.reversed();
        }
        let words = self.model.plan.words().max(1);
        let mut rest = tokens;
        for storage in self.storage.chunks_mut(TOGETHER * words) {
            let (tokens, behind) = match rest {
                Some(tokens) => {
                    let count = (storage.len() / words).min(tokens.len());
                    let (now, behind) = tokens.split_at_checked(count).unwrap_or_default();
                    (Some(now), Some(behind))
                }
                None => (None, None),
            };
            rest = behind;
            for index in 0..self.model.net.len() {
                advance(self.model, self.kernel, index, storage, tokens);
            }
            for storage in storage.chunks_exact_mut(words) {
                operations::finish::<K>(self.model, storage);
            }
        }
    }

    /// The scores of a stream's first output; none if there is no such stream.
    pub fn logits(&self, stream: usize) -> Option<Logits<'_>> {
        Some(logits_in(self.model, self.stream(stream)?, 0))
    }

    /// Output `index` of a stream, as numbers; none if there is no such.
    pub fn values(&self, stream: usize, index: usize) -> impl Iterator<Item = f32> {
        let storage = self.stream(stream).unwrap_or_default();
        let scale = self.model.output_scale(index);
        let numbers = logits_in(self.model, storage, index).numbers();
        numbers.map(move |x| x * scale)
    }

    /// Takes a stream's state into `hash`, as [`Session::hash_into`](crate::Session::hash_into) does.
    pub fn hash_into(&self, stream: usize, hash: &mut StateHash) {
        let storage = self.stream(stream).unwrap_or_default();
        hash_state(self.model, storage, hash);
    }

    /// A stream's storage.
    fn stream(&self, stream: usize) -> Option<&[u32]> {
        let words = self.model.plan.words();
        self.storage.chunks_exact(words.max(1)).nth(stream)
    }
}

/// The token of a stream.
fn token_of(tokens: Option<&[TokenId]>, stream: usize) -> Option<TokenId> {
    tokens.and_then(|tokens| tokens.get(stream)).copied()
}

/// Operation `index` of the streams in `storage`: those that kernels do for several at once together,
/// every other one by one.
fn advance<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    index: usize,
    storage: &mut [u32],
    tokens: Option<&[TokenId]>,
) {
    let (plan, words) = (&model.plan, model.plan.words().max(1));
    let place = plan.at(index);
    let reads = model.net.reads_token(index);
    let token = |stream| {
        if reads {
            token_of(tokens, stream)
        } else {
            None
        }
    };
    match &model.weights_for::<K>(index) {
        Weights::CellF32(layer) if place.x != NOWHERE => {
            let mut streams = heapless::Vec::<_, TOGETHER>::new();
            for (stream, storage) in storage.chunks_exact_mut(words).enumerate() {
                let parts: Parts<'_, f32, f32, f32> = state::split(plan, storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let end = place.cell.saturating_add(layer.hidden);
                let _ = streams.push(StreamF32 {
                    addend: layer.addend(token(stream)),
                    x: x.unwrap_or_default(),
                    c: parts.cells.get_mut(place.cell..end).unwrap_or_default(),
                    next: parts.next,
                });
            }
            kernel.layer_f32_batch(layer, &mut streams);
            drop(streams);
            for storage in storage.chunks_exact_mut(words) {
                let parts: Parts<'_, f32, f32, f32> = state::split(plan, storage);
                keep(place.value, layer.hidden, parts.next, parts.values);
            }
        }
        Weights::CellInt8(layer) if place.x != NOWHERE => {
            let mut streams = heapless::Vec::<_, TOGETHER>::new();
            for (stream, storage) in storage.chunks_exact_mut(words).enumerate() {
                let parts: Parts<'_, i8, i16, i32> = state::split(plan, storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let end = place.cell.saturating_add(layer.hidden);
                let _ = streams.push(StreamInt8 {
                    addend: layer.addend(token(stream)),
                    x: x.unwrap_or_default(),
                    c: parts.cells.get_mut(place.cell..end).unwrap_or_default(),
                    next: parts.next,
                    correction: 0,
                });
            }
            kernel.layer_int8_batch(layer, &mut streams);
            drop(streams);
            for storage in storage.chunks_exact_mut(words) {
                let parts: Parts<'_, i8, i16, i32> = state::split(plan, storage);
                keep(place.value, layer.hidden, parts.next, parts.values);
            }
        }
        _ => {
            for (stream, storage) in storage.chunks_exact_mut(words).enumerate() {
                let token = token_of(tokens, stream);
                operations::run(model, kernel, token, storage, index..index + 1);
            }
        }
    }
}

/// Puts a new h in the place of the old one.
fn keep<H: Copy>(first: usize, units: usize, next: &[H], values: &mut [H]) {
    let new = next.get(..units).unwrap_or_default();
    copy(
        new,
        values.get_mut(first..first + units).unwrap_or_default(),
    );
}
