//! The nets of language models whose layers are alike.
//!
//! ```text
//! token -> [embedding] -> layer -> .. -> layer -> [projection] -> head
//! ```

use gatelet::net::{Activation, Kind, Net, Operand, Operation, Precision, Reset, RnnActivation};

/// A tanh RNN of one unit.
pub const RNN: Kind = Kind::Rnn {
    units: 1,
    activation: RnnActivation::Tanh,
};
/// An LSTM of one unit.
pub const LSTM: Kind = Kind::lstm(1);
/// A GRU of one unit.
pub const GRU: Kind = Kind::gru(1, Reset::After);

/// A dense operation without an activation.
const fn linear(units: usize) -> Kind {
    Kind::Dense {
        units,
        activation: Activation::None,
    }
}

/// So many layers of one kind between `vocab` tokens and their scores.
pub const fn stacked(precision: Precision, vocab: usize, layers: usize, layer: Kind) -> Net {
    with_widths(precision, vocab, layers, layer, (0, 0, false))
}

/// The same with an embedding and a projection of so many numbers, 0 for none, and a head whose
/// weights are the embedding's if it is tied.
pub const fn with_widths(
    precision: Precision,
    vocab: usize,
    layers: usize,
    layer: Kind,
    (embedding, projection, tied): (usize, usize, bool),
) -> Net {
    let mut net = Net::tokens(precision, vocab);
    if embedding > 0 {
        net = net.then(Kind::Embedding { units: embedding });
    }
    let mut done = 0;
    while done < layers {
        net = net.then(layer);
        done += 1;
    }
    if projection > 0 {
        net = net.then(linear(projection));
    }
    let operand = Operand::one(net.last());
    net.with_operation(Operation {
        kind: linear(vocab),
        operand,
        bits: 8,
        tied: if tied { Some(0) } else { None },
    })
    .scores()
}

/// The same net with 4-bit weights in the operations of these numbers.
pub fn in_four_bits(net: Net, operations: impl IntoIterator<Item = usize>) -> Net {
    let operations = operations.into_iter();
    operations.fold(net, |net, index| net.with_bits(index, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_has_its_place() {
        let of = |widths| with_widths(Precision::Int8, 9, 2, Kind::lstm(5), widths);
        for (widths, line) in [
            ((0, 0, false), "tokens 9 | lstm 5 | lstm 5 | dense 9"),
            (
                (6, 0, false),
                "tokens 9 | embedding 6 | lstm 5 | lstm 5 | dense 9",
            ),
            (
                (4, 4, true),
                "tokens 9 | embedding 4 | lstm 5 | lstm 5 | dense 4 | dense 9",
            ),
        ] {
            let net = of(widths).checked().expect("a net that can be");
            assert_eq!(net.to_string(), line);
            let head = net.operation(net.len() - 1).expect("the head");
            assert_eq!(head.tied, widths.2.then_some(0));
        }
        let four = in_four_bits(of((0, 0, false)), [0, 2]);
        let line = "tokens 9 | lstm 5, 4 bits | lstm 5 | dense 9, 4 bits";
        assert_eq!(four.to_string(), line);
    }
}
