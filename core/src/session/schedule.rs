//! How a session runs its net.

use crate::front::Frames;
use crate::image::model::Model;
use crate::kernel::{Kernel, can};
use crate::net::Capabilities;

/// How a session runs its net: found once, when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// Operation after operation.
    Plain,
    /// The same, from one end of the weights and the other in turn: there is one recurrent operation.
    Reversing,
    /// A layer that stands alone, with room for sums.
    Alone,
    /// Several layers, with room for sums of the last.
    Stacked {
        /// The last layer's operation.
        last: u8,
    },
}

/// What a session of one layer has in its words for sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    /// The product of the state's h.
    Ready,
    /// That of an h before.
    Old,
    /// The state is another one, and perhaps for one step only: its product is not worth keeping.
    Restored,
}

/// The schedule of a session, and where sums are kept: in `rest`, if the net is one for it, the kernel
/// computes products before their step, and there are words enough.
pub(super) fn schedule<'s, K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    rest: &'s mut [u32],
) -> (Schedule, &'s mut [u32]) {
    let net = &model.net;
    let layers = net.recurrent_count();
    let plain = match layers {
        _ if !K::PIPELINED => Schedule::Plain,
        1 => Schedule::Reversing,
        _ => Schedule::Plain,
    };
    if !K::PIPELINED || !net.is_pipelined() || !kernel.pipelines(model.layout()) {
        return (plain, &mut []);
    }
    let last = layers.saturating_sub(1);
    let whole = net.operation(last).is_some_and(|of| of.bits == 8);
    match rest.get_mut(..net.pipeline_words()) {
        Some(words) if whole && layers == 1 => (Schedule::Alone, words),
        Some(words) if whole => (Schedule::Stacked { last: last as u8 }, words),
        _ => (plain, &mut []),
    }
}

/// Whether a kernel's sessions take samples, decided while compiling.
#[inline(always)]
pub(super) fn can_push<K: Kernel>() -> bool {
    can::<K>(Capabilities::FRONT_END)
}

/// The front end's part of `rest`, if the model has one and there is room, and what is left.
#[inline(always)]
pub(super) fn frames<'s, K: Kernel>(
    model: &Model<'_>,
    rest: &'s mut [u32],
) -> (Option<Frames<'s>>, &'s mut [u32]) {
    match model.front_end {
        Some(front) if can_push::<K>() && rest.len() >= front.words() => {
            let (words, rest) = rest.split_at_mut_checked(front.words()).unwrap_or_default();
            // The recipe was checked when the model was loaded.
            (Frames::new(front, words).ok(), rest)
        }
        _ => (None, rest),
    }
}
