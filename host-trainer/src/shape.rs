//! The nets that the command line builds: layers of one cell and size between tokens and scores.
//!
//! ```text
//! token -> [embedding] -> cell -> .. -> cell -> [projection] -> head
//! ```
//! A [`Shape`] is a short way to say such a [`Net`], and what the tools for texts ask a net to be.
//! Training itself runs any list of operations ([`crate::net`]).

use gatelet::net::{Activation, Kind, Net, Operand, Operation, Precision, Reset, RnnActivation};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::net::{Role, tensors};

/// The kind of recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Elman's: `h' = tanh(z)`.
    Rnn,
    /// Long short-term memory with gates i, f, g, o.
    Lstm,
    /// Gated recurrent unit with gates r, z, n; the reset gate multiplies the product.
    Gru,
}

impl Cell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rnn, Self::Lstm, Self::Gru];

    /// The operation of so many units.
    pub const fn kind(self, units: usize) -> Kind {
        match self {
            Self::Rnn => Kind::Rnn {
                units,
                activation: RnnActivation::Tanh,
            },
            Self::Lstm => Kind::lstm(units),
            Self::Gru => Kind::gru(units, Reset::After),
        }
    }

    /// The cell of an operation, if it is one of these.
    pub fn of(kind: Kind) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|cell| cell.kind(kind.units()) == kind)
    }

    /// Gate blocks a unit has.
    pub const fn gates(self) -> usize {
        self.kind(1).gates()
    }

    /// Whether a unit carries a cell state c beside h.
    pub const fn has_memory(self) -> bool {
        matches!(self, Self::Lstm)
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind(1).name())
    }
}

/// The sizes of a net of layers that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Kind of cell.
    pub cell: Cell,
    /// Recurrent layers, 1..=4.
    pub layers: usize,
    /// Hidden units a layer, 1..=1024.
    pub hidden: usize,
    /// Tokens, 2..=16384.
    pub vocab: usize,
    /// Numbers of a token's embedding, 4..=1024, or 0: the first layer has a row for each token.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub embedding: usize,
    /// Numbers between the top layer and the head, 4..=1024, or 0: the head reads h.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub projection: usize,
    /// Whether the head's weights are the embedding.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tied: bool,
}

fn is_zero(x: &usize) -> bool {
    *x == 0
}

fn is_false(x: &bool) -> bool {
    !x
}

/// A dense operation without an activation.
const fn linear(units: usize) -> Kind {
    Kind::Dense {
        units,
        activation: Activation::None,
    }
}

impl Shape {
    /// The smallest net there is, for shapes that name what they have beyond it.
    pub const PLAIN: Self = Self {
        cell: Cell::Lstm,
        layers: 1,
        hidden: 1,
        vocab: 2,
        embedding: 0,
        projection: 0,
        tied: false,
    };

    /// The operations.
    pub fn net(&self) -> Net {
        let mut net = Net::tokens(Precision::F32, self.vocab);
        if self.embedding > 0 {
            net = net.then(Kind::Embedding {
                units: self.embedding,
            });
        }
        // More than there is room for is refused as it is.
        for _ in 0..self.layers.min(gatelet::net::MAX_OPERATIONS + 1) {
            net = net.then(self.cell.kind(self.hidden));
        }
        if self.projection > 0 {
            net = net.then(linear(self.projection));
        }
        let last = net.last();
        net.with_operation(Operation {
            kind: linear(self.vocab),
            operand: Operand::one(last),
            bits: 8,
            tied: self.tied.then_some(0),
        })
        .scores()
    }

    /// The shape of a net that has one.
    pub fn of(net: &Net) -> Option<Self> {
        let embedding = match net.operation(0)?.kind {
            Kind::Embedding { units } => units,
            _ => 0,
        };
        let first = net.operation(usize::from(embedding > 0))?.kind;
        let layers = net.operations().filter(|o| o.kind.is_recurrent()).count();
        let above = net.len() - layers - usize::from(embedding > 0);
        let top = net.operation(net.len().checked_sub(2)?)?.kind;
        let shape = Self {
            cell: Cell::of(first)?,
            layers,
            hidden: first.units(),
            vocab: net.vocab(),
            embedding,
            projection: if above == 2 { top.units() } else { 0 },
            tied: net.operations().any(|operation| operation.tied.is_some()),
        };
        (shape.net() == *net).then_some(shape)
    }

    /// The shape of a net that a tool for texts is given.
    ///
    /// # Errors
    /// [`Error::Some`] for a net that has none.
    pub fn needed(net: &Net) -> Result<Self> {
        Self::of(net).ok_or_else(|| {
            let what = "this net is not one of equal layers between tokens and a head, \
                        which this command is for";
            Error::Some(what.to_owned())
        })
    }

    /// The operation that is a layer.
    pub const fn layer(&self, layer: usize) -> usize {
        layer + (self.embedding > 0) as usize
    }

    /// The operation that is the projection; the head without one.
    pub const fn projected(&self) -> usize {
        self.layer(self.layers)
    }

    /// The operation that is the head.
    pub const fn head(&self) -> usize {
        self.projected() + (self.projection > 0) as usize
    }

    /// The role of the weights by which a layer reads its input.
    pub const fn input_role(&self, layer: usize) -> Role {
        if self.is_dense(layer) {
            Role::Input
        } else {
            Role::Rows
        }
    }

    /// Columns of a layer's matrices: gates * hidden.
    pub const fn gate_columns(&self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// Numbers of a layer's bias of the recurrent product.
    pub const fn recurrent_biases(&self) -> usize {
        match self.cell {
            Cell::Gru => self.hidden,
            Cell::Rnn | Cell::Lstm => 0,
        }
    }

    /// Rows of a layer's `W_x`.
    pub const fn inputs(&self, layer: usize) -> usize {
        match (layer, self.embedding) {
            (0, 0) => self.vocab,
            (0, embedding) => embedding,
            _ => self.hidden,
        }
    }

    /// Whether a layer multiplies its input by `W_x`, and does not take a row of it.
    pub const fn is_dense(&self, layer: usize) -> bool {
        layer > 0 || self.embedding > 0
    }

    /// Length of what the head reads.
    pub const fn head_inputs(&self) -> usize {
        match self.projection {
            0 => self.hidden,
            projection => projection,
        }
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        tensors(&self.net()).last().map_or(0, |last| last.range.end)
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Output, Value};

    use super::*;

    #[test]
    fn a_net_has_the_shape_that_it_was_made_of() {
        let widths = [
            (0, 0, false),
            (4, 0, false),
            (0, 6, false),
            (4, 6, false),
            (6, 6, true),
        ];
        let shapes = widths.map(|widths| Cell::ALL.map(|cell| (cell, widths)));
        for (cell, (embedding, projection, tied)) in shapes.into_iter().flatten() {
            for layers in 1..=3 {
                let shape = Shape {
                    cell,
                    layers,
                    hidden: 6,
                    vocab: 7,
                    embedding,
                    projection,
                    tied,
                };
                assert_eq!(Shape::of(&shape.net()), Some(shape));
                let head = shape.net().operation(shape.head()).map(|head| head.kind);
                assert_eq!(head, Some(linear(7)));
                assert_eq!(Shape::of(&shape.net().then(linear(3))), None);
            }
        }
        let features = Net::features(Precision::F32, 3).then(Cell::Lstm.kind(4));
        assert!(Shape::needed(&features.then(linear(3)).scores()).is_err());
        let reads = Operand::two(Value::INPUT, Value::of(0));
        let skip = Net::tokens(Precision::F32, 5)
            .then(Cell::Gru.kind(4))
            .with(Cell::Gru.kind(4), reads);
        let skip = skip
            .then(linear(5))
            .with_output(Output::Scores(Value::of(2)));
        assert_eq!(Shape::of(&skip), None);
    }
}
