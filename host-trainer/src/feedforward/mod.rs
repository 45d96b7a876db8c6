//! Feed-forward nets: rows of numbers in, rows of numbers out, nothing remembered in between.
//!
//! ```text
//! forward     y_0 = x;  y_l = activation(layer_l(y_{l-1}))                                    loss.rs: L(y_last, targets)
//! backward    dz_last = dL/dz;  layer by layer down: dW, db, and dy of the layer below;  dz = activation'(dy)
//! an epoch    the rows in a new order, in batches: forward, backward, Adam (or another of `optim`)
//! ```
//! They stand beside the recurrent nets to be compared with them, and are what the course begins with. Parameters are
//! one flat buffer (a layer's weights, then its biases), as in [`params`](crate::params), so the optimizers are the
//! same; products run on `gatelet-products` through [`Engine`]. Weights start uniform in ±sqrt(6 / (inputs + outputs))
//! (Glorot and Bengio 2010), biases at 0, as in Keras; for a convolution, inputs and outputs are width times channels and width
//! times filters.
//!
//! ```
//! use gatelet_trainer::feedforward::{Activation, Layer, Loss, Net};
//! use gatelet_trainer::optim::{Optimizer, OptimizerConfig};
//!
//! // Either or: what a net of one layer cannot learn.
//! let layers = [Layer::dense(2, 8, Activation::Sigmoid), Layer::dense(8, 1, Activation::Sigmoid)];
//! let adam = OptimizerConfig::of(Optimizer::Adam);
//! let mut net = Net::<f32>::new(&layers, Loss::Binary, adam, 1);
//! let bit = |row: usize, k: usize| ((row >> k) & 1) as f32;
//! for epoch in 0..1000 {
//!     net.epoch(4, 4, 0.05, epoch, |row, x, target| {
//!         x.copy_from_slice(&[bit(row, 0), bit(row, 1)]);
//!         target[0] = f32::from(bit(row, 0) != bit(row, 1));
//!     });
//! }
//! assert!(net.outputs(&[0.0, 1.0])[0] > 0.9);
//! assert!(net.outputs(&[1.0, 1.0])[0] < 0.1);
//! ```

mod activation;
mod layer;
mod loss;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

pub use activation::{Activation, softmax};
pub use layer::Layer;
pub use loss::Loss;

use crate::engine::Engine;
use crate::optim::{OptimizerConfig, Updater};
use layer::Work;

/// A feed-forward net with its optimizer.
#[derive(Clone, Debug)]
pub struct Net<F: Engine> {
    layers: Vec<Work<F>>,
    loss: Loss,
    parameters: Vec<F>,
    gradient: Vec<F>,
    updater: Updater<F>,
    /// Whether the layers hold other weights than `parameters`.
    stale: bool,
}

impl<F: Engine> Net<F> {
    /// A net at its start; the same seed gives the same numbers.
    ///
    /// # Panics
    /// When a layer's inputs are not as many as the outputs of the one before it, or the last one is not dense.
    pub fn new(layers: &[Layer], loss: Loss, optimizer: OptimizerConfig, seed: u64) -> Self {
        let last = layers.last();
        assert!(
            matches!(last, Some(Layer::Dense { .. })),
            "the last layer is dense"
        );
        for (index, pair) in layers.windows(2).enumerate() {
            let (have, need) = (pair[0].outputs(), pair[1].inputs());
            assert_eq!(
                have, need,
                "outputs of layer {index} and inputs of the next"
            );
        }
        let mut rng = Pcg64::seed_from_u64(seed);
        let (mut parameters, mut works) = (Vec::new(), Vec::new());
        for layer in layers {
            works.push(Work::new(*layer, parameters.len()));
            let (rows, columns) = layer.weights();
            // A filter's output is seen by as many windows as the filter is wide.
            let width = match layer {
                Layer::Conv1d { width, .. } => *width,
                _ => 1,
            };
            let bound = glorot(rows, width * columns);
            let weight = || F::from_f64((2.0 * rng.random::<f64>() - 1.0) * bound);
            parameters.extend(std::iter::repeat_with(weight).take(rows * columns));
            parameters.extend(std::iter::repeat_n(F::zero(), columns));
        }
        Self {
            layers: works,
            loss,
            gradient: vec![F::zero(); parameters.len()],
            updater: Updater::of_count(optimizer, parameters.len()),
            parameters,
            stale: true,
        }
    }

    /// All weights and biases: layer by layer, weights [inputs, outputs] row-major, then biases.
    pub fn parameters(&self) -> &[F] {
        &self.parameters
    }

    /// The same, to change.
    pub fn parameters_mut(&mut self) -> &mut [F] {
        self.stale = true;
        &mut self.parameters
    }

    /// The gradient of the last [`Net::backward`], in the order of the parameters.
    pub fn gradient(&self) -> &[F] {
        &self.gradient
    }

    /// Runs `x`: [rows, inputs]; returns the outputs of the last layer: [rows, outputs].
    pub fn outputs(&mut self, x: &[F]) -> &[F] {
        self.activations(x, self.layers.len() - 1)
    }

    /// Runs `x` and returns the outputs of one layer, counted from 0: [rows, its outputs].
    pub fn activations(&mut self, x: &[F], layer: usize) -> &[F] {
        if std::mem::take(&mut self.stale) {
            for layer in &mut self.layers {
                layer.pack(&self.parameters);
            }
        }
        for index in 0..self.layers.len() {
            let (below, here) = self.layers.split_at_mut(index);
            here[0].forward(below.last().map_or(x, |below| &below.y));
        }
        &self.layers[layer].y
    }

    /// Sum of the losses of the rows of `x` in nats, after a run forward.
    pub fn loss(&mut self, x: &[F], targets: &[F]) -> f64 {
        let (loss, columns) = (self.loss, self.last().outputs());
        loss.sum(self.outputs(x), targets, columns)
    }

    /// The layer whose outputs are the net's.
    fn last(&self) -> Layer {
        self.layers[self.layers.len() - 1].layer
    }

    /// Numbers of a row coming in.
    pub fn inputs(&self) -> usize {
        self.layers[0].layer.inputs()
    }

    /// Forward and backward; [`Net::gradient`] is then that of the mean loss over the rows.
    ///
    /// `x`: [rows, inputs], `targets`: [rows, outputs]. Returns the sum of the losses in nats.
    pub fn backward(&mut self, x: &[F], targets: &[F]) -> f64 {
        let sum = self.loss(x, targets);
        let scale = self.inputs() as f64 / x.len().max(1) as f64;
        let last = self.layers.len() - 1;
        let Work { layer, y, dy, .. } = &mut self.layers[last];
        self.loss
            .backward(layer.activation(), (y, targets), scale, layer.outputs(), dy);
        for index in (0..=last).rev() {
            let (below, here) = self.layers.split_at_mut(index);
            match below.last_mut() {
                Some(Work { layer, y, dy, .. }) => {
                    here[0].backward(y, &mut self.gradient, Some(dy));
                    layer.activation().backward(y, dy, layer.columns());
                }
                None => here[0].backward(x, &mut self.gradient, None),
            }
        }
        sum
    }

    /// One pass over `count` rows in an order that `seed` decides, in batches of `batch` (the last may be smaller).
    ///
    /// `fill(row, x, targets)` writes a row's numbers into zeros. Returns the mean loss in nats, each batch's before its
    /// update.
    pub fn epoch(
        &mut self,
        count: usize,
        batch: usize,
        learning_rate: f64,
        seed: u64,
        mut fill: impl FnMut(usize, &mut [F], &mut [F]),
    ) -> f64 {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut Pcg64::seed_from_u64(seed));
        let (inputs, outputs) = (self.inputs(), self.last().outputs());
        let (mut x, mut targets, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for rows in order.chunks(batch) {
            x.clear();
            targets.clear();
            x.resize(rows.len() * inputs, F::zero());
            targets.resize(rows.len() * outputs, F::zero());
            let places = x
                .chunks_exact_mut(inputs)
                .zip(targets.chunks_exact_mut(outputs));
            for (&row, (x, targets)) in rows.iter().zip(places) {
                fill(row, x, targets);
            }
            sum += self.backward(&x, &targets);
            let norm = self.updater.norm(&self.gradient);
            self.updater
                .update(&mut self.parameters, &self.gradient, norm, learning_rate);
            self.stale = true;
        }
        sum / count.max(1) as f64
    }
}

/// Bound of the uniform start of weights between so many inputs and outputs (Glorot and Bengio 2010).
pub fn glorot(inputs: usize, outputs: usize) -> f64 {
    (6.0 / (inputs + outputs).max(1) as f64).sqrt()
}

/// The part of the rows of `outputs` ([rows, columns]) whose largest number is that of the row's answer.
pub fn top1<F: Engine>(outputs: &[F], columns: usize, answers: impl Iterator<Item = u16>) -> f64 {
    let (mut right, mut rows) = (0, 0);
    for (row, answer) in outputs.chunks_exact(columns).zip(answers) {
        let answer = usize::from(answer);
        let beaten = |k: usize| k == answer || row[k] < row[answer];
        right += usize::from((0..columns).all(beaten));
        rows += 1;
    }
    right as f64 / rows.max(1) as f64
}

/// The part of all outputs that are on the right side of one half: above it for the row's answer, and not for the others.
pub fn binary_accuracy<F: Engine>(
    outputs: &[F],
    columns: usize,
    answers: impl Iterator<Item = u16>,
) -> f64 {
    let half = F::from_f64(0.5);
    let (mut right, mut count) = (0, 0);
    for (row, answer) in outputs.chunks_exact(columns).zip(answers) {
        let good = |&(k, &y): &(usize, &F)| (y > half) == (k == usize::from(answer));
        right += row.iter().enumerate().filter(good).count();
        count += columns;
    }
    right as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_count_rows_and_outputs() {
        // Right and sure; right and unsure; undecided, which is wrong.
        let outputs = [0.1_f64, 0.8, 0.1, 0.4, 0.3, 0.3, 0.4, 0.2, 0.4];
        let answers = || [1, 0, 2].into_iter();
        assert_eq!(top1(&outputs, 3, answers()), 2.0 / 3.0);
        assert_eq!(binary_accuracy(&outputs, 3, answers()), 7.0 / 9.0);
    }
}
