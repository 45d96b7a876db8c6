//! What a program has to be able to do to run a net.

use core::fmt::{self, Display, Formatter};

use super::{Activation, Kind, NOWHERE, Net, Output, Plan, Precision};

/// A set of abilities: those that a net needs, or those that a kernel has. The bits stand in the
/// image's preamble, so that a reader that lacks one can name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Capabilities(u32);

impl Capabilities {
    /// Input tokens.
    pub const TOKENS: Self = Capabilities(1);
    /// Input features.
    pub const FEATURES: Self = Capabilities(1 << 1);
    /// An embedding.
    pub const EMBEDDING: Self = Capabilities(1 << 2);
    /// A tanh RNN.
    pub const RNN: Self = Capabilities(1 << 3);
    /// An LSTM.
    pub const LSTM: Self = Capabilities(1 << 4);
    /// A GRU.
    pub const GRU: Self = Capabilities(1 << 5);
    /// A relu RNN.
    pub const RELU: Self = Capabilities(1 << 6);
    /// A dense operation.
    pub const DENSE: Self = Capabilities(1 << 7);
    /// A dense operation with an activation, or one whose results others read.
    pub const INNER: Self = Capabilities(1 << 8);
    /// A sum of two values.
    pub const ADD: Self = Capabilities(1 << 9);
    /// Operands that are put together before they are read.
    pub const GATHER: Self = Capabilities(1 << 10);
    /// Weights of 4 bits.
    pub const FOUR_BITS: Self = Capabilities(1 << 11);
    /// A state to start from that is not zero.
    pub const START: Self = Capabilities(1 << 12);
    /// Several outputs, or one that no dense operation makes.
    pub const OUTPUTS: Self = Capabilities(1 << 13);

    /// f32.
    pub const F32: Self = Capabilities(1 << 14);
    /// int8.
    pub const INT8: Self = Capabilities(1 << 15);

    /// An LSTM whose gates are hard sigmoids.
    pub const HARD_LSTM: Self = Capabilities(1 << 16);
    /// A GRU whose gates are hard sigmoids.
    pub const HARD_GRU: Self = Capabilities(1 << 17);
    /// A GRU whose candidate is a relu.
    pub const RELU_GRU: Self = Capabilities(1 << 18);

    /// Features that are made of samples by the model's front end.
    pub const FRONT_END: Self = Capabilities(1 << 19);

    /// Recurrent cells that a kernel does at once.
    pub const FUSED: Self = Self::RNN.and(Self::LSTM);
    /// Recurrent cells on sums in memory.
    pub const UNFUSED: Self = Self::RELU.and(Self::GRU).and(Self::HARD_LSTM);

    /// What this build can do.
    pub const ALL: Self = Capabilities((1 << 20) - 1);

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Capabilities(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in this set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of this set that `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Capabilities(self.0 & !other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits, as an image has them.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// A set from its bits, known to this build or not.
    pub const fn from_bits(bits: u32) -> Self {
        Capabilities(bits)
    }
}

impl Display for Capabilities {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 20] = [
            "tokens",
            "features",
            "embedding",
            "rnn",
            "lstm",
            "gru",
            "relu rnn",
            "dense",
            "inner dense",
            "add",
            "concatenation",
            "4-bit weights",
            "start state",
            "several outputs",
            "f32",
            "int8",
            "hard sigmoid lstm",
            "hard sigmoid gru",
            "relu gru",
            "front end",
        ];
        let mut first = true;
        for bit in 0..u32::BITS {
            if self.0 >> bit & 1 == 0 {
                continue;
            }
            if !first {
                f.write_str(", ")?;
            }
            first = false;
            match NAMES.get(bit as usize) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "bit {bit}")?,
            }
        }
        Ok(())
    }
}

impl Net {
    /// What it takes to run this net, besides a state to start from and a front end, which are the
    /// model's.
    pub const fn capabilities(&self) -> Capabilities {
        let plan = Plan::of(self);
        let mut all = match self.takes_tokens() {
            true => Capabilities::TOKENS,
            false => Capabilities::FEATURES,
        };
        all = all.and(match self.precision {
            Precision::F32 => Capabilities::F32,
            Precision::Int8 => Capabilities::INT8,
        });
        let mut index = 0;
        while let Some(operation) = self.operation(index) {
            let place = plan.at(index);
            all = all.and(match operation.kind {
                Kind::Embedding { .. } => Capabilities::EMBEDDING,
                Kind::Dense { .. } => Capabilities::DENSE,
                Kind::Add => Capabilities::ADD,
                kind => match kind.cell() {
                    Some(form) => form.needs,
                    None => Capabilities(0),
                },
            });
            if let Kind::Dense { activation, .. } = operation.kind
                && (!matches!(activation, Activation::None) || place.value != NOWHERE)
            {
                all = all.and(Capabilities::INNER);
            }
            let reads = operation.kind.gates() > 0;
            if reads && place.x == NOWHERE {
                all = all.and(Capabilities::GATHER);
            }
            if operation.bits == 4 {
                all = all.and(Capabilities::FOUR_BITS);
            }
            index += 1;
        }
        let plain = match self.output(0) {
            Some(Output::Scores(value)) => match value.operation() {
                Some(index) => match self.operation(index) {
                    Some(operation) => matches!(operation.kind, Kind::Dense { .. }),
                    None => false,
                },
                None => false,
            },
            _ => false,
        };
        if self.output_len() != 1 || !plain {
            all = all.and(Capabilities::OUTPUTS);
        }
        all
    }
}
