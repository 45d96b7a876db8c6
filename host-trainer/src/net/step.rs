//! The buffers of one step of a recurrent operation, forward and back. A cell takes of them what it
//! needs; the others are empty.

use pulp::Arch;

use crate::engine::Engine;

/// A step forward of a batch.
pub(super) struct Step<'a, F: Engine> {
    pub(super) arch: Arch,
    pub(super) units: usize,
    /// `W_h`, and what multiplies something made of h.
    pub(super) w: &'a F::Packed,
    pub(super) u: Option<&'a F::Packed>,
    /// Bias of a recurrent product.
    pub(super) bias: &'a [F],
    /// [batch, units]: h as products read it.
    pub(super) seen: &'a [F],
    /// [batch, units]: h as it goes around products.
    pub(super) carried: &'a [F],
    pub(super) c_before: &'a [F],
    /// [batch, gates*units]: sums without recurrent products in, activations out.
    pub(super) gates: &'a mut [F],
    /// [batch, gates*units]: room for products that stay by themselves.
    pub(super) product: &'a mut [F],
    pub(super) c: &'a mut [F],
    /// [batch, units]: what the way back needs besides.
    pub(super) kept: &'a mut [F],
    /// [batch, units]: what was made of h for `u`.
    pub(super) q: &'a mut [F],
    /// [batch, units]: the new h.
    pub(super) h: &'a mut [F],
    pub(super) scratch: &'a mut [F],
}

/// A step back of a batch.
pub(super) struct Back<'a, F: Engine> {
    pub(super) arch: Arch,
    pub(super) units: usize,
    /// The transpose of what multiplies something made of h.
    pub(super) u: Option<&'a F::Packed>,
    /// [batch, units]: h after the step.
    pub(super) h: &'a [F],
    /// As in [`Step`].
    pub(super) seen: &'a [F],
    /// As in [`Step`].
    pub(super) carried: &'a [F],
    /// As in [`Step`].
    pub(super) c_before: &'a [F],
    /// [batch, units]: what comes from above and through `W_h` of the step after.
    pub(super) dh: &'a [F],
    /// [batch, units]: what comes around products of the step after, the gradient of c or h; leaves
    /// for the one before.
    pub(super) around: &'a mut [F],
    /// [batch, units]: what comes through `u`; leaves for the one before.
    pub(super) through: &'a mut [F],
    /// [batch, gates*units]: activations in; out the gradient of sums, or of recurrent products.
    pub(super) gates: &'a mut [F],
    /// [batch, units]: as in [`Step`] in; with a bias of the recurrent product, what is exchanged for
    /// the last block of `gates` to have the gradient of sums.
    pub(super) kept: &'a mut [F],
    /// [batch, rows*units] each: gradients of what `W_h` and `u` made, where there is a `u`.
    pub(super) d_gates: &'a mut [F],
    pub(super) d_candidate: &'a mut [F],
    pub(super) scratch: &'a mut [F],
}
