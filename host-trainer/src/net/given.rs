//! A window's inputs, what is asked, and what the net gives.

use gatelet::net::Activation;
use pulp::Arch;

use super::dense;
use super::loss::{Asked, IGNORED, Loss, Targets};
use crate::engine::Engine;
use crate::memory::Memory;
use crate::net::device::qat::Dense;

/// An output at work.
#[derive(Clone, Debug)]
pub(super) struct Given<F: Engine> {
    pub(super) operation: usize,
    pub(super) width: usize,
    pub(super) activation: Activation,
    pub(super) loss: Loss,
    /// Of scores: what the gradient of a target is multiplied by, for each class; or empty.
    pub(super) weights: Vec<F>,
    /// z, and then its gradient: [block, width] of a head, otherwise [T, rows, width].
    pub(super) z: Memory<F>,
    /// The same as the device gives it, activated; empty where that is z.
    pub(super) device: Vec<F>,
}

impl<F: Engine> Given<F> {
    /// Takes sums of a dense operation as the device has them.
    pub(super) fn take(&mut self, device: &Dense<F>, sums: &[i32]) {
        device.reals(sums, &mut self.z[..sums.len()]);
        self.device.resize(self.z.len(), F::zero());
        device.given(sums, &mut self.device[..sums.len()]);
    }

    /// Loss of the steps from `first` on whose z are in the first `len` numbers.
    pub(super) fn apply(
        &mut self,
        (arch, index): (Arch, usize),
        targets: &Targets<F>,
        (first, steps): (usize, usize),
        scale: F,
        see: &mut Option<See<'_, F>>,
    ) -> f64 {
        let z = &mut self.z[..steps * self.width];
        if let Some(see) = see {
            let mut numbers = z.to_vec();
            match self.device.get(..z.len()) {
                Some(device) if !device.is_empty() => numbers.copy_from_slice(device),
                _ => dense::activate(arch, self.activation, &mut numbers, self.width),
            }
            see(Seen {
                output: index,
                first,
                numbers: &numbers,
            });
        }
        let asked = Asked::of(targets, (first, first + steps), self.width);
        if self.activation == Activation::Softmax {
            // Its derivative is not one number by itself.
            dense::activate(arch, self.activation, z, self.width);
            let y = z.to_vec();
            let loss = self.loss.apply(arch, Activation::None, z, asked, scale);
            dense::backward(self.activation, &y, z, self.width);
            return loss;
        }
        let loss = self.loss.apply(arch, self.activation, z, asked, scale);
        if !self.weights.is_empty() {
            for (row, &target) in z.chunks_exact_mut(self.width).zip(asked.tokens) {
                // A target that does not count has no gradient.
                if let Some(&weight) = self.weights.get(usize::from(target)) {
                    row.iter_mut().for_each(|d| *d *= weight);
                }
            }
        }
        loss
    }
}

/// What a net gives over some steps.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a, F> {
    /// The output.
    pub output: usize,
    /// The first of the steps, as `t * rows + row`.
    pub first: usize,
    /// [steps, numbers]: scores, or values.
    pub numbers: &'a [F],
}

/// What looks at outputs.
pub(super) type See<'a, F> = &'a mut dyn FnMut(Seen<'_, F>);

/// A window's inputs and targets, to be written; all time-major.
#[derive(Debug)]
pub struct Window<'a, F> {
    /// Streams: step t of stream `row` is at `t * rows + row`.
    pub rows: usize,
    /// [T, rows]: tokens; empty where the net is given features.
    pub tokens: &'a mut [u16],
    /// [T, rows, numbers]: features; empty where it is given tokens.
    pub features: &'a mut [F],
    /// What is asked of each output.
    pub targets: &'a mut [Targets<F>],
}

impl<F: Engine> Window<'_, F> {
    /// Nothing is asked of a stream.
    pub fn ignore(&mut self, row: usize) {
        for targets in self.targets.iter_mut() {
            let tokens = targets.tokens.iter_mut().skip(row).step_by(self.rows);
            tokens.for_each(|target| *target = IGNORED);
            let counts = targets.counts.iter_mut().skip(row).step_by(self.rows);
            counts.for_each(|counts| *counts = false);
        }
    }
}
