//! A net as a list of operations: what there is, of what size, and what reads what. No weights.
//!
//! ```text
//! Net = an input, operations in order, outputs
//! value      a vector of numbers: the input is one, and every operation makes one
//! operand    what an operation reads: one value, or several side by side
//! ```
//! An operation reads values that were made before it; a recurrent one reads its own h of the step
//! before as well. Side by side costs nothing: each value is a range of the columns of a matrix.
//!
//! Nothing here allocates or looks at weights: firmware can evaluate all of it in a `const`, so a
//! buffer that is too small is a compile error of the board's build.
//!
//! ```
//! use gatelet::net::{Activation, Kind, Net, Precision, Reset};
//!
//! // Six numbers of a sensor, a GRU of 24 units, scores of 3 classes.
//! const NET: Net = {
//!     let mut net = Net::features(Precision::Int8, 6);
//!     net = net.then(Kind::gru(24, Reset::After));
//!     net = net.then(Kind::Dense { units: 3, activation: Activation::None });
//!     match net.scores().checked() {
//!         Ok(net) => net,
//!         Err(_) => panic!("the net is none that can be"),
//!     }
//! };
//! assert_eq!(NET.macs_per_step(), 72 * (6 + 24) + 3 * 24);
//! ```

mod capabilities;
mod cell;
mod check;
mod display;
mod error;
mod kind;
mod layout;
mod plan;
mod shape;
mod token;

pub use capabilities::Capabilities;
pub use cell::{CellForm, Fused, MAX_MATRICES, MatrixForm, Reads};
pub use error::NetError;
pub use kind::{Activation, GateActivation, Kind, Precision, Reset, RnnActivation};
pub use layout::{ALIGN, Layout, LayoutError, PAIRS_MAX_COLUMNS};
pub(crate) use plan::{NOWHERE, Place, Plan};
pub use shape::Recurrent;
pub use token::TokenId;

/// The most operations of a net.
pub const MAX_OPERATIONS: usize = 16;
/// The most values side by side in an operand.
pub const MAX_PARTS: usize = 4;
/// The most outputs of a net.
pub const MAX_OUTPUTS: usize = 4;
/// The most units of an operation, and the most features of an input.
pub const MAX_SIZE: usize = 1024;
/// The most tokens of a vocabulary, and with them the most units of an operation that scores them.
pub const MAX_VOCAB: usize = 16_384;
/// The most padded columns of a weight matrix.
pub const MAX_COLUMNS: usize = 4096;

/// What a net is given at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Input {
    /// A token of a vocabulary of so many. It selects a row: never a one-hot product.
    Tokens {
        /// Tokens, 2 to [`MAX_VOCAB`].
        vocab: usize,
    },
    /// Real numbers: a sensor's, samples of audio, a spectrum.
    Features {
        /// Numbers, 1 to [`MAX_SIZE`].
        width: usize,
        /// How many of them take two int8 columns, a high and a low part, in an int8 net.
        doubled: usize,
    },
}

/// A vector of numbers that operations read: the input, or what an operation made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Value(u8);

impl Value {
    /// The net's input.
    pub const INPUT: Self = Value(0);

    /// What operation `index` makes.
    pub const fn of(index: usize) -> Self {
        Value(if index < 255 { index as u8 + 1 } else { 255 })
    }

    /// The operation that makes it; none for the input.
    pub const fn operation(self) -> Option<usize> {
        match self.0 {
            0 => None,
            one_more => Some(one_more as usize - 1),
        }
    }

    /// Whether it is the input.
    pub const fn is_input(self) -> bool {
        self.0 == 0
    }

    /// The number that stands for it in an image: 0 for the input, one more than the operation's.
    pub const fn code(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_code(code: u8) -> Self {
        Value(code)
    }
}

/// What an operation reads: one value, or several side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Operand {
    parts: [Value; MAX_PARTS],
    count: u8,
}

impl Operand {
    /// One value.
    pub const fn one(value: Value) -> Self {
        Operand {
            parts: [value, Value::INPUT, Value::INPUT, Value::INPUT],
            count: 1,
        }
    }

    /// Two values side by side.
    pub const fn two(first: Value, second: Value) -> Self {
        Operand {
            parts: [first, second, Value::INPUT, Value::INPUT],
            count: 2,
        }
    }

    /// These side by side. More than [`MAX_PARTS`] are an error of [`Net::checked`].
    pub const fn of(values: &[Value]) -> Self {
        let mut operand = Operand {
            parts: [Value::INPUT; MAX_PARTS],
            count: if values.len() > MAX_PARTS {
                255
            } else {
                values.len() as u8
            },
        };
        let (mut rest, mut left) = (values, operand.parts.as_mut_slice());
        while let ([value, values @ ..], [to, more @ ..]) = (rest, left) {
            *to = *value;
            (rest, left) = (values, more);
        }
        operand
    }

    /// How many values.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Value `index`; the input where there is none.
    pub const fn part(&self, index: usize) -> Value {
        match self.parts {
            [a, ..] if index == 0 => a,
            [_, b, ..] if index == 1 => b,
            [_, _, c, _] if index == 2 => c,
            [.., d] => d,
        }
    }

    /// The values.
    pub fn parts(&self) -> impl Iterator<Item = Value> + use<> {
        self.parts.into_iter().take(self.len())
    }
}

/// One operation: what it does, and what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// What it reads.
    pub operand: Operand,
    /// Bits of its weights in an int8 net: 8 or 4.
    pub bits: u8,
    /// For a dense operation, the embedding whose table its weights are.
    pub tied: Option<u8>,
}

/// What a net gives after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Output {
    /// Scores of the tokens of a vocabulary, or of classes: the largest wins.
    Scores(Value),
    /// Numbers that mean what they say.
    Values(Value),
}

impl Output {
    /// The value that is given.
    pub const fn value(self) -> Value {
        match self {
            Output::Scores(value) | Output::Values(value) => value,
        }
    }
}

/// A net: an input, operations in order, and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Net {
    /// The number format of weights and state.
    pub precision: Precision,
    /// What it is given.
    pub input: Input,
    operations: [Operation; MAX_OPERATIONS],
    /// How many of them there are; more than there is room for is an error of [`Net::checked`].
    count: u8,
    outputs: [Output; MAX_OUTPUTS],
    output_count: u8,
}

/// What stands where there is no operation.
const NO_OPERATION: Operation = Operation {
    kind: Kind::Add,
    operand: Operand {
        parts: [Value::INPUT; MAX_PARTS],
        count: 0,
    },
    bits: 8,
    tied: None,
};

impl Net {
    /// No net.
    #[inline(always)]
    pub(crate) const fn none() -> Self {
        Self::tokens(Precision::F32, 0)
    }

    /// A net of this input, without operations and outputs yet.
    pub const fn new(precision: Precision, input: Input) -> Self {
        Net {
            precision,
            input,
            operations: [NO_OPERATION; MAX_OPERATIONS],
            count: 0,
            outputs: [Output::Values(Value::INPUT); MAX_OUTPUTS],
            output_count: 0,
        }
    }

    /// A net that is given tokens of a vocabulary.
    pub const fn tokens(precision: Precision, vocab: usize) -> Self {
        Self::new(precision, Input::Tokens { vocab })
    }

    /// A net that is given so many real numbers.
    pub const fn features(precision: Precision, width: usize) -> Self {
        Self::new(precision, Input::Features { width, doubled: 0 })
    }

    /// The value that was made last.
    pub const fn last(&self) -> Value {
        Value(self.count)
    }

    /// With an operation more, which reads the value that was made last.
    #[must_use]
    pub const fn then(self, kind: Kind) -> Self {
        let last = self.last();
        self.with(kind, Operand::one(last))
    }

    /// With an operation more.
    #[must_use]
    pub const fn with(self, kind: Kind, operand: Operand) -> Self {
        self.with_operation(Operation {
            kind,
            operand,
            bits: 8,
            tied: None,
        })
    }

    /// With an operation more, of which everything is given.
    #[must_use]
    pub const fn with_operation(mut self, operation: Operation) -> Self {
        self.push(operation);
        self
    }

    /// Takes an operation more, in place: a net is large, and a stack may be small.
    pub(crate) const fn push(&mut self, operation: Operation) {
        if let Some(to) = at_mut(&mut self.operations, self.count as usize) {
            *to = operation;
        }
        self.count = self.count.saturating_add(1);
    }

    /// The same in another number format.
    #[must_use]
    pub const fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// With weights of so many bits in operation `index`, 8 or 4.
    #[must_use]
    pub const fn with_bits(mut self, index: usize, bits: u8) -> Self {
        if let Some(operation) = at_mut(&mut self.operations, index) {
            operation.bits = bits;
        }
        self
    }

    /// With so many units in operation `index`; a sum stays what it is.
    #[must_use]
    pub const fn with_units(mut self, index: usize, units: usize) -> Self {
        if let Some(operation) = at_mut(&mut self.operations, index) {
            operation.kind = operation.kind.with_units(units);
        }
        self
    }

    /// With the last value as scores.
    #[must_use]
    pub const fn scores(self) -> Self {
        let last = self.last();
        self.with_output(Output::Scores(last))
    }

    /// With the last value as numbers.
    #[must_use]
    pub const fn values(self) -> Self {
        let last = self.last();
        self.with_output(Output::Values(last))
    }

    /// With an output more.
    #[must_use]
    pub const fn with_output(mut self, output: Output) -> Self {
        self.push_output(output);
        self
    }

    /// Takes an output more, in place.
    pub(crate) const fn push_output(&mut self, output: Output) {
        if let Some(to) = at_mut(&mut self.outputs, self.output_count as usize) {
            *to = output;
        }
        self.output_count = self.output_count.saturating_add(1);
    }

    /// How many operations there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Operation `index`; nothing if there is none.
    pub const fn operation(&self, index: usize) -> Option<&Operation> {
        if index < self.count as usize {
            at(&self.operations, index)
        } else {
            None
        }
    }

    /// The operations.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().take(self.len())
    }

    /// How many outputs there are.
    pub const fn output_len(&self) -> usize {
        self.output_count as usize
    }

    /// Output `index`; nothing if there is none.
    pub const fn output(&self, index: usize) -> Option<Output> {
        if index < self.output_count as usize {
            match at(&self.outputs, index) {
                Some(output) => Some(*output),
                None => None,
            }
        } else {
            None
        }
    }

    /// The outputs.
    pub fn outputs(&self) -> impl Iterator<Item = Output> + use<> {
        self.outputs.into_iter().take(self.output_len())
    }
}

/// `all[index]`, in a constant.
#[expect(
    clippy::indexing_slicing,
    reason = "the index was compared; a constant has no get"
)]
pub(crate) const fn at<T, const N: usize>(all: &[T; N], index: usize) -> Option<&T> {
    if index < N { Some(&all[index]) } else { None }
}

/// `all[index]`, to change.
#[expect(
    clippy::indexing_slicing,
    reason = "the index was compared; a constant has no get"
)]
pub(crate) const fn at_mut<T, const N: usize>(all: &mut [T; N], index: usize) -> Option<&mut T> {
    if index < N {
        Some(&mut all[index])
    } else {
        None
    }
}
