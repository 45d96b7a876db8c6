//! The kinds of operations, and what each is made of.

use core::fmt::{self, Display, Formatter};

/// The number format of weights and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Precision {
    /// Weights, state and outputs in IEEE 754 binary32.
    F32,
    /// Weights and values int8, carried state int16, outputs int32; integer operations only
    /// (docs/numerics.md).
    Int8,
}

impl Precision {
    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
        }
    }

    /// Bytes of one element of a value.
    pub const fn hidden_bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Int8 => 1,
        }
    }

    /// Bytes of one element of a carried state besides h.
    pub const fn cell_bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Int8 => 2,
        }
    }
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The function that makes h of a simple recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RnnActivation {
    /// tanh: Elman's cell.
    Tanh,
    /// max(0, z).
    Relu,
}

/// What a GRU's reset gate multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reset {
    /// The product: `n = tanh(W x + b + r (U h + b_h))`. PyTorch, Keras unless told otherwise, ONNX
    /// with `linear_before_reset`.
    After,
    /// h: `n = tanh(W x + b + U (r h))`. Cho et al. 2014, ONNX unless told otherwise.
    Before,
}

/// The function of the gates of an LSTM or a GRU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum GateActivation {
    /// 1 / (1 + e^-z).
    Sigmoid,
    /// z + 1/2, within 0 and 1. The slope belongs to the weights and the bias.
    HardSigmoid,
}

/// The function on the results of a dense operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activation {
    /// The results as they are.
    None,
    /// max(0, y).
    Relu,
    /// tanh(y).
    Tanh,
    /// 1 / (1 + e^-y).
    Sigmoid,
    /// y + 1/2, within 0 and 1. The slope belongs to the weights and the bias.
    HardSigmoid,
    /// y above 0, e^y - 1 below. In f32 nets only: an int8 value is scaled by its weights, which
    /// this function does not follow.
    Elu,
    /// e^y by the sum of them all. In f32 nets only, and for values that others read: scores are
    /// what is before a softmax.
    Softmax,
}

impl Activation {
    /// The name used by files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Activation::None => "none",
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::Elu => "elu",
            Activation::Softmax => "softmax",
        }
    }
}

impl Display for Activation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// A row of a table for each token.
    Embedding {
        /// Numbers of a row.
        units: usize,
    },
    /// A simple recurrent cell: `h' = f(W x + U h + b)`.
    Rnn {
        /// Units.
        units: usize,
        /// f.
        activation: RnnActivation,
    },
    /// Long short-term memory with gates i, f, g, o in this order (the order PyTorch uses), without
    /// peepholes.
    Lstm {
        /// Units.
        units: usize,
        /// The function of i, f and o.
        gates: GateActivation,
    },
    /// A gated recurrent unit with gates r, z and candidate n in this order (the order PyTorch
    /// uses): `h' = z h + (1 - z) n`.
    Gru {
        /// Units.
        units: usize,
        /// What r multiplies.
        reset: Reset,
        /// The function of r and z.
        gates: GateActivation,
        /// The function of n.
        candidate: RnnActivation,
    },
    /// `f(W x + b)`: a projection, a head.
    Dense {
        /// Units.
        units: usize,
        /// f.
        activation: Activation,
    },
    /// The sum of two values of the same size, number by number.
    Add,
}

impl Kind {
    /// An LSTM whose gates are sigmoids.
    pub const fn lstm(units: usize) -> Self {
        Kind::Lstm {
            units,
            gates: GateActivation::Sigmoid,
        }
    }

    /// A GRU whose gates are sigmoids and whose candidate is a tanh.
    pub const fn gru(units: usize, reset: Reset) -> Self {
        Kind::Gru {
            units,
            reset,
            gates: GateActivation::Sigmoid,
            candidate: RnnActivation::Tanh,
        }
    }

    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Embedding { .. } => "embedding",
            Kind::Rnn { .. } => "rnn",
            Kind::Lstm { .. } => "lstm",
            Kind::Gru { .. } => "gru",
            Kind::Dense { .. } => "dense",
            Kind::Add => "add",
        }
    }

    /// Units that the kind names; 0 for one whose size is its operand's.
    pub const fn units(self) -> usize {
        match self {
            Kind::Embedding { units }
            | Kind::Rnn { units, .. }
            | Kind::Lstm { units, .. }
            | Kind::Gru { units, .. }
            | Kind::Dense { units, .. } => units,
            Kind::Add => 0,
        }
    }

    /// The same with so many units; a sum stays what it is.
    #[must_use]
    pub const fn with_units(mut self, with: usize) -> Self {
        match &mut self {
            Kind::Embedding { units }
            | Kind::Rnn { units, .. }
            | Kind::Lstm { units, .. }
            | Kind::Gru { units, .. }
            | Kind::Dense { units, .. } => *units = with,
            Kind::Add => {}
        }
        self
    }

    /// Whether it reads its own h of the step before.
    pub const fn is_recurrent(self) -> bool {
        matches!(
            self,
            Kind::Rnn { .. } | Kind::Lstm { .. } | Kind::Gru { .. }
        )
    }

    /// Rows of weights for every unit: 1, 3 for a GRU, 4 for an LSTM; none where there are no
    /// products.
    pub const fn gates(self) -> usize {
        match self {
            Kind::Embedding { .. } | Kind::Add => 0,
            Kind::Rnn { .. } | Kind::Dense { .. } => 1,
            Kind::Gru { .. } => 3,
            Kind::Lstm { .. } => 4,
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.units() {
            0 => {}
            units => write!(f, " {units}")?,
        }
        match *self {
            Kind::Rnn {
                activation: RnnActivation::Relu,
                ..
            } => f.write_str(" relu"),
            Kind::Lstm {
                gates: GateActivation::HardSigmoid,
                ..
            } => f.write_str(" hard_sigmoid"),
            Kind::Gru {
                reset,
                gates,
                candidate,
                ..
            } => {
                if matches!(reset, Reset::Before) {
                    f.write_str(" reset before")?;
                }
                if matches!(gates, GateActivation::HardSigmoid) {
                    f.write_str(" hard_sigmoid")?;
                }
                if matches!(candidate, RnnActivation::Relu) {
                    f.write_str(" relu")?;
                }
                Ok(())
            }
            Kind::Dense { activation, .. } if !matches!(activation, Activation::None) => {
                write!(f, " {activation}")
            }
            _ => Ok(()),
        }
    }
}
