//! The known-answer test of a model, which a board runs when it starts.

use core::fmt::{self, Display, Formatter};

use crate::image::model::Model;
use crate::kernel::{Kernel, Scalar};
use crate::net::{Capabilities, Input, Precision, TokenId};
use crate::session::Session;
use crate::session::error::{SessionError, StepError};
use crate::session::hash::StateHash;

impl Model<'_> {
    /// Runs the known-answer test: feeds its tokens or features from the start state and compares the
    /// hash of every state with the one the exporter stored.
    ///
    /// int8 models run it with `kernel`, whose integers must be the exporter's bit for bit. f32 models
    /// run it with [`Scalar`], whose order of operations is fixed: other f32 kernels agree only within
    /// a bound. `storage` needs [`Net::state_words`](crate::net::Net::state_words) words and is
    /// overwritten.
    ///
    /// # Errors
    /// [`SelfTestError::Mismatch`] when weights or kernel are not the exporter's.
    pub fn self_test<K: Kernel>(
        &self,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<(), SelfTestError> {
        let found = match self.net.precision {
            Precision::F32 if K::CAPABILITIES.has(Capabilities::F32) && !K::F32_IS_SCALAR => {
                self.known_answer_hash(Scalar, storage)
            }
            _ => self.known_answer_hash(kernel, storage),
        }?;
        let expected = self.known_answer.hash;
        if found == expected {
            Ok(())
        } else {
            Err(SelfTestError::Mismatch { expected, found })
        }
    }

    /// The hash of every state while the known answer's tokens or features are fed from the start
    /// state.
    ///
    /// # Errors
    /// When the storage is too small.
    pub fn known_answer_hash<K: Kernel>(
        &self,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<u64, SelfTestError> {
        let mut session = Session::new(self, kernel, storage).map_err(SelfTestError::Session)?;
        let mut hash = StateHash::new();
        for &id in self.known_answer.tokens {
            session.step(TokenId(id)).map_err(SelfTestError::Step)?;
            session.hash_into(&mut hash);
        }
        if K::CAPABILITIES.has(Capabilities::FEATURES)
            && let Input::Features { width, .. } = self.net.input
        {
            for features in self.known_answer.features.chunks_exact(width.max(1)) {
                session.step(features).map_err(SelfTestError::Step)?;
                session.hash_into(&mut hash);
            }
        }
        Ok(hash.finish())
    }
}

/// Why a model failed its known-answer test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SelfTestError {
    /// The storage for the test is too small.
    Session(SessionError),
    /// A token of the test is outside the vocabulary.
    Step(StepError),
    /// The states are not the ones the exporter saw.
    Mismatch {
        /// The hash stored in the image.
        expected: u64,
        /// The hash computed here.
        found: u64,
    },
}

impl Display for SelfTestError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SelfTestError::Session(error) => write!(f, "known-answer test: {error}"),
            SelfTestError::Step(error) => write!(f, "known-answer test: {error}"),
            SelfTestError::Mismatch { expected, found } => write!(
                f,
                "known-answer test: the states hash to {found:016x}, the exporter saw {expected:016x}; \
                 the weights or the kernel are not the exporter's"
            ),
        }
    }
}

impl core::error::Error for SelfTestError {}
