//! How options ask for a net: layers of one cell and size between tokens and scores.
//!
//! ```text
//! token -> [embedding] -> cell -> .. -> cell -> [projection] -> head
//! ```
//! What comes of [`Layers`] is a [`Net`] like any other. What is there to be looked at, trained on
//! or exported is that net.

use gatelet::net::{
    Activation, Kind, MAX_OPERATIONS, Net, Operand, Operation, Precision, Reset, RnnActivation,
};
use serde::{Deserialize, Serialize};

use crate::net::tensors;

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
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind(1).name())
    }
}

/// The sizes of a net of layers that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Kind of cell.
    pub cell: Cell,
    /// Recurrent layers, 1..=4.
    pub layers: usize,
    /// Hidden units a layer, 1..=1024.
    pub hidden: usize,
    /// Tokens, 2..=16384; 0 of layers between features and answers, whose numbers the data gives.
    #[serde(default, skip_serializing_if = "is_zero")]
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

impl Layers {
    /// The smallest there are, for those that name what they have beyond it.
    pub const PLAIN: Self = Self {
        cell: Cell::Lstm,
        layers: 1,
        hidden: 1,
        vocab: 2,
        embedding: 0,
        projection: 0,
        tied: false,
    };

    /// The net, in f32. It need not be one that can be: [`Net::checked`].
    pub fn net(&self) -> Net {
        let net = Net::tokens(Precision::F32, self.vocab);
        self.over(net, self.vocab).scores()
    }

    /// The same operations over an input, with a head of `outputs` units.
    pub fn over(&self, mut net: Net, outputs: usize) -> Net {
        if self.embedding > 0 {
            net = net.then(Kind::Embedding {
                units: self.embedding,
            });
        }
        // More than there is room for is refused as it is.
        for _ in 0..self.layers.min(MAX_OPERATIONS + 1) {
            net = net.then(self.cell.kind(self.hidden));
        }
        if self.projection > 0 {
            net = net.then(linear(self.projection));
        }
        let last = net.last();
        net.with_operation(Operation {
            kind: linear(outputs),
            operand: Operand::one(last),
            bits: 8,
            tied: self.tied.then_some(0),
        })
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
    use super::*;

    #[test]
    fn every_option_has_its_operation() {
        let plain = Layers {
            cell: Cell::Gru,
            layers: 2,
            hidden: 6,
            vocab: 7,
            ..Layers::PLAIN
        };
        assert_eq!(
            plain.net().to_string(),
            "tokens 7 | gru 6 | gru 6 | dense 7"
        );
        let wide = Layers {
            embedding: 4,
            projection: 4,
            tied: true,
            ..plain
        };
        let net = wide.net().checked().unwrap();
        let line = "tokens 7 | embedding 4 | gru 6 | gru 6 | dense 4 | dense 7";
        assert_eq!(net.to_string(), line);
        assert_eq!(net.operation(4).map(|head| head.tied), Some(Some(0)));
        let many = Layers {
            layers: usize::MAX,
            ..plain
        };
        assert!(many.net().checked().is_err());
    }
}
