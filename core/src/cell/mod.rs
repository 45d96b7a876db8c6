//! Cells and functions on sums: what becomes of an operation's products. One file each, the equation
//! first.

pub(crate) mod add;
pub(crate) mod dense;
pub(crate) mod gate;
pub(crate) mod gru;
pub(crate) mod lstm;
pub(crate) mod relu;
pub(crate) mod rnn;
mod step;

pub(crate) use self::step::{Products, Step, StepF32, StepInt8};
use crate::net::{Capabilities, GateActivation, Kind, RnnActivation};
use crate::weights::layer::{RecurrentF32, RecurrentInt8};

/// One step in f32.
#[inline(always)]
pub(crate) fn step_f32<K: Products>(kernel: K, of: &RecurrentF32<'_>, mut step: StepF32<'_>) {
    let can = |what| K::CAPABILITIES.has(what);
    match of.kind {
        Kind::Rnn { .. } if can(Capabilities::RELU) => relu::step_f32(kernel, of, step),
        Kind::Lstm { .. } if can(Capabilities::HARD_LSTM) => lstm::step_f32(kernel, of, step),
        Kind::Gru {
            gates, candidate, ..
        } if can(Capabilities::GRU) => {
            let plain = gates == GateActivation::Sigmoid && candidate == RnnActivation::Tanh;
            if !(plain && kernel.gru_f32(of, &mut step)) {
                gru::step_f32(kernel, of, step);
            }
        }
        _ => {}
    }
}

/// One step in int8.
#[inline(always)]
pub(crate) fn step_int8<K: Products>(kernel: K, of: &RecurrentInt8<'_>, step: StepInt8<'_>) {
    let can = |what| K::CAPABILITIES.has(what);
    match of.kind {
        Kind::Rnn { .. } if can(Capabilities::RELU) => relu::step_int8(kernel, of, step),
        Kind::Lstm { .. } if can(Capabilities::HARD_LSTM) => lstm::step_int8(kernel, of, step),
        Kind::Gru { .. } if can(Capabilities::GRU) => gru::step_int8(kernel, of, step),
        _ => {}
    }
}
