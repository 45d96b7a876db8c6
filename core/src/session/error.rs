//! Why a session could not be made, a step was refused, or a snapshot not taken.

use core::fmt::{self, Display, Formatter};

use crate::net::{Capabilities, TokenId};

/// Why a [`Session`](crate::Session) could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SessionError {
    /// The caller's storage is too small for the model's state.
    StorageTooSmall {
        /// Words needed: [`Net::state_words`](crate::net::Net::state_words).
        need: usize,
        /// Words given.
        have: usize,
    },
    /// The model needs what the kernel, an [`Only`](crate::kernel::Only), has left out.
    Lacks {
        /// What that is.
        missing: Capabilities,
    },
}

impl Display for SessionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::StorageTooSmall { need, have } => write!(
                f,
                "the state needs {need} words of 4 bytes, but the storage has {have}"
            ),
            SessionError::Lacks { missing } => {
                write!(
                    f,
                    "the model needs what this program was built without: {missing}"
                )
            }
        }
    }
}

/// Why a step was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StepError {
    /// The token is not in the vocabulary.
    TokenOutOfRange {
        /// The token.
        id: TokenId,
        /// Tokens in the vocabulary.
        vocab: usize,
    },
    /// The net takes features, and was given a token; or tokens, and was given features.
    Input {
        /// Whether it takes tokens.
        takes_tokens: bool,
    },
    /// Another number of features was given than the net takes.
    Features {
        /// Features of the net: of quantized ones their columns.
        expected: usize,
        /// Features given.
        found: usize,
    },
    /// A feature is not a number, or larger in magnitude than
    /// [`FEATURE_LIMIT`](crate::weights::layer::FEATURE_LIMIT).
    Feature {
        /// Its place.
        index: usize,
    },
    /// Quantized features were given to an f32 net.
    NotQuantized,
    /// Samples were given to a session that takes none.
    Samples {
        /// Words that the model's front end needs of the session's storage, which has no room for
        /// them; 0 for a model without one.
        need: usize,
    },
    /// A batch was given another number of tokens than it has streams.
    Streams {
        /// Streams of the batch.
        streams: usize,
        /// Tokens given.
        found: usize,
    },
}

impl Display for StepError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            StepError::TokenOutOfRange { id, vocab } => {
                write!(
                    f,
                    "token {} is outside the vocabulary of {vocab} tokens",
                    id.0
                )
            }
            StepError::Input { takes_tokens: true } => {
                f.write_str("the net takes tokens, not features")
            }
            StepError::Input {
                takes_tokens: false,
            } => f.write_str("the net takes features, not tokens"),
            StepError::Features { expected, found } => {
                write!(f, "{found} features, but the net takes {expected}")
            }
            StepError::Feature { index } => {
                write!(f, "feature {index} is not a number, or larger than 65536")
            }
            StepError::NotQuantized => f.write_str("an f32 net takes no quantized features"),
            StepError::Samples { need: 0 } => f.write_str("the model has no front end for samples"),
            StepError::Samples { need } => {
                write!(f, "no room for the front end's {need} words of 4 bytes")
            }
            StepError::Streams { streams, found } => {
                write!(f, "{found} tokens for a batch of {streams} streams")
            }
        }
    }
}

/// Why a snapshot could not be taken or restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SnapshotError {
    /// The buffer does not have exactly the words of a snapshot.
    Length {
        /// Words of a snapshot: [`Session::snapshot_words`](crate::Session::snapshot_words).
        need: usize,
        /// Words given.
        have: usize,
    },
    /// A state of another type or length than the operation carries, or of an operation that carries
    /// none.
    State {
        /// The operation.
        operation: usize,
    },
}

impl Display for SnapshotError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SnapshotError::Length { need, have } => {
                write!(f, "a snapshot has {need} words, but the buffer has {have}")
            }
            SnapshotError::State { operation } => write!(
                f,
                "operation {operation} carries no state of this type and length"
            ),
        }
    }
}

impl core::error::Error for SessionError {}
impl core::error::Error for StepError {}
impl core::error::Error for SnapshotError {}
