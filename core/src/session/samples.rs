//! Samples in: the model's front end makes features of them, and every frame is a step.

use super::Session;
use super::schedule::can_push;
use crate::front::Frames;
use crate::kernel::Kernel;
use crate::session::error::StepError;
use crate::session::input::take_features;

impl<K: Kernel> Session<'_, '_, K> {
    /// Takes samples in, as many as there are, and calls `each` after every step: one for every hop of
    /// the model's front end. What does not fill a hop is kept for the next call, so samples may come
    /// in pieces of any size, with the same results. Returns the number of steps.
    ///
    /// ```no_run
    /// # fn microphone() -> [i16; 100] { [0; 100] }
    /// # fn run(model: &gatelet::Model<'_>, storage: &mut [u32]) -> Result<(), gatelet::Error> {
    /// // Of `model.session_words()` words.
    /// let mut session = gatelet::Session::new(model, gatelet::Native::default(), storage)?;
    /// loop {
    ///     session.push_samples(&microphone(), |session| {
    ///         let _word = session.logits().argmax();
    ///     })?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StepError::Samples`] when the model has no front end, or the session's storage no room for it;
    /// the state is unchanged then.
    pub fn push_samples(
        &mut self,
        samples: &[i16],
        mut each: impl FnMut(&Self),
    ) -> Result<usize, StepError> {
        let need = self.model.front_end.map_or(0, |front| front.words());
        let (mut rest, mut steps) = (samples, 0);
        if !can_push::<K>() || self.frames.is_none() {
            return Err(StepError::Samples { need });
        }
        loop {
            let frames = self.frames.as_mut();
            let Some(features) = frames.and_then(|frames| frames.next(&mut rest)) else {
                return Ok(steps);
            };
            take_features(self.model, self.storage, features)?;
            self.go(None);
            steps += 1;
            each(self);
        }
    }

    /// The samples of the frame that is not whole, as a snapshot has them.
    pub(super) fn frame(&self) -> &[u32] {
        let frames = self.frames.as_ref().filter(|_| can_push::<K>());
        frames.map_or(&[], Frames::state)
    }
}
