//! The nets of the course's first systems: gradients against central finite differences in f64, f32 against f64, and
//! the course's parameter counts.

use gatelet_trainer::config::Config;
use gatelet_trainer::engine::Engine;
use gatelet_trainer::feedforward::{Activation, Layer, Loss, Net};
use gatelet_trainer::optim::{Optimizer, OptimizerConfig};
use gatelet_trainer::shape::Cell;

const ROWS: usize = 5;

/// Dense nets with every activation, and convolutions of several widths below a pool, with another one above.
fn nets() -> Vec<(Vec<Layer>, Loss)> {
    let conv = |steps, channels, filters, width, activation| Layer::Conv1d {
        steps,
        channels,
        filters,
        width,
        activation,
    };
    let pool = |steps, channels| Layer::GlobalMaxPool { steps, channels };
    let (sigmoid, relu, softmax) = (Activation::Sigmoid, Activation::Relu, Activation::Softmax);
    vec![
        (vec![Layer::dense(7, 4, softmax)], Loss::Categorical),
        (
            vec![Layer::dense(7, 6, sigmoid), Layer::dense(6, 5, softmax)],
            Loss::Binary,
        ),
        (
            vec![
                Layer::dense(3, 17, relu),
                Layer::dense(17, 9, Activation::Linear),
                Layer::dense(9, 2, sigmoid),
            ],
            Loss::Binary,
        ),
        // Softmax below the top, and a loss that is not made for the sigmoid above it.
        (
            vec![Layer::dense(4, 5, softmax), Layer::dense(5, 3, sigmoid)],
            Loss::Categorical,
        ),
        (
            vec![
                conv(6, 3, 8, 2, relu),
                pool(5, 8),
                Layer::dense(8, 1, sigmoid),
            ],
            Loss::Binary,
        ),
        // A convolution above another: the gradient of its input adds up where windows overlap.
        (
            vec![
                conv(7, 2, 4, 3, sigmoid),
                conv(5, 4, 5, 2, Activation::Linear),
                pool(4, 5),
                Layer::dense(5, 3, softmax),
            ],
            Loss::Categorical,
        ),
        // The widest, which is a dense layer; and one that sees a step at a time.
        (
            vec![
                conv(3, 2, 4, 3, sigmoid),
                conv(1, 4, 3, 1, softmax),
                Layer::dense(3, 2, softmax),
            ],
            Loss::Categorical,
        ),
    ]
}

fn net<F: Engine>(layers: &[Layer], loss: Loss) -> Net<F> {
    let mut net = Net::new(layers, loss, OptimizerConfig::of(Optimizer::Adam), 4);
    // Away from the start: biases too have to matter.
    for (index, weight) in net.parameters_mut().iter_mut().enumerate() {
        *weight += F::from_f64(0.3 * ((index * 7) as f64).sin());
    }
    net
}

/// Inputs without a pattern; targets that are one answer of each row.
fn batch<F: Engine>(layers: &[Layer]) -> (Vec<F>, Vec<F>) {
    let inputs = layers.first().map_or(0, Layer::inputs);
    let outputs = layers.last().map_or(0, Layer::outputs);
    let number = |index: usize| F::from_f64(((index * index * 3 + index) as f64).sin() * 1.5);
    let mut targets = vec![F::zero(); ROWS * outputs];
    for (row, targets) in targets.chunks_exact_mut(outputs).enumerate() {
        targets[(row * row + row) % outputs] = F::one();
    }
    ((0..ROWS * inputs).map(number).collect(), targets)
}

#[test]
fn gradients_equal_finite_differences() {
    const STEP: f64 = 1e-4;
    for (layers, loss) in nets() {
        let mut net = net::<f64>(&layers, loss);
        let (x, targets) = batch(&layers);
        net.backward(&x, &targets);
        let gradient = net.gradient().to_vec();
        let mut start = 0;
        for layer in &layers {
            let (mut error, mut size) = (0.0_f64, 0.0_f64);
            for (index, analytic) in gradient
                .iter()
                .enumerate()
                .skip(start)
                .take(layer.parameters())
            {
                let value = net.parameters()[index];
                let mut at = |by: f64| {
                    net.parameters_mut()[index] = value + by * STEP;
                    let loss = net.loss(&x, &targets) / ROWS as f64;
                    net.parameters_mut()[index] = value;
                    loss
                };
                // Five points: the error is of the fourth order in STEP.
                let numeric = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * STEP);
                error += (numeric - analytic).powi(2);
                size += numeric.powi(2);
            }
            start += layer.parameters();
            if layer.parameters() > 0 {
                assert!(size > 0.0, "{layer:?} has no gradient");
                let relative = (error / size).sqrt();
                assert!(
                    relative < 1e-8,
                    "{layer:?}, {loss:?}: relative error {relative:e}"
                );
            }
        }
        assert_eq!(start, net.parameters().len());
    }
}

/// The f32 path runs on core's kernels, the f64 path does not. A pool may choose another of two places that are almost
/// equal: not with these numbers.
#[test]
fn gradients_in_f32_are_those_in_f64() {
    for (layers, loss) in nets() {
        let mut exact = net::<f64>(&layers, loss);
        let mut single = net::<f32>(&layers, loss);
        let pairs = single.parameters_mut().iter_mut().zip(exact.parameters());
        pairs.for_each(|(to, from)| *to = *from as f32);
        let (x, targets) = batch::<f64>(&layers);
        let expected = exact.backward(&x, &targets);
        let (x, targets) = batch::<f32>(&layers);
        // Twice: a batch must not depend on what an earlier one left in the buffers; and one of another size between.
        for _ in 0..2 {
            let found = single.backward(&x, &targets);
            assert!(
                (found - expected).abs() < 1e-5 * expected,
                "{found} {expected}"
            );
            let pairs = || exact.gradient().iter().zip(single.gradient());
            let error: f64 = pairs().map(|(a, b)| (a - f64::from(*b)).powi(2)).sum();
            let size: f64 = pairs().map(|(a, _)| a * a).sum();
            assert!((error / size).sqrt() < 1e-5, "{layers:?}");
            single.outputs(&x[..x.len() / ROWS]);
        }
    }
}

/// The order of what a pool sees does not matter to it, and does to the filters below it.
#[test]
fn a_pool_says_that_and_not_where() {
    let pool = Layer::GlobalMaxPool {
        steps: 3,
        channels: 2,
    };
    let mut net = net::<f64>(
        &[pool, Layer::dense(2, 2, Activation::Linear)],
        Loss::Binary,
    );
    let pooled = net
        .activations(&[1.0, 9.0, 5.0, 2.0, -1.0, 3.0], 0)
        .to_vec();
    assert_eq!(pooled, [5.0, 9.0]);
    assert_eq!(net.activations(&[5.0, 2.0, -1.0, 3.0, 1.0, 9.0], 0), pooled);
}

#[test]
#[should_panic(expected = "outputs of layer 0 and inputs of the next")]
fn layers_that_do_not_fit_are_refused() {
    let layers = [
        Layer::dense(3, 4, Activation::Relu),
        Layer::dense(5, 2, Activation::Softmax),
    ];
    net::<f64>(&layers, Loss::Categorical);
}

#[test]
fn parameter_counts_are_those_of_the_course() {
    for (inputs, count) in [(139, 2_929), (149, 3_029)] {
        let layers = [
            Layer::dense(inputs, 10, Activation::Sigmoid),
            Layer::dense(10, 139, Activation::Softmax),
        ];
        let net = net::<f32>(&layers, Loss::Binary);
        assert_eq!(net.parameters().len(), count);
    }
    let config = Config {
        cell: Cell::Rnn,
        hidden: 30,
        ..Config::default()
    };
    assert_eq!(config.shape(139).parameters(), 9_409);
}
