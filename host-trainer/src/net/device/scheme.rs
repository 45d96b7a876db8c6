//! Which integers a net is to have: what is chosen, and not computed from its weights.
//!
//! ```text
//! value         q stands for q s / 128, with a step s of its own: what 128 of its integers are
//!               embedding, dense (none, relu), sum: a power of the root of 2     relus of cells 2^e     all others 1
//! state bits    integer bits of an LSTM's c (3 to 7), and of the h of a cell with a relu (0 to 7)
//! feature       column = round(x scale); one that is doubled has a second, of what that leaves over
//! ```
//! What an operation makes is divided by its step in its own weights, and weights that read a value
//! are multiplied by its step.

use gatelet::net::{Activation, Input, Kind, MAX_OPERATIONS, Net, NetError, Precision, Value};
use serde::{Deserialize, Serialize};

/// What the second column of a feature is finer by.
const FINER: f32 = 16.0;
/// Columns of a matrix whose sums are exact in f32: 127 x 128 x 1032 is below 2^24.
pub(crate) const MOST_COLUMNS: usize = 1032;

/// Bits of the weights of each operation: 8 or 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeightBits([u8; MAX_OPERATIONS]);

impl WeightBits {
    /// 8 everywhere.
    pub const EIGHT: Self = Self([8; MAX_OPERATIONS]);

    /// 4 in recurrent operations and in heads with weights of their own. An embedding, and a dense
    /// operation that others read, keep 8.
    pub fn four(net: &Net) -> Self {
        let mut all = Self::EIGHT;
        for (index, of) in net.operations().enumerate() {
            let is_head = matches!(of.kind, Kind::Dense { .. }) && !is_read(net, index);
            if of.kind.is_recurrent() || (is_head && of.tied.is_none()) {
                all.0[index] = 4;
            }
        }
        all
    }

    /// Those that a net says.
    pub fn of_net(net: &Net) -> Self {
        let operations = net.operations().enumerate();
        operations.fold(Self::EIGHT, |all, (index, of)| all.with(index, of.bits))
    }

    /// The same with other bits in an operation.
    pub fn with(mut self, operation: usize, bits: u8) -> Self {
        self.0[operation] = bits;
        self
    }

    /// Of an operation.
    pub fn of(&self, operation: usize) -> u8 {
        self.0[operation]
    }

    /// `8`, `4` or `mixed`, of recurrent operations and heads.
    pub fn name(&self, net: &Net) -> &'static str {
        let of = |index: &usize| {
            let kind = net.operation(*index).map(|of| of.kind);
            let is_head = matches!(kind, Some(Kind::Dense { .. })) && !is_read(net, *index);
            is_head || kind.is_some_and(Kind::is_recurrent)
        };
        let bits = |bits| {
            (0..net.len())
                .filter(of)
                .any(|index| self.of(index) == bits)
        };
        match (bits(4), bits(8)) {
            (false, _) => "8",
            (true, false) => "4",
            (true, true) => "mixed",
        }
    }
}

impl Default for WeightBits {
    fn default() -> Self {
        Self::EIGHT
    }
}

/// Whether an operation reads the value that operation `index` makes.
pub(crate) fn is_read(net: &Net, index: usize) -> bool {
    let mut parts = net.operations().flat_map(|of| of.operand.parts());
    parts.any(|part| part == Value::of(index))
}

/// How a net becomes integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheme {
    /// Bits of weights.
    pub bits: WeightBits,
    /// Of each operation: integer bits of its state, as an image has them.
    pub state_bits: Vec<u8>,
    /// Of each operation: what 128 of its value's integers stand for.
    pub steps: Vec<f32>,
    /// Of each feature: what it is multiplied by to be an integer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<f32>,
    /// Features with a second column, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubled: Vec<u16>,
}

/// Whether the step of an operation's value can be chosen: a relu RNN's follows its state bits.
pub(crate) fn has_step(net: &Net, index: usize) -> bool {
    match net.operation(index).map(|of| of.kind) {
        Some(Kind::Embedding { .. } | Kind::Add) => true,
        // A head that nothing reads gives its scores as they are.
        Some(Kind::Dense { activation, .. }) => {
            matches!(activation, Activation::None | Activation::Relu) && is_read(net, index)
        }
        _ => false,
    }
}

/// The state bits that an operation may have; one where there is no choice.
pub(crate) fn state_bits(kind: Kind) -> std::ops::RangeInclusive<u8> {
    let [least, most] = kind.cell().map_or([0, 0], |form| form.state_bits);
    least..=most
}

impl Scheme {
    /// Steps of 1, weights of 8 bits, and the usual bits of c: for an f32 image, and to begin with.
    pub fn plain(net: &Net) -> Self {
        let bits = |kind| match kind {
            Kind::Lstm { .. } => 5,
            kind => *state_bits(kind).start(),
        };
        Self {
            bits: WeightBits::EIGHT,
            state_bits: net.operations().map(|of| bits(of.kind)).collect(),
            steps: vec![1.0; net.len()],
            features: vec![128.0; features(net)],
            doubled: Vec::new(),
        }
    }

    /// The same with weights of these bits.
    pub fn with_bits(self, bits: WeightBits) -> Self {
        Self { bits, ..self }
    }

    /// Gives an operation so many state bits, and a relu RNN the step that belongs to them.
    pub(crate) fn set_state_bits(&mut self, net: &Net, index: usize, bits: u8) {
        self.state_bits[index] = bits;
        if net.operation(index).is_some_and(|of| is_relu(of.kind)) {
            self.steps[index] = f32::from(1_u8 << bits);
        }
    }

    /// The net of an int8 image.
    ///
    /// # Errors
    /// As [`Net::checked`].
    pub fn int8(&self, net: &Net) -> Result<Net, NetError> {
        let input = match net.input {
            Input::Tokens { .. } => net.input,
            Input::Features { width, .. } => Input::Features {
                width,
                doubled: self.doubled.len(),
            },
        };
        let mut made = Net::new(Precision::Int8, input);
        for (index, of) in net.operations().enumerate() {
            let bits = if of.kind.gates() > 0 && of.tied.is_none() {
                self.bits.of(index)
            } else {
                8
            };
            made = made.with_operation(*of).with_bits(index, bits);
        }
        net.outputs().fold(made, Net::with_output).checked()
    }

    /// Columns of the features, each with its feature, and what 128 of its integers stand for.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (usize, f32)> {
        let step = |feature: usize| 128.0 / self.features[feature];
        let first = (0..self.features.len()).map(move |feature| (feature, step(feature)));
        let second = self.doubled.iter().map(move |&feature| {
            let feature = usize::from(feature);
            (feature, step(feature) / FINER)
        });
        first.chain(second)
    }

    /// Whether this is of a net, as read from a file.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self, net: &Net) -> Result<(), String> {
        let lengths = [self.state_bits.len(), self.steps.len()];
        if lengths != [net.len(); 2] || self.features.len() != features(net) {
            return Err("scheme: it is of another net".to_owned());
        }
        for (index, of) in net.operations().enumerate() {
            let (bits, may) = (self.bits.of(index), WeightBits::four(net).of(index));
            if bits != 8 && (bits, may) != (4, 4) {
                return Err(format!(
                    "scheme.bits of operation {index} is {bits}: it has to be 8, or 4 where it may"
                ));
            }
            let (found, range) = (self.state_bits[index], state_bits(of.kind));
            if !range.contains(&found) {
                return Err(format!(
                    "scheme.state_bits of operation {index} is {found}: it has to be from {} to {}",
                    range.start(),
                    range.end()
                ));
            }
            let step = self.steps[index];
            let good = match has_step(net, index) {
                true => step > 0.0 && step.is_finite(),
                false if is_relu(of.kind) => step == f32::from(1_u8 << found),
                false => step == 1.0,
            };
            if !good {
                return Err(format!(
                    "scheme.steps of operation {index} is {step}: it has to be above 0, \
                     and 1 where there is no choice"
                ));
            }
        }
        let ascending = self.doubled.windows(2).all(|pair| pair[0] < pair[1]);
        let within = |&feature: &u16| usize::from(feature) < self.features.len();
        if !ascending || !self.doubled.iter().all(within) {
            return Err("scheme.doubled: they have to be features, and ascending".to_owned());
        }
        let bad = |scale: &&f32| !(**scale > 0.0 && scale.is_finite());
        match self.features.iter().find(bad) {
            Some(scale) => Err(format!(
                "scheme.features holds {scale}: it has to be above 0"
            )),
            None => Ok(()),
        }
    }
}

/// Features of a net, without second columns.
pub(crate) fn features(net: &Net) -> usize {
    match net.input {
        Input::Tokens { .. } => 0,
        Input::Features { width, .. } => width,
    }
}

/// Whether a sum reads the features, which are then as many as what they are added to.
pub(crate) fn adds_features(net: &Net) -> bool {
    let mut sums = net.operations().filter(|of| of.kind == Kind::Add);
    sums.any(|of| of.operand.parts().any(|part| part == Value::INPUT))
}

/// Whether a state has no bound, and the step of its value follows its bits: with a relu.
pub(crate) fn is_relu(kind: Kind) -> bool {
    kind.cell().is_some_and(|form| form.unbounded)
}
