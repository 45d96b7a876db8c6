//! Nets that mix the operations, at sizes on both sides of the edges of tiles.

use gatelet::net::{
    Activation, Input, Kind, Net, Operand, Output, Precision, Reset, RnnActivation, Value,
};

/// Sizes of values.
const SIZES: [usize; 9] = [1, 2, 3, 5, 16, 17, 64, 100, 129];
/// The same for Miri, which takes a thousand times as long.
const SMALL: [usize; 4] = [1, 3, 5, 17];

/// Choices in no simple order.
struct Choice(u64);

impl Choice {
    fn of(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn size(&mut self) -> usize {
        match cfg!(miri) {
            true => SMALL[self.of(SMALL.len())],
            false => SIZES[self.of(SIZES.len())],
        }
    }
}

/// Net `seed`, which can be.
pub(crate) fn mixed(seed: usize, precision: Precision) -> Net {
    let mut choice = Choice(seed as u64 * 2 + 1);
    for _ in 0..8 {
        choice.of(2);
    }
    let input = match choice.of(3) {
        0 => Input::Tokens {
            vocab: [2, 9, 33][choice.of(3)],
        },
        _ => {
            let width = choice.size();
            let doubled = match precision {
                Precision::F32 => 0,
                Precision::Int8 => [0, width / 2, width][choice.of(3)],
            };
            Input::Features { width, doubled }
        }
    };
    let mut net = Net::new(precision, input);
    if net.takes_tokens() && choice.of(2) == 0 {
        net = net.then(Kind::Embedding {
            units: choice.size(),
        });
    }
    // The first operation of a net of tokens without an embedding has to be a cell.
    let mut least = usize::from(net.takes_tokens() && net.is_empty());
    for _ in 0..1 + choice.of(4) {
        net = layer(net, &mut choice, least == 1);
        least = 0;
    }
    let units = 2 + choice.of(30);
    net = net.then(Kind::Dense {
        units,
        activation: activation(&mut choice),
    });
    net = match choice.of(2) {
        0 => net.scores(),
        _ => net.values(),
    };
    // Now and then another output, and one that no dense operation makes.
    let made = choice.of(net.len());
    if choice.of(2) == 0 {
        net = net.with_output(Output::Values(Value::of(made)));
    }
    match net.checked() {
        Ok(net) => net,
        Err(error) => panic!("net {seed}: {error}"),
    }
}

fn activation(choice: &mut Choice) -> Activation {
    [
        Activation::None,
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::HardSigmoid,
    ][choice.of(5)]
}

/// The net with an operation more.
fn layer(net: Net, choice: &mut Choice, cell: bool) -> Net {
    let units = choice.size();
    let index = net.len();
    let (last, any) = (net.last(), Value::of(choice.of(index.max(1))));
    // A token can be read by cells only, and first.
    let second = match (index, net.takes_tokens()) {
        (0, _) => None,
        (_, true) => Some(any),
        (_, false) => Some([any, Value::INPUT][choice.of(2)]),
    };
    let reset = [Reset::After, Reset::Before][choice.of(2)];
    let kind = match choice.of(if cell { 5 } else { 7 }) {
        0 => Kind::Lstm { units },
        1 => Kind::Rnn {
            units,
            activation: RnnActivation::Tanh,
        },
        2 => Kind::Rnn {
            units,
            activation: RnnActivation::Relu,
        },
        3 | 4 => Kind::Gru { units, reset },
        5 => Kind::Dense {
            units,
            activation: activation(choice),
        },
        _ if second.is_some_and(|second| net.width(second) == net.width(last)) => Kind::Add,
        _ => Kind::Gru { units, reset },
    };
    let both = second.filter(|_| kind == Kind::Add || choice.of(3) == 0);
    let net = match both {
        Some(second) => net.with(kind, Operand::two(last, second)),
        None => net.then(kind),
    };
    match (net.precision, kind.gates() > 0 && choice.of(4) == 0) {
        (Precision::Int8, true) => net.with_bits(index, 4),
        _ => net,
    }
}
