//! The layers of a feed-forward net, forward next to their backward.
//!
//! ```text
//! dense      z = x W + b                                W: [inputs, outputs]
//!            dW = x^T dz     db = sum dz     dx = dz W^T
//! conv 1-D   z_t = [x_t .. x_{t+width-1}] W + b         W: [width * channels, filters], t = 0 ..= steps - width
//!            a dense layer over every window of the sequence, with the same weights
//! max pool   y_k = max_t x_tk                           dx goes to the place that was largest (the first of equals)
//! ```
//! A row holds a sequence step by step, so a window of `width` steps is one piece of it without a gap: the convolution
//! copies the windows below each other and is then the dense layer's product. Both run on `gatelet-products`
//! ([`Engine`]). Weights stand as Keras has them.

use std::ops::Range;

use super::activation::Activation;
use crate::engine::{Engine, Packed};

/// One layer of a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Every output sees every input.
    Dense {
        /// Numbers of a row coming in.
        inputs: usize,
        /// Numbers of a row going out.
        outputs: usize,
        /// What is done to the sums.
        activation: Activation,
    },
    /// Filters that slide over a sequence; no padding. [steps, channels] in, [steps - width + 1, filters] out.
    Conv1d {
        /// Length of the sequence.
        steps: usize,
        /// Numbers of a step.
        channels: usize,
        /// Patterns that are looked for.
        filters: usize,
        /// Steps that a filter sees at once, 1..=steps.
        width: usize,
        /// What is done to the sums.
        activation: Activation,
    },
    /// The largest value of every channel over the whole sequence: that a pattern was there, and not where.
    GlobalMaxPool {
        /// Length of the sequence.
        steps: usize,
        /// Numbers of a step.
        channels: usize,
    },
}

impl Layer {
    /// A dense layer.
    pub const fn dense(inputs: usize, outputs: usize, activation: Activation) -> Self {
        Self::Dense {
            inputs,
            outputs,
            activation,
        }
    }

    /// Numbers of a row coming in.
    pub const fn inputs(&self) -> usize {
        match *self {
            Self::Dense { inputs, .. } => inputs,
            Self::Conv1d {
                steps, channels, ..
            }
            | Self::GlobalMaxPool { steps, channels } => steps * channels,
        }
    }

    /// Numbers of a row going out.
    pub const fn outputs(&self) -> usize {
        match *self {
            Self::Dense { outputs, .. } => outputs,
            Self::Conv1d { filters, .. } => self.windows() * filters,
            Self::GlobalMaxPool { channels, .. } => channels,
        }
    }

    /// Rows and columns of the weights: (0, 0) for a layer without any.
    pub const fn weights(&self) -> (usize, usize) {
        match *self {
            Self::Dense {
                inputs, outputs, ..
            } => (inputs, outputs),
            Self::Conv1d {
                channels,
                filters,
                width,
                ..
            } => (width * channels, filters),
            Self::GlobalMaxPool { .. } => (0, 0),
        }
    }

    /// Weights and biases.
    pub const fn parameters(&self) -> usize {
        let (rows, columns) = self.weights();
        (rows + 1) * columns
    }

    /// What is done to the sums.
    pub const fn activation(&self) -> Activation {
        match *self {
            Self::Dense { activation, .. } | Self::Conv1d { activation, .. } => activation,
            Self::GlobalMaxPool { .. } => Activation::Linear,
        }
    }

    /// Numbers that an activation takes together: the outputs of one product.
    pub(super) const fn columns(&self) -> usize {
        match *self {
            Self::Dense { outputs, .. } => outputs,
            Self::Conv1d { filters, .. } => filters,
            Self::GlobalMaxPool { channels, .. } => channels,
        }
    }

    /// Products with the weights that a row needs.
    const fn windows(&self) -> usize {
        match *self {
            Self::Dense { .. } => 1,
            Self::Conv1d { steps, width, .. } => steps + 1 - width,
            Self::GlobalMaxPool { .. } => 0,
        }
    }
}

/// A layer with the buffers of a batch.
#[derive(Clone, Debug)]
pub(super) struct Work<F: Engine> {
    pub(super) layer: Layer,
    /// Its weights and then its biases, among those of the net.
    range: Range<usize>,
    /// `W` and `W^T`, as products read them; none without weights.
    packs: Option<(F::Packed, F::Packed)>,
    bias: Vec<F>,
    /// [rows * windows, width * channels]: the windows below each other; empty but for a convolution of more than a step.
    windows: Vec<F>,
    /// Where the largest value of each channel stands: [rows, channels].
    places: Vec<usize>,
    /// [rows, outputs]
    pub(super) y: Vec<F>,
    /// [rows, outputs]: the gradient of y, then of the sums.
    pub(super) dy: Vec<F>,
    scratch: Vec<F>,
}

impl<F: Engine> Work<F> {
    /// A layer whose parameters begin at `start` among those of the net.
    pub(super) fn new(layer: Layer, start: usize) -> Self {
        let (rows, columns) = layer.weights();
        Self {
            layer,
            range: start..start + layer.parameters(),
            packs: (columns > 0).then(|| {
                let pack = |k, n| F::Packed::new(k, n, false);
                (pack(rows, columns), pack(columns, rows))
            }),
            bias: vec![F::zero(); columns],
            windows: Vec::new(),
            places: Vec::new(),
            y: Vec::new(),
            dy: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes its weights and biases from those of the net.
    pub(super) fn pack(&mut self, parameters: &[F]) {
        if let Some((forward, back)) = &mut self.packs {
            let parameters = &parameters[self.range.clone()];
            let (weights, bias) = parameters.split_at(parameters.len() - self.bias.len());
            forward.pack(weights, false);
            back.pack(weights, true);
            self.bias.copy_from_slice(bias);
        }
    }

    /// Fills `y` for `x`: [rows, inputs].
    pub(super) fn forward(&mut self, x: &[F]) {
        let layer = self.layer;
        let rows = x.len() / layer.inputs();
        self.y.resize(rows * layer.outputs(), F::zero());
        self.dy.resize(self.y.len(), F::zero());
        match layer {
            Layer::GlobalMaxPool { channels, .. } => self.pool(x, channels),
            Layer::Dense { .. } | Layer::Conv1d { .. } => {
                self.cut(x);
                let x = if self.windows.is_empty() {
                    x
                } else {
                    &self.windows
                };
                let bias = &self.bias;
                self.y
                    .chunks_exact_mut(bias.len())
                    .for_each(|z| z.copy_from_slice(bias));
                if let Some((forward, _)) = &self.packs {
                    let room = F::matmul_scratch(rows, layer.weights().0);
                    self.scratch.resize(room.max(self.scratch.len()), F::zero());
                    F::matmul(x, forward, true, &mut self.y, &mut self.scratch);
                }
            }
        }
        layer.activation().forward(&mut self.y, layer.columns());
    }

    /// From the gradient of the sums in `dy`: its part of the net's `gradient`, and `dx`, that of `x`. Without a place for
    /// `dx`, which the first layer has no use for, it is not computed.
    pub(super) fn backward(&mut self, x: &[F], gradient: &mut [F], dx: Option<&mut [F]>) {
        let layer = self.layer;
        let Some((_, back)) = &self.packs else {
            if let Some(dx) = dx {
                self.unpool(dx);
            }
            return;
        };
        let (inputs, columns) = layer.weights();
        let rows = self.dy.len() / columns;
        let room = F::outer_scratch(rows, inputs).max(F::matmul_scratch(rows, columns));
        self.scratch.resize(room.max(self.scratch.len()), F::zero());
        let gradient = &mut gradient[self.range.clone()];
        let (d_weights, d_bias) = gradient.split_at_mut(inputs * columns);
        let seen = if self.windows.is_empty() {
            x
        } else {
            &self.windows
        };
        let dz = (&self.dy[..], columns);
        F::outer((seen, inputs), dz, false, d_weights, &mut self.scratch);
        d_bias.fill(F::zero());
        for dz in self.dy.chunks_exact(columns) {
            d_bias.iter_mut().zip(dz).for_each(|(sum, &dz)| *sum += dz);
        }
        let Some(dx) = dx else { return };
        if self.windows.is_empty() {
            F::matmul(&self.dy, back, false, dx, &mut self.scratch);
        } else {
            // The windows are done with: their place takes their gradient, which is added up where they overlap.
            F::matmul(&self.dy, back, false, &mut self.windows, &mut self.scratch);
            self.paste(dx);
        }
    }

    /// Copies the windows of every row below each other; a dense layer has none.
    fn cut(&mut self, x: &[F]) {
        let Layer::Conv1d { channels, .. } = self.layer else {
            return;
        };
        let (inputs, count) = (self.layer.weights().0, self.layer.windows());
        self.windows.clear();
        for row in x.chunks_exact(self.layer.inputs()) {
            for t in 0..count {
                self.windows
                    .extend_from_slice(&row[t * channels..][..inputs]);
            }
        }
    }

    /// Adds the gradients of the windows up where they came from.
    fn paste(&self, dx: &mut [F]) {
        let Layer::Conv1d { channels, .. } = self.layer else {
            return;
        };
        let (inputs, count) = (self.layer.weights().0, self.layer.windows());
        dx.fill(F::zero());
        let mut windows = self.windows.chunks_exact(inputs);
        for row in dx.chunks_exact_mut(self.layer.inputs()) {
            for (t, window) in windows.by_ref().take(count).enumerate() {
                let place = &mut row[t * channels..][..inputs];
                place.iter_mut().zip(window).for_each(|(sum, &x)| *sum += x);
            }
        }
    }

    /// Fills `y` and `places` with the largest value of each channel.
    fn pool(&mut self, x: &[F], channels: usize) {
        self.places.resize(self.y.len(), 0);
        let outputs = self.y.chunks_exact_mut(channels);
        let outputs = outputs.zip(self.places.chunks_exact_mut(channels));
        for (row, (y, places)) in x.chunks_exact(self.layer.inputs()).zip(outputs) {
            y.copy_from_slice(&row[..channels]);
            places.fill(0);
            for (t, step) in row.chunks_exact(channels).enumerate().skip(1) {
                for ((y, place), &x) in y.iter_mut().zip(&mut *places).zip(step) {
                    if x > *y {
                        (*y, *place) = (x, t);
                    }
                }
            }
        }
    }

    /// The gradient goes where the largest value came from.
    fn unpool(&self, dx: &mut [F]) {
        let channels = self.layer.outputs();
        dx.fill(F::zero());
        let rows = dx.chunks_exact_mut(self.layer.inputs());
        let grads = self
            .dy
            .chunks_exact(channels)
            .zip(self.places.chunks_exact(channels));
        for (row, (dy, places)) in rows.zip(grads) {
            for (k, (&dy, &t)) in dy.iter().zip(places).enumerate() {
                row[t * channels + k] = dy;
            }
        }
    }
}
