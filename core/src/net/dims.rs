//! The shape of a language model, as a shorthand: tokens, equal recurrent layers, scores of tokens.
//!
//! [`Dims::net`] is the net, a list of operations like any other. [`Net::dims`] finds the shorthand of
//! a net that has this shape.

use crate::error::DimsError;
use crate::net::four_bits::FourBits;
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
            Cell::Lstm => Kind::Lstm { units },
            Cell::Gru => Kind::Gru {
                units,
                reset: Reset::After,
            },
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
    pub const MAX_LAYERS: usize = 4;
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
                Kind::Add => return None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_the_default_model_shape() {
        let dims = Dims::new(Cell::Lstm, Precision::Int8, 1, 128, 64).unwrap();
        assert_eq!(dims.macs_per_step(), 512 * 128 + 64 * 128);
        assert_eq!(dims.snapshot_words(), 128 / 4 + 128 / 2);
        assert_eq!(dims.state_words(), 96 + 32 + 64);
        assert_eq!(dims.pipeline_words(), 4 * 128);
        let two = Dims::new(Cell::Lstm, Precision::Int8, 2, 65, 64).unwrap();
        assert_eq!(two.pipeline_words(), 4 * 128);
        let gru = Dims::new(Cell::Gru, Precision::Int8, 1, 128, 64).unwrap();
        assert_eq!(gru.macs_per_step(), 384 * 128 + 64 * 128);
        // h of 8 and of 16 bits, h being computed, four sums a unit, the scores.
        assert_eq!(gru.state_words(), 32 + 64 + 32 + 512 + 64);
        assert_eq!(gru.pipeline_words(), 0);
    }

    #[test]
    fn every_bound_is_enforced() {
        let new = |l, h, v| Dims::new(Cell::Rnn, Precision::F32, l, h, v);
        assert_eq!(new(0, 8, 8), Err(DimsError::Layers { found: 0 }));
        assert_eq!(new(5, 8, 8), Err(DimsError::Layers { found: 5 }));
        assert_eq!(new(1, 0, 8), Err(DimsError::Hidden { found: 0 }));
        assert_eq!(new(1, 1025, 8), Err(DimsError::Hidden { found: 1025 }));
        assert_eq!(new(1, 8, 1), Err(DimsError::Vocab { found: 1 }));
        assert_eq!(new(1, 8, 16_385), Err(DimsError::Vocab { found: 16_385 }));
        assert!(new(4, 1024, 16_384).unwrap().net().checked().is_ok());
    }

    #[test]
    fn sizes_of_a_word_model() {
        let plain = Dims::new(Cell::Lstm, Precision::Int8, 1, 256, 5000).unwrap();
        let dims = plain.with_widths(94, 94, true).unwrap();
        assert_eq!((dims.columns(0), dims.head_columns()), (96 + 256, 96));
        let macs = 1024 * (256 + 94) + 94 * 256 + 5000 * 94;
        assert_eq!(dims.macs_per_step(), macs);
        assert_eq!(dims.snapshot_words(), plain.snapshot_words());
        // The embedding, the projection as a kernel gives it, and as the head reads it.
        let scratch = 96 / 4 + 94 + 96 / 4;
        assert_eq!(dims.state_words(), plain.state_words() + scratch);
        assert_eq!(plain.with_widths(0, 0, false), Ok(plain));
        assert!(plain.is_plain() && !dims.is_plain());
    }

    #[test]
    fn widths_have_bounds_and_only_equal_ones_are_tied() {
        let plain = Dims::new(Cell::Rnn, Precision::F32, 1, 32, 50).unwrap();
        for found in [1, 3, 1025] {
            let embedding = plain.with_widths(found, 0, false);
            assert_eq!(embedding, Err(DimsError::Embedding { found }));
            let projection = plain.with_widths(0, found, false);
            assert_eq!(projection, Err(DimsError::Projection { found }));
        }
        for (embedding, projection, head) in [(0, 0, 32), (0, 16, 16), (16, 0, 32), (16, 20, 20)] {
            let tied = plain.with_widths(embedding, projection, true);
            assert_eq!(tied, Err(DimsError::Tied { embedding, head }));
            assert!(plain.with_widths(embedding, projection, false).is_ok());
        }
        assert!(plain.with_widths(32, 0, true).is_ok());
        assert!(plain.with_widths(4, 4, true).is_ok());
    }

    #[test]
    fn the_shorthand_of_a_net_is_that_it_was_made_of() {
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            for (layers, widths) in [(1, (0, 0)), (3, (8, 0)), (2, (0, 12)), (4, (12, 12))] {
                let plain = Dims::new(cell, Precision::Int8, layers, 12, 50).unwrap();
                for tied in [false, true] {
                    let Ok(dims) = plain.with_widths(widths.0, widths.1, tied) else {
                        continue;
                    };
                    assert_eq!(dims.net().checked(), Ok(dims.net()));
                    assert_eq!(dims.net().dims(), Some(dims));
                    let four = FourBits::new([true, false, false, false], !tied);
                    let dims = dims.with_four_bits(four).unwrap();
                    assert_eq!(dims.net().dims(), Some(dims));
                }
            }
        }
        let other = Net::features(Precision::Int8, 4).then(Kind::Lstm { units: 8 });
        assert_eq!(other.values().dims(), None);
        let two_sizes = Net::tokens(Precision::Int8, 9).then(Kind::Lstm { units: 8 });
        let two_sizes = two_sizes.then(Kind::Lstm { units: 4 });
        assert_eq!(two_sizes.then(Cell::Rnn.kind(9)).scores().dims(), None);
    }
}
