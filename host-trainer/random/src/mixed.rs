//! Nets that mix the operations.

use gatelet::net::{Activation, Input, Kind, Net, Operand, Output, Precision, Value};

use crate::Source;

/// Sizes on both sides of the edges of tiles.
pub const SIZES: [usize; 9] = [1, 2, 3, 5, 16, 17, 64, 100, 129];

/// An input and one to four operations of these sizes, after an embedding perhaps; no outputs yet.
pub fn layers<S: Source>(choice: &mut S, precision: Precision, sizes: &[usize]) -> Net {
    let input = match choice.below(3) {
        0 => Input::Tokens {
            vocab: choice.one(&[2, 9, 33]),
        },
        _ => {
            let width = choice.one(sizes);
            let doubled = match precision {
                Precision::F32 => 0,
                Precision::Int8 => choice.one(&[0, width / 2, width]),
            };
            Input::Features { width, doubled }
        }
    };
    let mut net = Net::new(precision, input);
    if net.takes_tokens() && choice.below(2) == 0 {
        net = net.then(Kind::Embedding {
            units: choice.one(sizes),
        });
    }
    // The first operation of a net of tokens without an embedding has to be a cell.
    let mut least = usize::from(net.takes_tokens() && net.is_empty());
    for _ in 0..1 + choice.below(4) {
        net = layer(net, choice, sizes, least == 1);
        least = 0;
    }
    net
}

/// A net that can be: [`layers`], and a dense operation behind them.
///
/// # Panics
/// Never, for sizes from 1 to 1024.
pub fn mixed<S: Source>(choice: &mut S, precision: Precision, sizes: &[usize]) -> Net {
    let mut net = layers(choice, precision, sizes);
    let units = 2 + choice.below(30);
    net = net.then(Kind::Dense {
        units,
        activation: activation(choice, precision),
    });
    net = match choice.below(2) {
        0 => net.scores(),
        _ => net.values(),
    };
    // Now and then another output, and one that no dense operation makes.
    let made = choice.below(net.len());
    if choice.below(2) == 0 {
        net = net.with_output(Output::Values(Value::of(made)));
    }
    match net.checked() {
        Ok(net) => net,
        Err(error) => panic!("{net:?}: {error}"),
    }
}

fn activation<S: Source>(choice: &mut S, precision: Precision) -> Activation {
    let all = [
        Activation::None,
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::Elu,
        Activation::Softmax,
    ];
    // The last two are for f32 alone.
    match precision {
        Precision::F32 => choice.one(&all),
        Precision::Int8 => choice.one(&all[..5]),
    }
}

/// The net with an operation more.
fn layer<S: Source>(net: Net, choice: &mut S, sizes: &[usize], cell: bool) -> Net {
    let units = choice.one(sizes);
    let index = net.len();
    let (last, any) = (net.last(), Value::of(choice.below(index.max(1))));
    // A token can be read by cells only, and first.
    let second = match (index, net.takes_tokens()) {
        (0, _) => None,
        (_, true) => Some(any),
        (_, false) => Some(choice.one(&[any, Value::INPUT])),
    };
    let recurrent = choice.one(&Kind::CELLS).with_units(units);
    let kind = match choice.below(if cell { 5 } else { 7 }) {
        5 => Kind::Dense {
            units,
            activation: activation(choice, net.precision),
        },
        6 if second.is_some_and(|second| net.width(second) == net.width(last)) => Kind::Add,
        _ => recurrent,
    };
    let both = second.filter(|_| kind == Kind::Add || choice.below(3) == 0);
    let net = match both {
        Some(second) => net.with(kind, Operand::two(last, second)),
        None => net.then(kind),
    };
    match (net.precision, kind.gates() > 0 && choice.below(4) == 0) {
        (Precision::Int8, true) => net.with_bits(index, 4),
        _ => net,
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::Operation;

    use super::*;
    use crate::Seeded;

    /// Among few nets there is every kind, each with every size, and every kind of operand.
    #[test]
    fn everything_is_drawn() {
        for precision in [Precision::F32, Precision::Int8] {
            let nets: Vec<Net> = (0..400)
                .map(|seed| mixed(&mut Seeded::new(seed), precision, &SIZES))
                .collect();
            let any = |wanted: &dyn Fn(&Net) -> bool| nets.iter().any(wanted);
            let kinds = ["embedding", "rnn", "lstm", "gru", "dense"];
            for (kind, size) in kinds
                .iter()
                .flat_map(|kind| SIZES.map(|size| (*kind, size)))
            {
                let drawn = |net: &Net| {
                    let mut all = net.operations().map(|of| of.kind);
                    all.any(|found| found.name() == kind && found.units() == size)
                };
                assert!(any(&drawn), "{kind} {size}");
            }
            assert!(any(&|net| net.operations().any(|of| of.kind == Kind::Add)));
            for cell in Kind::CELLS {
                let drawn = |of: &Operation| of.kind.with_units(1) == cell;
                assert!(any(&|net| net.operations().any(drawn)), "{cell}");
            }
            assert!(any(&|net| net.operations().any(|of| of.operand.len() > 1)));
            assert!(any(&|net| net.takes_tokens()) && any(&|net| !net.takes_tokens()));
            assert!(any(&|net| net.output_len() > 1));
        }
    }
}
