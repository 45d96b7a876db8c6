//! The detector: frames of samples in, lines out.

use gatelet::{Kernel, Model, Session, SessionError, StateHash, StepError, TokenId};

use crate::bands::{Bands, FRAME};
use crate::hearing::{Change, Hearing};

/// The score of noise, and that of voice, among those of the net.
pub const NOISE: TokenId = TokenId(0);
/// See [`NOISE`].
pub const VOICE: TokenId = TokenId(1);

/// A stream that is listened to.
#[derive(Debug)]
pub struct Listener<'m, 's, K: Kernel> {
    bands: Bands,
    session: Session<'m, 's, K>,
    hearing: Hearing,
    states: StateHash,
}

impl<'m, 's, K: Kernel> Listener<'m, 's, K> {
    /// After silence. `storage` is that of a session.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn new(
        model: &'m Model<'m>,
        kernel: K,
        storage: &'s mut [u32],
    ) -> Result<Self, SessionError> {
        Ok(Listener {
            bands: Bands::new(),
            session: Session::new(model, kernel, storage)?,
            hearing: Hearing::new(),
            states: StateHash::new(),
        })
    }

    /// Takes a frame in: what there is to say about it.
    ///
    /// # Errors
    /// As [`Session::step`], for a net of another width.
    pub fn frame(&mut self, samples: &[i16; FRAME]) -> Result<Option<Change>, StepError> {
        let scores = self.session.step(&self.bands.frame(samples))?;
        let voice = scores.argmax() == VOICE;
        for id in [NOISE, VOICE] {
            let score = scores.q16(id).unwrap_or_default();
            self.states.update(&score.to_le_bytes());
        }
        self.session.hash_into(&mut self.states);
        Ok(self.hearing.frame(voice))
    }

    /// What has been heard.
    pub fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// A hash of every score and every state so far.
    pub fn states(&self) -> u64 {
        self.states.clone().finish()
    }
}
