//! The shape of a language model, as a shorthand: tokens, equal recurrent layers, scores of tokens.
//!
//! [`Dims::net`] is the net, a list of operations like any other. [`Net::dims`] finds the shorthand of
//! a net that has this shape.

use core::fmt::{self, Display, Formatter};

use crate::net::four_bits::{FourBits, LAYERS};
use crate::net::{self, Activation, Kind, Net, Operand, Operation, Reset, RnnActivation, Value};
pub use crate::net::{Layout, Precision};

/// The recurrent cell of every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Cell {
    /// Elman's simple recurrent cell: `h' = tanh(W x + U h + b)`.
    Rnn,
    /// Long short-term memory with gates i, f, g, o in this order (the order PyTorch uses), without
    /// peepholes.
    Lstm,
    /// A gated recurrent unit whose reset gate multiplies the product, gates r, z, n in this order
    /// (the order PyTorch uses).
    Gru,
}

impl Cell {
    /// Rows of the weight matrix per hidden unit: 1 for the RNN, 4 for the LSTM, 3 for the GRU.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Cell::Rnn => "rnn",
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
        }
    }

    /// The operation.
    pub const fn kind(self, units: usize) -> Kind {
        match self {
            Cell::Rnn => Kind::Rnn {
                units,
                activation: RnnActivation::Tanh,
            },
            Cell::Lstm => Kind::lstm(units),
            Cell::Gru => Kind::gru(units, Reset::After),
        }
    }
}

impl core::fmt::Display for Cell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The shape of a language model: everything that decides how much flash, RAM and arithmetic it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dims {
    /// The cell of every layer.
    pub cell: Cell,
    /// The number format.
    pub precision: Precision,
    /// Stacked recurrent layers, 1 to [`Dims::MAX_LAYERS`].
    pub layers: usize,
    /// Units of every layer, 1 to [`Dims::MAX_HIDDEN`].
    pub hidden: usize,
    /// Distinct tokens, 2 to [`Dims::MAX_VOCAB`].
    pub vocab: usize,
    /// 0: a token selects a row of the first layer's input. Otherwise the numbers of a token's
    /// embedding, [`Dims::MIN_WIDTH`] to [`Dims::MAX_WIDTH`].
    pub embedding: usize,
    /// 0: the head reads h. Otherwise it reads `p = W_p h + b_p` of this many numbers,
    /// [`Dims::MIN_WIDTH`] to [`Dims::MAX_WIDTH`].
    pub projection: usize,
    /// The head's weights are the embedding's: they are as wide as what the head reads.
    pub tied: bool,
    /// Matrices with 4-bit weights; only in int8 models.
    pub four_bits: FourBits,
}

impl Dims {
    /// The most layers a model may have.
    pub const MAX_LAYERS: usize = LAYERS;
    /// The most hidden units a layer may have.
    pub const MAX_HIDDEN: usize = net::MAX_SIZE;
    /// The most tokens a vocabulary may have.
    pub const MAX_VOCAB: usize = net::MAX_VOCAB;
    /// The fewest numbers of an embedding or a projection.
    pub const MIN_WIDTH: usize = 4;
    /// The most numbers of an embedding or a projection.
    pub const MAX_WIDTH: usize = net::MAX_SIZE;

    /// A shape without embedding and projection, once its ranges are checked.
    ///
    /// # Errors
    /// Names the quantity that is out of range, with what was given.
    pub const fn new(
        cell: Cell,
        precision: Precision,
        layers: usize,
        hidden: usize,
        vocab: usize,
    ) -> Result<Self, DimsError> {
        if layers < 1 || layers > Self::MAX_LAYERS {
            return Err(DimsError::Layers { found: layers });
        }
        if hidden < 1 || hidden > Self::MAX_HIDDEN {
            return Err(DimsError::Hidden { found: hidden });
        }
        if vocab < 2 || vocab > Self::MAX_VOCAB {
            return Err(DimsError::Vocab { found: vocab });
        }
        Ok(Dims {
            cell,
            precision,
            layers,
            hidden,
            vocab,
            embedding: 0,
            projection: 0,
            tied: false,
            four_bits: FourBits::NONE,
        })
    }

    /// The same shape with an embedding, a projection, or both; 0 for none. See the fields.
    ///
    /// # Errors
    /// Names the width that is out of range; or says that a head and an embedding of different widths
    /// cannot be tied.
    pub const fn with_widths(
        self,
        embedding: usize,
        projection: usize,
        tied: bool,
    ) -> Result<Self, DimsError> {
        if embedding != 0 && (embedding < Self::MIN_WIDTH || embedding > Self::MAX_WIDTH) {
            return Err(DimsError::Embedding { found: embedding });
        }
        if projection != 0 && (projection < Self::MIN_WIDTH || projection > Self::MAX_WIDTH) {
            return Err(DimsError::Projection { found: projection });
        }
        let head = if projection == 0 {
            self.hidden
        } else {
            projection
        };
        if tied && embedding != head {
            return Err(DimsError::Tied { embedding, head });
        }
        Ok(Dims {
            embedding,
            projection,
            tied,
            ..self
        })
    }

    /// The same with 4-bit weights in some matrices.
    ///
    /// # Errors
    /// [`DimsError::FourBits`] in an f32 model, for a layer that is not there, and for a tied head.
    pub const fn with_four_bits(self, four_bits: FourBits) -> Result<Self, DimsError> {
        let layers = (1 << self.layers) - 1;
        let head = if self.tied { 0 } else { FourBits::HEAD };
        let possible = match self.precision {
            Precision::F32 => 0,
            Precision::Int8 => layers | head,
        };
        if four_bits.code() & !possible != 0 {
            return Err(DimsError::FourBits {
                found: four_bits.code(),
            });
        }
        Ok(Dims { four_bits, ..self })
    }

    /// The net: an embedding if there is one, the layers, a projection if there is one, the head.
    pub const fn net(&self) -> Net {
        let mut net = Net::tokens(self.precision, self.vocab);
        if self.embedding > 0 {
            net = net.then(Kind::Embedding {
                units: self.embedding,
            });
        }
        let mut layer = 0;
        while layer < self.layers {
            let index = net.len();
            net = net.then(self.cell.kind(self.hidden));
            net = net.with_bits(index, self.four_bits.of_layer(layer) as u8);
            layer += 1;
        }
        if self.projection > 0 {
            net = net.then(Kind::Dense {
                units: self.projection,
                activation: Activation::None,
            });
        }
        let operand = Operand::one(net.last());
        net.with_operation(Operation {
            kind: Kind::Dense {
                units: self.vocab,
                activation: Activation::None,
            },
            operand,
            bits: self.four_bits.of_head() as u8,
            tied: if self.tied { Some(0) } else { None },
        })
        .scores()
    }

    /// The number of the first layer's operation.
    pub const fn first_layer(&self) -> usize {
        (self.embedding > 0) as usize
    }

    /// The number of the head's operation.
    pub const fn head(&self) -> usize {
        self.first_layer() + self.layers + (self.projection > 0) as usize
    }

    /// Bits of the weights of layers and head: `8`, `4`, or `mixed`.
    pub const fn weight_bits(&self) -> &'static str {
        let (mut layer, mut four) = (0, (self.four_bits.of_head() == 4) as usize);
        while layer < self.layers {
            four += (self.four_bits.of_layer(layer) == 4) as usize;
            layer += 1;
        }
        if four == 0 {
            "8"
        } else if four == self.layers + 1 {
            "4"
        } else {
            "mixed"
        }
    }

    /// Whether there is neither embedding nor projection.
    pub const fn is_plain(&self) -> bool {
        self.embedding == 0 && self.projection == 0
    }

    /// Hidden units rounded up to a multiple of four: the padded length of one hidden vector, and of
    /// one head row.
    pub const fn stride(&self) -> usize {
        self.hidden.next_multiple_of(4)
    }

    /// The embedding's numbers rounded up to a multiple of four: padded columns of its table; 0
    /// without one.
    pub const fn embedding_stride(&self) -> usize {
        self.embedding.next_multiple_of(4)
    }

    /// Padded columns of layer `layer`'s weights: the length of its operand.
    pub const fn columns(&self, layer: usize) -> usize {
        if layer == 0 {
            self.embedding_stride() + self.stride()
        } else {
            2 * self.stride()
        }
    }

    /// Padded columns of the head: the length of its operand, the projection or h.
    pub const fn head_columns(&self) -> usize {
        if self.projection == 0 {
            self.stride()
        } else {
            self.projection.next_multiple_of(4)
        }
    }

    /// Rows of every layer's weights: gates x hidden.
    pub const fn rows(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// [`Net::snapshot_words`].
    pub const fn snapshot_words(&self) -> usize {
        self.net().snapshot_words()
    }

    /// [`Net::state_words`].
    pub const fn state_words(&self) -> usize {
        self.net().state_words()
    }

    /// [`Net::pipeline_words`].
    pub const fn pipeline_words(&self) -> usize {
        self.net().pipeline_words()
    }

    /// [`Net::macs_per_step`].
    pub const fn macs_per_step(&self) -> usize {
        self.net().macs_per_step()
    }
}

impl Net {
    /// The shorthand of a language model; nothing for any other net.
    pub fn dims(&self) -> Option<Dims> {
        let mut dims: Option<Dims> = None;
        let (mut embedding, mut projection, mut tied, mut head) = (0, 0, false, 0);
        let (mut fours, mut head_bits) = ([false; Dims::MAX_LAYERS], 8);
        for operation in self.operations() {
            let cell = match operation.kind {
                Kind::Embedding { units } => {
                    embedding = units;
                    continue;
                }
                Kind::Dense { units, .. } => {
                    (projection, head) = (head, units);
                    (tied, head_bits) = (operation.tied.is_some(), operation.bits);
                    continue;
                }
                Kind::Rnn { .. } => Cell::Rnn,
                Kind::Lstm { .. } => Cell::Lstm,
                Kind::Gru { .. } => Cell::Gru,
                _ => return None,
            };
            let layers = dims.map_or(0, |dims| dims.layers);
            *fours.get_mut(layers)? = operation.bits == 4;
            let (units, vocab) = (operation.kind.units(), self.vocab());
            dims = Some(Dims::new(cell, self.precision, layers + 1, units, vocab).ok()?);
        }
        let dims = dims?.with_widths(embedding, projection, tied).ok()?;
        let four_bits = FourBits::new(fours, head_bits == 4);
        let dims = dims.with_four_bits(four_bits).ok()?;
        (head == dims.vocab && dims.net() == *self).then_some(dims)
    }
}

/// The first layer of a language model reads the token itself, or its embedding.
const _: () = {
    let Ok(dims) = Dims::new(Cell::Lstm, Precision::F32, 1, 8, 9) else {
        panic!("the shape is in range");
    };
    assert!(dims.net().reads_token(0) && Value::INPUT.is_input());
};

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

impl core::error::Error for DimsError {}

#[cfg(test)]
mod tests;
