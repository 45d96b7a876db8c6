//! Why a net is none that can be.

use core::fmt::{self, Display, Formatter};

use super::{MAX_COLUMNS, MAX_OPERATIONS, MAX_OUTPUTS, MAX_SIZE, MAX_VOCAB, Value};

/// A net that cannot be. Operations are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NetError {
    /// A vocabulary outside 2..=[`MAX_VOCAB`].
    Vocab {
        /// What was given.
        found: usize,
    },
    /// Features outside 1..=[`MAX_SIZE`].
    Features {
        /// What was given.
        found: usize,
    },
    /// More features of two columns than there are features, or any in f32.
    Doubled {
        /// What was given.
        found: usize,
        /// The most there can be.
        most: usize,
    },
    /// Operations outside 1..=[`MAX_OPERATIONS`].
    Operations {
        /// What was given.
        found: usize,
    },
    /// Units out of range.
    Units {
        /// The operation.
        operation: usize,
        /// What was given.
        found: usize,
        /// The most it may have.
        most: usize,
    },
    /// An operand of too few or too many values.
    Parts {
        /// The operation.
        operation: usize,
        /// What was given.
        found: usize,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// An operand reads what is not made before the operation.
    Forward {
        /// The operation.
        operation: usize,
        /// What it reads.
        value: Value,
    },
    /// An operation reads the token that cannot.
    ReadsToken {
        /// The operation.
        operation: usize,
    },
    /// An embedding reads what is no token.
    NoToken {
        /// The operation.
        operation: usize,
    },
    /// An addition of values of different sizes.
    Add {
        /// The operation.
        operation: usize,
        /// Numbers of the first.
        left: usize,
        /// Numbers of the second.
        right: usize,
    },
    /// An operand wider than [`MAX_COLUMNS`].
    Columns {
        /// The operation.
        operation: usize,
        /// Padded columns, a recurrent operation's own h included.
        found: usize,
    },
    /// Weights of a number of bits that this operation cannot have.
    Bits {
        /// The operation.
        operation: usize,
        /// What was given.
        found: u8,
    },
    /// Weights that are to be an embedding's, and do not fit it.
    Tied {
        /// The operation.
        operation: usize,
        /// Numbers of the embedding; 0 if there is none.
        embedding: usize,
        /// Numbers that the operation reads.
        reads: usize,
    },
    /// An elu or a softmax in an int8 net.
    F32Only {
        /// The operation.
        operation: usize,
    },
    /// Outputs outside 1..=[`MAX_OUTPUTS`].
    Outputs {
        /// What was given.
        found: usize,
    },
    /// An output that no operation makes.
    Output {
        /// The output.
        output: usize,
        /// What it is to be.
        value: Value,
    },
    /// Scores of less than two.
    OneScore {
        /// The output.
        output: usize,
    },
}

impl Display for NetError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            NetError::Vocab { found } => write!(
                f,
                "the vocabulary has {found} tokens, but must have 2 to {MAX_VOCAB}"
            ),
            NetError::Features { found } => write!(
                f,
                "the input has {found} features, but must have 1 to {MAX_SIZE}"
            ),
            NetError::Doubled { found, most } => write!(
                f,
                "{found} features take two columns, but at most {most} can"
            ),
            NetError::Operations { found } => write!(
                f,
                "the net has {found} operations, but must have 1 to {MAX_OPERATIONS}"
            ),
            NetError::Units {
                operation,
                found,
                most,
            } => write!(
                f,
                "operation {operation} has {found} units, but must have 1 to {most}"
            ),
            NetError::Parts {
                operation,
                found,
                least,
                most,
            } => {
                write!(
                    f,
                    "operation {operation} reads {found} values, but must read {least}"
                )?;
                if least < most {
                    write!(f, " to {most}")?;
                }
                Ok(())
            }
            NetError::Forward { operation, value } => match value.operation() {
                Some(made) => write!(
                    f,
                    "operation {operation} reads what operation {made} makes, which is not before it"
                ),
                None => write!(
                    f,
                    "operation {operation} reads the input, which is not there"
                ),
            },
            NetError::ReadsToken { operation } => write!(
                f,
                "operation {operation} reads the token, which only an embedding can, or the first \
                 operand of a recurrent cell be"
            ),
            NetError::NoToken { operation } => write!(
                f,
                "operation {operation} is an embedding and must read the token"
            ),
            NetError::Add {
                operation,
                left,
                right,
            } => write!(
                f,
                "operation {operation} adds {left} numbers to {right}: they must be as many"
            ),
            NetError::Columns { operation, found } => write!(
                f,
                "operation {operation} reads {found} numbers, padding and its own h included, but \
                 at most {MAX_COLUMNS} can be"
            ),
            NetError::Bits { operation, found } => write!(
                f,
                "operation {operation} has weights of {found} bits: 8, or 4 in an int8 net, for \
                 weights of its own"
            ),
            NetError::Tied {
                operation,
                embedding,
                reads,
            } => write!(
                f,
                "operation {operation} reads {reads} numbers and the embedding has {embedding}: for \
                 its weights to be the embedding's, they must be as many"
            ),
            NetError::F32Only { operation } => write!(
                f,
                "operation {operation} has an elu or a softmax, which an int8 net cannot: use f32"
            ),
            NetError::Outputs { found } => write!(
                f,
                "the net has {found} outputs, but must have 1 to {MAX_OUTPUTS}"
            ),
            NetError::Output { output, value } => match value.operation() {
                Some(made) => write!(
                    f,
                    "output {output} is of operation {made}, which is not there"
                ),
                None => write!(f, "output {output} is the input"),
            },
            NetError::OneScore { output } => {
                write!(
                    f,
                    "output {output} has one score; scores are of two or more"
                )
            }
        }
    }
}

impl core::error::Error for NetError {}
