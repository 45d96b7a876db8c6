//! The nets of the course's first systems: parameter counts, and the convolution that one of them
//! compares with.

#[path = "course/convolution.rs"]
mod convolution;

use convolution::Convolution;
use gatelet::net::{Activation, Kind, Net, Precision};
use gatelet_trainer::data::rows::Rows;
use gatelet_trainer::net::Params;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};

fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

/// Filters over one token, some and all of a sequence.
#[test]
fn the_convolutions_gradient_is_the_finite_difference() {
    let tokens = [3_u16, 0, 2, 2, 1, 4];
    for width in [1, 2, 6] {
        let net = Convolution {
            width,
            tokens: 5,
            filters: 4,
        };
        let mut parameters = net.start::<f64>(3);
        // Away from the start: biases too have to matter.
        let numbers = parameters.iter_mut().enumerate();
        numbers.for_each(|(i, w)| *w += 0.3 * ((i * 7) as f64).sin());
        for yes in [true, false] {
            let mut gradient = vec![0.0; parameters.len()];
            net.add_gradient(&parameters, (&tokens, yes), 0.5, &mut gradient);
            assert!(gradient.iter().filter(|d| **d != 0.0).count() > 5);
            for index in 0..parameters.len() {
                let value = parameters[index];
                let mut at = |by: f64| {
                    parameters[index] = value + by;
                    let p = net.probability(&parameters, &tokens);
                    parameters[index] = value;
                    -0.5 * if yes { p.ln() } else { (1.0 - p).ln() }
                };
                let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
                let off = (numeric - gradient[index]).abs();
                assert!(off < 1e-8, "{width} {index}: {numeric} {}", gradient[index]);
            }
        }
    }
}

/// The order of what a pool sees does not matter to it, and does to the filters below it.
#[test]
fn a_pool_says_that_and_not_where() {
    let net = Convolution {
        width: 2,
        tokens: 5,
        filters: 8,
    };
    let parameters = net.start::<f64>(1);
    let p = |tokens: &[u16]| net.probability(&parameters, tokens);
    // The same pairs of neighbours: 01, 12, 20, 03.
    assert_eq!(p(&[0, 1, 2, 0, 3]), p(&[2, 0, 1, 2, 0, 3]));
    assert_ne!(p(&[0, 1, 2, 0, 3]), p(&[0, 2, 1, 0, 3]));
}

/// Numbers as targets, behind a sigmoid: either or, which a net of one layer cannot learn; and
/// classes.
#[test]
fn plain_nets_learn_rows() {
    let adam = OptimizerConfig::of(Optimizer::Adam);
    let body = Net::features(Precision::F32, 2).then(dense(8, Activation::Relu));
    let (mut numbers, mut classes) = (Rows::<f32>::new(2, 1), Rows::<f32>::new(2, 0));
    for bits in 0..4_u16 {
        let [a, b] = [bits & 1, bits >> 1];
        numbers.push(&[f32::from(a), f32::from(b)], &[f32::from(a != b)]);
        let hot = [a, b].into_iter().enumerate();
        classes.push_hot(hot.filter(|of| of.1 == 1).map(|of| of.0), a ^ b);
    }
    let of_numbers = body.then(dense(1, Activation::Sigmoid)).values();
    let of_classes = body.then(dense(2, Activation::None)).scores();
    for (net, rows) in [(of_numbers, &numbers), (of_classes, &classes)] {
        let mut learner = Learner::new(Params::<f32>::glorot(net, 4), adam);
        for epoch in 0..400 {
            learner.epoch(rows, 3, 0.02, epoch).expect("it is finite");
        }
        let nats = learner.score(rows).expect("in memory").nats;
        assert!(nats < 0.05, "{net:?}: {nats}");
    }
}

#[test]
fn parameter_counts_are_those_of_the_course() {
    for (inputs, count) in [(139, 2_929), (149, 3_029)] {
        let net = Net::features(Precision::F32, inputs)
            .then(dense(10, Activation::Sigmoid))
            .then(dense(139, Activation::None));
        assert_eq!(Params::<f32>::zeros(net).data.len(), count);
    }
    let config = Config {
        cell: Cell::Rnn,
        hidden: 30,
        ..Config::default()
    };
    assert_eq!(config.shape(139).parameters(), 9_409);
}
