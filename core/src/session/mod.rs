//! A stream of tokens or features through a model, with the state in the caller's memory.

mod advance;
pub(crate) mod batch;
pub(crate) mod complete;
pub mod conformance;
pub(crate) mod error;
pub(crate) mod hash;
pub(crate) mod history;
pub(crate) mod include;
mod input;
pub(crate) mod operations;
mod samples;
mod schedule;
pub(crate) mod self_test;
pub(crate) mod state;
mod states;
mod text;

pub use self::input::StepInput;
pub(crate) use self::input::take_features;
use self::schedule::{Schedule, Sums, can_push, frames, schedule};
pub use self::states::StateView;
pub(crate) use self::states::{clear_padding, copy_state, hash_state, start};
use crate::front::Frames;
use crate::image::model::Model;
use crate::kernel::{Kernel, copy};
use crate::net::Precision;
use crate::session::error::{SessionError, SnapshotError, StepError};
use crate::session::hash::StateHash;
use crate::text::logits::Logits;

/// One stream: a model, a kernel, and the state that is carried from step to step.
///
/// The outputs always belong to the state: after [`Session::new`] and [`Session::reset`] they are those
/// of the start state, after [`Session::restore`] those of the restored one. What reads features gets
/// zeros then.
#[derive(Debug)]
pub struct Session<'m, 's, K: Kernel> {
    model: &'m Model<'m>,
    kernel: K,
    /// Views of the model's operations.
    kept: operations::Kept<'m>,
    /// Exactly [`Net::state_words`](crate::net::Net::state_words) words, divided by [`state::split`].
    storage: &'s mut [u32],
    /// What makes features of samples, where the model has that and the storage has room for it.
    frames: Option<Frames<'s>>,
    schedule: Schedule,
    /// [`Net::pipeline_words`](crate::net::Net::pipeline_words) words for sums, where the kernel
    /// computes products before their step; otherwise none.
    pipeline: &'s mut [u32],
    /// What they hold, in a model of one layer.
    sums: Sums,
}

impl<'m, 's, K: Kernel> Session<'m, 's, K> {
    /// Starts from the start state. `storage` needs at least
    /// [`Net::state_words`](crate::net::Net::state_words) words; what it held is lost. With those of
    /// the model's front end more ([`Model::session_words`] in all) it takes samples. With
    /// [`Net::pipeline_words`](crate::net::Net::pipeline_words) behind them, steps are faster on a
    /// host, and their results the same.
    ///
    /// # Errors
    /// [`SessionError::StorageTooSmall`], with the words needed; [`SessionError::Lacks`] for a kernel
    /// that is an [`Only`](crate::kernel::Only) and a model that needs more.
    pub fn new(
        model: &'m Model<'m>,
        kernel: K,
        storage: &'s mut [u32],
    ) -> Result<Self, SessionError> {
        check_needs::<K>(model)?;
        let (need, have) = (model.plan.words(), storage.len());
        let (storage, rest) = storage
            .split_at_mut_checked(need)
            .ok_or(SessionError::StorageTooSmall { need, have })?;
        let (frames, rest) = frames::<K>(model, rest);
        let (schedule, pipeline) = schedule(model, kernel, rest);
        let mut session = Session {
            model,
            kernel,
            kept: operations::kept::<K>(model),
            storage,
            frames,
            schedule,
            pipeline,
            sums: Sums::Restored,
        };
        session.reset();
        Ok(session)
    }

    /// Takes one input in and returns the scores of what comes next: of the first output. `input` is a
    /// token, `&[f32]` features, or `&[i8]` features that were quantized already.
    ///
    /// # Errors
    /// What is wrong with the input; the state is then unchanged.
    pub fn step(&mut self, input: impl StepInput) -> Result<Logits<'_>, StepError> {
        let token = input.take(self.model, self.storage)?;
        self.go(token);
        Ok(self.logits())
    }

    /// The scores of the first output, in the current state.
    pub fn logits(&self) -> Logits<'_> {
        logits_in(self.model, self.storage, 0)
    }

    /// Output `index`, as scores; empty if there is no such.
    pub fn scores(&self, index: usize) -> Logits<'_> {
        logits_in(self.model, self.storage, index)
    }

    /// Output `index`, as numbers; none if there is no such.
    pub fn values(&self, index: usize) -> impl Iterator<Item = f32> {
        let scale = self.model.output_scale(index);
        self.scores(index).numbers().map(move |x| x * scale)
    }

    /// Back to the start state, as if no input had been seen.
    pub fn reset(&mut self) {
        self.storage.fill(0);
        if let Some(frames) = self.frames.as_mut().filter(|_| can_push::<K>()) {
            frames.reset();
        }
        start::<K>(self.model, self.storage);
        self.forget_sums();
        self.compute_outputs();
    }

    /// Words of a snapshot: [`Net::snapshot_words`](crate::net::Net::snapshot_words), and in a session
    /// that takes samples those of the frame it is in.
    pub fn snapshot_words(&self) -> usize {
        self.model.plan.snapshot_words() + self.frame().len()
    }

    /// Copies the state out. `into` needs exactly [`Session::snapshot_words`] words.
    ///
    /// # Errors
    /// [`SnapshotError::Length`]; nothing is copied then.
    pub fn snapshot(&self, into: &mut [u32]) -> Result<(), SnapshotError> {
        let (need, have) = (self.snapshot_words(), into.len());
        if need != have {
            return Err(SnapshotError::Length { need, have });
        }
        let frame = self.frame();
        let (mut to, samples) = into
            .split_at_mut_checked(need - frame.len())
            .unwrap_or_default();
        copy(frame, samples);
        copy_state(self.model, self.storage, |state| {
            let (first, rest) = core::mem::take(&mut to)
                .split_at_mut_checked(state.len())
                .unwrap_or_default();
            copy(state, first);
            to = rest;
        });
        Ok(())
    }

    /// Copies a state in, and makes the outputs those of that state.
    ///
    /// # Errors
    /// [`SnapshotError::Length`]; the state is unchanged then.
    pub fn restore(&mut self, from: &[u32]) -> Result<(), SnapshotError> {
        self.restore_state(from)?;
        self.compute_outputs();
        Ok(())
    }

    /// As [`Session::restore`], but leaves the outputs of the state before: for a caller that steps next.
    pub(crate) fn restore_state(&mut self, from: &[u32]) -> Result<(), SnapshotError> {
        let (need, have) = (self.snapshot_words(), from.len());
        if need != have {
            return Err(SnapshotError::Length { need, have });
        }
        let (from, frame) = from
            .split_at_checked(self.model.plan.snapshot_words())
            .unwrap_or_default();
        if let Some(frames) = self.frames.as_mut().filter(|_| can_push::<K>()) {
            frames.restore(frame);
        }
        states::put_state(self.model, self.storage, from);
        clear_padding(self.model, self.storage);
        self.forget_sums();
        Ok(())
    }

    /// The state of operation `index`: h, and what else it carries. Nothing if it is not recurrent.
    pub fn state(&self, index: usize) -> Option<StateView<'_>> {
        states::view(self.model, self.storage, index)
    }

    /// Sets the state of operation `index`, and makes the outputs those of the new state.
    ///
    /// # Errors
    /// [`SnapshotError::State`] for a state of another type or length, or an operation that is not
    /// recurrent; the state is unchanged then.
    pub fn set_state(&mut self, index: usize, state: StateView<'_>) -> Result<(), SnapshotError> {
        let done = states::set(self.model, self.storage, index, state);
        done.ok_or(SnapshotError::State { operation: index })?;
        self.forget_sums();
        self.compute_outputs();
        Ok(())
    }

    /// Takes the canonical bytes of the current state into `hash`: for every recurrent operation h, then
    /// for every one what else it carries, without padding, little-endian.
    pub fn hash_into(&self, hash: &mut StateHash) {
        hash_state(self.model, self.storage, hash);
    }

    /// The model.
    pub fn model(&self) -> &'m Model<'m> {
        self.model
    }

    /// The outputs of the current state.
    fn compute_outputs(&mut self) {
        operations::outputs(self.model, self.kernel, self.storage);
    }
}

/// Checks that the kernel has what the model needs.
pub(crate) fn check_needs<K: Kernel>(model: &Model<'_>) -> Result<(), SessionError> {
    let missing = model.needs.without(K::CAPABILITIES);
    match missing.is_empty() {
        true => Ok(()),
        false => Err(SessionError::Lacks { missing }),
    }
}

/// The scores of an output in a session's storage.
pub(crate) fn logits_in<'a>(model: &Model<'_>, storage: &'a [u32], index: usize) -> Logits<'a> {
    let (net, plan) = (&model.net, &model.plan);
    let before: usize = (0..index).map(|index| net.output_width(index)).sum();
    let first = storage.len().saturating_sub(plan.outputs) + before;
    let end = first + net.output_width(index);
    let words = storage.get(first..end).unwrap_or(&[]);
    let logits = match net.precision {
        Precision::F32 => Logits::of_f32(bytemuck::try_cast_slice(words).unwrap_or(&[])),
        Precision::Int8 => Logits::of_q16(bytemuck::try_cast_slice(words).unwrap_or(&[])),
    };
    logits.hiding(model.vocab().unknown())
}

/// Storage of a session in parts, as int8 or f32: for what is done on both.
macro_rules! parts {
    (f32, $model:expr, $storage:expr) => {
        state::split::<f32, f32, f32>(&$model.plan, $storage)
    };
    (int8, $model:expr, $storage:expr) => {
        state::split::<i8, i16, i32>(&$model.plan, $storage)
    };
}
pub(crate) use parts;
