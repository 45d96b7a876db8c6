//! What all operations of a window share: buffers, gradients, and where those go.

use pulp::Arch;

use crate::engine::Engine;
use crate::memory::Memory;
use crate::net::dropout::Masks;

/// The gradient of weights whose operands stand for `range` times as much as they are.
pub(super) fn multiply<F: Engine>(gradient: &mut [F], range: f32) {
    if range != 1.0 {
        let range = F::from_f64(range.into());
        gradient.iter_mut().for_each(|g| *g *= range);
    }
}

/// What all operations of a window share.
#[derive(Clone, Debug)]
pub(super) struct Common<F: Engine> {
    pub(super) rows: usize,
    pub(super) window: usize,
    pub(super) arch: Arch,
    /// [T, rows]: tokens in; empty where the net is given features.
    pub(super) tokens: Vec<u16>,
    pub(super) masks: Masks,
    /// The token before which the state is zero, in a text of lines.
    pub(super) line_break: Option<u16>,
    /// What the products need.
    pub(super) scratch: Memory<F>,
    /// Sums of a dense operation, of a net that is trained for integers.
    pub(super) sums: Vec<i32>,
}

/// The gradient of a value, [T, rows, units], and whether anything has been written to it yet.
#[derive(Clone, Debug)]
pub(super) struct Gradient<F: Engine> {
    pub(super) numbers: Memory<F>,
    pub(super) written: bool,
}

/// Where the gradient of what an operation reads goes: in the place of what is there, or on top of
/// it.
pub(super) struct Sink<'a, F> {
    pub(super) dx: &'a mut [F],
    pub(super) add: bool,
}

/// What an operation has made.
pub(super) trait Made<F> {
    /// [T, rows, units]: what other operations see; of a head nothing.
    fn value(&self) -> &[F];
}
