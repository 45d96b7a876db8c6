//! The shape of a model, and every size that follows from it.
//!
//! Nothing here allocates or looks at weights: firmware can evaluate all of it in a `const`, so a buffer that is
//! too small is a compile error of the board's build, not a surprise at run time.

use crate::error::{DimsError, LayoutError};
use crate::four_bits::FourBits;
use crate::matrix::PAIRS_MAX_COLUMNS;

/// The recurrent cell of every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Cell {
    /// Elman's simple recurrent cell: `h' = tanh(W x + U h + b)`.
    Rnn,
    /// Long short-term memory with gates i, f, g, o in this order (the order PyTorch uses), without peepholes.
    Lstm,
}

impl Cell {
    /// Rows of the weight matrix per hidden unit: 1 for the RNN, 4 for the LSTM.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Lstm => 4,
        }
    }

    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Cell::Rnn => "rnn",
            Cell::Lstm => "lstm",
        }
    }
}

impl core::fmt::Display for Cell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The number format of weights and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Precision {
    /// Weights, state and logits in IEEE 754 binary32.
    F32,
    /// Weights and hidden state int8, cell state int16, logits int32; integer operations only (docs/numerics.md).
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

    /// Bytes of one element of the hidden state.
    pub const fn hidden_bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Int8 => 1,
        }
    }

    /// Bytes of one element of the cell state.
    pub const fn cell_bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Int8 => 2,
        }
    }
}

impl core::fmt::Display for Precision {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// How the weight matrices of an image are arranged. It changes where a weight lies, never a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Layout {
    /// Row-major, the gate rows of a unit next to each other, columns padded with zeros to a multiple of four.
    Rows,
    /// Two rows in a lane of 16 bits, for the DSP instructions of an Armv7E-M (Cortex-M4, M7, M33); int8 only.
    Pairs,
    /// Tiles of vectors of four rows, for NEON and WebAssembly.
    Tiles4,
    /// Tiles of vectors of eight rows, for AVX2.
    Tiles8,
    /// Tiles of vectors of sixteen rows, for AVX-512.
    Tiles16,
}

impl Layout {
    /// Every layout; a layout's place is its number in an image.
    pub const ALL: [Layout; 5] = [
        Layout::Rows,
        Layout::Pairs,
        Layout::Tiles4,
        Layout::Tiles8,
        Layout::Tiles16,
    ];

    /// Binary logarithm of the rows of a tile's vector; nothing for layouts without tiles.
    pub(crate) const fn lane_bits(self) -> Option<u32> {
        match self {
            Layout::Rows | Layout::Pairs => None,
            Layout::Tiles4 => Some(2),
            Layout::Tiles8 => Some(3),
            Layout::Tiles16 => Some(4),
        }
    }

    /// What the sections of an image start at a multiple of: a cache line where vectors are read across a tile.
    pub(crate) const fn align(self) -> usize {
        match self {
            Layout::Rows | Layout::Pairs => crate::format::ALIGN,
            Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => 64,
        }
    }

    /// The name used by files, options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Layout::Rows => "rows",
            Layout::Pairs => "pairs",
            Layout::Tiles4 => "tiles4",
            Layout::Tiles8 => "tiles8",
            Layout::Tiles16 => "tiles16",
        }
    }

    /// Checks that a model of this shape can have this layout.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub const fn check(self, dims: &Dims) -> Result<(), LayoutError> {
        match self {
            Layout::Rows | Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => Ok(()),
            Layout::Pairs => {
                let columns = dims.most_columns();
                if !matches!(dims.precision, Precision::Int8) {
                    Err(LayoutError::NeedsInt8 { layout: self })
                } else if columns > PAIRS_MAX_COLUMNS {
                    Err(LayoutError::Columns {
                        layout: self,
                        columns,
                        max: PAIRS_MAX_COLUMNS,
                    })
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl core::fmt::Display for Layout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The shape of a model: everything that decides how much flash, RAM and arithmetic it needs.
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
    /// 0: a token selects a row of the first layer's input. Otherwise the numbers of a token's embedding,
    /// [`Dims::MIN_WIDTH`] to [`Dims::MAX_WIDTH`]: the first layer's weights then have columns for them.
    pub embedding: usize,
    /// 0: the head reads h. Otherwise it reads `p = W_p h + b_p` of this many numbers, [`Dims::MIN_WIDTH`] to
    /// [`Dims::MAX_WIDTH`].
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
    pub const MAX_HIDDEN: usize = 1024;
    /// The most tokens a vocabulary may have.
    pub const MAX_VOCAB: usize = 16_384;
    /// The fewest numbers of an embedding or a projection.
    pub const MIN_WIDTH: usize = 4;
    /// The most numbers of an embedding or a projection.
    pub const MAX_WIDTH: usize = 1024;

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
    /// Names the width that is out of range; or says that a head and an embedding of different widths cannot be tied.
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

    /// Hidden units rounded up to a multiple of four: the padded length of one hidden vector, and of one head row.
    pub const fn stride(&self) -> usize {
        self.hidden.next_multiple_of(4)
    }

    /// The embedding's numbers rounded up to a multiple of four: padded columns of its table; 0 without one.
    pub const fn embedding_stride(&self) -> usize {
        self.embedding.next_multiple_of(4)
    }

    /// Padded columns of layer `layer`'s weight matrix: the length of its operand, which is `[h]` in the first layer
    /// (its input is a gathered row, not a product; with an embedding, `[embedding ; h]`) and
    /// `[h of the layer below ; h]` above.
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

    /// How an image of this shape in `layout` arranges the embedding: rows are what a look-up reads best, but a tied
    /// head reads the table as its own.
    pub(crate) const fn table_layout(&self, layout: Layout) -> Layout {
        if self.tied { layout } else { Layout::Rows }
    }

    /// Padded columns of the widest matrix that a kernel multiplies.
    pub(crate) const fn most_columns(&self) -> usize {
        let (first, last) = (self.columns(0), self.columns(self.layers - 1));
        let layer = if first > last { first } else { last };
        let head = self.head_columns();
        if head > layer { head } else { layer }
    }

    /// Rows of every layer's weight matrix: gates x hidden, unit-major (row = unit * gates + gate).
    pub const fn rows(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// Words of a snapshot: the hidden vectors of all layers, then (LSTM) the cell vectors of all layers, each
    /// padded to [`Dims::stride`] elements.
    pub const fn snapshot_words(&self) -> usize {
        let elements = self.layers * self.stride();
        let hidden = elements * self.precision.hidden_bytes() / 4;
        let cell = match self.cell {
            Cell::Rnn => 0,
            Cell::Lstm => elements * self.precision.cell_bytes() / 4,
        };
        hidden + cell
    }

    /// Words of the embedding's numbers in a session's storage, before the snapshot's.
    pub(crate) const fn embedded_words(&self) -> usize {
        self.embedding_stride() * self.precision.hidden_bytes() / 4
    }

    /// Words of the projection's numbers in a session's storage: in int8 as the kernel gives them, and as the head
    /// reads them.
    pub(crate) const fn projected_words(&self) -> usize {
        let padded = self.projection.next_multiple_of(4);
        match self.precision {
            Precision::F32 => padded,
            Precision::Int8 => padded + padded / 4,
        }
    }

    /// Words a [`Session`](crate::Session) needs: a snapshot's, one hidden vector of scratch, the logits, and the
    /// numbers of embedding and projection where there are such.
    pub const fn state_words(&self) -> usize {
        let next = self.stride() * self.precision.hidden_bytes() / 4;
        self.embedded_words() + self.snapshot_words() + next + self.projected_words() + self.vocab
    }

    /// Words more with which a session, on a host, begins each step with the weights that the step before read last: sums of the last layer.
    /// Of several it is worth it where the last fills much of a second-level cache. None for one with an embedding: it waits for the token.
    pub const fn ahead_words(&self) -> usize {
        // Whole pairs of tiles, of the widest vectors.
        match (self.layers, self.embedding) {
            (1, 1..) => 0,
            _ => self.cell.gates() * self.hidden.next_multiple_of(64),
        }
    }

    /// Multiply-accumulates of the matrix products of one step. Without an embedding, the first layer's input is a row
    /// gather and costs none; padding columns are not counted.
    pub const fn macs_per_step(&self) -> usize {
        let head = if self.projection == 0 {
            self.hidden
        } else {
            self.projection
        };
        let mut macs = self.vocab * head + self.projection * self.hidden;
        let mut layer = 0;
        while layer < self.layers {
            let inputs = if layer == 0 {
                self.embedding
            } else {
                self.hidden
            };
            macs += self.rows() * (self.hidden + inputs);
            layer += 1;
        }
        macs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_the_default_model_shape() {
        let dims = Dims::new(Cell::Lstm, Precision::Int8, 1, 128, 64).unwrap();
        assert_eq!(dims.macs_per_step(), 512 * 128 + 64 * 128);
        assert_eq!(dims.snapshot_words(), 128 / 4 + 128 / 2);
        assert_eq!(dims.state_words(), 96 + 32 + 64);
        assert_eq!(dims.ahead_words(), 4 * 128);
        let two = Dims::new(Cell::Lstm, Precision::Int8, 2, 65, 64).unwrap();
        assert_eq!(two.ahead_words(), 4 * 128);
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
        assert!(new(4, 1024, 16_384).is_ok());
    }

    #[test]
    fn sizes_of_a_word_model() {
        let plain = Dims::new(Cell::Lstm, Precision::Int8, 1, 256, 5000).unwrap();
        let dims = plain.with_widths(94, 94, true).unwrap();
        assert_eq!((dims.columns(0), dims.head_columns()), (96 + 256, 96));
        let macs = 1024 * (256 + 94) + 94 * 256 + 5000 * 94;
        assert_eq!(dims.macs_per_step(), macs);
        assert_eq!(dims.snapshot_words(), plain.snapshot_words());
        let scratch = 96 / 4 + 96 + 96 / 4;
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
    fn odd_hidden_sizes_are_padded_to_whole_words() {
        let dims = Dims::new(Cell::Lstm, Precision::Int8, 2, 5, 9).unwrap();
        assert_eq!(
            (dims.stride(), dims.columns(0), dims.columns(1)),
            (8, 8, 16)
        );
        assert_eq!(dims.snapshot_words(), 2 * (8 / 4 + 8 / 2));
    }
}
