//! One error enum per operation. Variants carry the numbers; the sentence is made only when somebody prints it,
//! so a program that never prints pays no flash for formatting.

mod any;
mod load;
mod write;

use core::fmt::{self, Display, Formatter};

pub use crate::text::sample::SamplerError;
pub use any::Error;
pub use load::{LoadError, SectionName};
pub use write::{LayoutError, WriteError};

pub use crate::net::NetError;

use crate::net::Capabilities;
use crate::net::dims::Dims;
use crate::text::vocab::TokenId;

/// A model shape outside the supported ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DimsError {
    /// Layer count outside 1..=[`Dims::MAX_LAYERS`].
    Layers {
        /// What was given.
        found: usize,
    },
    /// Hidden size outside 1..=[`Dims::MAX_HIDDEN`].
    Hidden {
        /// What was given.
        found: usize,
    },
    /// Vocabulary outside 2..=[`Dims::MAX_VOCAB`].
    Vocab {
        /// What was given.
        found: usize,
    },
    /// Embedding that is neither 0 nor in [`Dims::MIN_WIDTH`]..=[`Dims::MAX_WIDTH`].
    Embedding {
        /// What was given.
        found: usize,
    },
    /// Projection that is neither 0 nor in [`Dims::MIN_WIDTH`]..=[`Dims::MAX_WIDTH`].
    Projection {
        /// What was given.
        found: usize,
    },
    /// Embedding and head cannot share weights: they are not of one width.
    Tied {
        /// Numbers of an embedding; 0 without one.
        embedding: usize,
        /// Numbers that the head reads: the projection's, or the hidden units.
        head: usize,
    },
    /// 4-bit weights in an f32 model, in a layer that is not there, or in a tied head.
    FourBits {
        /// A bit for each layer, and 128 for the head.
        found: u8,
    },
}

impl Display for DimsError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = |f: &mut Formatter<'_>, name, found| {
            let (min, max) = (Dims::MIN_WIDTH, Dims::MAX_WIDTH);
            write!(
                f,
                "{name} is {found}, but must be 0 (none) or {min} to {max}"
            )
        };
        match self {
            DimsError::Layers { found } => {
                write!(
                    f,
                    "layers is {found}, but must be 1 to {}",
                    Dims::MAX_LAYERS
                )
            }
            DimsError::Hidden { found } => {
                write!(
                    f,
                    "hidden is {found}, but must be 1 to {}",
                    Dims::MAX_HIDDEN
                )
            }
            DimsError::Vocab { found } => write!(
                f,
                "the vocabulary has {found} tokens, but must have 2 to {}",
                Dims::MAX_VOCAB
            ),
            DimsError::Embedding { found } => width(f, "embedding", found),
            DimsError::Projection { found } => width(f, "projection", found),
            DimsError::FourBits { found } => write!(
                f,
                "4-bit weights are {found} (a bit for each layer, 128 for the head), but only an int8 model's own layers, and \
                 a head that is not tied, can have them"
            ),
            DimsError::Tied { embedding, head } => write!(
                f,
                "the head reads {head} numbers and an embedding has {embedding}: to be tied, they must be as many"
            ),
        }
    }
}

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
        /// Words of a snapshot: [`Net::snapshot_words`](crate::net::Net::snapshot_words).
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

macro_rules! errors {
    ($($name:ty),*) => { $(impl core::error::Error for $name {})* };
}
errors!(
    DimsError,
    LayoutError,
    LoadError,
    SessionError,
    StepError,
    SnapshotError,
    SelfTestError,
    WriteError,
    crate::text::sample::SamplerError
);
